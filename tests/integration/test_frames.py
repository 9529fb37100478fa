'''Frames of every link type, through a replay and out again: what comes out is what went in, and tshark agrees about it.'''

import base64
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from nfbustest import Host, main, read_json_lines
from packets import HOP_BY_HOP, TCP, UDP, ethernet, ipv4, ipv6, tcp, udp

NULL, ETHERNET, PPP, PPP_SERIAL, PPP_ETHER, RAW, C_HDLC, LOOP, SLL, PPP_PPPD, SLL2 = (
    0, 1, 9, 50, 51, 101, 104, 108, 113, 166, 276)
NEAR, FAR = "02:00:00:00:00:01", "02:00:00:00:00:02"

FOUR = ipv4("192.0.2.1", "192.0.2.2", UDP, udp(4000, 53))
SIX = ipv6("2001:db8::1", "2001:db8::2", UDP, udp(4000, 53))


def write(path, link, frames, snaplen=0x40000):
    '''frames: bytes, or (bytes, length on the wire).'''
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link))
        for i, frame in enumerate(frames):
            data, length = frame if isinstance(frame, tuple) else (frame, len(frame))
            file.write(struct.pack("<IIII", 1_700_000_000 + i, 0, len(data), length) + data)


def read(path):
    content, at, frames = pathlib.Path(path).read_bytes(), 24, []
    while at < len(content):
        size, length = struct.unpack_from("<II", content, at + 8)
        frames.append((content[at + 16:at + 16 + size], length))
        at += 16 + size
    return frames


def tshark(path, *fields):
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        argv += ["-e", field]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


class Frames(unittest.TestCase):
    SINKS = "".join(f'[sink.{link}]\nplugin = "pcap"\nfile = "@DIR@/{link}"\nlink = "{link}"\n'
                    for link in ("ethernet", "nflog", "raw"))

    def replay(self, link, frames):
        '''What became of each frame, in the packet form; its files stand in self.host's folder.'''
        with tempfile.NamedTemporaryFile(suffix=".pcap", delete=False) as file:
            self.addCleanup(os.unlink, file.name)
        write(file.name, link, frames)
        self.capture = file.name
        self.host = Host('[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/out"\nformat = "packet"\n'
                         '[sink.flat]\nplugin = "jsonl"\nfile = "@DIR@/flat"\nformat = "ulogd"\n' + self.SINKS,
                         arguments=["--replay", file.name], wait=False)
        self.addCleanup(self.host.close)
        self.assertEqual(self.host.wait(60), 0, self.host.stderr)
        lines = read_json_lines(self.host.path("out"))
        self.assertEqual(len(lines), len(frames), "no frame is lost")
        return lines

    def test_tags_leave_a_replay_as_they_came(self):
        def tagged(tags, kind, body):
            first, *others = [*tags, (kind, None)]
            data = b""
            for (_, tci), (following, _) in zip(tags, others):
                data += struct.pack("!HH", tci, following)
            return ethernet(NEAR, FAR, first[0], data + body)

        stacks = [[(0x8100, 5)], [(0x88A8, 0x2005), (0x8100, 0x6006)], [(0x8100, 5), (0x8100, 6)],
                  [(0x9100, 5), (0x8100, 6)], [(0x8100, 5), (0x9100, 6)], [(0x9100, 9)], [(0x88A8, 1)],
                  [(0x88A8, 5), (0x8100, 6), (0x8100, 7)], [(0x9100, 5), (0x88A8, 6), (0x8100, 7)],
                  [(0x8100, i) for i in range(1, 40)]]
        frames = [tagged(tags, kind, body) for tags in stacks for kind, body in ((0x0800, FOUR), (0x86DD, SIX))]
        cut = frames[2][:20]  # within the second tag
        other = tagged([(0x88A8, 5), (0x8100, 6)], 0x88CC, bytes(20))
        lines = self.replay(ETHERNET, [*frames, other, cut])
        for line, tags in zip(lines, [tags for tags in stacks for _ in range(2)]):
            protocol, tci = tags[0]
            self.assertEqual(line["VLAN"], {"Id": tci & 0xFFF, "Priority": tci >> 13, "DropEligible": False,
                                            "Protocol": protocol})
            self.assertEqual(line["UDP"]["DstPort"], 53)
            self.assertNotIn("DecodeError", line)
        self.assertEqual(lines[-1]["DecodeError"], "VLAN: tag cut short")
        written = [data for data, _ in read(self.host.path("ethernet"))]
        self.assertEqual(written, [*frames, other, cut])
        self.assertEqual([data for data, _ in read(self.host.path("raw"))], [FOUR, SIX] * len(stacks))
        shown = tshark(self.host.path("nflog"), "ip.dst", "ipv6.dst", "udp.dstport")
        few = len(stacks) - 1  # beyond 16 tags the record has some of them in its payload
        self.assertEqual(shown[:2 * few], [["192.0.2.2", "", "53"], ["", "2001:db8::2", "53"]] * few)

    def test_links_without_a_header_of_ours_are_read_as_tshark_reads_them(self):
        cases = {
            NULL: [bytes([2, 0, 0, 0]) + FOUR, bytes([0, 0, 0, 2]) + FOUR, bytes([30, 0, 0, 0]) + SIX,
                   bytes([0, 0, 0, 24]) + SIX, bytes([28, 0, 0, 0]) + SIX],
            LOOP: [bytes([0, 0, 0, 2]) + FOUR, bytes([0, 0, 0, 24]) + SIX],
            PPP: [b"\xff\x03\x00\x21" + FOUR, b"\x00\x57" + SIX, b"\x21" + FOUR, b"\xff\x03\x57" + SIX],
            PPP_SERIAL: [b"\xff\x03\x00\x21" + FOUR, b"\xff\x03\x00\x57" + SIX],
            PPP_ETHER: [b"\x11\0\0\1" + struct.pack("!H", 2 + len(FOUR)) + b"\x00\x21" + FOUR,
                        b"\x11\0\0\1" + struct.pack("!H", 2 + len(SIX)) + b"\x00\x57" + SIX],
            C_HDLC: [b"\x0f\x00\x08\x00" + FOUR, b"\x8f\x00\x86\xdd" + SIX],
            SLL: [struct.pack("!HHH8sH", 4, 1, 6, b"\2\0\0\0\0\1\0\0", 0x0800) + FOUR],
            SLL2: [struct.pack("!HHIHBB8s", 0x86DD, 0, 3, 1, 4, 6, b"\2\0\0\0\0\1\0\0") + SIX],
        }
        for link, frames in cases.items():
            with self.subTest(link=link):
                lines = self.replay(link, frames)
                ours = [[str(line["UDP"]["DstPort"]), str(line["IP"]["Version"])] for line in lines]
                shown = tshark(self.capture, "udp.dstport", "ip.version", "ipv6.version")
                self.assertEqual(ours, [[port, four or six] for port, four, six in shown])
                self.assertFalse([line for line in lines if "DecodeError" in line])

    def test_what_has_left_has_its_interface_as_the_one_that_it_left_by(self):
        head = lambda kind: struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, kind, 6, b"\2\0\0\0\0\1\0\0") + FOUR
        self.replay(SLL2, [head(4), head(0), head(2)])
        flat = read_json_lines(self.host.path("flat"))
        self.assertEqual([(line.get("oob.ifindex_in"), line.get("oob.ifindex_out")) for line in flat],
                         [(None, 3), (3, None), (3, None)])
        self.assertEqual([line.get("raw.mac.addrlen") for line in flat], [None, 6, 6])

    def test_what_is_empty_short_or_no_ip_is_an_event_and_not_taken_for_ip(self):
        addresses = bytes.fromhex((FAR + NEAR).replace(":", ""))
        frames = [b"", *(addresses[:size] for size in (1, 6, 12)), addresses + b"\x08", addresses + b"\0\0" + FOUR,
                  addresses + b"\0\0" + SIX, addresses + struct.pack("!H", len(FOUR)) + FOUR, addresses + b"\x08\0"]
        lines = self.replay(ETHERNET, frames)
        for line in lines:
            self.assertNotIn("IP", line)
            self.assertNotIn("UDP", line)
        self.assertEqual([line.get("DecodeError") for line in lines],
                         ["link layer: no bytes captured behind its header", *["Ethernet: header cut short"] * 4, None, None,
                          None, "IPv4: header cut short"])
        self.replay(SLL, [b"", b"\0" * 10, struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 4) + FOUR])
        self.replay(PPP, [b"", b"\xff\x03\xc0\x21" + FOUR])

    def test_a_packet_beyond_an_attribute_keeps_its_length(self):
        whole = ipv4("192.0.2.1", "192.0.2.2", UDP, udp(4000, 9, bytes(65535 - 28)))
        frame = ethernet(NEAR, FAR, 0x0800, whole)
        lines = self.replay(ETHERNET, [frame])
        self.assertEqual(lines[0]["IP"]["Length"], 65535)
        self.assertNotIn("DecodeError", lines[0])
        self.assertEqual(read(self.host.path("ethernet")), [(frame[:14 + 65531], len(frame))])
        self.assertEqual(read(self.host.path("raw")), [(whole[:65531], 65535)])

    def test_a_jumbogram_is_as_long_as_its_option_says(self):
        length = 70_000
        head = struct.pack("!IHBB", 6 << 28, 0, HOP_BY_HOP, 64) + SIX[8:40]
        option = struct.pack("!BBBBI", UDP, 0, 0xC2, 4, length)
        packet = head + option + struct.pack("!HHHH", 4000, 9, 0, 1) + bytes(length - 16)
        wrong = head + struct.pack("!BBBBI", UDP, 0, 0xC2, 4, 1000) + udp(4000, 9)
        without = head + struct.pack("!BBBBI", UDP, 0, 1, 4, 0) + udp(4000, 9)
        lines = self.replay(RAW, [packet, (packet[:100], len(packet)), wrong, without])
        self.assertEqual([line["IP"]["Length"] for line in lines], [65535, 65535, len(wrong), len(without)])
        self.assertEqual([line.get("DecodeError") for line in lines],
                         [None, None, "IPv6: jumbo payload length below 65536",
                          "IPv6: payload length 0 without a jumbo payload option"])
        self.assertEqual([line["UDP"]["DstPort"] for line in lines], [9] * 4)
        self.assertEqual([(len(data), size) for data, size in read(self.host.path("raw"))],
                         [(65531, 40 + length), (100, 40 + length), (len(wrong),) * 2, (len(without),) * 2])
        self.assertEqual(tshark(self.host.path("raw"), "frame.len", "ipv6.opt.jumbo")[:2],
                         [[str(40 + length), str(length)]] * 2)

    def test_a_dns_message_that_snaplen_cut_has_its_question_and_blames_the_cut(self):
        name = b"\3www\7example\3org\0"
        question = name + struct.pack("!HH", 1, 1)
        answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4)
        message = struct.pack("!6H", 7, 0x8180, 1, 2, 0, 0) + question + answer + b"\xc0\0\2\1" + answer + b"\xc0\0\2\2"
        over_udp = ethernet(NEAR, FAR, 0x0800, ipv4("192.0.2.1", "192.0.2.2", UDP, udp(53, 4000, message)))
        over_tcp = ethernet(NEAR, FAR, 0x0800, ipv4("192.0.2.1", "192.0.2.2", TCP,
                                                    tcp(53, 4000, struct.pack("!H", len(message)) + message, flags=24)))
        frames = [(frame[:-cut], len(frame)) for frame in (over_udp, over_tcp) for cut in (1, 20, 40)]
        # The packet itself ends within the message: nobody cut that.
        short = ethernet(NEAR, FAR, 0x0800, ipv4("192.0.2.1", "192.0.2.2", UDP, udp(53, 4000, message[:-1])))
        lines = self.replay(ETHERNET, [*frames, over_udp, short])
        for line, answers in zip(lines, [1, 0, 0] * 2):
            self.assertEqual(line["DecodeError"], "DNS: message cut by snaplen")
            self.assertEqual(line["DNS"]["ANCount"], 2)
            self.assertEqual(len(line["DNS"]["Answers"] or []), answers)
        asked = [[base64.b64decode(q["Name"]).decode() for q in line["DNS"]["Questions"] or []] for line in lines[:6]]
        self.assertEqual(asked, [["www.example.org"], ["www.example.org"], []] * 2)
        self.assertNotIn("DecodeError", lines[6])
        self.assertEqual(lines[7]["DecodeError"], "DNS: record longer than the message")

    def test_dhcp_options_go_on_in_file_and_server_name(self):
        head = struct.pack("!BBBBIHH", 2, 1, 6, 0, 99, 0, 0) + bytes(16) + b"\2\0\0\0\0\1" + bytes(10)
        name = (b"\x0f\x0bexample.org\xff" + bytes(64))[:64]
        file = (b"\x0c\x04host\xff" + bytes(128))[:128]
        messages = {value: head + name + file + b"\x63\x82\x53\x63" + bytes([53, 1, 2, 52, 1, value, 255])
                    for value in (1, 2, 3, 4)}
        frames = [ethernet(NEAR, FAR, 0x0800, ipv4("192.0.2.1", "192.0.2.2", UDP, udp(67, 68, message)))
                  for message in messages.values()]
        lines = self.replay(ETHERNET, frames)
        kinds = [[option["Type"] for option in line["DHCP"]["Options"]] for line in lines[:3]]
        self.assertEqual(kinds, [[53, 52, 12], [53, 52, 15], [53, 52, 12, 15]])
        names = tshark(self.capture, "dhcp.option.hostname", "dhcp.option.domain_name")
        self.assertEqual(names[:3], [["host", ""], ["", "example.org"], ["host", "example.org"]])
        self.assertEqual(base64.b64decode(lines[2]["DHCP"]["Options"][3]["Data"]), b"example.org")
        self.assertEqual(lines[3]["DecodeError"], "DHCP: option overload is none of 1, 2 and 3")


if __name__ == "__main__":
    main()
