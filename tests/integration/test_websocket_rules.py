'''sinks/websocket: rules of the user's, their file, and who is told.'''

import json
import os
import pathlib
import signal
import tempfile

from nfbustest import REPOSITORY, main, run_nfbus, wait_until
from page_host import CONFIG, LISTEN, PageTest, port_of
from packets import TCP, ipv4, send, tcp
from websocket_client import Client, Closed, request
from wire_client import WireClient, publish_once

DATA = REPOSITORY / "tests/data/spr"
LOGS_INPUT = """table inet u { chain c { type filter hook input priority 1;
    tcp dport 23 log prefix "drop:input " group 1
    tcp dport 25 log prefix "drop:mac " group 1
}
}"""


class RulesTest(PageTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o777)
        self.file = self.folder / "notifications.json"

    def start_with(self, rules=None):
        if rules is not None:
            self.file.write_text(rules if isinstance(rules, str) else json.dumps(rules))
        return self.start_page(f'notifications = "{self.file}"\nstate_file = "{self.folder}/state.json"\n')

    def ask(self, method, path, body=None):
        return request(self.namespace, self.port, method, path, body)

    def put(self, path, body):
        answer = self.ask("PUT", path, body)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def listen(self, path="/ws"):
        client = Client(self.namespace, self.port, path)
        self.addCleanup(client.close)
        client.send({"answer": True})
        self.assertEqual(client.frame()["Type"], "nfbus:answer")
        return client

    def state_of(self, index=0, shape="rules"):
        rules = json.loads(self.ask("GET", "/api/notifications").body)["rules"]
        return next(rule for rule in rules if (rule["shape"], rule["index"]) == (shape, index))


class Ours(RulesTest):
    def test_a_rule_that_is_put_fires(self):
        self.start_with()
        rule = {"name": "seven thousand", "match": {"dport": 7001}, "severity": "warning",
                "message": "{src} tried {dport}", "cooldown_s": 0}
        self.assertEqual(self.put("/rules", rule), [rule])
        self.assertEqual(json.loads(self.file.read_text()), [rule])
        client, page = self.listen(), Client(self.namespace, self.port, "/ws/page")
        self.addCleanup(page.close)
        with WireClient(self.host.path("bus.sock")) as wire:
            wire.subscribe("alert:")
            wire.settle()
            self.send([1001])
            self.send([1002], 7002)
            frame = client.frame()
            self.assertEqual((frame["Type"], frame["Notification"]), ("alert:seven-thousand", True))
            data = json.loads(frame["Data"])
            self.assertEqual((data["Title"], data["Body"], data["NotificationType"], data["Topic"], data["Count"]),
                             ("seven thousand", "127.0.0.1 tried 7001", "warning", "nft:drop:out", 1))
            self.assertEqual(data["Event"]["UDP"]["SrcPort"], 1001)
            self.assertEqual(wire.next_event(), ("alert:seven-thousand", frame["Data"]))
            note = page.frames_until(lambda frame: "note" in frame)[-1]["note"]
            self.assertEqual((note["rule"], note["severity"], note["message"], note["count"]),
                             ("seven thousand", "warning", "127.0.0.1 tried 7001", 1))
        self.assertEqual(self.state_of()["told"], 1)
        self.assertEqual(json.loads(self.ask("DELETE", "/rules/0").body), [])
        self.assertEqual(json.loads(self.file.read_text()), [])

    def test_repeats_are_rolled_up_and_counted(self):
        self.start_with([{"name": "scan", "match": {"dport": 7001}, "group_by": ["src"], "cooldown_s": 2,
                          "message": "{src}"}])
        client, other, third = self.listen(), self.listen(), self.listen()
        for listener, match in ((other, {"dport": 7001}), (third, {"dport": 7002})):
            listener.send({"match": match, "answer": True})
            listener.frame()
        self.send(range(1000, 1412))
        self.assertEqual(json.loads(client.frame()["Data"])["Count"], 1)
        rolled = json.loads(client.frame()["Data"])
        self.assertEqual((rolled["Count"], rolled["Window"], rolled["Body"]), (411, 2, "127.0.0.1 (x 411 in 2 s)"))
        self.assertEqual([json.loads(other.frame()["Data"])["Count"] for _ in range(2)], [1, 411])
        third.send({"match": {}, "answer": True})
        self.assertEqual(third.frame()["Type"], "nfbus:answer", "it was told of nothing that its match did not mean")
        state = self.state_of()
        self.assertEqual((state["matched"], state["told"], state["rolled_up"]), (412, 2, 411))

    def test_what_is_open_at_the_end_is_told_on_the_bus(self):
        self.start_with([{"name": "scan", "match": {"dport": 7001}, "cooldown_s": 600}])
        with WireClient(self.host.path("bus.sock")) as wire:
            wire.subscribe("alert:")
            wire.settle()
            self.send(range(1000, 1005))
            self.assertEqual(json.loads(wire.next_event()[1])["Count"], 1)
            wait_until(lambda: self.state_of()["matched"] == 5, 10, "all matches")
            self.host.stop()
            self.assertEqual(json.loads(wire.next_event()[1])["Count"], 4)

    def test_what_is_open_at_the_end_reaches_the_other_sinks(self):
        self.file.write_text(json.dumps([{"name": "scan", "match": {"dport": 7001}, "cooldown_s": 600}]))
        alerts = self.folder / "alerts.jsonl"
        self.start_page(f'notifications = "{self.file}"\n',
                        more=f'[sink.alerts]\nplugin = "jsonl"\nfile = "{alerts}"\ntopics = ["alert:"]\n')
        self.send(range(1000, 1005))
        wait_until(lambda: self.state_of()["matched"] == 5, 10, "all matches")
        self.host.stop()
        self.assertEqual([json.loads(line)["Message"]["Count"] for line in alerts.read_text().splitlines()], [1, 4])

    def test_what_is_too_much_for_an_hour_is_held_back(self):
        self.start_with([{"name": "few", "match": {"dport": 7001}, "cooldown_s": 0, "max_per_hour": 3}])
        client = self.listen()
        self.send(range(1000, 1010))
        for _ in range(3):
            client.frame()
        wait_until(lambda: self.state_of()["matched"] == 10, 10, "all matches")
        self.assertEqual((self.state_of()["told"], self.state_of()["held_back"]), (3, 7))

    def test_a_first_seen_host_is_told_once_and_remembered(self):
        rules = [{"name": "new", "match": {"dport": 7001}, "first_seen": ["dst"], "cooldown_s": 0, "message": "{dst}"}]
        self.start_with(rules)
        client = self.listen()
        for destination in ("127.0.0.9", "127.0.0.10", "127.0.0.9", "127.0.0.11"):
            self.send([1000], destination=destination)
        self.assertEqual([json.loads(client.frame()["Data"])["Body"] for _ in range(3)],
                         ["127.0.0.9", "127.0.0.10", "127.0.0.11"])
        self.host.stop()
        self.start_again()
        client = self.listen()
        for destination in ("127.0.0.10", "127.0.0.12"):
            self.send([1000], destination=destination)
        self.assertEqual(json.loads(client.frame()["Data"])["Body"], "127.0.0.12")

    def start_again(self):
        self.host = self.start(self.host.config_file.read_text())
        self.port = int(self.host.wait_for(r"serves https?://[^ ]*:(\d+)/")[1])

    def test_a_snoozed_rule_says_nothing(self):
        self.start_with([{"name": "quiet", "match": {"sport": 1000}, "cooldown_s": 0, "snooze_until": "2099-01-01T00:00:00Z"},
                         {"name": "loud", "match": {"sport": 1001}, "cooldown_s": 0}])
        client = self.listen()
        self.send([1000, 1000, 1001])
        self.assertEqual(client.frame()["Type"], "alert:loud")
        self.assertEqual((self.state_of()["snoozed"], self.state_of()["told"]), (2, 0))

    def test_what_waits_for_its_roll_up_is_told_at_the_end(self):
        self.start_with([{"name": "scan", "match": {"dport": 7001}, "cooldown_s": 60}])
        client = self.listen()
        self.send(range(1000, 1041))
        self.assertEqual(json.loads(client.frame()["Data"])["Count"], 1)
        wait_until(lambda: self.state_of()["matched"] == 41, 10, "all of them")
        self.host.stop()
        self.assertEqual(json.loads(client.frame()["Data"])["Count"], 40)
        with self.assertRaises(Closed) as closed:
            client.text()
        self.assertEqual(closed.exception.code, 1001)

    def test_a_preview_looks_at_what_was_before(self):
        self.start_with()
        self.send(range(1000, 1070))
        self.send(range(2000, 2005), 7002)
        wait_until(lambda: self.preview({"name": "x", "match": {}})["scanned"] == 75, 10, "all events")
        seen = self.preview({"name": "x", "match": {"dport": 7001}})
        self.assertEqual((seen["matched"], seen["scanned"], len(seen["rows"]), seen["rows"][0]["sp"]), (70, 75, 50, 1069))
        wrong = self.ask("POST", "/api/preview", {"rule": {"name": "x", "match": {"dport": "http"}}})
        self.assertEqual(wrong.status, 400)
        self.assertIn(b"dport", wrong.body)
        self.assertEqual(json.loads(self.ask("GET", "/rules").body), [])

    def test_a_preview_of_what_is_first_seen_shows_the_first(self):
        self.start_with()
        for port, destination in ((1000, "127.0.0.9"), (1001, "127.0.0.9"), (2000, "127.0.0.10"), (3000, "127.0.0.9")):
            self.send([port], destination=destination)
        rule = {"name": "x", "match": {"dport": 7001}, "first_seen": ["dst"]}
        wait_until(lambda: self.preview(rule)["scanned"] == 4, 10, "all events")
        seen = self.preview(rule)
        self.assertEqual((seen["matched"], [row["sp"] for row in seen["rows"]]), (2, [2000, 1000]))

    def preview(self, rule):
        return json.loads(self.ask("POST", "/api/preview", {"rule": rule}).body)

    def test_hostile_values_stay_values(self):
        self.start_with([{"name": "<script>\u202e", "match": {"topic": "nft:*script*"}, "cooldown_s": 0,
                          "message": "{prefix} {{x}}"}])
        self.namespace.nft("""table inet v { chain c { type filter hook output priority 2;
            udp dport 7004 log prefix "<script>{src}" group 1
        }
        }""")
        client = self.listen()
        self.send([1], 7004)
        data = json.loads(client.frame()["Data"])
        self.assertEqual(data["Body"], "<script>{src} {x}")


class File(RulesTest):
    def test_a_state_file_that_may_not_be_read_is_not_written_over(self):
        rules = [{"name": "new", "match": {"dport": 7001}, "first_seen": ["sport"], "cooldown_s": 0}]
        self.start_with(rules)
        self.send([1000])
        state = self.folder / "state.json"
        wait_until(lambda: state.exists() and "1000" in state.read_text(), 10, "what was seen")
        self.host.stop()
        before = state.read_text()
        state.chmod(0)
        os.chown(state, 1, 1)
        self.host = self.start(self.host.config_file.read_text())
        self.port = int(self.host.wait_for(r"serves https?://[^ ]*:(\d+)/")[1])
        self.host.wait_for(r"state.json.*the file stays as it is")
        self.send([1001])
        wait_until(lambda: self.state_of()["told"] == 1, 10, "the notification")
        self.host.stop()
        self.assertEqual(state.read_text(), before)
        self.assertEqual(sorted(path.name for path in self.folder.glob("state*")), ["state.json", "state.json.lock"])

    def test_a_state_file_is_of_one_sink(self):
        self.start_with([])
        config = self.host.config_file.read_text()
        # A sink of another process, and of the same configuration; not the same one after a reload.
        other = CONFIG.replace("group = 0", 'group = 7\naction = "allowed"').replace("group = 1", "group = 8")
        with self.assertRaises(AssertionError) as refused:
            self.start(other + LISTEN + f'state_file = "{self.folder}/state.json"\n')
        self.assertRegex(str(refused.exception), r"state_file: process \d+ \(nfbus\) writes to .*state\.json")
        path = self.host.config_file.with_name("two.toml")
        path.write_text(config + f'[sink.second]\nplugin = "websocket"\nlisten = "127.0.0.1:0"\n'
                        f'state_file = "{self.folder}/../{self.folder.name}/state.json"\n')
        checked = run_nfbus("check", "-c", path)
        self.assertNotEqual(checked.returncode, 0)
        self.assertRegex(checked.stderr + checked.stdout, r"sink\.second\.state_file: sink\.page\.state_file writes to this file")
        self.host.config_file.write_text(config + "history_events = 5\n")
        self.host.signal(signal.SIGHUP)
        self.host.wait_for("reloaded:")
        self.assertNotIn("state_file", self.host.stderr)

    def test_a_change_of_an_older_list_hits_no_other_rule(self):
        rules = [{"name": name, "match": {"dport": 7001}} for name in "abc"]
        self.start_with(rules)
        read = self.ask("GET", "/rules")
        tag = {"If-Match": read.headers["etag"]}
        self.file.write_text(json.dumps(rules[1:]))  # by hand, a moment before
        for method, body in (("DELETE", None), ("PUT", rules[1] | {"severity": "danger"})):
            answer = request(self.namespace, self.port, method, "/rules/1", body, tag)
            self.assertEqual(answer.status, 412)
            self.assertIn(b"read them again", answer.body)
        self.assertEqual(json.loads(self.file.read_text()), rules[1:])
        now = self.ask("GET", "/rules").headers["etag"]
        self.assertNotEqual(now, tag["If-Match"])
        removed = request(self.namespace, self.port, "DELETE", "/rules/1", headers={"If-Match": f'"other", {now}'})
        self.assertEqual((removed.status, json.loads(removed.body)), (200, [rules[1]]))
        self.assertEqual(removed.headers["etag"], self.ask("GET", "/rules").headers["etag"])
        for tag in (removed.headers["etag"], "*"):
            self.assertEqual(request(self.namespace, self.port, "PUT", "/rules/0", rules[1], {"If-Match": tag}).status, 200)

    def test_a_change_on_disk_is_taken(self):
        self.start_with([])
        client = self.listen()
        rule = {"name": "from disk", "match": {"dport": 7001}, "cooldown_s": 0}
        self.file.write_text(json.dumps([rule]))
        wait_until(lambda: json.loads(self.ask("GET", "/rules").body) == [rule], 10, "the rule")
        self.send([1001])
        self.assertEqual(client.frame()["Type"], "alert:from-disk")

    def test_a_broken_file_changes_nothing_and_is_not_written_over(self):
        good = {"name": "good", "match": {"dport": 7001}, "cooldown_s": 0}
        self.start_with([good])
        client = self.listen()
        self.file.write_text('[{"name": "half"')
        self.host.wait_for(r"notifications\.json:1:\d+")
        self.send([1001])
        self.assertEqual(client.frame()["Type"], "alert:good")
        answer = self.ask("PUT", "/rules", good)
        self.assertEqual(answer.status, 409, answer.body)
        self.assertEqual(self.file.read_text(), '[{"name": "half"')

    def test_a_file_that_is_removed_takes_no_rule_with_it(self):
        rule = {"name": "stays", "match": {"dport": 7001}, "cooldown_s": 0}
        other = {"name": "more", "match": {"dport": 7002}}
        self.start_with([rule])
        self.file.unlink()
        self.host.wait_for(r"notifications\.json is gone: the rules in force stay")
        client = self.listen()
        self.send([1001])
        self.assertEqual(client.frame()["Type"], "alert:stays")
        self.put("/rules", other)
        self.assertEqual(json.loads(self.file.read_text()), [rule, other])

    def test_a_wrong_rule_costs_itself_alone(self):
        self.start_with([{"name": "wrong", "match": {"dprt": 1}}, {"name": "good", "match": {"dport": 7001}, "cooldown_s": 0}])
        self.host.wait_for(r"dprt.*did you mean")
        client = self.listen()
        self.send([1001])
        self.assertEqual(client.frame()["Type"], "alert:good")
        self.assertIn("dprt", self.state_of(0)["error"])
        for body, word in (({"name": "x"}, b""), ({"name": "x", "match": {"src": "10.0.0.0/33"}}, b"src"), ([], b""),
                           ({"name": "x", "match": {}, "cooldwn_s": 1}, b"cooldown_s"),
                           ({"name": "x", "match": {}, "message": "{scr}"}, b'did you mean "src"'),
                           ({"name": "x", "match": {"topic": "alert:*"}}, b"never holds"),
                           ({"Conditions": {}, "Notification": True}, b""), (b"{", b""), (b"[" * 100000, b"")):
            answer = self.ask("PUT", "/rules", body)
            self.assertEqual(answer.status, 400, (body, answer.body))
            self.assertIn(word, answer.body)
        self.assertEqual(self.ask("PUT", "/rules/9", {"name": "x", "match": {}}).status, 400)
        self.assertEqual(self.ask("DELETE", "/rules/x").status, 400)

    def test_a_folder_that_cannot_be_written_to_keeps_the_rules(self):
        self.start_page('notifications = "/proc/nfbus/notifications.json"\n')
        answer = self.ask("PUT", "/rules", {"name": "x", "match": {}})
        self.assertEqual(answer.status, 500, answer.body)
        self.assertEqual(json.loads(self.ask("GET", "/rules").body), [])


class Spr(RulesTest):
    def test_the_mission_documents_rules(self):
        rule = {"Conditions": {"Prefix": "nft:drop:out", "Protocol": "udp", "SrcIP": "", "SrcPort": 0,
                               "DstIP": "127.0.0.9", "DstPort": 7001, "InDev": "", "OutDev": ""}, "Notification": True}
        self.start_with([rule])
        self.assertEqual(json.loads(self.ask("GET", "/notifications").body), [rule])
        client, everything = self.listen(), self.listen("/ws_events_all")
        self.send([1001], destination="127.0.0.10")
        self.send([1002])
        frame = client.frame()
        self.assertEqual((frame["Type"], frame["Notification"], port_of(frame)), ("nft:drop:out", True, 1002))
        self.assertEqual([port_of(everything.frame()) for _ in range(2)], [1001, 1002])
        wildcard = {"Conditions": {"Prefix": ""}, "Notification": False}
        self.put("/notifications", wildcard)
        self.send([1003], 7002)
        frame = client.frame()
        self.assertEqual((frame["Type"], frame["Notification"], frame["WildcardAll"]), ("nft:lan:out", False, True))
        self.assertEqual(json.loads(self.ask("DELETE", "/notifications/0").body), [wildcard])

    def test_an_event_is_sent_once_to_whom_several_rules_send_it(self):
        tell = {"Conditions": {"Prefix": "nft:drop:out"}, "Notification": True}
        ours = {"name": "ours", "match": {"dport": 7001}, "cooldown_s": 0}
        self.start_with([tell, {"Conditions": {"Prefix": ""}, "Notification": False}, ours, tell])
        client, everything = self.listen(), self.listen("/ws_events_all")
        with WireClient(self.host.path("bus.sock")) as wire:
            wire.subscribe("alert:")
            wire.settle()
            self.send([1001, 1002])
            on_bus = [wire.next_event() for _ in range(6)]
        self.assertEqual([topic for topic, _ in on_bus], ["alert:nft:drop:out", "alert:ours", "alert:nft:drop:out"] * 2)
        publish_once(self.host.path("bus.sock"), '{"topic": "app:last", "value": "{}"}\n')
        frames = [client.frame() for _ in range(5)]
        self.assertEqual([(frame["Type"], frame["Notification"]) for frame in frames],
                         [("nft:drop:out", True), ("alert:ours", True)] * 2 + [("app:last", False)])
        self.assertEqual([port_of(frame) for frame in frames[:3:2]], [1001, 1002])
        types = [everything.frame()["Type"] for _ in range(9)]
        self.assertEqual((types.count("nft:drop:out"), types.count("alert:nft:drop:out"), types.count("alert:ours")), (2, 4, 2))
        self.assertEqual([self.state_of(index, "notifications")["told"] for index in (0, 2)], [2, 2])

    def test_both_files_of_spr_load_unchanged(self):
        for name, path in (("notifications.json", "/notifications"), ("alerts.json", "/alerts")):
            text = (DATA / name).read_text()
            host = self.start_with(text)
            self.assertEqual(json.loads(self.ask("GET", path).body), json.loads(text))
            self.assertEqual(self.file.read_text(), text)
            host.stop()

    def test_an_alert_of_spr(self):
        rules = json.loads((DATA / "alerts.json").read_text())
        rules[1]["Conditions"].pop()  # of the sender's MAC, which no packet of lo has
        self.start_with(rules)
        self.namespace.nft(LOGS_INPUT)
        client = self.listen()
        with WireClient(self.host.path("bus.sock")) as wire:
            wire.subscribe("alert:")
            wire.settle()
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", TCP, tcp(1000, 23))])
            frame = client.frame()
            self.assertEqual(frame["Type"], "alert:nft:drop:input:telnet")
            data = json.loads(frame["Data"])
            self.assertEqual((data["Topic"], data["NotificationType"], data["Title"], data["Body"], data["State"]),
                             ("nft:drop:input", "error", "Telnet", "127.0.0.1 tried 23", ""))
            self.assertEqual(data["Event"]["TCP"]["DstPort"], 23)
            self.assertEqual(wire.next_event()[0], "alert:nft:drop:input:telnet")
            # StoreAlert without SendNotification: the bus alone.
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", TCP, tcp(1000, 25))])
            self.assertTrue(wire.next_event()[0].startswith("alert:nft:drop:mac"))

    def test_a_message_of_several_lines_is_told_as_it_is(self):
        self.start_with([{"TopicPrefix": "m:", "Name": "m", "Actions": [{"SendNotification": True, "GrabEvent": True}]},
                         {"name": "ours", "match": {"topic": "m:*"}}])
        client = self.listen()
        event = {"a": "\u202e\x7f", "b": [1]}
        value = json.dumps(event, ensure_ascii=False, indent="\t")
        publish_once(self.host.path("bus.sock"), json.dumps({"topic": "m:x", "value": value}) + "\n")
        frames = [client.frame() for _ in range(2)]
        self.assertEqual([frame["Type"] for frame in frames], ["alert:m:x:", "alert:ours"])
        self.assertEqual([json.loads(frame["Data"])["Event"] for frame in frames], [event] * 2)

    def test_alerts_on_messages(self):
        self.start_with([])
        rule = {"TopicPrefix": "wifi:auth:", "MatchAnyOne": False, "InvertRule": False, "Name": "wifi", "Disabled": False,
                "Conditions": [{"JPath": '$[?(@.Status=="failed" && @.Count>=3)]'}],
                "Actions": [{"SendNotification": True, "MessageTitle": "Wifi", "MessageBody": "{{MAC}}", "GrabEvent": False}]}
        stored = self.put("/alerts", rule)
        self.assertTrue(stored[0].pop("RuleId"))
        self.assertEqual(stored, [rule])
        client = self.listen()
        for count in (2, 3):
            value = json.dumps({"Status": "failed", "Count": count, "MAC": f"02:00:00:00:00:0{count}"})
            publish_once(self.host.path("bus.sock"), json.dumps({"topic": "wifi:auth:fail", "value": value}) + "\n")
        frame = client.frame()
        self.assertTrue(frame["Type"].startswith("alert:wifi:auth:fail"))
        self.assertEqual(json.loads(frame["Data"])["Body"], "02:00:00:00:00:03")
        rule["Conditions"] = [{"JPath": "$..book[?(@.price<10)]"}]
        answer = self.ask("PUT", "/alerts", rule)
        self.assertEqual(answer.status, 400)
        self.assertIn(b"..book", answer.body)


if __name__ == "__main__":
    main()
