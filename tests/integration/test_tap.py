'''nfbus tap: live events of a running host, as lines, JSON or a pcap stream.'''

import json
import os
import signal
import struct
import subprocess

import nfbustest
from nfbustest import NFBUS_BIN, wait_until
from packets import SYN, TCP, UDP, ipv4, send, tcp, udp
from wire_client import ask_status, publish_once

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"

[[capture]]
group = 0

[[capture]]
group = 1
action = "blocked"
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    tcp dport 7000-7999 log prefix "lan:out " group 0
    udp dport 7000-7999 log prefix "drop:out " group 1
    udp dport 53 log prefix "dns:ask " group 0
    udp sport 53 log prefix "dns:answer " group 0
}
}"""


class Tap(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")
        self.namespace.nft(RULES)

    def tap(self, *arguments, **options):
        """A running tap whose subscriptions are in effect."""
        child = subprocess.Popen([NFBUS_BIN, "tap", *arguments, "-s", self.path], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(nfbustest.end_process, child)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        wait_until(lambda: self.subscribed(child.pid) or child.poll() is not None, 10, "the tap's subscription")
        return child

    def subscribed(self, pid):
        return any(row["pid"] == pid and row["topics"] and row["topics"] != ["nfbus:status"]
                   for row in ask_status(self.path)["clients"])

    def packets(self):
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.2", TCP, tcp(40000, 7001, flags=SYN)),
                              ipv4("127.0.0.1", "127.0.0.3", UDP, udp(40000, 7002, b"x"))])

    def finish(self, child, seconds=10):
        out, err = child.communicate(timeout=seconds)
        return child.returncode, out, err.decode()

    def test_shows_a_line_for_each_packet_with_what_tells_it_from_others(self):
        child = self.tap("-n", "2")
        self.packets()
        status, out, err = self.finish(child)
        self.assertEqual(status, 0, err)
        first, second = sorted(out.decode().splitlines(), key=lambda line: "blocked" in line)  # of two groups
        self.assertRegex(first, r"^\d\d:\d\d:\d\d\.\d{3}  allowed  nft:lan:out +- -> lo +TCP +127\.0\.0\.1:40000 -> "
                                r"127\.0\.0\.2:7001 +SYN")
        self.assertRegex(second, r"blocked  nft:drop:out +- -> lo +UDP +127\.0\.0\.1:40000 -> 127\.0\.0\.3:7002 ")
        self.assertIn("2 events shown, 0 missed", err)
        self.assertNotIn("\x1b", out.decode())

    def test_shows_what_dns_messages_are_about_and_the_names_learned_of_them(self):
        self.host.close()
        self.host = self.start(CONFIG.replace("group = 0", 'group = 0\nfilters = ["names"]').replace(
            "group = 1", 'group = 1\nfilters = ["names"]') + '[filter.names]\nplugin = "dnsnames"\n')
        self.path = self.host.path("bus.sock")
        child = self.tap()

        def message(flags, name, answer=b""):
            labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
            return struct.pack("!6H", 1, flags, 1, 1 if answer else 0, 0, 0) + labels + b"\0" + \
                struct.pack("!HH", 1, 1) + answer

        address = struct.pack("!3HIH4B", 0xc00c, 1, 1, 60, 4, 127, 0, 0, 9)
        for source, destination, data in (
                (40000, 53, message(0x0100, b"www.example.org")),
                (53, 40000, message(0x8180, b"www.example.org", address)),
                (53, 40000, message(0x8183, b"\x1b[2J\xc2\x9b\xff\r.example.org"))):
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(source, destination, data))])
        wait_until(lambda: self.host.counters()["filters"]["names"]["learned"] == 1, 10, "the answer")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1, 7001))])
        lines = [child.stdout.readline().decode() for _ in range(4)]
        self.assertRegex(lines[0], r"nft:dns:ask .* UDP +127\.0\.0\.1:40000 -> 127\.0\.0\.1:53 +DNS A\? www\.example\.org ")
        self.assertIn(" DNS A www.example.org = 127.0.0.9 ", lines[1])
        self.assertIn(r" DNS A \x1b[2J\u009b\xff\x0d.example.org NXDOMAIN ", lines[2])
        self.assertRegex(lines[3], r"nft:drop:out .* RecentDomainDst=www\.example\.org$")

    def test_takes_topics_and_a_match_that_the_host_evaluates(self):
        child = self.tap("nft:drop", "-n", "1")
        other = self.tap("-n", "1", "--match", "dst=127.0.0.2/32 !proto=udp")
        self.packets()
        self.assertIn("nft:drop:out", self.finish(child)[1].decode())
        self.assertIn("127.0.0.2:7001", self.finish(other)[1].decode())

    def test_a_wrong_match_is_wrong_usage(self):
        done = nfbustest.run_nfbus("tap", "-s", self.path, "--match", "port=70000")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "--match: column 6: port: ")

    def test_prints_json(self):
        child = self.tap("--json", "-n", "2")
        self.packets()
        status, out, err = self.finish(child)
        self.assertEqual(status, 0, err)
        packets = sorted((json.loads(line) for line in out.splitlines()), key=lambda packet: packet["Action"])
        self.assertEqual([packet["Action"] for packet in packets], ["allowed", "blocked"])
        self.assertEqual(packets[0]["TCP"]["DstPort"], 7001)

    def test_prints_messages(self):
        lines, values = self.tap("web:", "-n", "1"), self.tap("web:", "--json", "-n", "2")
        publish_once(self.path, '{"topic":"web:a","value":"{\\"n\\":\\n1.0}"}\n{"topic":"web:b","value":"no json"}\n')
        self.assertRegex(self.finish(lines)[1].decode(), r"web:a  \{")
        self.assertEqual(self.finish(values)[1].decode().splitlines(), ['{"n":1.0}', '"no json"'])

    def test_streams_a_pcap_that_tcpdump_reads_live(self):
        children = [self.tap("--pcap", "-"), self.tap("--pcap", "-", "--match", "proto=udp")]
        readers = [subprocess.Popen(["tcpdump", "-nlr", "-"], stdin=child.stdout, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL) for child in children]
        for reader in readers:
            self.addCleanup(nfbustest.end_process, reader)
            self.addCleanup(reader.stdout.close)
        self.packets()
        both = readers[0].stdout.readline() + readers[0].stdout.readline()
        self.assertIn(b"127.0.0.1.40000 > 127.0.0.2.7001: Flags [S]", both)
        self.assertIn(b"127.0.0.1.40000 > 127.0.0.3.7002", both)
        self.assertIn(b"127.0.0.1.40000 > 127.0.0.3.7002", readers[1].stdout.readline())
        for child, reader in zip(children, readers):
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(10), 0)
            self.assertEqual(reader.wait(10), 0)

    def test_ends_cleanly_when_interrupted_and_when_the_host_ends(self):
        interrupted, left = self.tap(), self.tap()
        interrupted.send_signal(signal.SIGINT)
        status, _, err = self.finish(interrupted)
        self.assertEqual(status, 0)
        self.assertIn("0 events shown, 0 missed", err)
        self.assertEqual(self.host.stop(), 0)
        status, _, err = self.finish(left)
        self.assertEqual(status, 0)
        self.assertIn("0 events shown, 0 missed", err)

    def test_without_a_host_it_says_so(self):
        done = nfbustest.run_nfbus("tap", "-s", self.host.path("nobody"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is nfbus running?", done.stderr)

    def test_colours_only_a_terminal(self):
        def shown(**env):
            master, slave = os.openpty()
            process = subprocess.Popen([NFBUS_BIN, "tap", "-n", "1", "--match", "proto=udp", "-s", self.path],
                                       stdout=slave, stderr=subprocess.DEVNULL, env={**os.environ, **env})
            self.addCleanup(nfbustest.end_process, process)
            os.close(slave)
            wait_until(lambda: self.subscribed(process.pid), 10, "the tap's subscription")
            self.packets()
            process.wait(10)
            text = os.read(master, 65536).decode()
            os.close(master)
            return text

        self.assertIn("\x1b[31m", shown())
        self.assertNotIn("\x1b", shown(NO_COLOR="1"))


if __name__ == "__main__":
    nfbustest.main()
