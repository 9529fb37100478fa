'''What the tests of sinks/pcap share: its configuration, what is sent, and what tcpdump and tshark say of the files.'''

import json
import re
import subprocess

from packets import UDP, ipv4, udp

OUTPUT_RULES = """table inet t {
    chain c { type filter hook output priority 0; udp dport 1000-60000 counter log prefix "a " group 1; }
}"""

CAPTURE = """
[[capture]]
group = 1
latency_ms = 0
"""


def sink(name, **options):
    lines = [f"[sink.{name}]", 'plugin = "pcap"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def packets(first, count):
    return [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(999, first + i)) for i in range(count)]


def tshark(path, *fields, only=""):
    '''A list of each packet's fields, of the outermost header that has them. only: a display filter. Fails where tshark
    complains.'''
    argv = ["tshark", "-n", "-r", path, "-Y", only, "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        argv += ["-e", field]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    if done.returncode != 0 or complaints:
        raise AssertionError(f"tshark on {path}: {done.returncode} {done.stderr}")
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


def tcpdump(path):
    '''The lines of its text. Fails where tcpdump complains.'''
    done = subprocess.run(["tcpdump", "-n", "-tt", "--nano", "-r", str(path)], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("reading from file")]
    if done.returncode != 0 or complaints:
        raise AssertionError(f"tcpdump on {path}: {done.returncode} {done.stderr}")
    return done.stdout.splitlines()


def ports_of(path):
    return [int(port) for port, in tshark(path, "udp.dstport")]


def dumped_ports(path):
    '''As ports_of(), by tcpdump, which starts faster.'''
    return [int(re.search(r"> [^ ]*\.(\d+): ", line)[1]) for line in tcpdump(path)]


class Prepared:
    '''Stands for a namespace: a shell script there prepares "$dir", the host's directory, and starts the program.'''

    def __init__(self, namespace, script):
        self._argv = namespace.command("sh", "-c", f'dir=$(dirname "$4"); {script}', "sh")

    def command(self, *argv):
        return [*self._argv, *map(str, argv)]
