'''The packet format of what the real kernel logs: IPv4 and IPv6, on the way in and out.'''

from nfbustest import IntegrationTest, Namespace, main, read_json_lines, wait_until
from packets import ACK, HOP_BY_HOP, ICMP, ICMPV6, SYN, TCP, UDP, ethernet, icmp, icmpv6, ipv4, ipv6, send, tcp, udp

CONFIG = """
[[capture]]
group = 1
action = "allowed"

[[capture]]
group  = 2
action = "blocked"

[sink.lines]
plugin = "jsonl"
file   = "@DIR@/lines"
format = "packet"

[sink.full]
plugin  = "jsonl"
file    = "@DIR@/full"
format  = "packet"
payload = "full"
"""

RULES = """table inet t {
    chain in {
        type filter hook input priority 0
        meta l4proto udp counter log prefix "Lan:In " group 1
        tcp dport 80 counter log prefix "drop:input " group 2 drop
        icmpv6 type echo-request counter log prefix "lan:in " group 1
        icmp type echo-request counter log prefix "lan:in " group 1
    }
    chain out {
        type filter hook output priority 0
        udp dport 7002 counter meta mark set 7 log prefix "lan:out " group 1
    }
}"""

OUR_MAC, THEIR_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
OURS, THEIRS = "192.0.2.1", "192.0.2.2"
OUR6, THEIR6 = "2001:db8::1", "2001:db8::2"
INPUT, OUTPUT = 1, 3
IPV4, IPV6 = 0x0800, 0x86dd


class PacketFormat(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.peer = Namespace()
        self.addCleanup(self.peer.close)
        self.peer.connect(self.namespace, "peer0", "lan0", mac=THEIR_MAC, other_mac=OUR_MAC)
        for address in (f"{OURS}/24", f"{OUR6}/64"):
            self.namespace.run("ip", "address", "add", address, "dev", "lan0", *(["nodad"] if ":" in address else []))
        self.namespace.nft(RULES)
        self.host = self.start(CONFIG)

    def come_in(self, packets):
        send(self.peer, [ethernet(THEIR_MAC, OUR_MAC, kind, packet) for kind, packet in packets], device="peer0")

    def lines(self, file, count):
        return wait_until(lambda: (found := read_json_lines(self.host.path(file)))[count - 1:] and found, 10,
                          f"{count} lines in {file}")

    def test_what_comes_in_has_its_addresses_hook_and_sequence(self):
        self.come_in([(IPV4, ipv4(THEIRS, OURS, UDP, udp(1000, 7001, b"hello"), id=77, ttl=9)),
                      (IPV6, ipv6(THEIR6, OUR6, UDP, udp(1001, 7001, b"hello"), hop_limit=9)),
                      (IPV4, ipv4(THEIRS, OURS, TCP, tcp(1002, 80, flags=SYN, options=b"\x02\x04\x05\xb4"))),
                      (IPV6, ipv6(THEIR6, OUR6, TCP, tcp(1003, 80, flags=SYN | ACK),
                                  extensions=[(HOP_BY_HOP, b"\0\1\4\0\0\0\0")])),
                      (IPV4, ipv4(THEIRS, OURS, ICMP, icmp(8, rest=b"\0\5\0\6"))),
                      (IPV6, ipv6(THEIR6, OUR6, ICMPV6, icmpv6(128, rest=b"\0\5\0\6")))])
        lines = {(line["IP"]["Version"], line["IP"]["Protocol"]): line for line in self.lines("lines", 6)}
        self.assertEqual(sorted(lines), [(4, ICMP), (4, TCP), (4, UDP), (6, TCP), (6, UDP), (6, ICMPV6)])
        for (version, _), line in lines.items():
            self.assertEqual(line["Ethernet"], {"SrcMAC": THEIR_MAC, "DstMAC": OUR_MAC, "HwType": 1})
            self.assertEqual((line["IP"]["SrcIP"], line["IP"]["DstIP"]), {4: (THEIRS, OURS), 6: (THEIR6, OUR6)}[version])
            self.assertEqual((line["InDev"], line["OutDev"], line["Hook"]), ("lan0", "", INPUT))
            self.assertNotIn("UID", line)
            self.assertNotIn("DecodeError", line)
        self.assertEqual(list(lines[4, UDP]), ["Ethernet", "UDP", "IP", "Prefix", "Action", "Timestamp", "InDev", "OutDev",
                                               "Group", "Hook", "Seq"])
        self.assertEqual((lines[4, UDP]["Prefix"], lines[4, UDP]["Action"], lines[4, UDP]["Group"]), ("Lan:In ", "allowed", 1))
        self.assertEqual((lines[4, UDP]["IP"]["Id"], lines[4, UDP]["IP"]["TTL"], lines[6, UDP]["IP"]["TTL"]), (77, 9, 9))
        self.assertEqual((lines[4, TCP]["Action"], lines[4, TCP]["Group"]), ("blocked", 2))
        self.assertEqual(lines[4, TCP]["TCP"]["Options"], [{"OptionType": 2, "OptionLength": 4, "OptionData": "BbQ="}])
        self.assertTrue(lines[6, TCP]["TCP"]["SYN"] and lines[6, TCP]["TCP"]["ACK"])
        self.assertEqual([lines[4, ICMP]["ICMP"][key] for key in ("Type", "Id", "Seq")], [8, 5, 6])
        self.assertEqual([lines[6, ICMPV6]["ICMPv6"][key] for key in ("Type", "Id", "Seq")], [128, 5, 6])
        self.assertEqual(sorted(line["Seq"] for line in lines.values() if line["Group"] == 1), [0, 1, 2, 3])
        full = [line["UDP"]["Payload"] for line in self.lines("full", 6) if "UDP" in line]
        self.assertEqual(full, ["aGVsbG8=", "aGVsbG8="])
        self.assertNotIn("Payload", lines[4, UDP]["UDP"])

    def test_what_goes_out_has_its_owner_and_no_ethernet_header(self):
        for source, destination in ((OURS, THEIRS), (OUR6, THEIR6)):
            self.namespace.run("ip", "neighbour", "add", destination, "lladdr", THEIR_MAC, "dev", "lan0")
            self.namespace.run("setpriv", "--reuid", "1234", "--regid", "2345", "--clear-groups", "python3", "-c",
                               "import socket, sys; socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else "
                               "socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], 7002))", destination)
        for line, version in zip(self.lines("lines", 2), (4, 6)):
            self.assertEqual(line["IP"]["Version"], version)
            self.assertNotIn("Ethernet", line)
            self.assertEqual((line["InDev"], line["OutDev"], line["Hook"]), ("", "lan0", OUTPUT))
            self.assertEqual((line["UID"], line["GID"], line["Mark"]), (1234, 2345, 7))


if __name__ == "__main__":
    main()
