'''What sinks/influxdb costs: processor time beside jsonl's, memory while the server is away, allocations.'''

import os
import pathlib
import re
import resource
import struct
import subprocess
import tempfile
import time

from influxd import Influxd
from nfbustest import NFBUS_BIN, IntegrationTest, main, wait_until
from packets import TCP, UDP, ipv4, send, tcp, udp

CONFIG = """
[[capture]]
group = 1
action = "blocked"

[sink.db]
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 1;
}
}"""

EVENTS = 200_000
MOST_TIMES_JSONL = 3
MOST_RESIDENT_KIB = 160 * 1024  # queue, a batch, its points and their requests


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def capture(path):
    """A DLT_NFLOG file of different packets."""
    packets = [ipv4(f"10.{i % 7}.{i % 250}.{i % 99}", f"198.51.100.{i % 200}", *(
        (TCP, tcp(1024 + i * 7 % 60000, 443)) if i % 2 else (UDP, udp(1024 + i * 13 % 60000, 123, b"x" * (i % 50)))))
        for i in range(5000)]
    now = time.time_ns() // 10**9 * 10**9
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 239))
        for i in range(EVENTS):
            prefix = (b"drop:input ", b"lan:in ", b"wan:out ")[i % 3]
            body = (struct.pack("!BBH", 2, 0, 1) + attribute(1, struct.pack("!HBx", 0x0800, 3)) +
                    attribute(10, prefix + b"\0") + attribute(12, struct.pack("!I", i)) + attribute(9, packets[i % 5000]))
            when = now + i * 2000
            file.write(struct.pack("<IIII", when // 10**9, when % 10**9, len(body), len(body)) + body)


class Cost(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.server = Influxd(self.namespace)
        self.addCleanup(self.server.close)
        self.sink = ('plugin = "influxdb"\nurl = "http://127.0.0.1:8086"\napi = "v1"\ndatabase = "nfbus"\nuser = "writer"\n'
                     f'password_file = "{self.server.path("password")}"\n')

    def processor_seconds(self, folder, sink):
        config = folder / "nfbus.toml"
        config.write_text(CONFIG + sink)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self.namespace.command(NFBUS_BIN, "run", "-c", config, "--replay", folder / "capture"),
                              capture_output=True, text=True, timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertRegex(done.stderr, rf"name=db .*delivered={EVENTS} ")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_of_an_event_is_at_most_three_times_that_of_jsonl(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            capture(folder / "capture")
            # The least of each, in turns: what else the machine does only adds.
            jsonl, points = map(min, zip(*(
                (self.processor_seconds(folder, f'plugin = "jsonl"\nformat = "packet"\nfile = "{name}/out{i}"\n'),
                 self.processor_seconds(folder, self.sink)) for i in range(3))))
            print(f"us per event: jsonl {1e6 * jsonl / EVENTS:.2f}, influxdb with gzip {1e6 * points / EVENTS:.2f}")
            self.assertEqual(self.server.count("tcp") + self.server.count("udp"), EVENTS)
            self.assertLess(points, MOST_TIMES_JSONL * jsonl)

    def load(self, host, count):
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001, b"x" * 64)) for i in range(100)]
        send(self.namespace, packets, repeat=count // len(packets))

    def test_of_memory_without_a_server_has_a_bound(self):
        self.namespace.nft(RULES)
        self.server.stop(kill=True)
        host = self.start(CONFIG + self.sink + "batch_age_ms = 100\n")
        for _ in range(4):
            self.load(host, 50_000)
        wait_until(lambda: host.counters()["sinks"]["db"]["overflowed"] > 50_000, 20, "a full queue")
        status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
        resident = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
        print(f"resident at most: {resident} KiB")
        self.assertLess(resident, MOST_RESIDENT_KIB)
        host.process.kill()

    def test_of_allocations_is_none_per_packet(self):
        self.namespace.nft(RULES)
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        counter = pathlib.Path(file.name)
        counter.write_bytes(struct.pack("=Q", 0))
        host = self.start(CONFIG + self.sink + "batch_age_ms = 1000\n", env={
            "LD_PRELOAD": os.environ["NFBUS_COUNT_ALLOCATIONS"], "NFBUS_ALLOCATIONS_FILE": str(counter)})

        def deliver(count):
            before = host.counters()["sinks"]["db"]["delivered"]
            for _ in range(count // 20_000):
                self.load(host, 20_000)
                time_left = before + 20_000
                wait_until(lambda: host.counters()["sinks"]["db"]["delivered"] >= time_left, 30, "the packets")
                before = time_left

        deliver(40_000)  # buffers find their sizes
        before = struct.unpack("=Q", counter.read_bytes())[0]
        self.assertGreater(before, 0, "the counting library was not loaded")
        deliver(40_000)
        made = struct.unpack("=Q", counter.read_bytes())[0] - before
        print(f"{made} allocations for 40000 packets")
        # Requests ask for some, points do not.
        self.assertLess(made, 40_000 // 10)


if __name__ == "__main__":
    main()
