"""The packets that tshark and nfbus must read alike: of every protocol that nfbus knows, well formed, the same in each
run. frames() gives them as Ethernet frames; write_pcap() writes them. Used by tests/integration/test_tshark_judge.py."""

import random
import socket
import struct

from packets import (DESTINATION_OPTIONS, HOP_BY_HOP, ICMP, ICMPV6, ROUTING, SCTP, TCP, UDP, arp, ethernet, icmp,
                     icmpv6, ipv4, ipv6, ipv6_fragment, sctp, tcp, udp)

COUNT = 2400

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def u8(self):
        return self.random.randrange(1 << 8)

    def u16(self):
        return self.random.randrange(1 << 16)

    def u32(self):
        return self.random.randrange(1 << 32)

    def data(self, most=40):
        return self.random.randbytes(self.random.randrange(most))

    def mac(self):
        return ":".join(f"{byte:02x}" for byte in b"\x02" + self.random.randbytes(5))

    def address4(self):
        return socket.inet_ntoa(bytes([self.random.choice((10, 100, 192, 198, 203))]) + self.random.randbytes(3))

    def address6(self):
        words = [0x2001, 0xdb8] + [self.random.choice((0, 0, self.u16())) for _ in range(6)]
        return socket.inet_ntop(socket.AF_INET6, struct.pack("!8H", *words))

    def port(self):
        """None that tshark or nfbus reads more into."""
        return self.random.randrange(50000, 60000)

    # ---- IP and link

    def packet(self, protocol, body, **four):
        """In IPv4 or IPv6, with options or extension headers now and then."""
        if four or self.random.random() < 0.5:
            if not four and self.random.random() < 0.15:
                four["options"] = self.random.choice((b"\x94\x04\0\0", b"\x01\x01\x01\0", b"\x07\x07\x04" + b"\0" * 5))
            return self.packet4(protocol, body, **four)
        extensions = [entry for entry in (
            (HOP_BY_HOP, bytes([0, 5, 2, 0, 0, 1, 0])), (ROUTING, bytes([0, 253, 0]) + b"\0" * 4),
            (DESTINATION_OPTIONS, bytes([0, 1, 4]) + b"\0" * 4)) if self.random.random() < 0.08]
        return self.packet6(protocol, body, extensions)

    def packet4(self, protocol, body, **more):
        return 0x0800, ipv4(self.address4(), self.address4(), protocol, body, id=self.u16(),
                            ttl=self.random.randrange(1, 256), tos=self.u8(), **more)

    def packet6(self, protocol, body, extensions=()):
        return 0x86dd, ipv6(self.address6(), self.address6(), protocol, body, hop_limit=self.random.randrange(1, 256),
                            traffic_class=self.u8(), flow_label=self.random.randrange(1 << 20), extensions=extensions)

    def frame(self, ether_type, packet):
        if self.random.random() < 0.1:
            packet = struct.pack("!HH", self.u16(), ether_type) + packet
            ether_type = 0x8100
        return ethernet(self.mac(), self.mac(), ether_type, packet)

    # ---- Transport

    def tcp(self):
        options = self.random.choice((b"", b"\x02\x04\x05\xb4", b"\x01\x01\x08\x0a" + self.random.randbytes(8),
                                      b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + self.random.randbytes(8) + b"\x01\x03\x03\x07"))
        return self.packet(TCP, tcp(self.port(), self.port(), self.data(), sequence=self.u32(), acknowledgement=self.u32(),
                                    flags=self.random.randrange(512), window=self.u16(), urgent=self.u16(),
                                    options=options))

    def udp(self):
        return self.packet(UDP, udp(self.port(), self.port(), self.data()))

    def sctp(self):
        chunk = struct.pack("!BBHIHHI", 0, 3, 20, self.u32(), 1, 1, 0) + self.random.randbytes(4)
        return self.packet(SCTP, sctp(self.port(), self.port(), chunk, tag=self.u32()))

    def icmp(self):
        inner = ipv4(self.address4(), self.address4(), UDP, udp(self.port(), self.port(), b"inner"))
        kind, code, rest = self.random.choice((
            (8, 0, struct.pack("!HH", self.u16(), self.u16()) + self.data()),
            (0, 0, struct.pack("!HH", self.u16(), self.u16()) + self.data()),
            (3, self.random.randrange(4), b"\0" * 4 + inner),
            (3, 4, struct.pack("!HH", 0, self.u16()) + inner),
            (5, 1, socket.inet_aton(self.address4()) + inner),
            (11, 0, b"\0" * 4 + inner),
            (12, 0, bytes([self.random.randrange(20), 0, 0, 0]) + inner)))
        return self.packet4(ICMP, icmp(kind, code, rest))

    def icmpv6(self):
        inner = ipv6(self.address6(), self.address6(), UDP, udp(self.port(), self.port(), b"inner"))
        target = socket.inet_pton(socket.AF_INET6, self.address6())
        kind, code, rest = self.random.choice((
            (128, 0, struct.pack("!HH", self.u16(), self.u16()) + self.data()),
            (129, 0, struct.pack("!HH", self.u16(), self.u16()) + self.data()),
            (1, self.random.randrange(5), b"\0" * 4 + inner),
            (2, 0, struct.pack("!I", self.u16()) + inner),
            (3, 0, b"\0" * 4 + inner),
            (4, 1, struct.pack("!I", self.random.randrange(40)) + inner),
            (135, 0, b"\0" * 4 + target + b"\x01\x01" + b"\x02" * 6),
            (136, 0, b"\xe0\0\0\0" + target + b"\x02\x01" + b"\x02" * 6)))
        return self.packet6(ICMPV6, icmpv6(kind, code, rest))

    def arp(self):
        return 0x0806, arp(self.random.choice((1, 2)), self.mac(), self.address4(), self.mac(), self.address4())

    def fragment(self):
        body = udp(self.port(), self.port(), b"f" * 48)
        first = self.random.random() < 0.5
        offset = 0 if first else self.random.randrange(1, 4000)
        more = first or self.random.random() < 0.5
        if self.random.random() < 0.5:
            return self.packet4(UDP, body, fragment=offset | (0x2000 if more else 0))
        return self.packet6(UDP, body, [ipv6_fragment(offset * 8, more, self.u32())])

    # ---- DNS

    def name(self):
        labels = [self.random.choice(("www", "mail", "ns1", "a-b", "x" * 40, "_sip", "n0")),
                  self.random.choice(("example", "test", "lan-7")), self.random.choice(("org", "com", "local"))]
        return ".".join(labels[self.random.randrange(3):])

    @staticmethod
    def wire_name(name):
        return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"

    def record(self, kind, owner):
        data = {
            A: lambda: self.random.randbytes(4),
            AAAA: lambda: socket.inet_pton(socket.AF_INET6, self.address6()),
            CNAME: lambda: self.wire_name(self.name()),
            NS: lambda: self.wire_name(self.name()),
            PTR: lambda: self.wire_name(self.name()),
            MX: lambda: struct.pack("!H", self.u16()) + self.wire_name(self.name()),
            TXT: lambda: b"".join(bytes([len(text)]) + text for text in (b"v=spf1 -all", b"two")[:self.random.randrange(1, 3)]),
            SRV: lambda: struct.pack("!HHH", self.u16(), self.u16(), self.u16()) + self.wire_name(self.name()),
            SOA: lambda: self.wire_name(self.name()) + self.wire_name(self.name()) + struct.pack(
                "!IIIII", self.u32(), 7200, 3600, 1209600, 300),
        }[kind]()
        return owner + struct.pack("!HHIH", kind, 1, self.random.randrange(1 << 31), len(data)) + data

    def dns_message(self):
        kinds = (A, AAAA, CNAME, NS, PTR, MX, TXT, SRV, SOA)
        question = self.wire_name(self.name()) + struct.pack("!HH", self.random.choice(kinds), 1)
        if self.random.random() < 0.4:
            return struct.pack("!HHHHHH", self.u16(), 0x0100, 1, 0, 0, 0) + question
        sections = [self.random.randrange(4), self.random.randrange(2), self.random.randrange(2)]
        records = b""
        for _ in range(sum(sections)):
            kind = self.random.choice(kinds)
            owner = self.random.choice((b"\xc0\x0c", self.wire_name(self.name())))
            records += self.record(kind, b"\x04_sip\x04_tcp" + owner if kind == SRV else owner)
        flags = 0x8000 | self.random.choice((0x0580, 0x0180, 0x0183, 0x0400))
        return struct.pack("!HHHHHH", self.u16(), flags, 1, *sections) + question + records

    def dns(self):
        message = self.dns_message()
        response = message[2] & 0x80
        ports = (53, self.port()) if response else (self.port(), 53)
        kind = self.random.random()
        if kind < 0.6:
            return self.packet(UDP, udp(*ports, message))
        if kind < 0.8:
            return self.packet(UDP, udp(5353, 5353, message))
        return self.packet(TCP, tcp(*ports, struct.pack("!H", len(message)) + message, sequence=self.u32(),
                                    acknowledgement=self.u32(), flags=0x18, window=self.u16()))

    # ---- DHCP

    def dhcp(self):
        request = self.random.random() < 0.5
        client = bytes.fromhex(self.mac().replace(":", ""))
        option = lambda kind, data: bytes([kind, len(data)]) + data
        address = lambda: self.random.randbytes(4)
        options = option(53, bytes([self.random.randrange(1, 9)]))
        for kind, data in ((12, b"host-" + str(self.u16()).encode()), (50, address()), (54, address()),
                           (51, struct.pack("!I", self.u32())), (1, b"\xff\xff\xff\0"), (3, address()),
                           (6, address() + address()), (15, b"example.org"), (61, b"\x01" + client),
                           (55, bytes([1, 3, 6, 15, 119])), (60, b"vendor"), (57, struct.pack("!H", self.u16()))):
            if self.random.random() < 0.5:
                options += option(kind, data)
        message = struct.pack("!BBBBIHH", 1 if request else 2, 1, 6, 0, self.u32(), self.u16(), 0x8000 * (self.u8() & 1))
        message += address() + address() + address() + address() + client + b"\0" * 10
        message += b"server".ljust(64, b"\0") + b"boot".ljust(128, b"\0") + bytes.fromhex("63825363") + options + b"\xff"
        ports = (68, 67) if request else (67, 68)
        return self.packet4(UDP, udp(*ports, message))


def frames(seed=20261123):
    """COUNT frames."""
    maker = Maker(seed)
    kinds = (maker.tcp, maker.tcp, maker.udp, maker.udp, maker.sctp, maker.icmp, maker.icmpv6, maker.arp, maker.fragment,
             maker.dns, maker.dns, maker.dns, maker.dhcp)
    return [maker.frame(*kinds[i % len(kinds)]()) for i in range(COUNT)]


def write_pcap(path):
    """A pcap file with Ethernet frames, a millisecond apart."""
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames()):
            out.write(struct.pack("=IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(frame), len(frame)) + frame)
