'''A host under sustained load: a sink that works, one that hangs, one that throws, and a thousand clients of the bus that
subscribe, stall and vanish, again and again. For `./dev soak`.

Each minute prints the memory of the host and its counters; at the end the sums must balance with what the firewall's
own counters saw. Exit status 0: they do, memory stayed under the limit, and no descriptor was left open.
'''

import argparse
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import nfbustest
from nfbustest import Host, Namespace, Repeatedly, wait_until
from wire_client import WireClient, ask_status, crowd, publish_once

MEMORY_LIMIT_MIB = 64

RULES = '''table inet soak {
  chain c {
    type filter hook output priority 0;
    udp dport 7001 counter log prefix "wan:out " group 0
    udp dport 7002 counter log prefix "drop:forward " group 1
    drop
  }
}'''

CONFIG = f'''
[host]
plugin_dirs = ["{nfbustest.NFBUS_BIN.parents[1] / 'tests/plugins'}"]
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
action = "allowed"
[[capture]]
group = 1
action = "blocked"
[sink.good]
plugin = "jsonl"
file = "@DIR@/out"
rotate_bytes = 16777216
rotate_keep = 1
[sink.stuck]
plugin = "hangs"
[sink.bad]
plugin = "throws"
after = 1000
'''

SENDER = '''
import socket, sys, time
rate, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
body, tick = b"x" * 64, 0.01
per_tick, next_tick = max(1, int(rate * tick)), time.monotonic()
while time.monotonic() < end:
    for i in range(per_tick):
        try:
            s.sendto(body, ("127.0.0.1", 7001 + i % 2))
        except PermissionError:
            pass
    next_tick += tick
    time.sleep(max(0, next_tick - time.monotonic()))
'''


def memory_mib(pid):
    '''What the process holds now and held at most.'''
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(status.split(key)[1].split()[0]) / 1024 for key in ("VmRSS:", "VmHWM:")]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def differences(counters, seen):
    '''The sums that do not balance, as texts.'''
    wrong = []
    for group, c in counters["capture"].items():
        if c["received"] + c["lost"] != seen[group]:
            wrong.append(f"group {group}: received {c['received']} + lost {c['lost']} is not {seen[group]}")
        if c["received"] != c["published"] + c["not_forwarded"] + c["filtered"]:
            wrong.append(f"group {group}: {c}")
    published = sum(c["published"] for c in counters["capture"].values())
    for name, s in counters["sinks"].items():
        parts = ("delivered", "filtered", "overflowed", "rejected", "corrupted", "queued", "spilled")
        if s["published"] != published or s["published"] + s["recovered"] != sum(s[part] for part in parts):
            wrong.append(f"sink {name}: {s}")
    return wrong


def come_and_go(path):
    '''A crowd of clients, and the end of all of them.'''
    crowd(path, ("load:", "nft:drop:"),
          lambda: publish_once(path, '{"topic":"load:x","value":"' + "x" * 460 + '"}\n'))
    wait_until(lambda: len(ask_status(path)["clients"]) == 1, 30, "the clients to be gone")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20000, help="packets a second")
    arguments = parser.parse_args()

    with Namespace() as namespace, Host(CONFIG, namespace=namespace) as host:
        namespace.nft(RULES)
        pid = host.process.pid
        begun = time.monotonic()
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        with WireClient(host.path("bus.sock")) as first:
            first.settle()  # all that the host opens is open now
            before = descriptors(pid) - 1
        with Repeatedly(lambda: come_and_go(host.path("bus.sock"))) as crowds:
            sender = namespace.popen(sys.executable, "-c", SENDER, arguments.rate, arguments.minutes * 60)
            peak = 0.0
            while sender.poll() is None:
                try:
                    sender.wait(60)
                except subprocess.TimeoutExpired:
                    pass
                now, peak = memory_mib(pid)
                counters = host.counters()
                groups = " ".join(f"group {g}: received {c['received']} lost {c['lost']};"
                                  for g, c in counters["capture"].items())
                sinks = " ".join(f"{n} {s['state']}: delivered {s['delivered']} overflowed {s['overflowed']} rejected "
                                 f"{s['rejected']} queued {s['queued']};" for n, s in counters["sinks"].items())
                print(f"{(time.monotonic() - begun) / 60:.1f} min: {now:.1f} MiB (peak {peak:.1f}), CPU "
                      f"{cpu_seconds(pid):.1f} s, {groups} {sinks} "
                      f"{crowds.rounds} crowds of clients", flush=True)

        # One more packet of each group, once it is quiet, shows what was lost before it.
        wait_until(lambda: host.counters()["sinks"]["good"]["queued"] == 0, 30, "the good sink")
        namespace.run(sys.executable, "-c", SENDER, 200, 0.01)
        totals = namespace.counters()
        seen = {0: totals["wan:out "], 1: totals["drop:forward "]}
        wait_until(lambda: host.counters()["sinks"]["good"]["queued"] == 0, 30, "the good sink")
        wrong = differences(host.counters(), seen)
        if peak >= MEMORY_LIMIT_MIB:
            wrong.append(f"memory: {peak:.1f} MiB is not under {MEMORY_LIMIT_MIB} MiB")
        if crowds.rounds == 0:
            wrong.append("the clients did not come and go once")
        try:
            wait_until(lambda: descriptors(pid) == before, 10, "the descriptors to be closed")
        except AssertionError:
            wrong.append(f"descriptors: {descriptors(pid)}, at first {before}")
        host.signal(signal.SIGKILL)
        for line in wrong:
            print(f"wrong: {line}")
        print(f"{sum(seen.values())} packets; {'the sums balance' if not wrong else 'FAILED'}")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
