'''The filters that nfbus brings, on packets of the real kernel: nothing is dropped that is not accounted for.'''

import collections
import json
import subprocess
import sys

import nfbustest
from nfbustest import read_json_lines, run_nfbus, wait_until
from packets import TCP, UDP, ipv4, ipv6, send, tcp, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "drop:out " group 0;
    tcp dport 443 counter log prefix "flow " group 0;
    tcp sport 443 counter log prefix "flow " group 0;
}
}"""

CAPTURE = """
[[capture]]
group = 0
"""


class Sample(nfbustest.IntegrationTest):
    def run_filter(self, filter_keys, packets, repeat=1):
        """Counts of what reached the sink and of what the rules saw."""
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + f"""
            [filter.thin]
            plugin = "sample"
            {filter_keys}
            [sink.out]
            plugin = "jsonl"
            filters = ["thin"]
            file = "@DIR@/out"
            """)
        send(self.namespace, packets, repeat=repeat)
        seen = sum(self.namespace.counters().values())
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)
        counters = host.logged_counters()
        sink, thin = counters["sinks"]["out"], counters["filters"]["thin"]
        lines = read_json_lines(host.path("out"))
        self.assertEqual(len(lines), sink["delivered"])
        self.assertEqual(sink["published"], seen)
        self.assertEqual((thin["kept"], thin["dropped"]), (sink["delivered"], sink["filtered"]))
        return lines, seen

    def test_one_in_n_of_each_source_is_exact(self):
        packets = [ipv4(source, "127.0.0.1", UDP, udp(1000, 7001))
                   for source in ("127.0.0.1", "127.0.0.1", "127.0.0.2")]
        lines, seen = self.run_filter('rate = 10\nkey = ["src"]', packets, repeat=500)
        self.assertEqual(seen, 1500)
        self.assertEqual(collections.Counter(line["src_ip"] for line in lines), {"127.0.0.1": 100, "127.0.0.2": 50})

    def test_the_first_packet_of_each_flow_is_kept_whichever_end_sends_it(self):
        packets = []
        for port in range(2000, 2050):
            packets += [ipv4("127.0.0.1", "127.0.0.2", TCP, tcp(port, 443)),
                        ipv4("127.0.0.2", "127.0.0.1", TCP, tcp(443, port)),
                        ipv6("::1", "::1", TCP, tcp(port, 443)),
                        ipv6("::1", "::1", TCP, tcp(443, port))]
        lines, seen = self.run_filter('mode = "flow"', packets, repeat=5)
        self.assertGreaterEqual(seen, 1000)  # and the kernel's own resets, in the same flows
        self.assertEqual(sorted((line["src_port"], line["dest_port"], "." in line["src_ip"]) for line in lines),
                         sorted((port, 443, four) for port in range(2000, 2050) for four in (False, True)))


class RateLimit(nfbustest.IntegrationTest):
    CALM = """
        [filter.calm]
        plugin = "ratelimit"
        rate = 5
        burst = 20
        summary_s = 1
        """

    def flood(self):
        packets = [ipv4(source, "127.0.0.1", UDP, udp(1000, 7001, b"x" * 64))
                   for source in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.9")]
        packets.append(ipv6("::1", "::1", UDP, udp(1000, 7001)))
        send(self.namespace, packets, repeat=2000)
        return self.namespace.counters()["drop:out "]

    def dropped_of_summaries(self, summaries):
        """By source; fails when one does not add up."""
        totals = collections.Counter()
        for line in summaries:
            self.assertEqual(line["Topic"], "ratelimit:calm")
            message = line["Message"]
            self.assertEqual(message["Filter"], "calm")
            self.assertLessEqual(message["From"], message["To"])
            self.assertEqual(message["Dropped"], sum(key["Dropped"] for key in message["Keys"]) + message["Other"])
            for key in message["Keys"]:
                self.assertEqual(key["prefix"], "drop:out ")
                totals[key["src"]] += key["Dropped"]
        return totals

    def test_what_a_sinks_filter_drops_is_in_its_summaries_to_the_packet(self):
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + self.CALM + """
            [sink.alerts]
            plugin = "jsonl"
            topics = ["nft:drop:", "ratelimit:"]
            filters = ["calm"]
            file = "@DIR@/alerts"
            [sink.summaries]
            plugin = "jsonl"
            topics = ["ratelimit:"]
            file = "@DIR@/summaries"
            """)
        self.flood()
        wait_until(lambda: len(read_json_lines(host.path("summaries"))) >= 1, 10, "a summary while it runs")
        seen = self.flood()
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)

        lines = read_json_lines(host.path("alerts"))
        summaries = [line for line in lines if "Topic" in line]
        packets = [line for line in lines if "Topic" not in line]
        self.assertEqual(summaries, read_json_lines(host.path("summaries")), "other sinks get them, too")
        dropped = self.dropped_of_summaries(summaries)
        delivered = collections.Counter(line["src_ip"] for line in packets)
        self.assertEqual(dropped + delivered, {"127.0.0.1": 12_000, "127.0.0.9": 4_000, "::1": 4_000})
        for source, count in delivered.items():
            self.assertGreaterEqual(count, 20, source)
            self.assertLess(count, 1000, source)
        counters = host.logged_counters()
        sink = counters["sinks"]["alerts"]
        self.assertEqual(sink["filtered"], sum(dropped.values()))
        self.assertEqual(sink["delivered"], len(lines))
        self.assertEqual(counters["filters"]["calm"]["failures"], 0)

    def test_a_captures_filter_limits_before_the_bus_and_tells_every_sink(self):
        self.namespace.nft(RULES)
        host = self.start('[[capture]]\ngroup = 0\nfilters = ["calm"]\n' + self.CALM + """
            [sink.alerts]
            plugin = "jsonl"
            topics = ["nft:", "ratelimit:"]
            file = "@DIR@/alerts"
            """)
        seen = self.flood()
        wait_until(lambda: host.counters()["capture"][0]["received"] == seen, 10, "the packets")
        self.assertEqual(host.stop(), 0)
        lines = read_json_lines(host.path("alerts"))
        dropped = sum(self.dropped_of_summaries([line for line in lines if "Topic" in line]).values())
        group = host.logged_counters()["capture"][0]
        self.assertEqual(group["filtered"], dropped)
        self.assertEqual(group["published"], sum("Topic" not in line for line in lines))
        self.assertEqual(group["published"] + dropped, seen)

    def test_summaries_come_while_nothing_arrives_at_the_capture(self):
        self.namespace.nft(RULES)
        host = self.start('[[capture]]\ngroup = 0\nlatency_ms = 0\nfilters = ["calm"]\n' + self.CALM + """
            [sink.summaries]
            plugin = "jsonl"
            topics = ["ratelimit:"]
            file = "@DIR@/summaries"
            """)
        self.flood()
        dropped = lambda: sum(line["Message"]["Dropped"] for line in read_json_lines(host.path("summaries")))
        wait_until(lambda: dropped() == host.counters()["capture"][0]["filtered"] > 0, 10, "the last of it")


# A DNS server on UDP and TCP port 53 of 127.0.0.1 and ::1. Its zone: name -> (type, TTL, RDATA, CNAME or none).
_DNS_SERVER = r"""
import socket, socketserver, struct, sys, threading

def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"

A, CNAME, AAAA = 1, 5, 28
ZONE = {
    "www.example.org": (A, 300, socket.inet_aton("198.51.100.1"), "cdn.example.net"),
    "six.example.org": (AAAA, 300, socket.inet_pton(socket.AF_INET6, "2001:db8::1"), None),
    "tcp.example.org": (A, 300, socket.inet_aton("198.51.100.2"), None),
    "short.example.org": (A, 1, socket.inet_aton("198.51.100.3"), None),
}

def answer(query):
    end, labels = 12, []
    while query[end]:
        labels.append(query[end + 1:end + 1 + query[end]].decode())
        end += 1 + query[end]
    question = query[12:end + 5]
    asked = ".".join(labels)
    if asked not in ZONE:
        return query[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question
    kind, ttl, data, alias = ZONE[asked]
    owner, records = b"\xc0\x0c", []
    if alias:
        records.append(owner + struct.pack("!HHIH", CNAME, 1, ttl, len(name(alias))) + name(alias))
        owner = name(alias)
    records.append(owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data)
    return query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + question + b"".join(records)

class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(answer(self.request[0]), self.client_address)

class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = struct.unpack("!H", self.rfile.read(2))[0]
        reply = answer(self.rfile.read(size))
        self.wfile.write(struct.pack("!H", len(reply)) + reply)

def serve(server, handler, family, address):
    made = type("Server", (server,), {"address_family": family})((address, 53), handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()

serve(socketserver.UDPServer, Udp, socket.AF_INET, "127.0.0.1")
serve(socketserver.UDPServer, Udp, socket.AF_INET6, "::1")
serve(socketserver.TCPServer, Tcp, socket.AF_INET, "127.0.0.1")
print("ready", flush=True)
sys.stdin.read()
"""

_ASK = r"""
import socket, struct, sys
server, kind, asked = sys.argv[1:]
question = b"".join(bytes([len(part)]) + part.encode() for part in asked.split(".")) + b"\0" + struct.pack("!HH", 1, 1)
query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question
family = socket.AF_INET6 if ":" in server else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
    s.settimeout(10)
    s.connect((server, 53))
    s.sendall((struct.pack("!H", len(query)) if kind == "tcp" else b"") + query)
    assert s.recv(4096)
"""


class DnsNames(nfbustest.IntegrationTest):
    RULES = """table inet t { chain c { type filter hook output priority 0;
        udp sport 53 log prefix "dns:answer " group 0;
        tcp sport 53 log prefix "dns:answer " group 0;
        udp dport 7001 log prefix "drop:out " group 1;
    }
    }"""
    CONFIG = """
        [[capture]]
        group = 0
        filters = ["names"]
        [[capture]]
        group = 1
        action = "blocked"
        filters = ["names"]
        [filter.names]
        plugin = "dnsnames"
        [sink.out]
        plugin = "jsonl"
        topics = ["nft:drop:"]
        file = "@DIR@/out"
        format = "ulogd"
        """

    def setUp(self):
        super().setUp()
        self.namespace.nft(self.RULES)
        for address in ("198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"):
            self.namespace.run("ip", "address", "add", address, "dev", "lo")
        self.namespace.run("ip", "address", "add", "2001:db8::1/128", "dev", "lo", "nodad")
        server = self.namespace.popen(sys.executable, "-c", _DNS_SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.stdin.close)
        self.assertEqual(server.stdout.readline(), b"ready\n")

    def ask(self, name, kind="udp", server="127.0.0.1"):
        self.namespace.run(sys.executable, "-c", _ASK, server, kind, name)

    def fields_of(self, host, packet):
        """What the filter added to one more packet."""
        before = len(read_json_lines(host.path("out")))
        send(self.namespace, [packet])
        wait_until(lambda: len(read_json_lines(host.path("out"))) == before + 1, 10, "the packet")
        return read_json_lines(host.path("out"))[-1].get("Fields", {})

    def packet(self, destination):
        if ":" in destination:
            return ipv6("::1", destination, UDP, udp(1000, 7001))
        return ipv4("127.0.0.1", destination, UDP, udp(1000, 7001))

    def test_answers_over_the_wire_name_the_packets_of_every_group(self):
        host = self.start(self.CONFIG)
        self.assertEqual(self.fields_of(host, self.packet("198.51.100.1")), {})
        self.ask("www.example.org")
        self.ask("six.example.org", server="::1")
        self.ask("tcp.example.org", kind="tcp")
        self.ask("nothing.example.org")
        wait_until(lambda: host.counters()["filters"]["names"]["learned"] == 3, 10, "the answers")
        for address, name in (("198.51.100.1", "www.example.org"), ("2001:db8::1", "six.example.org"),
                              ("198.51.100.2", "tcp.example.org")):
            self.assertEqual(self.fields_of(host, self.packet(address)), {"RecentDomainDst": name})
        answer = ipv4("198.51.100.1", "198.51.100.2", UDP, udp(1000, 7001))
        self.assertEqual(self.fields_of(host, answer),
                         {"RecentDomainSrc": "www.example.org", "RecentDomainDst": "tcp.example.org"})
        self.assertEqual(self.fields_of(host, self.packet("198.51.100.3")), {})
        self.assertEqual(host.stop(), 0)

    def test_a_name_ends_with_its_record(self):
        host = self.start(self.CONFIG)
        self.ask("short.example.org")
        wait_until(lambda: host.counters()["filters"]["names"]["learned"] == 1, 10, "the answer")
        wait_until(lambda: self.fields_of(host, self.packet("198.51.100.3")) == {}, 10, "the end of its second")

    def test_messages_on_the_bus_reach_it_while_nothing_is_logged(self):
        host = self.start(self.CONFIG + """
            [filter.calm]
            plugin = "ratelimit"
            rate = 0.001
            burst = 1
            summary_s = 1
            topic = "dns:serve:of-another-shape"
            [sink.calm]
            plugin = "jsonl"
            topics = ["nft:drop:"]
            filters = ["calm"]
            file = "@DIR@/calm"
            """)
        send(self.namespace, [self.packet("198.51.100.1")] * 2)
        wait_until(lambda: host.counters()["filters"]["names"]["heard"] == 1, 10, "the message")
        names = host.counters()["filters"]["names"]
        self.assertEqual((names["malformed"], names["learned"], names["failures"]), (1, 0, 0))


class Status(nfbustest.IntegrationTest):
    CONFIG = """
        [bus]
        socket = "@DIR@/bus.sock"
        [[capture]]
        group = 0
        filters = ["thin"]
        [[capture]]
        group = 1
        filters = ["names", "thin"]
        [[capture]]
        group = 2
        action = "allowed"
        [filter.thin]
        plugin = "sample"
        rate = 2
        [filter.names]
        plugin = "dnsnames"
        [sink.out]
        plugin = "jsonl"
        filters = ["thin"]
        file = "@DIR@/out"
        """

    def test_a_filter_that_groups_share_has_one_row_apart_from_that_of_a_sink(self):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 log prefix "a " group 0; udp dport 7001 log prefix "b " group 1; }
        }""")
        host = self.start(self.CONFIG)
        path = host.path("bus.sock")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000)),
                              ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001)),
                              ipv6("::1", "::1", UDP, udp(1, 7001))], repeat=40)
        status = wait_until(lambda: (s := json.loads(run_nfbus("status", "--json", "-s", path).stdout)) and
                            s["sinks"][0]["published"] == s["sinks"][0]["delivered"] + s["sinks"][0]["filtered"] == 60
                            and s, 10, "half of the packets")
        thin, names = status["filters"]
        self.assertEqual((thin["name"], thin["plugin"], thin["groups"], thin["failures"]), ("thin", "sample", [0, 1], 0))
        self.assertEqual((names["name"], names["groups"]), ("names", [1]))
        filtered = {row["group"]: row["filtered"] for row in status["capture"]}
        self.assertEqual(thin["counters"], {"kept": 60, "dropped": sum(filtered.values()), "forgotten": 0})
        self.assertEqual((sum(filtered.values()), filtered[2]), (60, 0))
        self.assertEqual([(row["name"], row["counters"]["kept"]) for row in status["sinks"][0]["filters"]],
                         [("thin", 30)])

        shown = run_nfbus("status", "-s", path).stdout
        self.assertRegex(shown, r"(?m)^ +thin +sample +capture\.0 capture\.1 +0 +0 +0 +kept=60 dropped=60 forgotten=0$")
        self.assertRegex(shown, r"(?m)^ +thin +sample +sink\.out +0 +0 +0 +kept=30 dropped=30 ")


if __name__ == "__main__":
    nfbustest.main()
