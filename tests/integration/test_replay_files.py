'''Capture files as people have them: made, converted, merged and compressed by editcap, mergecap, gzip and zstd; read,
and written again, as tshark says.'''

import datetime
import os
import pathlib
import pty
import resource
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import nfbustest
from capture_files import tshark
from nfbustest import NFBUS_BIN, Host, end_process, run_nfbus, wait_until
from packets import UDP, ethernet, ipv4, udp

RAW, ETHERNET, NFLOG, USB = 101, 1, 239, 189
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")


def packet(port, size=10):
    return ipv4("192.0.2.1", "192.0.2.2", UDP, udp(999, port, bytes(size)))


def frame(port):
    return ethernet(*MACS, 0x0800, packet(port))


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def record(port, group=0, prefix="own ", in_index=0, out_index=0):
    """linux/netfilter/nfnetlink_log.h"""
    return (struct.pack("!BBH", 2, 0, group) + attribute(1, struct.pack("!HBx", 0x0800, 1)) +
            attribute(10, prefix.encode() + b"\0") + (attribute(4, struct.pack("!I", in_index)) if in_index else b"") +
            (attribute(5, struct.pack("!I", out_index)) if out_index else b"") + attribute(9, packet(port)))


def classic(link, frames, second=1_700_000_000):
    packets = (struct.pack("<IIII", second + i, 250_000, len(bytes_), len(bytes_)) + bytes_
               for i, bytes_ in enumerate(frames))
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link) + b"".join(packets)


def block(kind, body):
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def pcapng(interfaces, packets):
    """interfaces: (link, name, options); packets: (interface, ticks, frame)."""
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, name, *options in interfaces:
        body = struct.pack("<HHI", link, 0, 0)
        for code, value in ([(2, name.encode())] if name else []) + options:
            body += struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
        out += block(1, body + bytes(4))
    for interface, ticks, bytes_ in packets:
        out += block(6, struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(bytes_), len(bytes_)) +
                     bytes_ + bytes(-len(bytes_) % 4))
    return out


def tool(*argv, **options):
    return subprocess.run(list(map(str, argv)), check=True, capture_output=True, timeout=60, **options).stdout


class ReplayTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)

    def file(self, name, content=None):
        path = self.folder / name
        if content is not None:
            path.write_bytes(content)
        return path

    def config(self, text='[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/out"\nformat = "packet"\n'):
        path = self.file("nfbus.toml", text.replace("@DIR@", str(self.folder)).encode())
        path.chmod(0o644)
        return path

    def events(self, *arguments, status=0, config=None, **options):
        """What a sink got of a replay."""
        self.file("out").unlink(missing_ok=True)
        done = run_nfbus("run", "-c", config or self.config(), *arguments, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr
        return nfbustest.read_json_lines(self.file("out"))

    def ports(self, *arguments, **options):
        return [event["UDP"]["DstPort"] for event in self.events(*arguments, **options)]

    def lines(self, *arguments, status=0, **options):
        done = run_nfbus("run", *arguments, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr
        return done.stdout.splitlines()


class Formats(ReplayTest):
    def test_files_that_editcap_converts_are_all_the_same(self):
        original = self.file("in.pcap", classic(ETHERNET, map(frame, range(1, 40))))
        expected = self.events("--replay", original)
        self.assertEqual(len(expected), 39)
        for form in ("pcapng", "nsecpcap", "modpcap"):
            converted = self.file(f"in.{form}")
            tool("editcap", "-F", form, original, converted)
            self.assertEqual(self.events("--replay", converted), expected, form)

    def test_a_merged_capture_of_several_link_types_is_what_tshark_says_it_is(self):
        self.file("a", classic(RAW, map(packet, range(100, 120))))
        self.file("b", classic(ETHERNET, map(frame, range(200, 220))))
        self.file("c", pcapng([(NFLOG, "wan", (9, b"\x09"))],
                              [(0, (1_700_000_000 + i) * 10**9 + 123, record(300 + i)) for i in range(20)]))
        merged = self.file("merged")
        tool("mergecap", "-F", "pcapng", "-w", merged, self.file("a"), self.file("b"), self.file("c"))
        judged = tshark(merged, "frame.time_epoch", "udp.dstport")
        events = self.events("--replay", merged)
        self.assertEqual(len(judged), 60)
        self.assertEqual([(event["UDP"]["DstPort"], event["Timestamp"][:19]) for event in events],
                         [(int(port), datetime.datetime.fromtimestamp(float(at), datetime.timezone.utc)
                           .strftime("%Y-%m-%dT%H:%M:%S")) for at, port in judged])
        self.assertEqual({event.get("InDev") for event in events if 300 <= event["UDP"]["DstPort"]}, {""})

    def test_names_of_interfaces_are_kept_also_through_our_own_files(self):
        capture = self.file("in", pcapng(
            [(RAW, "tun0"), (ETHERNET, "eth0"), (NFLOG, "wan"), (RAW, "")],
            [(0, 1, packet(1)), (1, 2, frame(2)), (2, 3, record(3, in_index=7, out_index=8)),
             (2, 4, record(4, out_index=8)), (3, 5, packet(5)), (0, 6, packet(6))]))

        def names(path):
            return [(event["UDP"]["DstPort"], event.get("InDev", ""), event.get("OutDev", ""))
                    for event in self.events("--replay", path)]

        expected = [(1, "tun0", ""), (2, "eth0", ""), (3, "wan", ""), (4, "", "wan"), (5, "", ""), (6, "tun0", "")]
        self.assertEqual(names(capture), expected)
        outputs = "".join(f'[sink.{link}]\nplugin = "pcap"\nfile = "@DIR@/{link}"\nlink = "{link}"\nformat = "pcapng"\n'
                          for link in ("raw", "nflog", "ethernet"))
        self.events("--replay", capture, config=self.config(outputs))
        self.assertEqual(names(self.file("nflog")), expected)
        # The names stay, though raw and Ethernet frames do not say which of them a packet left by.
        self.assertEqual([(port, in_name or out_name) for port, in_name, out_name in names(self.file("raw"))],
                         [(port, in_name or out_name) for port, in_name, out_name in expected])
        self.assertEqual(names(self.file("ethernet")), [(2, "eth0", "")])
        judged = tshark(self.file("nflog"), "udp.dstport", "frame.interface_name")
        self.assertEqual(judged[:4], [["1", "tun0"], ["2", "eth0"], ["3", "wan"], ["4", "wan"]])

    def test_an_interface_of_an_unknown_link_type_costs_itself_alone(self):
        capture = self.file("in", pcapng([(USB, "usbmon1"), (RAW, "eth0")],
                                         [(0, 1, b"usb"), (1, 1, packet(1)), (0, 1, b"usb"), (1, 1, packet(2))]))
        self.assertEqual(self.ports("--replay", capture), [1, 2])
        self.assertEqual(self.said.count("interface 0 (usbmon1): cannot read link type 189 (USB_LINUX)"), 1)
        capture.write_bytes(pcapng([(USB, "usbmon1")], [(0, 1, b"usb")]))
        self.ports("--replay", capture, status=1)
        self.assertIn(f"error: {capture}: cannot read link type 189 (USB_LINUX); known are RAW", self.said)

    def test_blocks_that_claim_much_take_no_memory(self):
        capture = self.file("in", pcapng([(RAW, "eth0")], [(0, 1, packet(1))]) + struct.pack("<II", 6, 0x7FFFFFF0) + bytes(99))
        self.assertEqual(self.ports("--replay", capture, status=1), [1])
        self.assertRegex(self.said, f"error: {capture}: broken: the block at offset [0-9]+ is too long")


class Times(ReplayTest):
    # Seconds; the second of 2106 is the last that a classic file has.
    CLASSIC = {"2038-01-19T03:14:08": 2**31, "2106-02-07T06:28:14": 2**32 - 2}
    LATER = {"2200-01-01T00:00:00": 7_258_118_400, "2262-04-11T23:47:16": 9_223_372_036}

    def shown(self, capture, second):
        """The times of one packet: of the formats, of the line, and of written files, as tshark says."""
        config = "".join(f'[sink.{form}]\nplugin = "jsonl"\nfile = "@DIR@/{form}"\nformat = "{form}"\n'
                         for form in ("packet", "ulogd"))
        config += "".join(f'[sink.{form}]\nplugin = "pcap"\nfile = "@DIR@/{form}"\nformat = "{form}"\n'
                          for form in (("pcap", "pcapng") if second < 2**32 else ("pcapng",)))
        for name in ("packet", "ulogd", "pcap", "pcapng"):
            self.file(name).unlink(missing_ok=True)
        self.events("--replay", capture, config=self.config(config))
        for form, key in (("packet", "Timestamp"), ("ulogd", "timestamp")):
            yield form, nfbustest.read_json_lines(self.file(form))[0][key][:19]
        for form in ("pcap", "pcapng"):
            if self.file(form).exists():
                at = int(float(tshark(self.file(form), "frame.time_epoch")[0][0]))
                yield form, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
        line = self.lines("--replay", capture, env={"TZ": "UTC"})[0]
        yield "line", time.strftime("%Y-%m-%dT", time.gmtime(second)) + line[:8]

    def test_from_2038_on_are_right_wherever_they_are_shown(self):
        for text, second in self.CLASSIC.items():
            capture = self.file("in", classic(RAW, [packet(1)], second))
            for where, shown in self.shown(capture, second):
                self.assertEqual(shown, text, where)
        for text, second in (self.CLASSIC | self.LATER).items():
            capture = self.file("in", pcapng([(RAW, "eth0")], [(0, second * 10**6, packet(1))]))
            for where, shown in self.shown(capture, second):
                self.assertEqual(shown, text, where)

    def test_beyond_those_of_classic_files_are_the_last_of_these_for_who_asks_for_one(self):
        fifo = self.file("fifo")
        os.mkfifo(fifo)
        with Host("[bus]\nsocket = '@DIR@/bus'\n", arguments=["--replay", fifo]) as host:
            writer = os.open(fifo, os.O_WRONLY)
            self.addCleanup(os.close, writer)
            seconds = self.LATER["2200-01-01T00:00:00"]
            os.write(writer, pcapng([(RAW, "eth0", (9, b"\x00"))], []))
            with open(self.file("tapped"), "wb") as file:
                tap = subprocess.Popen([NFBUS_BIN, "tap", "--pcap", "-", "-n", "1", "-s", host.path("bus")], stdout=file,
                                       stderr=subprocess.DEVNULL)
            self.addCleanup(end_process, tap)
            one = pcapng([], [(0, seconds, packet(1))])[28:]

            def one_more():
                os.write(writer, one)
                return tap.poll() is not None

            wait_until(one_more, 20, "the packet at the tap")
        self.assertEqual(tshark(self.file("tapped"), "frame.time_epoch"), [[f"{2**32 - 1}.000000000"]])

    def test_that_nobody_can_show_lose_no_packet(self):
        offset = (14, struct.pack("<q", -10**10))
        capture = self.file("in", pcapng([(RAW, "a", (9, b"\x00")), (RAW, "b", offset)],
                                         [(0, 2**63, packet(1)), (1, 5, packet(2)), (0, 10**10, packet(3))]))
        events = self.events("--replay", capture)
        self.assertEqual([(event["UDP"]["DstPort"], event["Timestamp"][:4]) for event in events],
                         [(1, "2262"), (2, "1970"), (3, "2262")])


class Compressed(ReplayTest):
    def setUp(self):
        super().setUp()
        self.content = classic(RAW, (packet(1 + i % 60000, i % 1000) for i in range(3000)))
        self.plain = self.file("plain", self.content)
        self.packed = {"gzip": tool("gzip", "-c", self.plain), "zstd": tool("zstd", "-q", "-c", self.plain)}

    def test_files_are_known_by_what_is_in_them_also_on_standard_input(self):
        for program, packed in self.packed.items():
            self.assertEqual(len(self.ports("--replay", self.file("any.name", packed))), 3000, program)
            with open(self.file("any.name"), "rb") as stdin:
                done = subprocess.run([NFBUS_BIN, "run", "--replay", "-"], stdin=stdin, capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 3000), program)
            done = subprocess.run([NFBUS_BIN, "run", "--replay", "-"], input=packed, capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 3000), program)

    def test_several_parts_one_behind_the_other_are_one_file(self):
        for program in self.packed:
            self.file("a", self.content[:100_000])
            self.file("b", self.content[100_000:])
            parts = tool(program, "-c", self.file("a")) + tool(program, "-c", self.file("b"))
            self.assertEqual(len(self.ports("--replay", self.file("parts", parts))), 3000, program)
            # Whole files, as of `cat day-*.pcap.gz`.
            self.assertEqual(len(self.ports("--replay", self.file("twice", 2 * self.packed[program]))), 6000, program)

    def test_what_is_there_of_a_file_that_is_cut_is_delivered(self):
        for program, packed in self.packed.items():
            capture = self.file("cut", packed[:-len(packed) // 3])
            ports = self.ports("--replay", capture, status=1)
            self.assertTrue(0 < len(ports) < 3000, len(ports))
            self.assertRegex(self.said, f"error: {capture}: truncated: .* offset [0-9]+")

    def test_our_own_rotated_files_are_read(self):
        for compress in ("gzip", "zstd"):
            for form in ("pcap", "pcapng"):
                config = self.config('[sink.out]\nplugin = "pcap"\nfile = "@DIR@/rotated/%s"\nrotate_packets = 1000\n' % form +
                                     f'format = "{form}"\nlink = "nflog"\ncompress = "{compress}"\n')
                (self.folder / "rotated").mkdir()
                self.events("--replay", self.plain, config=config)
                rotated = sorted((self.folder / "rotated").iterdir())
                self.assertTrue(any(path.suffix in (".gz", ".zst") for path in rotated), rotated)
                self.assertEqual(len(self.ports("--replay", *rotated)), 3000, rotated)
                for path in rotated:
                    path.unlink()
                (self.folder / "rotated").rmdir()

    def test_others_name_the_fix(self):
        capture = self.file("in.xz", b"\xfd7zXZ\0\0\4")
        self.ports("--replay", capture, status=1)
        self.assertIn(f"error: {capture}: it is compressed in a way that is not read here", self.said)
        self.assertIn("xz -dc FILE | nfbus run --replay -", self.said)


class Files(ReplayTest):
    def setUp(self):
        super().setUp()
        self.paths = [self.file(f"in{i}", classic(RAW, [packet(10 * i + 1), packet(10 * i + 2)])) for i in range(3)]

    def test_come_in_the_order_given(self):
        expected = [21, 22, 1, 2, 11, 12]
        two, zero, one = self.paths[2], self.paths[0], self.paths[1]
        self.assertEqual(self.ports("--replay", two, zero, one), expected)
        self.assertEqual(self.ports("--replay", two, "--replay", zero, "--replay", one), expected)

    def test_may_be_more_than_may_be_open_by_default(self):
        paths = []
        for i in range(300):
            paths.append(self.file(f"many{i}"))
            paths[-1].hardlink_to(self.paths[0])
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        done = subprocess.run([NFBUS_BIN, "run", "--replay", *paths], capture_output=True, timeout=60,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard)))
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 600), done.stderr)

    def test_one_that_is_wrong_ends_it_before_anything_starts(self):
        for wrong, text in ((self.file("missing"), "No such file"), (self.file("text", b"no capture at all"), "not a pcap file"),
                            (self.file("empty", b""), "not a pcap file"), (self.folder, "Is a directory")):
            self.assertEqual(self.ports("--replay", self.paths[0], wrong, self.paths[1], status=1), [])
            self.assertRegex(self.said, f"error: {wrong}: .*{text}")
            self.assertFalse(self.file("out").exists(), "the sink was opened")

    def test_behind_one_that_is_cut_are_still_read(self):
        cut = self.file("cut", self.paths[1].read_bytes()[:-5])
        self.assertEqual(self.ports("--replay", self.paths[0], cut, self.paths[2], status=1), [1, 2, 11, 21, 22])
        self.assertIn(f"error: {cut}: truncated", self.said)
        self.assertIn("error: 1 of 3 files could not be read to their end", self.said)
        self.assertEqual(self.ports("--replay", cut, status=1), [11])
        self.assertEqual(self.said.count("error:"), 1)


class Prefix(ReplayTest):
    def test_is_that_of_packets_that_have_none(self):
        capture = self.file("in", pcapng([(RAW, ""), (NFLOG, "")], [(0, 1, packet(1)), (1, 1, record(2))]))
        config = self.config('[[capture]]\ngroup = 0\nprefixes = ["drop:"]\n[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/out"\n'
                             'format = "packet"\ntopics = ["nft:drop:"]\n')
        self.assertEqual(self.ports("--replay", capture, config=config), [])
        self.assertEqual(self.ports("--replay", capture, "--prefix", "Drop:Input ", config=config), [1])

    def test_is_checked(self):
        capture = self.file("in", classic(RAW, [packet(1)]))
        self.ports("--replay", capture, "--prefix", 127 * "x")
        self.ports("--replay", capture, "--prefix", 128 * "x", status=2)
        self.assertIn("127 bytes at most", self.said)
        self.ports("--prefix", "x", status=2)
        self.assertIn("--replay", self.said)


class Groups(ReplayTest):
    def test_that_are_not_in_the_configuration_are_blocked_but_for_0(self):
        capture = self.file("in", classic(NFLOG, [record(port, group) for port, group in
                                                  ((1, 0), (2, 5), (3, 1), (4, 5), (5, 0), (6, 7))]))
        for captures, of_1 in (('[[capture]]\ngroup = 1\naction = "allowed"\n', "allowed"), ("", "blocked")):
            config = self.config(captures + '[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/out"\nformat = "packet"\n')
            actions = {event["UDP"]["DstPort"]: event["Action"] for event in self.events("--replay", capture, config=config)}
            self.assertEqual(actions, {1: "allowed", 2: "blocked", 3: of_1, 4: "blocked", 5: "allowed", 6: "blocked"})
            for group in (5, 7):
                self.assertEqual(self.said.count(
                    f"group {group} is not in the configuration: its packets count as blocked"), 1)
            self.assertNotIn("group 0 is not", self.said)


class WithoutConfiguration(ReplayTest):
    def test_lines_are_those_of_tap(self):
        capture = self.file("in", classic(RAW, map(packet, range(1, 4))))
        lines = self.lines("--replay", capture, "--prefix", "lan:in ", env={"TZ": "UTC"})
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^22:13:20\.250  allowed  nft:lan:in .* UDP +192\.0\.2\.1:999 -> 192\.0\.2\.2:1 ")
        self.assertIn("3 packets shown", self.said)
        self.assertNotIn("error", self.said)

    def test_errors_end_it_with_1_behind_what_could_be_read(self):
        capture = self.file("in", classic(RAW, map(packet, range(1, 4)))[:-3])
        self.assertEqual(len(self.lines("--replay", capture, status=1)), 2)
        self.assertIn(f"error: {capture}: truncated", self.said)
        self.assertEqual(self.lines("--replay", self.file("missing"), status=1), [])

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        capture = self.file("in", classic(RAW, [packet(1)] * 60000))
        child = subprocess.Popen([NFBUS_BIN, "run", "--replay", capture], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(end_process, child)
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read().decode()
        child.stderr.close()
        self.assertEqual(child.wait(20), 0, said)
        self.assertNotIn("error", said)

    def test_what_has_come_through_a_pipe_is_shown_and_a_signal_ends_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            child = subprocess.Popen([NFBUS_BIN, "run", "--replay", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
            self.addCleanup(end_process, child)
            child.stdin.write(classic(RAW, [packet(7)]))
            child.stdin.flush()
            self.assertIn(b"192.0.2.2:7", child.stdout.readline())
            child.send_signal(number)
            self.assertEqual(child.wait(10), 0)
            child.stdin.close()
            child.stdout.close()

    def test_a_reader_that_does_not_read_cannot_keep_it(self):
        capture = self.file("in", classic(RAW, [packet(1)] * 60000))
        child = subprocess.Popen([NFBUS_BIN, "run", "--replay", capture], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(end_process, child)
        self.addCleanup(child.stdout.close)
        child.stdout.readline()
        child.terminate()
        child.wait(10)


class OnATerminal(ReplayTest):
    def test_a_long_file_tells_how_far_it_is(self):
        """Paced by who reads the lines, so that it takes longer than a second on any machine."""
        capture = self.file("in.pcap", classic(RAW, [packet(1)] * 60000))
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        child = subprocess.Popen([NFBUS_BIN, "run", "--replay", capture], stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        self.addCleanup(end_process, child)
        self.addCleanup(child.stdout.close)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1.2, 5, "more than a second")
        self.assertEqual(child.stdout.read().count(b"\n"), 60000)
        self.assertEqual(child.wait(10), 0)
        said = os.read(master, 65536).decode()
        self.assertRegex(said, rf"info: {capture}: [0-9]+ %, [0-9]+ packets\r\n")

    def test_a_short_one_does_not(self):
        capture = self.file("in.pcap", classic(RAW, [packet(1)]))
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        subprocess.run([NFBUS_BIN, "run", "--replay", capture], stdout=subprocess.DEVNULL, stderr=slave, timeout=20, check=True)
        os.close(slave)
        self.assertNotIn("%", os.read(master, 65536).decode())


if __name__ == "__main__":
    nfbustest.main()
