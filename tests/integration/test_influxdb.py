'''sinks/influxdb against the real influxd 1.6: packets that the kernel logs, points that InfluxQL finds.'''

import json
import pathlib
import re
import struct
import tempfile
import time

from influxd import Influxd, VictoriaMetrics
from nfbustest import REPOSITORY, IntegrationTest, main, run_nfbus, wait_until
from packets import ICMP, ICMPV6, TCP, UDP, icmp, icmpv6, ipv4, ipv6, send, tcp, udp

RULES = """table inet t {
    chain c { type filter hook output priority 0;
              ip daddr 127.0.0.9 counter log prefix "drop:out " group 1
              ip6 daddr ::1 tcp dport 1000-1999 counter log prefix "six, =\\" group 1
              ip6 daddr ::1 udp dport 9 counter log prefix "six" group 1
              ip6 daddr ::1 icmpv6 type echo-request counter log prefix "six" group 1
    }
}"""

CONFIG = """
[host]
device = "router one"
[[capture]]
group = 1
action = "blocked"
latency_ms = 0

[sink.db]
plugin = "influxdb"
batch_age_ms = 50
"""

V1 = """
url = "http://127.0.0.1:8086"
api = "v1"
database = "nfbus"
user = "writer"
password_file = "%s"
"""

# RFC 1035, section 4.1: example.org, A.
QUESTION = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\7example\3org\0" + struct.pack("!HH", 1, 1)


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


class Influx(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.server = Influxd(self.namespace)
        self.addCleanup(self.server.close)

    def start_v1(self, options=""):
        return self.start(CONFIG + V1 % self.server.path("password") + options)

    def rows(self, measurement, count):
        def find():
            rows = self.server.query("nfbus", f'SELECT * FROM "{measurement}"')
            return rows if len(rows) >= count else None

        rows = wait_until(find, 10, f"{count} points of {measurement}")
        self.assertEqual(len(rows), count)
        return rows

    def test_every_packet_is_found_with_the_right_values(self):
        host = self.start_v1()
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", TCP, tcp(1000 + i, 443)) for i in range(200)])
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(2000 + i, 5000, b"x" * i)) for i in range(300)])
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", ICMP, icmp(8))])
        send(self.namespace, [ipv6("::1", "::1", TCP, tcp(7, 1500)), ipv6("::1", "::1", UDP, udp(8, 9)),
                              ipv6("::1", "::1", ICMPV6, icmpv6(128))])
        tcps = {(row["SrcIP"], row["SrcPort"]): row for row in self.rows("tcp", 201)}
        self.assertEqual(len(tcps), 201)
        for i in range(200):
            row = tcps["127.0.0.1", 1000 + i]
            self.assertEqual({key: row.get(key) for key in ("Action", "Device", "DstIP", "DstPort", "Flags", "InDev", "Length",
                                                        "OutDev", "Prefix")},
                             {"Action": "blocked", "Device": "router one", "DstIP": "127.0.0.9", "DstPort": 443,
                              "Flags": "syn", "InDev": None, "Length": 40, "OutDev": "lo", "Prefix": "drop:out"})
        six = tcps["::1", 7]
        self.assertEqual((six["DstIP"], six["DstPort"], six["Length"], six["Prefix"]), ("::1", 1500, 60, "six, =\ufffd"))
        udps = self.rows("udp", 301)
        self.assertEqual(sorted(row["SrcPort"] for row in udps), [8, *range(2000, 2300)])
        for row in udps:
            if row["SrcPort"] >= 2000:
                self.assertEqual(row["Length"], 28 + row["SrcPort"] - 2000)
        self.assertEqual([(row["Type"], row["Code"], row["Length"]) for row in self.rows("icmp", 1)], [(8, 0, 28)])
        self.assertEqual([(row["Type"], row["Code"], row["SrcIP"]) for row in self.rows("icmpv6", 1)], [(128, 0, "::1")])
        sink = host.counters()["sinks"]["db"]
        self.assertEqual((sink["delivered"], sink["rejected"], sink["overflowed"]), (504, 0, 0))
        self.assertEqual(host.stop(), 0)

    # ---- Packets that a file brings, with prefixes and times that no test could have the kernel make

    def replay(self, records, options, config=CONFIG):
        """nfbus run --replay of packets that the kernel logged: (time in ns, prefix, sequence, packet)."""
        with tempfile.TemporaryDirectory() as directory:
            capture, file = pathlib.Path(directory, "capture"), pathlib.Path(directory, "nfbus.toml")
            frames = []
            for when, prefix, sequence, packet in records:
                body = struct.pack("!BBH", 2, 0, 1) + attribute(1, struct.pack("!HBx", 0x0800, 3))
                body += attribute(10, prefix + b"\0") + attribute(9, packet)
                if sequence is not None:
                    body += attribute(12, struct.pack("!I", sequence))
                frames.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(body), len(body)) + body)
            capture.write_bytes(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 239) + b"".join(frames))
            file.write_text(config + options)
            return run_nfbus("run", "-c", file, "--replay", capture, namespace=self.namespace, timeout=60)

    def v1(self):
        return V1 % self.server.path("password")

    def test_each_byte_of_a_prefix_is_read_back(self):
        now = time.time_ns() // 10**9 * 10**9
        records = [(now + byte * 1000 + i, prefix, None, ipv4("10.0.0.1", "10.0.0.2", UDP, udp(1000 + byte, i)))
                   for byte in range(1, 256)
                   for i, prefix in enumerate((b"a" + bytes([byte]) + b"z", b"z" + bytes([byte]), bytes([byte, byte])))]
        done = self.replay(records, self.v1() + 'fields = ["SrcPort", "DstPort"]\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {(row["SrcPort"] - 1000, row["DstPort"]): row["Prefix"] for row in self.rows("udp", 3 * 255)}
        for byte in range(1, 256):
            shown = chr(byte) if 0x20 <= byte < 0x7f else " " if byte < 0x80 else "\ufffd"
            blank = byte in b" \t\r\n\v\f"
            last = "\ufffd" if byte == 0x5c else shown
            self.assertEqual(rows[byte, 0], "a" + shown + "z", byte)
            self.assertEqual(rows[byte, 1], "z" + ("" if blank else last), byte)
            self.assertEqual(rows[byte, 2], (None if blank else shown + last), byte)

    def test_packets_of_one_time_are_all_there_and_a_resend_is_none_more(self):
        now = time.time_ns() // 10**6 * 10**6
        records = [(now, b"same", i, ipv4("10.0.0.1", "10.0.0.2", UDP, udp(i % 65536, i // 65536))) for i in range(30000)]
        for _ in range(2):
            done = self.replay(records, self.v1())
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.server.count(), 30000)

    def test_points_beyond_retention_are_rejected_once_and_the_others_are_there(self):
        self.server.admin('CREATE RETENTION POLICY "short" ON "nfbus" DURATION 1h REPLICATION 1 SHARD DURATION 1h DEFAULT')
        now = time.time_ns()
        records = [(now - (3 * 86400 * 10**9 if i % 3 == 0 else 0) + i * 1000, b"old", None,
                    ipv4("10.0.0.1", "10.0.0.2", UDP, udp(i, 1))) for i in range(90)]
        done = self.replay(records, self.v1())
        self.assertEqual(self.server.count(), 60)
        self.assertIn("beyond retention policy", done.stderr)
        self.assertRegex(done.stderr, r"name=db .*delivered=60 .*rejected=30 ")

    def test_a_field_of_another_type_is_named(self):
        self.server.http("/write?db=nfbus", body=b'udp Length="text"', user=("admin", "admins-secret"))
        now = time.time_ns()
        done = self.replay([(now + i * 1000, b"p", None, ipv4("10.0.0.1", "10.0.0.2", UDP, udp(i, 1))) for i in range(10)]
                           + [(now, b"p", None, ipv4("10.0.0.1", "10.0.0.2", TCP, tcp(1, 1)))], self.v1())
        self.assertRegex(done.stderr, 'input field "Length" on measurement "udp" is type integer, already exists as type string')
        self.assertRegex(done.stderr, r"name=db .*delivered=1 .*rejected=10 ")
        self.assertEqual(self.server.count("tcp"), 1)

    def test_a_database_that_is_missing_is_named_and_written_to_once_it_is_there(self):
        options = V1.replace('"nfbus"', '"late"').replace('"writer"', '"admin"') % self.server.path("admin")
        self.server.path("admin").write_text("admins-secret")
        host = self.start(CONFIG + options)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000)) for i in range(20)])
        host.wait_for("there is no database late at .*; make it: influx -execute 'CREATE DATABASE \"late\"'")
        self.server.admin("CREATE DATABASE late")
        wait_until(lambda: self.server.count(database="late") == 20, 15, "the points")
        self.assertEqual(len(re.findall("no database late", host.stderr)), 1)

    def test_a_wrong_password_is_said_and_the_right_one_is_found(self):
        self.server.path("password").write_text("wrong\n")
        host = self.start_v1()
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000)) for i in range(20)])
        host.wait_for("answers 401: authorization failed; look at user and password_file")
        self.server.path("password").write_text("writers-secret\n")
        self.rows("udp", 20)

    def test_a_socket_and_asking_which_api(self):
        options = self.v1().replace("http://127.0.0.1:8086", f"unix://{self.server.path('influxdb.sock')}")
        host = self.start(CONFIG + options.replace('api = "v1"', ""))
        self.server.path("influxdb.sock").chmod(0o666)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000)) for i in range(20)])
        self.rows("udp", 20)
        self.assertEqual(host.stop(), 0, host.stderr)

    def test_a_server_that_is_killed_and_started_again_has_each_packet_once(self):
        host = self.start_v1()
        for i in range(3):
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + 1000 * i + j, 5000)) for j in range(1000)])
            self.server.stop(kill=True)
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(30000 + 1000 * i + j, 5000)) for j in range(1000)])
            self.server.start()
        wait_until(lambda: self.server.count() == 6000, 60, "all packets")
        wait_until(lambda: host.counters()["sinks"]["db"]["delivered"] == 6000, 20, "their count")
        self.assertEqual(len({row["SrcPort"] for row in self.rows("udp", 6000)}), 6000)
        self.assertEqual(host.stop(), 0, host.stderr)

    def test_doctor_says_what_is_missing_and_check_asks_nobody(self):
        def doctor(options):
            file = self.server.path("nfbus.toml")
            file.write_text(CONFIG + options)
            return run_nfbus("doctor", "-c", file, namespace=self.namespace).stdout

        self.assertIn("http://127.0.0.1:8086 has nfbus", doctor(self.v1()))
        missing = doctor(self.v1().replace('"nfbus"', '"other"'))
        self.assertRegex(missing, "(?s)no database other at .*influx -execute 'CREATE DATABASE \"other\"'")
        self.server.path("password").write_text("wrong\n")
        self.assertRegex(doctor(self.v1()), "(?s)401.*look at user and password_file")
        self.server.stop()
        self.assertRegex(doctor(self.v1()), "(?s)http://127.0.0.1:8086: .*start the server, or mend url")
        done = run_nfbus("check", "-c", self.server.path("nfbus.toml"), namespace=self.namespace)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_queries_of_the_dashboard_find_packets(self):
        dashboard = json.loads((REPOSITORY / "plugins/sinks/influxdb/grafana.json").read_text())
        queries = [(panel["title"], target["query"]) for panel in dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(queries), 5)
        self.start_v1()
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", TCP, tcp(1000, 443)), ipv4("127.0.0.1", "127.0.0.9", ICMP, icmp(8)),
                              ipv6("::1", "::1", UDP, udp(8, 9)), ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1, 53, QUESTION))])
        self.rows("udp", 2)
        self.rows("tcp", 1)
        self.rows("icmp", 1)
        for title, query in queries:
            query = query.replace("$timeFilter", "time > now() - 1h").replace("$__interval", "10s")
            query = re.sub(r"/\^\$\w+\$/", "/.*/", query)
            self.assertNotIn("$", query, title)
            rows = self.server.query("nfbus", query)
            self.assertTrue([row for row in rows if any(value for key, value in row.items() if key != "time")], (title, query))
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                self.assertTrue(self.server.query("nfbus", variable["query"]), variable["name"])

    def test_the_commands_of_its_page_keep_counts(self):
        text = (REPOSITORY / "plugins/sinks/influxdb/README.md").read_text()
        section = text.split("InfluxDB 1 (")[1].split("InfluxDB 2 (")[0]
        blocks = re.findall(r"(?m)^    (CREATE [A-Z ]*POLICY .*|CREATE CONTINUOUS (?:.*\n)(?:      .*\n)*)", section)
        self.assertEqual(len(blocks), 2)
        for command in blocks:
            self.server.admin(" ".join(command.split()), "nfbus")
        self.start_v1()
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000)) for i in range(20)])
        self.rows("udp", 20)
        # What the server runs each ten minutes, now.
        select = " ".join(blocks[1].split()).split(" BEGIN ")[1].removesuffix(" END")
        self.server.admin(select.replace("GROUP BY", "WHERE time > now() - 1h GROUP BY"), "nfbus")
        rows = self.server.query("nfbus", 'SELECT sum("packets") AS "packets", sum("bytes") AS "bytes" FROM "year"."udp" '
                                          'GROUP BY "Device", "Prefix", "Action"')
        self.assertEqual([{key: value for key, value in row.items() if key != "time"} for row in rows],
                         [{"packets": 20, "bytes": 20 * 28, "Device": "router one", "Prefix": "drop:out", "Action": "blocked"}])


class Limits(IntegrationTest):
    """influxd with small limits."""

    def settled(self, server, options, count):
        host = self.start(CONFIG + V1 % server.path("password") + options)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000)) for i in range(count)])

        def find():
            sink = host.counters()["sinks"]["db"]
            return sink if sink["delivered"] + sink["rejected"] == count else None

        return host, wait_until(find, 30, "all packets settled")

    def test_of_a_tags_values_is_settled_by_point(self):
        self.namespace.nft(RULES)
        with Influxd(self.namespace, max_values_per_tag=50) as server:
            host, sink = self.settled(server, 'tags = ["SrcPort"]\nbatch_points = 20\nmax_in_flight = 1\n', 300)
            self.assertGreater(sink["rejected"], 200)
            self.assertEqual(server.count(), sink["delivered"], host.stderr)
            host.wait_for("max-values-per-tag limit exceeded")

    def test_of_requests_costs_no_point(self):
        self.namespace.nft(RULES)
        with Influxd(self.namespace, max_body_size=500) as server:
            host, sink = self.settled(server, 'compress = "none"\n', 300)
            self.assertEqual((sink["delivered"], server.count()), (300, 300), host.stderr)


class Victoria(IntegrationTest):
    def test_metrics_takes_version_2(self):
        self.namespace.nft(RULES)
        with VictoriaMetrics(self.namespace) as server:
            host = self.start(CONFIG + 'url = "http://127.0.0.1:8428"\napi = "v2"\nbucket = "b"\norg = "o"\n'
                              'tags = ["Prefix", "SrcPort"]\n')
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(1000 + i, 5000, b"x" * i)) for i in range(50)])
            wait_until(lambda: host.counters()["sinks"]["db"]["delivered"] == 50, 10, "all packets")
            found = wait_until(lambda: (lambda series: series if len(series) == 50 else None)(
                server.export('{__name__="udp_Length"}')), 20, "their series")
            values = {int(series["metric"]["SrcPort"]): series["values"] for series in found}
            self.assertEqual(values, {1000 + i: [28 + i] for i in range(50)})
            self.assertEqual({series["metric"]["Prefix"] for series in found}, {"drop:out"})


if __name__ == "__main__":
    main()
