"""tshark as a judge of the packet format: for packets of every protocol, addresses, ports, ICMP types, DNS names, DHCP
options and whatever else both of them name must be equal.

Where we differ on purpose:
- Of a first fragment tshark shows the transport header; we show none, as SPR does, whose clients take it so.
- tshark also shows the packet that an ICMP error quotes; we show the outer one. Its addresses are tshark's first ones;
  UDP fields beside ICMP are the quoted packet's.
- tshark names the owner of an SRV record in three fields; we have one name.
- tshark shows DHCP's End mark as an option of type 0; we leave it out, as SPR does.
"""

import base64
import pathlib
import subprocess
import tempfile
import unittest

import judge_packets
from nfbustest import Host, main, read_json_lines

CONFIG = '[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/out"\nformat = "packet"\n'

SEPARATOR, AGGREGATOR = "\t", "|"


def number(text):
    return int(text, 0)


def text_of(encoded):
    """A name of ours: base64, null when empty."""
    return base64.b64decode(encoded or "").decode()


def named(name):
    """tshark writes the root's name as <Root>."""
    return "" if name == "<Root>" else name


def records(event, kind=None):
    return [record for section in ("Answers", "Authorities", "Additionals")
            for record in event["DNS"].get(section) or [] if kind is None or record["Type"] == kind]


def options(event, kind):
    return [base64.b64decode(option["Data"] or "") for option in event["DHCP"]["Options"] if option["Type"] == kind]


def dotted(data):
    return [".".join(map(str, data[i:i + 4])) for i in range(0, len(data), 4)]


J = judge_packets

# What both name: tshark's field, how to read its text, and what we say. A key of ours that is not there is a KeyError,
# and then tshark must not have the field, either.
FIRST = [  # the first of tshark's values against ours
    ("eth.src", str, lambda e: e["Ethernet"]["SrcMAC"]),
    ("eth.dst", str, lambda e: e["Ethernet"]["DstMAC"]),
    ("vlan.id", number, lambda e: e["VLAN"]["Id"]),
    ("vlan.priority", number, lambda e: e["VLAN"]["Priority"]),
    ("vlan.dei", number, lambda e: int(e["VLAN"]["DropEligible"])),
    ("arp.opcode", number, lambda e: e["ARP"]["Operation"]),
    ("arp.src.hw_mac", str, lambda e: e["ARP"]["SrcMAC"]),
    ("arp.src.proto_ipv4", str, lambda e: e["ARP"]["SrcIP"]),
    ("arp.dst.hw_mac", str, lambda e: e["ARP"]["DstMAC"]),
    ("arp.dst.proto_ipv4", str, lambda e: e["ARP"]["DstIP"]),
    ("ip.src", str, lambda e: four(e)["SrcIP"]),
    ("ip.dst", str, lambda e: four(e)["DstIP"]),
    ("ip.hdr_len", number, lambda e: four(e)["IHL"] * 4),
    ("ip.dsfield", number, lambda e: four(e)["TOS"]),
    ("ip.len", number, lambda e: four(e)["Length"]),
    ("ip.id", number, lambda e: four(e)["Id"]),
    ("ip.flags", number, lambda e: four(e)["Flags"]),
    ("ip.frag_offset", number, lambda e: four(e)["FragOffset"]),
    ("ip.ttl", number, lambda e: four(e)["TTL"]),
    ("ip.proto", number, lambda e: four(e)["Protocol"]),
    ("ip.checksum", number, lambda e: four(e)["Checksum"]),
    ("ipv6.src", str, lambda e: six(e)["SrcIP"]),
    ("ipv6.dst", str, lambda e: six(e)["DstIP"]),
    ("ipv6.plen", number, lambda e: six(e)["Length"] - 40),
    ("ipv6.hlim", number, lambda e: six(e)["TTL"]),
    ("ipv6.tclass", number, lambda e: six(e)["TrafficClass"]),
    ("ipv6.flow", number, lambda e: six(e)["FlowLabel"]),
    ("ipv6.fraghdr.ident", number, lambda e: six(e)["FragmentId"]),
    ("ipv6.fraghdr.offset", number, lambda e: six(e)["FragOffset"] if "FragmentId" in six(e) else six(e)["FragmentId"]),
    ("ipv6.fraghdr.more", number, lambda e: six(e)["Flags"] if "FragmentId" in six(e) else six(e)["FragmentId"]),
    ("tcp.srcport", number, lambda e: e["TCP"]["SrcPort"]),
    ("tcp.dstport", number, lambda e: e["TCP"]["DstPort"]),
    ("tcp.seq_raw", number, lambda e: e["TCP"]["Seq"]),
    ("tcp.ack_raw", number, lambda e: e["TCP"]["Ack"]),
    ("tcp.hdr_len", number, lambda e: e["TCP"]["DataOffset"] * 4),
    ("tcp.flags", number, lambda e: sum(e["TCP"][flag] << bit for bit, flag in enumerate(
        ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS")))),
    ("tcp.window_size_value", number, lambda e: e["TCP"]["Window"]),
    ("tcp.checksum", number, lambda e: e["TCP"]["Checksum"]),
    ("tcp.urgent_pointer", number, lambda e: e["TCP"]["Urgent"]),
    ("udp.srcport", number, lambda e: e["UDP"]["SrcPort"]),
    ("udp.dstport", number, lambda e: e["UDP"]["DstPort"]),
    ("udp.length", number, lambda e: e["UDP"]["Length"]),
    ("udp.checksum", number, lambda e: e["UDP"]["Checksum"]),
    ("sctp.srcport", number, lambda e: e["SCTP"]["SrcPort"]),
    ("sctp.dstport", number, lambda e: e["SCTP"]["DstPort"]),
    ("sctp.verification_tag", number, lambda e: e["SCTP"]["VerificationTag"]),
    ("sctp.checksum", number, lambda e: e["SCTP"]["Checksum"]),
    ("icmp.type", number, lambda e: e["ICMP"]["Type"]),
    ("icmp.code", number, lambda e: e["ICMP"]["Code"]),
    ("icmp.checksum", number, lambda e: e["ICMP"]["Checksum"]),
    ("icmp.ident", number, lambda e: e["ICMP"]["Id"]),
    ("icmp.seq", number, lambda e: e["ICMP"]["Seq"]),
    ("icmp.mtu", number, lambda e: e["ICMP"]["MTU"]),
    ("icmp.redir_gw", str, lambda e: e["ICMP"]["Gateway"]),
    ("icmp.pointer", number, lambda e: e["ICMP"]["Pointer"]),
    ("icmpv6.type", number, lambda e: e["ICMPv6"]["Type"]),
    ("icmpv6.code", number, lambda e: e["ICMPv6"]["Code"]),
    ("icmpv6.checksum", number, lambda e: e["ICMPv6"]["Checksum"]),
    ("icmpv6.echo.identifier", number, lambda e: e["ICMPv6"]["Id"]),
    ("icmpv6.echo.sequence_number", number, lambda e: e["ICMPv6"]["Seq"]),
    ("icmpv6.mtu", number, lambda e: e["ICMPv6"]["MTU"]),
    ("icmpv6.pointer", number, lambda e: e["ICMPv6"]["Pointer"]),
    ("dns.id", number, lambda e: e["DNS"]["ID"]),
    ("dns.flags.response", number, lambda e: int(e["DNS"]["QR"])),
    ("dns.flags.opcode", number, lambda e: e["DNS"]["OpCode"]),
    ("dns.flags.recdesired", number, lambda e: int(e["DNS"]["RD"])),
    ("dns.count.queries", number, lambda e: e["DNS"]["QDCount"]),
    ("dns.count.answers", number, lambda e: e["DNS"]["ANCount"]),
    ("dns.count.auth_rr", number, lambda e: e["DNS"]["NSCount"]),
    ("dns.count.add_rr", number, lambda e: e["DNS"]["ARCount"]),
    ("dhcp.type", number, lambda e: e["DHCP"]["Operation"]),
    ("dhcp.id", number, lambda e: e["DHCP"]["Xid"]),
    ("dhcp.secs", number, lambda e: e["DHCP"]["Secs"]),
    ("dhcp.flags", number, lambda e: e["DHCP"]["Flags"]),
    ("dhcp.ip.client", str, lambda e: e["DHCP"]["ClientIP"]),
    ("dhcp.ip.your", str, lambda e: e["DHCP"]["YourClientIP"]),
    ("dhcp.ip.server", str, lambda e: e["DHCP"]["NextServerIP"]),
    ("dhcp.ip.relay", str, lambda e: e["DHCP"]["RelayAgentIP"]),
    ("dhcp.hw.mac_addr", str, lambda e: base64.b64decode(e["DHCP"]["ClientHWAddr"]).hex(":")),
]
ALL = [  # all of tshark's values, in their order; none is the empty list
    ("ip.opt.type", number, lambda e: [o["OptionType"] for o in four(e)["Options"] or []]),
    ("tcp.option_kind", number, lambda e: [o["OptionType"] for o in e["TCP"]["Options"]]),
    ("dns.qry.name", named, lambda e: [text_of(q["Name"]) for q in e["DNS"]["Questions"] or []]),
    ("dns.qry.type", number, lambda e: [q["Type"] for q in e["DNS"]["Questions"] or []]),
    ("dns.resp.name", named, lambda e: [text_of(r["Name"]) for r in records(e) if r["Type"] != J.SRV]),
    ("dns.srv.service", str, lambda e: [text_of(r["Name"]).split(".", 2)[0] for r in records(e, J.SRV)]),
    ("dns.srv.proto", str, lambda e: [text_of(r["Name"]).split(".", 2)[1] for r in records(e, J.SRV)]),
    ("dns.srv.name", str, lambda e: [text_of(r["Name"]).split(".", 2)[2] for r in records(e, J.SRV)]),
    ("dns.resp.type", number, lambda e: [r["Type"] for r in records(e)]),
    ("dns.resp.ttl", number, lambda e: [r["TTL"] for r in records(e)]),
    ("dns.resp.len", number, lambda e: [r["DataLength"] for r in records(e)]),
    ("dns.a", str, lambda e: [r["IP"] for r in records(e, J.A)]),
    ("dns.aaaa", str, lambda e: [r["IP"] for r in records(e, J.AAAA)]),
    ("dns.cname", named, lambda e: [text_of(r["CNAME"]) for r in records(e, J.CNAME)]),
    ("dns.ns", named, lambda e: [text_of(r["NS"]) for r in records(e, J.NS)]),
    ("dns.ptr.domain_name", named, lambda e: [text_of(r["PTR"]) for r in records(e, J.PTR)]),
    ("dns.mx.preference", number, lambda e: [r["MX"]["Preference"] for r in records(e, J.MX)]),
    ("dns.mx.mail_exchange", named, lambda e: [text_of(r["MX"]["Name"]) for r in records(e, J.MX)]),
    ("dns.txt", str, lambda e: [text_of(t) for r in records(e, J.TXT) for t in r["TXTs"]]),
    ("dns.srv.priority", number, lambda e: [r["SRV"]["Priority"] for r in records(e, J.SRV)]),
    ("dns.srv.weight", number, lambda e: [r["SRV"]["Weight"] for r in records(e, J.SRV)]),
    ("dns.srv.port", number, lambda e: [r["SRV"]["Port"] for r in records(e, J.SRV)]),
    ("dns.srv.target", named, lambda e: [text_of(r["SRV"]["Name"]) for r in records(e, J.SRV)]),
    ("dns.soa.mname", named, lambda e: [text_of(r["SOA"]["MName"]) for r in records(e, J.SOA)]),
    ("dns.soa.rname", named, lambda e: [text_of(r["SOA"]["RName"]) for r in records(e, J.SOA)]),
    ("dns.soa.serial_number", number, lambda e: [r["SOA"]["Serial"] for r in records(e, J.SOA)]),
    ("dhcp.option.type", number, lambda e: [o["Type"] for o in e["DHCP"]["Options"]] + [0]),
    ("dhcp.option.dhcp", number, lambda e: [d[0] for d in options(e, 53)]),
    ("dhcp.option.hostname", str, lambda e: [d.decode() for d in options(e, 12)]),
    ("dhcp.option.requested_ip_address", str, lambda e: [a for d in options(e, 50) for a in dotted(d)]),
    ("dhcp.option.dhcp_server_id", str, lambda e: [a for d in options(e, 54) for a in dotted(d)]),
    ("dhcp.option.ip_address_lease_time", number, lambda e: [int.from_bytes(d, "big") for d in options(e, 51)]),
    ("dhcp.option.router", str, lambda e: [a for d in options(e, 3) for a in dotted(d)]),
    ("dhcp.option.domain_name_server", str, lambda e: [a for d in options(e, 6) for a in dotted(d)]),
    ("dhcp.option.domain_name", str, lambda e: [d.decode() for d in options(e, 15)]),
    ("dhcp.option.request_list_item", number, lambda e: [item for d in options(e, 55) for item in d]),
]
TRANSPORT = ("tcp.", "udp.", "sctp.", "icmp.", "icmpv6.", "dns.", "dhcp.")


def ip(event, version):
    if event["IP"]["Version"] != version:
        raise KeyError(version)
    return event["IP"]


def four(event):
    return ip(event, 4)


def six(event):
    return ip(event, 6)


def said(get, event, nothing):
    try:
        return get(event)
    except KeyError:
        return nothing


def is_first_fragment(event):
    return event.get("IP", {}).get("Flags", 0) & 1 and event["IP"]["FragOffset"] == 0


def quotes(event):
    return "ICMP" in event or "ICMPv6" in event


class Judge(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.pcap = pathlib.Path(self.directory.name) / "judge.pcap"
        judge_packets.write_pcap(self.pcap)

    def tshark(self):
        """A dictionary of field and values for each packet."""
        names = [name for name, _, _ in FIRST + ALL]
        argv = ["tshark", "-n", "-r", self.pcap, "-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={AGGREGATOR}"]
        for preference in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams", "tcp.analyze_sequence_numbers"):
            argv += ["-o", f"{preference}:FALSE"]
        for name in names:
            argv += ["-e", name]
        lines = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
        return [{name: value.split(AGGREGATOR) if value else [] for name, value in zip(names, line.split(SEPARATOR))}
                for line in lines]

    def nfbus(self):
        with Host(CONFIG, arguments=("--replay", str(self.pcap)), wait=False) as host:
            self.assertEqual(host.wait(60), 0, host.stderr)
            return read_json_lines(host.path("out"))

    def test_both_say_the_same_of_every_packet(self):
        theirs, ours = self.tshark(), self.nfbus()
        self.assertGreaterEqual(len(ours), 2000)
        self.assertEqual(len(ours), len(theirs))
        compared = dict.fromkeys((name for name, _, _ in FIRST + ALL), 0)
        different = []
        for index, (fields, event) in enumerate(zip(theirs, ours)):
            if "DecodeError" in event:
                different.append(f"packet {index + 1}: {event['DecodeError']}")
            for table, nothing in ((FIRST, None), (ALL, [])):
                for name, read, get in table:
                    their = [read(value) for value in fields[name]]
                    if table is FIRST:
                        their = their[0] if their else None
                    our = said(get, event, nothing)
                    if is_first_fragment(event) and name.startswith(TRANSPORT) or quotes(event) and name.startswith("udp."):
                        self.assertEqual(our, nothing, "no transport layer but the outer packet's, none in fragments")
                    elif our != their:
                        different.append(f"packet {index + 1}: {name}: tshark {their!r}, nfbus {our!r}")
                    elif our != nothing:
                        compared[name] += 1
        self.assertEqual(different[:40], [], f"{len(different)} differences")
        never = [name for name, count in compared.items() if count == 0]
        self.assertEqual(never, [], "fields that no packet has")
        print(f"{len(ours)} packets, {sum(compared.values())} values alike")


if __name__ == "__main__":
    main()
