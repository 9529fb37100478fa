'''Builds and runs docker/ with podman and buildah, in a storage of its own: no engine, registry or network needed but
this machine's Debian mirror, and nothing of the machine's own containers is touched.

compose.yaml is the only place that says how nfbus runs: docker-compose checks it, and what is started here is what it
says. A key that is not known here is an error, so that the two cannot drift apart.
'''

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COMPOSE_FILE = REPOSITORY / "docker/compose.yaml"
BASE_IMAGE = "docker.io/library/debian:bookworm-slim"
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def run(*argv, check=True, timeout=60, **options):
    """Runs a command to its end; a CompletedProcess with text. AssertionError with its stderr when it fails."""
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                          errors="replace", timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


# ---- compose.yaml ----------------------------------------------------------------------------------------------------


def load_compose():
    """compose.yaml as docker-compose reads it: its schema checked, its paths made absolute."""
    done = run("docker-compose", "-f", COMPOSE_FILE, "config")
    if done.stderr:
        raise AssertionError(f"docker-compose complains about {COMPOSE_FILE}:\n{done.stderr}")
    return yaml.safe_load(done.stdout)


def run_arguments(service, namespace):
    """The arguments of `podman run` that a service means. `network_mode: host` becomes the namespace of that name: the
    one deviation, since no test listens to the firewall of the machine that it runs on."""
    if service.get("network_mode") != "host":
        raise AssertionError("nfbus can listen to the host's firewall only in its network namespace")
    arguments = ["--network", f"ns:/run/netns/{namespace}"]
    for key, value in service.items():
        if key in ("image", "build", "pull_policy", "network_mode"):
            continue
        elif key in ("cap_drop", "cap_add", "security_opt", "tmpfs"):
            for item in value:
                arguments += [f"--{key.replace('_', '-')}", item]
        elif key == "volumes":
            for item in value:
                arguments += ["--volume", item]
        elif key == "read_only":
            arguments += [f"--read-only={str(value).lower()}"]
        elif key == "restart":
            arguments += ["--restart", value]
        elif key == "stop_grace_period":
            arguments += ["--stop-timeout", re.fullmatch(r"(\d+)s", value)[1]]
        elif key == "logging":
            arguments += ["--log-driver", value["driver"]]
            # podman keeps one file where Docker keeps max-file of them.
            arguments += ["--log-opt", f"max-size={value['options']['max-size']}"]
        else:
            raise AssertionError(f"compose.yaml: this test does not know what {key} means to podman")
    return arguments


# ---- The base image --------------------------------------------------------------------------------------------------


def debian_sources():
    """The lines of a sources.list with which this machine gets Debian 12."""
    done = run("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
               "Created-By: Packages", "Origin: Debian")
    lines = sorted(set(done.stdout.splitlines()))
    if not lines:
        raise AssertionError("apt-get indextargets names no Debian mirror: run apt-get update")
    return "\n".join(lines) + "\n"


def apt_options():
    """How this machine's apt reaches its mirrors: proxies, and what it does without."""
    done = run("apt-config", "dump", "--format", "%F \"%v\"%n")
    wanted = r"Acquire::(https?::[\w:.-]*Proxy\b|Check-|Retries)"
    return [line for line in done.stdout.splitlines() if re.match(wanted, line, re.IGNORECASE)]


def make_base_image(engine):
    """debian:bookworm-slim, from Debian's packages instead of from a registry."""
    sources = engine.directory / "sources.list"
    sources.write_text(debian_sources())
    archive = engine.directory / "base.tar"
    options = [f"--aptopt={option}" for option in apt_options()]
    options += ["--dpkgopt=force-unsafe-io"]  # as the image of that name has it
    options += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "info", "locale", "man")]
    if "https:" in sources.read_text():
        options += ["--include=ca-certificates", "--customize-hook=copy-in /etc/ssl/certs/ca-certificates.crt "
                    "/etc/ssl/certs"]
    run("mmdebstrap", "--variant=minbase", *options, "bookworm", archive, sources, timeout=600)
    engine.podman("import", "--quiet", archive, BASE_IMAGE, timeout=120)
    archive.unlink()


# ---- Containers ------------------------------------------------------------------------------------------------------


class Engine:
    """podman and buildah with images and containers in a directory that close() removes."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-docker-{os.getpid()}-"))
        storage = ["--root", self.directory / "root", "--runroot", self.directory / "runroot"]
        self._podman = ["podman", *storage, "--tmpdir", self.directory / "libpod", "--runtime", "runc",
                        "--runtime-flag", f"root={self.directory / 'runc'}", "--cgroup-manager", "cgroupfs"]
        self._buildah = ["buildah", *storage]

    def podman(self, *arguments, **options):
        return run(*self._podman, *arguments, **options)

    def run(self, *arguments, **options):
        """`podman run`, with low limits: podman would raise them, which not even root may do everywhere."""
        return self.podman("run", "--cgroup-parent", f"/{self.directory.name}", "--ulimit", "nofile=1024:1024",
                           "--ulimit", "nproc=1024:1024", *arguments, **options)

    def build(self, service):
        """The image of a service, its output shown as it comes; without a pull, a failure when the base is missing."""
        build = service["build"]
        subprocess.run(list(map(str, [
            *self._buildah, "bud", "--pull-never", "--network", "host", "--isolation", "chroot", "--layers=false",
            "--file", pathlib.Path(build["context"]) / build["dockerfile"], "--tag", service["image"],
            build["context"]])), check=True, stdin=subprocess.DEVNULL, timeout=1800)

    def processes(self):
        """The command lines of all processes that work for this engine, its containers' monitors among them."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has ended
                continue
            if str(self.directory) in line:
                found.append(line)
        return found

    def close(self):
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.podman("volume", "rm", "--all", "--force", check=False)
        self.podman("rmi", "--all", "--force", check=False, timeout=120)
        # podman leaves the parent cgroup: one in cgroup v2, one for each controller in v1.
        for parent in (CGROUPS / self.directory.name, *CGROUPS.glob(f"*/{self.directory.name}")):
            for folder, _, _ in os.walk(parent, topdown=False):
                os.rmdir(folder)
        shutil.rmtree(self.directory, ignore_errors=True)


class Container:
    """A running container of `image`; ready when nfbus says so. Removed by close()."""

    def __init__(self, engine, image, arguments, command=()):
        self._engine = engine
        self.id = engine.run("--detach", *arguments, image, *command).stdout.strip()

    def podman(self, command, *arguments, **options):
        """A podman command about this container; `arguments` come before its name."""
        return self._engine.podman(command, *arguments, self.id, **options)

    def execute(self, *argv, user=None):
        """Runs a program beside nfbus, in the container."""
        options = ["--user", user] if user else []
        return self._engine.podman("exec", *options, self.id, *argv, check=False)

    @property
    def state(self):
        return json.loads(self.podman("inspect").stdout)[0]["State"]

    @property
    def stdout(self):
        return self.podman("logs").stdout

    @property
    def stderr(self):
        return self.podman("logs").stderr

    def records(self):
        """What nfbus has printed; a last line without its end is left out."""
        return [json.loads(line) for line in self.stdout.split("\n")[:-1]]

    def wait_for(self, pattern, seconds=15):
        """Waits until stderr matches the regular expression and returns the match."""
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.stderr)):
            if time.monotonic() > deadline or not self.state["Running"]:
                raise AssertionError(f"no {pattern!r} on nfbus' stderr:\n{self.stderr}")
            time.sleep(0.1)
        return match

    def processes(self):
        """The status of each process in the container by its name: {"nfbus": {"CapEff": ...}}."""
        pids = [self.state["Pid"]]
        for pid in pids:
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (thread / "children").read_text().split())
        rows = [dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                     if ":\t" in line) for pid in pids]
        return {row["Name"]: row for row in rows}

    def stop(self):
        """`podman stop`; returns the exit status."""
        self.podman("stop")
        return self.state["ExitCode"]

    def close(self):
        self.podman("rm", "--force", "--time", "0", check=False)


def show(text):
    print(f"-- {text}", file=sys.stderr, flush=True)
