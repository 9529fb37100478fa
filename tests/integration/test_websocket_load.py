'''sinks/websocket with many clients, some of which do not read: everybody else gets all, soon, in bounded memory.

With NFBUS_LOAD_SECONDS=30 for as long as that.'''

import json
import os
import pathlib
import resource
import socket
import sys
import time

from nfbustest import main, run_nfbus
from page_host import PageTest
from packets import UDP, ipv4, udp

CLIENTS, STALLED, RATE = 1000, 10, 2000
SECONDS = int(os.environ.get("NFBUS_LOAD_SECONDS", "5"))
LOAD = pathlib.Path(__file__).with_name("websocket_load.py")


class Load(PageTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.host.process.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) * 1024

    def status(self):
        return json.loads(run_nfbus("status", "--json", "-s", self.host.path("bus.sock"), timeout=60).stdout)

    def crowd(self, packets):
        """How it went for clients that come, read so many packets and go."""
        readers = self.namespace.popen(sys.executable, LOAD, self.port, CLIENTS, STALLED, SECONDS + 60,
                                       packets // 100 * CLIENTS, stdout=-1, text=True)
        self.addCleanup(readers.kill)
        self.assertEqual(readers.stdout.readline(), "connected\n")
        sender = self.namespace.popen(sys.executable, "-c", SENDER, stdin=-1, text=True)
        sender.communicate(json.dumps({"packets": [ipv4("127.0.0.1", "127.0.0.9", UDP, udp(10000 + i, 7001)).hex()
                                                   for i in range(100)], "rate": RATE, "seconds": SECONDS}),
                           timeout=SECONDS + 60)
        said = json.loads(readers.communicate(timeout=120)[0])
        print({**said, "got": (min(said["got"]), max(said["got"]))}, f"{self.resident_bytes() >> 20} MiB,",
              f"{self.status()['cpu_s']:.1f} s of CPU", flush=True)
        self.assertEqual(set(said["got"]), {packets // 100})
        self.assertEqual(said["left"], 0)
        return said

    def test_a_thousand_clients(self):
        self.start_page()
        packets = RATE * SECONDS
        # Sender, kernel, host and a thousand readers share this machine: whoever else is on it for a moment makes all late.
        for rounds in range(1, 4):
            said = self.crowd(packets)
            if said["p99_ms"] < 100:
                break
        self.assertLess(said["p99_ms"], 100)
        self.assertLess(self.resident_bytes(), 256 << 20)
        status = self.status()
        self.assertEqual([(group["received"], group["lost"]) for group in status["capture"] if group["group"] == 1],
                         [(rounds * packets, 0)])
        sink = next(row for row in status["sinks"] if row["name"] == "page")
        self.assertEqual((sink["delivered"] >= rounds * packets, sink["overflowed"]), (True, 0))



SENDER = """
import json, socket, sys, time
job = json.load(sys.stdin)
packets = [bytes.fromhex(text) for text in job["packets"]]
made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
begin, sent, wanted = time.monotonic(), 0, job["rate"] * job["seconds"]
while sent < wanted:
    due = min(wanted, int((time.monotonic() - begin) * job["rate"]))
    while sent < due:
        made.sendto(packets[sent % len(packets)], ("127.0.0.9", 0))
        sent += 1
    time.sleep(0.002)
"""


if __name__ == "__main__":
    main()
