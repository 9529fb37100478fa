'''The page of the sink `websocket` in a real browser, Debian's chromium, with real packets of real nft rules.

The scenarios are in tests/browser; each asks here for packets and whatever else of the world it needs. NFBUS_SCREENSHOTS
says where pictures of the page go (default: screenshots/ of the build).'''


import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import nfbustest
from nfbustest import NFBUS_BIN, REPOSITORY, Namespace, run_nfbus, wait_until
from packets import SYN, TCP, UDP, ethernet, ipv4, send, tcp, udp
from wire_client import WireClient

BROWSER = REPOSITORY / "tests/browser"
PAGE = REPOSITORY / "plugins/sinks/websocket/page"
SCREENSHOTS = pathlib.Path(os.environ.get("NFBUS_SCREENSHOTS", NFBUS_BIN.parents[1] / "screenshots"))
PORT = 8787
TOKEN = "correct-horse-battery-staple"
ROUTER_MAC, LAN_MAC, HOSTILE_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
CONFIG = f"""
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
filters = ["context"]
[[capture]]
group = 1
recv_buffer = @BUFFER@
[filter.context]
plugin = "nftcontext"
[sink.page]
plugin = "websocket"
listen = "127.0.0.1:{PORT}"
names = "@DIR@/names"
notifications = "@DIR@/notifications.json"
state_file = "@DIR@/state.json"
@TOKEN@
"""
NAMES = """192.0.2.10 laptop
192.0.2.66 <script>alert(4)</script>
192.0.2.67 left\u202eright\u200b
"""
RULES = """table inet t { chain c { type filter hook prerouting priority -300;
    ip saddr 192.0.2.66 udp dport 666 log prefix "<script>alert(1)</script>" group 1 drop
    iifname "<script>0" log prefix "drop:input " group 1 drop
    ip daddr 198.51.100.0/24 log prefix "drop:input " group 1 drop
    ip daddr 203.0.113.0/24 log prefix "lan:in " group 0 drop comment "what the LAN may do"
}
}"""
# The browser hears of it when it acknowledges what the server sends each second.
CUT = """table inet cut { chain c { type filter hook output priority 0;
    tcp dport 8787 reject with tcp reset
}
}"""
FLOOD = r"""
import json, socket, sys, time
job = json.load(sys.stdin)
frames = [bytes.fromhex(frame) for frame in job["frames"]]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((job["device"], 0))
begun = time.monotonic()
sent = 0
while (passed := time.monotonic() - begun) < job["seconds"]:
    while sent < passed * job["rate"]:
        link.send(frames[sent % len(frames)])
        sent += 1
    time.sleep(0.005)
print(sent)
"""


def frame(packet, mac=LAN_MAC):
    """An Ethernet frame to the router of what a scenario describes: {src, dst, proto, sp, dp}."""
    ports = packet.get("sp", 1000), packet.get("dp", 2000)
    protocol, body = (UDP, udp(*ports, b"x")) if packet.get("proto") == "udp" else (TCP, tcp(*ports, flags=SYN))
    return ethernet(mac, ROUTER_MAC, 0x0800, ipv4(packet["src"], packet["dst"], protocol, body))


def dns_question(name):
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


class Page(nfbustest.IntegrationTest):
    @classmethod
    def setUpClass(cls):
        installed = BROWSER / "node_modules/.package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < (BROWSER / "package-lock.json").stat().st_mtime:
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=BROWSER, check=True,
                           stdout=subprocess.DEVNULL)
            installed.touch()

    def begin(self, token="", buffer=8388608, more=""):
        self.lan = Namespace()
        self.addCleanup(self.lan.close)
        self.namespace.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        self.namespace.connect(self.lan, "lan0", "eth0", mac=ROUTER_MAC, other_mac=LAN_MAC)
        self.namespace.nft(RULES)
        config = CONFIG.replace("@BUFFER@", str(buffer)).replace("@TOKEN@", 'token_file = "@DIR@/token"' if token else "")
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        for name, text in {"names": NAMES, "notifications.json": "[]", "token": token}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self.host = self.start(config.replace("@DIR@", str(folder)) + more)
        self.bus = folder / "bus.sock"

    def play(self, file, scenario, seconds=120):
        """Runs a scenario to its end and answers what it asks."""
        environment = {"NFBUS_PAGE_URL": f"http://127.0.0.1:{PORT}", "NFBUS_SCREENSHOTS": str(SCREENSHOTS)}
        player = self.namespace.popen("node", BROWSER / "run.mjs", file, scenario, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        guard = threading.Timer(seconds, player.kill)
        guard.start()
        try:
            for line in player.stdout:
                question = json.loads(line)
                try:
                    answer = {"result": getattr(self, "answer_" + question.pop("what"))(**question)}
                except Exception as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                player.stdin.write(json.dumps(answer) + "\n")
                player.stdin.flush()
            self.assertEqual(player.wait(), 0, f"{scenario}: see above; nfbus said:\n{self.host.stderr}")
        finally:
            guard.cancel()
            player.stdin.close()
            player.stdout.close()

    # ---- What scenarios ask

    def answer_packets(self, packets, repeat=1, pause_seconds=0):
        send(self.lan, [frame(packet) for packet in packets], device="eth0", repeat=repeat, pause_seconds=pause_seconds)

    def answer_flood(self, rate, seconds, rare_port=0):
        """Returns how many packets came; with rare_port, how many of them went there: one of 10,000."""
        frames = [frame({"src": f"192.0.2.{1 + i % 60}", "dst": f"{'198.51.100' if i % 3 else '203.0.113'}.{i % 250}",
                         "sp": 1024 + i, "dp": (23, 80, 443, 8080)[i % 4]}) for i in range(1000)]
        if rare_port:
            frames *= 10
            frames[5000] = frame({"src": "192.0.2.10", "dst": "198.51.100.1", "dp": rare_port})
        job = {"frames": [each.hex() for each in frames], "device": "eth0", "rate": rate, "seconds": seconds}
        sent = int(self.lan.run(sys.executable, "-c", FLOOD, input=json.dumps(job), timeout=seconds + 30).stdout)
        self.assertGreater(sent, 0.8 * rate * seconds)
        return (sent + 4999) // 10000 if rare_port else sent

    def answer_status(self):
        return json.loads(run_nfbus("status", "--json", "-s", self.bus, namespace=self.namespace).stdout)

    def answer_lose(self):
        """Fills the kernel's buffer while the host sleeps; returns how many packets were lost."""
        self.host.signal(signal.SIGSTOP)
        self.answer_packets([{"src": "192.0.2.10", "dst": "198.51.100.1"}], repeat=20000)
        self.host.signal(signal.SIGCONT)
        self.answer_packets([{"src": "192.0.2.10", "dst": "198.51.100.1"}])  # its number tells of those before it

        def lost():
            group = next(group for group in self.answer_status()["capture"] if group["group"] == 1)
            return group["received"] + group["lost"] == 20001 and group["lost"]

        return wait_until(lost, 20, "the loss to be counted")

    def answer_restart(self):
        self.host.stop()
        config = self.host.config_file.read_text()
        self.host.close()
        self.host = self.start(config)

    def answer_sleep(self):
        self.host.signal(signal.SIGSTOP)
        self.addCleanup(self.host.signal, signal.SIGCONT)

    def answer_wake(self):
        self.host.signal(signal.SIGCONT)

    def answer_writeRules(self, text):
        self.bus.with_name("notifications.json").write_text(text)

    def answer_cut(self):
        self.namespace.nft(CUT)

    def answer_mend(self):
        self.namespace.run("nft", "delete", "table", "inet", "cut")

    def answer_read(self, path):
        return pathlib.Path(path).read_text()

    def answer_tshark(self, path):
        shown = subprocess.run(["tshark", "-r", path, "-T", "fields", "-E", "separator= ", "-e", "ip.src", "-e", "tcp.srcport",
                                "-e", "ip.dst", "-e", "tcp.dstport"], capture_output=True, text=True, check=True)
        return shown.stdout.splitlines()

    def answer_token(self):
        return TOKEN

    def answer_rule(self, rule):
        self.namespace.run("curl", "-sf", "-X", "PUT", "-H", "Content-Type: application/json", "-d", json.dumps(rule),
                           f"http://127.0.0.1:{PORT}/rules")

    def answer_traffic(self):
        """Some of everything."""
        packets = []
        for i in range(120):
            blocked = i % 3 == 0
            packets.append({"src": f"192.0.2.{10 + i % 7}", "dst": f"{'198.51.100' if blocked else '203.0.113'}.{1 + i % 9}",
                            "proto": "udp" if i % 5 == 0 else "tcp", "sp": 40000 + i, "dp": (23, 53, 443, 80)[i % 4]})
        self.answer_packets(packets, pause_seconds=0.03)

    def answer_topics(self, count):
        with WireClient(self.bus) as client:
            for i in range(count):
                client.publish(f"app:{i:05d}:{'long' * 50}", "text")

    def answer_hostile(self):
        other = Namespace()
        self.addCleanup(other.close)
        self.namespace.connect(other, "<script>0", "eth0", mac=ROUTER_MAC, other_mac=HOSTILE_MAC)
        question = udp(5353, 53, dns_question("<script>alert(3)<\\script>.example"))
        send(self.lan, [frame({"src": "192.0.2.66", "dst": "203.0.113.1", "proto": "udp", "dp": 666}),
                        ethernet(LAN_MAC, ROUTER_MAC, 0x0800, ipv4("192.0.2.67", "203.0.113.1", UDP, question))], device="eth0")
        send(other, [frame({"src": "192.0.2.68", "dst": "203.0.113.1"}, HOSTILE_MAC)], device="eth0")
