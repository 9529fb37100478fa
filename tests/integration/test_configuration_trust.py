'''Root starts nothing from a configuration that others than root and the user of nfbus could have written.'''

import ctypes
import grp
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile

import nfbustest
from accounts import WithAccount
from nfbustest import NFBUS_BIN, run_nfbus
from packets import UDP, ipv4, send, udp

NOBODY = pwd.getpwnam("nobody")
STRANGER = 4711

USER = 'user = "nobody"'
CONFIG = f"""
[host]
{USER}
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
"""

METRICS = """
[metrics]
listen = "127.0.0.1:9990"
token_file = "@TOKEN@"
"""


class Trust(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.data = self.folder / "data"  # nobody's
        self.data.mkdir()
        self.own(self.data, NOBODY.pw_uid)
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        self.file = self.write(self.etc / "nfbus.toml")
        self.with_nfbus = WithAccount(self.namespace, self.folder, uid=NOBODY.pw_uid)

    def own(self, path, uid):
        os.chown(path, uid, uid, follow_symlinks=False)

    def write(self, path, more="", user=USER):
        path.write_text((CONFIG + more).replace(USER, user).replace("@DIR@", str(self.data)))
        path.chmod(0o644)
        return path

    def check(self, path=None, **options):
        return run_nfbus("check", "-c", path or self.file, **options)

    def assert_refused(self, path, *reasons):
        '''By check and by run, which starts nothing, with every reason and a command; and mended by those commands.'''
        shown = []
        done = self.check(path)
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
        shown.append(done.stdout)
        done = run_nfbus("run", "-c", path, namespace=self.namespace)
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
        shown.append(done.stderr)
        for text in shown:
            for reason in reasons:
                self.assertIn(f"{path}: nothing is started from it as root: {reason}", text)
            self.assertEqual(text.count("nothing is started from it"), len(reasons), text)
        self.assertEqual(list(self.data.iterdir()), [], "something was started")
        for line in shown[0].splitlines():
            command = line.rsplit(": ", 1)[1]
            if command.startswith("ch"):
                subprocess.run(shlex.split(command), check=True)

    def assert_accepted(self, path=None, **options):
        done = self.check(path, **options)
        self.assertEqual((done.returncode, "ok (1 capture" in done.stdout), (0, True), done.stdout + done.stderr)

    def test_what_others_may_write_is_refused_with_the_command_that_mends_it(self):
        ways = {
            "others": (lambda: self.file.chmod(0o646), f"{self.file} is writable by others"),
            "a group": (lambda: (os.chown(self.file, 0, STRANGER), self.file.chmod(0o664)),
                        f"{self.file} is writable by others than its owner (mode 0664): chmod go-w {self.file}"),
            "a stranger's file": (lambda: self.own(self.file, STRANGER),
                                  f"{self.file} belongs to uid {STRANGER}, neither to root nor to the user that runs nfbus "
                                  f"(uid {NOBODY.pw_uid}): chown root {self.file}"),
            "a folder": (lambda: self.etc.chmod(0o777), f"{self.etc} is writable by others"),
            "a stranger's folder": (lambda: self.own(self.etc, STRANGER), f"{self.etc} belongs to uid {STRANGER}"),
            "a folder above": (lambda: self.folder.chmod(0o775), f"{self.folder} is writable by others")
            if os.stat(self.folder).st_gid != 0 else
            (lambda: self.folder.chmod(0o757), f"{self.folder} is writable by others"),
        }
        for name, (spoil, reason) in ways.items():
            with self.subTest(name):
                self.assert_accepted()
                spoil()
                self.assert_refused(self.file, reason)
                self.assert_accepted()

    def test_whoever_wrote_it_and_is_named_in_it_is_said_and_nobody_else_may_name_one(self):
        daemon = pwd.getpwnam("daemon")
        self.write(self.file, user='user = "daemon"')
        self.own(self.file, daemon.pw_uid)
        self.assertIn(f"{self.file}: warning: host.user: user daemon may write this file, and it names that user, who gets "
                      f"all that is captured; chown root {self.file}", self.check().stdout)
        # Nobody is made another by what nfbus wrote.
        for user, status in (("root", 78), ("daemon", 78), ("nfbus", 0)):
            with self.subTest(user):
                self.write(self.file, user=f'user = "{user}"')
                self.own(self.file, NOBODY.pw_uid)
                done = self.check(namespace=self.with_nfbus)
                self.assertEqual(done.returncode, status, done.stdout + done.stderr)
                self.assertEqual(f"nothing is started from it as root: {self.file} belongs" in done.stdout, status != 0)

    def test_all_that_is_wrong_is_said_at_once(self):
        self.file.chmod(0o666)
        self.own(self.etc, STRANGER)
        self.assert_refused(self.file, f"{self.etc} belongs to uid {STRANGER}", f"{self.file} is writable by others")
        self.assert_accepted()

    def test_an_acl_that_lets_somebody_write_is_no_private_group(self):
        # acl(5): owner, STRANGER, group, mask, others.
        entries = ((1, 6, -1), (2, 6, STRANGER), (4, 4, -1), (16, 6, -1), (32, 4, -1))
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
        try:
            os.setxattr(self.file, "system.posix_acl_access", acl)
        except OSError as error:
            self.skipTest(f"no ACLs here: {error}")
        self.assert_refused(self.file, f"{self.file} is writable by others")

    def test_a_link_of_a_stranger_is_refused_and_one_of_roots_is_followed(self):
        sticky = self.folder / "sticky"
        sticky.mkdir()
        sticky.chmod(0o1777)
        link = sticky / "nfbus.toml"
        link.symlink_to(self.file)
        self.assert_accepted(link)
        self.own(link, STRANGER)
        self.assert_refused(link, f"{link} is a link that belongs to uid {STRANGER}")
        # What it leads to counts as well.
        link.unlink()
        link.symlink_to("../etc/nfbus.toml")
        self.file.chmod(0o666)
        self.assert_refused(link, f"{self.file} is writable by others")
        self.assert_accepted(link)

    def test_another_name_of_a_file_in_a_folder_of_all_is_refused(self):
        sticky = self.folder / "sticky"
        sticky.mkdir()
        sticky.chmod(0o1777)
        os.link(self.file, sticky / "nfbus.toml")
        self.assert_refused(sticky / "nfbus.toml", f"{sticky}/nfbus.toml is one of 2 names of a file")

    def test_usual_layouts_are_accepted(self):
        os.chown(self.file, 0, NOBODY.pw_gid)  # root:nfbus 0640
        self.file.chmod(0o640)
        self.assert_accepted()
        self.assertEqual(run_nfbus("check", "-c", "etc/../etc/nfbus.toml").returncode, 78, "not from here")
        relative = subprocess.run([NFBUS_BIN, "check", "-c", "etc/../etc/nfbus.toml"], cwd=self.folder,
                                  capture_output=True, text=True)
        self.assertEqual(relative.returncode, 0, relative.stdout + relative.stderr)
        if not grp.getgrgid(0).gr_mem and [user.pw_name for user in pwd.getpwall() if user.pw_gid == 0] == ["root"]:
            os.chown(self.file, 0, 0)
            self.file.chmod(0o664)  # root's group has nobody else in it
            self.assert_accepted()
            self.file.chmod(0o644)
        (self.folder / "usr").symlink_to("etc")  # as /lib is one to usr/lib
        self.assert_accepted(self.folder / "usr/nfbus.toml")
        self.write(self.file, user="")
        self.own(self.file, NOBODY.pw_uid)  # the user's own, in a folder of its own
        self.own(self.etc, NOBODY.pw_uid)
        self.assert_accepted(namespace=self.with_nfbus)
        self.own(self.file, STRANGER)
        done = self.check(namespace=self.with_nfbus)
        self.assertIn(f"{self.file}: nothing is started from it as root: {self.file} belongs to uid {STRANGER}, neither "
                      f"to root nor to the user that runs nfbus (uid {NOBODY.pw_uid}): chown root {self.file}",
                      done.stdout)
        self.own(self.file, 0)
        self.own(self.etc, 0)
        self.write(self.file)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as direct:  # in the sticky /tmp itself
            direct.write(self.file.read_text())
            direct.flush()
            self.assert_accepted(pathlib.Path(direct.name))
        done = run_nfbus("check", "-c", "/dev/stdin", input=self.file.read_text())
        self.assertIn("not a regular file", done.stdout)
        with open(self.file) as given:
            done = subprocess.run([NFBUS_BIN, "check", "-c", "/dev/stdin"], stdin=given, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_in_a_namespace_of_users_the_machines_root_owns_what_it_has_no_user_for(self):
        program = self.folder / "bin/nfbus"
        shutil.copytree(NFBUS_BIN.parents[1] / "lib/nfbus/plugins", self.folder / "lib/nfbus/plugins")
        program.parent.mkdir()
        shutil.copy(NFBUS_BIN, program)
        self.write(self.file, user="")

        def check(uid):
            return subprocess.run(["unshare", "--user", "--map-root-user", program, "check", "-c", self.file],
                                  capture_output=True, text=True, timeout=30, user=uid, group=uid, extra_groups=[])

        self.own(self.data, STRANGER)
        self.own(self.folder, STRANGER)  # what lies in /tmp itself may be anybody's there
        done = check(STRANGER)
        if "unshare: " in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.file.chmod(0o646)
        done = check(STRANGER)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn(f"{self.file} is writable by others", done.stdout)
        # In a folder that all may write to it may be anybody's.
        self.file.chmod(0o644)
        self.etc.chmod(0o1777)
        done = check(STRANGER)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn(f"{self.file} belongs to uid 65534, not to root: that is anybody outside of this user namespace; name a "
                      "copy of your own", done.stdout)

    def test_a_group_without_members_may_write_as_staff_in_usr_local(self):
        self.write(self.file, user="")
        for members, status in (("", 0), ("daemon", 78)):
            world = WithAccount(self.namespace, self.folder, members)
            os.chown(self.etc, 0, WithAccount.UID)
            self.etc.chmod(0o2775)
            passwd = self.folder / "passwd"  # nfbus has another first group: this one is nobody's
            passwd.write_text(passwd.read_text().replace(f":{world.UID}:{world.UID}:", f":{world.UID}:{STRANGER}:"))
            self.own(self.data, WithAccount.UID)
            done = self.check(namespace=world)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertEqual(f"{self.etc} is writable by others than its owner (mode 2775): chmod go-w {self.etc}"
                             in done.stdout, status != 0)

    def test_another_user_than_root_is_not_judged(self):
        self.file.chmod(0o666)
        self.own(self.etc, STRANGER)
        done = subprocess.run([NFBUS_BIN, "check", "-c", self.file], capture_output=True, text=True, user="nobody",
                              group="nogroup", extra_groups=[])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_configuration_that_the_user_wrote_reads_no_secret_of_roots(self):
        token = self.folder / "token"
        token.write_text("secret\n")
        token.chmod(0o600)
        self.write(self.file, METRICS.replace("@TOKEN@", str(token)), user="")
        self.assert_accepted(namespace=self.with_nfbus)  # root's own names it
        self.own(self.file, NOBODY.pw_uid)
        for command, stream in (("check", "stdout"), ("run", "stderr")):
            done = run_nfbus(command, "-c", self.file, namespace=self.with_nfbus)
            self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
            self.assertIn(f"the secret's file \"{token}\": may not be read by this user (uid {NOBODY.pw_uid})",
                          getattr(done, stream))

    def test_no_link_of_others_leads_to_a_secret_of_roots(self):
        token = self.folder / "token"
        token.write_text("secret\n")
        token.chmod(0o600)
        link = self.data / "token"
        link.symlink_to(token)
        self.write(self.file, METRICS.replace("@TOKEN@", str(link)))
        for owner, mode, reason in ((NOBODY.pw_uid, 0o600, "may not be read by this user"),
                                    (STRANGER, 0o644, f"{link} is a link that belongs to uid {STRANGER}")):
            self.own(link, owner)
            token.chmod(mode)
            done = self.check()
            self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
            self.assertIn(reason, done.stdout)
        # Nor a further name, which some kernels let anybody make.
        link.unlink()
        token.chmod(0o600)
        os.link(token, link)
        done = self.check()
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)

    def test_one_of_the_users_own_runs_with_its_rights_alone(self):
        self.write(self.file, user="")
        self.own(self.file, NOBODY.pw_uid)
        self.namespace.nft("table inet t { chain c { type filter hook output priority 0; "
                           "udp dport 7000 log prefix \"lan:out \" group 0;\n}\n}")
        host = self.with_nfbus.popen(NFBUS_BIN, "run", "-c", self.file, stderr=subprocess.PIPE, text=True)
        self.addCleanup(host.stderr.close)
        said = []
        while not said or "ready:" not in said[-1]:
            said.append(host.stderr.readline())
            self.assertTrue(said[-1], "".join(said))
        status = pathlib.Path(f"/proc/{host.pid}/status").read_text()
        self.assertRegex(status, rf"(?m)^Uid:(\t{NOBODY.pw_uid}){{4}}$")
        self.assertRegex(status, r"(?m)^CapPrm:\t0+$")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        nfbustest.wait_until(lambda: nfbustest.read_json_lines(self.data / "out"), 10, "the packet")
        self.assertEqual((self.data / "bus.sock").stat().st_uid, NOBODY.pw_uid)
        self.assertEqual(nfbustest.end_process(host), 0)
        self.assertFalse((self.data / "bus.sock").exists())

    def test_a_reload_of_a_host_that_root_started_is_judged_the_same(self):
        host = self.start(CONFIG.replace("@DIR@", str(self.data)))
        host.directory.chmod(0o755)
        host.config_file.chmod(0o646)
        host.signal(signal.SIGHUP)
        host.wait_for("the configuration stays as it was")
        self.assertRegex(host.stderr, f"error: {host.config_file}: .* is writable by others .*: chmod go-w")
        host.config_file.chmod(0o644)
        host.signal(signal.SIGHUP)
        host.wait_for("reloaded")

    def write_capture(self, path, port, mode=0o600):
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, port))
        path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) +
                         struct.pack("<IIII", 1, 2, len(packet), len(packet)) + packet)
        path.chmod(mode)
        return path

    def ports_of_replay(self, path):
        '''Of the packets that came out, whatever became of the replay.'''
        (self.data / "out").unlink(missing_ok=True)
        done = run_nfbus("run", "-c", self.file, "--replay", path)
        return [line["dest_port"] for line in nfbustest.read_json_lines(self.data / "out")], done

    def test_a_file_to_replay_that_root_alone_may_read_is_read_where_the_user_cannot_have_put_it(self):
        capture = self.write_capture(self.folder / "one.pcap", 7000)
        self.assertEqual(self.ports_of_replay(capture)[0], [7000])
        link = self.data / "link.pcap"
        link.symlink_to(capture)
        moved = self.write_capture(self.data / "moved.pcap", 7000)  # root's own, but the folder is nobody's
        for path, owner in ((link, NOBODY.pw_uid), (link, 0), (moved, 0)):
            self.own(path, owner)
            ports, done = self.ports_of_replay(path)
            self.assertEqual((ports, done.returncode), ([], 1), done.stderr)
            self.assertIn(f"{path}: Permission denied (uid {NOBODY.pw_uid}): let that user read it", done.stderr)

    def test_a_file_to_replay_in_somebodys_closed_home_is_read_if_it_is_his_own(self):
        secret = self.write_capture(self.folder / "secret.pcap", 6666)
        home, link, two_names = self.folder / "home", self.folder / "home/link", self.folder / "home/two"
        home.mkdir(mode=0o700)
        capture = self.write_capture(home / "one.pcap", 7000)
        link.symlink_to(secret)
        os.link(secret, two_names)
        for path in (home, capture, link):
            os.lchown(path, 4713, 4713)
        self.assertEqual(self.ports_of_replay(capture)[0], [7000])
        for path in (link, two_names):
            self.assertEqual(self.ports_of_replay(path)[0], [])

    def test_a_file_to_replay_that_the_user_exchanges_meanwhile_is_never_one_of_roots(self):
        secret = self.write_capture(self.folder / "secret.pcap", 6666)
        path, link = self.data / "x.pcap", self.data / "link"
        self.own(self.write_capture(path, 7000), NOBODY.pw_uid)
        link.symlink_to(secret)
        self.own(link, NOBODY.pw_uid)
        libc = ctypes.CDLL(None)
        names = [os.fsencode(name) for name in (path, link)]
        at_fdcwd, rename_exchange = -100, 2

        def exchange():
            for _ in range(100):
                self.assertEqual(libc.renameat2(at_fdcwd, names[0], at_fdcwd, names[1], rename_exchange), 0)

        seen = set()
        with nfbustest.Repeatedly(exchange) as exchanges:
            for _ in range(100):
                seen.update(self.ports_of_replay(path)[0])
        self.assertGreater(exchanges.rounds, 10)
        self.assertNotIn(6666, seen, "root's file came out")
        self.assertIn(7000, seen, "the replay never met the user's own file")

    def test_a_socket_is_not_made_with_roots_rights_where_the_user_chose_the_place(self):
        secret = self.folder / "secret"
        secret.mkdir()
        secret.chmod(0o700)
        # By writing the configuration,
        own = self.write(self.data / "nfbus.toml", user="")
        own.write_text(own.read_text().replace(f"{self.data}/bus.sock", f"{secret}/made/bus.sock"))
        self.own(own, NOBODY.pw_uid)
        done = run_nfbus("run", "-c", own, namespace=self.with_nfbus)
        self.assertEqual(done.returncode, 1, done.stderr)
        # or by a link in the way.
        (self.data / "link").symlink_to(secret)
        self.own(self.data / "link", NOBODY.pw_uid)
        self.file.write_text(self.file.read_text().replace(f"{self.data}/bus.sock", f"{self.data}/link/bus.sock"))
        done = run_nfbus("run", "-c", self.file, namespace=self.namespace)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(list(secret.iterdir()), [])


if __name__ == "__main__":
    nfbustest.main()
