'''The log: it keeps nobody waiting, loses nothing unsaid, and says one trouble once.'''

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import termios
import threading

import nfbustest
from nfbustest import NFBUS_BIN, TEST_PLUGINS, end_process, read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
}
}"""

CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[bus]
socket = "@DIR@/bus.sock"
[metrics]
listen = "127.0.0.1:7070"
[[capture]]
group = 0
[sink.good]
plugin = "jsonl"
file = "@DIR@/out"
"""
COMPLAINS = """
[sink.bad]
plugin = "complains"
batch_events = 1
"""


def filled_pipe():
    """Both ends of a pipe into which no byte more fits."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"#")
    os.set_blocking(writer, True)
    return reader, writer


class StalledLog(nfbustest.IntegrationTest):
    """A host whose standard error nobody reads."""

    def run_host(self, stderr, config=CONFIG):
        folder = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.socket = f"{folder.name}/bus.sock"
        file = f"{folder.name}/nfbus.toml"
        with open(file, "w") as out:
            out.write(config.replace("@DIR@", folder.name))
        self.process = self.namespace.popen(NFBUS_BIN, "run", "-c", file, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=stderr)
        self.addCleanup(lambda: self.process.poll() is None and self.process.kill())
        wait_until(self.status, 10, "an answer to `nfbus status`")

    def status(self):
        answer = run_nfbus("status", "--json", "-s", self.socket, timeout=10)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def sinks(self):
        return {sink["name"]: sink for sink in self.status()["sinks"]}

    def metrics(self):
        with self.namespace.socket(socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect(("127.0.0.1", 7070))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def drive(self):
        """All that a host does, each part of which says something in the log."""
        self.namespace.nft(RULES)
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001)) for i in range(10)]
        send(self.namespace, packets, repeat=20)
        for name in self.sinks():
            wait_until(lambda: self.sinks()[name]["delivered"] == 200, 10, f"sink {name}")
        with WireClient(self.socket) as client:
            client.send("no JSON\n" * 100)
            client.subscribe("here:")
            client.publish("here:a", "1")
            self.assertEqual(client.event(), ("here:a", "1"))
        for _ in range(50):
            self.process.send_signal(signal.SIGUSR1)
            self.process.send_signal(signal.SIGHUP)
        self.assertIn("nfbus_sink", self.metrics())
        self.assertEqual(self.status()["pid"], self.process.pid)

    def test_a_pipe_that_nobody_reads_stops_nothing_and_not_the_end(self):
        reader, writer = filled_pipe()
        self.run_host(writer, CONFIG + COMPLAINS + 'line = "look"\ntick_ms = 5\nbad_ticks = 1000000\nflaps = 1\n')
        os.close(writer)
        self.addCleanup(os.close, reader)
        self.drive()
        self.assertEqual(end_process(self.process, 10), 0)

    def test_a_terminal_that_was_stopped_stops_nothing_and_not_the_end(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        attributes = termios.tcgetattr(slave)
        termios.tcflow(slave, termios.TCOOFF)  # what Ctrl-S does
        self.run_host(slave)
        self.assertEqual(os.get_blocking(slave), True)  # it is the shell's, too
        self.assertEqual(termios.tcgetattr(slave), attributes)
        self.drive()
        self.assertEqual(end_process(self.process, 10), 0)
        termios.tcflow(slave, termios.TCOON)
        os.close(slave)

    def test_a_sink_that_is_stuck_does_not_keep_the_end_from_coming_without_a_reader(self):
        reader, writer = filled_pipe()
        self.addCleanup(os.close, reader)
        self.run_host(writer, CONFIG + '[sink.stuck]\nplugin = "hangs"\n')
        os.close(writer)
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))])
        wait_until(lambda: self.sinks()["stuck"]["published"] == 1, 10, "the packet")
        self.assertEqual(end_process(self.process, 15), 1)

    def test_a_wrong_configuration_ends_the_start_without_a_reader(self):
        reader, writer = filled_pipe()
        self.addCleanup(os.close, reader)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("[[capture]]\ngroup = 0\ngruop = 1\n")
            file.flush()
            child = self.namespace.popen(NFBUS_BIN, "run", "-c", file.name, stderr=writer)
            os.close(writer)
            self.assertEqual(child.wait(10), 78)

    def test_a_reader_who_comes_back_gets_whole_lines_in_order_and_the_number_of_those_dropped(self):
        reader, writer = filled_pipe()
        sinks = "".join(f'[sink.number_{i:02}]\nplugin = "noop"\n' for i in range(30))
        self.run_host(writer, CONFIG + sinks)
        os.close(writer)
        wait_until(lambda: self.process.send_signal(signal.SIGUSR1) or self.status()["log"]["dropped"] > 100, 20,
                   "lines to be dropped")
        said = []

        def read():
            while chunk := os.read(reader, 65536):
                said.append(chunk)

        reading = threading.Thread(target=read)
        reading.start()
        wait_until(lambda: b"were dropped" in b"".join(said), 10, "the number of dropped lines")
        dropped = self.status()["log"]["dropped"]
        self.assertIn(f"nfbus_log_dropped_lines_total {dropped}", self.metrics())
        self.assertEqual(end_process(self.process, 10), 0)
        reading.join()
        os.close(reader)
        lines = b"".join(said).lstrip(b"#").decode().splitlines()
        for line in lines:
            self.assertRegex(line, r"^nfbus: (error|warning|info): ")
        numbers = [int(found[1]) for found in
                   (re.search(r"(\d+) lines of the log were dropped: its reader is too slow", line) for line in lines)
                   if found]
        self.assertEqual(sum(numbers), dropped)
        # Each report of counters is in order, and the last, after the reader came back, is whole.
        names = [found[1] for found in (re.search(r"sink name=number_(\d\d)", line) for line in lines) if found]
        self.assertEqual(names[:30], sorted(names[:30]))
        self.assertEqual(names[-30:], sorted(set(names)))
        self.assertEqual(lines[-1], "nfbus: info: counters end")


class JournalPriorities(nfbustest.IntegrationTest):
    """The journal reads standard error, and JOURNAL_STREAM says so: systemd.exec(5)."""

    OF = {"error": "<3>", "warning": "<4>", "info": "<6>", "debug": "<7>"}

    def lines(self, stream, *words, end=None, config=CONFIG):
        """All that a host said; `stream` makes JOURNAL_STREAM of the device and the inode of its standard error."""
        folder = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(folder.cleanup)
        file = f"{folder.name}/nfbus.toml"
        with open(file, "w") as out:
            out.write(config.replace("@DIR@", folder.name))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            there = os.fstat(theirs.fileno())
            process = self.namespace.popen(NFBUS_BIN, "run", "-v", "-c", file, *words, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.DEVNULL, stderr=theirs,
                                           env={**os.environ, "JOURNAL_STREAM": stream(there.st_dev, there.st_ino)})
            self.addCleanup(lambda: process.poll() is None and process.kill())
            theirs.close()
            ours.settimeout(30)
            text = b""
            for part in iter(lambda: ours.recv(65536), b""):
                text += part
                if end and b"ready:" in text:
                    end(process)
                    end = None
        process.wait(30)
        lines = text.decode().splitlines()
        self.assertGreater(len(lines), 0)
        return lines

    def assert_marked(self, lines):
        for line in lines:
            self.assertRegex(line, r"^<[3-7]>nfbus: (error|warning|info|debug): ")
            self.assertEqual(line[:3], self.OF[line.split()[1].rstrip(":")], line)

    def end_with_status(self, process):
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGTERM)

    def test_each_line_begins_with_its_priority(self):
        lines = self.lines("{}:{}".format, end=self.end_with_status)
        self.assert_marked(lines)
        self.assertIn("<6>nfbus: info: ready:", "\n".join(lines))

    def test_mistakes_have_theirs_and_what_replaces_line_ends_in_them_is_no_line(self):
        lines = self.lines("{}:{}".format, config=CONFIG + '[sink."a\\nb"]\nplugin = "none\\nof\\nthese"\n')
        self.assert_marked(lines)
        self.assertTrue(all(line.startswith("<3>") for line in lines if "error: " in line))

    def test_the_last_words_of_a_plugin_have_theirs(self):
        self.namespace.nft(RULES)
        bad = '[sink.bad]\nplugin = "ends"\nhow = "exit"\nin = "write"\n'
        lines = self.lines("{}:{}".format, config=CONFIG + bad, end=lambda _: send(
            self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))]))
        self.assert_marked(lines)
        self.assertIn("<3>nfbus: error: sink.bad: its plugin called exit() in write(): the host ends", lines)

    def test_each_line_about_wrong_usage_has_it(self):
        lines = self.lines("{}:{}".format, "--nonsense")
        self.assertEqual([line[:3] for line in lines], ["<3>"] * len(lines))
        plain = self.lines("{}".format, "--nonsense")
        self.assertEqual([line[3:] for line in lines], plain)

    def test_where_the_journal_does_not_read_nothing_is_added(self):
        for stream in (lambda device, inode: f"{device}:{inode + 1}", lambda device, inode: f"{device + 1}:{inode}",
                       lambda device, inode: "", lambda device, inode: f"{device}"):
            for line in self.lines(stream, end=self.end_with_status):
                self.assertTrue(line.startswith("nfbus: "), line)


class OneLineForOneTrouble(nfbustest.IntegrationTest):
    def host_with(self, options):
        host = self.start(CONFIG + COMPLAINS + options)
        self.namespace.nft(RULES)
        return host

    def feed(self, host, count):
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001)) for i in range(count)]
        send(self.namespace, packets)
        wait_until(lambda: host.counters()["sinks"]["bad"]["delivered"] == count, 20, "the bad sink")

    def lines_with(self, host, pattern):
        return [line for line in host.stderr.splitlines() if re.search(pattern, line)]

    def test_ticks_that_fail_are_said_once_and_that_they_work_again(self):
        host = self.host_with("tick_ms = 5\nbad_ticks = 200\n")
        host.wait_for(r"info: sink\.bad: tick\(\) works again, after 200 that failed")
        self.assertEqual(len(self.lines_with(host, "its clock is broken")), 1)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(len(self.lines_with(host, r"its clock is broken \(199 more like it in \d+ s\)")), 1)

    def test_ticks_that_go_on_failing_are_counted_later(self):
        host = self.host_with("tick_ms = 50\nbad_ticks = 1000000\n")
        host.wait_for(r"warning: sink\.bad: .*its clock is broken \(\d+ more like it in 10 s\)", 15)
        self.assertEqual(len(self.lines_with(host, "its clock is broken")), 2)

    def test_a_sink_that_flaps_says_so_once_and_on_the_bus_once(self):
        host = self.host_with("flaps = 1\n")
        with WireClient(host.path("bus.sock")) as client:
            client.subscribe("nfbus:sink")
            client.publish("here", "1")
            self.feed(host, 200)
            self.assertEqual(host.counters()["sinks"]["bad"]["retries"], 200)
            states = [json.loads(client.event()[1])["state"] for _ in range(2)]
            self.assertEqual(states, ["retrying", "running"])
            self.assertEqual(host.stop(), 0)
            self.assertEqual([line for line in iter(client.line, None) if b"nfbus:sink" in line], [])
        self.assertEqual(len(self.lines_with(host, "it is tried again")), 1)
        self.assertEqual(len(self.lines_with(host, r"delivers again, after 0\.\d s and 1 retries")), 1)
        self.assertEqual(len(self.lines_with(host, "sink.bad: 199 more such troubles, with 199 retries; it delivers")), 1)

    def test_a_plugin_that_logs_each_event_is_heard_once_with_the_number_of_the_rest(self):
        host = self.host_with('line = "what a packet, number"\n')
        self.feed(host, 300)
        self.assertEqual(len(self.lines_with(host, "what a packet")), 1)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(len(self.lines_with(host, r"number 1 \(299 more like it in \d+ s\)")), 1)
        self.assertEqual(len(read_json_lines(host.path("out")) if host.path("out").exists() else []), 300)


if __name__ == "__main__":
    nfbustest.main()
