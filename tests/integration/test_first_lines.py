'''Before nfbus does anything: descriptors 0 to 2 are there, and the environment is out of sight.'''

import itertools
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

import nfbustest
from nfbustest import NFBUS_BIN, TEST_PLUGINS, children, read_json_lines, wait_until
from packets import UDP, ipv4, send, udp

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
"""

TRIES = f"""
[host]
plugin_dirs = ["{TEST_PLUGINS}"]
[[capture]]
group = 0
[sink.tries]
plugin = "tries"
file = "@DIR@/tries"
program = "{TEST_PLUGINS}/tries_program"
token = "${{TRIES_TOKEN}}"
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "lan:out " group 0;
}
}"""

# Every choice of descriptors that a shell may have closed, but for none of them.
CLOSED = [closed for count in (1, 2, 3) for closed in itertools.combinations(range(3), count)]


def words_with_closed(closed, *words):
    """The command line of a shell that closes these descriptors and becomes the program."""
    return ["sh", "-c", 'exec "$0" "$@" ' + " ".join(f"{number}>&-" for number in closed), *map(str, words)]


def run_status(bus):
    return subprocess.run([NFBUS_BIN, "status", "-s", bus], capture_output=True).returncode


def shown_environment(pid):
    return pathlib.Path(f"/proc/{pid}/environ").read_bytes()


class StandardStreams(nfbustest.IntegrationTest):
    def test_those_that_are_closed_lead_nowhere_and_the_host_works(self):
        self.namespace.nft(RULES)
        for closed in CLOSED:
            with self.subTest(closed=closed), tempfile.TemporaryDirectory() as folder:
                out, bus, config = (pathlib.Path(folder) / name for name in ("out", "bus.sock", "nfbus.toml"))
                config.write_text(CONFIG.replace("@DIR@", folder))
                # `ip netns exec` and the shell become the program.
                process = self.namespace.popen(*words_with_closed(closed, NFBUS_BIN, "run", "-c", config),
                                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL)
                wait_until(lambda: run_status(bus) == 0, 10, "the host")
                streams = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
                self.assertEqual(streams, ["/dev/null"] * 3)
                send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
                wait_until(lambda: len(read_json_lines(out)) == 1, 10, "the record")
                process.terminate()
                self.assertEqual(process.wait(10), 0)

    def test_no_command_takes_them_for_its_own_files(self):
        host = self.start(CONFIG)
        commands = {("check", "-c", host.config_file): 0, ("plugins",): 0, ("--version",): 0,
                    ("status", "-s", host.path("bus.sock")): 0, ("publish", "a:b", "{}", "-s", host.path("bus.sock")): 0,
                    ("check", "-c", "/nowhere"): 78}
        for closed, (words, expected) in itertools.product(CLOSED, commands.items()):
            with self.subTest(closed=closed, words=words):
                done = subprocess.run(words_with_closed(closed, NFBUS_BIN, *words), capture_output=True, timeout=30)
                self.assertEqual(done.returncode, expected, done.stderr)


class Environment(nfbustest.IntegrationTest):
    def tried(self, host, end=1):
        """What the sink found, once it has tried."""
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: host.path("tries").exists() and host.path("tries").read_text().count("end\n") == end, 30,
                   "what the sink tried")
        return dict(line.split(" ", 1) for line in host.path("tries").read_text().splitlines() if " " in line)

    def test_nobody_sees_a_secret_there_and_plugins_and_their_programs_find_all_of_it(self):
        self.namespace.nft(RULES)
        host = self.start(TRIES, env={"TRIES_TOKEN": "hush-1", "TRIES_READS": "found", "TZ": "XYZ-5"})
        processes = [host.process.pid, *children(host.process.pid)]
        self.assertEqual(len(processes), 2, "the host and its helper")
        for process in processes:
            self.assertFalse(b"hush" in shown_environment(process), f"process {process} shows a secret")
        found = self.tried(host)
        self.assertEqual(found["token"], "hush-1")
        self.assertEqual(found["environment"], "XYZ found set")
        self.assertEqual(found["inherits"], "set")
        self.assertEqual(host.stop(), 0)

    def test_a_reload_finds_secrets_that_nothing_named_before(self):
        self.namespace.nft(RULES)
        host = self.start(TRIES, env={"TRIES_TOKEN": "hush-1", "TRIES_SECOND": "hush-2"})
        host.config_file.write_text(host.config_file.read_text().replace("TRIES_TOKEN", "TRIES_SECOND"))
        host.signal(signal.SIGHUP)
        host.wait_for("info: reloaded")
        self.assertEqual(self.tried(host)["token"], "hush-2")
        self.assertFalse(b"hush" in shown_environment(host.process.pid), "a secret shows")

    def test_systemd_is_told_as_before(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(f"{folder}/notify")
            told.settimeout(10)
            self.start(CONFIG, env={"NOTIFY_SOCKET": f"{folder}/notify"})
            self.assertEqual(told.recv(100), b"READY=1")


if __name__ == "__main__":
    nfbustest.main()
