'''`nfbus demo`: real rules and packets that touch nothing outside and leave nothing behind.'''

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import unittest
import urllib.error
import urllib.request

from nfbustest import NFBUS_BIN, main, run_nfbus, wait_until

# (hook, in, out, action) of each prefix; hooks as in linux/netfilter.h.
LOCAL_IN, FORWARD, LOCAL_OUT = 1, 2, 3
PLACES = {
    "lan:in": (LOCAL_IN, "lan0", "", "allowed"),
    "lan:out": (LOCAL_OUT, "", "lan0", "allowed"),
    "wan:in": (FORWARD, "wan0", "lan0", "allowed"),
    "wan:out": (FORWARD, "lan0", "wan0", "allowed"),
    "drop:input": (LOCAL_IN, "wan0", "", "blocked"),
    "drop:forward": (FORWARD, "wan0", "lan0", "blocked"),
    "drop:mac": (FORWARD, "lan0", "wan0", "blocked"),
}


def machine_network():
    '''What of the network outside the demo could change; other tests' namespaces come and go.'''
    namespaces = pathlib.Path("/run/netns")
    commands = [["ip", "-brief", "address"], ["ip", "route"], ["ip", "-6", "route"], ["nft", "list", "ruleset"],
                ["sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]]
    return ([subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in commands],
            {n for n in os.listdir(namespaces) if not n.startswith("nfbustest-")} if namespaces.is_dir() else set())


def descendants(pid):
    '''The running processes below `pid`, each with its start time, so that a reused number is not mistaken for it.'''
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append((int(stat.parent.name), fields[19]))
    found, open_ends = set(), [pid]
    while open_ends:
        for child in children.get(open_ends.pop(), []):
            found.add(child)
            open_ends.append(child[0])
    return found


def is_running(process):
    pid, start = process
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[19] == start and fields[0] != "Z"


class Demo(unittest.TestCase):
    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "the integration tests need root")
        self.before = machine_network()
        self.addCleanup(lambda: self.assertEqual(machine_network(), self.before, "the demo changed the machine"))

    def start(self, *arguments):
        child = subprocess.Popen([NFBUS_BIN, "demo", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def events(self, count):
        done = run_nfbus("demo", "--json", "-n", count, "--seconds", "30", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_forty_packets_show_every_prefix_on_its_hook_with_its_devices_in_both_families(self):
        events = self.events(40)
        self.assertEqual(len(events), 40)
        places = {}
        for e in events:
            place = (e["oob.hook"], e.get("oob.in", ""), e.get("oob.out", ""), e["action"])
            places.setdefault(e["oob.prefix"].strip(), set()).add(place)
        self.assertEqual(places, {prefix: {place} for prefix, place in PLACES.items()})
        self.assertEqual({e["oob.family"] for e in events}, {2, 10})
        self.assertLessEqual({1, 6, 17, 58}, {e["ip.protocol"] for e in events})
        spoofed = [e for e in events if e["oob.prefix"] == "drop:mac "]
        self.assertEqual({e["mac.saddr.str"] for e in spoofed}, {"02:00:00:00:66:66"})
        handshake = [(e["oob.prefix"], e["tcp.syn"], e["tcp.ack"]) for e in events if e.get("ip.protocol") == 6]
        for segment in (("wan:out ", 1, 0), ("wan:in ", 1, 1), ("wan:out ", 0, 1)):
            self.assertIn(segment, handshake)

    def test_each_packet_is_one_line_without_colour_when_nobody_looks_at_a_terminal(self):
        done = run_nfbus("demo", "-n", "10", "--seconds", "30", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 10)
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{3}  (allowed|blocked)  nft:\w+:\w+ +\S+ +-> \S+ +\w+ .* -> ")

    def test_lines_are_coloured_on_a_terminal_unless_the_user_says_no(self):
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            near, far = pty.openpty()
            try:
                done = subprocess.run([NFBUS_BIN, "demo", "-n", "3", "--seconds", "30"], stdin=subprocess.DEVNULL,
                                      stdout=far, stderr=subprocess.PIPE, timeout=60,
                                      env={k: v for k, v in os.environ.items() if k != "NO_COLOR"} | environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(b"\x1b[" in os.read(near, 65536), coloured)
            finally:
                os.close(near)
                os.close(far)

    def test_it_ends_by_itself_after_the_seconds_asked_for(self):
        done = run_nfbus("demo", "--seconds", "1", timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(len(done.stdout.splitlines()), 0)

    def test_ctrl_c_ends_it_with_success_and_leaves_no_process(self):
        demo = self.start("--json")
        demo.stdout.readline()
        below = descendants(demo.pid)
        self.assertGreaterEqual(len(below), 3)
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(10), 0, demo.stderr.read())
        self.assertEqual([p for p in below if is_running(p)], [])

    def test_killed_half_way_it_leaves_nothing_behind_and_the_next_one_works(self):
        demo = self.start("--json")
        demo.stdout.readline()
        below = descendants(demo.pid)
        self.assertGreaterEqual(len(below), 3)
        demo.kill()
        demo.wait(10)
        wait_until(lambda: not any(is_running(p) for p in below), 10, "the killed demo's processes to end")
        self.assertEqual(machine_network(), self.before)
        self.assertEqual(len(self.events(5)), 5)

    def page_of(self, demo):
        """The address of its page, and what is there at a path."""
        for line in demo.stderr:
            if found := re.search(rb"serves (http://127\.0\.0\.1:\d+)/", line):
                address = found[1].decode()
                return address, lambda path: urllib.request.urlopen(address + path, timeout=10).read()
        self.fail("it ended without a page")

    def test_a_browser_of_this_machine_opens_its_page(self):
        demo, second = self.start(), self.start()
        address, get = self.page_of(demo)
        self.assertNotEqual(self.page_of(second)[0], address)
        second.kill()
        self.assertIn(b"<title>", get("/"))
        wait_until(lambda: {row.get("topic") for row in json.loads(get("/api/rows?limit=1000"))["rows"]} >=
                   {"nft:wan:out", "nft:drop:input"}, 30, "rows of both kinds")
        self.assertIn(b"nft:", demo.stdout.readline())
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        self.assertEqual(demo.wait(10), 0)
        with self.assertRaises(urllib.error.URLError):
            get("/")

    def test_a_reader_that_leaves_ends_it_quietly(self):
        demo = self.start()
        demo.stdout.readline()
        demo.stdout.close()
        self.assertEqual(demo.wait(20), 0)


if __name__ == "__main__":
    main()
