'''The filters that nfbus brings, on packets of the real kernel: nothing is dropped that is not accounted for.'''

import collections
import subprocess
import sys

import nfbustest
from nfbustest import TCP, UDP, ipv4, ipv6, read_json_lines, send, tcp, udp, wait_until

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "drop:out " group 0;
    tcp dport 443 counter log prefix "flow " group 0;
    tcp sport 443 counter log prefix "flow " group 0;
}
}"""

CAPTURE = """
[[capture]]
group = 0
"""


class Sample(nfbustest.IntegrationTest):
    def run_filter(self, filter_keys, packets, repeat=1):
        """Counts of what reached the sink and of what the rules saw."""
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + f"""
            [filter.thin]
            plugin = "sample"
            {filter_keys}
            [sink.out]
            plugin = "jsonl"
            filters = ["thin"]
            file = "@DIR@/out"
            """)
        send(self.namespace, packets, repeat=repeat)
        seen = sum(self.namespace.counters().values())
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)
        counters = host.logged_counters()
        sink, thin = counters["sinks"]["out"], counters["filters"]["thin"]
        lines = read_json_lines(host.path("out"))
        self.assertEqual(len(lines), sink["delivered"])
        self.assertEqual(sink["published"], seen)
        self.assertEqual((thin["kept"], thin["dropped"]), (sink["delivered"], sink["filtered"]))
        return lines, seen

    def test_one_in_n_of_each_source_is_exact(self):
        packets = [ipv4(source, "127.0.0.1", UDP, udp(1000, 7001))
                   for source in ("127.0.0.1", "127.0.0.1", "127.0.0.2")]
        lines, seen = self.run_filter('rate = 10\nkey = ["src"]', packets, repeat=500)
        self.assertEqual(seen, 1500)
        self.assertEqual(collections.Counter(line["src_ip"] for line in lines), {"127.0.0.1": 100, "127.0.0.2": 50})

    def test_the_first_packet_of_each_flow_is_kept_whichever_end_sends_it(self):
        packets = []
        for port in range(2000, 2050):
            packets += [ipv4("127.0.0.1", "127.0.0.2", TCP, tcp(port, 443)),
                        ipv4("127.0.0.2", "127.0.0.1", TCP, tcp(443, port)),
                        ipv6("::1", "::1", TCP, tcp(port, 443)),
                        ipv6("::1", "::1", TCP, tcp(443, port))]
        lines, seen = self.run_filter('mode = "flow"', packets, repeat=5)
        self.assertGreaterEqual(seen, 1000)  # and the kernel's own resets, in the same flows
        self.assertEqual(sorted((line["src_port"], line["dest_port"], "." in line["src_ip"]) for line in lines),
                         sorted((port, 443, four) for port in range(2000, 2050) for four in (False, True)))


class RateLimit(nfbustest.IntegrationTest):
    CALM = """
        [filter.calm]
        plugin = "ratelimit"
        rate = 5
        burst = 20
        summary_s = 1
        """

    def flood(self):
        packets = [ipv4(source, "127.0.0.1", UDP, udp(1000, 7001, b"x" * 64))
                   for source in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.9")]
        packets.append(ipv6("::1", "::1", UDP, udp(1000, 7001)))
        send(self.namespace, packets, repeat=2000)
        return self.namespace.counters()["drop:out "]

    def dropped_of_summaries(self, summaries):
        """By source; fails when one does not add up."""
        totals = collections.Counter()
        for line in summaries:
            self.assertEqual(line["Topic"], "ratelimit:calm")
            message = line["Message"]
            self.assertEqual(message["Filter"], "calm")
            self.assertLessEqual(message["From"], message["To"])
            self.assertEqual(message["Dropped"], sum(key["Dropped"] for key in message["Keys"]) + message["Other"])
            for key in message["Keys"]:
                self.assertEqual(key["prefix"], "drop:out ")
                totals[key["src"]] += key["Dropped"]
        return totals

    def test_what_a_sinks_filter_drops_is_in_its_summaries_to_the_packet(self):
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + self.CALM + """
            [sink.alerts]
            plugin = "jsonl"
            topics = ["nft:drop:", "ratelimit:"]
            filters = ["calm"]
            file = "@DIR@/alerts"
            [sink.summaries]
            plugin = "jsonl"
            topics = ["ratelimit:"]
            file = "@DIR@/summaries"
            """)
        self.flood()
        wait_until(lambda: len(read_json_lines(host.path("summaries"))) >= 1, 10, "a summary while it runs")
        seen = self.flood()
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)

        lines = read_json_lines(host.path("alerts"))
        summaries = [line for line in lines if "Topic" in line]
        packets = [line for line in lines if "Topic" not in line]
        self.assertEqual(summaries, read_json_lines(host.path("summaries")), "other sinks get them, too")
        dropped = self.dropped_of_summaries(summaries)
        delivered = collections.Counter(line["src_ip"] for line in packets)
        self.assertEqual(dropped + delivered, {"127.0.0.1": 12_000, "127.0.0.9": 4_000, "::1": 4_000})
        for source, count in delivered.items():
            self.assertGreaterEqual(count, 20, source)
            self.assertLess(count, 1000, source)
        counters = host.logged_counters()
        sink = counters["sinks"]["alerts"]
        self.assertEqual(sink["filtered"], sum(dropped.values()))
        self.assertEqual(sink["delivered"], len(lines))
        self.assertEqual(counters["filters"]["calm"]["failures"], 0)

    def test_a_captures_filter_limits_before_the_bus_and_tells_every_sink(self):
        self.namespace.nft(RULES)
        host = self.start('[[capture]]\ngroup = 0\nfilters = ["calm"]\n' + self.CALM + """
            [sink.alerts]
            plugin = "jsonl"
            topics = ["nft:", "ratelimit:"]
            file = "@DIR@/alerts"
            """)
        seen = self.flood()
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)
        lines = read_json_lines(host.path("alerts"))
        dropped = sum(self.dropped_of_summaries([line for line in lines if "Topic" in line]).values())
        group = host.logged_counters()["capture"][0]
        self.assertEqual(group["filtered"], dropped)
        self.assertEqual(group["published"], sum("Topic" not in line for line in lines))
        self.assertEqual(group["published"] + dropped, seen)

    def test_summaries_come_while_nothing_arrives_at_the_capture(self):
        self.namespace.nft(RULES)
        host = self.start('[[capture]]\ngroup = 0\nlatency_ms = 0\nfilters = ["calm"]\n' + self.CALM + """
            [sink.summaries]
            plugin = "jsonl"
            topics = ["ratelimit:"]
            file = "@DIR@/summaries"
            """)
        self.flood()
        dropped = lambda: sum(line["Message"]["Dropped"] for line in read_json_lines(host.path("summaries")))
        wait_until(lambda: dropped() == host.counters()["capture"][0]["filtered"] > 0, 10, "the last of it")


if __name__ == "__main__":
    nfbustest.main()
