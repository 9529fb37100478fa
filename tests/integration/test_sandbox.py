'''What a plugin, its threads and the programs that it executes may ask of the kernel once the host is ready.'''

import collections
import errno
import pathlib
import shutil
import signal
import struct
import tempfile

import nfbustest
from nfbustest import TEST_PLUGINS, wait_until
from packets import UDP, ipv4, send, udp

HOST = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
"""

CAPTURE = """
[[capture]]
group = 0
"""

TRIES = f"""
[sink.tries]
plugin = "tries"
file = "@DIR@/tries"
program = "{TEST_PLUGINS}/tries_program"
token = "${{PATH}}"
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "lan:out " group 0;
}
}"""

PACKET = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))


class Sandbox(nfbustest.IntegrationTest):
    def assert_confined(self, tries):
        """Looks at what the sink tried: on its worker's thread, on a thread that was there before all was open, and in
        a program."""
        wait_until(lambda: tries.exists() and tries.read_text().endswith("end\n"), 30, "what the sink tried")
        tried = collections.defaultdict(dict)
        for line in tries.read_text().splitlines():
            who, _, rest = line.partition(" ")
            if who in ("early", "thread", "program"):
                kind, outcome, name = rest.split(" ", 2)
                tried[who, kind][name] = outcome
        for who in ("early", "thread", "program"):
            refused, allowed = tried[who, "refused"], tried[who, "allowed"]
            self.assertGreater(len(refused), 30)
            self.assertGreater(len(allowed), 8)
            self.assertEqual(refused, {name: str(errno.EPERM) for name in refused}, who)
            self.assertEqual(allowed, {name: "0" for name in allowed}, who)
            self.assertEqual(tried[who, "missing"], {"clone3": str(errno.ENOSYS)}, who)

    def capture_one(self, host, tries=None):
        self.namespace.nft(RULES)
        send(self.namespace, [PACKET])
        self.assert_confined(tries or host.path("tries"))
        self.assertEqual(host.stop(), 0)

    def test_a_host_without_an_account_is_confined(self):
        self.capture_one(self.start(HOST + CAPTURE + TRIES))

    def test_a_host_that_becomes_a_user_is_confined(self):
        with tempfile.TemporaryDirectory() as folder:
            # Where the user may write, and execute a program.
            shutil.copy(TEST_PLUGINS / "tries_program", folder)
            shutil.chown(folder, "nobody")
            sink = TRIES.replace(str(TEST_PLUGINS), folder).replace("@DIR@", folder)
            host = self.start(HOST.replace("[host]", '[host]\nuser = "nobody"') + CAPTURE + sink)
            self.capture_one(host, pathlib.Path(folder, "tries"))

    def test_a_replay_is_confined(self):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
            capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) +
                          struct.pack("<IIII", 1, 2, len(PACKET), len(PACKET)) + PACKET)
            capture.flush()
            host = self.start(HOST + TRIES, arguments=["--replay", capture.name], wait=False)
            self.assertEqual(host.wait(60), 0)
            self.assert_confined(host.path("tries"))

    def test_a_sink_that_a_reload_brings_works_and_is_confined(self):
        other = '[sink.other]\nplugin = "jsonl"\nfile = "@DIR@/other"\n'
        host = self.start(HOST + CAPTURE + other)
        host.config_file.write_text((HOST + CAPTURE + other + TRIES).replace("@DIR@", str(host.directory)))
        host.signal(signal.SIGHUP)
        host.wait_for("info: reloaded: 1 group, 2 sinks")
        self.capture_one(host)


if __name__ == "__main__":
    nfbustest.main()
