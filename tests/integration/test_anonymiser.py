'''A filter that masks addresses and cuts payloads: what is behind it sees only that, the rest sees what came, and other
programs find nothing wrong with either.'''

import json
import subprocess

import nfbustest
from capture_files import tcpdump, tshark
from nfbustest import read_json_lines, wait_until
from packets import ACK, SYN, TCP, UDP, icmp, ipv4, ipv6, send, tcp, udp

RULES = """table inet t {
    chain c {
        type filter hook output priority 0
        ip daddr 127.0.0.9 counter log prefix "a " group 1
        ip6 daddr ::1 udp dport 7009 counter log prefix "a " group 1
    }
}"""
CAPTURE = "[[capture]]\ngroup = 1\nlatency_ms = 0\n"
ICMP = 1
FIELDS = ("ip.src", "ip.dst", "frame.len", "frame.cap_len", "ip.checksum.status", "tcp.checksum.status",
          "udp.checksum.status", "icmp.checksum.status")
GOOD, BAD = "1", "0"


def packet(protocol, body, **options):
    return ipv4("127.0.0.5", "127.0.0.9", protocol, body, **options)


PACKETS = [
    packet(UDP, udp(1000, 7000, b"odd")),
    packet(UDP, udp(1000, 7001, b"even")),
    packet(TCP, tcp(1000, 7002, flags=SYN)),
    packet(TCP, tcp(1000, 7003, b"a segment with data in it", flags=ACK)),
    packet(TCP, tcp(1000, 7004, b"options of IP", flags=ACK), options=b"\x01\x01\x01\x00"),
    packet(ICMP, icmp(8, rest=b"\0\1\0\1" + b"ping")),
    packet(UDP, udp(1000, 7005, bytes(1200))),
]


def judge(path):
    '''What tshark says of each packet, as FIELDS; it checks all checksums.'''
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f"]
    for protocol in ("ip", "tcp", "udp"):
        argv += ["-o", f"{protocol}.check_checksum:TRUE"]
    for field in FIELDS:
        argv += ["-e", field]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"tshark on {path}: {done.stderr}")
    return [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.split("\n")[:-1]]


def filter_masks(**options):
    return '[filter.mask]\nplugin = "filter_masks"\n' + "".join(f"{k} = {json.dumps(v)}\n" for k, v in options.items())


def pcap(name, filters=(), **options):
    lines = [f'[sink.{name}]\nplugin = "pcap"\nfile = "@DIR@/{name}.pcap"\nfilters = {json.dumps(list(filters))}']
    return "\n".join(lines + [f"{key} = {json.dumps(value)}" for key, value in options.items()]) + "\n"


class Anonymiser(nfbustest.IntegrationTest):
    def capture(self, config, packets=PACKETS):
        '''A host that has delivered these packets to each of its sinks, and has ended.'''
        self.namespace.nft(RULES)
        host = self.start(f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n' + config)
        send(self.namespace, packets)
        self.assertEqual(sum(self.namespace.counters().values()), len(packets))
        wait_until(lambda: all(sink["delivered"] == len(packets) for sink in host.counters()["sinks"].values()), 15,
                   "the packets")
        self.assertEqual(host.stop(), 0)
        return host

    def assert_checksums_are_good(self, rows):
        for row in rows:
            self.assertEqual(row["ip.checksum.status"], GOOD, row)
            transport = [row[field] for field in FIELDS[5:] if row[field]]
            self.assertEqual(transport, [GOOD], row)

    def test_a_sink_behind_it_gets_masked_packets_with_right_checksums_and_the_others_what_came(self):
        host = self.capture(CAPTURE + filter_masks() + pcap("masked", ["mask"], link="raw") + pcap("plain", link="raw"))
        masked, plain = judge(host.path("masked.pcap")), judge(host.path("plain.pcap"))
        self.assertEqual({(row["ip.src"], row["ip.dst"]) for row in plain}, {("127.0.0.5", "127.0.0.9")})
        self.assertEqual({(row["ip.src"], row["ip.dst"]) for row in masked}, {("127.0.0.0", "127.0.0.0")})
        self.assertEqual(len(masked), len(PACKETS))
        self.assert_checksums_are_good(plain)
        self.assert_checksums_are_good(masked)
        self.assertEqual([row["frame.len"] for row in masked], [str(len(packet)) for packet in PACKETS])
        self.assertEqual([row["frame.cap_len"] for row in masked], [row["frame.len"] for row in masked])

    def test_a_cut_keeps_the_original_length(self):
        host = self.capture(CAPTURE + filter_masks(keep_bytes=28) + pcap("cut", ["mask"], link="raw") +
                            pcap("frames", ["mask"], link="nflog") + pcap("plain", link="raw"))
        rows = judge(host.path("cut.pcap"))
        self.assertEqual({(row["ip.src"], row["ip.dst"]) for row in rows}, {("127.0.0.0", "127.0.0.0")})
        self.assertEqual([row["ip.checksum.status"] for row in rows], [GOOD] * len(PACKETS))
        self.assertEqual([int(row["frame.len"]) for row in rows], list(map(len, PACKETS)))
        self.assertEqual([int(row["frame.cap_len"]) for row in rows], [28] * len(PACKETS))
        self.assertEqual(judge(host.path("plain.pcap"))[-1]["frame.cap_len"], str(len(PACKETS[-1])))
        lines = tcpdump(host.path("cut.pcap"))
        self.assertEqual(len(lines), len(PACKETS))
        for line in lines:
            self.assertRegex(line, r" IP 127\.0\.0\.0(\.1000)? > 127\.0\.0\.0(\.70\d\d)?: ")
        self.assertEqual(tshark(host.path("frames.pcap"), "ip.len", "ip.src"),
                         [[str(len(packet)), "127.0.0.0"] for packet in PACKETS])
        self.assertNotIn(b"a segment with data", host.path("cut.pcap").read_bytes())
        self.assertNotIn(b"a segment with data", host.path("frames.pcap").read_bytes())
        self.assertIn(b"a segment with data", host.path("plain.pcap").read_bytes())

    def test_what_it_cannot_mask_and_a_wrong_checksum_stay_as_they_are(self):
        wrong = bytearray(packet(UDP, udp(1000, 7006, b"wrong")))
        wrong[26] ^= 0x55  # the checksum of UDP
        packets = [bytes(wrong), ipv6("::1", "::1", UDP, udp(1000, 7009, b"IPv6"))]
        host = self.capture(CAPTURE + filter_masks() + pcap("masked", ["mask"], link="raw") + pcap("plain", link="raw"),
                            packets)
        masked, plain = judge(host.path("masked.pcap")), judge(host.path("plain.pcap"))
        self.assertEqual([row["udp.checksum.status"] for row in plain], [BAD, GOOD])
        self.assertEqual([row["udp.checksum.status"] for row in masked], [BAD, GOOD])
        self.assertEqual(masked[0]["ip.checksum.status"], GOOD)
        self.assertEqual(masked[1], plain[1])

    def test_under_a_capture_everybody_sees_the_masked_packets_under_their_new_topic(self):
        host = self.capture(CAPTURE + 'filters = ["mask"]\n' + filter_masks(keep_bytes=100, topic="nft:masked") +
                            pcap("first", link="raw", topics=["nft:masked"]) +
                            '[sink.lines]\nplugin = "jsonl"\nfile = "@DIR@/lines"\nformat = "packet"\n')
        rows = judge(host.path("first.pcap"))
        self.assertEqual({(row["ip.src"], row["ip.dst"]) for row in rows}, {("127.0.0.0", "127.0.0.0")})
        lines = read_json_lines(host.path("lines"))
        self.assertEqual({(line["IP"]["SrcIP"], line["IP"]["DstIP"]) for line in lines}, {("127.0.0.0", "127.0.0.0")})
        self.assertEqual([int(row["frame.len"]) for row in rows], list(map(len, PACKETS)))


if __name__ == "__main__":
    nfbustest.main()
