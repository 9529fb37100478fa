'''What the tests of sinks/webhook share.'''

import json
import os
import pathlib
import shutil
import tempfile

from http_fake import HttpFake
from nfbustest import IntegrationTest, wait_until
from wire_client import WireClient

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 5000 counter log prefix "drop:out " group 1
}
}"""

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
latency_ms = 0

[sink.hook]
plugin = "webhook"
topics = ["alert:", "nft:drop:"]
dead_letters = "@DIR@/rejected"
"""
URL = 'url = "http://127.0.0.1:8080/hook"\n'

ALERT = {"Topic": "nft:drop:out", "RuleId": "r1", "Name": "scan", "NotificationType": "danger", "Title": "Port scan",
         "Body": "10.0.0.9 asked for 100 ports", "Count": 100,
         "Event": {"IP": {"SrcIP": "10.0.0.9"}, "TCP": {"DstPort": 22}}}
HOSTILE = {"NotificationType": "danger\r\nX-Evil: 1", "Title": 'a"b\\\n<!channel>\u202e\x7f</b>\r\nX-Evil: 1', "Body": '","x":"',
           "Event": {"k": '"}'}}


class WebhookTest(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)

    def serve(self, answer=lambda request: (200, "ok"), **options):
        server = HttpFake(self.namespace, answer, **options)
        self.addCleanup(server.close)
        return server

    def file(self, name, text):
        """A file that the user nfbus runs as can read, put there in one step."""
        new = self.folder / (name + ".new")
        new.write_text(text + "\n")
        new.chmod(0o644)
        return new.rename(self.folder / name)

    def publish(self, host, *values, topic="alert:test"):
        with WireClient(host.path("bus.sock")) as client:
            for value in values:
                client.publish(topic, value if isinstance(value, str) else json.dumps(value))

    def settled(self, host, count, seconds=20):
        def find():
            sink = host.counters()["sinks"]["hook"]
            return sink if sink["delivered"] + sink["rejected"] + sink["overflowed"] >= count else None

        return wait_until(find, seconds, f"{count} settled events")

    def check(self, host, delivered, rejected=0, seconds=20):
        sink = self.settled(host, delivered + rejected, seconds)
        self.assertEqual((sink["delivered"], sink["rejected"], sink["overflowed"]), (delivered, rejected, 0), host.stderr)

    def first_then(self, *answers):
        left = list(answers)
        return lambda request: left.pop(0) if left else (200, "ok")

    def numbers(self, server):
        """What the numbered messages say, in the order in which they arrived."""
        return [request.json["Message"]["n"] for request in server.requests]
