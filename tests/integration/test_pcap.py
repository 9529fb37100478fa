'''sinks/pcap through the whole program: packets that the kernel logs, and what tcpdump and tshark make of the files.'''

import datetime
import itertools
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import threading

from capture_files import CAPTURE, OUTPUT_RULES, Prepared, packets, ports_of, sink, tcpdump, tshark
from nfbustest import IntegrationTest, Namespace, main, read_json_lines, run_nfbus, wait_until
from packets import ICMP, ICMPV6, SYN, TCP, UDP, icmp, icmpv6, ipv4, ipv6, send, tcp, udp

FORMATS = list(itertools.product(("pcap", "pcapng"), ("raw", "nflog", "ethernet"), ("ns", "us")))

ON_SMALL_DISK = """mkdir "$dir/disk"
exec unshare -m sh -c 'mount -t tmpfs -o size=64k small "$0/disk"; exec "$@"' "$dir" "$@"
"""


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
                icmp type destination-unreachable return
                icmpv6 type destination-unreachable return
                ip saddr 192.168.2.2 log prefix "lan:in " group 1
                ip6 saddr fd77::2 log prefix "drop:in " group 2
            }
            chain o { type filter hook output priority 0;
                icmpv6 type { destination-unreachable, mld2-listener-report } return
                oifname "lan0" meta l4proto { tcp, udp, icmpv6 } log prefix "lan:out " group 1
            }
        }""")

    def traffic(self):
        data = b"x" * 900
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000 + i, 53, data[:i * 100])) for i in range(9)] +
             [ipv4("192.168.2.2", "192.168.2.1", TCP, tcp(5000 + i, 443, flags=SYN)) for i in range(5)] +
             [ipv4("192.168.2.2", "192.168.2.1", ICMP, icmp(8, rest=struct.pack("!HH", 7, i))) for i in range(3)] +
             [ipv6("fd77::2", "fd77::1", TCP, tcp(5100 + i, 443, sequence=2**31 + i)) for i in range(5)] +
             [ipv6("fd77::2", "fd77::1", UDP, udp(6000 + i, 123, data[:i * 90])) for i in range(9)] +
             [ipv6("fd77::2", "fd77::1", ICMPV6, icmpv6(128, rest=struct.pack("!HH", 7, i))) for i in range(3)])
        for family, address in (("AF_INET", "192.168.2.2"), ("AF_INET6", "fd77::2")):
            self.namespace.run("setpriv", "--reuid", "1234", "--clear-groups", "python3", "-c",
                               f"import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM)\n"
                               f"for i in range(5): s.sendto(b'y', ('{address}', 7000 + i))")

    def start_with_lines(self, sinks):
        '''A host that captures both groups, with two sinks jsonl: "lines" has the fields, "times" the nanoseconds.'''
        config = "[[capture]]\ngroup = 1\n[[capture]]\ngroup = 2\naction = \"blocked\"\n"
        for name, form in (("lines", "ulogd"), ("times", "packet")):
            config += f'[sink.{name}]\nplugin = "jsonl"\nfile = "@DIR@/{name}"\nformat = "{form}"\n'
        return self.start(config + sinks)

    def lines_of_all_traffic(self, host):
        '''Sends, waits for all of it, and ends the host.'''
        self.traffic()
        read = lambda name: read_json_lines(host.path(name))
        wait_until(lambda: any(r.get("dest_port") == 7004 and r["oob.family"] == 10 for r in read("lines")), 10, "all packets")
        self.assertEqual(host.stop(), 0, host.stderr)
        lines = read("lines")
        for line, other in zip(lines, read("times"), strict=True):
            line["nanoseconds"], line["group"] = other["Timestamp"], other["Group"]
        return lines

    def test_every_format_link_and_precision_says_what_jsonl_says(self):
        name = lambda *parts: "_".join(parts)
        host = self.start_with_lines("".join(
            sink(name(form, link, precision), file=f"@DIR@/{name(form, link, precision)}", format=form, link=link,
                 precision=precision) for form, link, precision in FORMATS))
        lines = self.lines_of_all_traffic(host)
        self.assertEqual({(r["oob.family"], "oob.uid" in r) for r in lines}, {(2, False), (2, True), (10, False), (10, True)})
        counters = host.logged_counters()["sinks"]
        numbers = {link["ifname"]: str(link["ifindex"])
                   for link in json.loads(self.namespace.run("ip", "-j", "link").stdout)}
        for form, link, precision in FORMATS:
            with self.subTest(format=form, link=link, precision=precision):
                path = host.path(name(form, link, precision))
                expected = [r for r in lines if r["oob.in"]] if link == "ethernet" else lines
                fields = [*self.COMMON, *self.OF_LINK[link], *(self.OF_PCAPNG if form == "pcapng" else ())]
                rows = [dict(zip(fields, row, strict=True)) for row in tshark(path, *fields)]
                self.assertEqual(len(rows), len(expected))
                for row, record in zip(rows, expected):
                    self.assertEqual(row, {key: self.wanted(key, record, link, precision, numbers) for key in row})
                if form == "pcapng":  # an interface for each group and name
                    ids = [number for number, in tshark(path, "frame.interface_id")]
                    pairs = {(number, r["group"], r["oob.in"] or r["oob.out"]) for number, r in zip(ids, expected)}
                    self.assertEqual(sorted(number for number, _, _ in pairs), sorted(set(ids)))
                    self.assertEqual(len(pairs), len({(r["group"], r["oob.in"] or r["oob.out"]) for r in expected}))
                dumped = tcpdump(path)
                self.assertEqual(len(dumped), len(expected))
                if link != "nflog":
                    self.assertEqual([line.split()[0] for line in dumped], [row["frame.time_epoch"] for row in rows])
                counted = counters[name(form, link, precision)]
                self.assertEqual((counted["delivered"], counted["rejected"]), (len(expected), len(lines) - len(expected)))

    COMMON = ("frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.ttl", "ipv6.hlim", "udp.srcport",
              "udp.dstport", "udp.length", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "icmp.type", "icmpv6.type")
    OF_LINK = {"raw": ("frame.len",),
               "nflog": ("nflog.family", "nflog.prefix", "nflog.uid", "nflog.gid", "nflog.ifindex_indev", "nflog.ifindex_outdev"),
               "ethernet": ("frame.len", "eth.src", "eth.dst")}
    OF_PCAPNG = ("frame.interface_name", "frame.comment")

    @staticmethod
    def wanted(key, record, link, precision, numbers):
        '''What tshark is to print for a field of this packet.'''
        version = {2: 4, 10: 6}[record["oob.family"]]
        transport = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}[record["ip.protocol" if version == 4 else "ip6.nexthdr"]]
        said = lambda name: str(record.get(name, ""))
        if key == "frame.time_epoch":
            second, fraction = re.fullmatch(r"(.{19})(?:\.(\d+))?.*", record["nanoseconds"]).groups()
            zone = re.search(r"(Z|[+-]\d\d:\d\d)$", record["nanoseconds"])[1].replace("Z", "+00:00")
            digits = (fraction or "").ljust(9, "0")
            digits = digits[:6] + "000" if precision == "us" else digits
            return f"{int(datetime.datetime.fromisoformat(second + zone).timestamp())}.{digits}"
        if key == "frame.len":
            size = record["ip.totlen"] if version == 4 else record["ip6.payloadlen"] + 40
            return str(size + (14 if link == "ethernet" else 0))
        if key == "frame.comment":
            uid = f' uid={record["oob.uid"]}' if "oob.uid" in record else ""
            return f'prefix="{record["oob.prefix"]}" action={record["action"]}{uid}'
        if key == "frame.interface_name":
            return record["oob.in"] or record["oob.out"]
        if key in ("nflog.ifindex_indev", "nflog.ifindex_outdev"):
            return numbers.get(record["oob.in" if key.endswith("indev") else "oob.out"], "")
        first, last = key.split(".")
        if first in ("ip", "ipv6"):
            name = {"src": "src_ip", "dst": "dest_ip", "ttl": "ip.ttl", "hlim": "ip6.hoplimit"}[last]
            return said(name) if (first == "ip") == (version == 4) else ""
        if first in ("udp", "tcp", "icmp", "icmpv6"):
            name = {"srcport": "src_port", "dstport": "dest_port", "length": "udp.len", "seq_raw": "tcp.seq",
                    "type": f"{first}.type"}[last]
            return said(name) if first == transport else ""
        return {"eth.src": "02:00:00:00:00:02", "eth.dst": "02:00:00:00:00:01", "nflog.family": said("oob.family"),
                "nflog.prefix": said("oob.prefix"), "nflog.uid": said("oob.uid"), "nflog.gid": said("oob.gid")}[key]

    def test_packets_without_an_ethernet_header_are_written_raw_where_asked(self):
        host = self.start_with_lines(sink("out", file="@DIR@/out", format="pcapng", link="ethernet", headerless="raw"))
        lines = self.lines_of_all_traffic(host)
        rows = tshark(host.path("out"), "eth.src", "ip.src", "ipv6.src", "frame.encap_type")
        ethernet, raw = "1", "7"  # wtap.h of Wireshark
        self.assertEqual(rows, [["02:00:00:00:00:02" if r["oob.in"] else "", r["src_ip"] if r["oob.family"] == 2 else "",
                                 r["src_ip"] if r["oob.family"] == 10 else "", ethernet if r["oob.in"] else raw] for r in lines])

    def test_wireshark_filters_on_what_the_kernel_said(self):
        host = self.start_with_lines(sink("out", file="@DIR@/out", link="nflog"))
        lines = self.lines_of_all_traffic(host)
        for text, is_wanted in (('nflog.prefix == "drop:in "', lambda r: r["oob.prefix"] == "drop:in "),
                                ("nflog.uid == 1234", lambda r: r.get("oob.uid") == 1234)):
            expected = [r["dest_ip"] for r in lines if is_wanted(r)]
            self.assertGreater(len(expected), 0)
            found = tshark(host.path("out"), "ip.dst", "ipv6.dst", only=text)
            self.assertEqual([four or six for four, six in found], expected)

    def test_the_length_on_the_wire_stays_where_the_kernel_cut(self):
        links = ("raw", "nflog", "ethernet")
        files = list(itertools.product(("pcap", "pcapng"), links))
        host = self.start("[[capture]]\ngroup = 1\nsnaplen = 60\n" + "".join(
            sink(f"{form}_{link}", file=f"@DIR@/{form}-{link}", format=form, link=link) for form, link in files))
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53, b"x" * 500))])
        for form, link in files:
            with self.subTest(format=form, link=link):
                path = host.path(f"{form}-{link}")
                wait_until(lambda: path.stat().st_size > 24 and tshark(path, "frame.len"), 10, "the packet")
                length, captured = map(int, tshark(path, "frame.len", "frame.cap_len")[0])
                if link == "nflog":
                    self.assertEqual(length, captured, "the message is whole")
                    self.assertEqual(tshark(path, "ip.len", "udp.dstport"), [["528", "53"]])
                else:
                    header = 14 if link == "ethernet" else 0
                    self.assertEqual((length, captured), (528 + header, 60 + header))

    def test_losses_in_the_kernel_are_in_the_interface_statistics(self):
        config = "[[capture]]\ngroup = 1\nrecv_buffer = 65536\n" + sink("out", file="@DIR@/out", format="pcapng")
        host = self.start(config)
        host.signal(signal.SIGSTOP)
        send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53, b"x" * 900))], repeat=2000)
        host.signal(signal.SIGCONT)

        def is_told():
            # The packet that tells of the loss may be lost, too.
            send(self.far, [ipv4("192.168.2.2", "192.168.2.1", UDP, udp(4000, 53))])
            return host.counters()["capture"][1]["lost"] > 0

        wait_until(is_told, 10, "a loss")
        self.assertEqual(host.stop(), 0)
        lost = host.logged_counters()["capture"][1]["lost"]
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

    def test_what_a_full_disk_and_a_full_queue_cost_is_counted(self):
        host = self.start_sink(ON_SMALL_DISK, file="@DIR@/disk/out", queue=500)
        disk = pathlib.Path(f"/proc/{host.process.pid}/root") / host.path("disk").relative_to("/")
        for first in range(1000, 5000, 100):
            send(self.namespace, packets(first, 100))
        counted = wait_until(lambda: next((sink for sink in host.counters()["sinks"].values()
                                           if sink["published"] == 4000), None), 10, "4000 packets")
        self.assertEqual((counted["queued"], counted["rejected"]), (500, 0))
        self.assertEqual(counted["delivered"] + counted["overflowed"], 3500)
        self.assertEqual(len(tcpdump(disk / "out")), counted["delivered"])
        subprocess.run(["nsenter", "-t", str(host.process.pid), "-m", "mount", "-o", "remount,size=1m", str(host.path("disk"))],
                       check=True)
        wait_until(lambda: host.counters()["sinks"]["out"]["queued"] == 0, 10, "what waited")
        ports = ports_of(disk / "out")
        self.assertEqual(ports[-1], 4999)
        self.assertEqual(ports, sorted(set(ports)))
        after = host.counters()["sinks"]["out"]
        self.assertEqual((after["delivered"], after["overflowed"]), (len(ports), counted["overflowed"]))

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


if __name__ == "__main__":
    main()
