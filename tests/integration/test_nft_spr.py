'''configs/spr.toml on a router: the rules that SPR had when the mission's script was written, and those it has now.'''

import socket
import sys

import nfbustest
import nftest
from nfbustest import Namespace, read_json_lines, wait_until

CONFIG = nfbustest.REPOSITORY / "configs/spr.toml"

LAN, WAN = "02:00:00:00:00:01", "02:00:00:00:00:02"

# The shape of it; the statements are those that the mission document names.
OLD = """
table inet filter {
  map ethernet_filter { type ipv4_addr . ifname . ether_addr : verdict; elements = { 192.0.2.2 . "lan0" . 02:00:00:00:00:01 : return } }
  map internet_access { type ipv4_addr . ifname : verdict; elements = { 192.0.2.2 . "lan0" : accept } }
  chain INPUT {
    type filter hook input priority 0; policy drop;
    iif lo counter accept
    iifname "lan0" jump DROP_MAC_SPOOF
    counter jump F_EST_RELATED
    udp dport 53 counter accept
    counter goto DROPLOGINP
  }
  chain FORWARD {
    type filter hook forward priority 0; policy drop;
    iifname "lan0" jump DROP_MAC_SPOOF
    counter jump F_EST_RELATED
    counter oifname "wg0" ip saddr . iifname vmap @internet_access
    counter oifname "eth0" udp dport 4000-4999 ip saddr . iifname vmap @internet_access
    counter goto DROPLOGFWD
  }
  chain PFWDROPLOG {
    counter log prefix "DRP:PFW "
    counter drop
  }
  chain DROPLOGFWD {
    counter log prefix "DRP:FWD "
    counter drop
  }
  chain DROPLOGINP {
    counter log prefix "DRP:INP "
    counter drop
  }
  chain F_EST_RELATED {
    ct state related,established counter accept
  }
  chain DROP_MAC_SPOOF {
    counter ip saddr . iifname . ether saddr vmap @ethernet_filter
    counter log prefix "DRP:MAC "
    counter drop
  }
}
"""

# As SPR writes them since: each prefix and group stands in its own rules.
PRESENT = (OLD.replace('log prefix "DRP:PFW "', 'log prefix "drop:pfw " group 1')
           .replace('log prefix "DRP:FWD "', 'log prefix "drop:forward " group 1')
           .replace('log prefix "DRP:INP "', 'log prefix "drop:input " group 1')
           .replace('log prefix "DRP:MAC "', 'log prefix "drop:mac " group 1')
           .replace('iif lo counter accept\n', 'iif lo counter accept\n    iifname != "eth0" log prefix "lan:in " group 0\n')
           .replace('counter oifname "wg0"', 'oifname "eth0" log prefix "wan:out " group 0\n    counter oifname "wg0"'))


class Spr(nftest.NftTest):
    def setUp(self):
        super().setUp()
        text = CONFIG.read_text()
        for path, name in (("/run/nfbus/server.sock", "bus.sock"), ("/var/log/nfbus/packets.json", "packets.json")):
            self.assertIn(path, text)
            text = text.replace(path, f"{self.folder}/{name}")
        text = text.replace('plugin  = "nftrules"', f'plugin  = "nftrules"\nstate_dir = "{self.folder}/state"')
        self.config = text

    def build(self, rules):
        """A router with a client at lan0 and a server at eth0."""
        self.client, self.server = Namespace(), Namespace()
        self.addCleanup(self.client.close)
        self.addCleanup(self.server.close)
        router = self.namespace
        router.connect(self.client, "lan0", "c0", "02:00:00:00:00:0a", LAN)
        router.connect(self.server, "eth0", "s0", "02:00:00:00:00:0b", WAN)
        for namespace, device, address in ((router, "lan0", "192.0.2.1"), (self.client, "c0", "192.0.2.2"),
                                           (router, "eth0", "198.51.100.1"), (self.server, "s0", "198.51.100.2")):
            namespace.run("ip", "address", "add", f"{address}/24", "dev", device)
        self.client.run("ip", "route", "add", "default", "via", "192.0.2.1")
        self.server.run("ip", "route", "add", "default", "via", "198.51.100.1")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.nft(rules)

    def send(self, address, port, source=None):
        with self.client.socket(socket.SOCK_DGRAM) as sender:
            if source:
                sender.bind((source, 0))
            sender.sendto(b"x", (address, port))

    def seen(self):
        """How often each prefix was seen with which action, of the packets that this test sends."""
        out = {}
        for packet in read_json_lines(self.folder / "packets.json"):
            if packet.get("dest_port") in (7, 53, 4001, 5001, 5002):
                key = (packet["oob.prefix"], packet["action"], packet["dest_port"])
                out[key] = out.get(key, 0) + 1
        return out

    def test_old_rules_log_as_the_missions_script_made_them_and_are_as_before_at_the_end(self):
        self.build(OLD)
        before = self.ruleset()
        host = self.start(self.config)
        self.config_file = host.config_file
        self.assertEqual(self.nft("plan").returncode, 0, "all is applied")
        receiver = self.server.socket(socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(("198.51.100.2", 4001))
        receiver.settimeout(10)
        self.send("198.51.100.2", 4001)  # may go out
        self.assertEqual(receiver.recv(1), b"x")
        self.send("198.51.100.2", 5001)  # may not
        self.send("192.0.2.1", 53)       # may come in
        self.send("192.0.2.1", 7)        # may not
        self.client.run("ip", "link", "set", "c0", "address", "02:00:00:00:00:99")
        self.client.run("ip", "neigh", "replace", "192.0.2.1", "lladdr", "02:00:00:00:00:0a", "dev", "c0")
        self.send("198.51.100.2", 5002)  # is not who it says
        expected = {("wan:out ", "allowed", 4001): 1, ("drop:forward ", "blocked", 5001): 1, ("lan:in ", "allowed", 53): 1,
                    ("lan:in ", "allowed", 7): 1, ("drop:input ", "blocked", 7): 1, ("drop:mac ", "blocked", 5002): 1,
                    ("wan:out ", "allowed", 5001): 1}
        wait_until(lambda: len(self.seen()) >= len(expected), 15, "the packets")
        self.assertEqual(self.seen(), expected)
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(self.ruleset(), before)

    def test_present_rules_log_so_already(self):
        self.build(PRESENT)
        before = self.ruleset()
        self.config_file.write_text(self.config)
        self.config_file.chmod(0o644)
        plan = self.nft("plan")
        self.assertEqual((plan.returncode, plan.stderr), (0, ""), plan.stdout)
        self.assertEqual(plan.stdout.count(" already\n"), 5, plan.stdout)
        apply = self.nft("apply")
        self.assertEqual(apply.returncode, 0)
        self.assertIn("Nothing to do.", apply.stdout)
        self.assertEqual(self.ruleset(), before)


if __name__ == "__main__":
    nfbustest.main()
