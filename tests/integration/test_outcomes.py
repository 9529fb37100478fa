'''A sink that answers event by event, at random, with exceptions in between: each event is delivered or rejected exactly
once, or stays queued, and the sums are exact at every moment.'''

import nfbustest
from nfbustest import wait_until
from packets import UDP, ipv4, send, udp

CONFIG = f"""
[host]
plugin_dirs = ["{nfbustest.TEST_PLUGINS}"]
[[capture]]
group = 0
recv_buffer = 67108864
[sink.wavers]
plugin = "wavers"
file = "@DIR@/said"
queue = 1000000
queue_bytes = 1073741824
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
}
}"""
PACKETS = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001, b"x")) for i in range(100)]


class Outcomes(nfbustest.IntegrationTest):
    def said(self, host):
        """What the sink wrote: a list of sequence numbers for each word."""
        said = {"d": [], "r": [], "disorder": []}
        for line in host.path("said").read_text().splitlines():
            word, number = line.split()
            said[word].append(int(number))
        return said

    def assert_sums(self, row):
        self.assertEqual(row["published"], row["delivered"] + row["filtered"] + row["overflowed"] + row["rejected"] +
                         row["queued"], row)

    def assert_each_once(self, host, row):
        said = self.said(host)
        self.assertEqual(said["disorder"], [])
        everything = said["d"] + said["r"]
        self.assertEqual(len(set(everything)), len(everything), "an event was settled twice")
        self.assertEqual((row["delivered"], row["rejected"]), (len(said["d"]), len(said["r"])))

    def test_each_of_100000_events_is_settled_once(self):
        host = self.start(CONFIG)
        self.namespace.nft(RULES)
        for _ in range(10):
            send(self.namespace, PACKETS, repeat=100)
            self.assert_sums(host.counters()["sinks"]["wavers"])
        wait_until(lambda: host.counters()["sinks"]["wavers"]["queued"] == 0, 60, "the sink to settle all")
        row = host.counters()["sinks"]["wavers"]
        self.assert_sums(row)
        self.assertEqual(row["published"], 100_000)
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assert_each_once(host, row)

    def test_a_stop_in_the_middle_delivers_or_says_what_is_left(self):
        host = self.start(CONFIG)
        self.namespace.nft(RULES)
        send(self.namespace, PACKETS, repeat=300)
        status = host.stop(20)
        row = host.logged_counters()["sinks"]["wavers"]
        self.assert_sums(row)
        self.assertEqual(row["published"], 30_000)
        self.assertEqual(status, 0 if row["queued"] == 0 else 1, host.stderr)
        if row["queued"] != 0:
            self.assertIn(f"error: {row['queued']} events are lost", host.stderr)
        self.assert_each_once(host, row)


if __name__ == "__main__":
    nfbustest.main()
