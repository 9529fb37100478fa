'''Whoever was the user that nfbus becomes gains nothing of root's at the next start, whatever stands at an output's path.

Root starts nfbus, which becomes nobody; each attack was prepared with the rights of nobody, or with root's for what some
kernels let anybody do (hard links). Root's file and folder must be as they were when nfbus has ended.
'''

import gzip
import os
import pathlib
import pwd
import shutil
import signal
import stat
import tempfile

import nfbustest
from nfbustest import wait_until
from packets import UDP, ipv4, send, udp

NOBODY = pwd.getpwnam("nobody").pw_uid
STRANGER = 4711

CONFIG = """
[host]
user = "nobody"
[bus]
socket = "@DIR@/bus/server.sock"
[[capture]]
group = 0
[sink.witness]
plugin = "jsonl"
file = "@WITNESS@"
[sink.out]
"""

SINKS = {
    "jsonl": 'plugin = "jsonl"\nfile = "@FILE@"\n',
    "jsonl_rotated": 'plugin = "jsonl"\nfile = "@FILE@"\nrotate_bytes = 1000\nrotate_keep = 2\n',
    "pcap": 'plugin = "pcap"\nfile = "@FILE@"\n',
    "pcap_rotated": 'plugin = "pcap"\nfile = "@FILE@"\nrotate_packets = 2\n',
    "pcap_compressed": 'plugin = "pcap"\nfile = "@FILE@"\nrotate_packets = 2\ncompress = "gzip"\n',
    "pcap_fifo": 'plugin = "pcap"\nfile = "@FILE@"\nfifo = true\n',
}

# The name that a sink opens first, if it is not the file's.
FIRST = {"pcap_rotated": "out-000001.part", "pcap_compressed": "out-000001.part"}
ONE_FILE = [sink for sink in SINKS if sink not in FIRST]
# The names that it makes, renames to or removes later on.
LATER = ("out.1", "out.2", "out.new", "out.next", "out-000001", "out-000001.gz", "out-000001.gz.part", "out-000002.part")

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "lan:out " group 0;
}
}"""

PACKETS = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))] * 30


class Attacks(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.round = 0

    def prepare(self):
        '''A log folder of nobody's, and a folder and a file of root's alone.'''
        self.round += 1
        here = self.folder / str(self.round)
        here.mkdir()
        self.log, self.secret = here / "log", here / "secret"
        self.log.mkdir()
        self.own(self.log)
        self.secret.mkdir()
        self.secret.chmod(0o700)
        self.victim = self.secret / "victim"
        self.victim.touch()  # what every sink would go on with
        self.victim.chmod(0o600)
        self.witness = here / "witness"

    def own(self, path, uid=NOBODY):
        os.chown(path, uid, uid, follow_symlinks=False)

    def link(self, path, target, uid=NOBODY):
        path.symlink_to(target)
        self.own(path, uid)

    def state(self):
        '''All of root's that could be changed.'''
        return {str(path): (path.read_bytes() if path.is_file() else sorted(map(str, path.iterdir())),
                            path.stat().st_mode, path.stat().st_uid, path.stat().st_gid)
                for path in (self.victim, self.secret)}

    def run_host(self, sink, file, meanwhile=lambda: None):
        '''Starts, gets packets, opens its files anew, and gets more.'''
        self.witness.unlink(missing_ok=True)
        self.witness.touch()
        self.own(self.witness)
        text = (CONFIG + SINKS[sink]).replace("@FILE@", str(file)).replace("@WITNESS@", str(self.witness))
        host = self.start(text, wait=False)
        host.wait_for("ready:")
        for count in (1, 2):
            send(self.namespace, PACKETS)
            wait_until(lambda: self.witness.read_bytes().count(b"\n") == count * len(PACKETS), 10, "all packets elsewhere")
            meanwhile()
            host.signal(signal.SIGHUP)
        host.process.kill()  # at the end nothing is left of root's rights, and a drain would take seconds
        host.wait()
        host.close()
        return host.stderr

    def assert_no_gain(self, attack, refusal, refused_by=SINKS):
        '''attack(name) prepares it, for the name that the sink opens first, and gives the path of the configuration.'''
        for sink in SINKS:
            with self.subTest(sink):
                self.prepare()
                file = attack(FIRST.get(sink, "out"))
                before = self.state()
                said = self.run_host(sink, file)
                self.assertEqual(self.state(), before, said)
                expected = refusal if sink in refused_by else None
                if expected:
                    self.assertRegex(said, rf"warning: sink\.out: cannot [a-z]+ \S+: .*{expected}")
                else:
                    self.assertNotIn("warning: sink.out", said)

    def test_a_link_to_a_file_of_roots(self):
        def attack(name):
            self.link(self.log / name, self.victim)
            return self.log / "out"

        self.assert_no_gain(attack, "Permission denied", ONE_FILE)  # the others take the next name

    def test_a_link_by_root_to_a_file_of_roots(self):
        def attack(name):
            self.link(self.log / name, self.victim, uid=0)
            return self.log / "out"

        self.assert_no_gain(attack, "Permission denied", ONE_FILE)  # the others take the next name

    def test_a_dangling_link_into_a_folder_of_roots(self):
        def attack(name):
            self.link(self.log / name, self.secret / "made")
            return self.log / "out"

        self.assert_no_gain(attack, "Permission denied", ONE_FILE)  # the others take the next name

    def test_a_chain_of_links_and_a_relative_one(self):
        def attack(name):
            self.link(self.log / name, "next")
            self.link(self.log / "next", "../secret/victim")
            return self.log / "out"

        self.assert_no_gain(attack, "Permission denied", ONE_FILE)  # the others take the next name

    def test_a_hard_link_to_a_file_of_roots(self):
        def attack(name):
            os.link(self.victim, self.log / name)
            return self.log / "out"

        self.assert_no_gain(attack, "Permission denied")

    def test_names_of_half_written_and_rotated_files(self):
        def attack(_):
            for name in LATER:
                self.link(self.log / name, self.victim)
            return self.log / "out"

        self.assert_no_gain(attack, "is in the way", ["jsonl_rotated"])

    def test_hard_links_at_the_names_of_half_written_and_rotated_files(self):
        def attack(_):
            for name in LATER:
                os.link(self.victim, self.log / name)
            return self.log / "out"

        self.assert_no_gain(attack, "is in the way|Permission denied", ["jsonl_rotated", "pcap_rotated", "pcap_compressed"])

    def test_links_at_the_names_of_compressed_files_are_replaced_and_not_followed(self):
        self.prepare()
        for number in (1, 2, 3):
            for ending in (".gz", ".gz.part"):
                self.link(self.log / f"out-00000{number}{ending}", self.victim)
        before = self.state()
        compressed = [self.log / f"out-00000{number}.gz" for number in (1, 2, 3)]
        self.run_host("pcap_compressed", self.log / "out", lambda: wait_until(
            lambda: all(file.is_file() and not file.is_symlink() for file in compressed), 10, "compressed files"))
        self.assertEqual(self.state(), before)
        for file in compressed:
            self.assertEqual(len(gzip.decompress(file.read_bytes())), 24 + 2 * (16 + len(PACKETS[0])))

    def test_a_folder_that_is_a_link(self):
        def attack(_):
            self.link(self.log / "sub", self.secret)
            return self.log / "sub/victim"

        self.assert_no_gain(attack, "Permission denied")

    def test_a_new_file_below_a_folder_that_is_a_link(self):
        def attack(_):
            self.link(self.log / "sub", self.secret)
            return self.log / "sub/made"

        self.assert_no_gain(attack, "Permission denied")

    def test_a_folder_that_is_exchanged_again_and_again_while_nfbus_starts(self):
        for sink in ("jsonl", "pcap"):
            with self.subTest(sink):
                self.prepare()
                (self.log / "real").mkdir()
                self.own(self.log / "real")
                before = self.state()
                turn = [0]

                def exchange():
                    turn[0] += 1
                    name = self.log / f"link-{turn[0]}"
                    self.link(name, self.secret if turn[0] % 2 else self.log / "real")
                    os.rename(name, self.log / "sub")

                exchange()
                with nfbustest.Repeatedly(exchange) as exchanges:
                    for _ in range(3):
                        said = self.run_host(sink, self.log / "sub/victim")
                        self.assertEqual(self.state(), before, said)
                self.assertGreater(exchanges.rounds, 100)

    def test_a_link_of_a_stranger_in_a_folder_of_all(self):
        def attack(name):
            self.log.chmod(0o1777)
            self.own(self.log, 0)
            self.own(self.victim)  # the user could open it, the stranger could not
            self.link(self.log / name, self.victim, STRANGER)
            self.secret.chmod(0o711)
            return self.log / "out"

        self.assert_no_gain(attack, "belongs to uid 4711", ONE_FILE)  # the others take the next name

    def test_what_the_user_may_open_itself_works_through_links_too(self):
        for sink in ("jsonl", "pcap"):
            with self.subTest(sink):
                self.prepare()
                (self.log / "real").touch()
                self.own(self.log / "real")
                self.link(self.log / "out", "real")
                self.run_host(sink, self.log / "out")
                self.assertGreater((self.log / "real").stat().st_size, 0)

    def test_a_file_in_a_folder_of_roots_alone_is_made_at_the_start(self):
        for sink in ("jsonl", "pcap"):
            with self.subTest(sink):
                self.prepare()
                said = self.run_host(sink, self.secret / "out")
                made = (self.secret / "out").stat()
                self.assertEqual((made.st_uid, stat.S_IMODE(made.st_mode)), (NOBODY, 0o640), said)
                self.assertGreater(made.st_size, 0)


if __name__ == "__main__":
    nfbustest.main()
