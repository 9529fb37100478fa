'''In the steady state the host asks for no memory per packet, from the kernel's socket to the file.'''

import os
import pathlib
import struct
import tempfile

import nfbustest
from nfbustest import wait_until
from packets import UDP, ipv4, send, udp

CONFIG = """
[[capture]]
group = 0
[[capture]]
group = 1
action = "blocked"
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
[sink.drops]
plugin = "jsonl"
file = "@DIR@/drops"
format = "packet"
payload = "full"
topics = ["nft:drop:"]
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
    udp dport 7002 counter log prefix "drop:input " group 1;
}
}"""

PACKETS = 100_000


class Allocations(nfbustest.IntegrationTest):
    def test_none_are_made_per_packet(self):
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        counter = pathlib.Path(file.name)
        counter.write_bytes(struct.pack("=Q", 0))
        library = os.environ["NFBUS_COUNT_ALLOCATIONS"]
        host = self.start(CONFIG, env={"LD_PRELOAD": library, "NFBUS_ALLOCATIONS_FILE": str(counter)})
        self.namespace.nft(RULES)
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001 + i % 2, b"x" * 64)) for i in range(100)]

        def load(count):
            before = host.counters()["sinks"]["out"]["delivered"]
            send(self.namespace, packets, repeat=count // len(packets))
            wait_until(lambda: host.counters()["sinks"]["out"]["delivered"] - before >= count, 30, "all packets")

        load(20_000)  # pools and buffers find their sizes
        before = struct.unpack("=Q", counter.read_bytes())[0]
        self.assertGreater(before, 0, "the counting library was not loaded")
        load(PACKETS)
        made = struct.unpack("=Q", counter.read_bytes())[0] - before
        counters = host.counters()
        self.assertEqual(counters["capture"][0]["lost"] + counters["capture"][1]["lost"], 0)
        # Batches and the questions of this test may ask for some; packets may not.
        print(f"{made} allocations for {PACKETS} packets")
        self.assertLess(made, PACKETS // 10)


if __name__ == "__main__":
    nfbustest.main()
