'''The filters of [bus]: what clients of the socket do not get, sinks and the counters do; and the lines that README.md shows
keep what has no IP layer from clients that die of it.'''

import json
import pathlib
import re
import signal

import nfbustest
from nfbustest import Namespace, read_json_lines, run_nfbus, wait_until
from packets import UDP, arp, ethernet, ipv4, ipv6, send, udp
from wire_client import WireClient, ask_status

NEAR, FAR = "02:00:00:00:00:01", "02:00:00:00:00:02"
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"

RULES = """table netdev d { chain c { type filter hook ingress device lan0 priority 0;
    ether saddr 02:00:00:00:00:02 log prefix "lan:in " group 1
}
}"""

CAPTURE = """
[[capture]]
group = 1
latency_ms = 0
"""


def lines_of_readme():
    '''The configuration that README.md shows for this.'''
    found = re.search(r"(?m)^    \[bus\]\n    filters .*\n\n    \[filter\.ip_only\]\n(    .*\n)+", README.read_text())
    return found[0].replace("\n    ", "\n").strip() + "\n"


class BusFilters(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.far = Namespace()
        self.addCleanup(self.far.close)
        self.namespace.connect(self.far, "lan0", "far0", mac=NEAR, other_mac=FAR)
        self.namespace.nft(RULES)
        self.sent = 0

    def send(self, kinds, port):
        '''Frames from the other end, then one UDP packet to `port`, which ends them.'''
        frames = {
            "arp": ethernet(FAR, NEAR, 0x0806, arp(1, FAR, "192.0.2.2", NEAR, "192.0.2.1")),
            "lldp": ethernet(FAR, NEAR, 0x88CC, b"\x02\x07\x04" + bytes(40)),
            "broken": ethernet(FAR, NEAR, 0x0800, b"\x95" + bytes(40)),
            "cut": ethernet(FAR, NEAR, 0x0800, b"\x45\0\0"),
            "ipv4": ethernet(FAR, NEAR, 0x0800, ipv4("192.0.2.2", "192.0.2.1", UDP, udp(5, 1001))),
            "ipv6": ethernet(FAR, NEAR, 0x86DD, ipv6("2001:db8::2", "2001:db8::1", UDP, udp(5, 1002))),
            "fragment": ethernet(FAR, NEAR, 0x0800, ipv4("192.0.2.2", "192.0.2.1", UDP, udp(5, 1003), fragment=0x2001)),
        }
        last = ethernet(FAR, NEAR, 0x0800, ipv4("192.0.2.2", "192.0.2.1", UDP, udp(5, port)))
        send(self.far, [frames[kind] for kind in kinds] + [last], device="far0")
        self.sent += len(kinds) + 1

    def start_with(self, bus, more=""):
        host = self.start(f"[bus]\nsocket = '@DIR@/sock'\n{bus}\n" + CAPTURE + more +
                          "[sink.all]\nplugin = 'jsonl'\nfile = '@DIR@/all'\nformat = 'packet'\n")
        self.client = WireClient(host.path("sock"))
        self.addCleanup(self.client.close)
        self.client.subscribe("nft:")
        self.client.settle()
        return host

    def packets_until(self, port):
        '''What the client got, the packet to `port` last.'''
        values = []
        while not values or values[-1].get("UDP", {}).get("DstPort") != port:
            topic, value = self.client.next_event()
            values.append(json.loads(value))
        return values

    def wait_for_sink(self, host):
        wait_until(lambda: host.counters()["sinks"]["all"]["delivered"] == self.sent, 10, "the sink")

    def test_the_lines_of_the_readme_keep_what_has_no_ip_layer_from_clients(self):
        shown = lines_of_readme()
        bus, filters = shown.split("\n\n", 1)
        host = self.start_with(bus.removeprefix("[bus]\n"), filters)
        self.send(["arp", "ipv4", "lldp", "ipv6", "broken", "cut", "fragment"], 2001)
        got = self.packets_until(2001)
        self.assertEqual(len(got), 4)
        for packet in got:
            self.assertIn("IP", packet)
        self.wait_for_sink(host)
        self.assertEqual(len(read_json_lines(host.path("all"))), 8)
        status = ask_status(host.path("sock"))
        self.assertEqual(status["bus"]["filtered"], 4)
        self.assertEqual([f["name"] for f in status["bus"]["filters"]], ["ip_only"])
        table = run_nfbus("status", "-s", host.path("sock")).stdout
        self.assertRegex(table, r"\nbus\n +filtered\n +4\n")
        self.assertRegex(table, r"ip_only +match +bus ")
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertIn("info: bus filtered=4\n", host.stderr)

    def test_without_filters_all_packets_come_and_none_is_counted(self):
        host = self.start_with("")
        self.send(["arp", "lldp", "ipv4"], 2001)
        self.assertEqual(len(self.packets_until(2001)), 4)
        self.assertEqual(ask_status(host.path("sock"))["bus"], {"filtered": 0, "filters": []})
        self.assertNotIn("\nbus\n", run_nfbus("status", "-s", host.path("sock")).stdout)

    def test_what_nobody_wants_is_not_counted_and_messages_pass(self):
        drop_all = '[filter.none]\nplugin = "match"\ndrop = [{ topic = "*" }]\n'
        host = self.start_with('filters = ["none"]', drop_all)
        with WireClient(host.path("sock")) as other:
            other.subscribe("web:")
            other.settle()
            self.client.publish("web:click", "1")
            self.assertEqual(other.next_event(), ("web:click", "1"))
        self.client.close()
        wait_until(lambda: ask_status(host.path("sock"))["clients_total"]["connected"] == 1, 10, "the client's end")
        self.send(["arp"], 2001)
        self.wait_for_sink(host)
        self.assertEqual(ask_status(host.path("sock"))["bus"]["filtered"], 0)

    def test_tap_goes_through_them_too(self):
        host = self.start_with('filters = ["ip"]', '[filter.ip]\nplugin = "match"\nkeep = [{ proto = "udp" }]\n')
        self.send(["arp", "lldp"], 2001)
        self.packets_until(2001)
        tap = self.namespace.popen(nfbustest.NFBUS_BIN, "tap", "-s", host.path("sock"), "-n", "1", stdout=-1, text=True)
        self.addCleanup(nfbustest.end_process, tap)
        wait_until(lambda: ask_status(host.path("sock"))["clients_total"]["connected"] == 3, 10, "tap")
        wait_until(lambda: any(c["topics"] for c in ask_status(host.path("sock"))["clients"] if c["id"] != 1), 10, "tap")
        self.send(["arp"], 2002)
        self.assertIn("2002", tap.communicate(timeout=10)[0])

    def test_a_reload_replaces_them_and_a_wrong_one_does_not(self):
        host = self.start_with("")
        config = host.config_file.read_text()
        arp_only = '[filter.no_arp]\nplugin = "match"\ndrop = [{ family = "arp" }]\n'

        def reload(text, said):
            host.config_file.write_text(text)
            host.signal(signal.SIGHUP)
            host.wait_for(said)

        with_filter = config.replace("[bus]\n", '[bus]\nfilters = ["no_arp"]\n') + arp_only
        reload(with_filter, "info: reloaded:")
        self.assertNotIn("take effect at the next start", host.stderr)
        self.send(["arp", "lldp"], 2001)
        self.assertEqual(len(self.packets_until(2001)), 2)
        reload(with_filter.replace('"no_arp"]', '"no_arpp"]'), r'there is no \[filter.no_arpp\]; did you mean "?no_arp')
        self.send(["arp"], 2002)
        self.assertEqual(len(self.packets_until(2002)), 1)
        before = host.stderr.count("info: reloaded:")
        host.config_file.write_text(config)
        host.signal(signal.SIGHUP)
        wait_until(lambda: host.stderr.count("info: reloaded:") > before, 10, "the reload")
        self.send(["arp"], 2003)
        self.assertEqual(len(self.packets_until(2003)), 2)
        self.assertEqual(ask_status(host.path("sock"))["bus"], {"filtered": 2, "filters": []})

    def test_what_a_filter_adds_clients_alone_see(self):
        host = self.start_with('filters = ["noted"]',
                               f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n[filter.noted]\n'
                               'plugin = "filter_annotates"\nvalue = "here"\n')
        self.send([], 2001)
        self.assertEqual(self.packets_until(2001)[0]["Fields"], {"note": "here"})
        self.wait_for_sink(host)
        self.assertNotIn("here", pathlib.Path(host.path("all")).read_text())

    def test_an_unknown_name_is_a_mistake_with_its_place(self):
        path = pathlib.Path(self.start_with("").directory) / "wrong.toml"
        path.write_text('[bus]\nfilters = ["quite"]\n[[capture]]\ngroup = 1\n[filter.quiet]\nplugin = "match"\n')
        done = run_nfbus("check", "-c", path)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr + done.stdout,
                         r':2:12: bus.filters\[0\]: there is no \[filter.quite\].*did you mean "?quiet')


if __name__ == "__main__":
    nfbustest.main()
