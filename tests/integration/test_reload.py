'''SIGHUP and `nfbus reload`: the configuration is read again, and only what differs, or has failed, notices.'''

import pathlib
import shutil
import signal
import tempfile

import nfbustest
from nfbustest import read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

CAPTURE = """
[[capture]]
group = 0
"""

STAYS = """
[sink.stays]
plugin = "jsonl"
file = "@DIR@/stays"
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 counter log prefix "lan:in " group 0;
}
}"""


def sink(name, file):
    return f'[sink.{name}]\nplugin = "jsonl"\nfile = "@DIR@/{file}"\n'


class Reload(nfbustest.IntegrationTest):
    def reload(self, host, config, expected=r"info: reloaded:"):
        said = host.stderr.count("reloaded:") + host.stderr.count("stays as it was")
        host.config_file.write_text(config.replace("@DIR@", str(host.directory)))
        host.signal(signal.SIGHUP)
        wait_until(lambda: host.stderr.count("reloaded:") + host.stderr.count("stays as it was") > said, 10, "the reload")
        host.wait_for(expected)

    def packets(self, host, count, sinks):
        """Sends packets and waits until each of the sinks has so many more."""
        before = {name: host.counters()["sinks"][name]["delivered"] for name in sinks}
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))], repeat=count)
        for name in sinks:
            wait_until(lambda: host.counters()["sinks"][name]["delivered"] == before[name] + count, 10, name)

    def test_sinks_come_go_and_change_while_the_others_lose_nothing(self):
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + STAYS + sink("goes", "goes") + sink("changes", "old"))
        self.packets(host, 10, ["stays", "goes", "changes"])
        self.reload(host, "# a line that moves the others\n" + CAPTURE + STAYS + sink("changes", "new") + sink("comes", "comes"))
        self.packets(host, 10, ["stays", "changes", "comes"])
        self.assertEqual(host.stop(), 0)
        lines = {name: len(read_json_lines(host.path(name))) for name in ("stays", "goes", "old", "new", "comes")}
        self.assertEqual(lines, {"stays": 20, "goes": 10, "old": 10, "new": 10, "comes": 10})
        self.assertRegex(host.stderr, r"sink name=goes .* state=stopped published=10 delivered=10 ")
        self.assertEqual(host.logged_counters()["capture"][0]["lost"], 0)

    def test_a_wrong_file_changes_nothing_and_says_where(self):
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + STAYS)
        self.reload(host, CAPTURE + STAYS + "fil = 1\n", r"nfbus\.toml:8:1: sink\.stays\.fil: ")
        self.packets(host, 5, ["stays"])
        self.assertIn("the configuration stays as it was", host.stderr)

    def test_what_a_plugin_finds_wrong_changes_nothing_either(self):
        pcap = '[sink.changes]\nplugin = "pcap"\nfile = "@DIR@/changes"\n'
        self.namespace.nft(RULES)
        host = self.start(CAPTURE + STAYS + pcap)
        self.reload(host, CAPTURE + STAYS + pcap + "max_files = 1\n" + sink("comes", "comes"),
                    r"nfbus\.toml:8:1: sink\.changes: max_files, .* set rotate_bytes")
        self.assertIn("the configuration stays as it was", host.stderr)
        self.packets(host, 5, ["stays", "changes"])
        self.assertNotIn("comes", host.counters()["sinks"])
        self.assertFalse(host.path("comes").exists())
        self.reload(host, CAPTURE + STAYS + pcap + "rotate_packets = 1\n")
        self.packets(host, 5, ["stays", "changes"])

    def ask(self, host, config=None):
        """What `nfbus reload` says of a configuration: its exit status and its standard error."""
        if config is not None:
            host.config_file.write_text(config.replace("@DIR@", str(host.directory)))
        done = run_nfbus("reload", "-s", host.path("bus.sock"))
        return done.returncode, done.stderr

    def test_the_command_waits_for_the_outcome_and_tells_it(self):
        bus = '[bus]\nsocket = "@DIR@/bus.sock"\n'
        self.namespace.nft(RULES)
        host = self.start(bus + CAPTURE + STAYS)
        status, said = self.ask(host, bus + CAPTURE + STAYS + sink("comes", "comes"))
        self.assertEqual((status, said), (0, "nfbus: info: reloaded\n"))
        self.assertIn("comes", host.counters()["sinks"], "it waited")
        status, said = self.ask(host, bus + CAPTURE + STAYS + sink("comes", "comes") + "fil = 1\nfi = 2\n")
        self.assertEqual(status, 78)
        self.assertRegex(said, r"nfbus\.toml:\d+:1: sink\.comes\.fil: [^\n]*\n[^\n]*sink\.comes\.fi: ")
        self.assertIn("the configuration stays as it was", said)
        self.packets(host, 5, ["stays", "comes"])
        host.config_file.unlink()
        status, said = self.ask(host)
        self.assertEqual(status, 78)
        self.assertIn("nfbus.toml", said)
        self.assertEqual(host.stop(), 0)
        status, said = self.ask(host)
        self.assertEqual(status, 1)
        self.assertIn("bus.sock", said)

    def test_a_sink_that_has_failed_comes_back(self):
        bad = '[sink.bad]\nplugin = "fails"\n'
        head = f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n'
        self.namespace.nft(RULES)
        host = self.start(head + CAPTURE + STAYS + bad)
        self.packets(host, 1, ["stays"])
        host.wait_for(r"sink\.bad: closed for good")
        self.reload(host, head + CAPTURE + STAYS + bad, r"info: sink\.bad had failed: it is made anew")
        self.assertEqual(host.counters()["sinks"]["bad"]["state"], "running")
        self.packets(host, 1, ["stays"])
        wait_until(lambda: host.counters()["sinks"]["bad"]["state"] == "failed", 10, "the next failure")

    def test_filters_of_captures_come_change_and_go_while_no_packet_is_lost(self):
        head = f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n'
        counts = '[sink.counts]\nplugin = "noop"\n'
        drop = '[filter.few]\nplugin = "match"\ndrop = [{ dport = 7001 }]\n'
        captures = {"none": "\n[[capture]]\ngroup = 0\n",
                    "few": '\n[[capture]]\ngroup = 0\nfilters = ["few"]\n'}
        self.namespace.nft(RULES.replace("}\n}", 'udp dport 7002 log prefix "lan:out " group 0;\n}\n}'))
        host = self.start(head + captures["none"] + counts)

        def delivered():
            return host.counters()["sinks"]["counts"]["delivered"]

        def pass_both():
            before = host.counters()["capture"][0]["received"]
            for port in (7001, 7002):
                send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, port))], repeat=5)
            wait_until(lambda: host.counters()["capture"][0]["received"] == before + 10, 10, "the packets")

        pass_both()
        wait_until(lambda: delivered() == 10, 10, "all")
        self.reload(host, head + captures["few"] + drop + counts)
        pass_both()
        wait_until(lambda: delivered() == 15, 10, "those of 7002")
        self.reload(host, head + captures["few"] + drop.replace("7001", "[7001, 7002]") + counts)
        pass_both()
        wait_until(lambda: host.counters()["capture"][0]["filtered"] == 15, 10, "all to be dropped")
        self.reload(host, head + captures["few"] + drop.replace("dport", "dprt") + counts, "stays as it was")
        pass_both()
        wait_until(lambda: host.counters()["capture"][0]["filtered"] == 25, 10, "all to be dropped")
        self.reload(host, head + captures["none"] + counts)
        pass_both()
        wait_until(lambda: delivered() == 25, 10, "all again")
        self.assertNotIn("take effect at the next start", host.stderr)
        self.assertEqual(host.stop(), 0)
        row = host.logged_counters()["capture"][0]
        self.assertEqual((row["received"], row["lost"], row["filtered"], row["published"]), (50, 0, 25, 25))

    def test_a_mistake_in_a_filter_of_the_bus_leaves_the_filters_of_captures_alone(self):
        bus = '[bus]\nsocket = "@DIR@/bus.sock"\n'
        drops = '[[capture]]\ngroup = 0\nfilters = ["few"]\n[filter.few]\nplugin = "match"\ndrop = [{ dport = 7001 }]\n'
        bad = 'filters = ["bad"]\n[filter.bad]\nplugin = "dnsnames"\nmin_ttl_s = 100\nmax_ttl_s = 10\n'
        self.namespace.nft(RULES)
        host = self.start(bus + CAPTURE + STAYS)
        self.reload(host, bus + bad + drops + STAYS, r"filter\.bad.*min_ttl_s is larger than max_ttl_s")
        self.assertIn("the configuration stays as it was", host.stderr)
        self.packets(host, 5, ["stays"])
        self.assertEqual(host.counters()["capture"][0]["filtered"], 0)

    def test_a_plugin_that_was_replaced_is_taken_up_and_named(self):
        with tempfile.TemporaryDirectory() as folder:
            counts = nfbustest.TEST_PLUGINS / "noop.so"
            here = pathlib.Path(folder, "mine.so")
            shutil.copy(counts, here)
            config = (f'[host]\nplugin_dirs = ["{folder}"]\n' + CAPTURE + STAYS + '[sink.mine]\nplugin = "noop"\n')
            self.namespace.nft(RULES)
            host = self.start(config)
            self.packets(host, 3, ["stays", "mine"])
            self.reload(host, config)
            self.assertNotIn("another library", host.stderr)
            shutil.copy(counts, here.with_suffix(".new"))
            here.with_suffix(".new").rename(here)
            self.reload(host, config, rf"info: plugin noop: {here} is another library than before")
            self.packets(host, 4, ["stays", "mine"])
            self.assertEqual(host.counters()["sinks"]["mine"]["delivered"], 4, "made anew")
            self.assertEqual(host.counters()["sinks"]["stays"]["delivered"], 7)

    def test_a_plugin_that_came_after_the_start_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            plugins = f'[host]\nplugin_dirs = ["{folder}"]\n'
            self.namespace.nft(RULES)
            host = self.start(plugins + CAPTURE + STAYS)
            shutil.copy(nfbustest.TEST_PLUGINS / "noop.so", folder)
            self.reload(host, plugins + CAPTURE + STAYS + '[sink.late]\nplugin = "noop"\n')
            self.packets(host, 5, ["stays", "late"])

    def test_what_needs_a_restart_is_said(self):
        host = self.start(CAPTURE + STAYS)
        self.reload(host, CAPTURE.replace("group = 0", 'group = 5\naction = "allowed"') + STAYS)
        self.assertIn("take effect at the next start", host.stderr)

    def test_a_sink_that_hangs_is_left_behind(self):
        plugins = f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n'
        self.namespace.nft(RULES)
        host = self.start(plugins + CAPTURE + STAYS + '[sink.stuck]\nplugin = "hangs"\n')
        self.packets(host, 5, ["stays"])
        self.reload(host, plugins + CAPTURE + STAYS, r"sink\.stuck: its plugin does not return")
        self.packets(host, 5, ["stays"])
        self.assertEqual(host.stop(), 1)


if __name__ == "__main__":
    nfbustest.main()
