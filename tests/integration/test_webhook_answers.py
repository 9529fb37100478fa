'''sinks/webhook and what a server may answer, or not, and what it wants to be shown.'''

import hashlib
import hmac
import json
import pathlib
import signal
import time

from http_fake import Answer, HttpFake
from nfbustest import main, run_nfbus, wait_until
from webhook_test import CONFIG, HOSTILE, URL, WebhookTest


class Answers(WebhookTest):
    def test_nothing_is_lost_and_the_order_is_kept_while_the_server_is_away(self):
        host = self.start(CONFIG + URL)
        self.publish(host, *({"n": n} for n in range(50)))
        host.wait_for("http://127.0.0.1:8080: .*[Cc]onnect")
        server = self.serve(self.first_then(Answer(503, "soon"), Answer(200, cut="before"), Answer(500, "?"),
                                            Answer(200, "half", cut="within")))
        self.publish(host, *({"n": n} for n in range(50, 100)))
        self.check(host, 100)
        # The first one was tried four times in vain.
        self.assertEqual(self.numbers(server), [0] * 4 + list(range(100)))

    def test_a_connection_that_the_server_has_closed_costs_nothing(self):
        server = self.serve()
        host = self.start(CONFIG + URL)
        self.publish(host, {"n": 0})
        self.check(host, 1)
        server.close()
        server = self.serve()
        self.publish(host, {"n": 1})
        self.check(host, 2)
        self.assertEqual(self.numbers(server), [1])
        self.assertNotIn("failed", host.stderr)

    def test_what_the_server_refuses_is_a_dead_letter_and_the_others_go_on(self):
        server = self.serve(lambda request: (422, {"error": "no\nsuch field"}) if request.json["Message"]["n"] % 5 == 3
                            else (200, ""))
        host = self.start(CONFIG + URL)
        self.publish(host, *({"n": n} for n in range(20)))
        self.check(host, 16, 4)
        self.assertEqual(self.numbers(server), list(range(20)))
        letters = wait_until(lambda: len(lines := host.path("rejected").read_text().splitlines()) == 4 and lines, 5,
                             "the dead letters")
        letters = list(map(json.loads, letters))
        self.assertEqual([letter["Event"]["Message"]["n"] for letter in letters], [3, 8, 13, 18])
        self.assertEqual({letter["Reason"] for letter in letters}, {"http://127.0.0.1:8080 answers 422: no such field"})

    def test_of_a_batch_only_what_the_server_refuses_is_rejected(self):
        def answer(request):
            bad = [item for item in request.json if item["Message"]["n"] in (7, 30)]
            return (400, "bad") if bad else (413, "large") if len(request.json) > 20 else (200, "")

        server = self.serve(answer)
        host = self.start(CONFIG + URL + "batch_events = 50\nbatch_age_ms = 500\n")
        self.publish(host, *({"n": n} for n in range(50)))
        self.check(host, 48, 2)
        with server.lock:
            taken = [item["Message"]["n"] for request in server.requests for item in request.json
                     if answer(request)[0] == 200]
        self.assertEqual(taken, [n for n in range(50) if n not in (7, 30)])

    def test_the_search_in_a_batch_has_an_end(self):
        server = self.serve(lambda request: (400, "never"))
        host = self.start(CONFIG + URL + "batch_events = 300\nbatch_age_ms = 500\n")
        self.publish(host, *({"n": n} for n in range(300)))
        self.check(host, 0, 300)
        calls = 1 + 300 // 100  # as many as the burst may have come in
        self.assertLess(len(server.requests), 110 * calls)
        host.wait_for(r"answers 400: never \(of some events among \d+\)")

    def test_one_request_of_several_that_fails_comes_again_alone(self):
        failed = []

        def answer(request):
            if request.json["Message"]["n"] == 1 and not failed:
                failed.append(request)
                return (503, "busy")
            return (200, "")

        server = self.serve(answer)
        host = self.start(CONFIG + URL + "max_in_flight = 4\n")
        self.publish(host, *({"n": n} for n in range(20)))
        self.check(host, 20)
        self.assertEqual(sorted(self.numbers(server)), sorted([*range(20), 1]))

    def test_retry_after_is_waited_for(self):
        for status in (429, 503):
            with HttpFake(self.namespace, self.first_then((status, "slow down", {"Retry-After": "2"}))) as server:
                host = self.start(CONFIG + URL)
                self.publish(host, {"n": 0}, {"n": 1})
                self.check(host, 2)
                self.assertEqual(self.numbers(server), [0, 0, 1])
                self.assertGreaterEqual(server.requests[1].when - server.requests[0].when, 1.9)
                self.assertLess(server.requests[1].when - server.requests[0].when, 8)
                host.close()

    def test_a_url_where_nobody_takes_events_is_said_and_nothing_is_lost(self):
        for answer, said in (((404, "404 page not found"), r"answers 404: 404 page not found; nobody takes events there"),
                             ((405, ""), r"answers 405; nobody takes events there: look at url and method"),
                             ((308, "", {"Location": "https://new.example/secret/path"}),
                              r"answers 308, a redirection to https://new\.example, which is not followed")):
            with HttpFake(self.namespace, self.first_then(*[answer] * 3)) as server:
                host = self.start(CONFIG + URL)
                self.publish(host, {"n": 0}, {"n": 1})
                host.wait_for("http://127.0.0.1:8080 " + said)
                self.check(host, 2)
                self.assertEqual(self.numbers(server), [0] * 4 + [1])
                self.assertNotIn("secret", host.stderr)
                host.close()

    def test_a_slow_server_does_not_hold_up_the_stop_and_gets_events_again(self):
        server = self.serve(self.first_then(Answer(200, delay_seconds=3)))
        host = self.start(CONFIG + URL + "request_timeout_ms = 300\n")
        self.publish(host, {"n": 0}, {"n": 1})
        self.check(host, 2)
        self.assertEqual(self.numbers(server), [0, 0, 1])
        host.wait_for("http://127.0.0.1:8080: .*time")
        host.close()
        server.answer = lambda request: Answer(200, delay_seconds=60)
        host = self.start(CONFIG + URL + "request_timeout_ms = 60000\n")
        self.publish(host, {"n": 2})
        wait_until(lambda: len(server.requests) == 4, 10, "the request")
        began = time.monotonic()
        self.assertEqual(host.stop(20), 1, "an event was lost")
        self.assertLess(time.monotonic() - began, 15)

    def test_several_requests_are_under_way_at_once(self):
        server = self.serve(lambda request: Answer(200, delay_seconds=0.5))
        host = self.start(CONFIG + URL + "max_in_flight = 4\n")
        self.publish(host, *({"n": n} for n in range(8)))
        self.check(host, 8)
        self.assertEqual(sorted(self.numbers(server)), list(range(8)))
        self.assertEqual(len({request.connection for request in server.requests}), 4)

    def test_events_wait_on_disk_across_a_restart_and_have_the_same_id(self):
        spill = self.folder / "spill"
        config = CONFIG + URL + f"""
            json = '{{"n": "{{n}}", "id": "{{id}}"}}'
            queue = 10
            overflow = "spill"
            [sink.hook.spill]
            dir = "{spill}"
            min_free = 0
            """
        config = config.replace("[bus]", '[host]\nuser = "root"\n[bus]')
        server = self.serve(lambda request: (503, "not yet"))
        host = self.start(config)
        self.publish(host, *({"n": n} for n in range(200)))
        wait_until(lambda: server.requests and host.counters()["sinks"]["hook"]["published"] == 200, 10, "the messages")
        self.assertEqual(host.stop(20), 0, host.stderr)
        host.close()
        tried = {request.json["n"]: request.json["id"] for request in server.requests}
        server.answer = lambda request: (200, "")
        seen = len(server.requests)
        host = self.start(config)
        self.check(host, 200)
        bodies = [request.json for request in server.requests[seen:]]
        self.assertEqual([body["n"] for body in bodies], list(range(200)))
        self.assertEqual(len({body["id"] for body in bodies}), 200)
        self.assertEqual({body["n"]: body["id"] for body in bodies if body["n"] in tried}, tried)


class Secrets(WebhookTest):
    def test_a_token_is_sent_and_read_anew_when_it_is_refused(self):
        good = ["Bearer first"]

        def answer(request):
            is_good = request.headers.get("authorization") == good[0]
            return (200, "") if is_good else (401, "who is " + request.headers.get("authorization", "nobody"))

        server = self.serve(answer)
        self.file("token", "first")
        host = self.start(CONFIG + URL + f'token_file = "{self.folder}/token"\n')
        self.publish(host, {"n": 0})
        self.check(host, 1)
        self.file("token", "second")
        good[0] = "Bearer second"
        self.publish(host, {"n": 1})
        self.check(host, 2)
        self.assertEqual(self.numbers(server), [0, 1, 1], "one request in vain")
        self.assertNotIn("401", host.stderr)
        good[0] = "Bearer third"
        self.publish(host, {"n": 2})
        host.wait_for(r"http://127.0.0.1:8080 answers 401: who is Bearer \*\*\*; look at the token")
        self.file("token", "third")
        self.check(host, 3)
        self.file("token", "fourth")
        good[0] = None
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded:")
        server.answer = lambda request: (200, "")
        self.publish(host, {"n": 3})
        self.check(host, 4)
        self.assertEqual(server.requests[-1].headers["authorization"], "Bearer fourth")
        self.assertNotRegex(host.stderr, "first|second|third|fourth")

    def test_a_missing_secret_is_said_and_waited_for(self):
        self.serve()
        host = self.start(CONFIG + URL + f'hmac_secret_file = "{self.folder}/secret"\n')
        self.publish(host, {"n": 0})
        host.wait_for(f"cannot read {self.folder}/secret: No such file")
        self.file("secret", "s")
        self.check(host, 1)

    def test_bodies_are_signed(self):
        server = self.serve()
        self.file("secret", "It's a Secret to Everybody")
        options = URL + f'hmac_secret_file = "{self.folder}/secret"\n'
        for more, header, time_header in (("", "x-nfbus-signature", None),
                                          ('hmac_header = "X-Hub-Signature-256"\n', "x-hub-signature-256", None),
                                          ('hmac_time_header = "X-Time"\n', "x-nfbus-signature", "x-time")):
            host = self.start(CONFIG + options + more)
            self.publish(host, HOSTILE)
            self.check(host, 1)
            request = server.requests[-1]
            signed = request.body
            if time_header:
                self.assertLess(abs(int(request.headers[time_header]) - time.time()), 20)
                signed = request.headers[time_header].encode() + b"." + signed
            digest = hmac.new(b"It's a Secret to Everybody", signed, hashlib.sha256).hexdigest()
            self.assertEqual(request.headers[header], "sha256=" + digest)
            host.close()

    def test_user_and_password_and_headers_of_other_names(self):
        server = self.serve()
        self.file("secret", "p\u00e4ss:word")
        host = self.start(CONFIG + URL + f'user = "me"\npassword_file = "{self.folder}/secret"\n')
        self.publish(host, {"n": 0})
        self.check(host, 1)
        host.close()
        host = self.start(CONFIG + URL + f'token_file = "{self.folder}/secret"\ntoken_scheme = "GenieKey"\n')
        self.publish(host, {"n": 1})
        self.check(host, 1)
        host.close()
        host = self.start(CONFIG + URL + 'token = "${HOOK_TOKEN}"\ntoken_header = "X-Key"\n', env={"HOOK_TOKEN": "from-env"})
        self.publish(host, {"n": 2})
        self.check(host, 1)
        self.assertEqual(server.requests[2].headers["x-key"], "from-env")
        self.assertNotIn("authorization", server.requests[2].headers)
        self.assertEqual(server.requests[0].headers["authorization"], "Basic bWU6cMOkc3M6d29yZA==")
        self.assertEqual(server.requests[1].headers["authorization"].encode("latin-1").decode(), "GenieKey p\u00e4ss:word")

    def test_a_secret_url_is_in_no_log(self):
        server = self.serve(self.first_then((404, "no_service at /services/T0/B0/SECRET"), (403, "x")))
        self.file("url", "http://127.0.0.1:8080/services/T0/B0/SECRET")
        host = self.start(CONFIG + f'url_file = "{self.folder}/url"\n')
        self.publish(host, {"n": 0})
        self.check(host, 1)
        host.wait_for(r"http://127.0.0.1:8080 answers 404: no_service at \*\*\*;")
        self.assertEqual({request.target for request in server.requests}, {"/services/T0/B0/SECRET"})
        self.file("url", "http://127.0.0.1:8080/services/T0/B0/SECRET{")
        said = run_nfbus("doctor", "-c", host.config_file, namespace=self.namespace).stdout
        self.assertIn(f"the url in {self.folder}/url: at its character 44: a brace is not closed", said)
        self.file("url", "http://127.0.0.1:8080/new")
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded:")
        self.publish(host, {"n": 1})
        self.check(host, 2)
        self.assertEqual(server.requests[-1].target, "/new")
        self.assertNotIn("SECRET", host.stderr + said)

    def test_what_a_server_says_of_the_url_or_the_token_shows_neither(self):
        def answer(request):
            # Where the text is cut, and in a string of JSON.
            words = "x" * 385 + request.headers["authorization"] + request.target
            return (400, words) if request.json == {"n": 0} else (
                400, json.dumps({"path": request.target, "key": request.query}).replace("/", "\\/"))

        server = self.serve(answer)
        self.file("token", "TOKEN-SECRET-TOKEN")
        host = self.start(CONFIG + 'url = "http://127.0.0.1:8080/hooks/P%41TH-SECRET/{id}?key=A-KEY-SECRET"\n'
                          f'json = """{{"n": "{{n}}"}}"""\ntoken_file = "{self.folder}/token"\n')
        for n in range(2):
            self.publish(host, {"n": n})
            self.check(host, 0, n + 1)
        dead = pathlib.Path(host.path("rejected")).read_text()
        self.assertEqual(dead.count("http://127.0.0.1:8080 answers 400: "), 2)
        targets = [request.target for request in server.requests]
        for secret in ("SECRET", "TOKEN", "P%41TH", "PATH", *(target.split("/")[3][:8] for target in targets)):
            self.assertNotIn(secret, dead + host.stderr)

if __name__ == "__main__":
    main()
