'''The privileged part of a plugin: a process of its own that keeps CAP_NET_ADMIN, and answers what its plugin asks.'''

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import nfbustest
from nfbustest import NFBUS_BIN, TEST_PLUGINS, children, run_nfbus, wait_until

NET_ADMIN = f"{1 << 12:016x}"
NONE = f"{0:016x}"

CONFIG = """
[host]
plugin_dirs = ["@PLUGINS@"]
user = "nobody"
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
[sink.asks]
plugin = "asks"
topics = ["ask:"]
most_mtu = 9000
"""


def name_of(process):
    return pathlib.Path(f"/proc/{process}/comm").read_text().strip()


class PrivilegedPart(nfbustest.IntegrationTest):
    def start_with(self, config=CONFIG, plugins=TEST_PLUGINS, **options):
        return self.start(config.replace("@PLUGINS@", str(plugins)), **options)

    def plugins(self, *names):
        """A plugin folder of root's with these files."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        for name in names:
            shutil.copy(TEST_PLUGINS / name, folder / name)
            (folder / name).chmod(0o644)
        return folder

    def part_of(self, host):
        """The process's id."""
        found = [child for child in children(host.process.pid) if name_of(child) == "nfbus-asks"]
        self.assertEqual(len(found), 1)
        return found[0]

    def ask(self, host, question, seconds=10):
        """What the sink logs of the answer."""
        before = host.stderr.count("asked ")
        done = run_nfbus("publish", "-s", host.path("bus.sock"), "ask:it", json.dumps(question))
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: host.stderr.count("asked ") > before and host.stderr.endswith("\n"), seconds, "the answer")
        return re.findall(r'sink\.asks: asked ".*?": (.*)', host.stderr)[-1]

    def mtu(self):
        return json.loads(self.namespace.run("ip", "-j", "link", "show", "lo").stdout)[0]["mtu"]

    def test_does_what_the_host_may_not_with_that_right_alone(self):
        host = self.start_with(env={"HUSH": "a secret"})
        self.assertEqual(self.ask(host, "mtu 4000"), "mtu 4000")
        self.assertEqual(self.mtu(), 4000)
        rights = dict(line.split(":", 1) for line in self.ask(host, "rights").split("|") if line)
        rights = {name: value.split() for name, value in rights.items()}
        nobody = pwd.getpwnam("nobody")
        self.assertEqual(rights, {
            "Uid": [str(nobody.pw_uid)] * 4, "Gid": [str(nobody.pw_gid)] * 4, "Groups": [],
            "CapInh": [NONE], "CapPrm": [NET_ADMIN], "CapEff": [NET_ADMIN], "CapBnd": [NONE], "CapAmb": [NONE],
            "NoNewPrivs": ["1"], "Seccomp": ["2"]})
        self.assertEqual(self.ask(host, "become-root"), "1", "EPERM")
        self.assertEqual(self.ask(host, "environment"), "empty")
        descriptors = self.ask(host, "descriptors").split()
        self.assertEqual([one.split("=")[0] for one in descriptors[:4]], ["0", "1", "2", "3"])
        self.assertEqual(descriptors[4:], [])
        self.assertEqual({one.split("=", 1)[1] for one in descriptors[:3]}, {"/dev/null"})
        status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
        self.assertIn(f"CapPrm:\t{NONE}\n", status)

    def test_holds_the_checked_options_and_goes_by_them(self):
        host = self.start_with()
        self.assertEqual(json.loads(self.ask(host, "options")), {"at_open": "", "most_mtu": 9000})
        self.assertRegex(self.ask(host, "mtu 9001"), "^error 1: .*more than most_mtu")
        self.assertNotEqual(self.mtu(), 9001)

    def test_works_in_open_and_takes_and_gives_a_mebibyte(self):
        host = self.start_with(CONFIG + 'at_open = "mtu 3000"\n')
        self.assertEqual(self.mtu(), 3000)
        self.assertEqual(self.ask(host, f"bytes {1 << 20}"), f"{1 << 20} bytes")
        self.assertRegex(self.ask(host, f"bytes {(1 << 20) + 1}"), "^error 1: .*longer than NFBUS_MAX_REQUEST")
        self.assertEqual(self.ask(host, "size " + "x" * 60_000), "60005")

    def test_that_fails_or_throws_is_an_error_and_it_goes_on(self):
        host = self.start_with()
        self.assertRegex(self.ask(host, "throw"), "^error 1: .*thrown in the part")
        self.assertEqual(self.ask(host, "hello"), "hello")

    def test_that_hangs_costs_the_time_that_its_plugin_waits_and_a_late_answer_is_nobodys(self):
        host = self.start_with()
        self.assertEqual(self.ask(host, "sleep 800"),
                         "error 4: the privileged part of sink.asks did not answer in 300 ms")
        self.assertEqual(self.ask(host, "patient", 20), "patient")

    def test_that_crashes_is_said_once_and_the_host_goes_on_without(self):
        host = self.start_with()
        self.assertEqual(self.ask(host, "crash"), "error 6: the privileged part of sink.asks has ended")
        host.wait_for(r"error: sink\.asks: its privileged part has ended \(signal 6\): what it asks for fails until "
                      r"nfbus is restarted")
        self.assertRegex(self.ask(host, "hello"), "^error 6: the privileged part of sink.asks has ended")
        self.assertEqual(host.stop(), 0)
        self.assertEqual(host.stderr.count("its privileged part has ended"), 1)

    def test_ends_with_the_host_however_that_ends(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                host = self.start_with()
                part = self.part_of(host)
                host.signal(number)
                host.wait()
                wait_until(lambda: not pathlib.Path(f"/proc/{part}").exists(), 10, "the part's end")

    def test_signals_of_a_terminal_are_the_hosts(self):
        host = self.start_with()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(self.part_of(host), number)
        self.assertEqual(self.ask(host, "hello"), "hello")

    def test_runs_only_for_what_is_configured(self):
        host = self.start_with(CONFIG.split("[sink.asks]")[0])
        self.assertEqual([name_of(child) for child in children(host.process.pid)], ["nfbus-helper"])

    def test_two_instances_have_a_process_each_with_their_own_options(self):
        host = self.start_with(CONFIG + '[sink.second]\nplugin = "asks"\ntopics = ["other:"]\nat_open = "options"\n')
        parts = [child for child in children(host.process.pid) if name_of(child) == "nfbus-asks"]
        self.assertEqual(len(parts), 2)
        host.wait_for(r'sink\.second: asked "options": .*"most_mtu":1500')
        self.assertIn('"most_mtu":9000', self.ask(host, "options").replace(" ", ""))

    def test_that_refuses_the_options_is_a_mistake_of_the_configuration(self):
        host = self.start_with(CONFIG.replace("9000", "0"), wait=False)
        self.assertEqual(host.wait(), 78)
        self.assertRegex(host.stderr, r"nfbus\.toml:\d+:\d+: sink\.asks: its privileged part: .*most_mtu = 0 makes no")

    def test_does_not_run_where_others_than_root_could_change_it(self):
        stranger = pwd.getpwnam("nobody").pw_uid
        plugins = self.plugins("asks.so", "asks.privileged.so")
        os.chown(plugins / "asks.privileged.so", stranger, -1)
        host = self.start_with(plugins=plugins)
        host.wait_for(r"warning: sink\.asks: its privileged part does not run: .*asks\.privileged\.so")
        self.assertRegex(self.ask(host, "hello"), "^error 3: its privileged part does not run: ")
        self.assertEqual([name_of(child) for child in children(host.process.pid)], ["nfbus-helper"])

    def test_does_not_run_for_a_configuration_of_the_users(self):
        host = self.start_with(wait=False)
        host.wait_ready()
        host.stop()
        own = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, own)
        config = own / "nfbus.toml"
        config.write_text(CONFIG.replace("@PLUGINS@", str(TEST_PLUGINS)).replace("@DIR@", str(own)))
        for path in (own, config):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
            path.chmod(0o755)
        process = self.namespace.popen(NFBUS_BIN, "run", "-c", config, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        lines = []
        while not any("ready:" in line for line in lines):
            lines.append(process.stderr.readline().decode())
            self.assertTrue(lines[-1], "".join(lines))
        self.assertTrue(any("its privileged part does not run: others than root can change the configuration" in line
                            for line in lines), "".join(lines))
        self.assertEqual([name_of(child) for child in children(process.pid)], ["nfbus-helper"])
        process.terminate()
        self.assertEqual(process.wait(15), 0)
        process.stderr.close()

    def test_that_is_missing_is_said_by_check_and_by_run(self):
        plugins = self.plugins("asks.so")
        host = self.start_with(plugins=plugins)
        host.wait_for(r"warning: sink\.asks: its privileged part does not run: there was no asks\.privileged\.so")
        self.assertRegex(self.ask(host, "hello"), "^error 3: no privileged part of it runs here")
        done = run_nfbus("check", "-c", host.config_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"nfbus\.toml:\d+:\d+: warning: sink\.asks: its privileged part will not run: no "
                                      r"plugin folder has a asks\.privileged\.so")

    def test_that_is_broken_is_a_mistake_that_names_it(self):
        plugins = self.plugins("asks.so", "asks.privileged.so")
        (plugins / "asks.privileged.so").write_bytes(b"no library")
        host = self.start_with(plugins=plugins, wait=False)
        self.assertEqual(host.wait(), 78)
        self.assertRegex(host.stderr, r"sink\.asks: its privileged part: ")
        shutil.copy(TEST_PLUGINS / "asks.so", plugins / "asks.privileged.so")
        host = self.start_with(plugins=plugins, wait=False)
        self.assertEqual(host.wait(), 78)
        self.assertIn("it exports no symbol nfbus_privileged_v1", host.stderr)

    def test_is_no_plugin_of_its_own(self):
        done = run_nfbus("plugins", "-c", self.start_with().config_file)
        self.assertNotIn("privileged.so", done.stdout + done.stderr)

    def test_a_reload_keeps_it_and_cannot_give_it_other_options(self):
        host = self.start_with()
        part = self.part_of(host)
        host.directory.chmod(0o755)  # the user reads it from now on
        host.config_file.write_text(host.config_file.read_text() + 'queue = 100\n')
        host.signal(signal.SIGHUP)
        host.wait_for("info: reloaded")
        self.assertEqual(self.ask(host, "hello"), "hello")
        host.config_file.write_text(host.config_file.read_text().replace("9000", "9001"))
        host.signal(signal.SIGHUP)
        host.wait_for(r"sink\.asks: its privileged part goes by the options that it was started with: restart nfbus")
        host.wait_for("the configuration stays as it was")
        self.assertIn("9000", self.ask(host, "options"))
        self.assertEqual(self.part_of(host), part)

    def test_a_command_of_the_plugin_asks_the_parts_of_its_instances(self):
        host = self.start_with(CONFIG + '[sink.second]\nplugin = "asks"\nmost_mtu = 1400\n')
        host.stop()
        done = run_nfbus("ask", "-c", host.config_file, "options", namespace=self.namespace)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        self.assertEqual({name: json.loads(text)["most_mtu"] for name, text in answers.items()},
                         {"asks": 9000, "second": 1400})
        done = run_nfbus("ask", "-c", host.config_file, "mtu 1300", namespace=self.namespace)
        self.assertEqual(done.stdout.splitlines(), ["asks: mtu 1300", "second: mtu 1300"])
        self.assertEqual(self.mtu(), 1300)

    def test_doctor_has_it_as_well(self):
        host = self.start_with()
        host.stop()
        done = run_nfbus("doctor", "-c", host.config_file)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"^sink\.asks: info: .*most_mtu.*9000")

    def test_a_replay_has_none(self):
        capture = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, capture)
        # A pcap file without packets: the header alone, link type NFLOG.
        (capture / "none.pcap").write_bytes(bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 ffff0000 ef000000"))
        host = self.start_with(CONFIG + 'at_open = "hello"\n', arguments=("--replay", capture / "none.pcap"), wait=False)
        self.assertEqual(host.wait(), 0, host.stderr)
        self.assertIn('sink.asks: asked "hello": error 3: no privileged part of it runs here', host.stderr)


if __name__ == "__main__":
    nfbustest.main()
