'''Nothing that a peer on the bus socket says makes a tap show what the host did not capture, or ends a command oddly.'''

import json
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import nfbustest
from nfbustest import NFBUS_BIN, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient, ask_status

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"

[[capture]]
group = 0
"""
RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000-7999 log prefix "lan:out " group 0
}
}"""

TAPS = ([], ["--json"], ["--pcap", "-"], ["nft:"], ["web:"], [""], ["nfbus:"], ["", "--json"], ["", "--pcap", "-"])

# Of these each says two topics, one of which is the host's alone; or two values.
FORGED = (b'{"topic":"nft:forged","TOPIC":"web:y",REST}', b'{"TOPIC":"web:y","topic":"nft:forged",REST}',
          b'{"Topic":"nft:forged","topic":"web:y",REST}', b'{"top\\u0069c":"nft:forged","topic":"web:y",REST}',
          b'{"topic":"web:y","top\\u0049c":"nft:forged",REST}', b'{"topic":"nfbus:dropped","tOpic":"web:y",REST}',
          b'{"topic":"web:y","topic":"nfbus:status",REST}', b'{"topic":"web:y","VALUE":"forged",REST}')

# What is no line of a host's either: other types, numbers beyond all sense, no UTF-8, much nesting.
ODD = (b'{"topic":null,"value":"x"}', b'{"topic":1,"value":"x"}', b'{"topic":[],"value":"x"}', b'{"topic":{},"value":"x"}',
       b'{"topic":"web:a","value":1}', b'{"topic":"web:a","value":null}', b'{"topic":"web:a","value":{"a":[]}}',
       b'{"topic":"web:a"}', b'{"value":"x"}', b'{"topic":"","value":"x"}', b"[]", b"1", b"null", b"{}", b"", b'"', b"\0",
       b'{"topic":"web:a","time_ns":"x","length":"y","value":"AAAA"}',
       b'{"topic":"web:a","time_ns":-1,"length":1e99,"value":"!!!"}', b'{"topic":"web:a","time_ns":1,"length":1,"value":"AA"}',
       b'{"topic":"web:a","time_ns":99999999999999999999999,"value":"x"}',
       b'{"topic":"web:a","value":"x","fields":7,"in":5,"out":{},"uid":"x","action":[],"nflog":null,"record":[1]}',
       b'{"topic":"web:\xff","value":"x"}', b'{"topic":"web:a","value":"\\ud800"}', b'{"topic":"web:a","value":"\xff\xfe"}',
       b'{"topic":"web:a","value":"' + b"[" * 100_000 + b'"}', b"[" * 100_000, b'{"a":' * 50_000)

# A peer that is no nfbus: what it says to whoever connects, and then ends.
RUBBISH = (b"", b"\n", b"\n" * 10_000, b"\0" * 5000, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"[]\n", b"{}\n", b"null\n",
           b'{"topic":"nfbus:status","value":"[]"}\n', b'{"topic":"nfbus:status","value":"{}"}\n',
           b'{"topic":"nfbus:status","value":"{\\"capture\\":7,\\"sinks\\":{},\\"clients\\":null}"}\n',
           b'{"topic":"nfbus:status","value":5}\n', b'{"topic":5,"value":{}}\n', b'{"topic":"nfbus:answer","value":"[]"}\n',
           b'{"topic":"nfbus:answer","value":"{\\"ok\\":5}"}\n', b'{"topic":"nfbus:answer","value":"{\\"ok\\":false}"}\n',
           b'{"topic":"nft:x","time_ns":"y","length":[],"value":"@@"}\n', b"[" * 200_000 + b"\n", b"x" * (9 << 20))


def packets_of(pcap):
    """How many records a pcap stream has."""
    count, at = 0, 24
    while at + 16 <= len(pcap):
        at += 16 + struct.unpack_from("<I", pcap, at + 8)[0]
        count += 1
    return count


class Hostile(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")
        self.namespace.nft(RULES)

    def packet(self, port):
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, port))])

    def rest_of_a_real_record(self):
        """A packet's line in the form that taps ask for, but for its topic: what a forger would send."""
        with WireClient(self.path) as client:
            client.subscribe("nft:", format="record")
            client.settle()
            self.packet(7999)
            record = json.loads(client.next())
        self.assertEqual(record.pop("topic"), "nft:lan:out")
        return json.dumps(record)[1:-1].encode()

    def test_no_forged_and_no_odd_line_is_shown_or_ends_a_tap(self):
        rest = self.rest_of_a_real_record()
        taps = []
        for number, arguments in enumerate(TAPS):
            out = open(self.host.path(f"tap{number}"), "wb")
            self.addCleanup(out.close)
            child = subprocess.Popen([NFBUS_BIN, "tap", "-s", self.path, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.PIPE)
            self.addCleanup(nfbustest.end_process, child)
            self.addCleanup(child.stderr.close)
            taps.append((arguments, child, pathlib.Path(out.name)))
        wait_until(lambda: len([row for row in ask_status(self.path)["clients"] if row["topics"]]) >= len(TAPS), 15, "taps")
        refused = ask_status(self.path)["clients_total"]["sent"]["refused"]
        with WireClient(self.path) as forger:
            for line in (*(line.replace(b"REST", rest) for line in FORGED), *ODD):
                forger.send(line + b"\n")
            forger.settle()
        self.assertEqual(ask_status(self.path)["clients_total"]["sent"]["refused"], refused + len(FORGED))
        self.packet(7001)
        run_nfbus("publish", "web:end", '{"last":"words"}', "-s", self.path)
        for arguments, child, out in taps:
            if "--pcap" in arguments:
                wait_until(lambda: packets_of(out.read_bytes()), 10, f"a packet of {arguments}")
            elif arguments != ["nfbus:"]:
                last = b"7001" if not arguments or arguments[0] in ("nft:", "--json") else b"words"
                wait_until(lambda: last in out.read_bytes(), 10, f"{last} of {arguments}")
        for arguments, child, out in taps:
            with self.subTest(tap=arguments):
                self.assertIsNone(child.poll(), "it ended")
                child.send_signal(signal.SIGINT)
                self.assertEqual(child.wait(10), 0, child.stderr.read())
                shown = out.read_bytes()
                self.assertNotIn(b"forged", shown)
                self.assertNotIn(b"7999", shown)
                if "--pcap" in arguments:
                    self.assertEqual(packets_of(shown), 1)
        self.assertEqual(self.host.stop(), 0)

    def test_a_socket_of_something_else_ends_a_command_with_a_sentence(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for number, said in enumerate(RUBBISH):
            path = pathlib.Path(folder.name, str(number))
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            listener.bind(str(path))
            listener.listen()

            def serve(listener=listener, said=said):
                for _ in range(3):
                    peer, _ = listener.accept()
                    with peer:
                        peer.settimeout(10)
                        try:
                            peer.sendall(said)
                            peer.shutdown(socket.SHUT_WR)
                            while peer.recv(65536):
                                pass
                        except OSError:
                            pass

            server = threading.Thread(target=serve, daemon=True)
            server.start()
            for command in (["status"], ["tap", "nft:"], ["publish", "web:a", '"x"']):
                with self.subTest(said=said[:60], command=command):
                    done = run_nfbus(command[0], *command[1:], "-s", path, timeout=20)
                    self.assertIn(done.returncode, (0, 1), done.stderr)
                    if done.returncode:
                        self.assertRegex(done.stderr, r"^nfbus: ")
            server.join(10)


if __name__ == "__main__":
    nfbustest.main()
