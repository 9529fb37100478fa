'''`.ci/layouts.py`: no struct of the ABI has padding, on any machine.'''

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from nfbustest import REPOSITORY, main

HEADER = REPOSITORY / "sdk/include/nfbus/abi.h"


class Layouts(unittest.TestCase):
    def layouts(self, *arguments):
        done = subprocess.run([sys.executable, REPOSITORY / ".ci/layouts.py", *arguments], text=True,
                              capture_output=True, timeout=60)
        *findings, summary = done.stdout.splitlines()
        self.assertRegex(summary, r"^layouts: \d targets, \d findings$", done)
        self.assertEqual(done.returncode, 1 if findings else 0, done)
        # "gcc -m32:", before what it says
        return [line[:-1] for line in findings if re.match(r"^(gcc|clang)[^:]*:$", line)], "\n".join(findings)

    def changed(self, before, after):
        '''The header with one of its lines changed.'''
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        text = HEADER.read_text()
        self.assertEqual(text.count(before), 1, before)
        (pathlib.Path(directory.name) / "nfbus").mkdir()
        (pathlib.Path(directory.name) / "nfbus/abi.h").write_text(text.replace(before, after))
        return directory.name

    def test_the_header_has_no_padding_anywhere(self):
        self.assertEqual(self.layouts(), ([], ""))

    def test_padding_in_the_middle_is_found_on_every_machine(self):
        include = self.changed("typedef struct nfbus_error {\n", "typedef struct nfbus_error {\n  uint16_t added;\n")
        machines, said = self.layouts(include)
        self.assertGreaterEqual(len(machines), 6, said)
        self.assertIn("padding struct", said)

    def test_padding_at_the_end_is_found_on_every_machine(self):
        machines, said = self.layouts(self.changed("  char option[256];", "  char option[255];"))
        self.assertGreaterEqual(len(machines), 6, said)
        self.assertIn("nfbus: nfbus_error ends in padding", said)

    def test_what_only_some_machines_pad_is_found_on_these(self):
        # A uint64_t behind a uint32_t: padded where it is aligned to 8, which the i386 does not do.
        include = self.changed("typedef struct nfbus_findings {\n  uint32_t struct_size;\n  uint32_t reserved;\n",
                               "typedef struct nfbus_findings {\n  uint32_t struct_size;\n  uint64_t added;\n")
        machines, said = self.layouts(include)
        self.assertNotIn("gcc -m32", machines, said)
        self.assertNotIn("clang, i386-linux-gnu", machines, said)
        self.assertIn("clang, armv7-linux-gnueabihf", machines, said)
        # Two pointers before a uint32_t: the struct ends in padding where pointers have 8 bytes.
        include = self.changed("  uint32_t argument_count;      /* at least 1 */\n", "")
        machines, said = self.layouts(include)
        self.assertIn("clang, aarch64-linux-gnu", machines, said)
        self.assertNotIn("clang, mipsel-linux-gnu", machines, said)

    def test_a_header_that_does_not_compile_is_a_finding(self):
        machines, said = self.layouts(self.changed("#include <stdint.h>\n", ""))
        self.assertGreaterEqual(len(machines), 6, said)


if __name__ == "__main__":
    main()
