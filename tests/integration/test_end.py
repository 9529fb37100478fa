'''The end of a host: everything that was logged before it is delivered or counted, or a line says how much is unknown.'''

import json
import os
import pathlib
import re
import signal
import threading
import time

import nfbustest
from nfbustest import read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 counter log prefix "lan:out " group 0;
}
}"""


def config(latency_ms, more=""):
    return f"""
[host]
plugin_dirs = ["{nfbustest.TEST_PLUGINS}"]
[bus]
socket = "@DIR@/sock"
[[capture]]
group = 0
recv_buffer = 65536
latency_ms = {latency_ms}
{more}
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
queue = 1000000
queue_bytes = 1000000000
"""


class End(nfbustest.IntegrationTest):
    def flood(self, count):
        packets = [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1024 + i, 7000, b"x" * 64)) for i in range(100)]
        send(self.namespace, packets, repeat=count // 100)

    def kernel_holds(self, group=0):
        """Packets that the kernel gathers for the group, not yet sent."""
        for row in self.namespace.run("cat", "/proc/net/netfilter/nfnetlink_log").stdout.splitlines():
            if int(row.split()[0]) == group:
                return int(row.split()[2])
        return 0

    def netlink(self, column):
        """Of the sockets for packets: netfilter is protocol 12."""
        head, *rows = [line.split() for line in self.namespace.run("cat", "/proc/net/netlink").stdout.splitlines()]
        return sum(int(row[head.index(column)]) for row in rows if row[1] == "12")

    def fill_to_the_brim(self):
        """Bursts until nothing of one finds room."""
        waiting = -1
        while waiting != (waiting := self.netlink("Rmem")):
            self.flood(300)
            wait_until(lambda: self.kernel_holds() == 0, 5, "the burst to be sent")
        self.assertGreater(self.netlink("Drops"), 0)

    def group(self, host):
        done = run_nfbus("status", "--json", "-s", host.path("sock"))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["capture"][0]

    def settled(self, host):
        first, second = host.counters(), host.counters()
        return first == second and second["sinks"]["out"]["queued"] == 0

    def end_while_stopped(self, host):
        """SIGTERM reaches a host that reads nothing before it."""
        host.signal(signal.SIGTERM)
        host.signal(signal.SIGCONT)
        return host.wait()

    def test_a_full_buffer_drops_nothing_of_what_the_kernel_still_holds(self):
        self.namespace.nft(RULES)
        host = self.start(config(latency_ms=900))
        host.signal(signal.SIGSTOP)
        self.flood(30_000)
        # Its last packets wait for their timer, which would find the buffer full.
        self.assertGreater(self.kernel_holds(), 0, "the kernel holds nothing: the test proves nothing")
        self.assertEqual(self.end_while_stopped(host), 0)
        row = host.logged_counters()["capture"][0]
        self.assertGreater(row["lost"], 0, "nothing was lost: the test proves nothing")
        self.assertEqual(row["received"] + row["lost"], self.namespace.counters()["lan:out "], row)
        self.assertEqual(row["unseen_drops"], 0)
        self.assertNotIn("unknown", host.stderr)
        self.assertEqual(len(read_json_lines(host.path("out"))), row["received"])

    def test_what_a_queue_has_no_room_for_at_the_end_is_lost_and_gives_status_1(self):
        self.namespace.nft(RULES)
        host = self.start(config(latency_ms=1000).replace("queue = 1000000\n", "queue = 16\n"))
        self.flood(200)
        self.assertEqual(self.kernel_holds(), 200, "they came before the end: the test proves nothing")
        self.assertEqual(host.stop(), 1)
        counters = host.logged_counters()
        lost = counters["sinks"]["out"]["overflowed"]
        self.assertGreater(lost, 100)
        self.assertEqual(counters["sinks"]["out"]["delivered"] + lost, 200)
        self.assertIn(f"error: {lost} events are lost", host.stderr)

    def test_how_much_is_unknown_is_said_where_nothing_came_behind_what_was_dropped(self):
        self.namespace.nft(RULES)
        host = self.start(config(latency_ms=4))
        host.signal(signal.SIGSTOP)
        self.fill_to_the_brim()
        self.assertEqual(self.end_while_stopped(host), 0)
        row = host.logged_counters()["capture"][0]
        self.assertLess(row["received"] + row["lost"], self.namespace.counters()["lan:out "])
        said = re.search(r"warning: group 0: the kernel dropped up to (\d+) datagrams behind the last packet", host.stderr)
        self.assertTrue(said, host.stderr)
        self.assertEqual(row["unseen_drops"], int(said[1]))
        self.assertGreater(row["unseen_drops"], 0)
        self.assertGreater(row["enobufs"], 0)

    def test_a_loss_shows_before_the_next_packet_and_is_exact_with_it(self):
        self.namespace.nft(RULES)
        host = self.start(config(latency_ms=4))
        self.flood(100)
        wait_until(lambda: self.settled(host), 10, "the first packets")
        self.assertEqual(self.group(host)["unseen_drops"], 0)
        host.signal(signal.SIGSTOP)
        self.fill_to_the_brim()
        host.signal(signal.SIGCONT)
        wait_until(lambda: self.settled(host), 10, "the backlog")
        row = wait_until(lambda: (row := self.group(host))["unseen_drops"] and row, 10, "the drops to be seen")
        self.assertLess(row["received"] + row["lost"], self.namespace.counters()["lan:out "])
        self.flood(100)
        row = wait_until(lambda: (row := self.group(host))["unseen_drops"] == 0 and row, 10, "the loss to be told")
        self.assertEqual(row["received"] + row["lost"], self.namespace.counters()["lan:out "], row)
        self.assertEqual(host.stop(), 0)
        self.assertNotIn("unknown", host.stderr)

    def test_a_stalled_capture_shows_what_it_loses_and_ends_in_time(self):
        self.namespace.nft(RULES)
        host = self.start(config(4, 'filters = ["stuck"]\n[filter.stuck]\nplugin = "filter_hangs"'))
        self.flood(30_000)
        wait_until(lambda: self.group(host)["unseen_drops"] > 0, 10, "the loss")
        row = self.group(host)
        self.assertEqual(row["lost"], 0)
        in_hand = row["received"] - row["published"] - row["filtered"]
        self.assertGreater(in_hand, 0)
        begun = time.monotonic()
        self.assertEqual(host.stop(30), 1)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertRegex(host.stderr, rf"error: .*{in_hand} events .* lost")
        self.assertEqual(host.logged_counters()["capture"][0]["received"], row["received"])

    def test_any_number_of_groups_is_drained_in_time(self):
        groups = range(1, 501)
        host = self.start("".join(f'[[capture]]\ngroup = {group}\naction = "blocked"\nlatency_ms = 1000\n' for group in groups) + """
            [sink.out]
            plugin = "jsonl"
            file = "@DIR@/out"
            format = "ulogd"
            """)
        rules = "".join(f'udp dport {7000 + group} counter log prefix "g" group {group}\n' for group in groups)
        self.namespace.nft(f"table inet t {{ chain c {{ type filter hook output priority 0; {rules} }}\n}}")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000 + group)) for group in groups])
        self.assertGreater(self.kernel_holds(500), 0, "the kernel holds nothing: the test proves nothing")
        # A helper that is slow to begin: its socket has no room for that many requests.
        helper = int(pathlib.Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text())
        os.kill(helper, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (helper, signal.SIGCONT)).start()
        begun = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(sorted(line["dest_port"] for line in read_json_lines(host.path("out"))),
                         [7000 + group for group in groups])
        self.assertEqual(sum(row["received"] for row in host.logged_counters()["capture"].values()), len(groups))


if __name__ == "__main__":
    nfbustest.main()
