'''No character of a stranger steers a terminal or hides in it, and what is said in JSON means the same.'''

import json
import re
import struct
import subprocess

import nfbustest
from nfbustest import NFBUS_BIN, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient

# What steers, turns around or hides, once in all places; C0 cannot stand in JSON unescaped anyway.
HIDDEN = "\u0085\u009b2J\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\ufeff\U000e0041"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
                       "\U000e0000-\U000e007f]")
SEEN = "caf\u00e9 \u65e5\u672c \U0001f600"  # stays as it is
PREFIX = "p\u202e\u009bq" + SEEN

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport { 53, 7001 } log prefix "%s" group 0;
}
}""" % PREFIX

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
[sink.layers]
plugin = "jsonl"
file = "@DIR@/layers"
topics = ["nft:", "here"]
format = "packet"
[sink.flat]
plugin = "jsonl"
file = "@DIR@/flat"
format = "ulogd"
"""


def query(name):
    return struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + bytes([len(name)]) + name + b"\0" + struct.pack("!HH", 1, 1)


class HiddenCharacters(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")
        self.namespace.nft(RULES)

    def assert_shown(self, text):
        self.assertIsNone(FORBIDDEN.search(text), text)

    def packets(self):
        name = b"a" + "\u009b\u202e\u2066".encode() + b"b"
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(40000, 53, query(name))),
                              ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))])

    def tap(self, *arguments):
        child = subprocess.Popen([NFBUS_BIN, "tap", *arguments, "-s", self.path], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(child.stdout.close)
        self.addCleanup(nfbustest.end_process, child)
        wait_until(lambda: any(client["topics"] for client in self.status()["clients"]), 10, "tap")
        return child

    def status(self):
        return json.loads(run_nfbus("status", "--json", "-s", self.path).stdout)

    def test_tap_shows_escapes(self):
        child = self.tap("", "-n", "3")
        self.packets()
        with WireClient(self.path) as client:
            client.publish("here" + HIDDEN, SEEN + HIDDEN)
            lines = child.communicate(timeout=20)[0].decode()
        self.assert_shown(lines)
        self.assertEqual(lines.count("\n"), 3)
        self.assertIn(r"DNS A? a\u009b\u202e\u2066b", lines)
        self.assertIn("nft:" + r"p\u202e\u009bq" + SEEN, lines)
        self.assertIn(SEEN + r"\u0085\u009b2J\u00ad\u061c", lines)
        self.assertIn(r"\U000e0041", lines)

    def test_json_has_escapes_that_mean_the_same(self):
        child = self.tap("", "--json", "-n", "3")
        self.packets()
        with WireClient(self.path) as client:
            client.publish("here" + HIDDEN, json.dumps({"a" + HIDDEN: SEEN + HIDDEN}, ensure_ascii=False))
            lines = child.communicate(timeout=20)[0].decode()
        self.assert_shown(lines)
        events = [json.loads(line) for line in lines.split("\n")[:-1]]
        self.assertIn({"a" + HIDDEN: SEEN + HIDDEN}, events)
        self.host.stop()
        for name in ("layers", "flat"):
            text = self.host.path(name).read_text(encoding="utf-8", errors="strict")
            self.assert_shown(text)
            self.assertIn(SEEN, text)
            records = [json.loads(line) for line in text.split("\n")[:-1]]
            if name == "layers":
                message = next(record for record in records if "Message" in record)
                self.assertEqual((message["Topic"], message["Message"]), ("here" + HIDDEN, {"a" + HIDDEN: SEEN + HIDDEN}))
                self.assertTrue(any("DNS" in record for record in records))
            else:
                self.assertEqual({record["oob.prefix"] for record in records}, {PREFIX})

    def test_what_a_client_published_is_relayed_as_it_is(self):
        with WireClient(self.path) as hearing, WireClient(self.path) as speaking:
            hearing.subscribe("here")
            wait_until(lambda: self.status()["clients_total"]["sent"]["subscribed"] >= 1, 10, "the subscription")
            line = json.dumps({"topic": "here", "value": HIDDEN}, ensure_ascii=False)
            speaking.send(line + "\n")
            self.assertEqual(hearing.line().decode(), line)

    def test_status_and_the_log_show_escapes_of_what_clients_ask_for(self):
        with WireClient(self.path) as client:
            client.subscribe("here" + HIDDEN)
            self.host.wait_for(r"subscribes to .*here")
            self.assert_shown(run_nfbus("status", "-s", self.path).stdout)
            raw = run_nfbus("status", "--json", "-s", self.path).stdout
            self.assert_shown(raw)
            self.assertIn("here" + HIDDEN, [topic for row in json.loads(raw)["clients"] for topic in row["topics"]])
        self.assert_shown(self.host.stderr)

    def test_check_shows_escapes_of_paths_and_values(self):
        file = self.host.path("x\u202e\u009b.toml")
        file.write_text('[[capture]]\ngroup = 0\nfilters = ["a\u202eb"]\n"k\u2066" = 1\n[sink.a]\nplugin = "js\u200bonl"\n')
        done = run_nfbus("check", "-c", file)
        self.assertEqual(done.returncode, 78)
        self.assertIn(r"x\u202e\u009b.toml:", done.stdout)
        self.assert_shown(done.stdout + done.stderr)
        self.assert_shown(run_nfbus("plugins", "a\u202eb").stderr)


if __name__ == "__main__":
    nfbustest.main()
