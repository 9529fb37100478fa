'''What clients of the socket cost each other when some do their worst: time, memory, places. The bounds are far from what
the machine does, and farther from what it did without them.'''

import json
import resource
import signal
import subprocess
import time

import nfbustest
from nfbustest import Repeatedly, run_nfbus, wait_until
from wire_client import WireClient, ask_status

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
"""
PORT_RANGES = " or ".join(f"portrange {7 * i + 1}-{7 * i + 3}" for i in range(160))


class Load(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")

    def client(self, **options):
        client = WireClient(self.path, **options)
        self.addCleanup(client.close)
        return client

    def slowest_ms(self, begin, rounds=30):
        """How long the slowest of some messages takes from one client to another, once begin() was called."""
        reader, writer = self.client(), self.client()
        reader.subscribe("good:x")
        reader.settle()
        begin()
        slowest = 0
        for number in range(rounds):
            sent = time.monotonic()
            writer.publish("good:x", str(number))
            self.assertEqual(reader.next_event(30), ("good:x", str(number)))
            slowest = max(slowest, time.monotonic() - sent)
            time.sleep(0.01)
        return slowest * 1000

    def assert_prompt(self, begin):
        slowest = self.slowest_ms(begin)
        print(f"slowest: {slowest:.1f} ms", flush=True)
        self.assertLess(slowest, 400)
        began = time.monotonic()
        status = ask_status(self.path)
        self.assertLess(time.monotonic() - began, 2)
        return status

    def test_long_matches_are_compiled_at_nobodys_cost(self):
        attackers = [self.client() for _ in range(4)]
        line = {"topic": "subscribe:x:", "match": {"bpf": " or ".join(PORT_RANGES.split(" or ")[:20])}}
        longer = {**line, "match": {"bpf": PORT_RANGES}}

        def begin():
            for attacker in attackers:
                attacker.send((json.dumps(longer) + "\n") * 2 + (json.dumps(line) + "\n") * 20)

        self.assert_prompt(begin)
        wait_until(lambda: ask_status(self.path)["clients_total"]["sent"]["refused"] == 8, 30, "the refusals")
        self.host.wait_for(r"refused: a match: bpf: .* has 320 words, and may have 64")

    def test_thousands_of_subscriptions_are_taken_in_no_time(self):
        attackers = [self.client() for _ in range(50)]

        def begin():
            for number, attacker in enumerate(attackers):
                attacker.send(b"".join(b'{"topic":"subscribe:a:%d:%d"}\n' % (number, i) for i in range(256)))

        began = time.monotonic()
        self.assert_prompt(begin)
        wait_until(lambda: ask_status(self.path)["clients_total"]["sent"]["subscribed"] >= 50 * 256, 30, "them all")
        self.assertLess(time.monotonic() - began, 10)

    def test_matches_are_paid_for_by_those_who_ask(self):
        attackers = [self.client() for _ in range(40)]
        for number, attacker in enumerate(attackers):
            match = {"topic": ["*a" * 20 + str(i) for i in range(30)]}
            attacker.send((json.dumps({"topic": "subscribe:good:", "match": match, "marker": number == 0}) + "\n") * 256)
            attacker.settle()
        publisher = self.client()
        line = json.dumps({"topic": "good:" + "a" * 200, "value": "y"}) + "\n"
        with Repeatedly(lambda: (publisher.send(line * 20), time.sleep(0.002))):
            status = self.assert_prompt(lambda: None)
        marker = attackers[0].lines_until(lambda at: at.startswith(b'{"topic":"nfbus:dropped"'))[-1]
        self.assertGreater(json.loads(json.loads(marker)["value"])["missed"], 0)
        total = status["clients_total"]
        self.assertGreater(total["overflowed"], 0)
        self.assertEqual(total["published"], total["delivered"] + total["filtered"] + total["overflowed"] +
                         total["queued"] + total["left"])

    def test_a_client_that_sends_many_tiny_lines_is_read_in_turn(self):
        attackers = [self.client() for _ in range(8)]
        publishers = [Repeatedly(lambda client=client: client.send(b"{}\n" * 20000)) for client in attackers]

        def begin():
            for publisher in publishers:
                publisher.__enter__()

        try:
            self.assert_prompt(begin)
        finally:
            for publisher in publishers:
                publisher.__exit__(None)


class FewDescriptors:
    """A namespace whose programs may open 600 files, of which the host keeps most for itself."""

    def __init__(self, namespace):
        self.namespace = namespace

    def command(self, *argv):
        return self.namespace.command("prlimit", "--nofile=600:600", *argv)


class Places(nfbustest.IntegrationTest):
    def test_the_status_is_shown_when_all_places_are_taken(self):
        host = self.start(CONFIG, namespace=FewDescriptors(self.namespace))
        path = host.path("bus.sock")
        for _ in range(300):
            client = WireClient(path)
            self.addCleanup(client.close)
        done = run_nfbus("status", "-s", path, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        total = json.loads(done.stdout)["clients_total"]
        self.assertGreater(total["turned_away"], 0)
        self.assertLess(total["connected"], 300)
        for line in (b'{"topic":"subscribe:","value":""}\n', b'{"topic":"x","value":"y"}\n', b"no json\n"):
            with WireClient(path) as late:
                late.send(line)
                self.assertTrue(late.is_closed_by_server())
        with WireClient(path) as silent:
            self.assertTrue(silent.is_closed_by_server(), "a place for the status is not kept for long")
        host.wait_for("a client is turned away: too many clients")

    def test_publish_and_tap_of_any_user_say_that_all_places_are_taken_and_end_with_1(self):
        host = self.start(CONFIG, namespace=FewDescriptors(self.namespace))
        path = host.path("bus.sock")
        path.parent.chmod(0o755)
        path.chmod(0o666)
        clients = [WireClient(path) for _ in range(150)]
        for client in clients:
            self.addCleanup(client.close)
        for user in ("daemon", "root"):
            for command in (["publish", "web:a", '{"a":1}'], ["publish", "web:a", json.dumps("x" * 100_000)],
                            ["tap"], ["tap", "web:", "--json"]):
                with self.subTest(user=user, command=command[:2]):
                    done = subprocess.run([nfbustest.NFBUS_BIN, *command, "-s", path], user=user, capture_output=True,
                                          text=True, timeout=30)
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertRegex(done.stderr, "error: too many clients are connected")
        for client in clients:
            client.close()
        wait_until(lambda: ask_status(path)["clients_total"]["connected"] < 20, 10, "their end")
        self.assertEqual(run_nfbus("publish", "web:a", '{"a":1}', "-s", path).returncode, 0)


class Socket(nfbustest.IntegrationTest):
    def test_a_socket_file_that_somebody_removed_is_made_again_on_sighup(self):
        host = self.start(CONFIG)
        path = host.path("bus.sock")
        with WireClient(path) as before:
            before.subscribe("x:")
            before.settle()
            path.unlink()
            host.signal(signal.SIGHUP)
            host.wait_for(r"bus\.sock had been removed or replaced: it is made again")
            wait_until(path.is_socket, 5, "the socket")
            self.assertEqual(path.stat().st_mode & 0o777, 0o660)
            with WireClient(path) as after:
                after.publish("x:a", "1")
                self.assertEqual(before.next_event(), ("x:a", "1"))
        path.unlink()
        path.write_text("of somebody else")
        self.assertEqual(host.stop(), 0)
        self.assertEqual(path.read_text(), "of somebody else")


if __name__ == "__main__":
    nfbustest.main()
