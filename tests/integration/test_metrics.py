'''[metrics]: what Prometheus reads, judged by promtool and by Prometheus itself.'''

import http.client
import json
import re
import signal
import socket
import tempfile
import time
import unittest

import nfbustest
from nfbustest import TEST_PLUGINS, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import ask_status, publish_once

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 log prefix "drop:out " group 1
    udp dport 7002 log prefix "other " group 2;
}
}"""
CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[bus]
socket = "@DIR@/bus.sock"
[metrics]
listen = "127.0.0.1:0"
@TOKEN@
[[capture]]
group = 1
action = "blocked"
filters = ["few"]
[[capture]]
group = 2
action = "blocked"
prefixes = ["none:"]
[filter.few]
plugin = "sample"
rate = 2
[sink.file]
plugin = "jsonl"
file = "@DIR@/out"
filters = ["quiet"]
[filter.quiet]
plugin = "match"
drop = [{{ dport = 1 }}]
[sink.bad]
plugin = "@BAD@"
"""


class Metrics(nfbustest.IntegrationTest):
    def run_host(self, bad="noop", token=""):
        self.host = self.start(CONFIG.replace("@BAD@", bad).replace("@TOKEN@", token))
        found = self.host.wait_for(r"metrics: http://127\.0\.0\.1:(\d+)/metrics")
        self.port = int(found[1])
        self.namespace.nft(RULES)

    def connect(self):
        connection = self.namespace.socket(socket.SOCK_STREAM)
        self.addCleanup(connection.close)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def ask(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = self.connect()
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers

    def samples(self):
        status, text, _ = self.ask("/metrics")
        self.assertEqual(status, 200)
        rows = re.findall(r"^(\w+)(?:{(.*)})? (\S+)$", text, re.MULTILINE)
        return {(name, *sorted(re.findall(r'(\w+)="([^"]*)"', labels))): float(value) for name, labels, value in rows}

    def send_packets(self):
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000, port, b"x")) for port in (7001, 7001, 7002)],
             repeat=50)
        publish_once(self.host.path("bus.sock"), '{"topic":"web:a","value":"x"}\nno json\n')

        def settled():
            status = ask_status(self.host.path("bus.sock"))
            return (sum(row["received"] for row in status["capture"]) == 150 and
                    all(sink["queued"] == 0 for sink in status["sinks"]) and status)

        return wait_until(settled, 10, "the packets")

    def test_promtool_finds_nothing_to_say(self):
        self.run_host()
        self.send_packets()
        status, text, headers = self.ask("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        done = self.namespace.run("promtool", "check", "metrics", input=text)
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_the_numbers_are_those_of_the_status(self):
        self.run_host()
        status = self.send_packets()
        samples = self.samples()

        def sample(metric, **labels):
            return samples[(f"nfbus_{metric}", *sorted(labels.items()))]

        for row in status["capture"]:
            for word in ("received", "lost", "published", "not_forwarded", "filtered", "decode_errors", "enobufs"):
                self.assertEqual(sample(f"capture_{word}_total", group=str(row["group"])), row[word], word)
        for row in status["sinks"]:
            of = {"sink": row["name"], "plugin": row["plugin"]}
            for word in ("published", "delivered", "filtered", "overflowed", "rejected", "corrupted", "recovered",
                         "retries"):
                self.assertEqual(sample(f"sink_{word}_total", **of), row[word], word)
            for word in ("queued", "spilled"):
                self.assertEqual(sample(f"sink_{word}", **of), row[word], word)
            states = {state: sample("sink_state", state=state, **of)
                      for state in ("running", "retrying", "failed", "stopped")}
            self.assertEqual([state for state, value in states.items() if value == 1], [row["state"]])
        self.assertEqual(sample("clients_sent_invalid_total"), 1)
        self.assertEqual(sample("clients_sent_relayed_total"), 1)
        self.assertEqual(sample("capture_filtered_total", group="1"), 50)
        self.assertEqual(sample("capture_not_forwarded_total", group="2"), 50)
        self.assertEqual(sample("sink_delivered_total", sink="file", plugin="jsonl"), 50)
        self.assertEqual(sample("filter_failures_total", filter="quiet", plugin="match", of="sink.file"), 0)
        self.assertEqual(sample("filter_failures_total", filter="few", plugin="sample", of="capture.1"), 0)
        self.assertEqual(sample("filter_own_total", filter="few", plugin="sample", of="capture.1", name="kept"), 50)

    def test_prometheus_scrapes_it(self):
        self.run_host()
        self.send_packets()
        config = self.host.path("prometheus.yml")
        config.write_text("global: { scrape_interval: 200ms, scrape_timeout: 200ms }\n"
                          "scrape_configs: [ { job_name: nfbus, static_configs: "
                          f"[ {{ targets: ['127.0.0.1:{self.port}'] }} ] }} ]\n")
        with open(self.host.path("prometheus.log"), "wb") as log:
            self.namespace.popen("prometheus", f"--config.file={config}", "--web.listen-address=127.0.0.1:9090",
                                 f"--storage.tsdb.path={self.host.path('tsdb')}", stdout=log, stderr=log)

        def value(query):
            done = self.namespace.run("promtool", "query", "instant", "-o", "json", "http://127.0.0.1:9090", query,
                                      check=False)
            rows = json.loads(done.stdout) if done.returncode == 0 else []
            return [row["value"][1] for row in rows]

        wait_until(lambda: value("sum(nfbus_capture_received_total)") == ["150"], 20, "a scrape")
        self.assertEqual(value("up"), ["1"])
        self.assertEqual(value("nfbus_build_info"), ["1"])

    def test_health_names_the_sinks_that_have_failed(self):
        self.run_host(bad="fails")
        self.assertEqual(self.ask("/healthz")[:2], (200, "ok\n"))
        self.send_packets()
        self.assertEqual(self.ask("/healthz")[:2], (503, "sink.bad has failed: write() failed: this sink cannot go on\n"))

    def test_health_names_the_sinks_that_retry_and_is_well(self):
        self.run_host(bad='retries"\ntimes = 1\nretry_after_ms = 600000\n#"')
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000, 7001, b"x"))])
        answer = wait_until(lambda: (now := self.ask("/healthz"))[1] != "ok\n" and now, 10, "the retry")
        self.assertEqual(answer[:2], (200, "sink.bad is retrying: write() failed: not now\n"))
        self.host.signal(signal.SIGHUP)  # cuts the wait short
        wait_until(lambda: self.ask("/healthz")[:2] == (200, "ok\n"), 10, "the sink to deliver")

    def test_answers_what_is_asked_as_http_wants(self):
        self.run_host()
        self.assertEqual(self.ask("/metrics?x=1")[0], 200)
        self.assertEqual(self.ask("/")[0], 404)
        status, _, headers = self.ask("/metrics", method="POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        status, text, headers = self.ask("/healthz", method="HEAD")
        self.assertEqual((status, text, headers["Content-Length"]), (200, "", "3"))
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = self.connect()
        for _ in range(3):  # on one connection
            connection.request("GET", "/healthz")
            self.assertEqual(connection.getresponse().read(), b"ok\n")

    def test_wants_the_token(self):
        secret = "correct horse"
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(secret + "\n")
            file.flush()
            self.run_host(token=f'token_file = "{file.name}"')
        for given in ({}, {"Authorization": "Bearer wrong horse!"}, {"Authorization": f"Basic {secret}"}):
            for path in ("/metrics", "/healthz"):
                status, text, headers = self.ask(path, **given)
                self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
                self.assertNotIn("nfbus_", text)
        self.assertEqual(self.ask("/healthz", Authorization=f"Bearer {secret}")[0], 200)
        self.assertNotIn(secret, self.host.stderr)

    def test_survives_what_is_no_http_and_who_says_nothing(self):
        self.run_host()
        garbage = self.connect()
        garbage.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        self.assertTrue(garbage.recv(100).startswith(b"HTTP/1.1 400 "))
        endless = self.connect()
        endless.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000)
        self.assertTrue(endless.recv(100).startswith(b"HTTP/1.1 400 "))
        silent = [self.connect() for _ in range(100)]
        began = time.monotonic()
        for connection in silent:
            connection.settimeout(20)
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionResetError:
                pass  # one of those beyond the limit
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(self.ask("/healthz")[0], 200)

    def test_idle_connections_keep_nobody_out(self):
        self.run_host()
        idle = [self.connect() for _ in range(100)]
        for connection in idle[::2]:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        for path in ("/healthz", "/metrics"):
            self.assertEqual(self.ask(path)[0], 200)

    def test_a_stop_does_not_wait_for_a_client(self):
        self.run_host()
        self.connect()
        began = time.monotonic()
        self.host.signal(signal.SIGTERM)
        self.assertEqual(self.host.wait(), 0)
        self.assertLess(time.monotonic() - began, 5)


class Configuration(unittest.TestCase):
    def check(self, table):
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/nfbus.toml"
            with open(file, "w") as out:
                out.write(f"[metrics]\n{table}\n[[capture]]\ngroup = 1\n")
            done = run_nfbus("check", "-c", file)
            return done.returncode, (done.stdout + done.stderr).replace(file, "FILE")

    def test_an_address_is_numeric_with_a_port(self):
        for wrong in ("", "9477", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:9477",
                      "[127.0.0.1]:9477", "example.org:9477", "127.0.0.1:9477 "):
            status, error = self.check(f'listen = "{wrong}"')
            self.assertNotEqual(status, 0, wrong)
            self.assertIn("FILE:2:10: metrics.listen: expected an address and a port, such as", error)
        for right in ("127.0.0.1:9477", "[::1]:9477", "localhost:9477", "127.1.2.3:0"):
            self.assertEqual(self.check(f'listen = "{right}"')[0], 0, right)

    def test_a_token_is_wanted_where_others_can_connect(self):
        for open_to_all in ("0.0.0.0:9477", "[::]:9477", "192.0.2.1:9477"):
            status, error = self.check(f'listen = "{open_to_all}"')
            self.assertNotEqual(status, 0)
            self.assertIn('FILE:2:10: metrics.listen: others can reach this address: give token_file = "PATH"', error)
        status, error = self.check('listen = "0.0.0.0:9477"\ntoken = "open sesame"')
        self.assertNotEqual(status, 0)
        self.assertIn("FILE:3:9: metrics.token: a secret does not stand in the configuration itself", error)
        self.assertNotIn("sesame", error)


class Port(nfbustest.IntegrationTest):
    def test_a_port_that_is_taken_ends_the_run_and_says_so(self):
        config = CONFIG.replace("@BAD@", "noop").replace("@TOKEN@", "").replace("127.0.0.1:0", "127.0.0.1:9477")
        self.start(config)
        second = self.start(config.replace("group = ", "group = 1"), wait=False)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn("metrics.listen: cannot listen at 127.0.0.1:9477: Address already in use", second.stderr)


if __name__ == "__main__":
    nfbustest.main()
