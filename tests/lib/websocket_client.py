'''A WebSocket client that can also misbehave (RFC 6455), and HTTP requests, from inside of a namespace.

    with Client(namespace, port, "/ws_events_all", first="TOKEN") as client:
        frame = client.frame()       # a dictionary, of the next text frame
'''

import base64
import collections
import http.client
import json
import os
import socket
import ssl
import struct
import time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    '''The server closed: code is None where it did not say one.'''

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.body = status, body


def connect(namespace, port, address="127.0.0.1", receive_buffer=None, tls=None, source=None):
    made = namespace.socket(socket.SOCK_STREAM)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        made.bind((source, 0))
    made.settimeout(20)
    made.connect((address, port))
    return tls.wrap_socket(made, server_hostname=address) if tls else made


Answer = collections.namedtuple("Answer", "status body headers")


def request(namespace, port, method, path, body=None, headers=(), tls=None, timeout=30):
    '''An Answer. A body that is no bytes is sent as JSON.'''
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = connect(namespace, port, tls=tls)
    connection.sock.settimeout(timeout)
    try:
        sent = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if method in ("PUT", "POST", "DELETE"):
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
    finally:
        connection.close()


class Client:
    def __init__(self, namespace, port, path="/ws_events_all", first=None, headers=(), host=None, receive_buffer=None,
                 tls=None, address="127.0.0.1", source=None):
        self.socket = connect(namespace, port, address, receive_buffer, tls, source)
        self._bytes = b""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
                 *(f"{name}: {value}" for name, value in dict(headers).items())]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        while b"\r\n\r\n" not in self._bytes:
            self._read()
        head, _, self._bytes = self._bytes.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.head = head.decode()
        if self.status != 101:
            try:
                while True:
                    self._read()
            except (Closed, OSError):
                pass
            self.socket.close()
            raise Refused(self.status, self._bytes)
        if first is not None:
            self.send(first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def _read(self):
        piece = self.socket.recv(262144)
        if not piece:
            raise Closed(None)
        self._bytes += piece

    def _take(self, size):
        while len(self._bytes) < size:
            self._read()
        taken, self._bytes = self._bytes[:size], self._bytes[size:]
        return taken

    def send_frame(self, opcode, payload=b"", fin=True, masked=True):
        size = len(payload)
        head = bytes([(0x80 if fin else 0) | opcode])
        mask_bit = 0x80 if masked else 0
        if size < 126:
            head += bytes([mask_bit | size])
        elif size < 65536:
            head += bytes([mask_bit | 126]) + struct.pack("!H", size)
        else:
            head += bytes([mask_bit | 127]) + struct.pack("!Q", size)
        self.socket.sendall(head + (b"\0\0\0\0" if masked else b"") + payload)

    def send(self, text):
        self.send_frame(TEXT, (text if isinstance(text, str) else json.dumps(text)).encode())

    def raw_frame(self):
        '''(opcode, payload) of the next frame; the server sends whole ones.'''
        first, second = self._take(2)
        size = second & 127
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        return first & 15, self._take(size)

    def text(self, seconds=20):
        '''The next text; pings are answered.'''
        deadline = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            opcode, payload = self.raw_frame()
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                raise Closed(code, payload[2:].decode())
            elif opcode == TEXT:
                return payload.decode()

    def frame(self, seconds=20):
        return json.loads(self.text(seconds))

    def frames_until(self, is_last, seconds=20):
        '''All frames up to and with the one for which is_last holds.'''
        deadline = time.monotonic() + seconds
        frames = []
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not in {seconds} s; the last of {len(frames)} frames: {frames[-1:]}")
            frames.append(self.frame(left))
            if is_last(frames[-1]):
                return frames
