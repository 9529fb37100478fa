'''`nfbus check` and a start with a bad configuration: exit 78, one line a mistake, with its place and the fix.'''

import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

from nfbustest import NFBUS_BIN, REPOSITORY, TEST_PLUGINS, main, run_nfbus

CONFIGS = REPOSITORY / "configs"
GOOD = '[sink.out]\nplugin = "jsonl"\nfile = "/tmp/never-written"\n'


class BadConfiguration(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.file = self.directory / "nfbus.toml"

    def findings(self, content=None, file=None):
        """What `check` prints, a list of lines; `run` must refuse the same file in the same words."""
        file = file or self.file
        if content is not None:
            self.file.write_bytes(content if isinstance(content, bytes) else content.encode())
        check = run_nfbus("check", "-c", file)
        self.assertEqual(check.returncode, 78, check)
        lines = check.stdout.splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertTrue(line.startswith(f"{file}:"), line)
        run = run_nfbus("run", "-c", file)
        self.assertEqual(run.returncode, 78, run)
        self.assertEqual(run.stdout, "")
        for line in lines:
            self.assertIn(line, run.stderr)
        return [line.removeprefix(f"{file}:").strip() for line in lines]

    def test_what_only_the_plugins_know(self):
        findings = self.findings(f"""[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[filter.names]
plugin = "dnsnames"
min_ttl_s = 9
max_ttl_s = 8
[sink.first]
plugin = "pcap"
file = "/tmp/never-written/%Q.pcap"
rotate_packets = 1
filters = ["names"]
[sink.second]
plugin = "fails"
at = "create"
filters = ["names"]
""")
        self.assertEqual(len(findings), 3, findings)
        self.assertRegex(findings[0], r"^3:1: filter\.names: min_ttl_s is larger than max_ttl_s$")
        self.assertRegex(findings[1], r"^7:1: sink\.first: .*after % it takes one of ")
        self.assertRegex(findings[2], r"^12:1: sink\.second: ")

    def test_missing(self):
        self.assertRegex(self.findings(file=self.directory / "none.toml")[0], "no such file; name another one with -c")

    def test_a_directory(self):
        self.assertRegex(self.findings(file=self.directory)[0], "is a directory")

    def test_unreadable(self):
        self.directory.chmod(0o755)
        self.file.write_text(GOOD)
        self.file.chmod(0o600)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", NFBUS_BIN, "check", "-c",
                               self.file], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 78, done)
        self.assertRegex(done.stdout, rf"{self.file}: .*permission denied; run as a user who may")

    def test_empty(self):
        self.assertRegex(self.findings("")[0], r"it is empty: there is neither a \[\[capture\]\] nor a \[sink.NAME\]")

    def test_a_megabyte_of_garbage(self):
        garbage = os.urandom(1_000_000)
        self.assertEqual(len(self.findings(garbage)), 1)
        self.assertRegex(self.findings(b"\0" * 1_000_000)[0], "^1:1: ")
        self.assertRegex(self.findings(b"[" * 1_000_000)[0], "^1:")
        self.assertRegex(self.findings(b"x" * 2_000_000)[0], "larger than")

    def test_duplicate_keys(self):
        self.assertEqual(self.findings(GOOD + 'file = "/y"\n'),
                         ["4:1: sink.out.file: defined a second time; first at line 3, column 1"])

    def test_every_mistake_at_once(self):
        self.assertEqual(self.findings('[[capture]]\ngroup = "1"\n[[capture]]\ngroup = 65536\nsnaplan = 1\n'
                                       '[sink.a]\nplugin = "jsnol"\n[sink.b]\nplugin = "jsonl"\nfil = "x"\n')[0:3],
                         ["2:9: capture[0].group: expected an integer, found a string",
                          "4:9: capture[1].group: 65536 is out of range; it must be 0 to 65535",
                          '5:1: capture[1].snaplan: unknown key; did you mean "snaplen"?'])
        lines = self.findings()[3:]
        self.assertRegex(lines[0], r'^7:10: sink.a.plugin: no plugin "jsnol" in /.*; did you mean "jsonl"\?')
        self.assertEqual(lines[1:], ["8:1: sink.b.file: this key is required",
                                     '10:1: sink.b.fil: unknown key; did you mean "file"?'])

    def test_no_plugin_folder(self):
        folder = self.directory / "plugins"
        lines = self.findings(f'[host]\nplugin_dirs = ["{folder}"]\n{GOOD}')
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^2:16: host.plugin_dirs\[0\]: ")

    def test_no_builtin_plugin_folder(self):
        program = self.directory / "bin/nfbus"
        program.parent.mkdir()
        program.write_bytes(pathlib.Path(NFBUS_BIN).read_bytes())
        program.chmod(0o755)
        self.file.write_text(GOOD)
        done = subprocess.run([program, "check", "-c", self.file], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 78, done)
        self.assertRegex(done.stdout, rf'^{self.file}:2:10: sink.out.plugin: no plugin "jsonl" in '
                                      rf"{self.directory}/lib/nfbus/plugins")


class WordsOfASchema(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix=f"nfbustest-{os.getpid()}-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def write(self, keys):
        head = f'[host]\nplugin_dirs = ["{TEST_PLUGINS}"]\n[sink.out]\nplugin = "fails"\n'
        (self.directory / "nfbus.toml").write_text(head + keys)

    def test_paths_start_at_the_configurations_folder_however_it_is_named(self):
        self.write('at = "create"\npaths = ["some/file"]\n')
        for command in ("check", "run"):
            done = subprocess.run([NFBUS_BIN, command, "-c", "nfbus.toml"], cwd=self.directory, capture_output=True,
                                  text=True, timeout=20)
            self.assertEqual(done.returncode, 78, done)
            self.assertIn(f"this sink cannot be created from {self.directory}/some/file", done.stdout + done.stderr)

    def test_lengths_are_those_that_the_plugin_wants(self):
        self.write('paths = ["ä", "äö", "x"]\n')
        done = run_nfbus("check", "-c", self.directory / "nfbus.toml")
        self.assertEqual(done.returncode, 78, done)
        self.assertIn("5:9: sink.out.paths: must have at most 2 elements, found 3", done.stdout)
        self.write('paths = ["äö", "ä"]\n')
        done = run_nfbus("check", "-c", self.directory / "nfbus.toml")
        self.assertEqual(done.returncode, 78, done)
        self.assertIn('5:16: sink.out.paths[1]: "ä" must have at least 2 characters', done.stdout)

    def test_a_deprecated_option_is_a_warning_with_its_place(self):
        warning = 'sink.out.fatal: is deprecated: give at = "create" in its place'
        file = self.directory / "nfbus.toml"
        self.write("fatal = false\n")
        done = run_nfbus("check", "-c", file)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"{file}:5:1: warning: {warning}", done.stdout)
        self.write('fatal = true\nat = "create"\n')
        done = run_nfbus("run", "-c", file)
        self.assertEqual(done.returncode, 78, done)
        self.assertIn(f"{file}:5:1: {warning}", done.stderr)

    def test_they_are_shown(self):
        self.write("")
        done = run_nfbus("plugins", "-c", self.directory / "nfbus.toml", "fails")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"(?m)^paths +array of string +at most 2 elements; relative to the configuration")
        self.assertRegex(done.stdout, r"(?m)^fatal +boolean +deprecated; give at")


class GoodConfiguration(unittest.TestCase):
    def test_the_examples_pass(self):
        examples = sorted(CONFIGS.glob("*.toml"))
        self.assertEqual([path.name for path in examples], ["full.toml", "minimal.toml", "nfbus.toml", "spr.toml"])
        for path in examples:
            done = run_nfbus("check", "-c", path)
            self.assertEqual(done.returncode, 0, done)
            self.assertRegex(done.stdout, rf"(?m)^{re.escape(str(path))}: ok \(\d+ captures, ")
            doubts = [line for line in done.stdout.splitlines() if " warning: " in line
                      and not re.search(r"there is no folder|there is no group nfbus|cannot (?:make|write|read|remove)", line)]
            self.assertEqual(doubts, [], "but for what this machine lacks")

    def test_the_full_example_has_every_key_of_the_host(self):
        schema = (REPOSITORY / "host/config/host_schema.hpp").read_text()
        schema += (REPOSITORY / "host/schema/host_keys.hpp").read_text()
        secrets = set(re.findall(r'"(\w+)": *\{"type": "string", "x-secret": true', schema))
        keys = set(re.findall(r'"(\w+)": *\{"(?:type|enum)"', schema)) - secrets - {"filter", "items", "additionalProperties"}
        text = (CONFIGS / "full.toml").read_text()
        full = tomllib.loads(text)
        tables = (full["host"], full["bus"], full["metrics"], *full["capture"], *full["sink"].values(),
                  *(sink["spill"] for sink in full["sink"].values() if "spill" in sink))
        self.assertLessEqual(keys, {key for table in tables for key in table})
        for secret in secrets:  # whose file is not there
            self.assertRegex(text, rf"(?m)^# {secret}_file +=")

    def test_the_full_example_has_every_key_of_every_plugin(self):
        text = (CONFIGS / "full.toml").read_text()
        full = tomllib.loads(text)
        tables = [*full["sink"].values(), *full["filter"].values()]
        used = {table["plugin"] for table in tables}
        self.assertEqual({line.split()[0] for line in self.plugins()}, used)
        for name in used:
            lines = [line for line in self.plugins(name)[1:] if re.match(r"\w+  ", line)]
            keys = {line.split()[0] for line in lines if "a secret:" not in line}
            for secret in {line.split()[0] for line in lines} - keys:  # whose variable is not there
                self.assertRegex(text, rf"(?m)^# {secret} +=", name)
            self.assertTrue(keys or "it has no options of its own" in self.plugins(name), name)
            present = {key for table in tables if table["plugin"] == name for key in table}
            self.assertLessEqual(keys, present, name)

    def plugins(self, *name):
        """The lines of `nfbus plugins`: one for each, or behind the first one for each option of this one."""
        done = run_nfbus("plugins", "-c", CONFIGS / "full.toml", *name)
        self.assertEqual((done.returncode, done.stderr), (0, ""), name)
        return done.stdout.splitlines()

    def test_the_full_example_has_every_key_of_a_match(self):
        full = tomllib.loads((CONFIGS / "full.toml").read_text())
        present = {key.removeprefix("!") for table in full["filter"]["example"]["keep"] for key in table}
        known = re.findall(r'\{"(\w+)", ValueType::', (REPOSITORY / "host/match/keys.cpp").read_text())
        self.assertEqual(present, {*known, "rule"})
        documented = (REPOSITORY / "sdk/README.md").read_text().split("## Matches")[1]
        for key in present:
            self.assertRegex(documented, rf"(?m)^\|.*`{key}`", key)

    def test_the_default_file_passes_with_its_comments_taken_away(self):
        text = (CONFIGS / "nfbus.toml").read_text().replace('"NAME"', "")
        self.assertIn("# latency_ms", text)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "all.toml"
            path.write_text(re.sub(r"^# (\w+ *= )", r"\1", text, flags=re.M))
            done = run_nfbus("check", "-c", path)
            self.assertEqual(done.returncode, 0, done)


if __name__ == "__main__":
    main()
