'''sinks/websocket: who is let in, from which pages, and what a guess costs.'''

import pathlib
import signal
import ssl
import subprocess
import tempfile
import time

from nfbustest import main, run_nfbus, wait_until
from page_host import CONFIG, PageTest, port_of
from websocket_client import Client, Closed, Refused, connect, request


class AccessTest(PageTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def start_with_tokens(self, options="", text="# ours\nfirst-token\nanna:pass word\n\n"):
        self.tokens = self.write("tokens", text)
        return self.start_page(f'token_file = "{self.tokens}"\n' + options)

    def ask(self, method, path, body=None, headers=(), **how):
        return request(self.namespace, self.port, method, path, body, headers, **how)

    def refused(self, path="/ws_events_all", **how):
        with self.assertRaises(Refused) as refused:
            Client(self.namespace, self.port, path, **how)
        return refused.exception


class Tokens(AccessTest):
    def test_a_first_frame_lets_in(self):
        self.start_with_tokens()
        for token in ("first-token", "anna:pass word"):
            with Client(self.namespace, self.port, first=token) as client:
                self.assertEqual(client.text(), "success")
                self.send([1001])
                self.assertEqual(port_of(client.frame()), 1001)

    def test_a_wrong_one_does_not(self):
        self.start_with_tokens()
        wrong = ("", "first-toke", "first-token ", "anna", "# ours", "pass word", '{"match":{}}', "x" * 60000)
        for number, token in enumerate(wrong):
            with Client(self.namespace, self.port, first=token, source=f"127.0.1.{number + 1}") as client:
                self.assertEqual(client.text(), "Authentication failure", token[:20])
                with self.assertRaises(Closed) as closed:
                    client.text()
                self.assertEqual(closed.exception.code, 1008)

    def test_nobody_sees_events_before_the_token(self):
        self.start_with_tokens()
        with Client(self.namespace, self.port) as client:
            self.send(range(1000, 1010))
            wait_until(lambda: self.ask("GET", "/api/rows?limit=1", headers={"Authorization": "Bearer first-token"}).body
                       .count(b'"sp":1009') == 1, 10, "the packets")
            client.send("first-token")
            self.assertEqual(client.text(), "success")
            self.send([1234])
            self.assertEqual(port_of(client.frame()), 1234)

    def test_a_bearer_lets_in_everywhere(self):
        self.start_with_tokens()
        good, bad = {"Authorization": "Bearer first-token"}, {"Authorization": "Bearer other"}
        for path in ("/api/rows", "/api/export", "/rules", "/alerts", "/notifications", "/api/notifications", "/api/event/1",
                     "/api/keys", "/api/series", "/api/host/127.0.0.1"):
            self.assertEqual(self.ask("GET", path).status, 401, path)
        for path in ("/api/rows", "/rules"):
            self.assertEqual(self.ask("GET", path, headers=good).status, 200, path)
        self.assertEqual(self.ask("GET", "/rules", headers=bad).status, 401)
        with Client(self.namespace, self.port, headers=good) as client:
            client.send({"answer": True})
            self.assertEqual(client.frame()["Type"], "nfbus:answer")

    def test_a_page_gets_a_cookie_for_a_token(self):
        self.start_with_tokens()
        self.assertEqual(self.ask("GET", "/").status, 200)
        self.assertIn(b'"is_authenticated":false', self.ask("GET", "/api/session").body)
        self.assertEqual(self.ask("POST", "/api/login", {"token": "wrong"}).status, 401)
        answer = self.ask("POST", "/api/login", {"token": "anna:pass word"})
        self.assertEqual(answer.status, 204)
        cookie = answer.headers["set-cookie"]
        self.assertRegex(cookie, r"^nfbus_session=[0-9a-f]{64}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict$")
        headers = {"Cookie": "a=b; " + cookie.split(";")[0]}
        session = self.ask("GET", "/api/session", headers=headers)
        self.assertIn(b'"is_authenticated":true', session.body)
        self.assertEqual(session.headers["set-cookie"], cookie, "it is good for another month")
        with Client(self.namespace, self.port, "/ws/page", headers=headers) as page:
            page.send({"match": "", "serial": 1})
            page.frames_until(lambda frame: "filter" in frame)
        self.assertEqual(self.ask("POST", "/api/logout", {}, headers=headers).status, 204)
        self.assertEqual(self.ask("GET", "/api/rows", headers=headers).status, 401)
        self.assertNotIn("set-cookie", self.ask("GET", "/api/session", headers=headers).headers)

    def test_no_token_is_asked_for_in_a_url(self):
        self.start_with_tokens()
        self.assertEqual(self.ask("GET", "/api/rows?token=first-token").status, 401)

    def test_who_does_not_authenticate_goes_and_32_may_wait(self):
        self.start_with_tokens()
        began = time.monotonic()
        waiting = [Client(self.namespace, self.port) for _ in range(32)]
        for client in waiting:
            self.addCleanup(client.close)
        self.assertEqual(self.refused().status, 429)
        with Client(self.namespace, self.port, headers={"Authorization": "Bearer first-token"}) as known:
            known.send({"answer": True})
            self.assertEqual(known.frame()["Type"], "nfbus:answer")
        with self.assertRaises(Closed) as closed:
            waiting[0].text(seconds=20)
        self.assertEqual(closed.exception.code, 1008)
        self.assertGreater(time.monotonic() - began, 9)
        wait_until(self.lets_in, 10, "room for the next")

    def lets_in(self):
        try:
            with Client(self.namespace, self.port, first="first-token") as client:
                return client.text() == "success"
        except Refused:
            return False

    def test_wrong_tokens_are_answered_slower_and_slower(self):
        self.start_with_tokens()
        took = []
        for _ in range(5):
            began = time.monotonic()
            self.assertEqual(self.ask("POST", "/api/login", {"token": "wrong"}).status, 401)
            took.append(time.monotonic() - began)
        self.assertGreater(took[-1], 4 * took[0])
        self.assertGreater(took[-1], 3)
        began = time.monotonic()
        self.assertEqual(self.ask("POST", "/api/login", {"token": "first-token"}).status, 204)
        self.assertLess(time.monotonic() - began, 2)

    def test_guesses_are_slow_whichever_way_they_come(self):
        self.start_with_tokens()
        guess = {"Authorization": "Bearer first-token"}
        self.assertIn(b'"is_authenticated":false', self.ask("GET", "/api/session", headers=guess).body)
        self.assertEqual(self.refused(headers={"Authorization": "Bearer wrong"}).status, 401)
        self.assertEqual(self.ask("GET", "/rules", headers={"Authorization": "Bearer wrong"}).status, 401)
        # Who does not wait for the answer has gained nothing: the next token is not looked at before its time.
        for _ in range(3):
            made = connect(self.namespace, self.port)
            made.sendall(b"GET /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer wrong\r\n\r\n")
            made.close()
        began = time.monotonic()
        self.assertEqual(self.ask("GET", "/rules", headers=guess).status, 200)
        self.assertGreater(time.monotonic() - began, 0.3)
        with Client(self.namespace, self.port, first="first-token", source="127.0.1.77") as client:
            self.assertEqual(client.text(seconds=2), "success", "another address does not wait")

    def test_what_comes_behind_a_token_that_has_to_wait_is_taken(self):
        self.start_with_tokens()
        with Client(self.namespace, self.port, first="wrong"), Client(self.namespace, self.port, first="first-token") as client:
            client.send({"match": {"sport": 1001}, "answer": True})
            self.assertEqual(client.text(), "success")
            self.assertEqual(client.frame()["Type"], "nfbus:answer")
            self.send([1000, 1001])
            self.assertEqual(port_of(client.frame()), 1001)

    def test_who_was_let_in_by_what_is_over_has_to_go(self):
        host = self.start_with_tokens()
        login = self.ask("POST", "/api/login", {"token": "first-token"}).headers["set-cookie"].split(";")[0]
        other = self.ask("POST", "/api/login", {"token": "first-token"}).headers["set-cookie"].split(";")[0]

        def page(cookie):
            client = Client(self.namespace, self.port, "/ws/page", headers={"Cookie": cookie})
            self.addCleanup(client.close)
            client.send({"match": "", "serial": 1})
            client.frames_until(lambda frame: "filter" in frame)
            return client

        def code_of(client):
            with self.assertRaises(Closed) as closed:
                while True:
                    client.text()
            return closed.exception.code

        mine, others = page(login), page(other)
        self.assertEqual(self.ask("POST", "/api/logout", {}, headers={"Cookie": login}).status, 204)
        self.assertEqual(code_of(mine), 1008)
        others.send({"match": "", "serial": 2})
        others.frames_until(lambda frame: frame.get("filter", {}).get("serial") == 2)
        by_token = Client(self.namespace, self.port, first="first-token")
        self.addCleanup(by_token.close)
        self.assertEqual(by_token.text(), "success")
        self.tokens.write_text("second\n")
        host.signal(signal.SIGHUP)
        self.assertEqual(code_of(others), 1008)
        self.assertEqual(code_of(by_token), 1008)

    def test_tokens_change_at_a_reopen(self):
        host = self.start_with_tokens()
        cookie = self.ask("POST", "/api/login", {"token": "first-token"}).headers["set-cookie"].split(";")[0]
        self.tokens.write_text("second\n")
        host.signal(signal.SIGHUP)
        bearer = {"Authorization": "Bearer second"}
        wait_until(lambda: self.ask("GET", "/rules", headers=bearer).status == 200, 10, "the new token")
        self.assertEqual(self.ask("GET", "/rules", headers={"Cookie": cookie}).status, 401)
        self.tokens.write_text("\n")
        host.signal(signal.SIGHUP)
        host.wait_for(r"holds no token.*the tokens before stay")
        self.assertEqual(self.ask("GET", "/rules", headers=bearer).status, 200)

    def test_others_than_loopback_need_tokens(self):
        config = self.write("nfbus.toml", CONFIG.replace("@DIR@", str(self.folder)) + 'listen = ["127.0.0.1:0", "0.0.0.0:0"]\n')
        done = run_nfbus("check", "-c", config)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stdout, r'nfbus.toml:\d+:\d+: .*0\.0\.0\.0.*token_file')
        for text in ("127.0.0.1", "127.0.0.1:99999", "::1:80", "example.org:80", "fd:1", "[::1]", "127.0.0.1:80x"):
            config.write_text(CONFIG + f'listen = "{text}"\n')
            done = run_nfbus("check", "-c", config)
            self.assertEqual(done.returncode, 78, text)
            self.assertRegex(done.stdout, r"nfbus.toml:\d+:\d+: .*listen", text)

    def test_an_empty_token_file_starts_nothing(self):
        tokens = self.write("tokens", "# none\n")
        host = self.start(CONFIG + f'listen = "127.0.0.1:0"\ntoken_file = "{tokens}"\n', wait=False)
        self.assertNotEqual(host.wait(), 0)
        self.assertIn("holds no token", host.stderr)


class Sites(AccessTest):
    def status(self, headers, host=None):
        """Of an upgrade, and it is the same as of a request."""
        headers = dict(headers)
        if host:
            asked = self.ask("GET", "/api/rows", headers={**headers, "Host": host}).status
        else:
            asked = self.ask("GET", "/api/rows", headers=headers).status
        try:
            Client(self.namespace, self.port, headers=headers, host=host).close()
            upgraded = 200
        except Refused as refused:
            upgraded = refused.status
        self.assertEqual(asked, upgraded)
        return upgraded

    def test_pages_of_others_are_refused(self):
        self.start_page('hosts = ["router.example.org"]\norigins = ["https://panel.example.org"]\n')
        port = self.port
        for host, origin, expected in (
                (None, f"http://127.0.0.1:{port}", 200),
                (f"localhost:{port}", f"http://localhost:{port}", 200),
                (f"[::1]:{port}", f"http://[::1]:{port}", 200),
                (f"192.0.2.7:{port}", None, 200),
                ("192.0.2.7", "https://192.0.2.7", 200),
                ("router.example.org:443", "https://router.example.org", 200),
                ("router.example.org", "https://router.example.org:443", 200),
                ("ROUTER.example.org.", "http://router.example.org", 200),
                ("router.example.org", "https://panel.example.org:443", 200),
                ("router.example.org", "http://panel.example.org", 403),
                (None, "http://127.0.0.1", 403),
                (None, f"http://localhost:{port}", 403),
                (None, "null", 403),
                (None, "", 403),
                (None, "file://", 403),
                (None, f"http://127.0.0.1:{port}.evil.example", 403),
                (None, f"http://evil.example:{port}", 403),
                ("evil.example", "http://evil.example", 403),
                (f"evil.example:{port}", None, 403),
                ("localhost.evil.example", None, 403),
                ("127.0.0.1.evil.example", None, 403),
                ("router.example.org", "http://router.example.org:8080", 403),
                ("a b", None, 400),
                ("[::1", None, 400)):
            headers = {} if origin is None else {"Origin": origin}
            self.assertEqual(self.status(headers, host), expected, (host, origin))

    def test_changing_calls_need_json_of_the_same_origin(self):
        self.start_page()
        rule = {"name": "a", "match": {"dport": 1}}
        for kind in ("Application/JSON", "application/json ; charset=utf-8"):
            self.assertEqual(self.ask("PUT", "/rules/0", rule, {"Content-Type": kind}).status, 400, "there is no such rule")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"):
            self.assertEqual(self.ask("PUT", "/rules", rule, {"Content-Type": kind}).status, 415)
            self.assertEqual(self.ask("DELETE", "/rules/0", headers={"Content-Type": kind}).status, 415)
        self.assertEqual(self.ask("PUT", "/rules", rule, {"Origin": "http://evil.example"}).status, 403)
        self.assertEqual(self.ask("GET", "/rules").body, b"[]")
        self.assertEqual(self.ask("PUT", "/rules", rule, {"Content-Type": "application/json; charset=utf-8"}).status, 200)


class Tls(AccessTest):
    def certificate(self, name):
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        key.chmod(0o644)
        return key, certificate

    def test_all_is_served_over_tls_and_a_reopen_takes_a_new_certificate(self):
        (key, certificate), (new_key, new_certificate) = self.certificate("one"), self.certificate("two")
        host = self.start_with_tokens(f'cert_file = "{certificate}"\nkey_file = "{key}"\n')
        trusted = ssl.create_default_context(cafile=str(certificate))
        answer = self.ask("POST", "/api/login", {"token": "first-token"}, tls=trusted)
        self.assertIn("; Secure", answer.headers["set-cookie"])
        with Client(self.namespace, self.port, first="first-token", tls=trusted) as client:
            self.assertEqual(client.text(), "success")
            self.send([1001])
            self.assertEqual(port_of(client.frame()), 1001)
            certificate.write_text(new_certificate.read_text())
            key.write_text(new_key.read_text())
            host.signal(signal.SIGHUP)

            def serves_the_new():
                try:
                    return self.ask("GET", "/api/session", tls=ssl.create_default_context(cafile=str(new_certificate))).status
                except ssl.SSLError:
                    return None

            self.assertEqual(wait_until(serves_the_new, 10, "the new certificate"), 200)
            self.send([1002])
            self.assertEqual(port_of(client.frame()), 1002)

    def test_one_file_that_cannot_be_read_keeps_not_the_other_from_it(self):
        (key, certificate), (new_key, new_certificate) = self.certificate("one"), self.certificate("two")
        host = self.start_with_tokens(f'cert_file = "{certificate}"\nkey_file = "{key}"\n')
        self.tokens.unlink()
        certificate.write_text(new_certificate.read_text())
        key.write_text(new_key.read_text())
        host.signal(signal.SIGHUP)
        host.wait_for(r"token_file: cannot read .*: the tokens before stay\n")
        trusted = ssl.create_default_context(cafile=str(new_certificate))
        self.assertEqual(self.ask("GET", "/rules", headers={"Authorization": "Bearer first-token"}, tls=trusted).status, 200)
        key.write_text("none\n")
        host.signal(signal.SIGHUP)
        host.wait_for(r"token_file: .*: the tokens before stay; cannot use the key in .*: the one before stays")
        self.tokens.write_text("second\n")
        host.signal(signal.SIGHUP)
        host.wait_for(r"failed: cannot use the key in .*: the one before stays")
        self.assertEqual(self.ask("GET", "/rules", headers={"Authorization": "Bearer second"}, tls=trusted).status, 200)

    def test_a_wrong_certificate_starts_nothing(self):
        encrypted = self.folder / "encrypted.pem"
        key, certificate = self.certificate("one")
        subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", encrypted], check=True)
        encrypted.chmod(0o644)
        path = self.write("cert", "no certificate\n")
        for option, word in ((f'key_file = "{path}"\n', "key_file: a key is of a certificate"),
                             (f'cert_file = "{path}"\n', "it holds no certificate in PEM"),
                             (f'cert_file = "{self.folder}/none"\n', "cannot read .*/none: No such file"),
                             (f'cert_file = "{certificate}"\nkey_file = "{encrypted}"\n', "without a pass phrase")):
            host = self.start(CONFIG + 'listen = "127.0.0.1:0"\n' + option, wait=False)
            self.assertNotEqual(host.wait(), 0)
            self.assertRegex(host.stderr, word)


if __name__ == "__main__":
    main()
