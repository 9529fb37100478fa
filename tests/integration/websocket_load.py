'''Many clients of the sink `websocket` at once, in a process of its own: reads what they are sent, and prints as JSON how it went.

usage: websocket_load.py PORT CLIENTS STALLED SECONDS EXPECTED   (inside of the host's namespace)
It prints "connected" first.

Client number i sees one event in a hundred: those of source port 10000 + i modulo 100. How long one took: from when the
kernel logged it.
'''

import base64
import json
import os
import selectors
import socket
import struct
import sys
import time

KEY = b'\\"Timestamp\\":\\"'


class Reader:
    def __init__(self, port, number, is_stalled):
        self.is_stalled = is_stalled
        self.socket = socket.socket()
        if is_stalled:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /ws_events_all HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self.bytes += self.socket.recv(4096)
        self.bytes = self.bytes.partition(b"\r\n\r\n")[2]
        wish = json.dumps({} if is_stalled else {"match": {"sport": 10000 + number % 100}})
        mask = b"\0\0\0\0"
        size = len(wish)
        head = bytes([0x81]) + (bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size))
        self.socket.sendall(head + mask + wish.encode())
        self.socket.setblocking(False)
        self.got = 0
        self.latencies_ms = []

    def read(self):
        """Takes what is there. False: the server has closed."""
        try:
            piece = self.socket.recv(262144)
        except BlockingIOError:
            return True
        if not piece:
            return False
        now_s = time.time()
        self.bytes += piece
        at = 0
        while len(self.bytes) - at >= 4:
            size = self.bytes[at + 1] & 127
            begin = at + 2
            if size == 126:
                size = struct.unpack_from("!H", self.bytes, begin)[0]
                begin += 2
            if len(self.bytes) < begin + size:
                break
            payload = self.bytes[begin:begin + size]
            if self.bytes[at] == 0x81 and b'"Type":"nft:' in payload:
                self.got += 1
                stamp = payload[payload.index(KEY) + len(KEY):]  # 2026-11-27T15:26:40.123456789Z
                seconds = float(stamp[17:stamp.index(b"Z")])
                self.latencies_ms.append((now_s - seconds) % 60 * 1000)
            at = begin + size
        self.bytes = self.bytes[at:]
        return True


def main():
    port, clients, stalled, seconds, expected = map(int, sys.argv[1:])
    readers = [Reader(port, number, False) for number in range(clients)]
    idle = [Reader(port, number, True) for number in range(stalled)]
    print("connected", flush=True)
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    deadline = time.monotonic() + seconds
    left = 0
    while time.monotonic() < deadline and sum(reader.got for reader in readers) < expected:
        for key, _ in selector.select(0.2):
            if not key.data.read():
                selector.unregister(key.fileobj)
                left += 1
    latencies = sorted(latency for reader in readers for latency in reader.latencies_ms)
    print(json.dumps({"got": [reader.got for reader in readers], "left": left, "p50_ms": latencies[len(latencies) // 2],
                      "p99_ms": latencies[len(latencies) * 99 // 100], "max_ms": latencies[-1]}))
    del idle


if __name__ == "__main__":
    main()
