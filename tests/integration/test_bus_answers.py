'''Who asks the bus for an answer gets the host's reason, and nobody else gets one.'''

import json
import os
import re
import shutil
import socket
import tempfile
import threading
import unittest

import nfbustest
from nfbustest import run_nfbus, wait_until
from wire_client import WireClient, ask_status, publish_once

CONFIG = """
[host]
topic_root = "fw:"

[bus]
socket = "@DIR@/bus.sock"

[[capture]]
group = 1
"""


class Answers(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")

    def client(self):
        client = WireClient(self.path)
        self.addCleanup(client.close)
        return client

    def answer(self, client, line):
        client.send(json.dumps({**line, "answer": True}) + "\n")
        topic, value = client.event()
        self.assertEqual(topic, "nfbus:answer")
        return json.loads(value)

    def test_a_line_that_asks_gets_one_answer_whatever_becomes_of_it(self):
        client = self.client()
        self.assertEqual(self.answer(client, {"topic": "web:a", "value": "x"}), {"ok": True})
        self.assertEqual(self.answer(client, {"topic": "subscribe:dns:"}), {"ok": True})
        for line, reason in (({"topic": "fw:x", "value": "x"}, 'under "fw:".*topic_root'),
                             ({"topic": "nfbus:status", "value": "x"}, "nfbus:"),
                             ({"topic": "subscribe:fw:", "match": {"dport": 70000}}, "dport: 70000: .*65535"),
                             ({"topic": "subscribe:fw:", "match": [[[[]]]]}, "expected a table"),
                             ({"topic": "subscribe:fw:", "format": "xml"}, '"xml"'),
                             ({"topic": "subscribe:fw:", "marker": "yes"}, "marker"),
                             ({"topic": "a", "value": 5}, "value is no string"),
                             ({"topic": 5, "value": "a"}, "topic is no string"),
                             ({"topic": "a", "TOPIC": "b"}, 'more than one "topic"')):
            answer = self.answer(client, line)
            self.assertIs(answer["ok"], False, line)
            self.assertRegex(answer["error"], reason)

    def test_the_answer_is_for_the_one_who_asked_and_the_line_is_relayed_as_it_came(self):
        everybody, other, asker = self.client(), self.client(), self.client()
        for listener in (everybody, other):
            self.assertEqual(self.answer(listener, {"topic": "subscribe:"}), {"ok": True})
        line = '{"topic":"web:a", "answer":true,"value":"x"}'
        asker.send(line + "\n")
        self.assertEqual(asker.event()[0], "nfbus:answer")
        asker.publish("end", "x")
        for listener in (everybody, other):
            self.assertEqual(listener.line().decode(), line)
            self.assertEqual(listener.event()[0], "end")  # and no answer between

    def test_too_many_subscriptions_are_said(self):
        client = self.client()
        for number in range(256):
            client.subscribe(f"web:{number}:")
        self.assertEqual(self.answer(client, {"topic": "subscribe:one more"}),
                         {"ok": False, "error": "too many subscriptions"})

    def test_a_publisher_that_closes_its_half_still_gets_its_answers(self):
        client = self.client()
        line = json.dumps({"topic": "web:a", "value": "x", "answer": True})
        client.send("\n".join([line] * 50))  # the last one without its newline
        client.socket.shutdown(socket.SHUT_WR)
        for _ in range(50):
            self.assertEqual(client.event()[0], "nfbus:answer")
        self.assertIsNone(client.line())

    def test_publish_prints_the_hosts_reason_and_ends_with_1(self):
        done = run_nfbus("publish", "fw:drop:in", '{"a":1}', "-s", self.path)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, 'only the host publishes under "fw:".*topic_root')
        self.assertEqual(run_nfbus("publish", "web:a", '{"a":1}', "-s", self.path).returncode, 0)

    def test_tap_prints_the_hosts_reason_and_ends_with_1(self):
        for arguments, reason in ((("--match", "annotation=x"), "annotation.*neither a key"),
                                  (("x",) * 300, "too many subscriptions")):
            done = run_nfbus("tap", *arguments, "-s", self.path)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, reason)

    def test_what_the_commands_see_themselves_stays_wrong_usage(self):
        for arguments in (("publish", "nfbus:x", "{}"), ("publish", "subscribe:x", "{}"), ("publish", "a", "no json"),
                          ("tap", "--match", "dport=x")):
            self.assertEqual(run_nfbus(*arguments, "-s", self.path).returncode, 2, arguments)

    def test_a_refusal_is_logged_with_the_key_that_configures_the_root(self):
        publish_once(self.path, '{"topic":"fw:x","value":"forged"}\n')
        self.host.wait_for(rf'pid {os.getpid()}, .*refused: .*"fw:".*\[host\] topic_root')


class Foreigners(nfbustest.IntegrationTest):
    def test_an_old_sprbus_client_is_closed_at_once_with_one_line_that_says_what_it_is(self):
        host = self.start(CONFIG)
        path = host.path("bus.sock")
        with WireClient(path) as client:
            client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
            self.assertTrue(client.is_closed_by_server())
        wait_until(lambda: len(ask_status(path)["clients"]) == 1, 5, "the end of the connection")
        host.wait_for("warning: bus:")  # the log has a thread of its own
        host.counters()  # and what is said behind it
        lines = [line for line in host.stderr.splitlines() if re.search("warning: bus:", line)]
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], rf"pid {os.getpid()}, .*gRPC.*sprbus")
        self.assertEqual(ask_status(path)["clients_total"]["sent"]["invalid"], 1)


ANSWER = b'{"topic":"nfbus:answer","value":"{\\"ok\\":true}"}\n'
STATUS = b'{"topic":"nfbus:status","value":"{\\"topic_root\\":\\"fw:\\"}"}\n'


class Silence(unittest.TestCase):
    """What publish and tap make of a connection that is closed without an answer to their line."""

    def serve(self, of_status, reads=True):
        """The path of a socket where status is answered with this, and what else is asked for with the connection's end."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "bus.sock")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()

        def serve():
            while True:
                try:
                    peer = listener.accept()[0]
                except OSError:
                    return
                with peer:
                    said = peer.recv(1 << 20, socket.MSG_PEEK)
                    is_for_status = b"subscribe:nfbus:status" in said
                    if reads or is_for_status:
                        peer.recv(1 << 20)
                    if is_for_status:
                        peer.sendall(of_status(said))

        threading.Thread(target=serve, daemon=True).start()
        return path

    def test_publish_takes_it_for_a_failure_where_the_host_answers_else(self):
        for reads in (True, False):
            path = self.serve(lambda said: ANSWER if b'"answer":true' in said else STATUS, reads)
            done = run_nfbus("publish", "web:a", '{"a":1}', "-s", path)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, "did not say what became of the message")

    def test_publish_takes_it_for_a_success_where_the_host_never_answers(self):
        path = self.serve(lambda said: STATUS)
        done = run_nfbus("publish", "web:a", '{"a":1}', "-s", path)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_tap_takes_it_for_the_end_of_the_host_only_where_the_host_never_answers(self):
        path = self.serve(lambda said: ANSWER if b'"answer":true' in said else STATUS)
        done = run_nfbus("tap", "-s", path)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "closed the connection without an answer")
        done = run_nfbus("tap", "-s", self.serve(lambda said: STATUS))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, "the host has ended")


if __name__ == "__main__":
    nfbustest.main()
