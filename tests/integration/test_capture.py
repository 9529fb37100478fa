'''Capture from the real kernel: groups, names, delays, the drain at stop, and what start-up says when it cannot bind.'''

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import nfbustest
from nfbustest import read_json_lines, wait_until
from packets import UDP, ipv4, ipv6, send, udp

SINK = """
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
"""

ONE_GROUP = "[[capture]]\ngroup = 0\n" + SINK

# Logs what is sent to UDP port 7000 on its way out, to one group.
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 counter log prefix "lan:out " group 0;
}
}"""

# Sends a packet each `pause` seconds and prints the time of each, in ns.
_TIMED_SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
count, pause = int(sys.argv[1]), float(sys.argv[2])
due = time.monotonic()
for i in range(count):
    due += pause
    time.sleep(max(0, due - time.monotonic()))
    print(time.monotonic_ns())
    s.sendto(b"x", ("127.0.0.1", 7000))
"""


def packet(port=7000, number=0):
    return ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1024 + number % 60000, port, b"x"))


class Capture(nfbustest.IntegrationTest):
    def records(self, host, count, seconds=10):
        wait_until(lambda: len(read_json_lines(host.path("out"))) >= count, seconds, f"{count} records")
        return read_json_lines(host.path("out"))

    def test_groups_of_all_families_arrive_with_their_own_action(self):
        self.namespace.nft("""
            table inet a { chain c { type filter hook output priority 0;
                udp dport 7001 log prefix "lan:out " group 1; udp dport 7002 log prefix "drop:out " group 2;
            }
            }
            table ip6 b { chain c { type filter hook input priority 0; udp dport 7003 log prefix "six: " group 3;
            }
            }
            table netdev d { chain c { type filter hook ingress device lo priority 0;
                udp dport 7004 log prefix "early: " group 3;
            }
            }""")
        host = self.start("".join(f'[[capture]]\ngroup = {g}\naction = "{a}"\n'
                                  for g, a in ((1, "allowed"), (2, "blocked"), (3, "blocked"))) + SINK)
        send(self.namespace, [packet(7001), packet(7002), ipv6("::1", "::1", UDP, udp(1, 7003)), packet(7004)])
        records = {r["oob.prefix"]: r for r in self.records(host, 4)}
        self.assertEqual({prefix: (r["action"], r["oob.family"]) for prefix, r in records.items()},
                         {"lan:out ": ("allowed", 2), "drop:out ": ("blocked", 2), "six: ": ("blocked", 10),
                          "early: ": ("blocked", 5)})
        for group, received in ((1, 1), (2, 1), (3, 2)):
            self.assertEqual(host.counters()["capture"][group]["received"], received)

    def test_only_the_named_prefixes_are_forwarded_and_the_others_counted(self):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 log prefix "LAN:out " group 0; udp dport 7001 log prefix "wan:out " group 0;
}
}""")
        host = self.start('[[capture]]\ngroup = 0\nprefixes = ["lan:"]\n' + SINK)
        send(self.namespace, [packet(7001), packet(7000), packet(7001)])
        records = self.records(host, 1)
        wait_until(lambda: host.counters()["capture"][0]["received"] == 3, 5, "all three")
        self.assertEqual([r["oob.prefix"] for r in records], ["LAN:out "])
        self.assertEqual(host.counters()["capture"][0]["not_forwarded"], 2)
        self.assertEqual(host.counters()["capture"][0]["published"], 1)

    def test_interface_names_follow_renames_and_devices_that_come_later(self):
        host = self.start(ONE_GROUP)
        self.namespace.nft(RULES)
        packets = [ipv4("192.0.2.1", "192.0.2.2", UDP, udp(1, 7000))]
        self.plug("hot0")
        send(self.namespace, packets)
        self.records(host, 1)
        self.namespace.run("ip", "link", "set", "hot0", "name", "renamed0")
        send(self.namespace, packets)
        self.records(host, 2)
        self.namespace.run("ip", "link", "del", "renamed0")
        self.plug("again0")
        send(self.namespace, packets)
        self.assertEqual([r["oob.out"] for r in self.records(host, 3)], ["hot0", "renamed0", "again0"])

    def plug(self, device):
        """A new device with 192.0.2.1 and a way to 192.0.2.2."""
        for words in (f"link add {device} type veth peer name peer0", "link set peer0 up", f"link set {device} up",
                      f"addr add 192.0.2.1/24 dev {device}",
                      f"neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev {device} nud permanent"):
            self.namespace.run("ip", *words.split())

    def delays_ms(self, host, count, pause):
        """From send to record, for packets `pause` seconds apart; the output file is watched closely."""
        seen = []
        deadline = time.monotonic() + count * pause + 10
        with open(host.path("out"), "rb") as records:
            records.seek(0, os.SEEK_END)
            sender = self.namespace.popen(sys.executable, "-c", _TIMED_SENDER, count, pause, stdout=subprocess.PIPE,
                                          text=True)
            while len(seen) < count and time.monotonic() < deadline:
                new = records.read().count(b"\n")
                seen += [time.monotonic_ns()] * new
                time.sleep(0.0001)
        sent = [int(line) for line in sender.communicate()[0].split()]
        self.assertEqual((len(sent), len(seen)), (count, count))
        delays = sorted((b - a) / 1e6 for a, b in zip(sent, seen))
        p50, p99 = statistics.median(delays), delays[int(count * 0.99)]
        print(f"delay of {count} packets {pause} s apart: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return p50, p99

    def test_a_record_follows_its_packet_within_the_kernels_tick_by_default(self):
        self.namespace.nft(RULES)
        host = self.start(ONE_GROUP)
        for count, pause in ((40, 0.1), (1000, 0.001)):
            p50, p99 = self.delays_ms(host, count, pause)
            # The aim is 4 and 8 ms on a quiet machine; the 600 ms of default batching are what this must never be.
            self.assertLess(p50, 20)
            self.assertLess(p99, 100)

    def test_latency_0_delivers_at_once(self):
        self.namespace.nft(RULES)
        host = self.start("[[capture]]\ngroup = 0\nlatency_ms = 0\n" + SINK)
        p50, _ = self.delays_ms(host, 40, 0.05)
        self.assertLess(p50, 2)

    def test_latency_0_batches_under_load_and_is_quick_again_after_it(self):
        self.namespace.nft(RULES)
        host = self.start("[[capture]]\ngroup = 0\nlatency_ms = 0\n" + SINK)
        send(self.namespace, [packet(number=i) for i in range(500)], repeat=40)
        wait_until(lambda: host.counters() == host.counters(), 30, "the end of the load")
        send(self.namespace, [packet()])  # makes known what was lost before it

        def all_is_accounted_for():
            counters = host.counters()
            group, (sink,) = counters["capture"][0], counters["sinks"].values()
            return (group["received"] + group["lost"] == 20_001 and sink["published"] == group["received"] and
                    sink["queued"] == 0)

        wait_until(all_is_accounted_for, 10, "every packet's place")
        p50, _ = self.delays_ms(host, 40, 0.05)
        self.assertLess(p50, 2)
        self.assertNotIn("refused", host.stderr)

    def test_a_longer_latency_is_the_kernels_timer(self):
        self.namespace.nft(RULES)
        host = self.start("[[capture]]\ngroup = 0\nlatency_ms = 200\n" + SINK)
        p50, p99 = self.delays_ms(host, 3, 1.0)
        self.assertGreater(p50, 100)
        self.assertLess(p99, 500)

    def test_all_that_was_logged_before_sigterm_is_delivered(self):
        self.namespace.nft(RULES)
        # The kernel would keep the last packets for a second.
        host = self.start("[[capture]]\ngroup = 0\nlatency_ms = 1000\n" + SINK)
        send(self.namespace, [packet(number=i) for i in range(7)], repeat=11)
        started = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - started, 0.9, "the stop waited for the kernel's timer")
        self.assertEqual(len(read_json_lines(host.path("out"))), 77)
        self.assertEqual(self.namespace.counters()["lan:out "], 77)
        self.assertEqual(host.logged_counters()["capture"][0]["received"], 77)

    def test_a_stop_under_a_flood_ends_in_time_and_keeps_the_sums(self):
        self.namespace.nft(RULES)
        host = self.start(ONE_GROUP)
        flood = self.namespace.popen(sys.executable, "-c", _TIMED_SENDER, 10**9, 0, stdout=subprocess.DEVNULL)
        self.records(host, 1000)
        started = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        nfbustest.end_process(flood)
        counters = host.logged_counters()
        self.assertEqual(counters["capture"][0]["published"], counters["sinks"]["out"]["published"])
        self.assertEqual(len(read_json_lines(host.path("out"))), counters["sinks"]["out"]["delivered"])

    def test_a_second_host_on_one_group_names_the_first_and_fails(self):
        first = self.start(ONE_GROUP)
        second = self.start(ONE_GROUP, wait=False)
        self.assertEqual(second.wait(), 1)
        self.assertRegex(second.stderr,
                         rf"nfbus\.toml:1:\d+: group 0 is taken by nfbus \(pid {first.process.pid}\): stop it")
        # The first one is unharmed.
        self.namespace.nft(RULES)
        send(self.namespace, [packet()])
        self.records(first, 1)

    def test_another_program_on_the_group_is_named(self):
        with open(os.devnull) as nothing:
            other = self.namespace.popen("tcpdump", "-i", "nflog:0", "-Z", "root", "-w", os.devnull, stdin=nothing,
                                         stderr=subprocess.DEVNULL)
        table = lambda: self.namespace.run("cat", "/proc/net/netfilter/nfnetlink_log").stdout
        wait_until(lambda: re.search(r"^ +0 ", table(), re.M), 10, "tcpdump on the group")
        host = self.start(ONE_GROUP, wait=False)
        self.assertEqual(host.wait(), 1)
        self.assertRegex(host.stderr, rf"group 0 is taken by tcpdump \(pid {other.pid}\)")

    def test_a_missing_capability_is_named_with_the_fix(self):
        done = subprocess.run(self.namespace.command("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                                                     nfbustest.NFBUS_BIN, "run", "-c", self.written(ONE_GROUP)),
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"group 0: not permitted to bind: run as root, or grant CAP_NET_ADMIN")

    def test_it_runs_without_root_in_a_user_namespace(self):
        config = self.written('[[capture]]\ngroup = 0\nrecv_buffer = 100000\n[sink.out]\nplugin = "jsonl"\n'
                              'file = "/dev/stdout"\nformat = "ulogd"\n')
        # The rule's own packet, logged within the namespace, proves it from end to end.
        script = f"""
            ip link set lo up && nft -f - <<'END'
{RULES}
END
            {nfbustest.NFBUS_BIN} run -c {config} & host=$!
            for i in $(seq 100); do echo x > /dev/udp/127.0.0.1/7000; sleep 0.05; [ -s {config}.out ] && break; done
            kill $host; wait $host; echo "status $?" >&2"""
        with open(config + ".out", "wb") as out:
            done = subprocess.run(["unshare", "-Urn", "bash", "-c", script], stdout=out, stderr=subprocess.PIPE,
                                  text=True, timeout=60)
        self.assertIn("ready:", done.stderr)
        self.assertIn("status 0", done.stderr)
        self.assertEqual(read_json_lines(config + ".out")[0]["oob.prefix"], "lan:out ")

    def written(self, config):
        """A configuration file in a directory of the test."""
        directory = tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "nfbus.toml")
        with open(path, "w") as file:
            file.write(config.replace("@DIR@", directory))
        return path


if __name__ == "__main__":
    nfbustest.main()
