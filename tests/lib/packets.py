'''Packets as bytes, with their checksums, and sending them through a namespace of nfbustest.'''

import json
import socket
import struct
import sys

HOP_BY_HOP, ICMP, TCP, UDP, ROUTING, FRAGMENT, ESP, AH, ICMPV6, NO_NEXT, DESTINATION_OPTIONS, SCTP = (
    0, 1, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132)

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


def internet_checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data):
    """RFC 9260, appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def ipv4(source, destination, protocol, body, *, id=1, ttl=64, tos=0, fragment=0, options=b""):
    """An IPv4 packet. fragment: the raw 16 bits of flags and offset. TCP, UDP and ICMPv6-like sums are filled in."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    if not fragment & 0x1FFF:
        body = _with_checksum(protocol, body, addresses + struct.pack("!BBH", 0, protocol, len(body)))
    size = 20 + len(options)
    header = struct.pack("!BBHHHBBH", 0x40 | size // 4, tos, size + len(body), id, fragment, ttl, protocol, 0)
    header += addresses + options
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + body


def ipv6(source, destination, next_header, body, *, hop_limit=64, traffic_class=0, flow_label=0, extensions=()):
    """An IPv6 packet. extensions: (type, bytes after the next-header byte) in order; next_header: what `body` is."""
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    if not any(kind == FRAGMENT for kind, _ in extensions):
        body = _with_checksum(next_header, body, addresses + struct.pack("!IHBB", len(body), 0, 0, next_header))
    kinds = [kind for kind, _ in extensions] + [next_header]
    for (_, content), following in reversed(list(zip(extensions, kinds[1:]))):
        body = bytes([following]) + content + body
    first = 6 << 28 | traffic_class << 20 | flow_label
    return struct.pack("!IHBB", first, len(body), kinds[0], hop_limit) + addresses + body


def ipv6_fragment(offset, more, id=1):
    """An entry of ipv6(extensions=): offset in bytes, a multiple of 8."""
    return FRAGMENT, struct.pack("!BHI", 0, offset | more, id)


def _with_checksum(protocol, body, pseudo_header):
    offset = {TCP: 16, UDP: 6, ICMPV6: 2}.get(protocol)
    if offset is None or len(body) < offset + 2:
        return body
    value = internet_checksum(pseudo_header + body[:offset] + b"\0\0" + body[offset + 2:])
    return body[:offset] + struct.pack("!H", value or 0xFFFF) + body[offset + 2:]


def tcp(source_port, destination_port, data=b"", *, sequence=1, acknowledgement=0, flags=SYN, window=1024, urgent=0,
        options=b"", reserved=0):
    """A TCP segment; ipv4() or ipv6() fills in its sum. options: padded by the caller; reserved: RFC 793's 6 bits."""
    words = (20 + len(options)) // 4
    bits = words << 12 | reserved << 6 | flags
    return struct.pack("!HHIIHHHH", source_port, destination_port, sequence, acknowledgement, bits, window, 0,
                       urgent) + options + data


def udp(source_port, destination_port, data=b""):
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(data), 0) + data


def icmp(kind, code=0, rest=b"\0\0\0\0"):
    head = struct.pack("!BBH", kind, code, 0) + rest
    return head[:2] + struct.pack("!H", internet_checksum(head)) + head[4:]


def icmpv6(kind, code=0, rest=b"\0\0\0\0"):
    """ipv6() fills in its sum."""
    return struct.pack("!BBH", kind, code, 0) + rest


def sctp(source_port, destination_port, chunks=b"", tag=1):
    head = struct.pack("!HHII", source_port, destination_port, tag, 0) + chunks
    return head[:8] + struct.pack("<I", crc32c(head)) + head[12:]


def authentication_header(next_header, body, spi=1, sequence=1, icv=b"\0" * 12):
    """RFC 4302, for the AH protocol."""
    return struct.pack("!BBHII", next_header, (12 + len(icv)) // 4 - 2, 0, spi, sequence) + icv + body


def esp(spi=1, sequence=1, data=b"\0" * 16):
    """RFC 4303."""
    return struct.pack("!II", spi, sequence) + data


def ethernet(source, destination, ether_type, body):
    """A frame. Addresses as in 02:00:00:00:00:01."""
    return bytes.fromhex((destination + source).replace(":", "")) + struct.pack("!H", ether_type) + body


def arp(operation, sender_mac, sender, target_mac, target):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + bytes.fromhex(sender_mac.replace(":", "")) +
            socket.inet_aton(sender) + bytes.fromhex(target_mac.replace(":", "")) + socket.inet_aton(target))


_SENDER = r"""
import json, socket, sys, time
job = json.load(sys.stdin)
packets = [bytes.fromhex(p) for p in job["packets"]]
if job["device"]:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((job["device"], 0))
else:
    four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    six.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
    for s in (four, six):
        if job["mark"]: s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, job["mark"])
for _ in range(job["repeat"]):
    for p in packets:
        if job["device"]: link.send(p)
        elif p[0] >> 4 == 4: four.sendto(p, (socket.inet_ntoa(p[16:20]), 0))
        else: six.sendto(p, (socket.inet_ntop(socket.AF_INET6, p[24:40]), 0))
        if job["pause"]: time.sleep(job["pause"])
"""


def send(namespace, packets, *, device=None, repeat=1, mark=0, pause_seconds=0):
    """Sends IP packets through raw sockets (the kernel routes them, and fills in IPv4's total length and checksum), or
    with `device` whole frames out of that device."""
    job = {"packets": [bytes(p).hex() for p in packets], "device": device, "repeat": repeat, "mark": mark,
           "pause": pause_seconds}
    namespace.run(sys.executable, "-c", _SENDER, input=json.dumps(job), timeout=120)
