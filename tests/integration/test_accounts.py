'''What was lost is counted to the packet: a stopped host, a flood and a small buffer.'''

import signal

import nfbustest
from nfbustest import read_json_lines, wait_until
from packets import UDP, ipv4, send, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 counter log prefix "lan:out " group 0;
    udp dport 7001 counter log prefix "drop:out " group 1;
}
}"""


def config(latency_ms):
    groups = "".join(f"[[capture]]\ngroup = {group}\nrecv_buffer = 65536\nlatency_ms = {latency_ms}\n"
                     for group in (0, 1))
    return groups + """
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
queue = 1000000
queue_bytes = 1000000000
"""


class Accounts(nfbustest.IntegrationTest):
    def flood(self, count):
        """count packets to each group, by turns."""
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1024 + i, port, b"x" * 64))
                   for i in range(100) for port in (7000, 7001)]
        send(self.namespace, packets, repeat=count // 100)

    def check(self, latency_ms):
        self.namespace.nft(RULES)
        host = self.start(config(latency_ms))
        self.flood(200)
        wait_until(lambda: read_json_lines(host.path("out")) and self.settled(host), 10, "the first packets")
        host.signal(signal.SIGSTOP)
        self.flood(30_000)
        host.signal(signal.SIGCONT)
        # The newest packet received tells what was lost before it.
        wait_until(lambda: self.settled(host), 20, "the backlog")
        self.flood(100)
        seen = self.namespace.counters()
        wait_until(lambda: self.settled(host), 20, "the last packets")
        counters = host.counters()
        for group, prefix in ((0, "lan:out "), (1, "drop:out ")):
            row = counters["capture"][group]
            self.assertEqual(row["received"] + row["lost"], seen[prefix], row)
            self.assertGreater(row["lost"], 0, "nothing was lost: the test proves nothing")
            self.assertGreater(row["enobufs"], 0)
            self.assertEqual(row["received"], row["published"] + row["not_forwarded"] + row["filtered"])
        sink = counters["sinks"]["out"]
        self.assertEqual(sink["published"], sum(row["published"] for row in counters["capture"].values()))
        self.assertEqual(sink["published"], sink["delivered"] + sink["filtered"] + sink["overflowed"] +
                         sink["rejected"] + sink["corrupted"] + sink["queued"] + sink["spilled"])
        self.assertEqual(host.stop(), 0)
        self.assertEqual(len(read_json_lines(host.path("out"))), host.logged_counters()["sinks"]["out"]["delivered"])

    def settled(self, host):
        """Whether two looks at the counters agree, with nothing queued."""
        first, second = host.counters(), host.counters()
        return first == second and second["sinks"]["out"]["queued"] == 0

    def test_received_and_lost_are_what_the_rule_counted(self):
        self.check(latency_ms=4)

    def test_also_where_the_threshold_adapts(self):
        self.check(latency_ms=0)

    def test_what_came_before_the_first_packet_received_counts_as_lost_too(self):
        self.namespace.nft(RULES)
        host = self.start(config(4))
        host.signal(signal.SIGSTOP)
        self.flood(30_000)
        host.signal(signal.SIGCONT)
        wait_until(lambda: self.settled(host), 20, "the backlog")
        self.flood(100)
        seen = self.namespace.counters()
        wait_until(lambda: self.settled(host), 20, "the last packets")
        row = host.counters()["capture"][0]
        self.assertEqual(row["received"] + row["lost"], seen["lan:out "], row)


if __name__ == "__main__":
    nfbustest.main()
