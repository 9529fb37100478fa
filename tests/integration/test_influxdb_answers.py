'''sinks/influxdb and every answer that a server can give, by a server that gives them.'''

import os
import pathlib
import re
import signal
import struct
import tempfile
import time

from http_fake import make_certificate
from influx_fake import Answer, FakeInflux
from nfbustest import IntegrationTest, main, run_nfbus, wait_until
from packets import ICMP, TCP, UDP, icmp, ipv4, ipv6, send, tcp, udp

RULES = """table inet t {
    chain c { type filter hook output priority 0;
              udp dport 5000 counter log prefix "lan:out " group 1
    }
}"""

CONFIG = """
[[capture]]
group = 1
action = "allowed"
latency_ms = 0

[sink.db]
plugin = "influxdb"
url = "http://127.0.0.1:8086"
batch_age_ms = 200
"""

V2 = 'api = "v2"\nbucket = "b"\norg = "o"\ntoken_file = "@DIR@/token"\n'
V3 = 'api = "v3"\ndatabase = "d"\ntoken_file = "@DIR@/token"\n'
V1 = 'api = "v1"\ndatabase = "d"\n'
PARTIAL = "failure writing points to database: partial write: "


def v2_error(message, code="invalid"):
    return {"code": code, "message": message}


class Answers(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)

    def serve(self, answer, **options):
        server = FakeInflux(self.namespace, answer, **options)
        self.addCleanup(server.close)
        return server

    def start_sink(self, options, token="first-token", **more):
        host = self.start(CONFIG + options, wait=False, **more)
        if token:
            self.give_token(host, token)
        host.wait_ready()
        return host

    def give_token(self, host, token):
        new = host.path("token.new")
        new.write_text(token + "\n")
        new.chmod(0o644)
        new.rename(host.path("token"))

    def send_ports(self, first, count):
        """In one burst, and so as a rule in one batch."""
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(first + i, 5000)) for i in range(count)])

    def settled(self, host, count, seconds=20):
        def find():
            sink = host.counters()["sinks"]["db"]
            return sink if sink["delivered"] + sink["rejected"] + sink["overflowed"] >= count else None

        return wait_until(find, seconds, f"{count} settled packets")

    def check(self, host, server, ports, delivered, rejected=0, seconds=20):
        sink = self.settled(host, delivered + rejected, seconds)
        self.assertEqual((sink["delivered"], sink["rejected"], sink["overflowed"]), (delivered, rejected, 0), host.stderr)
        self.assertEqual(server.ports, sorted(ports))
        return sink

    def first_then(self, *answers):
        """Gives these, one a write, and 204 behind them."""
        left = list(answers)
        return lambda request: left.pop(0) if left and request.method == "POST" else (204, "")

    # ---- Done

    def test_v2_gets_what_it_wants(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2)
        for i in range(5):
            self.send_ports(1000 + 10 * i, 10)
            self.settled(host, 10 * (i + 1))
        self.check(host, server, range(1000, 1050), 50)
        for request in server.writes:
            self.assertEqual((request.path, request.query), ("/api/v2/write", {"bucket": "b", "org": "o", "precision": "ns"}))
            self.assertEqual(request.headers["authorization"], "Token first-token")
            self.assertEqual(request.headers["content-encoding"], "gzip")
            self.assertNotIn("expect", request.headers)
        self.assertEqual(len({request.connection for request in server.writes}), 1, "one connection for all")
        self.assertNotIn("first-token", host.stderr)

    def test_v3_gets_what_it_wants(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V3 + 'compress = "none"\n')
        self.send_ports(1000, 10)
        self.check(host, server, range(1000, 1010), 10)
        request = server.writes[0]
        self.assertEqual((request.path, request.query["db"], request.query["precision"], request.query["accept_partial"]),
                         ("/api/v3/write_lp", "d", "nanosecond", "true"))
        self.assertEqual(request.headers["authorization"], "Bearer first-token")
        self.assertNotIn("content-encoding", request.headers)

    def test_auto_asks_the_server_which_it_is(self):
        for version, path in (("1.8.10", "/write"), ("v2.7.1", "/api/v2/write"), ("3.0.1", "/api/v3/write_lp")):
            pong = (204, "", {"X-Influxdb-Version": version, "X-Influxdb-Build": "OSS"})
            with FakeInflux(self.namespace, lambda request: pong if request.path == "/ping" else (204, "")) as server:
                host = self.start_sink('database = "d"\nbucket = "b"\norg = "o"\ntoken_file = "@DIR@/token"\n')
                self.send_ports(1000, 3)
                self.check(host, server, range(1000, 1003), 3)
                self.assertEqual({request.path for request in server.writes}, {path}, version)
                host.close()

    def test_a_large_batch_goes_out_as_several_requests(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2 + "batch_points = 50\nmax_in_flight = 3\n")
        self.send_ports(1000, 150)
        self.check(host, server, range(1000, 1150), 150)
        self.assertLessEqual(max(len(request.lines) for request in server.writes), 50)

    # ---- Points that are refused

    def test_v2_refuses_all_for_one_point_and_the_others_are_sent_again(self):
        def answer(request):
            bad = [line for line in request.lines if "SrcPort=1003i" in line]
            return (400, v2_error(f"unable to parse '{bad[0]}': bad timestamp")) if bad else (204, "")

        server = self.serve(answer)
        host = self.start_sink(V2)
        self.send_ports(1000, 20)
        self.check(host, server, [port for port in range(1000, 1020) if port != 1003], 19, 1)
        host.wait_for(r"cannot parse this point: bad timestamp")
        self.assertLessEqual(len(server.writes), 4)

    def test_a_conflict_of_types_costs_the_points_that_have_it(self):
        def answer(request):
            good = [line for line in request.lines if "Length=29i" not in line]
            if len(good) == len(request.lines):
                return (204, "")
            message = PARTIAL + ('field type conflict: input field "Length" on measurement "udp" is type integer, '
                                 f'already exists as type float dropped={len(request.lines) - len(good)}')
            return Answer(422, v2_error(message, "unprocessable entity"), stores=good)

        server = self.serve(answer)
        host = self.start_sink(V2)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + i, 5000, b"x" if i in (3, 7) else b""))
                              for i in range(10)])
        self.check(host, server, [port for port in range(1000, 1010) if port not in (1003, 1007)], 8, 2)
        host.wait_for("is type integer, already exists as type float")

    def test_points_beyond_retention_are_the_oldest(self):
        def answer(request):
            if len(request.lines) == 10:
                kept = sorted(request.lines, key=lambda line: int(line.rsplit(" ", 1)[1]))[4:]
                return Answer(400, {"error": "partial write: points beyond retention policy dropped=4"}, stores=kept)
            return (204, "")

        server = self.serve(answer)
        host = self.start_sink(V1, token=None)
        self.send_ports(1000, 10)
        self.check(host, server, range(1004, 1010), 6, 4)
        self.assertEqual(len(server.writes), 1)

    def test_a_server_error_that_speaks_of_points_does_not_come_for_ever(self):
        server = self.serve(lambda request: Answer(500, {"error": "partial write: points beyond retention policy "
                                                         f"dropped={len(request.lines)}"}))
        host = self.start_sink(V1, token=None)
        self.send_ports(1000, 10)
        self.check(host, server, [], 0, 10)

    def test_v3_names_lines_and_keeps_the_others(self):
        def answer(request):
            bad = [i for i, line in enumerate(request.lines) if "SrcPort=1002i" in line or "SrcPort=1005i" in line]
            good = [line for i, line in enumerate(request.lines) if i not in bad]
            data = [{"error_message": "no such type", "line_number": i + 1, "original_line": request.lines[i][:20]}
                    for i in bad]
            return Answer(400, {"error": "partial write of line protocol occurred", "data": data}, stores=good)

        server = self.serve(answer)
        host = self.start_sink(V3)
        self.send_ports(1000, 10)
        self.check(host, server, [port for port in range(1000, 1010) if port not in (1002, 1005)], 8, 2)
        self.assertEqual(len(server.writes), 1)
        host.wait_for("no such type")

    def refuses(self, *ports, body):
        def answer(request):
            good = [line for line, port in zip(request.lines, request.ports) if port not in ports]
            return Answer(400, body, stores=good) if len(good) < len(request.lines) else (204, "")
        return answer

    def test_what_is_not_explained_is_looked_for_in_halves(self):
        for body in ({"error": "partial write of line protocol occurred"}, "\0\1garbage", "", "<html>Bad Request</html>",
                     {"error": "max-series-per-database limit exceeded dropped=many"}, "[" * 5000):
            with FakeInflux(self.namespace, self.refuses(1003, 1077, body=body)) as server:
                host = self.start_sink(V3)
                self.send_ports(1000, 100)
                self.check(host, server, [port for port in range(1000, 1100) if port not in (1003, 1077)], 98, 2)
                self.assertLess(len(server.writes), 40)
                host.close()

    def test_the_search_in_halves_has_an_end(self):
        server = self.serve(lambda request: Answer(400, {"error": "no"}))
        host = self.start_sink(V3)
        self.send_ports(1000, 500)
        self.check(host, server, [], 0, 500)
        batches = 1 + 500 // 20  # as many as it may have become
        self.assertLess(len(server.writes), 110 * batches)
        host.wait_for(r"of some points among \d+")

    def test_a_tag_limit_names_a_value(self):
        def answer(request):
            good = [line for line in request.lines if "SrcPort=1004" not in line]
            message = ('partial write: max-values-per-tag limit exceeded (100000/100000): measurement="udp" tag="SrcPort" '
                       'value="1004" dropped=1')
            return Answer(400, {"error": message}, stores=good) if len(good) < len(request.lines) else (204, "")

        server = self.serve(answer)
        host = self.start_sink(V1 + 'tags = ["SrcPort"]\nfields = ["Length", "DstPort"]\n', token=None)
        self.send_ports(1000, 10)
        sink = self.settled(host, 10)
        self.assertEqual((sink["delivered"], sink["rejected"]), (9, 1))
        self.assertEqual(len(server.points), 9)

    def test_too_large_requests_are_halved_down_to_one_point(self):
        def answer(request):
            if len(request.lines) > 3 or 1005 in request.ports:
                return Answer(413, {"error": "Request Entity Too Large"}, stores=request.lines[:1])  # it may keep some
            return (204, "")

        server = self.serve(answer)
        host = self.start_sink(V2)
        self.send_ports(1000, 40)
        sink = self.settled(host, 40)
        self.assertEqual((sink["delivered"], sink["rejected"]), (39, 1))
        self.assertLessEqual({port for port in range(1000, 1040) if port != 1005}, set(server.ports))
        host.wait_for("alone is too large")

    # ---- Hold and come again

    def test_a_rotated_token_is_found_without_a_restart(self):
        def answer(request):
            good = request.headers.get("authorization") == "Token second-token"
            return (204, "") if good else (401, v2_error("unauthorized access", "unauthorized"))

        server = self.serve(answer)
        host = self.start_sink(V2)
        self.send_ports(1000, 10)
        host.wait_for("401: unauthorized access; look at token_file")
        wait_until(lambda: len(server.writes) >= 3, 10, "some tries")
        self.assertEqual(len(re.findall("unauthorized access", host.stderr)), 1, host.stderr)
        self.give_token(host, "second-token")
        self.check(host, server, range(1000, 1010), 10)
        self.assertNotRegex(host.stderr, "first-token|second-token")

    def test_a_token_that_was_rotated_meanwhile_costs_one_request(self):
        tokens = ["Token first-token"]

        def answer(request):
            good = request.headers.get("authorization") == tokens[-1]
            return (204, "") if good else (401, v2_error("unauthorized access", "unauthorized"))

        server = self.serve(answer)
        host = self.start_sink(V2)
        self.send_ports(1000, 1)
        self.settled(host, 1)
        self.give_token(host, "second-token")
        tokens.append("Token second-token")
        self.send_ports(1001, 1)
        self.check(host, server, [1000, 1001], 2)
        self.assertEqual([request.headers["authorization"] for request in server.writes],
                         ["Token first-token", "Token first-token", "Token second-token"])
        self.assertNotIn("unauthorized", host.stderr)

    def test_a_rotated_token_is_read_on_sighup(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2)
        self.send_ports(1000, 1)
        self.settled(host, 1)
        self.give_token(host, "second-token")
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded:")
        self.send_ports(1001, 1)
        self.check(host, server, [1000, 1001], 2)
        self.assertEqual([request.headers["authorization"] for request in server.writes],
                         ["Token first-token", "Token second-token"])

    def test_a_missing_token_file_is_said_and_waited_for(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2, token=None)
        self.send_ports(1000, 5)
        host.wait_for("cannot read .*/token: No such file")
        self.give_token(host, "t")
        self.check(host, server, range(1000, 1005), 5)

    def test_a_missing_bucket_is_named_with_the_command_that_makes_it(self):
        exists = []
        server = self.serve(lambda request: (204, "") if exists else (404, v2_error('bucket "b" not found', "not found")))
        host = self.start_sink(V2)
        self.send_ports(1000, 5)
        host.wait_for("no bucket b at http://127.0.0.1:8086; make it: influx bucket create --name b --org o")
        wait_until(lambda: len(server.writes) >= 2, 10, "another try")
        self.assertEqual(len(re.findall("no bucket", host.stderr)), 1)
        exists.append(True)
        self.check(host, server, range(1000, 1005), 5)

    def test_another_path_is_another_version(self):
        self.serve(lambda request: (404, "404 page not found\n"))
        host = self.start_sink(V2)
        self.send_ports(1000, 5)
        host.wait_for("404 page not found; nothing writes under this path there: look at url and api")

    def test_retry_after_is_waited_for(self):
        date = {"Date": "Fri, 27 Nov 2026 10:00:00 GMT"}
        for status, headers, least in ((429, {"Retry-After": "2"}, 1.9),
                                       (503, {"Retry-After": "Fri, 27 Nov 2026 10:00:02 GMT", **date}, 1.9),
                                       (429, {"Retry-After": "0"}, 0), (503, {"Retry-After": "-5"}, 0),
                                       (429, {"Retry-After": "soon"}, 0), (503, {}, 0)):
            with FakeInflux(self.namespace, self.first_then((status, "slow down", headers))) as server:
                host = self.start_sink(V2)
                self.send_ports(1000, 5)
                self.check(host, server, range(1000, 1005), 5)
                first, second = [request.when for request in server.writes]
                self.assertGreaterEqual(second - first, least, headers)
                self.assertLess(second - first, 8, headers)
                host.close()

    def test_what_fails_for_now_comes_again(self):
        for answers in ([Answer(503, "x"), Answer(500, {"error": "timeout"})], [Answer(204, cut="before", stores=False)],
                        [Answer(200, "half", cut="within", stores=False)], [Answer(204, cut="before", stores=True)],
                        [Answer(200, "<html>log in</html>")], [Answer(302, "", {"Location": "http://elsewhere/"})],
                        [Answer(599, "?")], [Answer(502, "<html>proxy</html>")]):
            with FakeInflux(self.namespace, self.first_then(*answers)) as server:
                host = self.start_sink(V2)
                self.send_ports(1000, 20)
                self.check(host, server, range(1000, 1020), 20)
                host.close()

    def test_an_answer_after_our_time_is_a_resend_that_overwrites(self):
        server = self.serve(self.first_then(Answer(204, delay_seconds=2)))
        host = self.start_sink(V2 + "request_timeout_ms = 300\n")
        self.send_ports(1000, 20)
        self.check(host, server, range(1000, 1020), 20)
        self.assertGreaterEqual(len(server.writes), 2)

    def test_one_request_of_several_that_fails_comes_again_alone(self):
        failed = []

        def answer(request):
            if 1000 in request.ports and not failed:
                failed.append(request)
                return (503, "busy")
            return (204, "")

        server = self.serve(answer)
        host = self.start_sink(V2 + "batch_points = 5\n")
        self.send_ports(1000, 20)
        self.check(host, server, range(1000, 1020), 20)
        sent = [port for request in server.writes for port in request.ports]
        self.assertEqual(sorted(sent), sorted([*range(1000, 1020), *failed[0].ports]))

    def test_a_body_that_does_not_arrive_in_gzip_is_sent_plain(self):
        def answer(request):
            return (400, {"error": "gzip: invalid header"}) if "content-encoding" in request.headers else (204, "")

        server = self.serve(answer)
        host = self.start_sink(V2)
        self.send_ports(1000, 20)
        self.check(host, server, range(1000, 1020), 20)
        self.send_ports(1020, 5)
        self.check(host, server, range(1000, 1025), 25)
        self.assertNotIn("content-encoding", server.writes[-1].headers)
        self.assertEqual(len(re.findall('compress = "none"', host.stderr)), 1)

    def test_without_a_server_nothing_counts_as_delivered_and_the_stop_does_not_wait(self):
        host = self.start_sink(V2)
        self.send_ports(1000, 20)
        host.wait_for("http://127.0.0.1:8086: .*[Cc]onnect")
        began = time.monotonic()
        self.assertEqual(host.stop(20), 1, "packets were lost")
        self.assertLess(time.monotonic() - began, 15)
        sink = host.logged_counters()["sinks"]["db"]
        self.assertEqual(sink["delivered"], 0)

    def test_a_server_that_never_answers_does_not_hold_up_the_stop(self):
        server = self.serve(lambda request: Answer(204, delay_seconds=60, stores=False))
        host = self.start_sink(V2 + "request_timeout_ms = 60000\n")
        self.send_ports(1000, 5)
        wait_until(lambda: server.writes, 10, "a request")
        self.assertEqual(host.stop(20), 1)
        self.assertEqual(host.logged_counters()["sinks"]["db"]["delivered"], 0)

    def test_of_two_sinks_one_without_a_server_does_not_touch_the_other(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2 + '[sink.dead]\nplugin = "influxdb"\nurl = "http://127.0.0.1:9"\napi = "v1"\n'
                                    'database = "d"\n')
        self.send_ports(1000, 50)
        self.check(host, server, range(1000, 1050), 50)
        self.assertEqual(host.counters()["sinks"]["dead"]["delivered"], 0)

    # ---- Ways to a server

    def test_a_name_is_looked_up(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start(CONFIG.replace("127.0.0.1", "localhost") + V1)
        self.send_ports(1000, 5)
        self.check(host, server, range(1000, 1005), 5)

    def test_a_name_that_is_none_is_said(self):
        host = self.start(CONFIG.replace("127.0.0.1", "no-such-host.invalid") + V1)
        self.send_ports(1000, 5)
        host.wait_for("http://no-such-host.invalid:8086: Could not resolve host")

    def test_the_layout_of_spr_is_its_own_writers(self):
        server = self.serve(lambda request: (204, ""))
        host = self.start_sink(V2 + 'layout = "spr"\ncompress = "none"\n')
        question = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\7example\3org\0" + struct.pack("!HH", 1, 1)
        self.namespace.nft("""table inet spr { chain c { type filter hook output priority 0;
            udp dport 53 log prefix "wan:out " group 1
            icmp type echo-request log prefix "wan:out " group 1
            ip6 daddr ::1 tcp dport 60410 log prefix "wan:out " group 1
            }
        }""")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(40000, 53, question)),
                              ipv4("127.0.0.1", "127.0.0.1", ICMP, icmp(8, 0, b"\0" * 60)),
                              ipv6("::1", "::1", TCP, tcp(60411, 60410))])
        self.settled(host, 3)
        lines = {line.split(",")[0]: line for request in server.writes for line in request.lines}
        head = r",Action=allowed,DstIP=127\.0\.0\.1,Prefix=wan:out,SrcIP=127\.0\.0\.1 "
        self.assertRegex(lines["udp"], r'^udp' + head + r'Length=57u,Checksum=\d+u,SrcPort="40000",DstPort="53\(domain\)",'
                                       r'DNS\.ID=7u,DNS\.Type="A",DNS\.Name="example\.org" \d{19}$')
        self.assertRegex(lines["ip"], r"^ip" + head + r"Length=84u,Checksum=\d+u \d{19}$")
        self.assertRegex(lines["tcp"], r'^tcp,Action=allowed,DstIP=::1,Prefix=wan:out,SrcIP=::1 '
                                       r'Length=60u,Checksum=0u,SrcPort="60411",DstPort="60410" \d{19}$')
        done = run_nfbus("check", "-c", host.config_file)
        self.assertEqual(done.returncode, 0, done.stdout)
        host.config_file.write_text(CONFIG + V1 + 'layout = "spr"\n')
        done = run_nfbus("check", "-c", host.config_file)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stdout, r'nfbus.toml:\d+:\d+: sink.db.layout: layout = "spr" has unsigned fields')

    def test_of_several_urls_the_next_one_is_taken(self):
        server = self.serve(lambda request: (204, ""), port=8087)
        host = self.start(CONFIG.replace('"http://127.0.0.1:8086"', '["http://127.0.0.1:8086", "http://127.0.0.1:8087"]')
                          + V1)
        self.send_ports(1000, 20)
        self.check(host, server, range(1000, 1020), 20)
        first = self.serve(lambda request: (204, ""))
        server.close()
        self.send_ports(2000, 20)
        self.check(host, first, range(2000, 2020), 40)
        self.assertNotIn("retry", host.stderr)

    def test_https_is_trusted_by_its_authority_alone(self):
        folder = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(folder.cleanup)
        mine, other = (make_certificate(pathlib.Path(folder.name), name) for name in ("mine", "other"))
        server = self.serve(lambda request: (204, ""), certificate=mine)
        for trusted in (None, other, mine):
            config = CONFIG.replace("http://", "https://") + V2 + 'ca_file = "@DIR@/ca.pem"\n'
            host = self.start(config, wait=False)
            if trusted:
                host.path("ca.pem").write_text(trusted[0].read_text())
                host.path("ca.pem").chmod(0o644)
            self.give_token(host, "t")
            host.wait_ready()
            self.send_ports(1000, 5)
            if not trusted:
                host.wait_for("https://127.0.0.1:8086: .*; ca_file must be a PEM file")
            elif trusted == other:
                host.wait_for("https://127.0.0.1:8086: .*; set ca_file to the certificate of the authority")
                self.assertEqual(server.requests, [])
            else:
                self.check(host, server, range(1000, 1005), 5)
            host.close()

    def test_a_server_that_wants_a_certificate_gets_ours(self):
        folder = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(folder.cleanup)
        theirs, ours = (make_certificate(pathlib.Path(folder.name), name) for name in ("theirs", "ours"))
        for path in (*theirs, *ours):
            path.chmod(0o644)
        pathlib.Path(folder.name).chmod(0o755)
        server = self.serve(lambda request: (204, ""), certificate=theirs, clients_authority=ours[0])
        config = CONFIG.replace("http://", "https://") + V1 + f'ca_file = "{theirs[0]}"\n'
        host = self.start(config)
        self.send_ports(1000, 5)
        host.wait_for("https://127.0.0.1:8086: ")
        self.assertEqual(server.requests, [])
        host.close()
        host = self.start(config + f'cert_file = "{ours[0]}"\nkey_file = "{ours[1]}"\n')
        self.send_ports(1000, 5)
        self.check(host, server, range(1000, 1005), 5)

    def test_a_proxy_is_an_option_and_no_variable(self):
        cut = [Answer(502, "bad gateway", stores=False), Answer(204, cut="before", stores=False)]
        proxy = self.serve(self.first_then(*cut), port=3128)
        host = self.start_sink(V2.replace("api", 'proxy = "http://127.0.0.1:3128"\napi'))
        self.send_ports(1000, 5)
        self.check(host, proxy, range(1000, 1005), 5)
        self.assertTrue(proxy.writes[0].target.startswith("http://127.0.0.1:8086/api/v2/write"))
        host.close()
        server = self.serve(lambda request: (204, ""))
        seen = len(proxy.requests)
        host = self.start_sink(V2, env={"http_proxy": "http://127.0.0.1:3128", "ALL_PROXY": "http://127.0.0.1:3128"})
        self.send_ports(1000, 5)
        self.check(host, server, range(1000, 1005), 5)
        self.assertEqual(len(proxy.requests), seen)


if __name__ == "__main__":
    main()
