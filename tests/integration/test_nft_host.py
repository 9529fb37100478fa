'''The sink nftrules in a running host: its own table, watching, and what `nfbus nft` asks of the host.'''

import os
import pathlib
import random
import re
import signal
import socket
import time

import nfbustest
import nftest
from nfbustest import Repeatedly, children, run_nfbus, wait_until

RULES = """
table inet filter {
  chain INPUT {
    type filter hook input priority filter; policy accept;
    udp dport 9 counter log prefix "DRP:INP " drop comment "dropped"
    udp dport 7 counter accept comment "accepted"
  }
}
"""

REWRITE = """
[[rewrite]]
table = "inet filter"
chain = "INPUT"
match_prefix = "DRP:INP"
prefix = "drop:input "
group = 1
[[insert]]
table = "inet filter"
chain = "INPUT"
before = "udp dport 7"
statement = 'udp dport 7 log prefix "lan:in " group 0'
"""

HOOKS = """
[[hook]]
hook = "input"
devices = ["lo"]
prefix = "lan:in "
group = 0
[[hook]]
hook = "output"
devices = ["l*", "eth0"]
prefix = "Lan:Out "
group = 0
limit = "2/minute burst 3 packets"
[[hook]]
hook = "ingress"
devices = ["lo"]
prefix = "raw:in "
group = 1
"""


class HostTest(nftest.NftTest):
    def start_host(self, keys, rules=RULES, **options):
        if rules:
            self.namespace.nft(rules)
        self.write(keys)
        host = self.start(self.config_file.read_text(), **options)
        self.config_file = host.config_file
        return host

    def part_of(self, host):
        return next(child for child in children(host.process.pid)
                    if "nfbus-nftrules" in pathlib.Path(f"/proc/{child}/comm").read_text())

    def send(self, port, count=1):
        with self.namespace.socket(socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                sender.sendto(b"x", ("127.0.0.1", port))

    def is_applied(self):
        rules = self.ruleset()
        return '"drop:input " group 1' in rules and '"lan:in " group 0' in rules

    def reload(self, rules=RULES):
        self.namespace.nft("flush ruleset\n" + rules)


class OwnTable(HostTest):
    def test_logs_chosen_hooks_and_devices_with_a_limit(self):
        host = self.start_host(HOOKS, rules=None)
        receiver = self.namespace.socket(socket.SOCK_DGRAM)  # or each would be answered
        self.addCleanup(receiver.close)
        receiver.bind(("127.0.0.1", 1234))
        self.send(1234, 10)
        wait_until(lambda: host.counters()["capture"][0]["published"] >= 13, 10, "10 that came in, 3 that left")
        counts = host.counters()["capture"]
        self.assertEqual((counts[0]["published"], counts[1]["published"]), (13, 10), "and 10 on the device")
        rules = self.ruleset()
        self.assertIn("flags owner", rules)
        self.assertNotIn("drop", rules)

    def test_exists_as_long_as_the_host(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            host = self.start_host(HOOKS, rules=None)
            self.assertIn("table inet nfbus", self.ruleset())
            self.namespace.run("nft", "flush", "ruleset")
            self.assertNotEqual(self.namespace.run("nft", "delete", "table", "inet", "nfbus", check=False).returncode, 0)
            self.assertIn("chain input_0", self.ruleset(), "nobody else's flush or delete takes it")
            host.signal(number)
            host.wait()
            wait_until(lambda: "nfbus" not in self.ruleset(), 10, "no table")

    def test_is_named_as_the_hosts_by_plan_and_apply(self):
        self.write(HOOKS)
        for word, status in (("plan", 0), ("apply", 0)):
            done = self.nft(word)
            self.assertEqual(done.returncode, status, done)
            self.assertIn("A running host has, as long as it runs:\ntable inet nfbus {\n", done.stdout)
        self.assertEqual(self.ruleset(), "")

    def test_of_somebody_else_is_left_alone(self):
        host = self.start_host(HOOKS, rules="table inet nfbus {\n  chain mine {\n  }\n}\n")
        host.wait_for("the table inet nfbus is there already, and is not nfbus's")
        self.assertIn("chain mine", self.ruleset())
        self.assertNotIn("input_0", self.ruleset())


class Watching(HostTest):
    def test_what_others_change_is_put_back_within_a_second(self):
        self.start_host("watch = true\n" + REWRITE)
        self.assertTrue(self.is_applied())
        for change in ("flush ruleset\n" + RULES,
                       'delete table inet filter\n' + RULES):
            self.namespace.nft(change)
            begun = time.monotonic()
            wait_until(self.is_applied, 10, "the rules")
            if "ASAN_OPTIONS" not in os.environ:
                self.assertLess(time.monotonic() - begun, 1)

    def test_notifications_that_are_lost_hide_nothing(self):
        self.namespace.nft("add table inet other\nadd set inet other s { type ipv4_addr; }")
        host = self.start_host("watch = true\n" + REWRITE)
        for _ in range(3):  # each is answered before a look at what has changed: those of the start are behind us
            self.nft("status")
        part = self.part_of(host)
        os.kill(part, signal.SIGSTOP)
        self.addCleanup(os.kill, part, signal.SIGCONT)
        # More than its socket holds, and then the one that matters.
        for first in range(100):
            elements = ", ".join(f"10.{first}.{i >> 8}.{i & 255}" for i in range(1000))
            self.namespace.nft(f"add element inet other s {{ {elements} }}")
        self.namespace.nft("delete table inet filter\n" + RULES)
        os.kill(part, signal.SIGCONT)
        wait_until(self.is_applied, 10, "the rules")

    def test_the_ruleset_that_comes_later_gets_its_rules(self):
        host = self.start_host("watch = true\n" + REWRITE, rules=None)
        host.wait_for("rules are not applied: there is no table inet filter")
        self.namespace.nft(RULES)
        wait_until(self.is_applied, 10, "the rules")

    def test_not_asked_for_it_does_not(self):
        self.start_host(REWRITE)
        self.reload()
        # Answered by the sink after a look at the ruleset, were there one.
        self.assertIn("A running host holds these rules.", self.nft("status").stdout)
        self.assertFalse(self.is_applied())

    def test_a_tug_of_war_ends_and_is_told(self):
        host = self.start_host("watch = true\n" + REWRITE)
        for _ in range(12):
            self.reload()
            if "nfbus stops for" in host.stderr:
                break
            wait_until(lambda: self.is_applied() or "nfbus stops for" in host.stderr, 10, "the rules")
        host.wait_for("another program changes the rules as often as nfbus puts them back: nfbus stops for 300 s")
        self.reload()
        self.assertIn("it has stopped putting them back", self.nft("status").stdout)
        self.assertFalse(self.is_applied())
        self.assertEqual(self.nft("apply").returncode, 0, "who asks gets them")
        self.assertTrue(self.is_applied())

    def test_verdicts_are_the_same_before_during_and_after(self):
        """Real packets, counted by a socket, while rules are applied, flushed, put back and taken back."""
        self.namespace.nft(RULES)
        with self.namespace.socket(socket.SOCK_DGRAM) as accepted, self.namespace.socket(socket.SOCK_DGRAM) as dropped:
            for receiver, port in ((accepted, 7), (dropped, 9)):
                receiver.bind(("127.0.0.1", port))
            accepted.settimeout(10)
            dropped.setblocking(False)
            rounds = 0

            def send():
                nonlocal rounds
                self.send(9, 5)
                self.send(7, 5)
                for _ in range(5):
                    accepted.recv(1)
                # Those were sent before.
                with self.assertRaises(BlockingIOError):
                    dropped.recv(1)
                rounds += 1

            with Repeatedly(send):
                host = self.start_host("watch = true\non_stop = \"revert\"\n" + REWRITE, rules=None)
                for _ in range(3):
                    self.namespace.nft("flush chain inet filter INPUT\n" + re.sub(r"type filter.*", "", RULES))
                    wait_until(self.is_applied, 10, "the rules")
                self.assertEqual(host.stop(), 0, host.stderr)
            self.assertEqual(self.rules().count("nfbus"), 0)
        self.assertGreater(rounds, 20)


class Stopping(HostTest):
    def test_keeps_or_takes_back_as_asked(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        for keys, is_kept in ((REWRITE, True), ('on_stop = "revert"\n' + REWRITE, False)):
            host = self.start_host(keys, rules=None)
            self.assertTrue(self.is_applied())
            self.assertEqual(host.stop(), 0)
            self.assertEqual(self.is_applied(), is_kept)
        self.assertEqual(self.ruleset(), before)

    def test_works_as_another_user_who_gets_the_folder_that_is_missing(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        self.folder.chmod(0o755)
        self.write('on_stop = "revert"\n' + REWRITE)
        text = '[host]\nuser = "nobody"\n' + self.config_file.read_text().replace("/state", "/some/where/state")
        self.config_file.write_text(text)
        for word in ("apply", "revert"):  # before any host has run
            done = self.nft(word)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual((self.folder / "some/where/state").owner(), "nobody")
        host = self.start(text)
        self.config_file = host.config_file
        self.assertTrue(self.is_applied())
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.nft("apply").returncode, 0)
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(self.ruleset(), before)

    def test_the_next_start_knows_its_own_after_a_crash(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        host = self.start_host(REWRITE, rules=None)
        after = self.ruleset()
        host.signal(signal.SIGKILL)
        host.wait()
        host = self.start_host('on_stop = "revert"\n' + REWRITE, rules=None)
        self.assertEqual(self.ruleset(), after)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(self.ruleset(), before)


class Replay(HostTest):
    def test_has_no_business_with_the_firewall(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        self.write(REWRITE)
        capture = self.folder / "empty.pcap"
        capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000"))
        done = run_nfbus("run", "-c", self.config_file, "--replay", capture, namespace=self.namespace)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("the ruleset is left as it is: no privileged part", done.stderr)
        self.assertEqual(self.ruleset(), before)
        self.assertFalse((self.folder / "state").exists())


class Control(HostTest):
    def test_a_revert_through_the_host_pauses_the_watch_until_the_next_apply(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        self.start_host("watch = true\n" + REWRITE, rules=None)
        done = self.nft("revert")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.ruleset(), before)
        status = self.nft("status")
        self.assertIn("they were reverted, and it leaves them so until the next apply", status.stdout)
        self.assertEqual(status.returncode, 1)
        self.assertFalse(self.is_applied())
        self.assertEqual(self.nft("apply").returncode, 0)
        self.assertTrue(self.is_applied())
        self.reload()
        wait_until(self.is_applied, 10, "the rules, watched again")

    def test_another_configuration_than_the_hosts_is_refused(self):
        self.start_host(REWRITE)
        other = self.folder / "other.toml"
        other.write_text(self.config_file.read_text().replace("drop:input", "drop:other"))
        done = run_nfbus("nft", "apply", "-c", other, namespace=self.namespace)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("other rules than this file has", done.stderr)
        self.assertNotIn("drop:other", self.ruleset())

    def test_a_confirmation_through_the_host(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        host = self.start_host("watch = true\n" + REWRITE, rules=None)
        for how in ("enter", "other", "late", "killed", "host"):
            with self.subTest(how):
                self.nft("revert")
                self.assertEqual(self.ruleset(), before)
                command = self.popen_nft("apply", "--confirm", "5s" if how == "late" else "60s", stdin=-1, stdout=-1)
                for line in command.stdout:
                    if "goes back in" in line:
                        break
                self.assertTrue(self.is_applied())
                if how == "enter":
                    command.stdin.write("\n")
                    command.stdin.flush()
                elif how == "other":
                    self.assertEqual(self.nft("confirm").returncode, 0)
                elif how == "killed":
                    command.kill()
                elif how == "host":
                    host.signal(signal.SIGKILL)
                status = command.wait(20)
                said = command.stdout.read()
                command.stdout.close()
                command.stdin.close()
                if how in ("enter", "other"):
                    self.assertEqual((status, said), (0, "Confirmed.\n"))
                    self.assertTrue(self.is_applied())
                else:
                    self.assertNotIn("Confirmed", said)
                    wait_until(lambda: self.ruleset() == before, 10, "the rules as before")

    def test_while_it_waits_for_a_confirmation_nobody_else_applies(self):
        self.namespace.nft(RULES)
        before = self.ruleset()
        self.start_host(REWRITE, rules=None)
        self.nft("revert")
        command = self.popen_nft("apply", "--confirm", "60s", stdin=-3, stdout=-1)
        for line in command.stdout:
            if "goes back in" in line:
                break
        other = self.nft("apply")
        self.assertEqual(other.returncode, 1, other)
        self.assertIn("waits for its confirmation", other.stderr)
        command.kill()
        command.wait()
        command.stdout.close()
        wait_until(lambda: self.ruleset() == before, 10, "the rules as before")

    def test_only_root_and_the_hosts_user_may_ask(self):
        self.start_host(REWRITE)
        state = self.folder / "state"
        self.folder.chmod(0o755)
        path = next(state.glob("control-*"))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        state.chmod(0o755)
        path.chmod(0o666)
        done = self.namespace.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "socat", "-t2", "-",
                                  f"UNIX-CONNECT:{path}", input='{"do":"revert"}\n', check=False)
        self.assertEqual(done.stdout, "")
        self.assertTrue(self.is_applied())

    def test_requests_that_are_none(self):
        self.start_host(REWRITE)
        path = next((self.folder / "state").glob("control-*"))
        for request in ("", "{", "[]", "{}", '{"do":7}', '{"do":"apply"}', '{"do":"apply","options":7}', "x" * 100_000,
                        '{"do":"no"}'):
            done = self.namespace.run("socat", "-t2", "-", f"UNIX-CONNECT:{path}", input=request + "\n", check=False)
            self.assertIn('"failed"', done.stdout, request[:20])
        self.assertTrue(self.is_applied())
        self.assertIn("All rules are applied.", self.nft("status").stdout)


class Killed(HostTest):
    def test_at_any_moment_of_an_apply_the_ruleset_is_the_old_or_the_new_one(self):
        rules = "\n".join(f'udp dport {i + 100} log prefix "OLD:{i} "' for i in range(100))
        self.namespace.nft(f"table inet filter {{\n chain INPUT {{\n type filter hook input priority 0;\n{rules}\n }}\n}}")
        self.write("".join(f'[[rewrite]]\ntable = "inet filter"\nchain = "INPUT"\nmatch_prefix = "OLD:{i}"\nprefix = "new:{i} "\n'
                           f'group = 1\n' for i in range(100)))
        old = self.ruleset()
        new = re.sub(r'"OLD:(\d+) "', r'"new:\1 " group 1', old)
        begun = time.monotonic()
        self.assertEqual(self.nft("apply").returncode, 0)
        took = time.monotonic() - begun
        self.assertEqual(self.ruleset(), new)
        numbers = random.Random(18)
        seen = set()
        for turn in range(50):
            self.assertEqual(self.nft("revert").returncode, 0)
            self.assertEqual(self.ruleset(), old)
            command = self.popen_nft("apply", stdin=-3, stdout=-3, stderr=-3)
            time.sleep(numbers.random() * took)
            victims = [command.pid] if turn % 2 else [*self.parts(command), command.pid]
            for victim in victims:
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            command.wait(20)
            # What was begun is done or not by the time the part, which ends with the command, is gone.
            now = self.ruleset()
            self.assertIn(now, (old, new))
            seen.add(now)
        self.assertEqual(self.nft("revert").returncode, 0)
        self.assertEqual(self.ruleset(), old)
        self.assertIn(old, seen)

    @staticmethod
    def parts(command):
        try:
            return children(command.pid)
        except OSError:
            return []


if __name__ == "__main__":
    nfbustest.main()
