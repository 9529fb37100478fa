'''A replay loses nothing: it waits, whatever the sinks' formats and limits, and says so when a sink would not take it.'''

import json
import os
import random
import struct
import tempfile
import unittest

import nfbustest
from nfbustest import Host, read_json_lines, wait_until
from packets import TCP, UDP, ipv4, ipv6, tcp, udp

DLT_NFLOG = 239
FIRST_PORT = 1000
PREFIXES = ["lan:in ", "wan:in ", "drop:input ", "rare "]


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nflog_record(group, prefix, packet):
    """linux/netfilter/nfnetlink_log.h: what the kernel sends for a packet, behind the netlink header."""
    is_ipv6 = packet[0] >> 4 == 6
    return (struct.pack("!BBH", 10 if is_ipv6 else 2, 0, group) +
            attribute(1, struct.pack("!HBx", 0x86DD if is_ipv6 else 0x0800, 1)) +
            attribute(10, prefix.encode() + b"\0") + attribute(9, packet))


def mixed_records(count):
    """(prefix, record): runs of small and of large packets, of several groups, prefixes, families and protocols; the
    source port numbers them."""
    chance = random.Random(1)
    large = False
    for i in range(count):
        if i % 700 == 0:
            large = chance.random() < 0.5
        size = chance.choice([700, 1400, 9000]) if large and chance.random() < 0.5 else chance.choice([0, 10, 60])
        port = FIRST_PORT + i
        body = tcp(port, 443, bytes(size)) if chance.random() < 0.5 else udp(port, 53, bytes(size))
        protocol = TCP if len(body) - size == 20 else UDP
        if chance.random() < 0.3:
            packet = ipv6("2001:db8::1", "2001:db8::2", protocol, body)
        else:
            packet = ipv4("192.0.2.1", "192.0.2.2", protocol, body)
        prefix = chance.choices(PREFIXES, [50, 30, 20, 1])[0]
        yield prefix, nflog_record(chance.choice([0, 0, 0, 1]), prefix, packet)


def write_capture(path, records):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, DLT_NFLOG))
        for i, record in enumerate(records):
            file.write(struct.pack("<IIII", 1_700_000_000 + i // 1000, i % 1000, len(record), len(record)) + record)


def ports_in_json(path):
    ports = []
    for line in read_json_lines(path):
        layer = line.get("TCP") or line.get("UDP") or {}
        ports.append(layer.get("SrcPort", line.get("src_port")))
    return ports


def packets_in_pcap(path):
    content = path.read_bytes()
    at, count = 24, 0
    while at < len(content):
        at += 16 + struct.unpack_from("<I", content, at + 8)[0]
        count += 1
    return count


def sink(name, plugin, **options):
    lines = [f"[sink.{name}]", f'plugin = "{plugin}"', *(f"{key} = {json.dumps(value)}" for key, value in options.items())]
    return "\n".join(lines) + "\n"


HEAD = f"""
[host]
plugin_dirs = ["{nfbustest.TEST_PLUGINS}"]
"""


class Replay(unittest.TestCase):
    COUNT = 18_000

    @classmethod
    def setUpClass(cls):
        file = tempfile.NamedTemporaryFile(suffix=".pcap")
        cls.addClassCleanup(file.close)
        cls.capture = file.name
        cls.ports = {prefix: [] for prefix in PREFIXES}  # of each prefix, in the file's order
        records = []
        for i, (prefix, record) in enumerate(mixed_records(cls.COUNT)):
            cls.ports[prefix].append(FIRST_PORT + i)
            records.append(record)
        write_capture(cls.capture, records)

    def replay(self, config):
        """A host that has replayed the file to its end."""
        host = Host(HEAD + config, arguments=["--replay", self.capture], wait=False)
        self.addCleanup(host.close)
        host.status = host.wait(120)
        return host

    def test_nothing_is_lost_in_any_format_with_any_limit(self):
        json_sinks = {}
        config = "[bus]\nsocket = '@DIR@/sock'\n"
        limits = [{}, {"queue": 1}, {"queue": 700}, {"queue_bytes": 65536}, {"queue_bytes": 1 << 20},
                  {"queue_bytes": 2 << 20}, {"queue": 100, "queue_bytes": 65536}]
        for i, limit in enumerate(limits):
            for overflow in ("drop_oldest", "drop_newest"):
                form = [{"format": "packet", "payload": "full"}, {"format": "packet"}, {"format": "ulogd"}][i % 3]
                topics = {"topics": ["nft:rare"]} if i % 4 == 3 else {}
                name = f"s{i}{overflow}"
                json_sinks[name] = topics
                config += sink(name, "jsonl", file=f"@DIR@/{name}", overflow=overflow, **limit, **form, **topics)
        config += sink("pcap", "pcap", file="@DIR@/pcap", queue_bytes=1 << 20)
        config += sink("slow", "retries", times=20, done=3, retry_after_ms=1, queue=50)
        host = self.replay(config)
        self.assertEqual(host.status, 0, host.stderr)
        everything = list(range(FIRST_PORT, FIRST_PORT + self.COUNT))
        sinks = host.logged_counters()["sinks"]
        for name, topics in json_sinks.items():
            expected = self.ports["rare "] if topics else everything
            got = ports_in_json(host.path(name))
            self.assertEqual(len(got), len(expected), sinks[name])
            self.assertEqual(got, expected, name)
        self.assertEqual(packets_in_pcap(host.path("pcap")), self.COUNT)
        self.assertEqual(sinks["slow"]["events"], self.COUNT)
        for name, row in sinks.items():
            self.assertEqual((row["delivered"], row["overflowed"]), (row["published"], 0), name)

    def test_ends_with_1_where_a_sink_has_failed(self):
        host = self.replay(sink("out", "jsonl", file="@DIR@/out", format="ulogd") + sink("bad", "fails"))
        self.assertEqual(host.status, 1)
        self.assertIn(f"error: {self.COUNT} events are lost", host.stderr)
        self.assertIn("error: the replay did not reach a sink that had failed", host.stderr)
        self.assertEqual(len(read_json_lines(host.path("out"))), self.COUNT)

    def test_ends_with_0_where_a_sink_took_what_it_can_take(self):
        host = self.replay(sink("picky", "rejects"))
        self.assertEqual(host.status, 0, host.stderr)
        self.assertNotIn("lost", host.stderr.replace("lost=", ""))

    def test_a_silent_pipe_delays_nothing_and_cannot_keep_the_host_from_ending(self):
        with tempfile.TemporaryDirectory() as folder:
            fifo = f"{folder}/fifo"
            os.mkfifo(fifo)
            # Nobody has opened it for writing yet.
            host = Host(HEAD + sink("out", "jsonl", file="@DIR@/out"), arguments=["--replay", fifo])
            self.addCleanup(host.close)
            writer = os.open(fifo, os.O_WRONLY)
            self.addCleanup(os.close, writer)
            record = nflog_record(0, "lan:in ", ipv4("192.0.2.1", "192.0.2.2", UDP, udp(1, 2)))
            os.write(writer, struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, DLT_NFLOG) +
                     struct.pack("<IIII", 1_700_000_000, 0, len(record), len(record)) + record +
                     struct.pack("<IIII", 1_700_000_001, 0, len(record), len(record)))
            wait_until(lambda: len(read_json_lines(host.path("out"))) == 1, 10, "the packet that has come")
            self.assertEqual(host.stop(4), 0, host.stderr)
            self.assertNotIn("error:", host.stderr)


if __name__ == "__main__":
    nfbustest.main()
