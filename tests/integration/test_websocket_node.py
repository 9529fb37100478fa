'''sinks/websocket: a client that others wrote, node's `ws`, on the wire. The scenarios are in tests/node; what the server
does with clients that break the protocol: test_websocket_hostile.py.'''

import json
import os
import subprocess
import sys
import tempfile

from nfbustest import REPOSITORY, main, run_nfbus
from page_host import PageTest

NODE = REPOSITORY / "tests/node"


class Wire(PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        installed, wanted = NODE / "node_modules/.package-lock.json", NODE / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True, timeout=300)
            installed.touch()

    def scenario(self, name, options=""):
        self.start_page(options)
        process = self.namespace.popen("node", NODE / "wire.mjs", name, str(self.port), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with process:
            for line in process.stdout:
                answer = self.answer(**json.loads(line))
                process.stdin.write(json.dumps(answer) + "\n")
                process.stdin.flush()
            said = process.stderr.read()
        self.assertEqual(process.returncode, 0, said)
        print(said, end="", file=sys.stderr)

    def answer(self, what, **parameters):
        if what == "packets":
            return self.send(parameters.pop("ports"), **parameters)
        if what == "stop":
            self.host.stop()
            return None
        status = json.loads(run_nfbus("status", "--json", "-s", self.host.path("bus.sock")).stdout)
        return next(sink for sink in status["sinks"] if sink["name"] == "page")["counters"][what]

    def test_tokens_let_in_by_a_first_frame_and_by_a_header(self):
        with tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
            os.chmod(tokens.name, 0o644)
            tokens.write("correct-horse\n")
            tokens.flush()
            self.scenario("tokens", f'token_file = "{tokens.name}"\n')

    def test_each_client_gets_its_match(self):
        self.scenario("matches")

    def test_pings_are_answered_both_ways(self):
        self.scenario("pings")

    def test_pages_are_compressed_and_others_are_not(self):
        self.scenario("deflate")

    def test_fragments_are_one_message(self):
        self.scenario("fragments")

    def test_each_end_has_its_code(self):
        self.scenario("codes")

    def test_a_slow_client_is_told_what_it_missed(self):
        # Small buffers, of this namespace alone.
        for name in ("tcp_rmem", "tcp_wmem"):
            self.namespace.run("sh", "-c", f"echo '4096 8192 16384' > /proc/sys/net/ipv4/{name}")
        self.scenario("slow", "client_queue_bytes = 65536\n")

    def test_a_hundred_clients_get_everything(self):
        self.scenario("crowd")

    def test_small_frames_in_both_directions(self):
        self.scenario("chatter")

    def test_small_events_wait_for_nothing(self):
        self.scenario("latency")


if __name__ == "__main__":
    main()
