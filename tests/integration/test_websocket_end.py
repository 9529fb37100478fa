'''sinks/websocket: it ends, or is made anew, while requests are at work. What is freed by then is overwritten here.'''

import pathlib
import signal
import tempfile

from nfbustest import main
from page_host import CONFIG, PageTest
from websocket_client import Client, connect

# glibc overwrites what is freed, at once: whoever uses it, dies.
OVERWRITES = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
LISTEN = 'listen = "127.0.0.1:8787"\n'
# Of which each test of a packet of this prefix takes a millisecond or so.
PREFIX = "n" * 120
SLOW = "prefix=" + ",".join("*" + "n*" * 60 + str(number) for number in range(64))
RULES = f'table inet x {{ chain c {{ type filter hook output priority 5; udp dport 7005 log prefix "{PREFIX}" group 1; }}; }}'


class End(PageTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        tokens = pathlib.Path(folder.name, "tokens")
        tokens.write_text("right\n")
        for path in (tokens.parent, tokens):
            path.chmod(0o755)
        self.options = f'token_file = "{tokens}"\n'

    def ask(self, path, token="right"):
        made = connect(self.namespace, self.port)
        self.addCleanup(made.close)
        made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        return made

    def start_with_requests_at_work(self):
        """Connections whose answers take minutes."""
        host = self.start_page(self.options, LISTEN, env=OVERWRITES)
        self.namespace.nft(RULES)
        with Client(self.namespace, self.port, first="right") as client:
            self.assertEqual(client.text(), "success")
            self.send(range(1000, 4000), 7005)
            for _ in range(3000):
                client.frame()
        asked = [self.ask(f"/api/{what}match={SLOW}") for what in ("rows?", "export?", "export?format=pcap&") for _ in range(8)]
        for _ in range(8):
            self.ask("/api/rows", "wrong")  # they wait for longer and longer
        guess = Client(self.namespace, self.port, first="wrong")
        self.addCleanup(guess.close)
        guess.send({"answer": True})
        for made in asked[8:]:
            self.assertTrue(made.recv(65536))  # heads of downloads: so much is at work
        return host, asked

    def expect_cut_off(self, asked):
        for made in asked:
            made.settimeout(20)
            try:
                self.assertEqual(made.recv(65536), b"")
            except ConnectionResetError:
                pass

    def test_a_stop_waits_for_none(self):
        host, asked = self.start_with_requests_at_work()
        host.signal(signal.SIGTERM)
        self.expect_cut_off(asked)
        self.assertEqual(host.wait(), 0)

    def test_a_reload_makes_it_anew(self):
        host, asked = self.start_with_requests_at_work()
        host.config_file.write_text(
            CONFIG.replace("@DIR@", str(host.directory)) + LISTEN + self.options + "history_events = 1000\n")
        host.signal(signal.SIGHUP)
        host.wait_for(r"info: reloaded:")
        self.expect_cut_off(asked)
        with Client(self.namespace, self.port, first="right") as client:
            self.assertEqual(client.text(), "success")
        self.assertEqual(host.stop(), 0)


if __name__ == "__main__":
    main()
