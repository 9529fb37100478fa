'''The filter `match`, on packets of the real kernel: for a group, for a sink, and what `check` says of wrong matches.'''

import os
import pathlib
import tempfile
import unittest

import nfbustest
from nfbustest import read_json_lines, run_nfbus, wait_until
from packets import ICMPV6, TCP, UDP, icmpv6, ipv4, ipv6, send, tcp, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    ip daddr 127.0.0.2 log prefix "lan:out " group 0;
    ip6 daddr ::1 meta l4proto udp log prefix "DROP:six " group 1;
    ip6 daddr ::1 icmpv6 type echo-request log prefix "DROP:six " group 1;
}
}"""

GROUPS = """
[[capture]]
group = 0
filters = [{}]

[[capture]]
group = 1
action = "blocked"

[sink.all]
plugin = "jsonl"
file = "@DIR@/all"
format = "ulogd"

[sink.some]
plugin = "jsonl"
file = "@DIR@/some"
format = "ulogd"
filters = [{}]
"""


def to_lan(port, protocol=UDP):
    body = udp(1024, port, b"x") if protocol == UDP else tcp(1024, port)
    return ipv4("127.0.0.1", "127.0.0.2", protocol, body)


def to_six(port):
    return ipv6("::1", "::1", UDP, udp(1024, port, b"x"))


class MatchFilter(nfbustest.IntegrationTest):
    def run_host(self, config, packets, count):
        """Sends the packets to a host and returns its counters, and the destination ports of what each sink wrote.
        count: of all that the kernel logs."""
        self.namespace.nft(RULES)
        host = self.start(config)
        send(self.namespace, packets)
        wait_until(lambda: sum(row["received"] for row in host.counters()["capture"].values()) == count, 10,
                   "the packets")
        self.assertEqual(host.stop(), 0)
        counters = host.logged_counters()
        for row in counters["capture"].values():
            self.assertEqual(row["received"], row["published"] + row["not_forwarded"] + row["filtered"])
        for row in counters["sinks"].values():
            self.assertEqual(row["published"], sum(row["published"] for row in counters["capture"].values()))
            self.assertEqual(row["published"], sum(row[key] for key in (
                "delivered", "filtered", "overflowed", "rejected", "corrupted", "queued", "spilled")))
        ports = {}
        for sink in counters["sinks"]:
            records = read_json_lines(host.path(sink))
            self.assertEqual(len(records), counters["sinks"][sink]["delivered"])
            ports[sink] = sorted(r.get("dest_port", r.get("icmpv6.type")) for r in records)
        return host, counters, ports

    def test_drops_before_the_bus_what_a_group_does_not_want(self):
        config = GROUPS.format('"quiet"', "") + """
[filter.quiet]
plugin = "match"
drop = [{ dport = 7001 }, { proto = "tcp", dst = ["127.0.0.0/8", "::1"], "!tcp_flags" = "ack" }]
"""
        packets = [to_lan(7000), to_lan(7001), to_lan(7001), to_lan(7002, TCP), to_six(7001)]
        host, counters, ports = self.run_host(config, packets, 5)
        self.assertEqual(counters["capture"][0]["filtered"], 3)
        self.assertEqual(counters["capture"][1]["filtered"], 0)
        self.assertEqual(ports, {"all": [7000, 7001], "some": [7000, 7001]})
        self.assertRegex(host.stderr, r"filter name=quiet plugin=match of=\S+ .*dropped_by_1=2 dropped_by_2=1")

    def test_drops_for_one_sink_what_it_does_not_want_and_for_no_other(self):
        config = GROUPS.format("", '"web", "not-six"') + """
[filter.web]
plugin = "match"
keep = [{ port = "7000-7001", prefix = ["lan:*", "drop:six"] }, { bpf = "tcp dst port 7003" }]
drop = [{ topic = "nft:lan:*", dport = 7001 }]

[filter.not-six]
plugin = "match"
drop = [{ family = "ip6", action = "blocked", group = 1, dport = 7001, out = "lo", length = "40-100" }]
"""
        packets = [to_lan(7000), to_lan(7001), to_lan(7002), to_lan(7003, TCP), to_six(7000), to_six(7001)]
        _, counters, ports = self.run_host(config, packets, 6)
        self.assertEqual(counters["sinks"]["some"]["filtered"], 3)
        self.assertEqual(counters["sinks"]["all"]["filtered"], 0)
        self.assertEqual(ports, {"all": [7000, 7000, 7001, 7001, 7002, 7003], "some": [7000, 7000, 7003]})

    def test_knows_icmp_and_the_owner_of_a_socket(self):
        config = GROUPS.format('"pings"', '"ours"') + """
[filter.pings]
plugin = "match"
drop = [{ icmp_type = "echo-request" }]

[filter.ours]
plugin = "match"
keep = [{ uid = 0, "!icmp_type" = "echo-request" }]
"""
        packets = [ipv6("::1", "::1", ICMPV6, icmpv6(128)), to_six(7000), to_lan(7001)]
        _, counters, ports = self.run_host(config, packets, 3)
        self.assertEqual(counters["capture"][0]["filtered"], 0)
        self.assertNotIn(128, ports["some"])
        self.assertIn(7000, ports["some"])


class BadMatches(unittest.TestCase):
    def findings(self, config):
        with tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-") as directory:
            file = pathlib.Path(directory) / "nfbus.toml"
            file.write_text(config)
            check = run_nfbus("check", "-c", file)
            self.assertEqual(check.returncode, 78, check)
            run = run_nfbus("run", "-c", file)
            self.assertEqual(run.returncode, 78, run)
            lines = check.stdout.splitlines()
            for line in lines:
                self.assertIn(line, run.stderr)
            return [line.removeprefix(f"{file}:") for line in lines]

    def test_each_has_its_place(self):
        lines = self.findings("""[[capture]]
group = 0
[filter.quiet]
plugin = "match"
keep = [{ port = 70000 }, { tcp_flags = "syn,akc" }]
drop = [
  { dst = ["10.0.0.0/33", "10.0.0.9-10.0.0.1"] },
  { prot = "udp", "!dport" = "9-1" },
  { bpf = "port 80 80" }, { src = [] }, { in = 5 }, 7,
]
""")
        self.assertEqual(lines[:-5], [
            "5:18: filter.quiet.keep[0].port: 70000: is out of range; it must be 0 to 65535",
            '5:41: filter.quiet.keep[1].tcp_flags: "syn,akc": "akc" is no TCP flag; did you mean "ack"?',
            '7:12: filter.quiet.drop[0].dst[0]: "10.0.0.0/33": the prefix length is at most 32',
            '7:27: filter.quiet.drop[0].dst[1]: "10.0.0.9-10.0.0.1": the range is reversed; write '
            '"10.0.0.1-10.0.0.9"',
            '8:5: filter.quiet.drop[1].prot: unknown key; did you mean "proto"?',
        ])
        self.assertEqual(lines[-5], '8:30: filter.quiet.drop[1]."!dport": "9-1": the range is reversed; write "1-9"')
        self.assertRegex(lines[-4], r'^9:11: filter\.quiet\.drop\[2\]\.bpf: "port 80 80": libpcap: ')
        self.assertEqual(lines[-3:], [
            "9:35: filter.quiet.drop[3].src: lists nothing, and so would never match; leave it out",
            "9:48: filter.quiet.drop[4].in: expected a string, found an integer",
            "9:53: filter.quiet.drop[5]: expected a table, found an integer",
        ])


if __name__ == "__main__":
    nfbustest.main()
