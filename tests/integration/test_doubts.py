'''What works and can hardly be meant: warnings of `nfbus check`, of the start and of a reload; and the rule for topics.'''

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

import nfbustest
from nfbustest import NFBUS_BIN, REPOSITORY, main, read_json_lines, run_nfbus, wait_until
from packets import TCP, UDP, ipv4, send, tcp, udp
from wire_client import ask_status, publish_once

DOUBTFUL = """[[capture]]
group = 0
prefixes = ["lan:", "nft:wan:"]
[[capture]]
group = 1
[filter.spare]
plugin = "match"
drop = [{ src = "10.0.0.1/8" }]
[sink.lines]
plugin = "jsonl"
file = "~/out-%F-${NAME}"
topics = ["drop:", "nft:Drop:"]
[sink.caught]
plugin = "pcap"
file = "missing/caught-%F"
before = 3
topics = ["drop:"]
"""
FINDINGS = [
    r"3:21: warning: capture\[0\]\.prefixes\[1\]: .*write \"wan:\"",
    r"6:9: warning: filter\.spare: is not used; name it in filters = \[\"spare\"\]",
    r"8:17: warning: filter\.spare\.drop\[0\]\.src: \"10\.0\.0\.1/8\" has bits .* it is \"10\.0\.0\.0/8\"",
    r"11:8: warning: sink\.lines\.file: \"%F\" stays as it is .*puts no dates",
    r"11:8: warning: sink\.lines\.file: \$\{NAME\} in it stays as it is",
    r"11:8: warning: sink\.lines\.file: ~ is no home folder here",
    r"12:11: warning: sink\.lines\.topics\[0\]: .*those of packets begin with \"nft:\"; write \"nft:drop:\"",
    r"15:8: warning: sink\.caught\.file: \"%F\" .* only with rotate_bytes, rotate_age_s or rotate_packets",
    r"16:1: warning: sink\.caught\.before: is of no use without when",
    r"17:11: warning: sink\.caught\.topics\[0\]: no packet has such a topic: .*write \"nft:drop:\"",
    r"15:8: warning: sink\.caught\.file: there is no folder .*/missing; ",
]


class Check(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(directory.cleanup)
        self.file = pathlib.Path(directory.name) / "nfbus.toml"

    def check(self, text, *arguments):
        """Exit status and lines, without the file's name."""
        self.file.write_text(text)
        done = run_nfbus("check", "-c", self.file, *arguments)
        return done.returncode, [line.removeprefix(f"{self.file}:") for line in done.stdout.splitlines()]

    def test_names_all_of_them_with_their_places_and_passes(self):
        status, lines = self.check(DOUBTFUL)
        self.assertEqual(status, 0, lines)
        for finding in FINDINGS:
            self.assertEqual(sum(re.match(finding, line) is not None for line in lines), 1, (finding, lines))
        self.assertRegex(lines[-1], r"^ ok \(2 captures, 1 filters, 2 sinks\)")

    def test_takes_them_for_mistakes_if_told_to(self):
        status, lines = self.check(DOUBTFUL, "--strict")
        self.assertEqual(status, 78)
        self.assertNotIn(" ok ", " ".join(lines))
        good = '[[capture]]\ngroup = 1\n[sink.out]\nplugin = "jsonl"\nfile = "-"\n'
        self.assertEqual(self.check(good, "--strict")[0], 0, self.check(good, "--strict"))
        self.assertEqual(self.check(good + 'topics = ["Drop:"]\n', "--strict")[0], 78)

    def test_a_capture_of_another_group_needs_its_action(self):
        status, lines = self.check('[[capture]]\ngroup = 7\n[sink.out]\nplugin = "jsonl"\nfile = "-"\n')
        self.assertEqual(status, 78)
        self.assertRegex(lines[0], r'^1:1: capture\[0\]\.action: group 7 needs one: write action = "allowed" or "blocked"')

    def test_standard_output_is_for_those_who_write_to_it(self):
        status, lines = self.check('[sink.out]\nplugin = "pcap"\nfile = "-"\n')
        self.assertEqual(status, 78)
        self.assertRegex(lines[0], r"^3:8: sink\.out\.file: this plugin does not write to standard output")

    def test_says_what_to_write_for_what_others_write(self):
        head = '[sink.out]\nplugin = "jsonl"\nfile = "-"\nfilters = ["f"]\n[filter.f]\nplugin = "match"\n'
        for line, place, text in (
                ("drop = [{ !dport = 80 }]", "7:11", '"!dport" = VALUE'),
                ('drop = [{ proto = "udp",\n  dport = 80 }]', "7:25", "on one line"),
                ('drop = [{ dport = "80,443" }]', "7:19", "write [80, 443]"),
                ('drop = [{ dport = "1000:2000" }]', "7:19", 'write "1000-2000"'),
                ('drop = [{ dport = "ssh" }]', "7:19", "write 22"),
                ('drop = [{ tcp_flags = "SYN|ACK" }]', "7:23", 'write "syn,ack"'),
                ('drop = [{ saddr = "10.0.0.1" }]', "7:11", 'did you mean "src"?'),
                ('drop = [{ ip.daddr = "10.0.0.1" }]', "7:11", 'did you mean "dst"?'),
                ('drop = [{ iifname = "eth0" }]', "7:11", 'did you mean "in"?'),
                ('[sink.out2]\nplugin = "jsonl"\nfile = "x"\nqueue_bytes = "10MB"', "10:15", "write 10000000"),
                ('[sink.out2]\nplugin = "jsonl"\nfile = "x"\nrotate_age_s = 7d', "10:16", "write 604800"),
                ("[[capture]]\ngroup = [0, 1]", "8:9", "a [[capture]] for each group"),
                ('[[capture]]\ngroup = 1\nsink.log.plugin = "jsonl"', "9:1", "[sink.NAME]"),
                ("stack=log1:NFLOG,base1:BASE,out1:JSON", "7:1", "configuration of ulogd2")):
            with self.subTest(line):
                status, lines = self.check(head + line + "\n")
                self.assertEqual(status, 78)
                self.assertTrue(any(found.startswith(place + ": ") and text in found for found in lines), lines)


class Run(nfbustest.IntegrationTest):
    def test_start_and_reload_say_each_once(self):
        config = '[bus]\nsocket = "@DIR@/bus.sock"\n' + DOUBTFUL
        host = self.start(config)
        doubts = [finding.split(" warning: ")[1] for finding in FINDINGS]
        for doubt in doubts:
            self.assertEqual(len(re.findall(rf"nfbus\.toml:\d+:\d+: {doubt}", host.stderr)), 1, (doubt, host.stderr))
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded:")
        for doubt in doubts[:-1]:  # the last one is that of the start, of what will not work later
            self.assertEqual(len(re.findall(rf"nfbus\.toml:\d+:\d+: {doubt}", host.stderr)), 2, doubt)
        self.assertEqual(host.stop(), 0, host.stderr)

    def test_the_full_example_runs_as_it_stands(self):
        with tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-") as directory:
            # Folders of its own in place of the machine's, with the files that the page reads.
            program = f"""mount -t tmpfs none /run && mount -t tmpfs none /var/log &&
                mount -t tmpfs none /var/lib && mkdir -m 755 /run/nfbus /var/lib/nfbus && cd /var/lib/nfbus &&
                echo token > page.tokens && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \\
                    -subj /CN=page -keyout page.key -out page.pem 2> /dev/null && cd / &&
                exec {NFBUS_BIN} run -c {REPOSITORY}/configs/full.toml"""
            with open(f"{directory}/stderr", "wb") as stderr:
                child = subprocess.Popen(self.namespace.command("unshare", "-m", "sh", "-c", program),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
            self.addCleanup(nfbustest.end_process, child)
            said = pathlib.Path(directory, "stderr")
            wait_until(lambda: "ready:" in said.read_text() or child.poll() is not None, 20, "the full example")
            self.assertIsNone(child.poll(), said.read_text())
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(20), 0, said.read_text())


RULES = """table inet t { chain c { type filter hook output priority 0;
    tcp dport 7000-7999 log prefix "LAN:Out " group 0
    udp dport 7000-7999 log prefix "drop:out " group 1
}
}"""


class Topics(nfbustest.IntegrationTest):
    CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
prefixes = ["L*:"]
[[capture]]
group = 1
""" + "".join(f'[sink.s{i}]\nplugin = "jsonl"\nformat = "packet"\nfile = "@DIR@/s{i}"\ntopics = ["{topic}"]\n'
              for i, topic in enumerate(("nft:DROP:", "nft: drop:Out ", "NFT:*:out", "nft:LAN:", "Web:", "*")))

    def setUp(self):
        super().setUp()
        self.host = self.start(self.CONFIG)
        self.namespace.nft(RULES)

    def packets(self):
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.2", TCP, tcp(40000, 7001)),
                              ipv4("127.0.0.1", "127.0.0.3", UDP, udp(40000, 7002, b"x"))])

    def tap(self, *arguments):
        child = subprocess.Popen([NFBUS_BIN, "tap", *arguments, "-s", self.host.path("bus.sock")],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(nfbustest.end_process, child)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        wait_until(lambda: child.poll() is not None or any(
            row["pid"] == child.pid and row["topics"] and row["topics"] != ["nfbus:status"]
            for row in ask_status(self.host.path("bus.sock"))["clients"]), 10, "the tap's subscription")
        return child

    def test_of_sinks_are_those_that_a_user_means(self):
        self.packets()
        publish_once(self.host.path("bus.sock"), '{"topic":"web:a","value":"1"}\n{"topic":"Web:b","value":"2"}\n')

        def events(name):
            return sorted(line.get("Topic", line.get("Prefix", "")) for line in read_json_lines(self.host.path(name)))

        wait_until(lambda: len(events("s5")) == 4, 10, "all events")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual([events(f"s{i}") for i in range(6)],
                         [["drop:out "], ["drop:out "], ["LAN:Out ", "drop:out "], ["LAN:Out "], ["Web:b"],
                          ["LAN:Out ", "Web:b", "drop:out ", "web:a"]])

    def test_groups_speak_for_themselves(self):
        self.packets()
        lines = wait_until(lambda: len(found := read_json_lines(self.host.path("s2"))) == 2 and found, 10, "the packets")
        self.assertEqual({line["Group"]: line["Action"] for line in lines}, {0: "allowed", 1: "blocked"})

    def test_of_tap_are_the_same(self):
        taps = {topic: self.tap(topic, "-n", "1") for topic in ("nft:DROP:", "nft: drop:Out ", "NFT:D*:out", "*rop:out")}
        matched = self.tap("--match", 'topic="nft:LAN:OUT "', "-n", "1")
        self.packets()
        for topic, child in taps.items():
            out, err = child.communicate(timeout=10)
            self.assertIn(" nft:drop:out ", out, (topic, err))
            self.assertNotIn("warning", err)
        self.assertIn(" nft:lan:out ", matched.communicate(timeout=10)[0])

    def test_of_tap_that_no_packet_has_are_said(self):
        child = self.tap("Drop:", "-n", "1")
        publish_once(self.host.path("bus.sock"), '{"topic":"Drop:x","value":"1"}\n')
        out, err = child.communicate(timeout=10)
        self.assertIn("Drop:x", out)
        self.assertIn('those of packets begin with "nft:": write "nft:Drop:"', err)

    def test_of_tap_and_of_its_match_cannot_both_have_stars(self):
        child = self.tap("nft:*:out", "--match", "topic=nft:*")
        self.assertEqual((child.wait(10), "in one of the two" in child.stderr.read()), (2, True))


if __name__ == "__main__":
    main()
