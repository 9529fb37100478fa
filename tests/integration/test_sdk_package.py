'''The installed package: plugins outside of this tree build against it, and the installed program runs them.'''

import struct
import unittest

from installed import OUTSIDE, Installed, run
from nfbustest import Host, Namespace, main, read_json_lines, wait_until
from packets import UDP, ipv4, udp

DLT_RAW = 101
PORTS = [53, 80, 53, 443, 8080]  # of the replayed packets


def pcap(packets):
    records = [struct.pack("<IIII", 1, number, len(packet), len(packet)) + packet
               for number, packet in enumerate(packets)]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, DLT_RAW) + b"".join(records)


class SdkPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.installed = Installed()
        cls.addClassCleanup(cls.installed.close)
        cls.folder, cls.prefix = cls.installed.folder, cls.installed.prefix
        for kind in "sink", "filter", "source":
            run(cls.installed.program, "new-plugin", f"my_{kind}", "--kind", kind, cwd=cls.folder)
            cls.installed.build(cls.folder / f"my_{kind}")
        cls.installed.build(OUTSIDE / "c_sink")
        cls.installed.build(OUTSIDE / "asks")

    def test_everything_is_where_the_design_says(self):
        for name in ("bin/nfbus", "include/nfbus/abi.h", "include/nfbus/sink.hpp", "lib/cmake/nfbus/nfbus-config.cmake",
                     "lib/nfbus/plugins/jsonl.so", "lib/nfbus/plugins/my_sink.so", "lib/nfbus/plugins/my_filter.so",
                     "lib/nfbus/plugins/my_source.so", "lib/nfbus/plugins/c_sink.so"):
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_a_plugin_shows_its_entry_and_no_symbol_of_its_own(self):
        for plugin in (self.prefix / "lib/nfbus/plugins").glob("*.so"):
            symbols = [line.split()[-2:] for line in run("nm", "-D", "--defined-only", plugin).splitlines()]
            entry = "nfbus_privileged_v1" if plugin.name.endswith(".privileged.so") else "nfbus_library_v1"
            self.assertIn(entry, [name for _, name in symbols], plugin.name)
            if not self._sanitized(plugin):
                others = [name for _, name in symbols if name != entry and "nfbus" in name]
                self.assertEqual(others, [], plugin.name)
                self.assertNotIn("u", [kind for kind, _ in symbols], f"{plugin.name} has symbols unique in the process")

    @staticmethod
    def _sanitized(plugin):
        return "asan" in run("nm", "-D", plugin) or "tsan" in run("nm", "-D", plugin)

    def test_a_plugins_own_test_links_what_it_is_made_of(self):
        self.assertEqual(run(self.folder / "build-c_sink/c_sink_test"), "c_sink 1 is well\n")

    def test_the_installed_program_lists_them(self):
        listed = run(self.installed.program, "plugins", "-c", self.installed.config("list.toml", ""))
        for name in "jsonl", "my_sink", "my_filter", "my_source", "c_sink":
            self.assertRegex(listed, rf"(?m)^{name}\b")

    def test_the_installed_program_runs_them(self):
        capture = self.folder / "in.pcap"
        capture.write_bytes(pcap([ipv4("192.0.2.1", "198.51.100.7", UDP, udp(1024, port)) for port in PORTS]))
        config = self.installed.config("run.toml", """
            [filter.no_dns]
            plugin = "my_filter"
            [sink.mine]
            plugin = "my_sink"
            file = "@DIR@/mine.txt"
            [sink.plain_c]
            plugin = "c_sink"
            filters = ["no_dns"]
            file = "@DIR@/c.json"
            [sink.lines]
            plugin = "jsonl"
            file = "@DIR@/lines.json"
        """)
        run(self.installed.program, "run", "-c", config, "--replay", capture)
        mine = (self.folder / "mine.txt").read_text().splitlines()
        self.assertEqual(len(mine), len(PORTS))
        for line in mine:
            self.assertTrue(line.endswith(" 192.0.2.1 198.51.100.7"), line)
        kept = read_json_lines(self.folder / "c.json")
        self.assertEqual([record["dest_port"] for record in kept], [port for port in PORTS if port != 53])
        self.assertEqual([record["Fields"] for record in kept], [{"length": "28"}] * 3, "what the filter noted")
        self.assertEqual([record["dest_port"] for record in read_json_lines(self.folder / "lines.json")], PORTS)

    def test_the_installed_program_runs_a_privileged_part(self):
        config = self.installed.config("asks.toml", '[sink.asks]\nplugin = "asks"\nmost_mtu = 1400\n')
        self.assertIn('"most_mtu":1400', run(self.installed.program, "ask", "-c", config, "options"))

    def test_the_installed_program_runs_the_source(self):
        config = """
            [source.mine]
            plugin = "my_source"
            interval_ms = 1
            [sink.heard]
            plugin = "jsonl"
            topics = ["my_source"]
            file = "@DIR@/heard.json"
        """
        with Namespace() as namespace, Host(config, namespace, program=self.installed.program) as host:
            wait_until(lambda: len(read_json_lines(host.path("heard.json"))) > 2, 10, "its messages")
            self.assertEqual(host.stop(), 0, host.stderr)


if __name__ == "__main__":
    main()
