'''Commands that plugins bring, what plugins find wrong around them, and plugins to start from.'''

import functools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from installed import OUTSIDE, Installed
from nfbustest import NFBUS_BIN, REPOSITORY, main, run_nfbus

CONFIG = """
[sink.out]
plugin = "roles_sink"
file = "ports.txt"
token_file = "token"
[sink.other]
plugin = "jsonl"
file = "@DIR@/other.json"
[filter.high]
plugin = "roles_filter"
"""


@functools.cache
def installed_with_two_roles():
    installed = Installed()
    unittest.addModuleCleanup(installed.close)
    installed.build(OUTSIDE / "two_roles")
    token = installed.folder / "token"
    token.write_text("s3cret\n")
    token.chmod(0o644)
    return installed


class OutsideTheTree(unittest.TestCase):
    def setUp(self):
        self.installed = installed_with_two_roles()
        self.config = self.installed.config("nfbus.toml", CONFIG)
        self.ports = self.installed.folder / "ports.txt"
        self.ports.unlink(missing_ok=True)

    def nfbus(self, *words):
        return subprocess.run([self.installed.program, *map(str, words)], capture_output=True, text=True, timeout=30)


class Command(OutsideTheTree):
    def test_gets_the_options_of_its_librarys_instances_with_defaults_and_secrets(self):
        for words in (("roles", "-c", self.config), ("-c", self.config, "roles"), ("roles", f"--config={self.config}")):
            done = self.nfbus(*words)
            self.assertEqual((done.returncode, done.stderr), (0, "nfbus: info: roles: shows them\n"), words)
            self.assertEqual(done.stdout.splitlines(),
                             ["word roles", f"1 roles_sink out: {self.ports} s3cret", "2 roles_filter high: 1023"])

    def test_gets_every_other_word_unchanged(self):
        done = self.nfbus("roles", "--help", "-c", self.config, "", "-x", "--", "-c", "mine")
        self.assertEqual(done.stdout.splitlines()[:7],
                         ["word roles", "word --help", "word ", "word -x", "word --", "word -c", "word mine"])

    def test_says_the_exit_status(self):
        for status in 0, 1, 77, 255:
            self.assertEqual(self.nfbus("roles", "-c", self.config, "exit", status).returncode, status)
        done = self.nfbus("roles", "-c", self.config, "exit", 256)
        self.assertEqual(done.returncode, 1)
        self.assertIn("roles: it returned 256, which is no exit status (0 to 255)", done.stderr)

    def test_that_throws_fails_with_what_it_threw(self):
        done = self.nfbus("roles", "-c", self.config, "throw")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nfbus: error: roles: ", done.stderr)
        self.assertIn("as it was told to", done.stderr)

    def test_does_not_run_with_a_configuration_that_is_wrong(self):
        for text, mistake in ((CONFIG + 'nonsense = 1\n', "nonsense"), ('[sink.out]\nplugin = "roles_sink"\n', "file")):
            config = self.installed.config("wrong.toml", text)
            done = self.nfbus("roles", "-c", config)
            self.assertEqual((done.returncode, done.stdout), (78, ""))
            self.assertRegex(done.stderr, rf"nfbus: error: {re.escape(str(config))}:\d+:\d+: .*{mistake}")
        done = self.nfbus("roles", "-c", "/nowhere.toml")
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn("/nowhere.toml: no such file", done.stderr)

    def test_runs_nothing_as_root_that_others_may_have_named(self):
        self.config.chmod(0o666)
        done = self.nfbus("roles", "-c", self.config)
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn("nothing is started from it as root", done.stderr)

    def test_runs_without_a_configuration(self):
        # This machine's own is hidden, if it has one, in a mount namespace of the command's own.
        hide = 'if [ -d /etc/nfbus ]; then mount -t tmpfs nothing /etc/nfbus; fi && exec "$@"'
        done = subprocess.run(["unshare", "--mount", "sh", "-c", hide, "sh", self.installed.program, "roles"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (0, "word roles\n"), done.stderr)

    def test_is_suggested_where_a_word_is_near_it(self):
        done = self.nfbus("rolse", "-c", self.config)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn('there is no command "rolse"; did you mean "roles"?', done.stderr)

    def test_needs_one_file_behind_c(self):
        self.assertEqual(self.nfbus("roles", "-c").returncode, 2)
        self.assertEqual(self.nfbus("-c", self.config, "roles", "-c", self.config).returncode, 2)

    def test_is_shown_with_its_plugin(self):
        for plugin in "roles_sink", "roles_filter":
            done = self.nfbus("plugins", "-c", self.config, plugin)
            self.assertIn("it has the command nfbus roles: shows the options of its instances", done.stdout)


class Doctor(OutsideTheTree):
    def test_prints_what_is_wrong_with_its_fix(self):
        done = self.nfbus("doctor", "-c", self.config)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout,
                         f"sink.out: warning: {self.ports} is not there\\x1b; touch {self.ports}\n")
        self.assertFalse((self.installed.folder / "other.json").exists(), "it opens nothing")

    def test_finds_nothing_wrong_and_says_what_is_well(self):
        self.ports.touch()
        done = self.nfbus("doctor", "-c", self.config)
        self.assertEqual((done.returncode, done.stdout), (0, "sink.out: info: the file is there\n"), done.stderr)

    def test_says_the_same_as_json(self):
        done = self.nfbus("doctor", "-c", self.config, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout),
                         {"findings": [{"instance": "sink.out", "level": "warning",
                                        "text": f"{self.ports} is not there\\x1b", "fix": f"touch {self.ports}"}]})
        config = self.installed.config("none.toml", '[sink.out]\nplugin = "jsonl"\nfile = "@DIR@/x"\n')
        done = self.nfbus("doctor", "-c", config, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"findings": []}))

    def test_takes_what_is_thrown_for_a_finding(self):
        self.ports.touch()
        done = self.nfbus("doctor", "-c", self.installed.config("zero.toml", CONFIG + "port = 0\n"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("filter.high: error: ", done.stdout)
        self.assertIn("port 0 is above nothing", done.stdout)

    def test_says_mistakes_of_the_configuration_as_check_does(self):
        config = self.installed.config("wrong.toml", CONFIG + "nonsense = 1\n")
        check, doctor = (self.nfbus(command, "-c", config) for command in ("check", "doctor"))
        self.assertEqual((doctor.returncode, doctor.stdout), (check.returncode, check.stdout))
        self.assertEqual(doctor.returncode, 78)
        as_json = self.nfbus("doctor", "-c", config, "--json")
        self.assertEqual((as_json.returncode, as_json.stdout), (78, ""))
        self.assertIn("nonsense", as_json.stderr)


class NewPlugin(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-new-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def new(self, *words):
        return subprocess.run([NFBUS_BIN, "new-plugin", *map(str, words)], capture_output=True, text=True, timeout=30,
                              cwd=self.folder)

    def test_fills_a_folder_of_its_name_or_the_one_that_is_named(self):
        for kind, words, folder in (("sink", (), "mine"), ("filter", ("a folder/deep",), "a folder/deep")):
            done = self.new("mine", "--kind", kind, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(sorted(path.name for path in (self.folder / folder).iterdir()),
                             ["CMakeLists.txt", "mine.cpp"])
            for path in (self.folder / folder).iterdir():
                self.assertNotIn("@NAME@", path.read_text())
            self.assertIn(f"NFBUS_{kind.upper()}(", (self.folder / folder / "mine.cpp").read_text())
        self.assertIn("cmake -S 'a folder/deep' -B 'a folder/deep/build'", done.stdout)

    def test_refuses_names_kinds_and_folders_that_will_not_do(self):
        (self.folder / "full").mkdir()
        (self.folder / "full/notes").write_text("mine")
        (self.folder / "file").write_text("mine")
        for words, status, complaint in ((("Bad",), 2, '"Bad" cannot be a plugin\'s name'),
                                         (("../up",), 2, "cannot be a plugin's name"),
                                         (("",), 2, "cannot be a plugin's name"),
                                         (("test",), 2, "CMake uses it itself"),
                                         (("good", "--kind", "sinc"), 2, 'did you mean "sink"?'),
                                         ((), 2, "NAME"),
                                         (("full",), 1, "full is not empty"),
                                         (("good", "file"), 1, "file is there already, and is no folder"),
                                         (("good", "file/below"), 1, "cannot make file/below")):
            done = self.new(*words)
            self.assertEqual((done.returncode, done.stdout), (status, ""), words)
            self.assertIn(complaint, done.stderr, words)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["file", "full"], "nothing is left behind")


class Version(unittest.TestCase):
    def test_names_the_abi_too(self):
        header = (REPOSITORY / "sdk/include/nfbus/abi.h").read_text()
        major, minor = (re.search(rf"#define NFBUS_ABI_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR"))
        self.assertRegex(run_nfbus("--version").stdout, rf"^nfbus \d+\.\d+\.\d+, plugin ABI {major}\.{minor}\n$")


if __name__ == "__main__":
    main()
