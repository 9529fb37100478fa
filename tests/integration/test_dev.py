'''`./dev test`: what is built for which tests, with programs in the place of cmake, ctest and dpkg that only tell.'''

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
UNITS = ("decode", "delivery", "plugins", "plugins/jsonl")
INTEGRATION = ["nfbus", "plugins/all", "plugins_bad", "count_allocations", "shift_clock"]


class DevTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copy(REPOSITORY / "dev", self.folder)
        for unit in UNITS:
            (self.folder / "tests/unit" / unit).mkdir(parents=True, exist_ok=True)
        programs = self.folder / "programs"
        programs.mkdir()
        for name, script in (("cmake", 'echo "cmake $*"'), ("ctest", 'echo "ctest $*"'), ("sudo", '"$@"'),
                             ("dpkg-query", "printf installed")):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def targets(self, *arguments):
        '''What is built; None: all. The arguments go to ctest as they are.'''
        done = subprocess.run([self.folder / "dev", "test", *arguments], env=self.environment, capture_output=True,
                              text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        configure, build, test = done.stdout.splitlines()
        self.assertEqual(configure, "cmake --preset dev")
        self.assertEqual(test, " ".join(["ctest --preset dev", *arguments]))
        words = build.split()
        self.assertEqual(words[:4], ["cmake", "--build", "--preset", "dev"])
        self.assertIn(words[4:5], ([], ["--target"]))
        return words[5:] or None

    def test_a_units_program_alone_is_built(self):
        self.assertEqual(self.targets("-R", "unit_decode"), ["unit_decode"])
        self.assertEqual(self.targets("--tests-regex", "^unit_decode"), ["unit_decode"])
        self.assertEqual(self.targets("-j", "4", "-R", "unit_decode.Dns", "--timeout", "5"), ["unit_decode"])
        self.assertEqual(self.targets("-R", "unit_plugin_jsonl"), ["unit_plugin_jsonl"])

    def test_all_programs_that_begin_so_are_built(self):
        self.assertEqual(self.targets("-R", "unit_de"), ["unit_decode", "unit_delivery"])
        self.assertEqual(self.targets("-R", "unit_plugin"), ["unit_plugins", "unit_plugin_jsonl"])
        self.assertEqual(len(self.targets("-R", "unit")), len(UNITS))

    def test_integration_tests_need_the_program_and_plugins(self):
        for pattern in ("integration", "integration_check", "^integration_check$"):
            self.assertEqual(self.targets("-R", pattern), INTEGRATION)

    def test_all_is_built_for_whatever_else_is_chosen(self):
        for arguments in ((), ("-R", "Dns"), ("-R", "unit_decode|Dns"), ("-R", "unit_none"), ("-R", ".*"), ("-R",),
                          ("-L", "unit"), ("-Runit_decode",), ("-R", "unit_decode", "-R", "bench"), ("--rerun-failed",)):
            with self.subTest(arguments):
                self.assertIsNone(self.targets(*arguments))


if __name__ == "__main__":
    unittest.main()
