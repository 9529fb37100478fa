'''Messages end to end: from clients to sinks, from plugins to clients; and the commands that speak to the bus.'''

import json
import os

import nfbustest
from nfbustest import TEST_PLUGINS, read_json_lines, run_nfbus, wait_until
from wire_client import WireClient, publish_once

CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]

[bus]
socket = "@DIR@/bus.sock"
format = "ulogd"

[[capture]]
group = 1

[sink.web]
plugin = "jsonl"
topics = ["web:"]
file = "@DIR@/web"

[sink.echo]
plugin = "echoes"
topics = ["say:"]
"""


class Messages(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")

    def client(self, prefix=None):
        client = WireClient(self.path)
        self.addCleanup(client.close)
        if prefix is not None:
            client.subscribe(prefix)
            client.settle()
        return client

    def test_what_a_client_publishes_reaches_the_sinks_whose_topics_fit(self):
        publish_once(self.path, '{"topic":"other:x","value":"{}"}\n'
                                '{"topic":"web:a","value":"{\\"user\\": \\"\\u00e9\\ud83d\\ude00\\"}"}\n'
                                '{"topic":"web:b","value":"no \\"json\\""}\n'
                                '{"topic":"web:c"}\n')
        rows = wait_until(lambda: len(rows := read_json_lines(self.host.path("web"))) == 3 and rows, 10, "the messages")
        self.assertEqual([(row["Topic"], row["Message"]) for row in rows],
                         [("web:a", {"user": "\u00e9\U0001f600"}), ("web:b", 'no "json"'), ("web:c", "")])
        self.assertEqual(self.host.counters()["sinks"]["web"]["delivered"], 3)

    def test_what_a_plugin_publishes_reaches_clients(self):
        listener = self.client("echo:")
        publish_once(self.path, '{"topic":"say:hello","value":"{\\"a\\":\\"\\u0001\\"}"}\n')
        self.assertEqual(listener.next_event(), ("echo:say:hello", '{"a":"\x01"}'))

    def test_a_plugins_message_that_is_too_long_for_a_line_is_shortened_and_marked(self):
        listener = self.client("echo:")
        publish_once(self.path, json.dumps({"topic": "say:long", "value": '"' * 50000}) + "\n")
        topic, value = listener.next_event()
        self.assertEqual(topic, "echo:say:long")
        shortened = json.loads(value)
        self.assertIs(shortened["Truncated"], True)
        self.assertTrue(('"' * 50000).startswith(shortened["Message"]))
        self.assertGreater(len(shortened["Message"]), 5000)

    def test_the_publish_command_publishes_json(self):
        listener = self.client("web:")
        done = run_nfbus("publish", "web:cli", '{"n": [1, "\u00e9"]}', "-s", self.path)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(listener.next_event(), ("web:cli", '{"n": [1, "\u00e9"]}'))
        wait_until(lambda: len(read_json_lines(self.host.path("web"))) == 1, 10, "the message in the sink")

    def test_the_publish_command_says_what_is_wrong(self):
        for arguments, status, said in (
                (("web:x", "{", "-s", self.path), 2, "not JSON"),
                (("nfbus:x", "1", "-s", self.path), 2, "the host's own"),
                (("subscribe:x", "1", "-s", self.path), 2, "the host's own"),
                (("web:x", '"' + "\\" * 131068 + '"', "-s", self.path), 2, "too long"),
                (("web:x", "1", "-s", self.host.path("nobody")), 1, "is nfbus running?"),
                (("web:x",), 2, "JSON")):
            done = run_nfbus("publish", *arguments)
            self.assertEqual(done.returncode, status, done)
            self.assertIn(said, done.stderr)

    def test_the_status_command_shows_every_group_sink_and_client(self):
        publish_once(self.path, '{"topic":"web:a","value":"1"}\n')
        wait_until(lambda: read_json_lines(self.host.path("web")), 10, "the message")
        client = self.client("web:")
        done = run_nfbus("status", "--json", "-s", self.path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        status = json.loads(done.stdout)
        self.assertEqual([row["group"] for row in status["capture"]], [1])
        sinks = {row["name"]: row for row in status["sinks"]}
        self.assertEqual((sinks["web"]["plugin"], sinks["web"]["state"], sinks["web"]["delivered"]),
                         ("jsonl", "running", 1))
        self.assertEqual([(row["pid"], row["uid"]) for row in status["clients"] if "web:" in row["topics"]],
                         [(os.getpid(), 0)])
        self.assertEqual(status["pid"], self.host.process.pid)
        self.assertGreater(status["memory"]["resident_bytes"], 1 << 20)
        client.close()

        shown = run_nfbus("status", "-s", self.path)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertRegex(shown.stdout, r"(?m)^ +group +received +lost ")
        self.assertRegex(shown.stdout, r"(?m)^ +web +jsonl +running +1 +1 ")

    def test_the_status_command_without_a_host_fails(self):
        done = run_nfbus("status", "-s", self.host.path("nobody"))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("is nfbus running?", done.stderr)


class WithoutBus(nfbustest.IntegrationTest):
    def test_a_host_whose_default_socket_cannot_be_made_runs_all_the_same(self):
        host = self.start("[[capture]]\ngroup = 1\n")
        other = self.start('[[capture]]\ngroup = 2\naction = "blocked"\n')
        self.assertRegex(other.stderr, "clients cannot connect: .* is served by")
        self.assertEqual((host.stop(), other.stop()), (0, 0))


if __name__ == "__main__":
    nfbustest.main()
