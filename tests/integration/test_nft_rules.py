'''nfbus nft: log rules inside of others' chains are planned, applied and taken back.'''

import os
import re
import socket
import time

import nfbustest
import nftest
from nfbustest import wait_until
from nftest import INSERTS, REWRITES, RULES


class Rules(nftest.NftTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.write(REWRITES + INSERTS)

    def apply(self, *words):
        done = self.nft("apply", *words)
        self.assertEqual(done.returncode, 0, done)
        return done

    def test_a_plan_is_a_diff_and_changes_nothing(self):
        before = self.ruleset()
        done = self.nft("plan")
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        self.assertIn("@@ table inet filter chain INPUT @@\n", done.stdout)
        rest = 'comment "a comment" # handle'
        self.assertRegex(done.stdout, r'(?m)^-   tcp dport \{ 22, 80-90, 443 \} counter log prefix "DRP:INP " limit rate '
                                      fr'5/second burst 7 packets {rest} \d+$')
        self.assertRegex(done.stdout, r'(?m)^\+   tcp dport \{ 22, 80-90, 443 \} counter log prefix "drop:input " group 1 '
                                      fr'limit rate 5/second burst 7 packets {rest} \d+$')
        self.assertRegex(done.stdout, r'(?m)^\+   counter oifname .* comment "nfbus:[0-9a-f]+" # before handle \d+$')
        self.assertNotIn("\033", done.stdout)
        self.assertEqual(self.ruleset(), before)

    def test_rules_keep_all_but_their_log_statement(self):
        before = self.ruleset(stateless=False)
        self.apply()
        after = self.ruleset(stateless=False)
        expected = before.replace('log prefix "DRP:INP " limit', 'log prefix "drop:input " group 1 limit')
        expected = expected.replace('log prefix "drp:fwd" group 7 snaplen 64', 'log prefix "drop:forward " group 1 snaplen 64')
        self.assertEqual(self.without_ours(after), expected, "handles, places, comments, counters, limits and all others")

    @staticmethod
    def without_ours(ruleset):
        return "".join(line for line in ruleset.splitlines(keepends=True) if 'comment "nfbus:' not in line)

    def chain(self, name):
        return [line.strip() for line in
                self.namespace.run("nft", "--stateless", "list", "chain", "inet", "filter", name).stdout.splitlines()]

    def test_rules_of_ours_are_where_they_were_asked_for(self):
        self.apply()
        forward = self.chain("FORWARD")
        at = [i for i, rule in enumerate(forward) if "@internet_access" in rule]
        self.assertIn('counter oifname { "eth0", "wan*" } log prefix "wan:out " group 0', forward[at[0] - 1])
        dns = [i for i, rule in enumerate(forward) if "dns:out" in rule]
        self.assertEqual(forward[dns[0] + 1], "ip saddr 192.0.2.1 accept")
        inputs = self.chain("INPUT")
        at = [i for i, rule in enumerate(inputs) if "jump OTHER" in rule]
        self.assertIn('log prefix "lan:in " group 0', inputs[at[-1] + 1])

    def test_applied_twice_changes_nothing(self):
        self.apply()
        after = self.ruleset()
        again = self.apply()
        self.assertIn("Nothing to do.", again.stdout)
        plan = self.nft("plan")
        self.assertEqual(plan.returncode, 0, plan)
        self.assertIn('logs "drop:input " to group 1 already', plan.stdout)
        self.assertEqual(self.ruleset(), after)

    def test_a_rule_of_the_same_topic_and_group_is_as_it_should_be(self):
        self.namespace.nft('flush chain inet filter INPUT\nadd rule inet filter INPUT log prefix " Drop:Input" group 1')
        before = self.ruleset()
        self.write(REWRITES.split("[[rewrite]]", 2)[1].join(("[[rewrite]]", "")))
        plan = self.nft("plan")
        self.assertEqual(plan.returncode, 0, plan)
        self.assertIn("already", plan.stdout)
        self.apply()
        self.assertEqual(self.ruleset(), before)

    def test_reverted_all_is_as_before(self):
        before = self.ruleset()
        self.apply()
        self.assertNotEqual(self.ruleset(), before)
        done = self.nft("revert")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertEqual(self.ruleset(), before)
        self.assertEqual([path.name for path in (self.folder / "state").iterdir() if path.suffix == ".json"], [])
        self.assertIn("Nothing to take back.", self.nft("revert").stdout)

    def test_what_the_configuration_has_no_more_goes_back(self):
        before = self.ruleset()
        self.apply()
        self.write(REWRITES.split("[[rewrite]]")[0] + "[[rewrite]]" + REWRITES.split("[[rewrite]]")[1])
        self.apply()
        self.assertEqual(self.ruleset(), before.replace('"DRP:INP " limit', '"drop:input " group 1 limit'))

    def test_a_table_that_the_configuration_has_no_more_goes_back(self):
        before = self.ruleset()
        for keys in (REWRITES, INSERTS):
            self.write(keys)
            self.apply()
            self.assertNotEqual(self.ruleset(), before)
            self.write('[[rewrite]]\ntable = "ip untouched"\nchain = "c"\nmatch_prefix = "drp:inp"\nprefix = "x"\ngroup = 3\n')
            plan = self.nft("plan")
            self.assertIn("@@ table inet filter chain FORWARD @@", plan.stdout)
            self.apply()
            self.assertEqual(self.ruleset(), before.replace('"DRP:INP "\n', '"x" group 3\n')
                             .replace('log prefix "DRP:INP " # ', 'log prefix "x" group 3 # '))
            self.nft("revert")
            self.assertEqual(self.ruleset(), before)

    def test_another_prefix_replaces_the_one_before(self):
        before = self.ruleset()
        self.apply()
        self.write((REWRITES + INSERTS).replace('"drop:input "', '"drop:other "').replace("group = 1", "group = 2"))
        self.apply()
        self.assertIn('log prefix "drop:other " group 2 limit', self.ruleset())
        self.assertNotIn("drop:input", self.ruleset())
        self.nft("revert")
        self.assertEqual(self.ruleset(), before)

    def test_two_of_us_make_one_rule(self):
        self.apply()
        self.config_file.write_text(self.config_file.read_text().replace(f"{self.folder}/state", f"{self.folder}/other"))
        done = self.nft("apply")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.ruleset().count("wan:out"), 1)


class RulesOfOthers(nftest.NftTest):
    def rewrite(self, chain, *prefixes, table="inet filter"):
        return "".join(f'[[rewrite]]\ntable = "{table}"\nchain = "{chain}"\nmatch_prefix = "{prefix}"\nprefix = "new:{prefix} "\n'
                       f"group = {group}\n" for group, prefix in enumerate(prefixes, 1))

    def test_with_comments_like_ours_are_theirs(self):
        self.namespace.nft(RULES)
        self.write(INSERTS)
        self.assertEqual(self.nft("apply").returncode, 0)
        tag = re.search(r'lan:in .*comment "(nfbus:[0-9a-f]+)"', self.ruleset())[1]
        self.assertEqual(self.nft("revert").returncode, 0)
        self.namespace.nft('add rule inet filter INPUT tcp dport 22 accept comment "nfbus:ssh"\n'
                           'add rule inet filter INPUT ip saddr 10.0.0.1 drop comment "nfbus: mine"\n'
                           f'add rule inet filter INPUT tcp dport 99 drop comment "{tag}"\n'
                           f'add rule inet filter OTHER log prefix "lan:in " group 0 comment "{tag}"')
        before = self.ruleset()
        for _ in range(2):
            self.assertEqual(self.nft("apply").returncode, 0)
        self.assertEqual("".join(line for line in self.ruleset().splitlines(keepends=True)
                                 if not re.search('wan:out|dns:out', line) and
                                 not ("lan:in" in line and "OTHER" not in line and tag in line and
                                      line not in before)), before)
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertIn('dport 99 drop', self.ruleset())
        self.assertIn('dport 22 accept comment "nfbus:ssh"', self.ruleset())

    def test_that_log_twice_are_rewritten_twice(self):
        self.namespace.nft('table inet filter {\n chain c {\n log prefix "one" log prefix "two" accept\n }\n}')
        before = self.ruleset()
        self.write(self.rewrite("c", "one", "two"))
        done = self.nft("apply")
        self.assertEqual(done.returncode, 0, done)
        after = before.replace('"one"', '"new:one " group 1').replace('"two"', '"new:two " group 2')
        self.assertEqual(self.ruleset(), after)
        self.assertIn('log prefix "new:one " group 1 log prefix "new:two " group 2 accept', done.stdout)
        self.assertIn("Nothing to do.", self.nft("apply").stdout)
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.ruleset(), before)

    def test_that_cannot_be_put_back_any_more_are_named_and_keep_no_other_from_it(self):
        self.namespace.nft('table inet filter {\n chain c {\n type filter hook output priority 0;\n'
                           'quota over 200 bytes log prefix "one" counter\n udp dport 7 log prefix "two"\n }\n}')
        self.write(self.rewrite("c", "one", "two"))
        self.assertEqual(self.nft("apply").returncode, 0)
        with self.namespace.socket(socket.SOCK_DGRAM) as sender:
            for _ in range(9):
                sender.sendto(b"x" * 100, ("127.0.0.1", 9))
        done = self.nft("revert")
        if done.returncode == 0:  # this kernel takes a quota back that is used up
            self.assertNotIn("new:", self.ruleset())
            return
        self.assertRegex(done.stdout, r"handle \d+ stays as it is: ")
        self.assertIn('log prefix "two"', self.ruleset())
        self.assertIn('"new:one "', self.ruleset())
        self.assertTrue(list((self.folder / "state").glob("*.json")), "what it was is not forgotten")

    def test_of_a_table_that_became_anothers_keep_no_other_from_a_revert(self):
        for table in ("ip filter", "inet other"):
            self.namespace.nft(f'table {table} {{\n chain INPUT {{\n log prefix "one"\n }}\n}}')
        before = self.namespace.run("nft", "-a", "list", "table", "inet", "other").stdout
        self.write(self.rewrite("INPUT", "one", table="ip filter") + self.rewrite("INPUT", "one", table="inet other"))
        self.assertEqual(self.nft("apply").returncode, 0)
        self.namespace.run("iptables-nft", "-N", "FOO")
        self.namespace.run("iptables-nft", "-A", "FOO", "-m", "comment", "--comment", "hi", "-j", "ACCEPT")
        done = self.nft("revert")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("the table ip filter is iptables-nft's", done.stdout)
        self.assertEqual(self.namespace.run("nft", "-a", "list", "table", "inet", "other").stdout, before)

    def test_that_were_saved_and_loaded_again_are_found_again(self):
        self.namespace.nft(RULES)
        before = self.rules()
        self.write(REWRITES + INSERTS)
        self.assertEqual(self.nft("apply").returncode, 0)
        saved = self.namespace.run("nft", "-s", "list", "ruleset").stdout
        self.namespace.nft("flush ruleset\n" + saved)
        for words in (("apply",), ("revert",)):
            done = self.nft(*words)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.rules(), before)

    def test_that_are_huge_are_shown_in_part(self):
        elements = ", ".join(f"10.{i >> 8}.{i & 255}.0/24" for i in range(20_000))
        self.namespace.nft(f'table inet filter {{\n chain c {{\n ip saddr {{ {elements} }} log prefix "one" accept\n }}\n}}')
        before = self.ruleset()
        self.write(self.rewrite("c", "one"))
        for word in ("plan", "apply", "revert"):
            done = self.nft(word)
            self.assertEqual((done.returncode, done.stderr), (1 if word == "plan" else 0, ""), done.stdout[:500])
            self.assertLess(len(done.stdout), 4000)
        self.assertEqual(self.ruleset(), before)

    def test_are_not_two_sinks_to_fight_for(self):
        self.namespace.nft(RULES)
        self.write(REWRITES)
        self.config_file.write_text(self.config_file.read_text() + f'[sink.more]\nplugin = "nftrules"\n'
                                    f'state_dir = "{self.folder}/state"\n')
        done = self.nft("apply")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("two sinks have one state_dir", done.stderr)


class RulesOfAllKinds(nftest.NftTest):
    # Each with how it is shown once it logs to us, or why it is left alone.
    KINDS = (
        ('meta l4proto tcp quota over 1 mbytes log prefix "A "', None),
        ('numgen inc mod 3 0 log prefix "B "', None),
        ('limit rate over 5/minute burst 7 packets log prefix "C " drop', None),
        ('tcp dport vmap { 22 : accept, 80 : drop } log prefix "D "', None),
        ('ip saddr . tcp dport { 192.0.2.0/24 . 1-100, 192.0.3.1 . 7 } log prefix "E "', None),
        ('meta mark set ip saddr map { 192.0.2.1 : 0x00000001, 192.0.2.2 : 0x00000002 } log prefix "F "', None),
        ('ip saddr { 10.0.0.0-10.0.0.9, 10.1.0.0/16 } log prefix "G " drop comment "kept"', None),
        ('log prefix "Other " counter log prefix "H " group 3', None),
        ('log prefix "I " level debug flags all', None),
        ('ip saddr { 192.0.2.1, 192.0.2.2 } udp dport { 7, 9 } log prefix "J " group 7 snaplen 64 queue-threshold 5', None),
        ('ct count over 20 log prefix "K "', "it counts connections"),
        ('counter name ip saddr map { 192.0.2.1 : "c1", 192.0.2.2 : "c2" } log prefix "L "', "map of objects of its own"),
        ('update @seen { ip saddr limit rate 3/minute burst 5 packets } log prefix "M "', "the kernel does not take it back"),
    )

    def test_are_written_back_as_they_were_or_left_alone_and_named(self):
        rules = "\n".join(rule for rule, _ in self.KINDS)
        self.namespace.nft("table inet filter {\n set seen { type ipv4_addr; flags dynamic; size 1000; }\n counter c1 {\n }\n"
                           f" counter c2 {{\n }}\n chain c {{\n type filter hook input priority 0;\n{rules}\n }}\n}}")
        before = self.ruleset()
        names = [re.findall(r'prefix "(\w) "', rule)[-1] for rule, _ in self.KINDS]
        self.write("".join(f'[[rewrite]]\ntable = "inet filter"\nchain = "c"\nmatch_prefix = "{name}"\nprefix = "x:{name} "\n'
                           f"group = 1\n" for name in names))
        plan = self.nft("plan")
        self.assertEqual((plan.returncode, plan.stderr), (1, ""), plan.stdout)
        done = self.nft("apply")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for name, (rule, why) in zip(names, self.KINDS):
            handle = re.search(rf'prefix "{name} ".* # handle (\d+)', before)[1]
            now = next(line for line in self.ruleset().splitlines() if line.endswith(f" # handle {handle}"))
            if why:
                self.assertIn(f'prefix "{name} "', now)
                for shown in (plan.stdout, done.stdout):
                    self.assertRegex(shown, f"handle {handle} is left alone: .*{why}")
                continue
            expected = re.sub(rf'log prefix "{name} "( group \d+)?( level debug flags all)?', f'log prefix "x:{name} " group 1',
                              next(line for line in before.splitlines() if line.endswith(f" # handle {handle}")))
            self.assertEqual(now, expected)
            self.assertIn("+   " + now.strip(), plan.stdout)
        self.assertEqual(self.nft("plan").returncode, 0)
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.ruleset(), before)


class Errors(nftest.NftTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)

    def refused(self, keys, *texts, status=1):
        """apply ends with an error that has these texts, and nothing has changed."""
        before = self.ruleset(stateless=False)
        self.write(keys)
        done = self.nft("apply")
        self.assertEqual(done.returncode, status, done)
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)
        self.assertEqual(self.ruleset(stateless=False), before)
        self.assertFalse(list(self.folder.glob("state/*.json")))

    def test_a_rule_that_is_not_found_is_named_and_nothing_is_applied(self):
        self.refused(REWRITES + REWRITES.replace("DRP:INP", "DRP:NONE").replace("drop:input", "drop:none"),
                     '"drp:none" in inet filter INPUT is not found')
        self.assertEqual(self.nft("plan").returncode, 2)

    def test_a_rule_that_is_found_twice_is_named_and_nothing_is_applied(self):
        self.namespace.nft('add rule inet filter INPUT log prefix "drp:inp"')
        self.refused(REWRITES, '"drp:inp" in inet filter INPUT is found 2 times (handles ')
        self.refused(INSERTS.replace('match = "first"\n', ""), '"@internet_access" in inet filter FORWARD is found 2 times')

    def test_a_place_that_is_not_found_is_named(self):
        self.refused(INSERTS.replace("@internet_access", "@no_such_set"), '"@no_such_set" in inet filter FORWARD is not found')

    def test_statements_do_nothing_but_log(self):
        log = 'log prefix "x " group 0'
        for word in ("accept", "drop", "return", "jump OTHER", "goto OTHER", "reject", "queue", "notrack", "masquerade",
                     "meta mark set 1", "ct mark set 1", "ip ttl set 3", "add @internet_access { iifname . ether saddr }",
                     "meter m { ip saddr limit rate 1/second }", "dnat to 192.0.2.1"):
            with self.subTest(word):
                self.refused(INSERTS.replace('log prefix "lan:in " group 0', f"{log} {word}"), "sink.rules.insert[1].statement",
                             "decides, or changes something", status=78)
        for statement in (f"ip saddr vmap @verdicts {log}", f"ip saddr vmap {{ 192.0.2.9 : drop }} {log}"):
            self.refused(INSERTS.replace('log prefix "lan:in " group 0', statement), '"vmap" decides', status=78)
        self.refused(INSERTS.replace('log prefix "lan:in " group 0', f'{log} comment "mine"'), "comment", status=78)

    def test_what_nft_does_not_understand_is_in_its_words(self):
        self.refused(INSERTS.replace('log prefix "lan:in " group 0', 'log prefix "x " group 0 no_such_word'),
                     "insert/1: nft: ", "(log prefix \"x \" group 0 no_such_word)")

    def test_what_no_statement_is_is_a_mistake_of_the_configuration(self):
        for statement, why in (("counter", "log prefix"), ('log prefix "x "', "to a group"), ("log group 1", "with a prefix"),
                               ('log prefix "x " group 0; flush ruleset', "one rule"),
                               ('log prefix "x group 0', "quote")):
            with self.subTest(statement):
                self.refused(INSERTS.replace('log prefix "lan:in " group 0', statement), "statement", why, status=78)
        self.refused(REWRITES.replace('"inet filter"', '"inte filter"', 1), '"inte" is no family of nft', status=78)
        self.refused(REWRITES.replace("drop:input ", "x" * 128), "127 characters", status=78)

    def test_tables_that_are_not_there(self):
        self.refused(REWRITES.replace("inet filter", "ip6 filter", 1), "there is no table ip6 filter")

    def test_a_table_with_an_owner_is_named_and_left_alone(self):
        owner = self.namespace.popen("nft", "-i", stdin=-1, stdout=-3, text=True)
        owner.stdin.write('add table inet owned { flags owner; }\nadd chain inet owned c\nadd rule inet owned c log prefix "A"\n')
        owner.stdin.flush()
        wait_until(lambda: "owned" in self.ruleset(), 10, "the table")
        self.refused('[[rewrite]]\ntable = "inet owned"\nchain = "c"\nmatch_prefix = "a"\nprefix = "b"\ngroup = 1\n',
                     "the table inet owned has an owner")
        owner.stdin.close()
        owner.wait(10)

    def test_a_table_of_iptables_is_named_and_left_alone(self):
        self.namespace.run("iptables-nft", "-A", "INPUT", "-p", "tcp", "-j", "LOG", "--log-prefix", "DRP:INP ")
        self.refused('[[rewrite]]\ntable = "ip filter"\nchain = "INPUT"\nmatch_prefix = "drp:inp"\nprefix = "b"\ngroup = 1\n',
                     "the table ip filter is iptables-nft's, and is left alone")

    def test_a_damaged_state_is_named_and_left_as_it_is(self):
        self.write(REWRITES)
        self.assertEqual(self.nft("apply").returncode, 0)
        state = next((self.folder / "state").glob("*.json"))
        for text in ("", "{", "[]", '{"version":1}', '{"version":99}', "\0" * 100):
            state.write_text(text)
            after = self.ruleset()
            for word in ("apply", "revert"):
                done = self.nft(word)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(str(state), done.stderr)
            self.assertEqual(state.read_text(), text)
            self.assertEqual(self.ruleset(), after)

    def test_without_the_right_to_it_nothing_changes(self):
        self.write(REWRITES)
        before = self.ruleset()
        self.folder.chmod(0o755)
        done = self.namespace.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", nfbustest.NFBUS_BIN,
                                  "nft", "apply", "-c", self.config_file, check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, "root")
        self.assertEqual(self.ruleset(), before)

    def test_words(self):
        self.write(REWRITES)
        for words in ((), ("no",), ("plan", "--no"), ("apply", "--confirm"), ("apply", "--confirm", "soon"),
                      ("plan", "--confirm", "3s")):
            done = self.nft(*words)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("usage: nfbus nft", done.stderr)
        self.config_file.write_text("[[capture]]\ngroup = 0\n")
        done = self.nft("plan")
        self.assertEqual(done.returncode, 2, done)
        self.assertIn('no sink with plugin = "nftrules"', done.stderr)


class BesideASetThatNftCannotRead(nftest.NftTest):
    """libnftables 1.0.6 dies of it."""

    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.before = self.ruleset()
        nftest.add_unreadable_set(self.namespace)
        self.assertLess(self.namespace.run("nft", "list", "ruleset", check=False).returncode, 0, "nft lives: no test")

    def chains(self):
        return "".join(self.namespace.run("nft", "--stateless", "-a", "list", "chain", "inet", "filter", chain).stdout
                       for chain in ("INPUT", "FORWARD"))

    def test_statements_are_exchanged_and_put_back(self):
        before = self.chains()
        self.write(REWRITES)
        done = self.nft("apply")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('log prefix "drop:input " group 1 limit', self.chains())
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.chains(), before)

    def test_what_has_to_be_compiled_says_why_it_cannot_be(self):
        before = self.chains()
        self.write(INSERTS)
        done = self.nft("apply")
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, "nft's library died of signal 11 .*: most likely a table .* newer nft")
        self.assertEqual(self.chains(), before)


class Size(nftest.NftTest):
    def test_two_thousand_rules_beside_a_set_of_twenty_thousand(self):
        elements = ", ".join(f"10.{i >> 8}.{i & 255}.1" for i in range(20000))
        rules = "\n".join(f'ip saddr 192.0.2.{i % 250} tcp dport {i + 1} counter log prefix "rule {i} "' for i in range(2000))
        self.namespace.nft(f"table inet filter {{ set big {{ type ipv4_addr; elements = {{ {elements} }} }}\n"
                           f"chain c {{ type filter hook input priority 0;\n{rules}\nip saddr @big accept\n}}\n}}")
        self.write('[[rewrite]]\ntable = "inet filter"\nchain = "c"\nmatch_prefix = "rule 1234"\nprefix = "drop:x "\ngroup = 1\n'
                   '[[insert]]\ntable = "inet filter"\nchain = "c"\nbefore = "@big"\nstatement = \'log prefix "lan:in " group 0\'\n')
        before = self.ruleset()
        begun = time.monotonic()
        done = self.nft("plan")
        took = time.monotonic() - begun
        self.assertEqual(done.returncode, 1, done)
        self.assertLess(took, 10 if "ASAN_OPTIONS" in os.environ else 2, "with the start of the program and of its part")
        self.assertEqual(self.nft("apply").returncode, 0)
        self.assertIn("drop:x", self.ruleset())
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.ruleset(), before)


if __name__ == "__main__":
    nfbustest.main()
