'''What the integration tests share: throw-away network namespaces and the nfbus program; packets.py makes packets.

Tests are unittest scripts run as root. All that they make lives in namespaces and temporary directories that carry the
process id and go away with the test, however it ends; what a killed test left behind is removed by the next one.

    with Namespace() as ns, Host(CONFIG, namespace=ns) as host:
        ns.nft("""table inet t {
            chain c { type filter hook output priority 0; counter log prefix "a " group 1; }
        }""")
        send(ns, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 2, b"x"))])
        wait_until(lambda: len(read_json_lines(host.path("out"))) == 1, 5, "the record")
'''

import atexit
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NFBUS_BIN = pathlib.Path(os.environ.get("NFBUS_BIN", REPOSITORY / "build/dev/bin/nfbus"))
# Plugins that behave as their names say (tests/plugins_bad).
TEST_PLUGINS = pathlib.Path(os.environ.get("NFBUS_TEST_PLUGINS", NFBUS_BIN.parents[1] / "tests/plugins"))


# ---- Waiting and reading ---------------------------------------------------------------------------------------------


def wait_until(predicate, seconds, what):
    """Calls `predicate` until it is true and returns its value; AssertionError naming `what` when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


class Repeatedly:
    """Calls `once` again and again on a thread, for as long as a with statement lasts; what it raises ends that one."""

    def __init__(self, once):
        self.rounds = 0  # calls that returned
        self._once = once
        self._ending = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._ending.is_set():
                self._once()
                self.rounds += 1
        except Exception as error:
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ending.set()
        self._thread.join()
        if self._error and kind is None:
            raise self._error


def read_json_lines(path):
    """The objects of a file of JSON lines. A last line without newline is still being written and left out."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


# ---- Namespaces ------------------------------------------------------------------------------------------------------


class Namespace:
    """A network namespace with a unique name and `lo` up. A context manager; close() may be called twice."""

    _PREFIX = "nfbustest"
    _numbers = itertools.count(1)
    _open = []

    def __init__(self):
        self._remove_leftovers()
        self.name = f"{self._PREFIX}-{os.getpid()}-{next(self._numbers)}"
        self._children = []
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        Namespace._open.append(self)
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends what popen() started here and removes the namespace with its devices and rules."""
        for child in self._children:
            end_process(child)
        self._children.clear()
        if self in Namespace._open:
            Namespace._open.remove(self)
            subprocess.run(["ip", "netns", "del", self.name], check=False)

    def command(self, *argv):
        """The command line that runs argv in here."""
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, input=None, check=True, timeout=30):
        """Runs a command to its end and returns its CompletedProcess with stdout and stderr as text."""
        done = subprocess.run(self.command(*argv), input=input, capture_output=True, encoding="utf-8",
                              errors="surrogateescape", timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{argv} ended with {done.returncode}: {done.stderr}")
        return done

    def popen(self, *argv, **options):
        """Starts a command; close() ends it if it still runs."""
        child = subprocess.Popen(self.command(*argv), **options)
        self._children.append(child)
        return child

    def socket(self, kind):
        """An IPv4 socket of this namespace (SOCK_STREAM, SOCK_DGRAM), which any thread may use."""
        made = []

        def make():
            with open(f"/run/netns/{self.name}", "rb") as name:
                if ctypes.CDLL(None, use_errno=True).setns(name.fileno(), 0) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(socket.AF_INET, kind))

        thread = threading.Thread(target=make)  # of its own: it stays in the namespace
        thread.start()
        thread.join()
        return made[0]

    def nft(self, rules):
        """Loads nft rules from text."""
        self.run("nft", "-f", "-", input=rules + "\n")

    def counters(self):
        """Packets that each counting rule saw, by its comment or else its log prefix; equal names add up."""
        totals = {}
        for item in json.loads(self.run("nft", "-j", "list", "ruleset").stdout)["nftables"]:
            rule = item.get("rule", {})
            counts = [e["counter"]["packets"] for e in rule.get("expr", []) if "counter" in e]
            logs = [e["log"].get("prefix", "") for e in rule.get("expr", []) if isinstance(e.get("log"), dict)]
            if counts:
                name = rule.get("comment", logs[0] if logs else "")
                totals[name] = totals.get(name, 0) + counts[0]
        return totals

    def connect(self, other, device, other_device, mac=None, other_mac=None):
        """A veth pair between this namespace and another one, both ends up, quiet (no IPv6 autoconfiguration)."""
        self.run("ip", "link", "add", device, *(["address", mac] if mac else []), "type", "veth", "peer", "name",
                 other_device, *(["address", other_mac] if other_mac else []), "netns", other.name)
        for namespace, name in ((self, device), (other, other_device)):
            namespace.run("sysctl", "-qw", f"net.ipv6.conf.{name}.accept_dad=0", f"net.ipv6.conf.{name}.autoconf=0",
                          f"net.ipv6.conf.{name}.accept_ra=0", f"net.ipv6.conf.{name}.router_solicitations=0",
                          f"net.ipv6.conf.{name}.addr_gen_mode=1")
        for namespace, name in ((self, device), (other, other_device)):
            namespace.run("ip", "link", "set", name, "up")

    @classmethod
    def _remove_leftovers(cls):
        folder = pathlib.Path("/run/netns")
        for path in folder.glob(f"{cls._PREFIX}-*") if folder.is_dir() else []:
            pid = re.fullmatch(rf"{cls._PREFIX}-(\d+)-\d+", path.name)
            if pid and not pathlib.Path(f"/proc/{pid[1]}").exists():
                subprocess.run(["ip", "netns", "del", path.name], check=False, stderr=subprocess.DEVNULL)


def children(pid):
    """The processes that a process has forked, from any thread of it."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        found += map(int, pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def end_process(child, seconds=5):
    """SIGTERM, then SIGKILL after `seconds`; returns the exit status. Nothing happens to one that has ended."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _close_all():
    for namespace in list(Namespace._open):
        namespace.close()


atexit.register(_close_all)
for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, lambda number, _: sys.exit(128 + number))


# ---- The program -----------------------------------------------------------------------------------------------------


class Host:
    """`nfbus run` with a configuration of its own in a directory of its own; ready when the constructor returns.

    config: TOML; @DIR@ stands for the directory. namespace: where it runs. arguments: more of the command line.
    wait: until its "ready:" line; else only started. program: another than the build's. A context manager.
    """

    def __init__(self, config, namespace=None, arguments=(), env=None, wait=True, ready_seconds=15,
                 program=NFBUS_BIN):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self._stderr = []
        self.config_file = self.path("nfbus.toml")
        self.config_file.write_text(config.replace("@DIR@", str(self.directory)))
        self.config_file.chmod(0o644)  # whatever the umask: root starts nothing that others may write
        # `ip netns exec` becomes the program, so that signals to the child reach it.
        argv = [program, "run", "-c", self.config_file, *arguments]
        argv = namespace.command(*argv) if namespace else list(map(str, argv))
        with open(self.path("stdout"), "wb") as stdout:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                                            env={**os.environ, **(env or {})})
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        atexit.register(self.close)
        if wait:
            try:
                self.wait_ready(ready_seconds)
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, name):
        """A file in the host's directory."""
        return self.directory / name

    @property
    def stderr(self):
        """All that it has said so far."""
        return b"".join(self._stderr).decode(errors="replace")

    @property
    def stdout(self):
        return self.path("stdout").read_text(errors="replace")

    def wait_ready(self, seconds=15):
        self.wait_for(r"ready:", seconds)

    def wait_for(self, pattern, seconds=10):
        """Waits until a line of stderr matches the regular expression and returns the match."""

        def find():
            match = re.search(pattern, self.stderr)
            if not match and self.process.poll() is not None:
                self._reader.join(5)
                match = re.search(pattern, self.stderr)
                if not match:
                    raise AssertionError(f"nfbus ended with {self.process.returncode}, no {pattern!r}:\n{self.stderr}")
            return match

        try:
            return wait_until(find, seconds, f"{pattern!r} on nfbus' stderr")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- stderr so far:\n{self.stderr}") from None

    def signal(self, number):
        self.process.send_signal(number)

    def counters(self):
        """Asks a running host for its counters (SIGUSR1): {"capture": {group: {...}}, "sinks": {name: {...}},
        "filters": {name: {...}}}."""
        before = self.stderr.count("info: counters end")
        self.signal(signal.SIGUSR1)
        wait_until(lambda: self.stderr.count("info: counters end") > before, 10, "the counters")
        return self.logged_counters()

    def logged_counters(self):
        """The counters that were logged last: on request, or at the end."""
        totals = {"capture": {}, "sinks": {}, "filters": {}}
        for line in self.stderr.splitlines():
            found = re.match(r"nfbus: info: (capture|sink|filter) (.*)", line)
            if not found:
                continue
            pairs = dict(word.split("=", 1) for word in found[2].split() if "=" in word)
            numbers = {key: int(value) if value.isdigit() else value for key, value in pairs.items()}
            if found[1] == "capture" and "group" in numbers:
                totals["capture"][numbers["group"]] = numbers
            elif found[1] != "capture" and "name" in numbers:
                totals[found[1] + "s"][numbers["name"]] = numbers
        return totals

    def stop(self, seconds=15):
        """SIGTERM; returns the exit status. AssertionError when it does not end in time (it is killed then)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.wait(seconds)

    def wait(self, seconds=15):
        """Waits for the end and returns the exit status. AssertionError when it takes longer (it is killed then)."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._reader.join(5)
            raise AssertionError(f"nfbus did not end within {seconds} s and was killed:\n{self.stderr}") from None
        self._reader.join(5)
        return status

    def close(self):
        """Ends the program, if it still runs, and removes the directory. What a sanitizer reported fails the test."""
        atexit.unregister(self.close)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        end_process(self.process)
        self._reader.join(5)
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if re.search("(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:", self.stderr):
            raise AssertionError(self.stderr)

    def _collect(self):
        while chunk := os.read(self.process.stderr.fileno(), 65536):
            self._stderr.append(chunk)


def run_nfbus(*arguments, namespace=None, input=None, timeout=30, env=None):
    """Runs another command of the program to its end; a CompletedProcess with text."""
    argv = [NFBUS_BIN, *arguments]
    argv = namespace.command(*argv) if namespace else list(map(str, argv))
    return subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


class IntegrationTest(unittest.TestCase):
    """A test case that needs root, with a fresh namespace as self.namespace."""

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "the integration tests need root")
        self.namespace = Namespace()
        self.addCleanup(self.namespace.close)

    def start(self, config, **options):
        """A Host in the test's namespace, ended with the test."""
        options.setdefault("namespace", self.namespace)
        host = Host(config, **options)
        self.addCleanup(host.close)
        return host


def main():
    unittest.main(verbosity=2)
