'''A sink that hangs, throws, fails or rejects harms itself alone, and every packet is accounted for.'''


import nfbustest
from nfbustest import read_json_lines, wait_until
from packets import UDP, ipv4, send, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
}
}"""

CAPTURE = f"""
[host]
plugin_dirs = ["{nfbustest.TEST_PLUGINS}"]
[[capture]]
group = 0
[sink.good]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
"""


def balance(sink):
    return (sink["delivered"] + sink["filtered"] + sink["overflowed"] + sink["rejected"] + sink["corrupted"] +
            sink["queued"] + sink["spilled"])


class Delivery(nfbustest.IntegrationTest):
    def flood(self, host, count):
        """Sends packets and waits until the good sink has them all."""
        self.namespace.nft(RULES)
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 7001, b"x" * 64)) for i in range(100)]
        send(self.namespace, packets, repeat=count // len(packets))
        wait_until(lambda: host.counters()["sinks"]["good"]["delivered"] >= count, 20, "the good sink")
        return host.counters()

    def check_sums(self, counters, count):
        group = counters["capture"][0]
        self.assertEqual(group["received"] + group["lost"], count)
        self.assertEqual(group["received"], group["published"] + group["not_forwarded"] + group["filtered"])
        for sink in counters["sinks"].values():
            self.assertEqual(sink["published"], group["published"])
            self.assertEqual(sink["published"], balance(sink), sink)

    def test_a_hanging_sink_fills_its_own_queue_alone_and_cannot_keep_the_host_from_ending(self):
        host = self.start(CAPTURE + '[sink.stuck]\nplugin = "hangs"\nqueue = 1000\n')
        counters = self.flood(host, 20_000)
        self.check_sums(counters, 20_000)
        self.assertEqual(counters["sinks"]["good"]["overflowed"], 0)
        stuck = counters["sinks"]["stuck"]
        self.assertEqual(stuck["delivered"], 0)
        self.assertLessEqual(stuck["queued"], 1000)
        self.assertEqual(host.stop(20), 1)
        self.assertRegex(host.stderr, r"sink\.stuck: its plugin did not return")
        lost = host.logged_counters()["sinks"]["stuck"]["queued"]
        self.assertIn(f"error: {lost} events are lost: they were not delivered when the host ended\n", host.stderr)
        self.check_sums(host.logged_counters(), 20_000)
        self.assertEqual(len(read_json_lines(host.path("out"))), 20_000)

    def test_a_throwing_sink_is_closed_and_what_it_missed_is_counted_as_rejected(self):
        host = self.start(CAPTURE + '[sink.bad]\nplugin = "throws"\nafter = 2\nbatch_events = 10\n')
        self.flood(host, 5_000)
        # An exception may pass: the events come again. Ten in a row do not.
        wait_until(lambda: host.counters()["sinks"]["bad"]["state"] == "failed", 20, "the throwing sink to be closed")
        counters = host.counters()
        self.check_sums(counters, 5_000)
        bad = counters["sinks"]["bad"]
        self.assertEqual(bad["calls"], 12)
        self.assertEqual(bad["delivered"], bad["events"])  # as the plugin counts them itself
        self.assertEqual(bad["rejected"], 5_000 - bad["delivered"])
        self.assertRegex(host.stderr, r"sink\.bad: closed for good: .*this sink always throws")
        self.assertEqual(host.stop(), 0)

    def test_a_failing_sink_is_closed_and_the_others_go_on(self):
        host = self.start(CAPTURE + '[sink.bad]\nplugin = "fails"\n')
        counters = self.flood(host, 1_000)
        self.check_sums(counters, 1_000)
        self.assertEqual(counters["sinks"]["bad"]["state"], "failed")
        self.assertEqual(host.stop(), 0)

    def test_rejected_events_are_counted_and_their_reason_logged_once(self):
        host = self.start(CAPTURE + '[sink.picky]\nplugin = "rejects"\n')
        counters = self.flood(host, 1_000)
        wait_until(lambda: host.counters()["sinks"]["picky"]["queued"] == 0, 10, "the picky sink")
        counters = host.counters()
        self.check_sums(counters, 1_000)
        self.assertEqual(counters["sinks"]["picky"]["rejected"], 500)
        self.assertEqual(host.stderr.count("this sink takes only every second event"), 1)

    def test_a_sink_that_asks_for_retries_gets_every_event_once_done(self):
        host = self.start(CAPTURE + '[sink.slow]\nplugin = "retries"\ntimes = 5\ndone = 3\nretry_after_ms = 10\n')
        self.flood(host, 1_000)
        wait_until(lambda: host.counters()["sinks"]["slow"]["delivered"] == 1_000, 10, "the slow sink")
        slow = host.counters()["sinks"]["slow"]
        self.assertEqual((slow["retries"], slow["events"]), (5, 1_000))

    def test_a_sink_in_backoff_at_the_end_is_closed_and_its_events_stay_queued(self):
        host = self.start(CAPTURE + '[sink.away]\nplugin = "retries"\ntimes = 1000000\n')
        self.flood(host, 1_000)
        self.assertEqual(host.stop(20), 1)
        self.assertNotIn("did not return", host.stderr)
        self.assertIn("error: 1000 events are lost: they were not delivered when the host ended\n", host.stderr)
        self.assertEqual(host.logged_counters()["sinks"]["away"]["queued"], 1_000)
        self.assertIn("warning: sink.away: 1000 events that it could not deliver in time are lost", host.stderr)
        self.check_sums(host.logged_counters(), 1_000)

    def test_what_comes_to_a_sink_that_fails_at_the_end_is_lost(self):
        host = self.start(CAPTURE.replace("group = 0\n", "group = 0\nlatency_ms = 5000\n", 1) +
                          '[sink.bad]\nplugin = "throws"\nafter = 0\n')
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))], repeat=100)
        self.assertEqual(host.stop(), 1)
        self.assertEqual(host.logged_counters()["sinks"]["bad"]["rejected"], 100)
        self.assertIn("error: 100 events are lost: they were not delivered when the host ended\n", host.stderr)

    def test_filters_drop_annotate_and_fail_for_their_own_sink_alone(self):
        host = self.start(CAPTURE + """
            [filter.half]
            plugin = "filter_drops"
            [filter.broken]
            plugin = "filter_throws"
            [filter.note]
            plugin = "filter_annotates"
            [sink.halved]
            plugin = "jsonl"
            file = "@DIR@/halved"
            format = "ulogd"
            filters = ["broken", "half", "note"]
            """)
        self.flood(host, 1_000)
        wait_until(lambda: host.counters()["sinks"]["halved"]["queued"] == 0, 10, "the halved sink")
        counters = host.counters()
        self.check_sums(counters, 1_000)
        halved = counters["sinks"]["halved"]
        self.assertEqual((halved["filtered"], halved["delivered"]), (500, 500))
        records = read_json_lines(host.path("halved"))
        self.assertEqual(len(records), 500)
        self.assertTrue(all(list(record)[-1] == "Fields" for record in records))
        self.assertTrue(all("Fields" not in record for record in read_json_lines(host.path("out"))))
        self.assertRegex(host.stderr, r"filter\.broken: .*; its events are kept")
        self.assertRegex(host.stderr, r"filter name=broken plugin=filter_throws of=sink\.halved failures=[1-9]")

    def test_capture_filters_run_once_before_the_bus(self):
        config = CAPTURE.replace("group = 0\n", 'group = 0\nfilters = ["half", "note"]\n') + """
            [filter.half]
            plugin = "filter_drops"
            [filter.note]
            plugin = "filter_annotates"
            """
        host = self.start(config)
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))], repeat=100)
        wait_until(lambda: host.counters()["sinks"]["good"]["delivered"] == 50, 10, "half of the packets")
        group = host.counters()["capture"][0]
        self.assertEqual((group["received"], group["filtered"], group["published"]), (100, 50, 50))
        self.assertTrue(all("Fields" in record for record in read_json_lines(host.path("out"))))


if __name__ == "__main__":
    nfbustest.main()
