'''sinks/jsonl through the whole program: packets that the kernel logs, lines that come out.'''

import json
import os
import pathlib
import signal
import subprocess
import tempfile

from capture_files import OUTPUT_RULES
from nfbustest import IntegrationTest, end_process, main, read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

CONFIG = """
[[capture]]
group = 1

[sink.lines]
plugin = "jsonl"
"""


WITH_FIFO = 'mkfifo "$dir/fifo"; exec "$@"'
INTO_CLOSED_PIPE = 'mkfifo "$dir/pipe"; exec 3<>"$dir/pipe" 4>"$dir/pipe" 3>&-; exec "$@" >&4 4>&-'
# The folder and two files.
WITHOUT_INODES = """mkdir "$dir/disk"
exec unshare -m sh -c 'mount -t tmpfs -o size=1m,nr_inodes=2 small "$0/disk"; exec "$@"' "$dir" "$@"
"""
# What somebody who was nobody once left there.
LINKS = """chmod 711 "$dir"; mkdir "$dir/log" "$dir/roots"; chmod 700 "$dir/roots"; (umask 077; echo secret >"$dir/secret"; echo secret >"$dir/other")
ln -s "$dir/secret" "$dir/log/out"; ln -s "$dir/roots/made" "$dir/log/made"; ln -s "$dir/other" "$dir/log/pcap"
chown -hR nobody "$dir/log"; exec "$@"
"""
ON_SMALL_DISK = """mkdir "$dir/disk"
exec unshare -m sh -c 'mount -t tmpfs -o size=16k small "$0/disk"; exec "$@"' "$dir" "$@"
"""


def packets(first, count):
    return [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(999, first + i)) for i in range(count)]


def ports(lines):
    return [record["dest_port"] for record in lines]


class Prepared:
    """Stands for a namespace: a shell script there prepares "$dir", the host's directory, and starts the program."""

    def __init__(self, namespace, script):
        self._argv = namespace.command("sh", "-c", f'dir=$(dirname "$4"); {script}', "sh")

    def command(self, *argv):
        return [*self._argv, *map(str, argv)]


class Jsonl(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(OUTPUT_RULES)

    def start_sink(self, options, script='exec "$@"'):
        return self.start(CONFIG + options, namespace=Prepared(self.namespace, script))

    def wait_for_ports(self, files, expected, what):
        """The ports of the records in all files, in this order."""
        read = lambda: [port for file in files for port in ports(read_json_lines(file))]
        try:
            wait_until(lambda: read() == expected, 10, what)
        except AssertionError:
            self.assertEqual(read(), expected, what)

    def test_rotates_by_size_and_keeps_so_many(self):
        host = self.start_sink('file = "@DIR@/out"\nrotate_bytes = 4000\nrotate_keep = 2\n')
        send(self.namespace, packets(1000, 50))
        wait_until(lambda: ports(read_json_lines(host.path("out")))[-1:] == [1049], 10, "the last record")
        files = [host.path(name) for name in ("out.2", "out.1", "out")]
        seen = [port for file in files for port in ports(read_json_lines(file))]
        self.assertEqual(seen, list(range(1050 - len(seen), 1050)), "whole lines, in order, none missing between files")
        self.assertLess(len(seen), 50)
        for file in files:
            self.assertLessEqual(file.stat().st_size, 4000)
            self.assertTrue(file.read_bytes().endswith(b"\n"))
        self.assertFalse(host.path("out.3").exists())

    def test_reopens_its_file_on_sighup(self):
        host = self.start_sink('file = "@DIR@/out"\n')
        send(self.namespace, packets(1000, 3))
        self.wait_for_ports([host.path("out")], [1000, 1001, 1002], "the first records")
        host.path("out").rename(host.path("old"))
        host.signal(signal.SIGHUP)
        wait_until(host.path("out").exists, 10, "the new file")
        send(self.namespace, packets(2000, 3))
        self.wait_for_ports([host.path("old"), host.path("out")], [1000, 1001, 1002, 2000, 2001, 2002], "all records")
        self.assertEqual(len(read_json_lines(host.path("old"))), 3)

    def test_a_path_that_cannot_be_written_holds_lines_until_it_can(self):
        host = self.start_sink('file = "@DIR@/missing/out"\n')
        host.wait_for("missing/out: there is no such folder; create .*/missing")
        send(self.namespace, packets(1000, 20))
        wait_until(lambda: host.counters()["sinks"]["lines"]["queued"] == 20, 10, "20 events in the queue")
        host.path("missing").mkdir()
        self.wait_for_ports([host.path("missing/out")], list(range(1000, 1020)), "every event")
        host.wait_for("again")

    def test_a_full_disk_loses_nothing_that_the_queue_holds(self):
        # In a mount namespace of the program's own.
        host = self.start_sink('file = "@DIR@/disk/out"\n', ON_SMALL_DISK)
        disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
        send(self.namespace, packets(1000, 100))
        host.wait_for("disk/out: No space left on device")
        wait_until(lambda: sum(host.counters()["sinks"]["lines"][k] for k in ("queued", "delivered")) == 100, 10,
                   "100 events in the queue or on the disk")
        counters = host.counters()["sinks"]["lines"]
        before = (disk / "out").read_bytes()
        self.assertTrue(before.endswith(b"\n"), "half a line on the full disk")
        self.assertEqual(before.count(b"\n"), counters["delivered"])
        self.assertGreater(counters["retries"], 0)
        subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "mount", "-o", "remount,size=1m",
                        str(host.path("disk"))], check=True)
        self.wait_for_ports([disk / "out"], list(range(1000, 1100)), "every event, once")

    def test_without_inodes_lines_go_on_into_the_file_that_is_there(self):
        host = self.start_sink('file = "@DIR@/disk/out"\nrotate_bytes = 4000\nrotate_keep = 2\n', WITHOUT_INODES)
        disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
        send(self.namespace, packets(1000, 50))
        host.wait_for("cannot rotate .*/disk/out: No space left on device")
        self.wait_for_ports([disk / "out"], list(range(1000, 1050)), "every event in the file that is there")
        self.assertFalse((disk / "out.1").exists())
        self.assertEqual(host.stderr.count("cannot rotate"), 1)

    def test_a_folder_that_comes_back_is_written_to_within_two_seconds(self):
        host = self.start_sink('file = "@DIR@/missing/out"\n')
        send(self.namespace, packets(1000, 1))
        # So many tries that a server would not be asked for seconds.
        wait_until(lambda: host.counters()["sinks"]["lines"]["retries"] >= 12, 30, "retries")
        host.path("missing").mkdir()
        wait_until(host.path("missing/out").exists, 2, "the file")
        wait_until(lambda: ports(read_json_lines(host.path("missing/out"))) == [1000], 2, "the record")

    def test_two_sinks_of_one_file_are_a_mistake_that_names_both_places(self):
        config = CONFIG + 'file = "@DIR@/out"\n[sink.more]\nplugin = "pcap"\nfile = "@DIR@/./out"\n'
        host = self.start(config, wait=False)
        self.assertEqual(host.wait(), 78)
        self.assertRegex(host.stderr, r"nfbus.toml:10:8: sink.more.file: sink.lines.file writes to this file, at \S+nfbus.toml:7:8")
        checked = run_nfbus("check", "-c", host.config_file)
        self.assertEqual(checked.returncode, 78)
        self.assertRegex(checked.stdout, r"nfbus.toml:10:8: .* at \S+nfbus.toml:7:8")

    def test_a_second_host_waits_for_the_first_and_names_it(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        options = f'file = "{folder.name}/out"\nrotate_bytes = 400\nrotate_keep = 100\n'
        first = self.start_sink(options)
        second = self.start(CONFIG.replace("group = 1", 'group = 2\naction = "blocked"') + options)
        second.wait_for(rf"cannot open .*/out: process {first.process.pid} \(nfbus\) writes to it")
        send(self.namespace, packets(1000, 20))
        wait_until(lambda: first.counters()["sinks"]["lines"]["delivered"] == 20, 10, "20 records")
        records = [port for file in pathlib.Path(folder.name).iterdir() for port in ports(read_json_lines(file))]
        self.assertEqual(sorted(records), list(range(1000, 1020)), "none lost by rotating")
        self.assertEqual(first.stop(), 0)
        second.wait_for("info: .*writes to .*/out again|ready:")
        self.assertEqual(second.stop(), 0)

    def test_a_reload_moves_a_file_from_one_sink_to_another(self):
        host = self.start_sink('file = "@DIR@/out"\n')
        send(self.namespace, packets(1000, 2))
        self.wait_for_ports([host.path("out")], [1000, 1001], "the first records")
        host.config_file.write_text(host.config_file.read_text().replace("sink.lines", "sink.others"))
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded:")
        send(self.namespace, packets(2000, 2))
        self.wait_for_ports([host.path("out")], [1000, 1001, 2000, 2001], "all records")

    def test_a_link_that_the_user_left_gives_nothing_of_roots(self):
        host = self.start('[host]\nuser = "nobody"\n' + CONFIG + 'file = "@DIR@/log/out"\n[sink.made]\nplugin = "jsonl"\n'
                          'file = "@DIR@/log/made"\n[sink.pcap]\nplugin = "pcap"\nfile = "@DIR@/log/pcap"\n',
                          namespace=Prepared(self.namespace, LINKS))
        send(self.namespace, packets(1000, 3))
        wait_until(lambda: all(sink["queued"] == 3 for sink in host.counters()["sinks"].values()), 10, "3 events in queues")
        for secret in ("secret", "other"):
            self.assertEqual(host.path(secret).read_text(), "secret\n")
        self.assertEqual([path.name for path in host.path("roots").iterdir()], [])

    def test_a_fifo_waits_for_its_reader_and_survives_that_it_leaves(self):
        host = self.start_sink('file = "@DIR@/fifo"\n', WITH_FIFO)
        host.wait_for("nobody reads this FIFO")
        send(self.namespace, packets(1000, 5))
        self.assertEqual(self.read_lines(host, 5), list(range(1000, 1005)))
        send(self.namespace, packets(2000, 5))
        self.assertEqual(self.read_lines(host, 5), list(range(2000, 2005)), "the next reader's lines")
        self.assertIsNone(host.process.poll(), host.stderr)

    def test_a_slow_reader_of_a_fifo_gets_every_line(self):
        host = self.start_sink('file = "@DIR@/fifo"\n', WITH_FIFO)
        reader = subprocess.Popen(["cat", host.path("fifo")], stdout=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(end_process, reader)
        reader.send_signal(signal.SIGSTOP)
        send(self.namespace, packets(1000, 1000))
        wait_until(lambda: host.counters()["sinks"]["lines"]["retries"] > 0, 10, "a full FIFO")
        reader.send_signal(signal.SIGCONT)
        lines = [reader.stdout.readline() for _ in range(1000)]
        self.assertEqual([json.loads(line)["dest_port"] for line in lines], list(range(1000, 2000)))

    def test_standard_output_without_its_reader_ends_the_sink_alone(self):
        host = self.start_sink('file = "-"\n[sink.other]\nplugin = "jsonl"\nfile = "@DIR@/other"\n', INTO_CLOSED_PIPE)
        send(self.namespace, packets(1000, 3))
        host.wait_for("standard output: its reader has left")
        self.wait_for_ports([host.path("other")], [1000, 1001, 1002], "the other sink's records")
        self.assertEqual(host.stop(), 0)

    def read_lines(self, host, count):
        """A reader that takes so many lines of the FIFO and leaves."""
        with open(os.open(host.path("fifo"), os.O_RDONLY), "rb") as fifo:
            return [json.loads(fifo.readline())["dest_port"] for _ in range(count)]


if __name__ == "__main__":
    main()
