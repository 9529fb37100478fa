'''sinks/webhook: what arrives at a server of the test's own, of messages that are published and of packets that the kernel logs.'''

import base64
import json

from http_fake import HttpFake, make_certificate
from nfbustest import main, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from webhook_test import ALERT, CONFIG, HOSTILE, URL, WebhookTest
from wire_client import WireClient


class Bodies(WebhookTest):
    def test_without_a_template_an_event_is_its_json(self):
        server = self.serve()
        host = self.start(CONFIG + URL)
        done = run_nfbus("publish", "-s", host.path("bus.sock"), "alert:test", json.dumps(ALERT))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check(host, 1)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1234, 5000))])
        self.check(host, 2)
        message, packet = server.requests
        self.assertEqual((message.method, message.target), ("POST", "/hook"))
        self.assertEqual(message.headers["content-type"], "application/json")
        self.assertEqual(set(message.json), {"Topic", "Timestamp", "Message"})
        self.assertEqual((message.json["Topic"], message.json["Message"]), ("alert:test", ALERT))
        self.assertEqual((packet.json["UDP"]["SrcPort"], packet.json["Prefix"].strip()), (1234, "drop:out"))
        self.assertNotIn("expect", packet.headers)
        self.assertEqual(message.connection, packet.connection, "one connection for all")

    def test_a_template_takes_what_it_names_of_packets_and_messages(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start(CONFIG + URL + """
            device = "router"
            method = "PUT"
            headers = { X-Title = "{Title}", X-Source = "{Event.IP.SrcIP|IP.SrcIP}", X-Fixed = "{{x}}" }
            json = '''{"title": "{Title|topic}", "count": "{Count}", "from": "{Event.IP.SrcIP|IP.SrcIP} at {device}",
                       "event": "{Event}", "when": "{time}", "id": "{id}"}'''
            """)
        self.publish(host, ALERT)
        self.check(host, 1)
        send(self.namespace, [ipv4("127.0.0.7", "127.0.0.1", UDP, udp(1234, 5000))])
        self.check(host, 2)
        message, packet = server.requests
        self.assertEqual((message.method, message.headers["x-title"], message.headers["x-source"], message.headers["x-fixed"]),
                         ("PUT", "Port scan", "10.0.0.9", "{x}"))
        body = message.json
        self.assertRegex(body.pop("when"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
        self.assertRegex(body.pop("id"), r"^[0-9a-f]{32}$")
        self.assertEqual(body, {"title": "Port scan", "count": 100, "from": "10.0.0.9 at router", "event": ALERT["Event"]})
        self.assertNotIn("x-title", packet.headers)
        self.assertEqual(packet.headers["x-source"], "127.0.0.7")
        self.assertEqual((packet.json["title"], packet.json["count"], packet.json["from"]),
                         ("nft:drop:out", None, "127.0.0.7 at router"))
        self.assertNotEqual(packet.json["id"], message.json["id"])

    def test_packets_come_with_their_bytes_where_that_is_wanted(self):
        server = self.serve()
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1234, 5000, b"hello"))
        for payload, carried in (("none", None), ("full", base64.b64encode(b"hello").decode())):
            host = self.start(CONFIG + URL + f'payload = "{payload}"\njson = \'{{"bytes": "{{UDP.Payload}}"}}\'\n')
            send(self.namespace, [packet])
            self.check(host, 1)
            self.assertEqual(server.requests[-1].json, {"bytes": carried})
            host.close()

    def test_hostile_values_stay_values(self):
        server = self.serve()
        host = self.start(CONFIG + """
            url = "http://127.0.0.1:8080/a/{Title}/{id}?q={Body}"
            headers = { X-Type = "{NotificationType}" }
            json = '{"title": "{Title}", "all": "[{Title}|{Body}|{Event}]"}'
            """)
        self.publish(host, HOSTILE)
        self.check(host, 1)
        request = server.requests[0]
        self.assertEqual(set(request.json), {"title", "all"})
        self.assertEqual(request.json["title"], HOSTILE["Title"])
        title, body, event = request.json["all"].removeprefix("[").removesuffix("]").split("|")
        self.assertEqual((title, body, json.loads(event)), (HOSTILE["Title"], HOSTILE["Body"], HOSTILE["Event"]))
        self.assertNotIn("x-evil", request.headers)
        self.assertEqual(request.headers["x-type"], "danger  X-Evil: 1")
        self.assertEqual(request.path.count("/"), 3)
        self.assertEqual(request.query, {"q": HOSTILE["Body"]})

    def test_a_value_leads_to_no_other_path(self):
        server = self.serve()
        host = self.start(CONFIG + 'url = "http://127.0.0.1:8080/hooks/{Room}/send"\n')
        self.publish(host, {"Room": ".."}, {"Room": ""}, {"Other": 1}, {"Room": "../../admin"}, {"Room": "a.b"})
        self.check(host, 2, 3)
        self.assertEqual([request.target for request in server.requests], ["/hooks/..%2F..%2Fadmin/send", "/hooks/a.b/send"])
        wait_until(lambda: host.path("rejected").exists() and len(host.path("rejected").read_text().splitlines()) == 3, 5,
                   "the dead letters")

    def test_a_message_that_is_no_json_and_no_utf8_is_text(self):
        server = self.serve()
        host = self.start(CONFIG + URL + "json = '{\"text\": \"{event}\", \"title\": \"{Title|topic}\"}'\n")
        with WireClient(host.path("bus.sock")) as client:
            client.send(b'{"topic": "alert:test", "value": "\xff\xfe \\u0000 plain"}\n')
            client.send(b'{"topic": "alert:test", "value": ""}\n')
            client.publish("alert:test", "{broken")
        self.check(host, 3)
        self.assertEqual([request.json for request in server.requests],
                         [{"text": text, "title": "alert:test"} for text in ("\ufffd\ufffd \0 plain", "", "{broken")])

    def test_a_huge_body_arrives_whole(self):
        server = self.serve()
        host = self.start(CONFIG + URL + """json = '{"text": "<{Body}>"}'
            batch_events = 100
            batch_age_ms = 1000
            """)
        body = "x\"\\\u20ac" * 3_000  # the bus takes lines of 64 KiB
        self.publish(host, *[{"Body": body}] * 100)
        self.check(host, 100)
        self.assertGreater(max(request.size_bytes for request in server.requests), 1_000_000)
        self.assertEqual([item for request in server.requests for item in request.json], [{"text": f"<{body}>"}] * 100)

    def test_a_batch_is_an_array_or_lines(self):
        for form, content_type in (("array", "application/json"), ("lines", "application/x-ndjson")):
            with HttpFake(self.namespace, lambda request: (200, "")) as server:
                host = self.start(CONFIG + URL + f"""
                    json = '{{"n": "{{n}}", "topic": "{{topic}}"}}'
                    batch_events = 10
                    batch_age_ms = 300
                    batch_form = "{form}"
                    """)
                self.publish(host, *({"n": n} for n in range(25)))
                self.check(host, 25)
                bodies = [request.json if form == "array" else [json.loads(line) for line in request.body.splitlines()]
                          for request in server.requests]
                self.assertEqual([item for body in bodies for item in body],
                                 [{"n": n, "topic": "alert:test"} for n in range(25)])
                self.assertLessEqual(max(map(len, bodies)), 10)
                self.assertLess(len(bodies), 25)
                self.assertEqual(server.requests[0].headers["content-type"], content_type)
                host.close()


class Ways(WebhookTest):
    def test_https_is_trusted_by_its_authority_alone(self):
        mine, other = (make_certificate(self.folder, name) for name in ("mine", "other"))
        for path in (*mine, *other):
            path.chmod(0o644)
        server = self.serve(certificate=mine)
        for trusted in (other, mine):
            config = CONFIG + URL.replace("http:", "https:") + f'ca_file = "{trusted[0]}"\n'
            host = self.start(config)
            self.publish(host, {"n": 0})
            if trusted == other:
                host.wait_for("https://127.0.0.1:8080: .*; set ca_file to the certificate of the authority")
                self.assertEqual(server.requests, [])
                done = run_nfbus("doctor", "-c", host.config_file, namespace=self.namespace)
                self.assertRegex(done.stdout, "error.*https://127.0.0.1:8080: .*set ca_file")
            else:
                self.check(host, 1)
            host.close()

    def test_a_socket_of_this_machine(self):
        server = self.serve(path=self.folder / "app.sock")
        host = self.start(CONFIG + f'url = "unix://{self.folder}/app.sock:/hook/{{id}}?x=1"\n')
        self.publish(host, {"n": 0})
        self.check(host, 1)
        self.assertRegex(server.requests[0].target, r"^/hook/[0-9a-f]{32}\?x=1$")

    def test_a_proxy_is_an_option_and_no_variable(self):
        proxy = self.serve(port=3128)
        host = self.start(CONFIG + URL + 'proxy = "http://127.0.0.1:3128"\n', env={"no_proxy": "*", "NO_PROXY": "*"})
        self.publish(host, {"n": 0})
        self.check(host, 1)
        self.assertEqual(proxy.requests[0].target, "http://127.0.0.1:8080/hook")
        host.close()
        server = self.serve()
        host = self.start(CONFIG + URL, env={"http_proxy": "http://127.0.0.1:3128", "ALL_PROXY": "http://127.0.0.1:3128"})
        self.publish(host, {"n": 1})
        self.check(host, 1)
        self.assertEqual((len(proxy.requests), len(server.requests)), (1, 1))

    def doctor(self, options):
        path = self.folder / "nfbus.toml"
        path.write_text(CONFIG.replace("@DIR@", str(self.folder)) + options)
        path.chmod(0o644)
        return run_nfbus("doctor", "-c", path, namespace=self.namespace).stdout

    def test_doctor_connects_and_sends_nothing(self):
        server = self.serve()
        self.file("token", "very-secret")
        said = self.doctor(URL + f'token_file = "{self.folder}/token"\n')
        self.assertIn("http://127.0.0.1:8080 takes connections", said)
        self.assertNotIn("in clear", said)
        self.assertEqual(server.requests, [])
        self.assertRegex(self.doctor(URL.replace("8080", "8081")), r"error.*http://127\.0\.0\.1:8081: .*\n?.*start the server")
        self.assertRegex(self.doctor(URL.replace("127.0.0.1", "no-such-host.invalid")), "Could not resolve host")
        self.assertRegex(self.doctor(URL + f'token_file = "{self.folder}/no"\n'), f"cannot read {self.folder}/no: No such file")
        said = self.doctor(URL.replace("127.0.0.1", "192.0.2.1") + f'token_file = "{self.folder}/token"\n'
                           'connect_timeout_ms = 100\n')
        self.assertIn("a secret goes to http://192.0.2.1:8080 in clear", said)
        self.assertNotIn("very-secret", said)

    def test_mistakes_name_their_place(self):
        for options, said in ((URL + "json = '''{\n\"a\": \"{Title\"}'''\n", r"nfbus\.toml:\d+:\d+: sink\.hook\.json: in /a, at its character 1"),
                              (URL + "json = '{'\n", r"nfbus\.toml:\d+:\d+: sink\.hook\.json: this is no JSON, at its line 1, column 2"),
                              (URL + 'headers = { "X Y" = "1" }\n', r"nfbus\.toml:\d+:\d+: sink\.hook\.headers.*: a header's name"),
                              (URL + 'hmac_header = "X"\n', r"nfbus\.toml:\d+:\d+: sink\.hook\.hmac_header: .*hmac_secret_file"),
                              ("", r"nfbus\.toml:\d+:\d+: sink\.hook\.url: this key is required, or url_file"),
                              (URL + 'token = "in-clear"\n', r"nfbus\.toml:\d+:\d+: sink\.hook\.token: a secret does not stand")):
            path = self.folder / "nfbus.toml"
            path.write_text(CONFIG.replace("@DIR@", str(self.folder)) + options)
            done = run_nfbus("check", "-c", path)
            self.assertEqual(done.returncode, 78, done.stdout)
            self.assertRegex(done.stdout, said)
            self.assertNotIn("in-clear", done.stdout)

if __name__ == "__main__":
    main()
