'''A host that bans, the networks beside it, and what its sets hold.'''

import json

import nfbustest
from nfbustest import run_nfbus, wait_until
from packets import UDP, ipv4, ipv6, send, udp
from wire_client import WireClient

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"

[[capture]]
group = 1

[sink.rules]
plugin = "nftrules"
topics = ["ban:"]
state_dir = "@DIR@/state"
"""

# Bans into the table of our own.
OWN = CONFIG + """
accept_messages = true
allow = ["10.9.1.0/24"]

[[sink.rules.ban]]
name = "bad"
ttl = "10m"
"""


class BanTest(nfbustest.IntegrationTest):
    def start_bans(self, config=OWN):
        self.host = self.start(config)
        self.bus = self.host.path("bus.sock")
        self.client = WireClient(self.bus)
        self.addCleanup(self.client.close)
        self.client.subscribe("nftban:")
        self.client.settle()

    def change(self):
        """The next change that is published: (set, its fields)."""
        topic, value = self.client.next_event()
        self.assertTrue(topic.startswith("nftban:"), topic)
        return topic.removeprefix("nftban:"), json.loads(value)

    def ban(self, address, set_name="", **fields):
        """Bans by a message, and returns what came of it."""
        self.client.publish("ban:" + set_name, json.dumps({"address": address, **fields}))
        return self.change()[1]

    def elements(self, name="bad_v4", table="inet nfbus_bans"):
        """Address -> seconds left, of a set."""
        listed = json.loads(self.namespace.run("nft", "-j", "list", "set", *table.split(), name).stdout)
        found = {}
        for element in listed["nftables"][1]["set"].get("elem", []):
            element = element["elem"] if isinstance(element, dict) else {"val": element, "expires": None}
            found[element["val"]] = element["expires"]
        return found

    def command(self, *arguments, status=0):
        done = run_nfbus("nft", *arguments, "-c", self.host.config_file, namespace=self.namespace)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def connect_peer(self):
        """A namespace with 10.9.0.2, 10.9.1.2 and fd00:9::2, beside ours with .1."""
        self.peer = nfbustest.Namespace()
        self.addCleanup(self.peer.close)
        self.namespace.connect(self.peer, "here", "there", mac="02:00:00:00:00:01")
        for namespace, device, last in ((self.namespace, "here", 1), (self.peer, "there", 2)):
            for address in (f"10.9.0.{last}/24", f"10.9.1.{last}/24", f"fd00:9::{last}/64", f"fd00:9:1::{last}/64"):
                namespace.run("ip", "address", "add", address, "dev", device,
                              *(["nodad"] if ":" in address else []))
        for address in ("10.9.0.1", "fd00:9::1"):  # else packets wait for its resolution, and come in another order
            self.peer.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:01", "dev", "there", "nud",
                          "permanent")

    def judge(self, *sources):
        """Counts what gets through from each of these addresses, and from 10.9.1.2."""
        rules = "\n".join(f'{"ip6" if ":" in source else "ip"} saddr {source} counter comment "{source}"'
                          for source in (*sources, "10.9.1.2"))
        self.namespace.nft("table inet judge { chain input { type filter hook input priority 10; " + rules + "\n}\n}")

    def counted(self):
        # Of this chain alone: nft 1.0.6 writes what is no JSON of a table that has an owner.
        listed = json.loads(self.namespace.run("nft", "-j", "list", "chain", "inet", "judge", "input").stdout)
        rules = [item["rule"] for item in listed["nftables"] if "rule" in item]
        return {rule["comment"]: rule["expr"][1]["counter"]["packets"] for rule in rules}

    def passed(self, source, count=1, port=22):
        """How many of so many packets from an address of the peer's get through; what was sent behind them did."""
        to = "fd00:9::1" if ":" in source else "10.9.0.1"
        ip = ipv6 if ":" in source else ipv4
        before = self.counted()
        packets = [ip(source, to, UDP, udp(1000 + number, port)) for number in range(count)]
        send(self.peer, [*packets, ipv4("10.9.1.2", "10.9.0.1", UDP, udp(1, 2))])
        wait_until(lambda: self.counted()["10.9.1.2"] > before["10.9.1.2"], 10, "the marker")
        return self.counted()[source] - before[source]
