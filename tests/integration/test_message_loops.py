'''Sinks that publish what they hear: a loop of them ends, is named, and holds nothing up.'''

import nfbustest
from nfbustest import TEST_PLUGINS, wait_until
from wire_client import WireClient

CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
"""


def sink(name, topics, publishes=None):
    text = f'[sink.{name}]\nplugin = "echoes"\ntopics = {topics}\n'.replace("'", '"')
    return text + (f'topic = "{publishes}"\n' if publishes else "")


class Loops(nfbustest.IntegrationTest):
    def delivered(self, host):
        return {name: row["delivered"] for name, row in host.counters()["sinks"].items()}

    def run_loop(self, sinks, topic, messages, published):
        """Publishes messages; returns the host once the sinks have delivered so many, and has seen that they rest."""
        host = self.start(CONFIG + sinks)
        with WireClient(host.path("bus.sock")) as client:
            for i in range(messages):
                client.publish(topic, str(i))
            host.wait_for("a message loop")
            wait_until(lambda: sum(self.delivered(host).values()) == published, 10, "the end of the loop")
            client.subscribe("after:")
            client.publish("after:all", "1")
            self.assertEqual(client.event(), ("after:all", "1"))
        self.assertEqual(sum(self.delivered(host).values()), published)
        self.assertEqual(host.stop(seconds=5), 0)
        return host

    def test_a_sink_that_hears_itself_is_stopped_and_named(self):
        host = self.run_loop(sink("mirror", ["say:", "echo:"]), "say:a", 100, published=900)
        self.assertRegex(host.stderr, r'warning: sink\.mirror: a message loop: its message "(echo:)+say:a" .* by itself')
        said = [line for line in host.stderr.splitlines() if "message loop" in line]
        self.assertEqual(len(said), 2, said)
        self.assertRegex(said[1], r"\b99 more")

    def test_two_sinks_that_answer_each_other_are_stopped_and_both_are_named(self):
        sinks = sink("ping", ["ping:"], "pong:x") + sink("pong", ["pong:"], "ping:x")
        host = self.run_loop(sinks, "ping:x", 100, published=900)
        self.assertRegex(host.stderr, r'warning: sink\.ping: a message loop: its message "pong:x" .* by sink\.pong')

    def test_a_chain_of_eight_sinks_passes_every_message_on(self):
        sinks = "".join(sink(f"s{i}", [f"t{i}:"], f"t{i + 1}:x") for i in range(8))
        host = self.start(CONFIG + sinks)
        with WireClient(host.path("bus.sock")) as client:
            client.subscribe("t8:")
            client.settle()
            for i in range(100):
                client.publish("t0:x", str(i))
            self.assertEqual([client.next_event() for _ in range(100)], [("t8:x", str(i)) for i in range(100)])
        self.assertNotIn("loop", host.stderr)


if __name__ == "__main__":
    nfbustest.main()
