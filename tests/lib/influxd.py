'''Real servers that speak InfluxDB's protocol, each with a temporary folder of its own: influxd 1.6 and victoria-metrics.

    with Influxd(namespace) as server:
        server.admin("CREATE DATABASE d")
        rows = server.query("d", "SELECT * FROM udp")
'''

import base64
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

from nfbustest import end_process, wait_until

ADMIN = ("admin", "admins-secret")
WRITER = ("writer", "writers-secret")

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{dir}/meta"
[data]
dir = "{dir}/data"
wal-dir = "{dir}/wal"
max-values-per-tag = {max_values_per_tag}
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = {auth}
log-enabled = false
unix-socket-enabled = true
bind-socket = "{dir}/influxdb.sock"
max-body-size = {max_body_size}
[subscriber]
enabled = false
[continuous_queries]
enabled = true
run-interval = "1s"
"""


class _Server:
    def __init__(self, namespace):
        self.namespace = namespace
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-influx-"))
        self.directory.chmod(0o755)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def stop(self, kill=False):
        if kill and self.process.poll() is None:
            self.process.kill()
        end_process(self.process)

    def close(self):
        if self.process:
            self.stop(kill=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return self.directory / name

    def http(self, path, body=None, user=None, headers=()):
        """(status, body) of a request from inside of the namespace; a body makes it a POST."""
        argv = ["curl", "-s", "-m", "10", "-o", "-", "-w", "\n%{http_code}", f"http://127.0.0.1:{self.port}{path}"]
        if user:
            argv += ["-u", ":".join(user)]
        for header in headers:
            argv += ["-H", header]
        if body is not None:
            argv += ["--data-binary", "@-"]
        command = self.namespace.command(*argv) if self.namespace else argv
        done = subprocess.run(command, input=body, capture_output=True, timeout=20)
        text, _, status = done.stdout.rpartition(b"\n")
        return int(status or 0), text


class Influxd(_Server):
    """influxd on loopback. It has an admin and a user `writer`, who may write to and read the database `nfbus`."""

    def __init__(self, namespace, port=8086, auth=True, max_values_per_tag=100000, max_body_size=25000000):
        super().__init__(namespace)
        self.port = port
        self.auth = auth
        self.path("influxdb.conf").write_text(CONFIG.format(
            dir=self.directory, port=port, rpc=port + 2, auth=str(auth).lower(),
            max_values_per_tag=max_values_per_tag, max_body_size=max_body_size))
        self.start()
        if auth:
            self._ask("", "CREATE USER admin WITH PASSWORD '%s' WITH ALL PRIVILEGES" % ADMIN[1], None)
        self.admin("CREATE DATABASE nfbus")
        if auth:
            self.admin("CREATE USER writer WITH PASSWORD '%s'" % WRITER[1])
            self.admin('GRANT ALL ON "nfbus" TO "writer"')
        self.path("password").write_text(WRITER[1] + "\n")
        self.path("password").chmod(0o644)

    def start(self):
        argv = ["influxd", "run", "-config", str(self.path("influxdb.conf"))]
        argv = self.namespace.command(*argv) if self.namespace else argv
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.http("/ping")[0] == 204, 20, "influxd's answer to a ping")

    def _ask(self, database, query, user):
        status, body = self.http("/query?epoch=ns&db=" + urllib.parse.quote(database),
                                 body=("q=" + urllib.parse.quote(query)).encode(), user=user)
        answer = json.loads(body) if body else {}
        result = answer.get("results", [{}])[0]
        if status != 200 or "error" in answer or "error" in result:
            raise AssertionError(f"influxd answers {status} to {query!r}: {body!r}")
        return result.get("series", [])

    def admin(self, query, database=""):
        return self._ask(database, query, ADMIN if self.auth else None)

    def query(self, database, query):
        """The rows of all series as dictionaries, tags of GROUP BY among them."""
        rows = []
        for series in self.admin(query, database):
            for values in series.get("values", []):
                rows.append({**series.get("tags", {}), **dict(zip(series["columns"], values))})
        return rows

    def count(self, measurement="udp", field="Length", database="nfbus"):
        rows = self.query(database, f'SELECT count("{field}") FROM "{measurement}"')
        return rows[0]["count"] if rows else 0


class VictoriaMetrics(_Server):
    def __init__(self, namespace, port=8428):
        super().__init__(namespace)
        self.port = port
        argv = ["victoria-metrics", f"-storageDataPath={self.directory}/data", f"-httpListenAddr=127.0.0.1:{port}",
                "-search.latencyOffset=0s", "-retentionPeriod=1"]
        argv = namespace.command(*argv) if namespace else argv
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.http("/health")[0] == 200, 20, "victoria-metrics")

    def export(self, match):
        """The time series that a selector matches: [{"metric": {...}, "values": [...], "timestamps": [...]}]."""
        status, body = self.http("/api/v1/export?match[]=" + urllib.parse.quote(match), body=b"")
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]
