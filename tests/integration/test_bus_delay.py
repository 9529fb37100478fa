'''How long a packet takes to a subscriber, alone and beside clients that behave badly. Measures time: not for a build
with sanitizers.'''

import base64
import json
import socket
import statistics
import struct
import threading
import time

import nfbustest
from nfbustest import Repeatedly
from wire_client import WireClient

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
action = "blocked"
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 log prefix "drop:out " group 1;
}
}"""
STAMP = struct.Struct("<8sd")
MARK = b"stamped:"


class Delay(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")
        self.namespace.nft(RULES)
        self.sender = self.namespace.socket(socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)

    def client(self, prefix="nft:", **options):
        client = WireClient(self.path, **options)
        self.addCleanup(client.close)
        client.subscribe(prefix)
        client.settle()
        return client

    def delays_ms(self, rate, count):
        """Sorted, of so many packets a second that carry the time at which they were sent."""
        with WireClient(self.path) as client:
            client.subscribe("nft:", format="nflog")
            client.settle()
            sender = threading.Thread(target=self.send, args=(rate, count))
            sender.start()
            delays = []
            while len(delays) < count:
                line = client.next(30)
                received = time.monotonic()
                record = base64.b64decode(json.loads(line)["value"])
                _, sent = STAMP.unpack_from(record, record.index(MARK))
                delays.append((received - sent) * 1000)
            sender.join()
        return sorted(delays)

    def send(self, rate, count):
        due = time.monotonic()
        for number in range(count):
            due += (0.5 + number % 7 / 6) / rate  # not in step with the kernel's timer
            time.sleep(max(0, due - time.monotonic()))
            self.sender.sendto(STAMP.pack(MARK, time.monotonic()), ("127.0.0.1", 7001))

    def assert_prompt(self, rate, count):
        tried = []
        for _ in range(5):  # others may use the machine
            delays = self.delays_ms(rate, count)
            tried.append((delays[len(delays) // 2], delays[len(delays) * 99 // 100]))
            if tried[-1][0] < 5 and tried[-1][1] < 10:
                print(f"{rate}/s: p50 {tried[-1][0]:.1f} ms, p99 {tried[-1][1]:.1f} ms", flush=True)
                return
        self.fail(f"{rate}/s: (p50, p99) in ms: {tried}")

    def test_a_lone_packet_comes_promptly(self):
        self.assert_prompt(10, 40)

    def test_a_thousand_packets_a_second_come_promptly(self):
        self.assert_prompt(1000, 2000)

    def test_bad_clients_do_not_double_the_delay_of_a_good_one(self):
        def p99():
            delays = self.delays_ms(1000, 1500)
            return delays[len(delays) * 99 // 100]

        def read_slowly():
            slow.socket.recv(200)
            time.sleep(0.01)

        def come_and_go():
            with WireClient(self.path) as client:
                client.subscribe("")
                client.send(b'{"topic":')
                time.sleep(0.002)

        def talk_nonsense():
            hostile.send(b"\xff{\"topic\":\0}\n" * 20 + b'{"topic":"nft:forged","value":"x"}\n' * 20)
            time.sleep(0.005)

        alone, beside = [], []
        for _ in range(5):
            alone.append(p99())
            stalled = [self.client() for _ in range(5)]
            slow = self.client(receive_bytes=4096)
            hostile = self.client("load:")
            with Repeatedly(read_slowly), Repeatedly(come_and_go), Repeatedly(talk_nonsense):
                beside.append(p99())
            for client in (*stalled, slow, hostile):
                client.close()
        print(f"p99 in ms: alone {alone}, beside bad clients {beside}", flush=True)
        self.assertLess(statistics.median(beside), 2 * statistics.median(alone))


if __name__ == "__main__":
    nfbustest.main()
