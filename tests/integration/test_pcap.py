'''sinks/pcap through the whole program: packets that the kernel logs, and what tcpdump and tshark make of the files.'''

import collections
import datetime
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import threading
import time

from nfbustest import (ICMPV6, IntegrationTest, Namespace, SYN, TCP, UDP, end_process, icmpv6, ipv4, ipv6,
                       main, read_json_lines, run_nfbus, send, tcp, udp, wait_until)

OUTPUT_RULES = """table inet t {
    chain c { type filter hook output priority 0; udp dport 1000-60000 counter log prefix "a " group 1; }
}"""

CAPTURE = """
[[capture]]
group = 1
latency_ms = 0
"""

FORMATS = [(form, link) for form in ("pcap", "pcapng") for link in ("raw", "nflog", "ethernet")]

ON_SMALL_DISK = """mkdir "$dir/disk"
exec unshare -m sh -c 'mount -t tmpfs -o size=64k small "$0/disk"; exec "$@"' "$dir" "$@"
"""


def sink(name, **options):
    lines = [f"[sink.{name}]", 'plugin = "pcap"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def packets(first, count):
    return [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(999, first + i)) for i in range(count)]


def tshark(path, *fields):
    '''A list of each packet's fields, of the outermost header that has them. Fails where tshark complains.'''
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        argv += ["-e", field]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    if done.returncode != 0 or complaints:
        raise AssertionError(f"tshark on {path}: {done.returncode} {done.stderr}")
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


def tcpdump(path):
    '''The lines of its text. Fails where tcpdump complains.'''
    done = subprocess.run(["tcpdump", "-n", "-tt", "--nano", "-r", str(path)], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("reading from file")]
    if done.returncode != 0 or complaints:
        raise AssertionError(f"tcpdump on {path}: {done.returncode} {done.stderr}")
    return done.stdout.splitlines()


def ports_of(path):
    return [int(port) for port, in tshark(path, "udp.dstport")]


class Prepared:
    '''Stands for a namespace: a shell script there prepares "$dir", the host's directory, and starts the program.'''

    def __init__(self, namespace, script):
        self._argv = namespace.command("sh", "-c", f'dir=$(dirname "$4"); {script}', "sh")

    def command(self, *argv):
        return [*self._argv, *map(str, argv)]


class Records:
    '''Takes a stream of pcap apart as it comes.'''

    def __init__(self):
        self.data = b""

    def parse(self):
        '''(header is one, destination ports of all whole packets)'''
        ports, at = [], 24
        while at + 16 <= len(self.data):
            size = struct.unpack_from("<I", self.data, at + 8)[0]
            packet = self.data[at + 16:at + 16 + size]
            if len(packet) < size:
                break
            if packet[:1] != b"\x45" or size < 28:
                return False, ports
            ports.append(struct.unpack_from("!H", packet, 22)[0])
            at += 16 + size
        return self.data[:8] == struct.pack("<IHH", 0xA1B23C4D, 2, 4), ports


class Tools(IntegrationTest):
    '''What tcpdump and tshark read is what the jsonl sink says of the same packets.'''

    def setUp(self):
        super().setUp()
        self.far = Namespace()
        self.addCleanup(self.far.close)
        self.namespace.connect(self.far, "lan0", "far0", mac="02:00:00:00:00:01", other_mac="02:00:00:00:00:02")
        for namespace, device, number in ((self.namespace, "lan0", 1), (self.far, "far0", 2)):
            namespace.run("ip", "addr", "add", f"192.168.2.{number}/24", "dev", device)
            namespace.run("ip", "addr", "add", f"fd77::{number}/64", "dev", device, "nodad")
        for namespace, device, number in ((self.namespace, "lan0", 2), (self.far, "far0", 1)):
            for address in (f"192.168.2.{number}", f"fd77::{number}"):
                namespace.run("ip", "neigh", "replace", address, "lladdr", f"02:00:00:00:00:0{number}", "dev", device,
                              "nud", "permanent")
        self.namespace.nft("""table inet t {
            chain i { type filter hook input priority 0;
                ip saddr 192.168.2.2 log prefix "lan:in " group 1
                ip6 saddr fd77::2 log prefix "drop:in " group 2
            }
            chain o { type filter hook output priority 0;
                oifname "lan0" meta l4proto { tcp, udp, icmpv6 } log prefix "lan:out " group 1
            }
        }""")

    def traffic(self):
        data = b"x" * 900
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000 + i, 53, data[:i * 100])) for i in range(9)] +
             [ipv4("192.168.2.2", "192.168.2.1", TCP, tcp(5000 + i, 443, flags=SYN)) for i in range(5)] +
             [ipv6("fd77::2", "fd77::1", UDP, udp(6000 + i, 123, data[:i * 90])) for i in range(9)] +
             [ipv6("fd77::2", "fd77::1", ICMPV6, icmpv6(128, rest=struct.pack("!HH", 7, i))) for i in range(3)])
        for family, address in (("AF_INET", "192.168.2.2"), ("AF_INET6", "fd77::2")):
            self.namespace.run("setpriv", "--reuid", "1234", "--clear-groups", "python3", "-c",
                               f"import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM)\n"
                               f"for i in range(5): s.sendto(b'y', ('{address}', 7000 + i))")

    def test_every_format_and_link_says_what_jsonl_says(self):
        config = "[[capture]]\ngroup = 1\n[[capture]]\ngroup = 2\naction = \"blocked\"\n"
        config += '[sink.lines]\nplugin = "jsonl"\nfile = "@DIR@/lines"\n'
        for form, link in FORMATS:
            config += sink(f"{form}-{link}".replace("-", "_"), file=f"@DIR@/{form}-{link}", format=form, link=link)
        config += sink("us", file="@DIR@/us", precision="us")
        host = self.start(config)
        self.traffic()
        wait_until(lambda: any(r.get("dest_port") == 7004 and r["oob.family"] == 10 for r in read_json_lines(host.path("lines"))),
                   10, "the last packet")
        lines = read_json_lines(host.path("lines"))
        self.assertEqual(host.stop(), 0, host.stderr)
        counters = host.logged_counters()["sinks"]
        from_lan = [r for r in lines if r["oob.in"]]
        times = {}
        for form, link in FORMATS:
            with self.subTest(format=form, link=link):
                path = host.path(f"{form}-{link}")
                expected = from_lan if link == "ethernet" else lines
                rows = tshark(path, "frame.time_epoch", "frame.len", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport",
                              "udp.dstport", "tcp.srcport", "tcp.dstport", "nflog.prefix", "nflog.uid", "nflog.ifindex_indev",
                              "nflog.ifindex_outdev", "frame.interface_name", "frame.comment", "eth.src")
                self.assertEqual(len(rows), len(expected))
                self.assertEqual(len(tcpdump(path)), len(expected))
                counted = counters[f"{form}_{link}"]
                self.assertEqual((counted["delivered"], counted["rejected"]), (len(expected), len(lines) - len(expected)))
                for row, record in zip(rows, expected):
                    self.same(row, record, form, link)
                times[form, link] = {tuple(row[2:10]) + (i,): row[0] for i, row in enumerate(rows)}
                if link == "raw":
                    dumped = [line.split()[0] for line in tcpdump(path)]
                    self.assertEqual(dumped, [row[0] for row in rows], "tcpdump's times")
        self.assertEqual(times["pcap", "raw"], times["pcapng", "raw"])
        self.assertEqual(times["pcap", "raw"], times["pcapng", "nflog"])
        self.assertEqual([row[0] for row in tshark(host.path("us"), "frame.time_epoch")],
                         [time[:-3] + "000" for time in times["pcap", "raw"].values()])

    def same(self, row, record, form, link):
        (epoch, length, src4, dst4, src6, dst6, udp_src, udp_dst, tcp_src, tcp_dst, prefix, uid, in_index, out_index, interface,
         comment, mac) = row
        self.assertEqual(src4 or src6, record["src_ip"])
        self.assertEqual(dst4 or dst6, record["dest_ip"])
        if "src_port" in record:
            self.assertEqual((udp_src or tcp_src, udp_dst or tcp_dst), (str(record["src_port"]), str(record["dest_port"])))
        wanted = datetime.datetime.strptime(record["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
        seconds, fraction = epoch.split(".")
        self.assertEqual(len(fraction), 9)
        self.assertEqual((int(seconds), int(fraction) // 1000), (int(wanted.timestamp()), wanted.microsecond))
        if link == "nflog":
            self.assertEqual(prefix, record["oob.prefix"])
            self.assertEqual(uid, str(record["oob.uid"]) if "oob.uid" in record else "")
            self.assertEqual(in_index != "", record["oob.in"] != "")
            self.assertEqual(out_index != "", record["oob.out"] != "")
        if link == "ethernet":
            self.assertEqual(mac, "02:00:00:00:00:02")
        if form == "pcapng":
            self.assertEqual(interface, record["oob.in"] or record["oob.out"])
            wanted = f'prefix="{record["oob.prefix"]}" action={record["action"]}'
            wanted += f' uid={record["oob.uid"]}' if "oob.uid" in record else ""
            self.assertEqual(comment, wanted)

    def test_the_length_on_the_wire_stays_where_the_kernel_cut(self):
        config = "[[capture]]\ngroup = 1\nsnaplen = 60\n"
        config += "".join(sink(link, file=f"@DIR@/{link}", link=link) for link in ("raw", "nflog", "ethernet"))
        host = self.start(config)
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53, b"x" * 500))])
        wait_until(lambda: all(len(host.path(link).read_bytes()) > 24 for link in ("raw", "nflog", "ethernet")), 10, "files")
        [length, captured] = tshark(host.path("raw"), "frame.len", "frame.cap_len")[0]
        self.assertEqual((int(length), int(captured)), (528, 60))
        [length, captured] = tshark(host.path("ethernet"), "frame.len", "frame.cap_len")[0]
        self.assertEqual((int(length), int(captured)), (542, 74))
        [length, captured] = tshark(host.path("nflog"), "frame.len", "frame.cap_len")[0]
        self.assertEqual(int(length) - int(captured), 468)

    def test_losses_in_the_kernel_are_in_the_interface_statistics(self):
        config = "[[capture]]\ngroup = 1\nrecv_buffer = 65536\n" + sink("out", file="@DIR@/out", format="pcapng")
        host = self.start(config)
        host.signal(signal.SIGSTOP)
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53, b"x" * 900))], repeat=2000)
        host.signal(signal.SIGCONT)
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53))])
        wait_until(lambda: host.counters()["capture"][1]["lost"] > 0, 10, "a loss")
        lost = host.counters()["capture"][1]["lost"]
        self.assertEqual(host.stop(), 0)
        done = subprocess.run(["capinfos", "-M", str(host.path("out"))], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        dropped, at, data = 0, 0, host.path("out").read_bytes()
        while at < len(data):  # the last statistics of the one interface
            kind, size = struct.unpack_from("<II", data, at)
            if kind == 5:
                self.assertEqual(struct.unpack_from("<HH", data, at + 32), (5, 8))
                dropped = struct.unpack_from("<Q", data, at + 36)[0]
            at += size
        self.assertEqual(dropped, lost)


class Files(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(OUTPUT_RULES)

    def start_sink(self, script='exec "$@"', **options):
        options.setdefault("file", "@DIR@/out")
        return self.start(CAPTURE + sink("out", **options), namespace=Prepared(self.namespace, script))

    def wait_for_ports(self, paths, expected, what):
        read = lambda: [port for path in paths if path.exists() and path.stat().st_size for port in ports_of(path)]
        try:
            wait_until(lambda: read() == expected, 20, what)
        except AssertionError:
            self.assertEqual(read(), expected, what)

    def flood(self, seconds):
        '''Sends as fast as python can; returns when so much time is over.'''
        self.namespace.run("python3", "-c", f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    for i in range(100): s.sendto(b'x' * 100, ('127.0.0.1', 2000 + i))
""")

    def test_sigkill_leaves_files_that_are_read_and_continued(self):
        for form in ("pcap", "pcapng"):
            counts = []
            with self.subTest(format=form):
                name = f"/tmp/nfbustest-{os.getpid()}-{form}"
                self.addCleanup(lambda name=name: pathlib.Path(name).unlink(missing_ok=True))
                for _ in range(3):
                    host = self.start(CAPTURE + sink("out", file=name, format=form), namespace=self.namespace)
                    killer = threading.Timer(0.4, host.process.kill)
                    killer.start()
                    self.flood(0.6)
                    killer.join()
                    host.process.wait()
                    # A packet that was being written may be there in part; nothing else.
                    done = subprocess.run(["tshark", "-n", "-r", name], capture_output=True, text=True, timeout=60)
                    complaints = [x for x in done.stderr.splitlines() if "Running as" not in x and "cut short" not in x]
                    self.assertEqual(complaints, [])
                    counts.append(len(done.stdout.splitlines()))
                self.assertEqual(counts, sorted(counts))
                self.assertGreater(counts[2], counts[0])
                host = self.start(CAPTURE + sink("out", file=name, format=form), namespace=self.namespace)
                send(self.namespace, packets(5000, 1))
                wait_until(lambda: ports_of(name)[-1:] == [5000], 20, "the last packet")
                self.assertEqual(len(tcpdump(name)), counts[2] + 1)
                self.assertEqual(len(ports_of(name)), counts[2] + 1)
                host.stop()

    def test_a_full_disk_stops_it_and_space_lets_it_go_on(self):
        for form in ("pcap", "pcapng"):
            with self.subTest(format=form):
                host = self.start_sink(ON_SMALL_DISK, file="@DIR@/disk/out", format=form)
                disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
                send(self.namespace, packets(1000, 2000))
                host.wait_for("disk/out: No space left on device")
                counted = lambda: host.counters()["sinks"]["out"]
                wait_until(lambda: counted()["queued"] + counted()["delivered"] == 2000, 10, "2000 packets")
                self.assertEqual(len(tcpdump(disk / "out")), counted()["delivered"])
                subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "mount", "-o", "remount,size=1m",
                                str(host.path("disk"))], check=True)
                self.wait_for_ports([disk / "out"], list(range(1000, 3000)), "every packet, once")
                host.wait_for("again")
                host.close()

    def test_stops_before_the_disk_is_full(self):
        host = self.start_sink(ON_SMALL_DISK, file="@DIR@/disk/out", min_free_bytes=32768)
        disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
        send(self.namespace, packets(1000, 2000))
        host.wait_for("less than min_free_bytes")
        free = os.statvfs(disk)
        self.assertGreaterEqual(free.f_bavail * free.f_frsize, 32768)
        subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "mount", "-o", "remount,size=1m",
                        str(host.path("disk"))], check=True)
        self.wait_for_ports([disk / "out"], list(range(1000, 3000)), "every packet, once")

    def test_a_folder_that_goes_and_comes_back(self):
        host = self.start_sink('mkdir "$dir/sub"; exec "$@"', file="@DIR@/sub/out-%F.pcap", rotate_packets=2)
        send(self.namespace, packets(1000, 3))
        day = datetime.datetime.now().strftime("%Y-%m-%d")
        wait_until(lambda: host.path(f"sub/out-{day}-000002.pcap.part").exists(), 10, "the second file")
        host.path("sub").rename(host.path("away"))
        host.wait_for("there is no such folder")
        send(self.namespace, packets(2000, 3))
        wait_until(lambda: host.counters()["sinks"]["out"]["queued"] == 3, 10, "3 packets in the queue")
        host.path("sub").mkdir()
        files = [f"out-{day}-00000{i}.pcap" for i in (3, 4)]
        wait_until(lambda: host.path(f"sub/{files[0]}").exists(), 10, "a file in the new folder")
        self.wait_for_ports([host.path(f"sub/{files[0]}"), host.path(f"sub/{files[1]}.part")], [2000, 2001, 2002],
                            "packets in the new folder")
        self.assertEqual(ports_of(host.path(f"away/out-{day}-000002.pcap.part")), [1002])

    def test_a_file_system_that_becomes_read_only_and_writable_again(self):
        host = self.start_sink(ON_SMALL_DISK, file="@DIR@/disk/out.pcap", rotate_packets=1)
        disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
        send(self.namespace, packets(1000, 1))
        first = disk / "out-000001.pcap.part"
        wait_until(lambda: first.exists() and first.stat().st_size > 24, 10, "the first packet")
        # The kernel refuses while a file is open for writing: this is the folder alone.
        subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "sh", "-c",
                        f"mount --bind {host.path('disk')} {host.path('disk')} && "
                        f"mount -o remount,bind,ro {host.path('disk')}"], check=True)
        send(self.namespace, packets(1001, 3))
        host.wait_for("Read-only file system")
        subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "umount", str(host.path("disk"))], check=True)
        wait_until(lambda: [port for path in sorted(disk.glob("out-*")) for port in ports_of(path)] == [1000, 1001, 1002, 1003],
                   30, "every packet")

    def test_ten_thousand_rotations_in_a_replay(self):
        directory = self.start(CAPTURE + sink("out", file="@DIR@/x"), namespace=self.namespace)
        with open(directory.path("in.pcap"), "wb") as out:
            out.write(struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101))
            for i, packet in enumerate(packets(1000, 10000)):
                out.write(struct.pack("<IIII", 1700000000 - i, i, len(packet), len(packet)) + packet)  # a clock that goes back
        directory.path("files").mkdir()
        config = directory.path("replay.toml")
        config.write_text(sink("out", file=f"{directory.path('files')}/%Y.pcap", rotate_packets=1, max_files=500,
                               compress="zstd"))
        done = run_nfbus("run", "-c", config, "--replay", directory.path("in.pcap"), timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("delivered=10000 ", done.stderr)
        numbers = sorted(re.search(r"-(\d+)\.pcap", path.name)[1] for path in directory.path("files").iterdir())
        self.assertEqual(numbers, [f"{i:06}" for i in range(9501, 10001)])
        last = sorted(directory.path("files").iterdir())[-1]
        self.assertEqual(ports_of(last), [10999])

    def test_writes_context_around_packets_that_matter(self):
        host = self.start(CAPTURE + sink("out", file="@DIR@/out", before=2, after=1) + "when = { dport = 1010 }\n")
        send(self.namespace, packets(1000, 20))
        self.wait_for_ports([host.path("out")], [1008, 1009, 1010, 1011], "the packet and its context")


class Fifo(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(OUTPUT_RULES)

    def start_sink(self, more="", /, **options):
        return self.start(CAPTURE + sink("out", file="@DIR@/fifo", fifo=True, **options) + more)

    def tcpdump(self, host, *arguments):
        before = host.path("fifo").stat().st_ino
        reader = subprocess.Popen(["tcpdump", "-l", "-n", "-r", str(host.path("fifo")), *arguments], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.stderr.close)
        self.addCleanup(end_process, reader)
        # With pcapng it says nothing before it knows an interface.
        wait_until(lambda: host.path("fifo").stat().st_ino != before, 10, "a FIFO for the next reader")
        return reader

    def test_tcpdump_shows_packets_within_100_ms(self):
        for form, link in (("pcap", "raw"), ("pcapng", "raw"), ("pcap", "nflog")):
            with self.subTest(format=form, link=link):
                host = self.start_sink(format=form, link=link)
                reader = self.tcpdump(host)
                delays = []
                sender = self.namespace.popen("python3", "-c", """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for line in sys.stdin:
    print(time.monotonic_ns(), flush=True)
    s.sendto(b'x', ('127.0.0.1', int(line)))
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                for port in range(2000, 2020):
                    sender.stdin.write(f"{port}\n")
                    sender.stdin.flush()
                    sent = int(sender.stdout.readline())
                    line = reader.stdout.readline()
                    delays.append((time.monotonic_ns() - sent) / 1e6)
                    self.assertIn(f".{port}:".encode(), line)
                sender.stdin.close()
                sender.wait(5)
                sender.stdout.close()
                delays.sort()
                self.assertLess(delays[len(delays) // 2], 100, delays)
                host.close()

    def test_twenty_readers_one_after_another_each_have_a_stream_of_their_own(self):
        host = self.start_sink()
        stop = threading.Event()

        def traffic():
            while not stop.is_set():
                self.namespace.run("python3", "-c", """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000):
    s.sendto(b'x' * (i % 1400), ('127.0.0.1', 1000 + i))
    if i % 20 == 0: time.sleep(0.001)
""")

        sender = threading.Thread(target=traffic)
        sender.start()
        try:
            before = None
            for number in range(20):
                # Every other reader comes while the one before is there, and that one leaves in the middle of a packet.
                if number % 2 == 0 and before is not None:
                    os.close(before)
                fd = os.open(host.path("fifo"), os.O_RDONLY)
                if number % 2 == 1 and before is not None:
                    os.close(before)
                records = Records()
                while len(records.parse()[1]) < 200:
                    records.data += os.read(fd, 1001)
                is_whole, ports = records.parse()
                self.assertTrue(is_whole, f"reader {number}")
                steps = collections.Counter((b - a) % 2000 for a, b in zip(ports, ports[1:]))
                self.assertEqual(set(steps), {1}, f"reader {number}")
                before = fd
            os.close(before)
        finally:
            stop.set()
            sender.join()
        self.assertIsNone(host.process.poll(), host.stderr)

    def test_a_reader_that_stops_holds_nobody_up_and_what_it_missed_is_counted(self):
        host = self.start_sink('[sink.lines]\nplugin = "jsonl"\nfile = "@DIR@/lines"\n')
        fd = os.open(host.path("fifo"), os.O_RDONLY)
        count = 20000
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(999, 1000, b"x" * 200))], repeat=count)
        wait_until(lambda: len(read_json_lines(host.path("lines"))) == count, 20, "all packets in the other sink")
        wait_until(lambda: host.counters()["sinks"]["out"]["queued"] == 0, 20, "an empty queue")
        counted = host.counters()["sinks"]["out"]
        self.assertGreater(counted["missed"], 0)
        self.assertEqual(counted["delivered"] + counted["rejected"], count)
        self.assertEqual(counted["rejected"], counted["missed"])
        records = Records()
        while len(records.parse()[1]) < counted["delivered"]:
            records.data += os.read(fd, 1 << 20)
        self.assertTrue(records.parse()[0])
        send(self.namespace, packets(5000, 1))
        while records.parse()[1][-1] != 5000:
            records.data += os.read(fd, 1 << 20)
        self.assertEqual(len(records.parse()[1]), counted["delivered"] + 1)
        os.close(fd)


if __name__ == "__main__":
    main()
