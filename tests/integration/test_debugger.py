'''gdb on a running host, on one that it starts, and on the core file of one that crashed: all with the plugins' symbols.'''

import subprocess

import nfbustest
from nfbustest import NFBUS_BIN, TEST_PLUGINS, wait_until
from packets import UDP, ipv4, send, udp

CONFIG = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[[capture]]
group = 0
latency_ms = 0
[sink.stuck]
plugin = "hangs"
"""


# A function of the plugin, with its file and line.
FRAME = r"write \(\) at .*/hangs\.cpp:\d+"


def gdb(*arguments, commands):
    argv = ["gdb", "--batch", "-nx", "-iex", "set debuginfod enabled off"]
    for command in commands:
        argv += ["-ex", command]
    done = subprocess.run([*argv, *map(str, arguments)], capture_output=True, encoding="utf-8", errors="replace",
                          timeout=60, check=False)
    return done.stdout + done.stderr


class Debugger(nfbustest.IntegrationTest):
    def test_a_running_host_and_its_core_file_show_where_in_a_plugin_it_is(self):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 log prefix "a " group 0;
        }
        }""")
        host = self.start(CONFIG)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: " calls=1" in self.counters_of(host), 10, "the call of the plugin")
        core = host.path("core")
        said = gdb("-p", host.process.pid, commands=["thread apply all backtrace", f"generate-core-file {core}"])
        self.assertRegex(said, FRAME)
        self.assertIsNone(host.process.poll(), "it goes on")
        self.assertRegex(gdb(NFBUS_BIN, core, commands=["thread apply all backtrace"]), FRAME)

    def counters_of(self, host):
        host.counters()
        return host.stderr

    def test_a_program_that_it_starts_runs_to_its_end_with_plugins(self):
        config = self.start(CONFIG).config_file
        said = gdb("--args", NFBUS_BIN, "plugins", "-c", config, commands=["run"])
        self.assertIn("hangs.so", said)
        self.assertIn("exited normally", said)


if __name__ == "__main__":
    nfbustest.main()
