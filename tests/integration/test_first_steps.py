'''README.md word by word, from its first configuration on, on a machine that has neither account nor folders for nfbus.'''

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import nfbustest
from nfbustest import NFBUS_BIN, wait_until
from packets import UDP, ipv4, send, udp

README = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()


def snippets(section=None):
    '''The indented blocks of a section, or of all, without their indentation.'''
    text = README if section is None else README.split(f"## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", text)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) + "\n" for block in blocks]


def is_toml(snippet):
    return re.match(r"\[+[a-z]+[].]", snippet) is not None and "PLUGIN" not in snippet


class FirstSteps(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        for name in ("etc", "log", "run"):
            (self.folder / name).mkdir()
        subprocess.run(["cp", "-a", "/etc/.", self.folder / "etc"], check=True)
        shutil.rmtree(self.folder / "etc/nfbus", ignore_errors=True)
        for name in ("passwd", "group", "shadow", "gshadow"):
            file = self.folder / "etc" / name
            if file.exists():
                file.write_text("".join(row for row in file.read_text().splitlines(keepends=True)
                                        if not row.startswith("nfbus:")))

    def command(self, script):
        '''On that machine, as root; a shell script, with nfbus in its PATH.'''
        binds = " && ".join(f"mount --bind {self.folder}/{name} {where}"
                            for name, where in (("etc", "/etc"), ("log", "/var/log"), ("run", "/run")))
        # `ip netns` has made mounts of /etc that the new ones hide.
        return self.namespace.command("unshare", "--mount", "sh", "-c",
                                      f'{binds} && export PATH="{NFBUS_BIN.parent}:$PATH" && set -e\n{script}')

    def run_here(self, script):
        return subprocess.run(self.command(script), capture_output=True, text=True, timeout=60)

    def prepare(self):
        commands, *_ = snippets("A first configuration")
        done = self.run_here(commands)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((self.folder / "log/nfbus").stat().st_mode & 0o777, 0o750)

    def configure(self, parts):
        file = self.folder / "etc/nfbus/nfbus.toml"
        file.write_text("\n".join(parts))
        file.chmod(0o644)

    def test_each_configuration_of_the_page_can_be_added_to_the_first_one(self):
        self.prepare()
        parts = [snippet for snippet in snippets() if is_toml(snippet)]
        self.assertGreaterEqual(len(parts), 5, parts)
        for count in range(1, len(parts) + 1):
            self.configure(parts[:count])
            done = self.run_here("nfbus check")
            self.assertEqual(done.returncode, 0, parts[count - 1] + done.stdout + done.stderr)

    def test_the_first_one_shows_the_packets_that_its_rules_log_and_so_does_socat(self):
        self.prepare()
        parts = [snippet for snippet in snippets("A first configuration") if is_toml(snippet)]
        self.configure(parts)
        commands, = [snippet for snippet in snippets("A first configuration") if "nft add" in snippet]
        self.assertTrue(commands.endswith("nfbus check\nnfbus run\n"))
        host = subprocess.Popen(self.command(commands.replace("nfbus run", "exec nfbus run")), text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(host.stderr.close)
        self.addCleanup(lambda: host.poll() is None and host.kill())
        said = []
        while not said or "ready:" not in said[-1]:
            said.append(host.stderr.readline())
            self.assertTrue(said[-1], "".join(said))
        socket = self.folder / "run/nfbus/server.sock"
        wait_until(socket.exists, 10, "the bus socket")
        shown = re.search(r"(?m)^    \$ (echo .*\| socat .*)$", README)[1]
        client = None
        if shutil.which("socat"):
            client = subprocess.Popen(["sh", "-c", shown.replace("/run/nfbus", str(socket.parent))], text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.addCleanup(client.stdout.close)
            self.addCleanup(lambda: client.poll() is None and client.kill())
            wait_until(lambda: ["nft:drop:"] in self.topics_of_clients(socket), 10, "socat's subscription")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: nfbustest.read_json_lines(self.folder / "log/nfbus/packets.json"), 10, "the packet")
        if client:
            self.assertIn('"topic":"nft:drop:input"', client.stdout.readline())
            self.assertIsNone(client.poll())  # it stays
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(30), 0, "".join(said) + host.stderr.read())
        if client:
            self.assertEqual(client.wait(30), 0)  # with the host
        self.assertGreater((self.folder / "log/nfbus/drops.pcap").stat().st_size, 24)

    def topics_of_clients(self, socket):
        done = nfbustest.run_nfbus("status", "--json", "-s", socket)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [client["topics"] for client in json.loads(done.stdout)["clients"]]

    def test_without_the_folder_of_the_logs_check_says_the_command(self):
        self.prepare()
        self.configure([snippet for snippet in snippets("A first configuration") if is_toml(snippet)][:1])
        (self.folder / "log/nfbus").rmdir()
        done = self.run_here("nfbus check")
        self.assertIn("install -d -o nfbus -g nfbus /var/log/nfbus", done.stdout)


if __name__ == "__main__":
    nfbustest.main()
