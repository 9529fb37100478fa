'''nfbus nft apply --confirm: what nobody confirms goes back, whatever becomes of who applied it.'''

import os
import pathlib
import signal

import nfbustest
import nftest
from nfbustest import children, wait_until
from nftest import INSERTS, REWRITES, RULES


class Confirmation(nftest.NftTest):
    def setUp(self):
        super().setUp()
        self.namespace.nft(RULES)
        self.write(REWRITES + INSERTS)
        self.before = self.ruleset()

    def begin(self, time="60s", stdin=-1):
        """apply --confirm, once it waits."""
        command = self.popen_nft("apply", "--confirm", time, stdin=stdin, stdout=-1)
        for line in command.stdout:
            if "goes back in" in line:
                break
        self.addCleanup(command.stdout.close)
        if command.stdin:
            self.addCleanup(command.stdin.close)
        self.assertIn("drop:input", self.ruleset())
        return command

    def is_back(self):
        return self.ruleset() == self.before

    def test_enter_keeps_it(self):
        command = self.begin()
        command.stdin.write("\n")
        command.stdin.flush()
        self.assertEqual(command.wait(20), 0)
        self.assertIn("drop:input", self.ruleset())
        self.assertIn("No host holds these rules.", self.nft("status").stdout)

    def test_another_terminal_keeps_it(self):
        command = self.begin()
        self.assertIn("waits for its confirmation", self.nft("status").stdout)
        other = self.nft("apply")
        self.assertEqual(other.returncode, 1, other)
        done = self.nft("confirm")
        self.assertEqual((done.returncode, done.stdout), (0, "Confirmed.\n"), done)
        self.assertEqual(command.wait(20), 0)
        self.assertIn("drop:input", self.ruleset())
        self.assertEqual(self.nft("confirm").returncode, 1, "nothing waits any more")

    def test_without_one_it_goes_back(self):
        command = self.begin("5s", stdin=-3)
        self.assertEqual(command.wait(20), 1)
        self.assertTrue(self.is_back(), self.ruleset())

    def test_whoever_ends_the_command_it_goes_back(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                command = self.begin()
                command.send_signal(number)
                command.wait(20)
                wait_until(self.is_back, 10, "the rules as before")

    def test_it_goes_back_while_the_command_is_stopped_or_stuck(self):
        command = self.begin("5s", stdin=-3)
        command.send_signal(signal.SIGSTOP)
        wait_until(self.is_back, 15, "the rules as before")
        command.send_signal(signal.SIGCONT)
        self.assertEqual(command.wait(20), 1)
        # Nobody reads what it prints, which is more than a pipe holds.
        self.namespace.nft("add chain inet filter many\n" + "\n".join(
            f'add rule inet filter many log prefix "many {i} " comment "{"x" * 120}"' for i in range(400)))
        self.before = self.ruleset()
        self.write("".join(f'[[rewrite]]\ntable = "inet filter"\nchain = "many"\nmatch_prefix = "many {i}"\n'
                           f'prefix = "new:{i} "\ngroup = 1\n' for i in range(400)))
        command = self.popen_nft("apply", "--confirm", "6s", stdin=-3, stdout=-1)
        self.addCleanup(command.stdout.close)
        wait_until(lambda: not self.is_back(), 15, "the rules applied")
        wait_until(self.is_back, 15, "the rules as before")
        command.kill()

    def test_it_goes_back_to_what_was_applied_before(self):
        self.assertEqual(self.nft("apply").returncode, 0)
        self.before = self.ruleset()
        self.write((REWRITES + INSERTS).replace("drop:input", "drop:other").replace('"lan:in "', '"lan:other "')
                   .split("[[rewrite]]", 2)[1].join(("[[rewrite]]", INSERTS.replace('"lan:in "', '"lan:other "'))))
        for number in (None, signal.SIGKILL):
            command = self.begin_other("5s" if number is None else "60s")
            if number is not None:
                command.send_signal(number)
            command.wait(20)
            wait_until(self.is_back, 10, "the rules as before")
        command = self.begin_other("60s")
        self.assertEqual(self.nft("confirm").returncode, 0)
        self.assertEqual(command.wait(20), 0)
        rules = self.ruleset()
        self.assertNotIn("lan:in", rules, "what the configuration has no more is gone once it is confirmed")
        self.assertNotIn("drop:forward", rules)
        self.assertEqual(self.nft("plan").returncode, 0)

    def begin_other(self, time):
        command = self.popen_nft("apply", "--confirm", time, stdin=-3, stdout=-1)
        self.addCleanup(command.stdout.close)
        for line in command.stdout:
            if "goes back in" in line:
                break
        rules = self.ruleset()
        self.assertIn("drop:other", rules)
        self.assertIn("lan:other", rules)
        self.assertNotIn("drop:forward", rules)
        return command

    def test_once_all_of_it_is_killed_the_next_command_takes_it_back(self):
        command = self.begin()
        part, = [child for child in children(command.pid) if "nfbus-nftrules" in pathlib.Path(f"/proc/{child}/comm").read_text()]
        os.kill(part, signal.SIGKILL)
        os.kill(command.pid, signal.SIGKILL)
        command.wait(20)
        self.assertFalse(self.is_back())
        self.assertEqual(self.nft("plan").returncode, 1)
        self.assertTrue(self.is_back(), self.ruleset())


if __name__ == "__main__":
    nfbustest.main()
