'''Sources that plugins bring, beside the kernel's groups: each is accounted for by its name.'''

import os
import pathlib
import tempfile

import nfbustest
from nfbustest import read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import ask_status

CONFIG = f"""
[host]
plugin_dirs = ["{nfbustest.TEST_PLUGINS}"]
[bus]
socket = "@DIR@/bus.sock"
"""
CAPTURE = """
[[capture]]
group = 0
"""
PACKETS = """
[sink.packets]
plugin = "jsonl"
file = "@DIR@/packets"
format = "ulogd"
queue = 1000
"""
MESSAGES = """
[sink.messages]
plugin = "jsonl"
file = "@DIR@/messages"
topics = ["fed:"]
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
}
}"""


def source(name, plugin, **options):
    lines = "".join(f"{key} = {repr(value) if isinstance(value, str) else str(value).lower()}\n"
                    for key, value in options.items())
    return f'[source.{name}]\nplugin = "{plugin}"\n{lines}'


def balance(row):
    return row["published"] + row["filtered"] + row["malformed"] + row["refused"]


class Sources(nfbustest.IntegrationTest):
    def rows(self, host):
        return {row["name"]: row for row in ask_status(host.path("bus.sock"))["sources"]}

    def wait_received(self, host, name, count):
        wait_until(lambda: self.rows(host)[name]["received"] >= count, 20, f"what {name} hands over")

    def test_records_and_messages_come_beside_the_kernels_packets_and_are_counted_by_name(self):
        host = self.start(CONFIG + CAPTURE + PACKETS + MESSAGES +
                          source("first", "feeds_all", records=3000, messages=20) +
                          source("second", "feeds", messages=5))
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000, 7001, b"x"))], repeat=7)
        self.wait_received(host, "first", 3020)
        self.wait_received(host, "second", 5)
        self.wait_received(host, "nflog", 7)
        rows = self.rows(host)
        self.assertEqual([rows[name]["published"] for name in ("nflog", "first", "second")], [7, 3020, 5])
        for row in rows.values():
            self.assertEqual(row["received"], balance(row), row)
        self.assertIn("2 sources", host.stderr)
        self.assertEqual(host.stop(), 0, host.stderr)
        packets = read_json_lines(host.path("packets"))
        self.assertEqual(len(packets), 3007)
        fed = [line for line in packets if line["oob.prefix"] == "fed:in "]
        self.assertEqual([line["ip.id"] for line in fed], [i % 65536 for i in range(3000)])
        messages = [line["Message"] for line in read_json_lines(host.path("messages"))]
        self.assertEqual(sorted(messages), sorted(list(range(20)) + list(range(5))))
        counters = host.logged_counters()["sinks"]["packets"]
        self.assertEqual((counters["delivered"], counters["overflowed"]), (3007, 0), "a lossless source waits for room")

    def test_what_is_no_record_or_under_a_topic_of_the_host_is_counted_and_not_published(self):
        host = self.start(CONFIG + MESSAGES + source("wrong", "feeds", wrong=True, messages=1))
        self.wait_received(host, "wrong", 6)
        row = self.rows(host)["wrong"]
        self.assertEqual((row["published"], row["malformed"], row["refused"]), (1, 3, 2), row)
        self.assertEqual(row["received"], balance(row))
        self.assertEqual(host.stop(), 0, host.stderr)

    def test_a_lossless_source_hears_that_a_sink_has_no_room_and_loses_nothing(self):
        host = self.start(CONFIG + source("patient", "feeds_all", messages=500) +
                          '[sink.stuck]\nplugin = "hangs"\ntopics = ["fed:"]\nqueue = 50\n')
        wait_until(lambda: host.counters()["sinks"]["stuck"]["queued"] >= 50, 20, "the queue to be full")
        row = self.rows(host)["patient"]
        self.assertLess(row["received"], 200, "it waits")
        self.assertEqual(host.counters()["sinks"]["stuck"]["overflowed"], 0)
        self.assertEqual(host.stop(20), 1)

    def test_a_source_that_fails_is_said_and_the_others_go_on(self):
        host = self.start(CONFIG + CAPTURE + PACKETS + source("broken", "feeds", end="fails"))
        host.wait_for(r"source\.broken: ended: run\(\) failed: no more to read")
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000, 7001, b"x"))], repeat=3)
        self.wait_received(host, "nflog", 3)
        self.assertEqual(self.rows(host)["broken"]["state"], "failed")
        self.assertEqual(host.stop(), 0, host.stderr)

    def test_a_mistake_in_a_source_has_its_place(self):
        directory = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(directory.cleanup)
        file = pathlib.Path(directory.name) / "nfbus.toml"
        for table, said in ((source("a", "feeds", end="never"), f"{file}:8:"),
                            (source("a", "noop"), '"noop" is a sink; name it under [sink.NAME]')):
            file.write_text(CONFIG.replace("@DIR@", directory.name) + table)
            done = run_nfbus("check", "-c", file)
            self.assertIn(said, done.stdout)
            self.assertEqual(done.returncode, 78)


if __name__ == "__main__":
    nfbustest.main()
