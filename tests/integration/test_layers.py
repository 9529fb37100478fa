'''`.ci/layers.py`: who may include what in host/, by the table in its README.'''

import pathlib
import subprocess
import sys
import tempfile
import unittest

from nfbustest import REPOSITORY, main

TABLE = """# The host

| folder | holds | may include |
| --- | --- | --- |
| `support/` | small things | nothing else |
| `event/` | events | nothing else |
| `bus/` | queues | `event/` |
| `bus/server/` | a socket | `bus/` |
| `plugins/` | plugins | `event/`, `bus/queue.hpp` |
| `cli/` | commands | all |

More text.
"""


class Layers(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.host = pathlib.Path(directory.name) / "host"
        for name in ("support/log.hpp", "event/event.hpp", "bus/queue.hpp", "bus/bus.hpp", "bus/server/hub.hpp",
                     "plugins/load.hpp", "cli/run.cpp"):
            self.write(name, "")
        self.write("README.md", TABLE)

    def write(self, name, text):
        (self.host / name).parent.mkdir(parents=True, exist_ok=True)
        (self.host / name).write_text(text)

    def findings(self):
        done = subprocess.run([sys.executable, REPOSITORY / ".ci/layers.py", self.host.parent], text=True,
                              capture_output=True, timeout=30)
        *findings, summary = done.stdout.splitlines()
        self.assertRegex(summary, r"^layers: \d+ files, \d+ rows, \d+ findings$", done)
        self.assertEqual(done.returncode, 1 if findings else 0, done)
        return findings

    def test_what_the_table_allows_is_no_finding(self):
        self.write("support/log.hpp", "#include <string>\n#include <nfbus/abi.h>\n")
        self.write("event/event.hpp", '#include "support/log.hpp"\n#include "event/other.hpp"\n')
        self.write("event/other.hpp", '#include "event.hpp"\n')
        self.write("bus/server/hub.hpp", '#include "bus/bus.hpp"\n#include "bus/server/hub.hpp"\n')
        self.write("plugins/load.hpp", '#include "event/event.hpp"\n#include "bus/queue.hpp"\n')
        self.write("cli/run.cpp", '#include "bus/server/hub.hpp"\n#include "plugins/load.hpp"\n')
        self.assertEqual(self.findings(), [])

    def test_an_include_upwards_is_named_with_its_line_and_its_row(self):
        self.write("event/event.hpp", '#pragma once\n\n  # include "bus/bus.hpp"\n')
        self.assertEqual(self.findings(), [
            'host/event/event.hpp:3: includes "bus/bus.hpp", which its row does not allow',
            "  host/README.md:6: | `event/` | events | nothing else |"])

    def test_every_spelling_of_an_include_is_seen(self):
        for spelling in ('"bus/bus.hpp"', "<bus/bus.hpp>", '"../bus/bus.hpp"', '"support/../bus/bus.hpp"'):
            with self.subTest(spelling):
                self.write("event/event.hpp", f"#include {spelling}\n")
                self.assertIn('host/event/event.hpp:1: includes "bus/bus.hpp"', self.findings()[0])

    def test_a_folder_in_a_row_does_not_stand_for_a_row_of_its_own_below_it(self):
        self.write("bus/bus.hpp", '#include "bus/server/hub.hpp"\n')
        self.assertIn('host/bus/bus.hpp:1: includes "bus/server/hub.hpp"', self.findings()[0])

    def test_a_single_file_in_a_row_is_that_file_alone(self):
        self.write("plugins/load.hpp", '#include "bus/queue.hpp"\n#include "bus/bus.hpp"\n')
        self.assertEqual(len(self.findings()), 2)
        self.assertIn('host/plugins/load.hpp:2: includes "bus/bus.hpp"', self.findings()[0])

    def test_plugins_are_out_of_reach(self):
        self.write("cli/run.cpp", '#include "../../plugins/lib/x.hpp"\n')
        self.write("../plugins/lib/x.hpp", "")
        self.assertEqual(self.findings()[0], 'host/cli/run.cpp:1: includes "../plugins/lib/x.hpp", which is not in the table')

    def test_a_folder_without_a_row_is_a_finding(self):
        self.write("record/record.hpp", "")
        self.assertEqual(self.findings(), ["host/record/record.hpp:1: has no row in the table of host/README.md"])

    def test_rows_of_nothing_and_rows_out_of_order_are_findings(self):
        self.write("README.md", TABLE.replace("`bus/` | queues | `event/`", "`bus/` | queues | `event/`, `cli/`")
                   .replace("| commands | all", "| commands | what it likes") + "\n")
        self.assertEqual(self.findings(), [
            "host/README.md:7: `cli/` is neither a row above this one nor a file of one",
            "host/README.md:10: say what `cli/` may include: names in ``, all, or nothing else"])
        self.write("README.md", TABLE.replace("`plugins/` | plugins", "`plugin/` | plugins"))
        self.assertIn("host/README.md:9: there is no host/plugin/", self.findings())
        self.write("README.md", "# The host\n")
        self.assertEqual(self.findings(), ["host/README.md:1: there is no table | folder | holds | may include |"])


if __name__ == "__main__":
    main()
