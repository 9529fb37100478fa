'''What works while root starts nfbus and will not later, when it is another user, is said before with what mends it.'''

import os
import pathlib
import pwd
import re
import shutil
import signal
import struct
import subprocess
import tempfile

import nfbustest
from accounts import WithAccount
from nfbustest import NFBUS_BIN, read_json_lines, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

NOBODY = pwd.getpwnam("nobody")

CONFIG = """
[host]
user = "nobody"
[bus]
socket = "@DIR@/run/bus.sock"
[metrics]
listen = "127.0.0.1:9990"
token_file = "token"
[[capture]]
group = 0
[sink.lines]
plugin = "jsonl"
file = "@DIR@/log/lines"
rotate_bytes = 2000
rotate_keep = 40
[sink.packets]
plugin = "pcap"
file = "@DIR@/log/packets.pcap"
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "lan:out " group 0;
}
}"""


class Elsewhere:
    '''Stands for a namespace: the program runs there with another configuration file.'''

    def __init__(self, namespace, file):
        self._namespace, self._file = namespace, file

    def command(self, *argv):
        return self._namespace.command(argv[0], "run", "-c", self._file)


class FinalUser(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        for name in ("log", "run", "etc"):
            (self.folder / name).mkdir()
        self.file = self.folder / "etc/nfbus.toml"
        self.file.write_text(CONFIG.replace("@DIR@", str(self.folder)))
        self.file.chmod(0o600)
        (self.folder / "etc/token").write_text("secret\n")
        (self.folder / "etc/token").chmod(0o600)

    def check(self, **options):
        done = run_nfbus("check", "-c", self.file, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{self.file}: ok (1 capture", done.stdout)
        return [line for line in done.stdout.splitlines() if "warning: " in line]

    def start_here(self):
        return self.start("", namespace=Elsewhere(self.namespace, self.file))

    def mend(self, warnings):
        '''Does what they say, until nothing is said any more; what was done.'''
        done = []
        while warnings:
            command = warnings[0].rsplit("; ", 1)[1]
            self.assertNotIn(command, done, "it did not help")
            self.assertRegex(command, f"^ch[a-z]+ .*{self.folder}")
            subprocess.run(["sh", "-c", command], check=True)
            done.append(command)
            warnings = self.check()
        return done

    def test_check_says_as_the_final_user_what_will_not_work_and_its_commands_mend_it(self):
        etc, log, run = self.folder / "etc", self.folder / "log", self.folder / "run"
        warnings = self.check()
        text = "\n".join(warnings)
        for line in (rf"{self.file}: warning: user nobody cannot read it, so that SIGHUP reloads nothing; "
                     rf"chgrp nogroup {self.file} && chmod 0640 {self.file}",
                     rf"{self.file}:\d+:\d+: warning: metrics\.token_file: user nobody cannot read {etc}/token, .*; "
                     rf"chgrp nogroup {etc}/token && chmod 0640 {etc}/token",
                     rf"{self.file}:\d+:\d+: warning: sink\.lines\.file: .*not rotated.*; chown nobody {log}",
                     rf"{self.file}:\d+:\d+: warning: sink\.packets\.file: .*; chown nobody {log}",
                     rf"{self.file}: warning: bus\.socket: user nobody cannot remove {run}/bus\.sock .*; "
                     rf"chown nobody {run}"):
            self.assertRegex(text, re.compile(f"^{line}$", re.MULTILINE))
        self.assertEqual(len(warnings), 5, text)
        self.mend(warnings)

    def test_no_command_gives_away_what_a_link_of_the_user_leads_to_or_is_more_than_it_seems(self):
        users, secret, odd = self.folder / "users", self.folder / "secret", self.folder / "x;reboot"
        for folder in (users, secret, odd):
            folder.mkdir()
        (secret / "lines").touch()
        (secret / "lines").chmod(0o600)
        os.chown(users, NOBODY.pw_uid, -1)
        for name, target in (("lines", secret / "lines"), ("sub", secret)):
            (users / name).symlink_to(target)
            os.chown(users / name, NOBODY.pw_uid, -1, follow_symlinks=False)
        text = self.file.read_text()
        for old, new in ((f"{self.folder}/run/bus.sock", f"{users}/sub/bus.sock"),
                         (f"{self.folder}/log/lines", f"{users}/lines"), (f"{self.folder}/log/packets", f"{odd}/packets")):
            text = text.replace(old, new)
        self.file.write_text(text)
        commands = [line.rsplit("; ", 1)[1] for line in self.check()]
        self.assertEqual(sorted(commands), sorted([
            f"chgrp nogroup {self.file} && chmod 0640 {self.file}",
            f"chgrp nogroup {self.folder}/etc/token && chmod 0640 {self.folder}/etc/token", f"remove the link {users}/lines", f"chown nobody '{odd}'", f"remove the link {users}/sub"]))

    def test_a_group_of_the_socket_that_the_user_is_not_in_is_named(self):
        self.file.write_text(self.file.read_text().replace("[bus]", '[bus]\ngroup = "daemon"'))
        self.assertIn(f"{self.file}: warning: bus.group: user nobody is not in group daemon, so that a socket that somebody "
                      "removed is not made again on SIGHUP; usermod -aG daemon nobody", self.check())

    def test_the_start_says_the_same_and_goes_on(self):
        host = self.start_here()
        said = [line for line in host.stderr.splitlines() if "nfbus: warning: " in line]
        self.assertEqual([line.replace("nfbus: warning: ", "") for line in said],
                         [line.replace("warning: ", "", 1) for line in self.check()])

    def test_what_was_mended_works_when_root_is_gone(self):
        self.mend(self.check())
        self.namespace.nft(RULES)
        host = self.start_here()
        self.assertNotIn("warning", host.stderr)
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))
        send(self.namespace, [packet] * 40)
        log = self.folder / "log"
        wait_until(lambda: sum(len(read_json_lines(file)) for file in log.glob("lines*")) == 40, 10, "all lines")
        self.assertTrue((log / "lines.1").exists(), "never rotated")
        for path in log.iterdir():
            path.rename(self.folder / f"old-{path.name}")
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded")
        send(self.namespace, [packet])
        wait_until(lambda: read_json_lines(log / "lines"), 10, "a line in the new file")
        wait_until(lambda: (log / "packets.pcap").exists(), 10, "the new pcap file")
        self.assertEqual(host.stop(), 0)
        self.assertFalse((self.folder / "run/bus.sock").exists(), "the socket stayed")
        self.assertNotIn("warning", host.stderr)

    def test_a_folder_that_nfbus_makes_for_its_socket_is_the_users(self):
        (self.folder / "run").rmdir()
        self.assertFalse(any("bus.socket" in line for line in self.check()))
        host = self.start_here()
        self.assertNotIn("bus.socket", host.stderr)
        self.assertEqual((self.folder / "run").stat().st_uid, NOBODY.pw_uid)
        self.assertEqual(host.stop(), 0)
        self.assertFalse((self.folder / "run/bus.sock").exists(), "the socket stayed")

    def test_a_socket_that_could_not_be_removed_is_no_hindrance_at_the_next_start(self):
        host = self.start_here()
        self.assertEqual(host.stop(), 0)
        self.assertIn("cannot remove the socket", host.stderr)
        self.assertTrue((self.folder / "run/bus.sock").exists())
        host = self.start_here()
        self.assertEqual(run_nfbus("status", "-s", self.folder / "run/bus.sock").returncode, 0)

    def test_an_account_nfbus_is_the_default_and_is_what_the_commands_name(self):
        self.file.write_text(self.file.read_text().replace('user = "nobody"', ""))
        account = WithAccount(self.namespace, self.folder)
        said = self.check(namespace=account)
        commands = {line.rsplit("; ", 1)[1] for line in said}
        self.assertEqual(commands, {f"chgrp nfbus {self.file} && chmod 0640 {self.file}",
                                    f"chgrp nfbus {self.folder}/etc/token && chmod 0640 {self.folder}/etc/token",
                                    f"chown nfbus {self.folder}/log", f"chown nfbus {self.folder}/run"})
        for command in commands:
            subprocess.run(["sh", "-c", command.replace("nfbus /", f"{account.UID} /")], check=True)
        self.assertEqual(self.check(namespace=account), [])
        host = self.start("", namespace=Elsewhere(account, self.file))
        self.assertNotIn("warning", host.stderr)
        self.assertEqual((self.folder / "log/lines").stat().st_uid, account.UID)
        self.assertEqual(host.stop(), 0)

    def test_a_group_may_write_where_nobody_but_the_user_is_in_it(self):
        self.file.write_text(self.file.read_text().replace('user = "nobody"', ""))
        os.chown(self.file, 0, WithAccount.UID)
        self.file.chmod(0o660)
        (self.folder / "etc/token").chmod(0o644)  # what the user may write reads no secret of root's
        self.check(namespace=WithAccount(self.namespace, self.folder))
        done = run_nfbus("check", "-c", self.file, namespace=WithAccount(self.namespace, self.folder, "daemon"))
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn(f"{self.file} is writable by others than its owner (mode 0660): chmod go-w", done.stdout)

    def test_where_the_folders_are_closed_the_first_one_is_named(self):
        self.folder.chmod(0o700)
        warnings = self.check()
        self.assertIn(f"chgrp nogroup {self.folder} && chmod 0710 {self.folder}", warnings[0])

    def test_root_who_stays_root_has_nothing_to_mend(self):
        self.file.write_text(self.file.read_text().replace('user = "nobody"', 'user = "root"'))
        self.assertEqual(self.check(), [])

    def test_another_user_checks_as_himself(self):
        shutil.chown(self.folder / "log", "nobody")
        for path in (self.file, self.folder / "etc/token"):
            path.chmod(0o644)
        done = subprocess.run([NFBUS_BIN, "check", "-c", self.file], capture_output=True, text=True, user="daemon",
                              group="daemon", extra_groups=[])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"warning: sink\.lines\.file: user daemon cannot .*; chown daemon {self.folder}")

    def test_a_replay_is_told_of_its_outputs_alone(self):
        capture = self.folder / "one.pcap"
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))
        capture.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) +
                            struct.pack("<IIII", 1, 2, len(packet), len(packet)) + packet)
        shutil.chown(self.folder / "run", "nobody")
        done = run_nfbus("run", "-c", self.file, "--replay", capture, namespace=self.namespace)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("warning: "), 2, done.stderr)
        self.assertEqual(done.stderr.count(f"chown nobody {self.folder}/log"), 2, done.stderr)


if __name__ == "__main__":
    nfbustest.main()
