'''Builds docker/Dockerfile, runs it as docker/compose.yaml says, and captures real packets from inside the container.

`./dev docker-test` runs it, as root; arguments are unittest's (-k NAME).
'''

import json
import os
import pathlib
import shutil
import time
import unittest

import nfbustest
from engine import BASE_IMAGE, REPOSITORY, Container, Engine, load_compose, make_base_image, run_arguments, show
from nfbustest import wait_until
from packets import TCP, UDP, ipv4, ipv6, send, tcp, udp

RULES = """table inet t { chain c { type filter hook input priority 0;
    udp dport 7000-7099 counter log prefix "lan:in " group 0
    tcp dport 7000-7099 counter log prefix "drop:in " group 1 drop
}
}"""

NOTHING = "0" * 16
NET_ADMIN = f"{1 << 12:016x}"
# Docker, other than podman, gives a user other than root no ambient capability: only the bounding set has it. The
# permitted set is empty from the next program on, hence env.
WITHOUT_AMBIENT = ["setpriv", "--ambient-caps=-all", "--inh-caps=-all", "env"]
LIKE_DOCKER = ["--entrypoint", json.dumps([*WITHOUT_AMBIENT, "nfbus"])]

engine = None
service = None
timings = []


def timed(what, action):
    show(what)
    begun = time.monotonic()
    result = action()
    timings.append(f"{what}: {time.monotonic() - begun:.0f} s")
    return result


def machine():
    """What a test must leave as it was: namespaces, cgroups, mounts, and containers and images of the machine's own."""
    folders = ["/run/netns", "/var/lib/containers/storage", "/run/libpod", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"]
    found = {folder: sorted(os.listdir(folder)) for folder in folders if os.path.isdir(folder)}
    # Other tests of the machine have namespaces, too.
    found["/run/netns"] = [name for name in found.get("/run/netns", []) if f"-{os.getpid()}-" in name]
    found["mounts"] = pathlib.Path("/proc/self/mountinfo").read_text().count("nfbustest-docker-")
    return found


def setUpModule():
    global engine, service
    if os.geteuid() != 0:
        raise AssertionError("this test needs root")
    before = machine()
    unittest.addModuleCleanup(lambda: compare_with(before))
    service = load_compose()["services"]["nfbus"]
    engine = Engine()
    unittest.addModuleCleanup(lambda: timed("clean up", engine.close))
    timed("base image", lambda: make_base_image(engine))
    timed("build", lambda: engine.build(service))
    size_bytes = [int(engine.podman("image", "inspect", "--format", "{{.Size}}", image).stdout)
                  for image in (service["image"], BASE_IMAGE)]
    show(f"image: {(size_bytes[0] - size_bytes[1]) / 1e6:.1f} MB more than its base")


def compare_with(before):
    after = machine()
    show("; ".join(timings))
    if after != before:
        raise AssertionError(f"something is left on the machine: {before} became {after}")
    if engine and (engine.directory.exists() or engine.processes()):
        raise AssertionError(f"{engine.directory} is left, or some of {engine.processes()}")


def packets(first_port):
    """Four packets to loopback, each of its own port, with what their records must say."""
    payloads = {"IPv4 UDP": 1, "IPv6 UDP": 300, "IPv4 TCP": 0, "IPv6 TCP": 7}
    sent, expected = [], []
    for port, (kind, size) in enumerate(payloads.items(), first_port):
        four, is_udp = kind.startswith("IPv4"), kind.endswith("UDP")
        source, destination = ("127.0.0.1", "127.0.0.2") if four else ("::1", "::1")
        body = udp(40000 + port, port, b"x" * size) if is_udp else tcp(40000 + port, port, b"x" * size)
        packet = (ipv4 if four else ipv6)(source, destination, UDP if is_udp else TCP, body)
        sent.append(packet)
        expected.append({
            "oob.prefix": "lan:in " if is_udp else "drop:in ", "action": "allowed" if is_udp else "blocked",
            "oob.family": 2 if four else 10, "oob.in": "lo", "raw.pktlen": len(packet),
            "ip.protocol": UDP if is_udp else TCP, "src_ip": source, "dest_ip": destination,
            "src_port": 40000 + port, "dest_port": port})
    return sent, expected


class Docker(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.namespace = nfbustest.Namespace()
        self.addCleanup(self.namespace.close)
        self.namespace.nft(RULES)

    def start(self, *more, command=(), ready=True, without=()):
        """The service of compose.yaml with `more` arguments, ready or not."""
        chosen = {key: value for key, value in service.items() if key not in without}
        container = Container(engine, service["image"], [*run_arguments(chosen, self.namespace.name), *more], command)
        self.addCleanup(container.close)
        if ready:
            container.wait_for("ready:")
        return container

    def once(self, *more, command, entrypoint="nfbus"):
        """Runs a command in a container of its own to its end."""
        return engine.run("--rm", "--network", "none", "--cap-drop", "all", "--entrypoint", entrypoint, *more,
                          service["image"], *command, check=False)

    def assert_records(self, read, expected):
        wait_until(lambda: len(read()) >= len(expected), 10, f"{len(expected)} records")
        records = sorted(read(), key=lambda record: record["dest_port"])
        self.assertEqual([{key: record.get(key) for key in expected[0]} for record in records], expected)

    def assert_captures(self, container):
        sent, expected = packets(7000)
        send(self.namespace, sent)
        self.assert_records(container.records, expected)

    def assert_powerless(self, container, uid):
        """nfbus has nothing, its helper CAP_NET_ADMIN alone, and nobody can get anything else."""
        processes = container.processes()
        self.assertEqual(set(processes), {"nfbus", "nfbus-helper"})
        for name, effective in (("nfbus", NOTHING), ("nfbus-helper", NET_ADMIN)):
            row = processes[name]
            self.assertEqual((row["CapEff"], row["CapPrm"], row["CapInh"], row["CapAmb"]),
                             (effective, effective, NOTHING, NOTHING), name)
            self.assertEqual(row["NoNewPrivs"], "1")
        self.assertEqual(processes["nfbus"]["Uid"].split(), [str(uid)] * 4)

    def test_each_packet_of_both_groups_and_families_is_printed_and_counted(self):
        container = self.start()
        sent, expected = [], []
        for port in range(7000, 7100, 4):
            for whole, part in zip((sent, expected), packets(port)):
                whole += part
        send(self.namespace, sent)
        self.assert_records(container.records, expected)
        seen = self.namespace.counters()
        self.assertEqual(container.stop(), 0, container.stderr)
        self.assertEqual(len(container.records()), len(sent))
        self.assertEqual(seen, {"lan:in ": 50, "drop:in ": 50})
        for group, count in ((0, seen["lan:in "]), (1, seen["drop:in "])):
            self.assertRegex(container.stderr, rf"capture group={group} .*\breceived={count} lost=0 published={count} ")
        self.assertRegex(container.stderr, rf"sink name=log .*\bdelivered={len(sent)} ")

    def test_the_container_can_do_nothing_but_listen(self):
        container = self.start()
        account = container.execute("id", "--user", "nfbus").stdout.strip()
        self.assert_powerless(container, account)
        processes = container.processes()
        self.assertNotEqual(account, "0")
        for name, row in processes.items():
            self.assertEqual(row["Uid"].split(), [account] * 4, name)
            self.assertIn(row["CapBnd"], (NOTHING, NET_ADMIN), name)
        # Root in the container could write everywhere but for the mounts.
        for path in ("/probe", "/etc/nfbus/probe", "/usr/lib/nfbus/plugins/probe"):
            self.assertIn("Read-only file system", container.execute("touch", path, user="0").stderr)
        self.assertEqual(os.stat(f"/proc/{container.state['Pid']}/ns/net").st_ino,
                         os.stat(f"/run/netns/{self.namespace.name}").st_ino)

    def test_services_and_protocols_have_names(self):
        container = self.start()
        for file, name in (("/etc/services", "https"), ("/etc/protocols", "udp")):
            self.assertIn(name, container.execute("grep", f"^{name}", file).stdout)

    def test_it_captures_without_ambient_capabilities_too_as_under_docker(self):
        shown = self.once("--cap-add", "net_admin", "--user", "nfbus", entrypoint=WITHOUT_AMBIENT[0],
                          command=[*WITHOUT_AMBIENT[1:], "grep", "^Cap", "/proc/self/status"])
        capabilities = dict(line.split(":\t") for line in shown.stdout.splitlines())
        self.assertEqual(capabilities, {**dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), NOTHING),
                                        "CapBnd": NET_ADMIN})
        container = self.start(*LIKE_DOCKER, command=["run"])
        self.assert_powerless(container, container.execute("id", "--user", "nfbus").stdout.strip())
        self.assert_captures(container)
        self.assertEqual(container.stop(), 0, container.stderr)

    def test_docker_with_no_new_privileges_is_refused_with_the_reason(self):
        container = self.start(*LIKE_DOCKER, "--security-opt", "no-new-privileges", command=["run"], ready=False,
                               without=["restart"])
        wait_until(lambda: not container.state["Running"], 15, "the container's end")
        self.assertEqual(container.state["ExitCode"], 1)
        self.assertIn("not permitted to bind", container.stderr)

    def test_no_new_privileges_goes_with_ambient_capabilities_and_with_root(self):
        for name, arguments in (("podman", []), ("root", ["--user", "0"])):
            with self.subTest(name):
                container = self.start("--security-opt", "no-new-privileges", *arguments)
                uid = "0" if arguments else container.execute("id", "--user", "nfbus").stdout.strip()
                self.assert_powerless(container, uid)
                self.assert_captures(container)
                container.close()

    def test_root_with_the_right_to_change_users_becomes_nfbus(self):
        container = self.start("--user", "0", "--cap-add", "SETUID", "--cap-add", "SETGID")
        self.assert_powerless(container, container.execute("id", "--user", "nfbus").stdout.strip())
        self.assert_captures(container)

    def test_a_changed_configuration_is_read_on_sighup_and_files_go_to_the_volume(self):
        folder = engine.directory / self.namespace.name
        shutil.copytree(REPOSITORY / "docker/config", folder)
        mounts = [mount for mount in service["volumes"] if ":/etc/nfbus:" not in mount]
        container = self.start(*(argument for mount in [*mounts, f"{folder}:/etc/nfbus:ro"]
                                 for argument in ("--volume", mount)), without=["volumes"])
        file = folder / "nfbus.toml"
        # As editors do: a new file under the old name, which a mount of the file alone would not show.
        (folder / "new").write_text(file.read_text().replace('file   = "-"', 'file = "/var/log/nfbus/packets.json"'))
        (folder / "new").replace(file)
        container.podman("kill", "--signal", "HUP")
        container.wait_for("reloaded:")
        sent, expected = packets(7000)
        send(self.namespace, sent)
        # Through /proc: the container need not have the tools.
        written = f"/proc/{container.state['Pid']}/root/var/log/nfbus/packets.json"
        self.assert_records(lambda: nfbustest.read_json_lines(written), expected)
        self.assertEqual(str(os.stat(written).st_uid), container.execute("id", "--user", "nfbus").stdout.strip())
        self.assertEqual(container.stdout, "")

    def test_the_bus_is_served_from_its_volume(self):
        container = self.start()
        sent, _ = packets(7000)
        send(self.namespace, sent)

        def received():
            status = json.loads(container.execute("nfbus", "status", "--json").stdout)
            return sum(row["received"] for row in status["capture"])

        wait_until(lambda: received() == len(sent), 10, "the packets in the status")
        container.execute("nfbus", "publish", "web:x", "1")
        wait_until(lambda: json.loads(container.execute("nfbus", "status", "--json").stdout)["clients_total"]["sent"][
            "relayed"] == 1, 10, "the message")

    def test_without_any_capability_all_but_capturing_works(self):
        done = self.once(command=["run"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("not permitted to bind", done.stderr)
        for command in (["check"], ["plugins"], ["--version"]):
            done = self.once(command=command)
            self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        for example in ("minimal", "nfbus", "spr"):
            done = self.once(command=["check", "-c", f"/usr/share/nfbus/configs/{example}.toml"])
            self.assertEqual(done.returncode, 0, f"{example}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
