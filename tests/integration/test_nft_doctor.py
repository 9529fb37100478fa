'''What `nfbus doctor` finds in the rules around the sink nftrules; what it says to do, works.'''

import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
import threading

import nfbustest
from nfbustest import NFBUS_BIN

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 1
[sink.rules]
plugin = "nftrules"
topics = ["nothing:"]
state_dir = "@DIR@/state"
"""

TAKES_ALL = """
[sink.all]
plugin = "jsonl"
file = "@DIR@/all"
"""

TABLE = """table inet filter {
    set lan { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
    chain input { type filter hook input priority 0
@RULES@
    }
    chain output { type filter hook output priority 0
        log prefix "lan:out " group 1
    }
}"""


class NftDoctor(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)

    def load(self, *rules):
        self.namespace.nft("flush ruleset\n" + TABLE.replace("@RULES@", "\n".join(rules)))

    def doctor(self, config=CONFIG + TAKES_ALL, command=(), instances=frozenset(["sink.rules"])):
        """Its exit status, and its findings as {text: fix}."""
        path = self.folder / "nfbus.toml"
        path.write_text(config.replace("@DIR@", str(self.folder)))
        path.chmod(0o644)
        done = self.namespace.run(*command, NFBUS_BIN, "doctor", "--json", "-c", path, check=False)
        self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
        findings = json.loads(done.stdout)["findings"]
        self.assertLessEqual({finding["instance"] for finding in findings}, instances)
        return done.returncode, {finding["text"]: finding["fix"] for finding in findings}

    def listed(self):
        """The rules of the chain, without the values of counters."""
        text = self.namespace.run("nft", "-s", "list", "chain", "inet", "filter", "input").stdout
        return [line.strip() for line in text.splitlines()[3:-2]]

    def follow(self, findings):
        """Gives the commands that the findings' fixes begin with."""
        for fix in findings.values():
            if command := re.match(r"nft '[^']*'", fix):
                self.namespace.run("sh", "-c", command[0])

    def test_finds_nothing_in_a_clean_ruleset(self):
        self.load('tcp dport 22 log prefix "lan:in " group 1',
                  "limit rate 10/second accept",
                  'limit rate 10/second log prefix "drop:in " group 1', "drop",
                  'limit rate over 10/second log prefix "over " group 1 drop', "log level audit")
        status, findings = self.doctor()
        self.assertEqual((status, findings), (0, {}))

    def test_rules_that_log_to_syslog_are_mended_by_the_command_that_it_gives(self):
        self.load('iifname "lan0" ip saddr @lan tcp dport { 22, 80 } counter log prefix "Drop:In " drop comment "see log"',
                  'log prefix "info " level info flags all accept')
        status, findings = self.doctor()
        self.assertEqual(status, 1)
        self.assertEqual(len(findings), 2)
        for text in findings:
            self.assertRegex(text, r"^inet filter input handle \d+ logs \"(Drop:In|info) \" to syslog")
        self.follow(findings)
        self.assertEqual(self.listed(), [
            'iifname "lan0" ip saddr @lan tcp dport { 22, 80 } counter log prefix "Drop:In " group 1 drop '
            'comment "see log"', 'log prefix "info " group 1 accept'])
        status, findings = self.doctor()
        self.assertEqual(status, 0)

    def test_the_block_that_it_gives_for_such_a_rule_is_one_that_nfbus_takes(self):
        self.load('log prefix "Drop:In "')
        _, findings = self.doctor()
        block = re.search(r"or (\[\[sink\.rules\.rewrite\]\]) with (.*)$", list(findings.values())[0])
        keys = re.sub(r", (\w+ = )", r"\n\1", block[2])
        config = CONFIG + TAKES_ALL + block[1] + "\n" + keys + "\n"
        status, findings = self.doctor(config)
        self.assertEqual((status, findings), (0, {}), "the rule is to be rewritten")

    def test_a_limit_that_holds_for_a_drop_as_well_becomes_two_rules(self):
        self.load('ip saddr 192.0.2.0/24 limit rate 5/minute log prefix "drop:in " group 1 drop comment "flood"',
                  'limit rate 1/second burst 9 packets log prefix "drop:all " group 1 reject with icmpx admin-prohibited')
        status, findings = self.doctor()
        self.assertEqual(status, 1)
        self.assertEqual(len([text for text in findings if "limits its" in text]), 2, findings)
        self.follow(findings)
        self.assertEqual(self.listed(), [
            'ip saddr 192.0.2.0/24 limit rate 5/minute log prefix "drop:in " group 1 comment "flood"',
            "ip saddr 192.0.2.0/24 drop",
            'limit rate 1/second burst 9 packets log prefix "drop:all " group 1',
            "reject with icmpx admin-prohibited"])
        self.assertEqual(self.doctor()[0], 0)

    def test_groups_that_are_configured_and_groups_that_rules_log_to_are_compared(self):
        self.load('log prefix "a " group 1', 'log prefix "b " group 7', 'log prefix "c " group 7')
        config = CONFIG + TAKES_ALL + '[[capture]]\ngroup = 3\naction = "allowed"\n'
        status, findings = self.doctor(config)
        self.assertEqual(status, 1)
        self.assertEqual(len(findings), 2, findings)
        unheard, unfed = findings
        self.assertRegex(unheard, r"^nobody listens to group 7, which inet filter input handle \d+ and 1 more logs to$")
        self.assertEqual(findings[unheard], "add [[capture]] with group = 7 and its action")
        self.assertEqual(unfed, "no rule logs to group 3, which a [[capture]] names")
        # Another program may do so.
        other = self.start('[bus]\nsocket = "@DIR@/bus.sock"\n[[capture]]\ngroup = 7\naction = "allowed"\n' +
                           TAKES_ALL)
        _, findings = self.doctor(config)
        self.assertEqual(list(findings), [unfed])
        self.assertEqual(other.stop(), 0)

    def test_prefixes_that_no_sink_wants_are_told(self):
        self.load('log prefix "Lan:In " group 1', 'log prefix "drop:in " group 1')
        status, findings = self.doctor(CONFIG + TAKES_ALL + 'topics = ["nft:drop:", "nft:lan:out"]\n')
        self.assertEqual(status, 0)
        self.assertEqual(len(findings), 1)
        self.assertRegex(list(findings)[0], r'^no sink wants what inet filter input handle \d+ logs, "Lan:In "; add '
                                            r'"nft:lan:in" to the topics of one')

    def test_a_prefix_that_fills_the_kernels_room_is_named(self):
        self.load(f'log prefix "{"a" * 127}" group 1', f'log prefix "{"a" * 126}" group 1')
        status, findings = self.doctor()
        self.assertEqual(status, 1)
        self.assertEqual(sum("127 characters" in text for text in findings), 1)

    def test_names_twenty_of_a_kind_and_counts_the_rest_of_thousands(self):
        self.load(*(f'udp dport {port} log prefix "p{port} "' for port in range(1, 2001)))
        status, findings = self.doctor()
        self.assertEqual(status, 1)
        self.assertEqual(len(findings), 21)
        self.assertEqual(list(findings)[-1], "and 1980 more rules that log to syslog")

    def test_groups_that_a_running_host_hears_nothing_from_are_told(self):
        self.load()
        status = {"uptime_s": 1500.0, "capture": [{"group": 1, "received": 0}, {"group": 4, "received": 7}]}
        line = json.dumps({"topic": "nfbus:status", "value": json.dumps(status)}) + "\n"
        with socket.socket(socket.AF_UNIX) as host:  # one that has run for long
            host.bind(str(self.folder / "bus.sock"))
            host.listen()

            def answer():
                with host.accept()[0] as client:
                    client.recv(4096)
                    client.sendall(line.encode())
                    client.recv(4096)

            thread = threading.Thread(target=answer)
            thread.start()
            status, findings = self.doctor(instances={"capture.1"})
            thread.join()
        self.assertEqual(status, 1)
        self.assertEqual(list(findings), ["no packet has come from group 1 in 25 minutes, since nfbus started"])

    def test_where_nothing_may_look_at_the_rules_that_is_the_finding(self):
        self.load('log prefix "a "')
        status, findings = self.doctor(command=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
        self.assertEqual(status, 1)
        self.assertEqual(findings, {"the rules that log cannot be looked at: its privileged part does not run: nfbus must "
                                    "be started by root for it": "run nfbus doctor as root"})


if __name__ == "__main__":
    nfbustest.main()
