'''InfluxDB killed and restarted under load while nfbus itself is killed: what was on disk is in the database, once.

For test_spill_chaos.py, which gives it seconds, and by hand or `./dev soak` for minutes.'''

import argparse
import pathlib
import shutil
import tempfile
import threading
import time

from influxd import Influxd
from nfbustest import Host, Namespace, wait_until
from wire_client import ask_status

RULES = '''table inet t { chain c { type filter hook output priority 0;
udp dport 7000-7999 counter log prefix "chaos " group 1
}
}'''

CONFIG = '''
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
[sink.db]
plugin = "influxdb"
url = "http://127.0.0.1:8086"
api = "v1"
database = "nfbus"
user = "writer"
password_file = "%s/password"
batch_age_ms = 200
fields = ["SrcPort", "DstPort"]
overflow = "spill"
[sink.db.spill]
dir = "%s"
mode = "always"
min_free = 0
'''

# Numbered packets: the number is in the two ports. Never more than a second behind its clock, so that it ends in time.
SENDER = '''
import socket, struct, sys, time
rate, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
lo = socket.inet_aton("127.0.0.1")
number, next_tick, tick = 0, time.monotonic(), 0.01
while time.monotonic() < end:
    for _ in range(int(rate * tick)):
        udp = struct.pack("!HHHH", 1 + number % 60000, 7000 + number // 60000, 8, 0)
        out.sendto(struct.pack("!BBHHHBBH4s4s", 69, 0, 28, 0, 0, 64, 17, 0, lo, lo) + udp, ("127.0.0.1", 0))
        number += 1
    next_tick = max(next_tick + tick, time.monotonic() - 1)
    time.sleep(max(0, next_tick - time.monotonic()))
'''

# What was published so long before a kill is on disk.
WRITTEN_WITHIN = 1.0


def number_of(row):
    return row["SrcPort"] - 1 + 60000 * (row["DstPort"] - 7000)


def ranges_of(numbers):
    '''Of sorted numbers, as [first, count] pairs.'''
    ranges = []
    for number in numbers:
        if ranges and number == sum(ranges[-1]):
            ranges[-1][1] += 1
        else:
            ranges.append([number, 1])
    return ranges


class Chaos:
    def __init__(self, namespace, seconds, rate, host_kills, server_kills):
        self.namespace, self.seconds, self.rate = namespace, seconds, rate
        self.host_kills, self.server_kills = host_kills, server_kills
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-chaos-"))
        self.written = []  # by each run of the host: of its first packets, so many are on disk for sure
        self.failures = []

    def row(self, host):
        return ask_status(host.path("bus.sock"))["sinks"][0]

    def start(self, server):
        return Host(CONFIG % (server.directory, self.folder / "spill"), namespace=self.namespace)

    def kill_servers(self, server):
        try:
            for _ in range(self.server_kills):
                time.sleep(self.seconds / (self.server_kills + 1))
                server.stop(kill=True)
                server.start()
        except Exception as error:
            self.failures.append(error)

    def run_until(self, host, end):
        '''How many packets this host has put on disk by then, for sure.'''
        samples = []
        while time.monotonic() < end:
            samples.append((time.monotonic(), self.row(host)["published"]))
            time.sleep(0.1)
        return max([n for when, n in samples if when < end - WRITTEN_WITHIN], default=0)

    def run(self):
        '''(packets in the database, what is wrong).'''
        self.namespace.nft(RULES)
        with Influxd(self.namespace) as server:
            host = self.start(server)
            sender = self.namespace.popen("python3", "-c", SENDER, self.rate, self.seconds)
            killer = threading.Thread(target=self.kill_servers, args=(server,))
            killer.start()
            begun = time.monotonic()
            try:
                for kill in range(1, self.host_kills + 1):
                    self.written.append(self.run_until(host, begun + kill * self.seconds / (self.host_kills + 1)))
                    host.process.kill()
                    host.wait()
                    host.close()
                    host = self.start(server)
                sender.wait(self.seconds + 30)
                killer.join()
                wait_until(lambda: (row := self.row(host))["queued"] + row["spilled"] == 0 and row["published"] > 0,
                           60 + self.seconds, "all to be delivered")
                last = self.row(host)
                self.written.append(last["published"])
                status = host.stop(30)
                numbers = sorted(map(number_of, server.query("nfbus", 'SELECT "SrcPort", "DstPort" FROM "udp"')))
            finally:
                killer.join()
                host.close()
                shutil.rmtree(self.folder, ignore_errors=True)
        return numbers, self.judge(numbers, last, status)

    def judge(self, numbers, last, status):
        wrong = [str(error) for error in self.failures]
        if status != 0:
            wrong.append(f"the host ended with {status}")
        wrong += [f"{last[name]} {name}" for name in ("overflowed", "rejected", "corrupted") if last[name]]
        if len(set(numbers)) != len(numbers):
            wrong.append(f"{len(numbers) - len(set(numbers))} points are twice in the database")
        found = ranges_of(sorted(set(numbers)))
        if len(found) != len(self.written):
            wrong.append(f"{len(self.written)} runs of the host, but the numbers {found} in the database")
        for (first, count), written in zip(found, self.written):
            if count < written:
                wrong.append(f"of the run from packet {first} on {written} were on disk, {count} are in the database")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=int, default=5000, help="packets a second")
    arguments = parser.parse_args()
    with Namespace() as namespace:
        chaos = Chaos(namespace, arguments.minutes * 60, arguments.rate, host_kills=3, server_kills=5)
        numbers, wrong = chaos.run()
    print(f"{len(numbers)} packets in the database; {chaos.written} were on disk for sure by the end of each run")
    for what in wrong:
        print(f"wrong: {what}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
