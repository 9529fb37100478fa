"""The ulogd format against Debian's ulogd2: both log the same packets, and every key of every record must agree.

    test_ulogd_parity.py                 the test
    test_ulogd_parity.py --save DIR      writes each packet's record as the kernel sent it (hex) and ulogd2's object to
                                         DIR/NAME.case, for the tests that run without root
"""

import datetime
import json
import os
import pathlib
import socket
import struct
import sys
import tempfile

from nfbustest import IntegrationTest, Namespace, main, read_json_lines, wait_until
from packets import (ACK, AH, CWR, DESTINATION_OPTIONS, ECE, ESP, FIN, HOP_BY_HOP, ICMP, ICMPV6, NO_NEXT, PSH, ROUTING,
                     RST, SCTP, SYN, TCP, UDP, URG, arp, authentication_header, esp, ethernet, icmp, icmpv6, ipv4,
                     ipv6, ipv6_fragment, sctp, send, tcp, udp)

MAC_A, MAC_B, MAC_C, MAC_D = (f"02:00:00:00:00:0{digit}" for digit in "abcd")
A4, B4 = "192.0.2.1", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
UID, GID = 1234, 2345

# The kernel takes the time anew for each group that logs a packet, or leaves it to the reader.
TIME_KEYS = {"timestamp", "oob.time.sec", "oob.time.usec"}
# ulogd2 prints payload bytes of later fragments as ports, lengths and types; nfbus leaves those out (design, section
# 5). For ARP ulogd2 prints numbers of its own memory as arp.saddr.str and arp.daddr.str; nfbus the addresses.
TRANSPORT_KEYS = ("src_port", "dest_port", "tcp.", "udp.", "sctp.", "icmp.")

TCP_OPTIONS = bytes.fromhex("020405b4" "0402" "080a0000000100000002" "01" "030307")  # MSS, SACK, timestamps, NOP, scale
QUOTED4 = ipv4(B4, A4, UDP, udp(5, 6, b"quoted"))[:28]
DATA = bytes(range(64))


def four(protocol, body, **options):
    return ipv4(A4, B4, protocol, body, **options)


def six(next_header, body, **options):
    return ipv6(A6, B6, next_header, body, **options)


# What A sends to B, one record each, caught before defragmentation.
PACKETS = {
    "udp4": four(UDP, udp(40000, 53, b"query")),
    "udp4_tos_ttl_df": four(UDP, udp(1, 65535), tos=0xB8, ttl=1, fragment=0x4000, id=65535),
    "udp4_header_only": four(UDP, udp(7, 9)),
    "udp4_options": four(UDP, udp(1, 2, b"x"), options=bytes.fromhex("94040000")),
    "udp4_cut_header": four(UDP, udp(1, 2)[:7]),
    "udp4_no_body": four(UDP, b""),
    "udp4_wrong_length": four(UDP, struct.pack("!HHHH", 1, 2, 9000, 0) + b"abc"),
    "tcp4_syn": four(TCP, tcp(40001, 443, sequence=0xFFFFFFFF, options=TCP_OPTIONS + b"\0" * 3)),
    "tcp4_data": four(TCP, tcp(22, 22, b"data", flags=PSH | ACK, acknowledgement=77, window=65535)),
    "tcp4_urgent": four(TCP, tcp(1, 2, flags=URG | ACK, urgent=513)),
    "tcp4_congestion": four(TCP, tcp(1, 2, flags=SYN | ECE | CWR)),
    "tcp4_ece": four(TCP, tcp(1, 2, flags=ACK | ECE)),
    "tcp4_all_flags": four(TCP, tcp(1, 2, flags=0xFF, reserved=0x3C, urgent=1)),
    "tcp4_reset": four(TCP, tcp(1, 2, flags=RST)),
    "tcp4_fin": four(TCP, tcp(1, 2, flags=FIN)),
    "tcp4_cut_header": four(TCP, tcp(1, 2)[:19]),
    "tcp4_broken_offset": four(TCP, struct.pack("!HHIIHHHH", 1, 2, 3, 4, 0xF002, 5, 0, 0)),
    "icmp4_echo": four(ICMP, icmp(8, rest=struct.pack("!HH", 7, 9) + DATA)),
    "icmp4_echo_reply": four(ICMP, icmp(0, rest=struct.pack("!HH", 700, 900))),
    "icmp4_unreachable": four(ICMP, icmp(3, 1, b"\0\0\0\0" + QUOTED4)),
    "icmp4_fragmentation_needed": four(ICMP, icmp(3, 4, struct.pack("!HH", 0, 1400) + QUOTED4)),
    "icmp4_redirect": four(ICMP, icmp(5, 1, socket.inet_aton("192.0.2.254") + QUOTED4)),
    "icmp4_parameter_problem": four(ICMP, icmp(12, 0, b"\x14\0\0\0" + QUOTED4)),
    "icmp4_time_exceeded": four(ICMP, icmp(11, 0, b"\0\0\0\0" + QUOTED4)),
    "icmp4_cut_header": four(ICMP, icmp(8)[:5]),
    "sctp4": four(SCTP, sctp(5000, 5001, bytes.fromhex("0100000400000000"))),
    "sctp4_cut_header": four(SCTP, sctp(1, 2)[:11]),
    "ah4_tcp": four(AH, authentication_header(TCP, tcp(1, 2))),
    "esp4": four(ESP, esp(0x01020304, 7)),
    "gre4": four(47, bytes.fromhex("00000800") + QUOTED4),
    "igmp4": four(2, bytes.fromhex("1600e9ff00000000")),
    "unknown4": four(253, DATA),
    "fragment4_first": four(UDP, udp(1, 2, DATA)[:32], fragment=0x2000, id=5),
    "fragment4_later": four(UDP, udp(1, 2, DATA)[32:], fragment=0x2004, id=5),
    "fragment4_last": four(UDP, DATA, fragment=0x0008, id=5),
    "fragment4_later_tcp": four(TCP, DATA, fragment=0x2008, id=6),
    "fragment4_later_icmp": four(ICMP, DATA, fragment=0x0008, id=7),
    "udp6": six(UDP, udp(40000, 53, b"query")),
    "udp6_class_label": six(UDP, udp(1, 2), traffic_class=0xB9, flow_label=0xABCDE, hop_limit=255),
    "udp6_cut_header": six(UDP, udp(1, 2)[:5]),
    "tcp6_syn": six(TCP, tcp(40001, 443, options=TCP_OPTIONS + b"\0" * 3)),
    "tcp6_urgent": six(TCP, tcp(1, 2, flags=URG, urgent=3)),
    "icmp6_echo": six(ICMPV6, icmpv6(128, rest=struct.pack("!HH", 7, 9) + DATA)),
    "icmp6_echo_reply": six(ICMPV6, icmpv6(129, rest=struct.pack("!HH", 7, 9))),
    "icmp6_router_advertisement": six(ICMPV6, icmpv6(134, rest=b"\x40\0\x07\x08" + b"\0" * 8), hop_limit=255),
    "icmp6_too_big": six(ICMPV6, icmpv6(2, rest=struct.pack("!I", 1280) + DATA)),
    "icmp6_cut_header": six(ICMPV6, icmpv6(128)[:6]),
    "sctp6": six(SCTP, sctp(5000, 5001, bytes.fromhex("0100000400000000"))),
    "ah6_udp": six(AH, authentication_header(UDP, udp(1, 2, b"x"))),
    "esp6": six(ESP, esp(0x01020304, 7)),
    "no_next6": six(NO_NEXT, b""),
    "icmp4_in_6": six(ICMP, icmp(8)),
    "unknown6": six(253, DATA),
    "extensions6": six(UDP, udp(1, 2, b"x"), extensions=[(HOP_BY_HOP, b"\0\x01\x04\0\0\0\0"),
                                                         (DESTINATION_OPTIONS, b"\0\x01\x04\0\0\0\0"),
                                                         (ROUTING, b"\x02\x03\0\0\0\0\0" + b"\0" * 16)]),
    "extension6_cut": six(UDP, b"", extensions=[(DESTINATION_OPTIONS, b"\x09\x01\x04\0\0\0\0")]),
    "fragment6_first": six(UDP, udp(1, 2, DATA)[:32], extensions=[ipv6_fragment(0, 1, 0xDEADBEEF)]),
    "fragment6_later": six(UDP, DATA[:32], extensions=[ipv6_fragment(32, 1, 0xDEADBEEF)]),
    "fragment6_last": six(UDP, DATA[:9], extensions=[ipv6_fragment(1480, 0, 3)]),
    "fragment6_atomic": six(TCP, tcp(1, 2), extensions=[ipv6_fragment(0, 0)]),
    "fragment6_later_extension": six(DESTINATION_OPTIONS, DATA[:16], extensions=[ipv6_fragment(8, 0)]),
    "cut20": ipv4("192.0.2.20", B4, UDP, udp(1, 2, DATA)),
    "cut24": ipv4("192.0.2.24", B4, UDP, udp(1, 2, DATA)),
    "cut28": ipv4("192.0.2.28", B4, UDP, udp(1, 2, DATA)),
    "cut10": ipv4("192.0.2.10", B4, UDP, udp(1, 2, DATA)),
    "cut40_tcp": ipv4("192.0.2.40", B4, TCP, tcp(1, 2, DATA)),
    "cut6_39": ipv6("2001:db8::39", B6, UDP, udp(1, 2, DATA)),
    "cut6_44": ipv6("2001:db8::44", B6, UDP, udp(1, 2, DATA)),
    "mapped6": ipv6("::ffff:192.0.2.9", B6, UDP, udp(1, 2)),
    "compatible6": ipv6("::192.0.2.9", B6, UDP, udp(1, 2)),
    "single_zero_group6": ipv6("2001:db8:0:1:1:1:1:1", B6, UDP, udp(1, 2)),
    "two_zero_runs6": ipv6("2001:0:0:1:0:0:0:1", B6, UDP, udp(1, 2)),
    "no_zero_run6": ipv6("fd00:abcd:ef01:2345:6789:abcd:ef01:2345", B6, UDP, udp(1, 2)),
    "link_local6": ipv6("fe80::1:0:0:1", B6, UDP, udp(1, 2)),
}

CUTS4, CUTS6 = (10, 20, 24, 28, 40), (39, 44)

# Case: the port that its packet goes to, the prefix that it is logged with.
PREFIXES = {
    "prefix_escapes": (7101, "back\\ \t<&>/\x01é€\U0001f600 "),
    "prefix_longest": (7102, "p" * 127),
    "prefix_not_utf8": (7103, "latin caf\udce9 "),
    "prefix_none": (7104, None),
}

# Sent by B's own processes, so that the kernel knows whose packets they are.
OWNED_SOCKETS = f"""
import os, socket
os.setgid({GID}); os.setuid({UID})
for family, address in ((socket.AF_INET, "{A4}"), (socket.AF_INET6, "{A6}")):
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 7003))
"""


# ---- The two that are compared ---------------------------------------------------------------------------------------


class Reader:
    """Reads whole NFLOG records of a group in this process' own way (linux/netfilter/nfnetlink_log.h)."""

    SCRIPT = r"""
import socket, struct, sys
NEW, CONFIG, PACKET = 0x400, 0x401, 0x400
def attribute(kind, body):
    return struct.pack("=HH", 4 + len(body), kind) + body + b"\0" * (-len(body) % 4)
def config(group, *attributes):
    body = struct.pack("!BBH", 0, 0, group) + b"".join(attributes)
    s.send(struct.pack("=IHHII", 16 + len(body), CONFIG, 5, 1, 0) + body)
    code, = struct.unpack_from("=i", s.recv(65536), 16)
    if code: sys.exit("refused: %d" % code)
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind((0, 0))
config(int(sys.argv[1]), attribute(1, b"\x01"), attribute(2, struct.pack("!IBx", 0xffff, 2)), attribute(5, struct.pack("!I", 1)))
out = open(sys.argv[2], "w")
out.write("bound\n"); out.flush()
while True:
    data = s.recv(262144)
    while len(data) >= 16:
        size, kind = struct.unpack_from("=IH", data)
        if kind == PACKET: out.write(data[16:size].hex() + "\n"); out.flush()
        data = data[(size + 3) & ~3:]
"""

    def __init__(self, namespace, group, file):
        self.file = pathlib.Path(file)
        self.process = namespace.popen(sys.executable, "-c", self.SCRIPT, group, file)
        wait_until(lambda: self.file.exists() and self.file.read_text(), 10, "the reader")

    def records(self):
        return self.file.read_text().split("\n")[1:-1]


class Ulogd:
    """Debian's ulogd2 with the JSON stack on one group."""

    def __init__(self, namespace, group, label, directory):
        self.file = pathlib.Path(directory) / f"ulogd{group}.json"
        config = pathlib.Path(directory) / f"ulogd{group}.conf"
        log = pathlib.Path(directory) / f"ulogd{group}.log"
        folder = next(pathlib.Path("/usr/lib").glob("*/ulogd"))
        plugins = ("inppkt_NFLOG", "raw2packet_BASE", "filter_IFINDEX", "filter_IP2STR", "filter_HWHDR", "output_JSON")
        config.write_text(f'[global]\nlogfile="{log}"\nloglevel=3\n' +
                          "".join(f'plugin="{folder}/ulogd_{name}.so"\n' for name in plugins) +
                          "stack=l:NFLOG,b:BASE,i:IFINDEX,p:IP2STR,m:HWHDR,j:JSON\n"
                          f"[l]\ngroup={group}\nnumeric_label={label}\nnetlink_qthreshold=1\n"
                          "netlink_socket_buffer_size=8388608\nnetlink_socket_buffer_maxsize=8388609\n"
                          f'[j]\nfile="{self.file}"\nsync=1\nboolean_label=1\ndevice="spr"\n')
        self.process = namespace.popen("ulogd", "-c", config)
        wait_until(lambda: str(group) in namespace.run("cat", "/proc/net/netfilter/nfnetlink_log").stdout.split(), 10,
                   f"ulogd2 to bind group {group}")

    def records(self):
        return read_json_lines(self.file)


# ---- The rules -------------------------------------------------------------------------------------------------------


def rules(groups):
    """Rules that log each packet of the test exactly once to each group."""

    def logs(prefix=None, snaplen=None):
        options = (f'prefix "{prefix}" ' if prefix else "") + (f"snaplen {snaplen} " if snaplen else "")
        return " ".join(f"log {options}group {group}" for group in groups) + " accept"

    cuts = "\n".join([f"ip saddr 192.0.2.{size} {logs('cut ', size)}" for size in CUTS4] +
                     [f"ip6 saddr 2001:db8::{size} {logs('cut ', size)}" for size in CUTS6])
    prefixes = "\n".join(f"udp dport {port} {logs(prefix)}" for port, prefix in PREFIXES.values())
    return f"""
table inet parity {{
  chain early {{
    type filter hook prerouting priority -450
    iifname != "vb" accept
    udp dport 7000-7099 accept
    {cuts}
    {prefixes}
    ip daddr {B4} {logs("drop:input ")}
    ip6 daddr {B6} {logs("lan:in ")}
  }}
  chain input {{
    type filter hook input priority 0
    iifname "lo" udp dport 7001 {logs("input ")}
  }}
  chain forward {{
    type filter hook forward priority 0
    oifname "far" udp dport 7002 {logs("wan:out ")}
  }}
  chain output {{
    type filter hook output priority 0
    udp dport 7003 meta mark set 0x80000001 {logs("output ")}
  }}
  chain postrouting {{
    type filter hook postrouting priority 0
    udp dport 7004 {logs("postrouting ")}
  }}
}}
table netdev parity {{
  chain ingress {{
    type filter hook ingress device "vb" priority 0
    udp dport 7005 {logs("ingress ")}
  }}
}}
table arp parity {{
  chain input {{
    type filter hook input priority 0
    arp saddr ip {A4} {logs("arp ")}
  }}
}}
table bridge parity {{
  chain prerouting {{
    type filter hook prerouting priority 0
    icmpv6 type mld2-listener-report accept
    ether saddr {MAC_C} {logs("drop:mac ")}
  }}
}}
"""


class Scene:
    """A (sends), B (logs) and the packets between them. What is sent before another step is logged before it."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        a.connect(b, "va", "vb", MAC_A, MAC_B)
        a.connect(b, "vc", "port", MAC_C)
        for command in (f"ip addr add {B4}/24 dev vb", f"ip addr add {B6}/64 dev vb nodad",
                        f"ip neigh replace {A4} lladdr {MAC_A} dev vb", f"ip neigh replace {A6} lladdr {MAC_A} dev vb",
                        "ip link add far type veth peer name farther",
                        "ip link set far up arp off", "ip link set farther up",
                        f"ip addr add 198.51.100.1/24 dev far", "ip addr add 2001:db8:1::1/64 dev far nodad",
                        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
                        "ip link add name bridge0 type bridge mcast_snooping 0", "ip link set port master bridge0",
                        "ip link set bridge0 up"):
            b.run(*command.split())

    def play(self):
        """Sends everything and returns the names of the records that must come of it, in order."""
        a, b = self.a, self.b
        cases = dict(PACKETS)
        cases.update({name: four(UDP, udp(1, port)) for name, (port, _) in PREFIXES.items()})
        cases["ingress4"] = four(UDP, udp(1, 7005))
        cases["ingress6"] = six(UDP, udp(1, 7005))
        cases["forward4"] = ipv4(A4, "198.51.100.7", UDP, udp(1, 7002))
        cases["forward6"] = ipv6(A6, "2001:db8:1::7", UDP, udp(1, 7002))
        send(a, [ethernet(MAC_A, MAC_B, 0x0800 if p[0] >> 4 == 4 else 0x86DD, p) for p in cases.values()], device="va")
        frames = {
            "arp_request": ethernet(MAC_A, MAC_B, 0x0806, arp(1, MAC_A, A4, "00:00:00:00:00:00", B4)),
            "arp_reply": ethernet(MAC_A, MAC_B, 0x0806, arp(2, MAC_A, A4, MAC_B, B4)),
        }
        send(a, frames.values(), device="va")
        bridged = {
            "bridge_udp4": ethernet(MAC_C, MAC_D, 0x0800, four(UDP, udp(1, 2, b"x"))),
            "bridge_tcp6": ethernet(MAC_C, MAC_D, 0x86DD, six(TCP, tcp(1, 2))),
            "bridge_arp": ethernet(MAC_C, MAC_D, 0x0806, arp(1, MAC_C, A4, "00:00:00:00:00:00", B4)),
            "bridge_cut_arp": ethernet(MAC_C, MAC_D, 0x0806, arp(1, MAC_C, A4, MAC_D, B4)[:20]),
            "bridge_unknown": ethernet(MAC_C, MAC_D, 0x88B5, DATA),
            "bridge_vlan": ethernet(MAC_C, MAC_D, 0x8100, b"\x20\x05\x08\x00" + four(UDP, udp(1, 2, b"x"))),
        }
        send(a, bridged.values(), device="vc")
        local = {
            "input4": ipv4("127.0.0.1", "127.0.0.2", UDP, udp(1, 7001)),
            "input6": ipv6("::1", "::1", UDP, udp(1, 7001)),
            "postrouting4": ipv4(B4, A4, UDP, udp(1, 7004)),
            "postrouting6": ipv6(B6, A6, UDP, udp(1, 7004)),
        }
        send(b, local.values(), mark=0x01020304)
        b.run(sys.executable, "-c", OWNED_SOCKETS)
        return [*cases, *frames, *bridged, *local, "output4", "output6"]


def groups_are_full(readers, count):
    return all(len(reader.records()) >= count for reader in readers)


class UlogdParity(IntegrationTest):
    ALLOWED, BLOCKED, ULOGD_ALLOWED, ULOGD_BLOCKED = 10, 11, 20, 21

    CONFIG = """
[host]
device = "spr"
[bus]
socket = "@DIR@/server.sock"
[[capture]]
group = 10
action = "allowed"
[[capture]]
group = 11
action = "blocked"
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
"""

    def test_every_key_of_every_record_agrees(self):
        with Namespace() as sender, tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-") as directory:
            scene = Scene(sender, self.namespace)
            ulogds = [Ulogd(self.namespace, self.ULOGD_ALLOWED, 1, directory),
                      Ulogd(self.namespace, self.ULOGD_BLOCKED, 0, directory)]
            host = self.start(self.CONFIG)
            self.namespace.nft(rules((self.ALLOWED, self.BLOCKED, self.ULOGD_ALLOWED, self.ULOGD_BLOCKED)))
            names = scene.play()
            try:
                wait_until(lambda: groups_are_full(ulogds, len(names)), 10, "ulogd2's records")
            finally:
                self.assertEqual([len(u.records()) for u in ulogds], [len(names)] * 2)
            wait_until(lambda: len(read_json_lines(host.path("out"))) >= 2 * len(names), 10, "the host's records")
            self.assertEqual(host.stop(), 0)
            ours = read_json_lines(host.path("out"))
            self.assertEqual(len(ours), 2 * len(names))
            for ulogd, action in zip(ulogds, ("allowed", "blocked")):
                mine = [record for record in ours if record["action"] == action]
                for name, theirs, our in zip(names, ulogd.records(), mine, strict=True):
                    with self.subTest(packet=name, action=action):
                        self.compare(name, theirs, our)

    def compare(self, name, theirs, our):
        later_fragment = (theirs.get("ip.fragoff", 0) & 0x1FFF) != 0
        expected = {key: value for key, value in theirs.items()
                    if not (later_fragment and key.startswith(TRANSPORT_KEYS))}
        for key in TIME_KEYS:
            del expected[key]
        our_time, their_time = (r["oob.time.sec"] + r["oob.time.usec"] / 1e6 for r in (our, theirs))
        self.assertAlmostEqual(our_time, their_time, delta=2)
        written = datetime.datetime.strptime(our["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
        self.assertEqual(written.timestamp(), our_time)
        if "arp.saddr.str" in expected:
            expected.update({"arp.saddr.str": A4, "arp.daddr.str": B4})
        if name == "prefix_not_utf8":
            self.assertNotIn("oob.prefix", theirs)
            self.assertEqual(our["oob.prefix"], "latin caf\ufffd ")
        self.assertEqual({key: our.get(key) for key in expected}, expected)
        self.assertEqual([key for key in our if key in theirs],
                         [key for key in theirs if key in our], "the order of keys")


def save(directory):
    """Writes NAME.case for each packet: the record as the kernel sent it, in hex, and ulogd2's object."""
    directory = pathlib.Path(directory)
    with Namespace() as a, Namespace() as b, tempfile.TemporaryDirectory() as scratch:
        scene = Scene(a, b)
        reader = Reader(b, 30, f"{scratch}/records")
        ulogds = [Ulogd(b, 20, 1, scratch), Ulogd(b, 21, 0, scratch)]
        b.nft(rules((20, 21, 30)))
        names = scene.play()
        wait_until(lambda: groups_are_full([reader, *ulogds], len(names)), 10, "the records")
        lists = [reader.records(), *(ulogd.records() for ulogd in ulogds)]
        assert all(len(records) == len(names) for records in lists), list(map(len, lists))
        for index, (name, record, allowed, blocked) in enumerate(zip(names, *lists)):
            text = json.dumps(allowed if index % 2 else blocked, ensure_ascii=False)
            (directory / f"{name}.case").write_text(f"{record}\n{text}\n")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--save":
        save(sys.argv[2])
    else:
        main()
