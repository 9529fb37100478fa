'''The installed package: plugins outside of this tree build against it, and the installed program runs them.'''

import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from nfbustest import NFBUS_BIN, REPOSITORY, UDP, ipv4, main, read_json_lines, udp

BUILD = NFBUS_BIN.parent.parent
DLT_RAW = 101
PORTS = [53, 80, 53, 443, 8080]  # of the replayed packets


def pcap(packets):
    records = [struct.pack("<IIII", 1, number, len(packet), len(packet)) + packet
               for number, packet in enumerate(packets)]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, DLT_RAW) + b"".join(records)


def run(*argv):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class SdkPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-sdk-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        for kind in "sink", "filter":
            cls._build(cls._from_template(kind, f"my_{kind}"))
        cls._build(pathlib.Path(__file__).parent / "outside/c_sink")

    @classmethod
    def _from_template(cls, kind, name):
        source = cls.folder / name
        source.mkdir()
        for template in (cls.prefix / "share/nfbus/template" / kind).iterdir():
            (source / template.name.replace("@NAME@", name)).write_text(template.read_text().replace("@NAME@", name))
        return source

    @classmethod
    def _build(cls, source):
        build = cls.folder / f"build-{source.name}"
        run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={cls.prefix}", "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror", "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror")
        run("cmake", "--build", build)
        run("cmake", "--install", build, "--prefix", cls.prefix)

    def test_everything_is_where_the_design_says(self):
        for name in ("bin/nfbus", "include/nfbus/abi.h", "include/nfbus/sink.hpp", "lib/cmake/nfbus/nfbus-config.cmake",
                     "lib/nfbus/plugins/jsonl.so", "lib/nfbus/plugins/my_sink.so", "lib/nfbus/plugins/my_filter.so",
                     "lib/nfbus/plugins/c_sink.so"):
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_a_plugin_shows_its_entry_and_no_symbol_of_its_own(self):
        for plugin in (self.prefix / "lib/nfbus/plugins").glob("*.so"):
            symbols = [line.split()[-2:] for line in run("nm", "-D", "--defined-only", plugin).splitlines()]
            self.assertIn("nfbus_library_v1", [name for _, name in symbols], plugin.name)
            if not self._sanitized(plugin):
                others = [name for _, name in symbols if name != "nfbus_library_v1" and "nfbus" in name]
                self.assertEqual(others, [], plugin.name)
                self.assertNotIn("u", [kind for kind, _ in symbols], f"{plugin.name} has symbols unique in the process")

    @staticmethod
    def _sanitized(plugin):
        return "asan" in run("nm", "-D", plugin) or "tsan" in run("nm", "-D", plugin)

    def test_the_installed_program_lists_them(self):
        listed = run(self.prefix / "bin/nfbus", "plugins", "-c", self._config("list.toml", ""))
        for name in "jsonl", "my_sink", "my_filter", "c_sink":
            self.assertRegex(listed, rf"(?m)^{name}\b")

    def test_the_installed_program_runs_them(self):
        capture = self.folder / "in.pcap"
        capture.write_bytes(pcap([ipv4("192.0.2.1", "198.51.100.7", UDP, udp(1024, port)) for port in PORTS]))
        config = self._config("run.toml", """
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
        run(self.prefix / "bin/nfbus", "run", "-c", config, "--replay", capture)
        mine = (self.folder / "mine.txt").read_text().splitlines()
        self.assertEqual(len(mine), len(PORTS))
        for line in mine:
            self.assertTrue(line.endswith(" 192.0.2.1 198.51.100.7"), line)
        kept = read_json_lines(self.folder / "c.json")
        self.assertEqual([record["dest_port"] for record in kept], [port for port in PORTS if port != 53])
        self.assertEqual([record["Fields"] for record in kept], [{"length": "28"}] * 3, "what the filter noted")
        self.assertEqual([record["dest_port"] for record in read_json_lines(self.folder / "lines.json")], PORTS)

    def _config(self, name, text):
        path = self.folder / name
        path.write_text(text.replace("@DIR@", str(self.folder)))
        return path


if __name__ == "__main__":
    main()
