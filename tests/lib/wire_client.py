'''A client of the bus socket, written from the description of the sprbus wire alone: one JSON object a line.'''

import json
import socket
import struct
import time


class WireClient:
    """A connection. Lines are handed out as they came; events as (topic, value)."""

    def __init__(self, path, receive_bytes=None):
        for attempt in range(20):  # as SPR's clients do: a server that starts is waited for
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            if receive_bytes:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                self.socket.close()
                if attempt == 19:
                    raise
                time.sleep(0.05)
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def publish(self, topic, value):
        self.send(json.dumps({"topic": topic, "value": value}) + "\n")

    def subscribe(self, prefix="", **extensions):
        self.send(json.dumps({"topic": "subscribe:" + prefix, "value": "", **extensions}) + "\n")

    def line(self, seconds=10):
        """The next line as bytes, without its newline; None at the end of the stream."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                chunk = self.socket.recv(1 << 20)
            except (socket.timeout, TimeoutError):
                raise AssertionError(f"no line within {seconds} s; so far {self._received[:200]!r}") from None
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                if self._received:
                    raise AssertionError(f"the stream ends inside of a line: {self._received[:200]!r}")
                return None
            self._received += chunk
        line, self._received = self._received.split(b"\n", 1)
        return line

    def event(self, seconds=10):
        line = self.line(seconds)
        if line is None:
            raise AssertionError("the server closed the connection")
        event = json.loads(line)
        return event["topic"], event["value"]

    def lines_until(self, is_last, seconds=30):
        """All lines up to the first for which is_last() holds, with it."""
        lines = []
        while True:
            lines.append(self.line(seconds))
            if lines[-1] is None:
                raise AssertionError(f"the stream ended after {len(lines) - 1} lines")
            if is_last(lines[-1]):
                return lines

    def settle(self):
        """What was sent has been served, subscriptions are in effect: the status that this asks for comes after it."""
        self.subscribe("nfbus:status")
        self.lines_until(lambda line: json.loads(line)["topic"] == "nfbus:status")

    def next(self, seconds=10):
        """The next line that is no status."""
        while (line := self.line(seconds)) is not None and line.startswith(b'{"topic":"nfbus:status"'):
            pass
        return line

    def next_event(self, seconds=10):
        """The next event that is no status, as (topic, value)."""
        while (event := self.event(seconds))[0] == "nfbus:status":
            pass
        return event

    def is_closed_by_server(self, seconds=10):
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 20):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        except (socket.timeout, TimeoutError):
            return False
        return True

    def vanish(self):
        """Closes with a reset where the kernel has one to give: what it had not read yet is thrown away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def crowd(path, prefixes, while_connected=lambda: None, clients=1000):
    """So many clients subscribe, stall and vanish, some in the middle of a line, some with half of the socket closed."""
    connected = []
    for number in range(clients):
        connected.append(WireClient(path))
        connected[-1].subscribe(prefixes[number % len(prefixes)], marker=bool(number % 3))
    while_connected()
    for number, client in enumerate(connected):
        if number % 2:
            client.send(b'{"topic":"half')
        if number % 5 == 0:
            client.socket.shutdown(2 if number % 2 else 1)
        client.close()


def ask_status(path):
    with WireClient(path) as client:
        client.subscribe("nfbus:status")
        return json.loads(client.event()[1])


def publish_once(path, line):
    """As SPR's one-shot publishers: connect, write once, close at once."""
    with WireClient(path) as client:
        client.send(line)
