'''sinks/websocket: what clients are sent, on request and live. The page itself: test_page.py.'''

import csv
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading

from http_fake import make_certificate
from nfbustest import main, run_nfbus, wait_until
from page_host import CONFIG, PageTest, port_of
from websocket_client import Client, Closed, Refused, connect, request
from wire_client import WireClient, publish_once


class Events(PageTest):
    def test_events_come_as_spr_frames(self):
        self.start_page()
        with WireClient(self.host.path("bus.sock")) as wire, Client(self.namespace, self.port) as client:
            wire.subscribe("nft:")
            wire.settle()
            client.send({"match": {}, "answer": True})
            self.assertEqual(client.frame()["Type"], "nfbus:answer")
            self.send([1001])
            frame = client.frame()
            self.assertEqual(list(frame), ["Type", "Data", "Notification", "WildcardAll"])
            self.assertEqual((frame["Type"], frame["Notification"], frame["WildcardAll"]), ("nft:drop:out", False, True))
            self.assertEqual(("nft:drop:out", frame["Data"]), wire.next_event())

    def test_messages_come_as_they_were_published(self):
        self.start_page()
        with Client(self.namespace, self.port, "/ws/all") as client:
            client.send({"match": {}, "answer": True})
            client.frame()
            value = '{"MAC":"02:00:00:00:00:01","x":"\\u0000\\""}'
            publish_once(self.host.path("bus.sock"), json.dumps({"topic": "wifi:auth:success", "value": value}) + "\n")
            frame = client.frame()
            self.assertEqual((frame["Type"], json.loads(frame["Data"])),
                             ("wifi:auth:success", {"MAC": "02:00:00:00:00:01", "x": '\0"'}))

    def test_a_client_sees_what_its_match_says_and_may_change_it(self):
        self.start_page()
        with Client(self.namespace, self.port) as client, Client(self.namespace, self.port) as other:
            for wanted, match in ((1002, {"sport": 1002}), (1003, "sport=1003"), (1001, [{"sport": 1}, {"sport": 1001}])):
                client.send({"match": match, "answer": True})
                client.frames_until(lambda frame: frame["Type"] == "nfbus:answer")
                self.send([1001, 1002, 1003, 1001 if wanted == 1001 else 1004])
                self.assertEqual(port_of(client.frame()), wanted)
            client.send({"match": {"dprt": 1}})
            error = client.frames_until(lambda frame: frame["Type"] == "nfbus:error")[-1]
            self.assertIn("dprt", error["Data"])
            client.send({"format": "ulogd", "answer": True})
            client.frames_until(lambda frame: frame["Type"] == "nfbus:answer")
            self.send([1001])
            self.assertEqual(json.loads(client.frame()["Data"])["src_port"], 1001)
            self.assertEqual([port_of(other.frame()) for _ in range(12)][:4], [1001, 1002, 1003, 1004])

    def test_long_matches_are_refused(self):
        self.start_page()
        with Client(self.namespace, self.port) as client:
            expression = " or ".join(f"portrange {7 * i + 1}-{7 * i + 3}" for i in range(160))
            for match in ({"bpf": expression}, f'bpf="{expression}"'):
                client.send({"match": match})
                self.assertIn("words, and may have 64", client.frame()["Data"])

    def test_a_first_frame_is_answered_before_any_event(self):
        self.start_page()
        sender = threading.Thread(target=lambda: self.send(range(1000, 1400), pause_seconds=0.005))
        with Client(self.namespace, self.port) as seen:
            sender.start()
            seen.frame()  # they have begun to come
            for _ in range(10):
                with Client(self.namespace, self.port, first="TOKEN-of-nobody") as client:
                    self.assertEqual(client.text(), "success")
                    first = port_of(client.frame())
                    self.assertEqual(port_of(client.frame()), first + 1)
        sender.join()

    def test_clients_hear_that_the_host_stops(self):
        self.start_page()
        with Client(self.namespace, self.port) as client:
            client.send({"answer": True})
            client.frame()
            self.host.stop()
            with self.assertRaises(Closed) as closed:
                client.text()
            self.assertEqual(closed.exception.code, 1001)

    def test_a_reload_that_changes_the_sink_listens_at_the_same_address_again(self):
        self.start_page()
        listen = f'listen = "127.0.0.1:{self.port}"\n'
        text = self.host.config_file.read_text().replace('listen = "127.0.0.1:0"\n', listen)
        for history in (10, 20):
            self.host.config_file.write_text(text + f"history_events = {history}\n")
            done = run_nfbus("reload", "-s", self.host.path("bus.sock"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(request(self.namespace, self.port, "GET", "/api/session").status, 200)

    def test_a_reload_that_cannot_listen_says_so(self):
        self.start_page()
        with self.namespace.socket(socket.SOCK_STREAM) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            text = self.host.config_file.read_text()
            self.host.config_file.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
            done = run_nfbus("reload", "-s", self.host.path("bus.sock"))
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, r"sink\.page: .*cannot listen at 127\.0\.0\.1:\d+: Address already in use")
        self.host.config_file.write_text(text)
        done = run_nfbus("reload", "-s", self.host.path("bus.sock"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_doctor_finds_what_is_wrong_with_its_files(self):
        with tempfile.TemporaryDirectory() as folder:
            files = {name: pathlib.Path(folder) / name for name in ("tokens", "cert", "rules")}
            files["tokens"].write_text("# none\n")
            files["cert"].write_text("none\n")
            files["rules"].write_text('[{"name":"x","match":{"dprt":1}}]')
            config = files["rules"].with_name("c.toml")
            config.write_text(CONFIG.replace("@DIR@", folder) + f"""token_file = "{files['tokens']}"
cert_file = "{files['cert']}"
notifications = "{files['rules']}"
state_file = "{folder}/none/state"
names = "{folder}/names"
""")
            done = run_nfbus("doctor", "-c", config, "--json")
            said = "\n".join(finding["text"] for finding in json.loads(done.stdout)["findings"]
                             if finding["instance"] == "sink.page")
        self.assertEqual(done.returncode, 1)
        for word in ("holds no token", "no certificate in PEM", "names: cannot read", "state_file: .* cannot be written",
                     "notifications: rules 0 .*dprt", "everybody on this machine can read .*/tokens; chmod o-r"):
            self.assertRegex(said, word)

    def test_doctor_says_when_the_certificate_ends(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            certificate, key = make_certificate(folder, "page")
            ended = folder / "ended.pem"
            subprocess.run(["openssl", "x509", "-in", certificate, "-signkey", key, "-days", "-1", "-out", ended], check=True,
                           capture_output=True)
            for file, word in ((certificate, r"is valid for [12] days more: renew it"), (ended, "is no longer valid")):
                config = folder / "c.toml"
                config.write_text(CONFIG.replace("@DIR@", name) + f'cert_file = "{file}"\nkey_file = "{key}"\n')
                findings = json.loads(run_nfbus("doctor", "-c", config, "--json").stdout)["findings"]
                self.assertRegex("\n".join(finding["text"] for finding in findings), word)

    def test_a_slow_client_is_told_what_it_missed_and_nobody_else_notices(self):
        self.start_page("client_queue_bytes = 262144\n")
        slow = Client(self.namespace, self.port, receive_buffer=4096)
        self.addCleanup(slow.close)
        with Client(self.namespace, self.port) as quick:
            for client in (slow, quick):
                client.send({"answer": True})
                client.frame()
            sent = 0

            def is_dropped():
                nonlocal sent
                self.send(range(2000, 2200))
                for expected in range(2000, 2200):
                    self.assertEqual(port_of(quick.frame()), expected)
                sent += 200
                return self.counters()["slow_clients"] == 1

            wait_until(is_dropped, 60, "the slow one's end")
            got, marker = 0, None
            with self.assertRaises(Closed) as closed:
                while True:
                    frame = slow.frame()
                    if frame["Type"] == "nfbus:dropped":
                        marker = json.loads(frame["Data"])["missed"]
                    else:
                        self.assertEqual(port_of(frame), 2000 + got % 200)
                        got += 1
            self.assertEqual(closed.exception.code, 1013)
            self.assertEqual(self.counters()["missed_by_clients"], marker)
            self.assertGreater(marker, 0)
            self.assertLessEqual(got + marker, sent)

    def counters(self):
        status = json.loads(run_nfbus("status", "--json", "-s", self.host.path("bus.sock")).stdout)
        return next(sink for sink in status["sinks"] if sink["name"] == "page")["counters"]


class History(PageTest):
    def get(self, path, status=200):
        answer = request(self.namespace, self.port, "GET", path)
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def rows(self, query=""):
        return json.loads(self.get("/api/rows" + query).body)

    def wait_for_rows(self, count):
        wait_until(lambda: len(self.rows("?limit=1000")["rows"]) == count, 10, f"{count} rows")

    def test_what_was_before_can_be_asked_for(self):
        self.start_page()
        self.send(range(1000, 1030))
        self.send(range(3000, 3005), 7002)
        self.wait_for_rows(35)
        page = self.rows("?limit=10")
        self.assertEqual([row["sp"] for row in page["rows"]], [3004, 3003, 3002, 3001, 3000, 1029, 1028, 1027, 1026, 1025])
        self.assertFalse(page["is_end"])
        older = self.rows(f"?before={page['oldest']}&limit=100")
        self.assertEqual([row["sp"] for row in older["rows"]], list(range(1024, 999, -1)))
        self.assertTrue(older["is_end"])
        allowed = self.rows("?match=action%3Dallowed")["rows"]
        self.assertEqual([row["sp"] for row in allowed], [3004, 3003, 3002, 3001, 3000])
        self.assertEqual({row["act"] for row in allowed}, {"allowed"})
        self.assertIn(b"column 1: prot:", self.get("/api/rows?match=prot%3Dudp", 400).body)
        self.get("/api/rows?match=action%3Dallowed%zz", 400)

    def test_no_more_is_kept_than_the_limits_say(self):
        self.start_page("history_events = 20\n")
        self.send(range(1000, 1100))
        wait_until(lambda: [row["sp"] for row in self.rows()["rows"]] == list(range(1099, 1079, -1)), 10, "the newest 20")
        newest = self.rows()["newest"]
        self.get(f"/api/event/{newest}")
        self.get(f"/api/event/{newest - 20}", 404)

    def test_a_byte_budget_holds(self):
        self.start_page("history_bytes = 65536\n")
        self.send(range(1000, 3000))
        wait_until(lambda: self.rows("?limit=1")["rows"][0]["sp"] == 2999, 10, "the newest")
        kept = self.rows("?limit=1000")["rows"]
        self.assertGreater(len(kept), 100)
        self.assertLess(len(kept), 700)
        self.assertEqual([row["sp"] for row in kept], list(range(2999, 2999 - len(kept), -1)))

    def test_an_event_without_room_costs_itself_alone(self):
        self.start_page("history_bytes = 65536\n")
        self.send(range(1000, 1005))
        self.wait_for_rows(5)
        value = json.dumps({"x": "y" * 100_000})
        with Client(self.namespace, self.port) as client:
            client.send({"answer": True})
            client.frame()
            publish_once(self.host.path("bus.sock"), json.dumps({"topic": "wifi:large", "value": value}) + "\n")
            self.assertEqual(client.frame()["Type"], "wifi:large")
        self.send([1005])
        wait_until(lambda: self.rows("?limit=1")["rows"][0].get("sp") == 1005, 10, "the packet behind it")
        self.assertEqual([row["sp"] for row in self.rows()["rows"]], list(range(1005, 999, -1)))
        newest = self.rows()["newest"]
        self.get(f"/api/event/{newest - 1}", 404)
        self.get(f"/api/event/{newest}")
        self.assertEqual(len(self.get("/api/export?format=jsonl").body.splitlines()), 6)

    def test_exports_have_every_event_of_the_match(self):
        self.start_page()
        self.send(range(1000, 4000))
        self.send([5000], 7002)
        wait_until(lambda: self.rows("?limit=1")["rows"][0]["sp"] == 5000, 20, "all")
        lines = self.get("/api/export?format=jsonl&match=dport%3D7001").body.decode().splitlines()
        self.assertEqual([json.loads(line)["UDP"]["SrcPort"] for line in lines], list(range(1000, 4000)))
        table = list(csv.DictReader(io.StringIO(self.get("/api/export?format=csv").body.decode())))
        self.assertEqual([int(row["sport"]) for row in table], [*range(1000, 4000), 5000])
        self.assertEqual((table[-1]["action"], table[-1]["dport"], table[-1]["out"]), ("allowed", "7002", "lo"))
        answer = self.get("/api/export?format=pcap&match=sport%3D1000-1999")
        self.assertIn("attachment", answer.headers["content-disposition"])
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            file.write(answer.body)
            file.flush()
            done = subprocess.run(["tshark", "-r", file.name, "-T", "fields", "-e", "udp.srcport", "-e", "nflog.prefix"],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual([int(line.split("\t")[0]) for line in done.stdout.splitlines()], list(range(1000, 2000)))
        self.assertTrue(done.stdout.startswith("1000\tdrop:out"), done.stdout[:80])
        self.assertIn(b"jsonl, csv or pcap", self.get("/api/export?format=xml", 400).body)

    def test_wrong_numbers_are_refused(self):
        self.start_page()
        for path in ("/api/rows?limit=abc", "/api/rows?limit=-1", "/api/rows?before=18446744073709551616", "/api/count?after=x", "/api/series?step=7",
                     "/api/notifications?limit=1e3", "/api/event/x"):
            self.get(path, 400)
        self.get("/ws", 426)

    def test_an_export_that_is_too_slow_is_not_taken_for_all(self):
        self.start_page("history_events = 20000\n")
        self.send([1000], 7002)
        self.wait_for_rows(1)
        first = self.rows()["newest"]
        for begin in range(5):
            self.send(range(1000, 5000), 7002)
        wait_until(lambda: self.rows("?limit=1")["newest"] >= first + 20000, 30, "a full history")
        with connect(self.namespace, self.port, receive_buffer=4096) as slow:
            slow.sendall(b"GET /api/export?format=jsonl HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertIn(b"200 OK", slow.recv(100))
            for begin in range(6):
                self.send(range(1000, 5000), 7002)
            wait_until(lambda: self.rows("?limit=1")["newest"] >= first + 44000, 30, "newer events")
            got = b""
            while piece := slow.recv(1 << 20):
                got += piece
        self.assertFalse(got.endswith(b"\r\n0\r\n\r\n"), "the last chunk says that it is whole")

    def test_http_1_0_gets_the_same_without_chunks(self):
        self.start_page()
        self.send(range(1000, 1010))
        self.wait_for_rows(10)
        with connect(self.namespace, self.port) as made:
            made.sendall(b"GET /api/export?format=csv HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            got = b""
            while piece := made.recv(65536):
                got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertEqual([int(row["sport"]) for row in csv.DictReader(io.StringIO(body.decode()))], list(range(1000, 1010)))

    def test_what_its_own_queue_dropped_is_lost_to_the_page(self):
        self.start_page("queue = 100\n")
        with Client(self.namespace, self.port, "/ws/page") as page:
            page.send({"match": "", "serial": 1})
            page.frames_until(lambda frame: "filter" in frame)
            self.host.signal(signal.SIGSTOP)
            self.send(range(1000, 3000))
            self.host.signal(signal.SIGCONT)
            frames = page.frames_until(lambda frame: frame.get("stats", {}).get("lost", 0) > 0 and
                                       frame["stats"]["packets"] + frame["stats"]["lost"] == 2000, 30)
        lost = frames[-1]["stats"]["lost"]
        rows = [row for frame in frames for row in frame.get("rows", [])]
        losses = [row for row in rows if row["k"] == "l"]
        self.assertEqual(sum(row["lost"] for row in losses), lost)
        # Each has a number of its own, in the order of all, and the history has it, too.
        numbers = [row["id"] for row in rows]
        self.assertEqual(numbers, sorted(set(numbers)))
        newest = self.rows("?limit=1000")
        kept = newest["rows"] + self.rows(f"?limit=1000&before={newest['oldest']}")["rows"]
        self.assertEqual([row for row in kept if row["k"] == "l"], losses[::-1])
        self.assertEqual(len(kept), 2000 - lost + len(losses))
        counted = json.loads(self.get(f"/api/count?after={kept[-1]['id']}&before={newest['end']}").body)
        self.assertEqual(counted, {"count": len(kept) - 1, "kept_from": newest["kept_from"]})
        some = json.loads(self.get("/api/count?match=sport%3D2990-2999").body)["count"]
        self.assertEqual(some, 10)

    def test_devices_have_the_names_of_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".names") as file:
            os.chmod(file.name, 0o644)
            file.write("# mine\n127.0.0.1  Anna's <b>phone</b>\nnonsense\n")
            file.flush()
            self.start_page(f'names = "{file.name}"\n')
            self.host.wait_for(r"names: .*\.names:3: a line is an address or MAC")
            self.send([1000])
            self.wait_for_rows(1)
            row = self.rows()["rows"][0]
            self.assertEqual(row["sn"], "Anna's <b>phone</b>")
            self.assertNotIn("dn", row)
            file.write("127.0.0.9 printer\n")
            file.flush()
            wait_until(lambda: self.rows()["rows"][0].get("dn") == "printer", 10, "the new name")

    def test_a_host_has_a_page(self):
        self.start_page()
        self.send([1000, 1001], destination="127.0.0.9")
        self.send([1002], 7002, destination="127.0.0.10")
        self.wait_for_rows(3)
        page = json.loads(self.get("/api/host/127.0.0.9").body)
        self.assertEqual((page["in"], page["out"], page["blocked"], page["allowed"]), (2, 0, 2, 0))
        self.assertEqual(page["ports"], [{"proto": "udp", "port": 7001, "direction": "to", "count": 2}])
        self.assertEqual(page["topics"], [{"topic": "nft:drop:out", "count": 2}])
        self.assertEqual(json.loads(self.get("/api/host/127.0.0.1").body)["out"], 3)
        self.assertGreaterEqual(page["last_ms"], page["first_ms"])
        self.assertEqual(json.loads(self.get("/api/host/::ffff:127.0.0.9").body), page, "by whatever spelling")
        self.assertEqual(json.loads(self.get("/api/host/2001:DB8:0::1").body)["address"], "2001:db8::1")
        self.get("/api/host/nobody", 400)
        self.get("/api/host/127.0.0.9%00", 400)

    def test_words_that_are_no_text_are_refused_with_their_place(self):
        self.start_page()
        self.assertEqual(self.get("/api/rows?match=dport=1+prefix=%ff", 400).body, b"column 16: this is no UTF-8\n")

    def test_the_numbers_are_those_of_the_status(self):
        self.start_page()
        with Client(self.namespace, self.port, "/ws/page") as page:
            page.send({"match": "dport=7001", "serial": 5})
            self.assertEqual(page.frames_until(lambda frame: "filter" in frame)[-1], {"filter": {"ok": True, "serial": 5}})
            self.send(range(1000, 3000))
            self.send([1], 7002)
            rows = [frame for frame in page.frames_until(lambda frame: frame.get("matched") == 2000) if "rows" in frame]
            shown = sum(len(frame["rows"]) for frame in rows)
            self.assertEqual(shown + sum(frame["skipped"] for frame in rows), 2000)
            self.assertLessEqual(max(len(frame["rows"]) for frame in rows), 100)
            stats = page.frames_until(lambda frame: frame.get("stats", {}).get("packets") == 2001)[-1]["stats"]
            self.assertEqual((stats["blocked"], stats["allowed"]), (2000, 1))
            status = page.frames_until(lambda frame: "status" in frame and
                                       sum(group["received"] for group in frame["status"]["capture"]) == 2001)[-1]["status"]
            self.assertEqual(sum(group["lost"] for group in status["capture"]), 0)

    def test_a_page_that_does_not_want_rows_gets_counters(self):
        self.start_page()
        with Client(self.namespace, self.port, "/ws/page") as page:
            page.send({"match": "", "mode": "counters", "serial": 1})
            page.frames_until(lambda frame: "filter" in frame)
            self.send(range(1000, 1100))
            frames = page.frames_until(lambda frame: frame.get("matched") == 100)
            frames += page.frames_until(lambda frame: frame.get("stats", {}).get("packets") == 100)
            self.assertEqual([row for frame in frames for row in frame.get("rows", [])], [])
            newest = self.rows("?limit=1")["newest"]
            page.send({"since": newest - 7, "mode": "live"})
            self.assertEqual(page.frames_until(lambda frame: "missed" in frame)[-1],
                             {"missed": 7, "since": newest - 7, "matched": 100})


class Paths(PageTest):
    def test_other_paths_are_no_websocket(self):
        self.start_page()
        for path in ("/", "/ws/other", "/api/rows"):
            with self.assertRaises(Refused) as refused:
                Client(self.namespace, self.port, path)
            self.assertEqual(refused.exception.status, 404)
        for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/api/rows", 405), ("PATCH", "/", 405),
                                     ("GET", "/page/../settings.cpp", 404), ("GET", "/page/%2e%2e/x", 404),
                                     ("POST", "/api/table", 400), ("HEAD", "/", 200)):
            self.assertEqual(request(self.namespace, self.port, method, path).status, status, (method, path))

    def test_the_page_is_protected(self):
        self.start_page()
        answer = request(self.namespace, self.port, "GET", "/")
        self.assertEqual(answer.status, 200)
        self.assertIn("default-src 'none'", answer.headers["content-security-policy"])
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        again = request(self.namespace, self.port, "GET", "/", headers={"If-None-Match": answer.headers["etag"]})
        self.assertEqual((again.status, again.body), (304, b""))


if __name__ == "__main__":
    main()
