'''sinks/pcap while the world changes under it: clocks, permissions, files, its own configuration. No packet is lost, none
is written twice, and nobody must help.'''

import contextlib
import gzip
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from capture_files import CAPTURE, OUTPUT_RULES, Prepared, dumped_ports, packets, ports_of, sink, tshark
from nfbustest import IntegrationTest, end_process, main, wait_until
from packets import send

DAY_S = 24 * 3600
NOT_ROOT = '[host]\nuser = "nobody"\n'


class Trouble(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(OUTPUT_RULES)

    def send(self, host, first, count, until=None):
        '''Sends packets and waits until every sink has delivered its own, or until("counters of sinks") is true.'''
        before = host.counters()["sinks"]
        send(self.namespace, packets(first, count))
        arrived = lambda now: all(now[name]["delivered"] == before[name]["delivered"] + count for name in now)
        wait_until(lambda: (until or arrived)(host.counters()["sinks"]), 20, f"packets from {first} on")

    def assert_nothing_lost(self, host):
        self.assertEqual(host.counters()["capture"][1]["lost"], 0)
        for name, counted in host.counters()["sinks"].items():
            self.assertEqual((counted["overflowed"], counted["rejected"]), (0, 0), name)


class Clock(Trouble):
    def setUp(self):
        super().setUp()
        self._clock = tempfile.NamedTemporaryFile()
        self.addCleanup(self._clock.close)

    def set_clock(self, seconds):
        '''What time it is for the host, and stays; 0: the real time.'''
        with open(self._clock.name, "r+b" if os.path.getsize(self._clock.name) else "wb") as clock:
            clock.write(struct.pack("=q", seconds))

    def start(self, config, **options):
        env = {"LD_PRELOAD": os.environ["NFBUS_SHIFT_CLOCK"], "NFBUS_CLOCK_FILE": self._clock.name,
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return super().start(config, env=env, **options)

    def test_a_clock_that_jumps_back_neither_overwrites_files_nor_stops_rotation(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = lambda name: pathlib.Path(folder.name, name)
        config = CAPTURE
        config += sink("whole", file=str(path("whole")))
        config += sink("named", file=str(path("named-%F_%T.pcap")), rotate_packets=1)
        config += sink("aged", file=str(path("aged-%F_%T.pcap")), rotate_age_s=1)
        config += sink("old", file=str(path("old-%F_%T.pcap")), rotate_age_s=DAY_S // 2)
        now = 1_700_000_000
        self.set_clock(now)
        host = self.start(config)
        times, sent = [], []
        for seconds in (now, now - DAY_S, now, now + DAY_S, now - 2 * DAY_S):
            self.set_clock(seconds)
            finished = len(list(path("").glob("aged-*.pcap")))
            for _ in range(2):
                self.send(host, 1000 + len(sent), 1)
                sent.append(1000 + len(sent))
                times.append(seconds)
            wait_until(lambda: len(list(path("").glob("aged-*.pcap"))) > finished, 10, "a rotation by age")
        self.assert_nothing_lost(host)
        self.assertEqual(len(list(path("").glob("old-*"))), 1, "half a day is not over")
        self.assertEqual(host.stop(), 0)
        # The next start finds that its clock is behind the files.
        self.set_clock(now - 3 * DAY_S)
        host = self.start(config)
        self.send(host, 1000 + len(sent), 1)
        sent.append(1000 + len(sent))
        times.append(now - 3 * DAY_S)
        self.assertEqual(host.stop(), 0)

        rows = tshark(path("whole"), "udp.dstport", "frame.time_epoch")
        self.assertEqual([(int(port), int(float(epoch))) for port, epoch in rows], list(zip(sent, times)))
        number = lambda file: int(re.search(r"-(\d{6})\.pcap$", file.name)[1])
        for name in ("named", "aged", "old"):
            files = sorted(path("").glob(f"{name}-*"), key=number)
            self.assertEqual([port for file in files for port in dumped_ports(file)], sent, name)
            self.assertEqual([number(file) for file in files], list(range(1, len(files) + 1)), name)
        begun = [file.name[len("named-"):-len("-000001.pcap")] for file in sorted(path("").glob("named-*"), key=number)]
        self.assertEqual(begun, [time.strftime("%F_%T", time.localtime(seconds)) for seconds in times])


def chattr(change, path):
    subprocess.run(["chattr", change, str(path)], check=True)


class Limits(Trouble):
    def limit_file_size(self, host, size_bytes):
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def test_the_largest_size_that_a_file_may_have_is_like_a_full_disk(self):
        host = self.start(CAPTURE + sink("full", file="@DIR@/full"))
        self.limit_file_size(host, 2000)
        send(self.namespace, packets(1000, 100))
        host.wait_for(r"warning: sink\.full: cannot write to .*/full: File too large")
        wait_until(lambda: host.counters()["sinks"]["full"]["queued"] + len(dumped_ports(host.path("full"))) == 100, 10,
                   "the others in the queue")
        self.assertGreater(len(dumped_ports(host.path("full"))), 10)
        self.limit_file_size(host, resource.RLIM_INFINITY)
        wait_until(lambda: host.counters()["sinks"]["full"]["delivered"] == 100, 10, "the others in the file")
        self.assert_nothing_lost(host)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(dumped_ports(host.path("full")), list(range(1000, 1100)))


class Permissions(Trouble):
    '''The host is not root and has no capability.'''

    # What takes away the right to change a folder, and gives it back.
    LOSSES = {"mode_0": (lambda folder: folder.chmod(0), lambda folder: folder.chmod(0o755)),
              "read_only": (lambda folder: folder.chmod(0o555), lambda folder: folder.chmod(0o755)),
              "another_owner": (lambda folder: (folder.chmod(0o700), shutil.chown(folder, "root")),
                                lambda folder: shutil.chown(folder, "nobody")),
              "immutable": (lambda folder: chattr("+i", folder), lambda folder: chattr("-i", folder))}

    def start_as_nobody(self, sinks, folders):
        names = " ".join(f'"$dir/{name}"' for name in folders)
        return self.start(NOT_ROOT + CAPTURE + sinks, namespace=Prepared(
            self.namespace, f'chmod 711 "$dir"; mkdir {names}; chown nobody {names}; exec "$@"'))

    def test_folders_that_it_may_not_change_any_more_cost_no_packet(self):
        sinks = "".join(sink(f"whole_{name}", file=f"@DIR@/{name}/whole") +
                        sink(f"rotated_{name}", file=f"@DIR@/{name}/rotated.pcap", rotate_packets=2) +
                        sink(f"limited_{name}", file=f"@DIR@/{name}/limited.pcap", rotate_packets=2, max_total_bytes=600)
                        for name in self.LOSSES)
        host = self.start_as_nobody(sinks, self.LOSSES)
        folders = {name: host.path(name) for name in self.LOSSES}
        give_back = contextlib.ExitStack()
        self.addCleanup(give_back.close)
        self.send(host, 1000, 5)
        for name, (take, give) in self.LOSSES.items():
            take(folders[name])
            give_back.callback(give, folders[name])
        # Open files go on, also those that are due.
        self.send(host, 1005, 5)
        host.signal(signal.SIGHUP)
        self.send(host, 1010, 5)
        self.assertEqual(host.stderr.count("cannot rotate"), 2 * len(folders))
        # One that is lost cannot be made again now.
        chattr("-i", folders["immutable"])
        for folder in folders.values():
            self.assertEqual(dumped_ports(folder / "whole"), list(range(1000, 1015)))
            (folder / "whole").unlink()
        chattr("+i", folders["immutable"])
        self.send(host, 1015, 5, lambda now: all(counted["queued"] == (5 if name.startswith("whole") else 0)
                                                 for name, counted in now.items()))
        self.assertEqual(len(re.findall(r"whole_\w+: cannot open .*: (?:Permission denied|Operation not permitted); let uid",
                                        host.stderr)), len(folders), host.stderr)
        give_back.close()
        wait_until(lambda: all(counted["queued"] == 0 for counted in host.counters()["sinks"].values()), 10, "empty queues")
        sent = 20

        def all_rotate_again():
            nonlocal sent
            self.send(host, 1000 + sent, 1)
            sent += 1
            return all(len(dumped_ports(path)) <= 2 for folder in folders.values() for path in folder.glob("*.part"))

        def all_are_small():
            return all(sum(path.stat().st_size for path in folder.glob("limited*")) <= 600 for folder in folders.values())

        wait_until(all_rotate_again, 30, "rotation")
        # What could not be removed goes, too.
        self.send(host, 1000 + sent, 20)
        sent += 20
        wait_until(all_are_small, 10, "folders within their limits")
        self.assert_nothing_lost(host)
        self.assertEqual(host.stop(), 0)
        for name, folder in folders.items():
            with self.subTest(name):
                self.assertEqual(dumped_ports(folder / "whole"), list(range(1015, 1000 + sent)))
                files = sorted(folder.glob("rotated-*"))
                self.assertEqual([port for path in files for port in dumped_ports(path)], list(range(1000, 1000 + sent)))
                self.assertEqual([path.suffix for path in files], [".pcap"] * len(files))


class Replaced(Trouble):
    # What somebody does to the file, and what gives it back; None: it helps itself.
    @staticmethod
    def changes(file):
        aside = file.with_name(file.name + "-aside")
        other = file.with_name(file.name + "-other")

        def replace_by_folder():
            file.rename(aside)
            file.mkdir()

        def replace_by_capture():
            shutil.copy(file, other)  # as an editor or rsync does
            file.rename(aside)
            other.rename(file)

        def replace_by_text():
            other.write_text("not a capture\n")
            other.rename(file)

        def append():
            with open(file, "ab") as out:
                out.write(b"not a record of a capture, and longer than the header of one would be" * 3)

        return {"removed": (file.unlink, None),
                "emptied": (lambda: os.truncate(file, 0), None),
                "cut": (lambda: os.truncate(file, file.stat().st_size - 5), None),
                "appended": (append, None),
                "a_folder": (replace_by_folder, file.rmdir),
                "a_copy": (replace_by_capture, None),
                "a_text": (replace_by_text, None),
                "immutable": (lambda: chattr("+i", file), lambda: chattr("-i", file)),
                "append_only": (lambda: chattr("+a", file), lambda: chattr("-a", file))}

    @staticmethod
    def has_open(host, name):
        found = set()
        for fd in pathlib.Path(f"/proc/{host.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.add(fd.stat().st_ino)
        return host.path(name).exists() and host.path(name).stat().st_ino in found

    def test_whatever_becomes_of_its_file_it_goes_on(self):
        names = list(self.changes(pathlib.Path("x")))
        for form in ("pcap", "pcapng"):
            host = self.start(CAPTURE + "".join(sink(name, file=f"@DIR@/{name}", format=form) for name in names),
                              namespace=self.namespace)
            self.send(host, 1000, 5)
            before = {}
            undo = contextlib.ExitStack()
            self.addCleanup(undo.close)
            for name in names:
                before[name] = host.path(name).read_bytes()
                change, back = self.changes(host.path(name))[name]
                change()
                if back:
                    undo.callback(back)
            # A file that was removed or moved is noticed without a packet, too.
            wait_until(lambda: all(self.has_open(host, name) for name in ("removed", "a_copy", "a_text")), 10,
                       "new files")
            self.send(host, 1005, 5, lambda now: sum(counted["queued"] for counted in now.values()) >= 5 and
                      all(counted["queued"] == 0 for name, counted in now.items()
                          if not self.changes(host.path(name))[name][1]))
            undo.close()
            wait_until(lambda: all(counted["delivered"] == 10 for counted in host.counters()["sinks"].values()), 10, "all")
            self.assert_nothing_lost(host)
            self.assertEqual(host.stop(), 0)
            first, second = list(range(1000, 1005)), list(range(1005, 1010))
            kept = {"cut": first[:4] + second, "a_copy": first + second, "immutable": first + second,
                    "append_only": first + second}
            for name in names:
                with self.subTest(name, format=form):
                    self.assertEqual(dumped_ports(host.path(name)), kept.get(name, second))
            self.assertTrue(host.path("appended.1").read_bytes().startswith(before["appended"]))
            self.assertEqual(host.path("a_text.1").read_text(), "not a capture\n")


class Killed(Trouble):
    def test_a_kill_between_compressing_and_renaming_leaves_each_file_whole_in_one_of_its_forms(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = CAPTURE + sink("out", file=folder.name + "/out.pcap", rotate_packets=100, compress="gzip")
        files = lambda: sorted(pathlib.Path(folder.name).iterdir())
        sender = self.namespace.popen("python3", "-c", """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for i in range(20): s.sendto(bytes(range(256)) * 4, ('127.0.0.1', 1000))
    time.sleep(0.001)
""")
        for _ in range(8):
            host = self.start(config, namespace=self.namespace)
            count = len(files())
            wait_until(lambda: len(files()) > count + 20, 20, "rotations")
            host.process.kill()
            host.process.wait()
        end_process(sender)
        self.assertEqual(self.start(config, namespace=self.namespace).stop(), 0)
        forms = {}
        for path in files():
            number, ending = re.fullmatch(r"out-(\d+)\.pcap(|\.gz)", path.name).groups()
            forms.setdefault(int(number), []).append(ending)
            if ending:
                self.assertEqual(subprocess.run(["gzip", "-t", str(path)]).returncode, 0)
        self.assertEqual(sorted(forms), list(range(1, len(forms) + 1)))
        self.assertEqual({len(found) for found in forms.values()}, {1})
        self.assertIn([".gz"], forms.values())
        for number, [ending] in list(forms.items())[:-1]:
            path = pathlib.Path(folder.name, f"out-{number:06}.pcap{ending}")
            data = gzip.decompress(path.read_bytes()) if ending else path.read_bytes()
            self.assertEqual(len(data), 24 + 100 * (16 + 28 + 1024), path)


class Reload(Trouble):
    def reload(self, host, config):
        said = host.stderr.count("info: reloaded:")
        host.config_file.write_text(config.replace("@DIR@", str(host.directory)))
        host.signal(signal.SIGHUP)
        wait_until(lambda: host.stderr.count("info: reloaded:") > said, 10, "the reload")

    def test_changed_options_under_load_complete_the_old_file_and_begin_the_new_one(self):
        rotated = {"file": "@DIR@/c-%F.pcap", "rotate_packets": 700}
        steps = [{"file": "@DIR@/b"}, {"file": "@DIR@/b", "format": "pcapng"}, rotated, {**rotated, "rotate_packets": 300},
                 {**rotated, "rotate_packets": 300, "compress": "gzip"}, {**rotated, "link": "nflog"},
                 {"file": "@DIR@/d", "precision": "us"}, {"file": "@DIR@/a", "flush_ms": 100}]
        host = self.start(CAPTURE + sink("out", file="@DIR@/a"))
        sender = self.namespace.popen("python3", "-c", """
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(59000):
    s.sendto(b'x' * (i % 100), ('127.0.0.1', 1000 + i))
    if i % 5 == 0 and select.select([sys.stdin], [], [], 0.001)[0]: break
print(i + 1)
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for options in steps:
            wait_until(lambda: host.counters()["sinks"]["out"]["delivered"] > 0, 10, "packets in the file")
            self.reload(host, CAPTURE + sink("out", **options))
        self.assertIsNone(sender.poll(), "the sender ended before the last reload")
        count = int(sender.communicate(timeout=30)[0])
        wait_until(lambda: host.counters()["sinks"]["out"]["queued"] == 0, 10, "an empty queue")
        self.assertEqual(host.stop(), 0)
        self.assertEqual(host.logged_counters()["capture"][1]["lost"], 0)
        ends = re.findall(r"sink name=out .* state=stopped published=(\d+) delivered=(\d+)", host.stderr)
        self.assertEqual(len(ends), len(steps) + 1)
        self.assertEqual([published for published, _ in ends], [delivered for _, delivered in ends])
        self.assertEqual(sum(int(delivered) for _, delivered in ends), count)
        files = sorted(path for path in host.directory.iterdir() if re.match(r"[abcd](-|\.|$)", path.name))
        self.assertEqual([path.name for path in files if path.name.endswith(".part")], [])
        self.assertTrue({"a", "b", "b.1", "d"} < {path.name for path in files})
        ports = {path.name: ports_of(path) for path in files}
        for name, found in ports.items():
            self.assertEqual(found, sorted(found), name)
        self.assertEqual(sorted(port for found in ports.values() for port in found), list(range(1000, 1000 + count)))

    def test_a_reader_of_a_fifo_sees_the_end_and_the_next_one_the_new_format(self):
        host = self.start(CAPTURE + sink("out", file="@DIR@/fifo", fifo=True))
        first = 1000
        for form in ("pcap", "pcapng", "pcap"):
            before = host.path("fifo").stat().st_ino
            with subprocess.Popen(["tcpdump", "-n", "-U", "-r", str(host.path("fifo")), "-w", str(host.path("read"))],
                                  stderr=subprocess.PIPE, text=True) as reader:
                wait_until(lambda: host.path("fifo").stat().st_ino != before, 10, "a host that serves the reader")
                self.send(host, first, 5)
                following = "pcap" if form == "pcapng" else "pcapng"
                self.reload(host, CAPTURE + sink("out", file="@DIR@/fifo", fifo=True, format=following))
                _, said = reader.communicate(timeout=10)
                self.assertEqual(reader.returncode, 0, said)
            self.assertEqual(dumped_ports(host.path("read")), list(range(first, first + 5)))
            first += 5


if __name__ == "__main__":
    main()
