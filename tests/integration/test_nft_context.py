'''The filter nftcontext: packets name the rule that logged them, whatever becomes of the ruleset meanwhile.'''

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import nfbustest
from nfbustest import NFBUS_BIN, children, end_process, read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import ask_status

RULES = """table inet filter {
    chain OUT { type filter hook output priority 0
        udp dport 7001 log prefix "Lan:Out " group 0 comment "guests"
        udp dport 7002 log prefix "lan:dns" group 0
        udp dport 7002 log prefix " LAN:DNS " group 0 comment "second"
        udp dport 7003 log prefix "lan:dns" group 1
    }
}"""

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
filters = ["context"]
[[capture]]
group = 1
filters = ["context"]
[filter.context]
plugin = "nftcontext"
[sink.lines]
plugin = "jsonl"
file = "@DIR@/lines"
format = "ulogd"
[sink.layers]
plugin = "jsonl"
file = "@DIR@/layers"
format = "packet"
"""


def to_port(port):
    return ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1024, port, b"x"))


class NftContext(nfbustest.IntegrationTest):
    def handles(self, chain="OUT"):
        """The handles of a chain's rules, in their order."""
        listed = self.namespace.run("nft", "-a", "list", "chain", "inet", "filter", chain).stdout
        return [int(number) for line in listed.splitlines() if "log" in line
                for number in re.findall(r"# handle (\d+)$", line)]

    def fields(self, host, file="lines"):
        """What the filter said of each packet, by its destination port; the last of each."""
        return {line["dest_port"]: line.get("Fields", {}) for line in read_json_lines(host.path(file))}

    def wait_for_fields(self, host, port, fields, file="lines"):
        """Sends packets to the port until one is told to have them."""

        def are_told():
            send(self.namespace, [to_port(port)])
            return self.fields(host, file).get(port) == fields

        wait_until(are_told, 20, f"{fields} of port {port}")

    def test_names_the_one_rule_of_a_prefix_and_group_or_those_that_it_may_have_been(self):
        self.namespace.nft(RULES)
        one, second, third, other_group = self.handles()
        host = self.start(CONFIG)
        send(self.namespace, [to_port(7001), to_port(7002), to_port(7003)])
        wait_until(lambda: len(read_json_lines(host.path("lines"))) == 4, 20, "the packets")
        wait_until(lambda: len(read_json_lines(host.path("layers"))) == 4, 20, "the packets")
        expected = {
            7001: {"rule": f'inet filter OUT handle {one} "guests"'},
            7002: {"rule_candidates": [f"inet filter OUT handle {second}",
                                       f'inet filter OUT handle {third} "second"']},
            7003: {"rule": f"inet filter OUT handle {other_group}"},
        }
        self.assertEqual(self.fields(host), expected)
        layers = {line["UDP"]["DstPort"]: line["Fields"] for line in read_json_lines(host.path("layers"))}
        self.assertEqual(layers, expected)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(host.logged_counters()["filters"]["context"]["annotated"], 4)

    def test_follows_the_ruleset(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG)
        one, second, third, _ = self.handles()
        self.wait_for_fields(host, 7001, {"rule": f'inet filter OUT handle {one} "guests"'})
        # Another rule takes its place.
        self.namespace.nft(f"delete rule inet filter OUT handle {one}\n"
                           'add rule inet filter OUT udp dport 7001 log prefix "lan:out " group 0')
        new = self.handles()[-1]
        self.wait_for_fields(host, 7001, {"rule": f"inet filter OUT handle {new}"})
        # A second one, of another table, logs alike: nobody knows which it was.
        self.namespace.nft('table ip more { chain OUT { udp dport 1 log prefix "LAN:OUT" group 0; }; }')
        self.wait_for_fields(host, 7001, {"rule_candidates": [f"inet filter OUT handle {new}",
                                                              "ip more OUT handle 2"]})
        self.namespace.nft("delete table ip more")
        self.wait_for_fields(host, 7001, {"rule": f"inet filter OUT handle {new}"})
        # One of two goes.
        self.namespace.nft(f"delete rule inet filter OUT handle {third}")
        self.wait_for_fields(host, 7002, {"rule": f"inet filter OUT handle {second}"})
        # What logs to another group by now is no candidate.
        self.namespace.nft(f'replace rule inet filter OUT handle {second} udp dport 7002 log prefix "lan:dns" group 1')
        _, other_group, _ = self.handles()
        self.wait_for_fields(host, 7002, {"rule_candidates": [f"inet filter OUT handle {second}",
                                                              f"inet filter OUT handle {other_group}"]})

    def test_a_reload_of_the_whole_ruleset_is_followed(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG)
        before = self.handles()[0]
        self.wait_for_fields(host, 7001, {"rule": f'inet filter OUT handle {before} "guests"'})
        self.namespace.nft("flush ruleset\n" + RULES.replace("chain OUT", "chain first { }\nchain OUT"))
        after = self.handles()[0]
        self.assertNotEqual(before, after)
        self.wait_for_fields(host, 7001, {"rule": f'inet filter OUT handle {after} "guests"'})

    def test_filters_of_several_sinks_share_a_part_and_each_sees_every_change(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG.replace('filters = ["context"]\n', "").replace(
            'plugin = "jsonl"', 'plugin = "jsonl"\nfilters = ["context"]').replace('"packet"', '"ulogd"'))
        parts = [child for child in children(host.process.pid)
                 if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("nfbus-nftcon")]
        self.assertEqual(len(parts), 1)
        for _ in range(3):
            handle = self.handles()[0]
            self.namespace.nft(f"delete rule inet filter OUT handle {handle}\n"
                               'insert rule inet filter OUT udp dport 7001 log prefix "lan:out " group 0')
            expected = {"rule": f"inet filter OUT handle {self.handles()[0]}"}
            self.wait_for_fields(host, 7001, expected, "lines")
            self.wait_for_fields(host, 7001, expected, "layers")

    def test_matches_and_tap_know_both_fields(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG + """
            [sink.second]
            plugin = "jsonl"
            file = "@DIR@/second"
            format = "ulogd"
            filters = ["second"]
            [filter.second]
            plugin = "match"
            keep = [{ rule_candidates = "*second*" }, { rule = "*guests*" }]
            """)
        one = self.handles()[0]
        tap = subprocess.Popen([NFBUS_BIN, "tap", "--json", "-n", "1", "--match", "rule=*handle* group=0", "-s",
                                host.path("bus.sock")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(end_process, tap)
        self.addCleanup(tap.stdout.close)
        wait_until(lambda: any(row["pid"] == tap.pid and row["topics"] not in ([], ["nfbus:status"])
                               for row in ask_status(host.path("bus.sock"))["clients"]), 20, "the tap")
        send(self.namespace, [to_port(7003), to_port(7002), to_port(7001)])
        out, _ = tap.communicate(timeout=20)
        self.assertIn(f"handle {one}", out.decode())
        wait_until(lambda: len(read_json_lines(host.path("second"))) == 3, 20, "what matches")
        self.assertEqual(sorted(line["dest_port"] for line in read_json_lines(host.path("second"))), [7001, 7002, 7002])

        wrong = host.path("wrong.toml")
        wrong.write_text(host.config_file.read_text().replace("rule_candidates =", "rule_candidate ="))
        done = run_nfbus("check", "-c", wrong)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rule_candidate", done.stdout)
        done = run_nfbus("check", "-c", host.config_file)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_thousands_of_rules_are_known_and_a_change_among_them_is_seen(self):
        many = "\n".join(f'udp dport {port} log prefix "many:{port} " group 2 comment "number {port}"'
                         for port in range(10_000, 13_000))
        self.namespace.nft(RULES + "\ntable inet many { chain every {\n" + many + "\n}\n}")
        host = self.start(CONFIG)
        one = self.handles()[0]
        self.wait_for_fields(host, 7001, {"rule": f'inet filter OUT handle {one} "guests"'})
        self.namespace.nft('add rule inet many every log prefix "lan:out" group 0')
        added = len(many.splitlines()) + 2  # the chain is the first
        self.wait_for_fields(host, 7001, {"rule_candidates": [f'inet filter OUT handle {one} "guests"',
                                                              f"inet many every handle {added}"]})
        # More that share a prefix than a field takes.
        alike = "\n".join('add rule inet many every log prefix "lan:out" group 0' for _ in range(500))
        self.namespace.nft(alike)

        def is_full():
            send(self.namespace, [to_port(7001)])
            return len(self.fields(host).get(7001, {}).get("rule_candidates", [])) > 50

        wait_until(is_full, 20, "many candidates")
        self.assertLess(len(self.fields(host)[7001]["rule_candidates"]), 502)
        self.assertEqual(host.counters()["filters"]["context"]["failures"], 0)

    def test_without_its_part_it_says_so_and_packets_go_on(self):
        self.namespace.nft(RULES)
        # The configuration is another user's: nothing with a capability runs for it.
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, folder)
        config = folder / "nfbus.toml"
        config.write_text("[host]\nuser = \"nobody\"\n" + CONFIG.replace("@DIR@", str(folder)))
        for path in (folder, config):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
            path.chmod(0o755)
        said = folder / "said"
        with said.open("wb") as log:
            process = self.namespace.popen(NFBUS_BIN, "run", "-c", config, stdout=subprocess.DEVNULL, stderr=log)
        wait_until(lambda: "ready:" in said.read_text(), 20, "the host")
        send(self.namespace, [to_port(7001)])
        wait_until(lambda: read_json_lines(folder / "lines"), 20, "the packet")
        self.assertNotIn("Fields", read_json_lines(folder / "lines")[0])
        self.assertEqual(end_process(process), 0)
        self.assertRegex(said.read_text(), r"warning: filter\.context: packets are without their rule: its privileged "
                                           r"part does not run: others than root can change the configuration")

    def test_a_part_that_ends_leaves_no_rule_that_may_be_wrong(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG)
        self.wait_for_fields(host, 7003, {"rule": f"inet filter OUT handle {self.handles()[3]}"})
        part = next(child for child in children(host.process.pid)
                    if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("nfbus-nftcon"))
        os.kill(part, 9)
        host.wait_for(r"filter\.context: packets are without their rule: .* has ended", 20)
        self.wait_for_fields(host, 7003, {})


if __name__ == "__main__":
    nfbustest.main()
