'''The recipes of sinks/webhook's README, and what each service's documentation says that it takes.'''

import json
import re
import tomllib

from nfbustest import REPOSITORY, main
from packets import UDP, ipv4, send, udp
from webhook_test import ALERT, CONFIG, HOSTILE, WebhookTest


class Recipes(WebhookTest):
    """Each recipe of the README, as it stands there, but for where the server and the secrets are."""

    def recipe(self, name):
        text = (REPOSITORY / "plugins/sinks/webhook/README.md").read_text()
        blocks = re.findall(r"(?:^    .*\n|^\n)+", text, flags=re.M)
        found = [block for block in blocks if f"[sink.{name}]" in block]
        self.assertEqual(len(found), 1, name)
        found = re.sub(r"(?m)^    ", "", found[0])
        tomllib.loads(found)
        found = found.replace("/etc/nfbus/", f"{self.folder}/")
        return re.sub(r"https?://[a-z0-9.:]+(/[^\"]*)", r"http://127.0.0.1:8080\1", found)

    def run_recipe(self, name, *messages, answer=lambda request: (200, "ok"), packets=0):
        """The requests, in their order."""
        server = self.serve(answer)
        text = self.recipe(name).replace(f"[sink.{name}]", "[sink.hook]").replace(f"[sink.{name}.", "[sink.hook.")
        head, _ = CONFIG.split("[sink.hook]")
        host = self.start(head + text)
        self.publish(host, *messages)
        if packets:
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 5000)) for i in range(packets)])
        self.check(host, len(messages) + packets)
        return server.requests

    def test_ntfy(self):
        # docs.ntfy.sh/publish: the body is the message; Title, Priority (1 to 5) and Tags (with commas) are headers.
        self.file("ntfy.token", "tk_secret")
        alert, plain, hostile = self.run_recipe("phone", ALERT, "just text", HOSTILE)
        for request in (alert, plain, hostile):
            self.assertEqual((request.method, request.target), ("POST", "/router"))
            self.assertEqual(request.headers["authorization"], "Bearer tk_secret")
            self.assertTrue(request.headers["content-type"].startswith("text/plain"))
            self.assertIn(request.headers["priority"], "12345")
        self.assertEqual(alert.body.decode(), ALERT["Body"])
        self.assertEqual((alert.headers["title"], alert.headers["priority"]), ("Port scan", "5"))
        self.assertRegex(alert.headers["tags"], r"^danger,\S+$")
        self.assertEqual((plain.body.decode(), plain.headers["title"], plain.headers["priority"]),
                         ("just text", "alert:test", "3"))
        self.assertEqual(hostile.body.decode(), HOSTILE["Body"])
        self.assertNotIn("x-evil", hostile.headers)

    def test_slack(self):
        # docs.slack.dev: a POST of JSON with "text", in which & < > of others are entities.
        self.file("slack.url", "http://127.0.0.1:8080/services/T000/B000/XXXX")
        alert, hostile = self.run_recipe("slack", ALERT, HOSTILE)
        self.assertEqual((alert.method, alert.target), ("POST", "/services/T000/B000/XXXX"))
        self.assertEqual(alert.headers["content-type"], "application/json")
        self.assertEqual(alert.json, {"text": "*Port scan*\n10.0.0.9 asked for 100 ports"})
        self.assertEqual(list(hostile.json), ["text"])
        self.assertIn("&lt;!channel&gt;", hostile.json["text"])
        self.assertNotRegex(hostile.json["text"], "[<>]")

    def test_gotify(self):
        # gotify.net/docs: POST /message with X-Gotify-Key; title and message are strings, priority an integer, extras an
        # object.
        self.file("gotify.token", "A-token")
        alert, plain = self.run_recipe("gotify", ALERT, "just text")
        for request in (alert, plain):
            self.assertEqual((request.method, request.target), ("POST", "/message"))
            self.assertEqual(request.headers["x-gotify-key"], "A-token")
            self.assertNotIn("authorization", request.headers)
            self.assertEqual(request.headers["content-type"], "application/json")
            self.assertIsInstance(request.json["priority"], int)
        self.assertEqual(alert.json, {"title": "Port scan", "message": ALERT["Body"], "priority": 9,
                                      "extras": {"nfbus::event": {"packet": ALERT["Event"]}}})
        self.assertEqual((plain.json["title"], plain.json["message"], plain.json["priority"]), ("alert:test", "just text", 4))

    def test_matrix(self):
        # Client-Server API: PUT .../rooms/{roomId}/send/m.room.message/{txnId} with msgtype and body; a transaction's id is
        # another for each message, and the same when one is sent again.
        self.file("matrix.token", "syt_token")
        answer = self.first_then((429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests"}))
        requests = self.run_recipe("matrix", ALERT, ALERT, answer=answer)
        for request in requests:
            self.assertEqual(request.method, "PUT")
            self.assertRegex(request.target, r"^/_matrix/client/v3/rooms/!room:example\.org/send/m\.room\.message/[0-9a-f]{32}$")
            self.assertEqual(request.headers["authorization"], "Bearer syt_token")
            self.assertEqual(request.json, {"msgtype": "m.text", "body": "Port scan\n10.0.0.9 asked for 100 ports"})
        first, again, second = (request.target for request in requests)
        self.assertEqual(first, again)
        self.assertNotEqual(first, second)

    def test_victorialogs(self):
        # docs.victoriametrics.com: POST /insert/jsonline, one object a line, whose time is RFC 3339.
        requests = self.run_recipe("logs", packets=3)
        lines = [json.loads(line) for request in requests for line in request.body.splitlines()]
        self.assertEqual([line["packet"]["UDP"]["SrcPort"] for line in lines], [1000, 1001, 1002])
        self.assertRegex(lines[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
        self.assertEqual((requests[0].path, requests[0].query["_time_field"]), ("/insert/jsonline", "time"))
        self.assertEqual(lines[0]["topic"], "nft:drop:out")

if __name__ == "__main__":
    main()
