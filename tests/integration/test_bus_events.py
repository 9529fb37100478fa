'''The host's own events, matches, and what the bus does to clients that do not keep up.'''

import json
import os
import resource
import signal
import threading
import time

import nfbustest
from nfbustest import TEST_PLUGINS, read_json_lines, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient, ask_status, crowd, publish_once

CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]

[bus]
socket = "@DIR@/bus.sock"
format = "ulogd"

[[capture]]
group = 1
action = "blocked"
recv_buffer = 65536
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000-7999 counter log prefix "drop:out " group 1; }
}"""


class BusTest(nfbustest.IntegrationTest):
    CONFIG = CONFIG

    def setUp(self):
        super().setUp()
        self.host = self.start(self.CONFIG)
        self.path = self.host.path("bus.sock")
        self.namespace.nft(RULES)

    def client(self, *prefixes, **extensions):
        """A client whose subscriptions are in effect; it also gets a status each second."""
        client = WireClient(self.path)
        self.addCleanup(client.close)
        for prefix in prefixes:
            client.subscribe(prefix, **extensions)
        client.settle()
        return client

    def status(self):
        return ask_status(self.path)

    def packets(self, ports, repeat=1):
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000, port, b"x" * 64)) for port in ports],
             repeat=repeat)

    def assert_sums(self, status):
        for row in status["clients"] + [{**status["clients_total"], "id": "total"}]:
            self.assertEqual(row["published"], row["delivered"] + row["filtered"] + row["overflowed"] + row["queued"] +
                             row.get("left", 0), row)
            sent = row["sent"]
            self.assertEqual(sent["received"], sent["relayed"] + sent["subscribed"] + sent["invalid"] +
                             sent["not_text"] + sent["refused"], row)


class Matches(BusTest):
    def test_only_events_for_which_it_holds_travel_and_the_rest_is_counted(self):
        client = self.client("nft:", match={"dport": ["7001-7002"]})
        self.packets([7000, 7001, 7002, 7003])
        ports = [json.loads(client.next_event()[1])["dest_port"] for _ in range(2)]
        self.assertEqual(ports, [7001, 7002])
        row = wait_until(lambda: next((row for row in self.status()["clients"] if row["filtered"] == 2), None), 10,
                         "two events that did not match")
        self.assertEqual(row["published"], row["delivered"] + 2 + row["queued"])

    def test_another_subscription_of_the_same_client_may_still_want_the_event(self):
        client = WireClient(self.path)
        self.addCleanup(client.close)
        client.subscribe("nft:", match={"dport": 7001}, format="nflog")
        client.subscribe("nft:drop:", match={"dport": [7001, 7002]})
        client.settle()
        self.packets([7000, 7001, 7002])
        lines = [json.loads(client.next()) for _ in range(2)]
        self.assertIn("time_ns", lines[0])
        self.assertEqual(json.loads(lines[1]["value"])["dest_port"], 7002)

    def test_messages_can_be_matched_by_topic(self):
        client = self.client("", match={"topic": "web:b*"})
        for topic in ("web:a", "web:b1", "web:c", "web:b2"):
            publish_once(self.path, json.dumps({"topic": topic, "value": "x"}) + "\n")
        self.assertEqual([client.next_event()[0], client.next_event()[0]], ["web:b1", "web:b2"])

    def test_a_match_that_is_wrong_is_refused_with_its_reason(self):
        client = self.client()
        client.subscribe("nft:", match={"dport": 70000})
        self.host.wait_for(r"refused: a match: .*dport")
        client.subscribe("nft:", match={"bpf": "x" * 5000})
        self.host.wait_for(r"refused: a match that is too long|more before")


class OwnEvents(BusTest):
    CONFIG = CONFIG + """
[sink.wobbly]
plugin = "retries"
topics = ["web:"]
times = 1
retry_after_ms = 10
"""

    def test_losses_come_once_a_second_at_most_with_exact_counts(self):
        client = self.client("nfbus:loss")
        self.host.signal(signal.SIGSTOP)
        self.packets([7000 + n for n in range(100)], repeat=200)
        self.host.signal(signal.SIGCONT)
        self.packets([7000])
        topic, value = client.next_event()
        self.assertEqual(topic, "nfbus:loss")
        row = json.loads(value)["capture"][0]
        self.assertEqual((row["group"], row["new"]), (1, row["lost"]))
        self.assertGreater(row["lost"], 0)
        seen = self.namespace.counters()["drop:out "]
        wait_until(lambda: (c := self.host.counters()["capture"][1])["received"] + c["lost"] == seen, 10, "the sum")
        self.assertLessEqual(row["lost"], self.host.counters()["capture"][1]["lost"])

    def test_a_sinks_state_changes_are_told_with_their_reason(self):
        client = self.client("nfbus:sink")
        publish_once(self.path, '{"topic":"web:a","value":"1"}\n')
        topic, value = client.next_event()
        event = json.loads(value)
        self.assertEqual((topic, event["name"], event["plugin"], event["state"]),
                         ("nfbus:sink", "wobbly", "retries", "retrying"))
        self.assertTrue(event["error"])
        self.assertEqual(json.loads(client.next_event()[1])["state"], "running")


class OwnEventsForSinks(BusTest):
    CONFIG = OwnEvents.CONFIG + """
[sink.diary]
plugin = "jsonl"
topics = ["nfbus:"]
file = "@DIR@/diary"
"""

    def lines(self, topic):
        return [line["Message"] for line in read_json_lines(self.host.path("diary")) if line["Topic"] == topic]

    def test_a_sink_gets_status_losses_and_the_states_of_sinks(self):
        self.host.signal(signal.SIGSTOP)
        self.packets([7000 + n for n in range(100)], repeat=200)
        self.host.signal(signal.SIGCONT)
        self.packets([7000])
        publish_once(self.path, '{"topic":"web:a","value":"1"}\n')
        wait_until(lambda: len(self.lines("nfbus:status")) >= 3, 10, "three of a status each second")
        wait_until(lambda: self.lines("nfbus:loss") and len(self.lines("nfbus:sink")) == 2, 10, "a loss and two states")
        self.assertEqual([(e["name"], e["state"]) for e in self.lines("nfbus:sink")],
                         [("wobbly", "retrying"), ("wobbly", "running")])
        self.assertGreater(self.lines("nfbus:loss")[0]["capture"][0]["new"], 0)
        first, second = self.lines("nfbus:status")[:2]
        self.assertEqual(first.keys(), self.status().keys())
        self.assertEqual(sorted(s["name"] for s in first["sinks"]), ["diary", "wobbly"])
        source, group = self.status()["sources"][0], self.status()["capture"][0]
        self.assertEqual((len(first["sources"]), source["name"], source["state"]), (1, "nflog", "running"))
        self.assertEqual((source["received"], source["published"]), (group["received"], group["published"]))
        self.assertGreaterEqual(second["uptime_s"], first["uptime_s"] + 0.9)

    def test_clients_get_no_status_that_is_for_sinks(self):
        clients = []
        for prefix in ("", "nfbus:"):
            clients.append(WireClient(self.path))
            self.addCleanup(clients[-1].close)
            clients[-1].subscribe(prefix, answer=True)
            self.assertEqual(clients[-1].event()[0], "nfbus:answer")  # so the subscription is in effect
        before = len(self.lines("nfbus:status"))
        wait_until(lambda: len(self.lines("nfbus:status")) >= before + 2, 10, "two of a status each second")
        publish_once(self.path, '{"topic":"web:a","value":"1"}\n')  # upon which a sink retries, and says so
        for client in clients:
            lines = client.lines_until(lambda line: json.loads(line)["topic"] == "nfbus:sink")
            self.assertNotIn("nfbus:status", [json.loads(line)["topic"] for line in lines])


class SlowClients(BusTest):
    LINE = json.dumps({"topic": "load:x", "value": "y" * 470}) + "\n"

    def flood(self, lines):
        """Publishes so many lines of 500 bytes, numbered."""
        with WireClient(self.path) as publisher:
            for first in range(0, lines, 1000):
                publisher.send("".join(json.dumps({"topic": "load:x", "value": f"{n:08}" + "y" * 462}) + "\n"
                                       for n in range(first, min(first + 1000, lines))))

    def numbers(self, client, last):
        """Numbers of the flood's lines that the client gets, up to `last`."""
        numbers = []
        while not numbers or numbers[-1] != last:
            topic, value = client.event(30)
            if topic == "load:x":
                numbers.append(int(value[:8]))
        return numbers

    def test_a_stalled_client_loses_its_oldest_lines_and_is_told_exactly_how_many(self):
        stalled = WireClient(self.path)
        self.addCleanup(stalled.close)
        stalled.subscribe("load:", marker=True)
        wait_until(lambda: any("load:" in row["topics"] for row in self.status()["clients"]), 10, "the subscription")
        lines = 40_000  # 20 MB
        self.flood(lines)
        wait_until(lambda: self.status()["clients_total"]["sent"]["relayed"] == lines, 60, "the flood")
        row = next(row for row in self.status()["clients"] if "load:" in row["topics"])
        self.assertGreater(row["overflowed"], 10_000)
        self.assertLessEqual(row["queued_bytes"], 8 << 20)
        numbers, missed, total = [], 0, 0
        while not numbers or numbers[-1] != lines - 1:
            topic, value = stalled.event(30)
            if topic == "nfbus:dropped":
                marker = json.loads(value)
                missed += marker["missed"]
                total = marker["total"]
                at = len(numbers)
            elif topic == "load:x":
                numbers.append(int(value[:8]))
        self.assertEqual(len(numbers) + missed, lines)
        self.assertEqual(total, missed)
        self.assertEqual(numbers, sorted(numbers))
        # The last marker stands where lines are missing.
        self.assertEqual(numbers[at] - numbers[at - 1] - 1, marker["missed"])
        self.assert_sums(self.status())

    def test_a_stalled_client_costs_the_others_nothing(self):
        stalled = [self.client("load:") for _ in range(5)]
        quick = self.client("load:")
        got = []
        reader = threading.Thread(target=lambda: got.extend(self.numbers(quick, 29_999)))
        reader.start()
        self.flood(30_000)
        reader.join(60)
        self.assertEqual(got[-1], 29_999)
        status = self.status()
        self.assertGreater(sum(row["overflowed"] for row in status["clients"]), 0)
        # Lines are shared: five stalled clients hold what one would.
        self.assertLess(status["memory"]["clients_bytes"], 12 << 20)
        self.assert_sums(status)
        for client in stalled:
            client.close()
        wait_until(lambda: self.status()["memory"]["clients_bytes"] < 1 << 20, 10, "their lines to be freed")

    def test_nobody_gets_a_marker_who_did_not_ask(self):
        stalled = self.client("")
        self.flood(40_000)
        wait_until(lambda: self.status()["clients_total"]["sent"]["relayed"] == 40_000, 60, "the flood")
        numbers = self.numbers(stalled, 39_999)  # fails at a topic that is not JSON text
        self.assertLess(len(numbers), 40_000)

    def test_all_clients_together_are_bounded(self):
        clients = [self.client(f"load:{n}:") for n in range(12)]
        with WireClient(self.path) as publisher:
            for n in range(12):
                line = json.dumps({"topic": f"load:{n}:", "value": "y" * 60_000}) + "\n"
                publisher.send(line * 160)
        wait_until(lambda: self.status()["clients_total"]["sent"]["relayed"] == 12 * 160, 60, "all lines")
        status = self.status()
        self.assertLessEqual(status["memory"]["clients_bytes"], 64 << 20)
        self.assertGreater(status["memory"]["clients_bytes"], 32 << 20)
        self.assertGreater(status["clients_total"]["overflowed"], 0)
        self.assert_sums(status)
        self.assertEqual(len(clients), 12)

    def test_a_thousand_clients_that_subscribe_stall_and_vanish_leave_nothing_behind(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.host.process.pid}/fd"))

        def resident():
            return self.status()["memory"]["resident_bytes"]

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        self.assertEqual(len(self.status()["clients"]), 1)  # the server has let somebody in: all that it opens is open
        with WireClient(self.path) as last:
            last.subscribe("nfbus:status")
            wait_until(lambda: len(json.loads(last.event()[1])["clients"]) == 1, 5, "all others to be gone")
            before = descriptors() - 1
        deadline, rounds, after_first = time.monotonic() + 10, 0, 0
        while time.monotonic() < deadline:
            crowd(self.path, ("load:", ""), lambda: self.flood(200))
            wait_until(lambda: len(self.status()["clients"]) == 1, 20, "all to be gone")
            rounds += 1
            after_first = after_first or resident()
        self.assertGreater(rounds, 1)
        wait_until(lambda: descriptors() == before, 10, "the descriptors to be closed")
        # A sanitizer's allocator gives less back, and looks for leaks itself.
        growth = (32 if "ASAN_OPTIONS" in os.environ else 8) << 20
        self.assertLess(resident(), after_first + growth)
        self.assert_sums(self.status())


if __name__ == "__main__":
    nfbustest.main()
