'''sinks/websocket: clients that do their worst end alone.'''

import contextlib
import json
import os
import socket
import struct
import threading
import time

from nfbustest import main, wait_until
from page_host import PageTest, port_of
from websocket_client import BINARY, CLOSE, PING, PONG, TEXT, Client, Closed, connect, request


class Hostile(PageTest):
    def setUp(self):
        super().setUp()
        self.start_page()
        self.good = self.client()

    def tearDown(self):
        # Whatever was done to others, this one goes on.
        self.send([4321])
        self.good.frames_until(lambda frame: port_of(frame) == 4321)
        self.assertIsNone(self.host.process.poll())
        super().tearDown()

    def client(self, **how):
        client = Client(self.namespace, self.port, **how)
        self.addCleanup(client.close)
        client.send({"answer": True})
        self.assertEqual(client.frame()["Type"], "nfbus:answer")
        return client

    def code_of(self, client, seconds=20):
        with self.assertRaises(Closed) as closed:
            while True:
                client.text(seconds)
        return closed.exception.code

    def test_frames_that_break_the_protocol(self):
        def send_many_fragments(client):
            client.send_frame(TEXT, b"x" * 1000, fin=False)
            with contextlib.suppress(OSError):
                for _ in range(100):
                    client.send_frame(0, b"x" * 1000, fin=False)

        for name, send, code in (
                ("oversized", lambda c: c.send_frame(TEXT, b"x" * 65537), 1009),
                ("oversized by its header alone", lambda c: c.socket.sendall(b"\x81\xff" + struct.pack("!Q", 1 << 62) + b"\0" * 4), 1009),
                ("fragmented for ever", send_many_fragments, 1009),
                ("bad UTF-8", lambda c: c.send_frame(TEXT, b"\xff\xfe"), 1007),
                ("half a character", lambda c: c.send_frame(TEXT, b"\xe2\x82"), 1007),
                ("binary", lambda c: c.send_frame(BINARY, b"x"), 1003),
                ("not masked", lambda c: c.send_frame(TEXT, b"x", masked=False), 1002),
                ("reserved bits", lambda c: c.socket.sendall(b"\xf1\x80\0\0\0\0"), 1002),
                ("reserved opcode", lambda c: c.send_frame(3, b"x"), 1002),
                ("continuation of nothing", lambda c: c.send_frame(0, b"x"), 1002),
                ("long ping", lambda c: c.send_frame(PING, b"x" * 126), 1002),
                ("fragmented ping", lambda c: c.send_frame(PING, b"x", fin=False), 1002),
                ("bad close code", lambda c: c.send_frame(CLOSE, struct.pack("!H", 1005)), 1002),
                ("what is no object", lambda c: c.send("hello"), 1008)):
            with self.subTest(name):
                client = self.client()
                send(client)
                self.assertEqual(self.code_of(client), code)

    def test_wishes_that_make_no_sense_are_answered(self):
        client = self.client()
        for text in ('{"match":', "{}}", '{"match":7}', '{"match":[7]}', '{"format":"xml"}', '{"match":{"a":{"b":{}}}}',
                     '{"match":' + "[" * 60000, '{"mode":1}', '{"match":"' + "a=1 " * 10000 + '"}', '{"match":"src=\\u0000"}',
                     '{"match":{"dport":1e99}}', '{"match":{"src":"\\ud800"}}'):
            client.send(text)
            frame = client.frame()
            self.assertEqual(frame["Type"], "nfbus:error", (text[:40], frame))
            self.assertTrue(json.loads(frame["Data"])["error"])
        client.send('{"match":{"sport":7},"match":{"sport":8},"answer":true}')
        self.assertIn(client.frame()["Type"], ("nfbus:answer", "nfbus:error"))

    def test_what_nobody_knows_is_said(self):
        client = self.client()
        for text, word in (('{"macth":{"sport":7}}', "macth"), ('{"since":1}', "since"), ('{"mode":"live"}', "mode")):
            client.send(text)
            self.assertIn(word, json.loads(client.frame()["Data"])["error"])
        with Client(self.namespace, self.port) as other:
            other.send(' \n{"match":{"sport":7001},"answer":true}')
            self.assertEqual(other.frame()["Type"], "nfbus:answer", "a blank in front makes it no token")

    def test_matches_that_ask_for_too_much_are_refused(self):
        client = self.client()
        for match in ({"topic": ["*a*b*c*" + str(i) for i in range(65)]}, {"dport": list(range(1025))},
                      "topic=" + ",".join(f"*a*{i}" for i in range(65))):
            client.send({"match": match})
            self.assertIn("asks for too much", json.loads(client.frame()["Data"])["error"])

    def test_matches_that_take_long_cost_their_own_clients(self):
        pattern = "*" + "n*" * 60
        hostile = []
        for _ in range(60):
            client = self.client()
            client.send({"match": {"prefix": [pattern + str(i) for i in range(64)]}, "answer": True})
            client.frame()
            hostile.append(client)
        self.namespace.nft("""table inet x { chain c { type filter hook output priority 5;
            udp dport 7005 log prefix "%s" group 1
        }
        }""" % ("n" * 120))
        began = time.monotonic()
        self.send(range(1000, 1400), 7005)
        self.good.frames_until(lambda frame: port_of(frame) == 1399, 20)
        self.assertLess(time.monotonic() - began, 10)
        closed = 0
        for client in hostile:
            client.socket.setblocking(False)
            with contextlib.suppress(OSError, Closed):
                while True:
                    opcode, payload = client.raw_frame()
                    closed += opcode == CLOSE and struct.unpack("!H", payload[:2])[0] == 1013
        print(f"{closed} of {len(hostile)} had to go", flush=True)
        self.assertGreater(closed, 0)

    def test_who_asks_for_what_it_missed_again_and_again_keeps_nobody_waiting(self):
        self.send(range(1000, 9000))
        self.good.frames_until(lambda frame: port_of(frame) == 8999, 30)
        with Client(self.namespace, self.port, "/ws/page") as flooder:
            for _ in range(5000):
                flooder.send({"since": 0})
            began = time.monotonic()
            self.assertEqual(request(self.namespace, self.port, "GET", "/api/rows?limit=1", timeout=30).status, 200)
            self.assertLess(time.monotonic() - began, 3)
        began = time.monotonic()
        for _ in range(200):
            with connect(self.namespace, self.port) as made:
                made.sendall(b"GET /api/rows?match=dport%3D9 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.send([2222])
        self.good.frames_until(lambda frame: port_of(frame) == 2222, 10)
        wait_until(lambda: request(self.namespace, self.port, "GET", "/api/rows?limit=1").status == 200, 10, "an answer")

    def test_pings_are_answered_while_much_is_sent(self):
        client = self.client()
        for number in range(20):
            client.send_frame(PING, str(number).encode())
        self.send(range(1000, 1200))
        pongs = []
        events = 0
        while len(pongs) < 20 or events < 200:
            opcode, payload = client.raw_frame()
            if opcode == PONG:
                pongs.append(int(payload))
            elif opcode == TEXT:
                events += 1
        self.assertEqual(pongs[-1], 19)

    def test_requests_that_are_none(self):
        for text, status in ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400),
                             (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n", 431),
                             (b"GET / HTTP/1.1\r\n\r\n", 400),
                             (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                             (b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
                             (b"GET HTTP://127.0.0.1?x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
                             (b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 403),
                             (b"GET http:///api/rows HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                             (b"GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
                              b"Transfer-Encoding: gzip\r\n\r\n", 400),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n"
                              b"Transfer-Encoding: deflate\r\n\r\n", 501),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nExpect: more\r\n\r\n", 417),
                             (b"GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                             (b"GET * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                              b"Content-Length: 1048577\r\n\r\n", 413),
                             (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                              b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)):
            with connect(self.namespace, self.port) as made:
                made.sendall(text)
                head = b""
                while b"\r\n" not in head:
                    piece = made.recv(4096)
                    self.assertTrue(piece, text[:60])
                    head += piece
                self.assertEqual(int(head.split()[1]), status, text[:60])

    def test_who_asks_first_is_told_to_send_the_body(self):
        rule = json.dumps({"name": "r", "match": {"dport": 7001}}).encode()
        head = (b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                b"Content-Length: %d\r\n\r\n" % len(rule))
        with connect(self.namespace, self.port) as made:
            for _ in range(2):
                made.sendall(head)
                self.assertEqual(made.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
                made.sendall(rule)
                self.assertIn(made.recv(4096)[:12], (b"HTTP/1.1 200", b"HTTP/1.1 400"))  # the name is there by then
            made.sendall(head + rule)  # who does not wait
            answered = b""
            while b"HTTP/1.1 400" not in answered:
                piece = made.recv(4096)
                self.assertTrue(piece, answered)
                answered += piece

    def test_pipelined_requests_are_answered_in_order(self):
        with connect(self.namespace, self.port) as made:
            one = b"GET /api/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            made.sendall(one % b"session" + one % b"rows" + one % b"nothing" +
                         b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\x81\x80\0\0\0\0")
            answered = b""
            while piece := made.recv(65536):
                answered += piece
        statuses = [int(part.split()[0]) for part in answered.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(statuses, [200, 200, 404, 400])

    def test_who_is_silent_goes(self):
        """Slow requests, half a body, no pong: each alone, and all at once."""
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(
            self.good.frames_until(lambda frame: port_of(frame) == 1111, 100)))
        reader.start()
        slow = connect(self.namespace, self.port)
        half = connect(self.namespace, self.port)
        silent = self.client()
        for made in (slow, half, silent.socket):
            self.addCleanup(made.close)
            made.settimeout(70)
        half.sendall(b"PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"y" * 100:
                slow.sendall(bytes([byte]))
                slow.settimeout(0.5)
                try:
                    if slow.recv(100) == b"":
                        break
                except TimeoutError:
                    pass
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual(half.recv(1000), b"")
        pings = 0
        with self.assertRaises((Closed, OSError)):
            while True:
                opcode, _ = silent.raw_frame()  # never answered
                pings += opcode == PING
        self.assertGreater(pings, 0)
        self.assertLess(time.monotonic() - began, 60)
        # Who answers pings stays.
        self.send([1111])
        reader.join(20)
        self.assertEqual([port_of(frame) for frame in seen], [1111])

    def test_who_connects_and_says_nothing_keeps_nobody_out(self):
        idle = []
        for _ in range(400):
            made = connect(self.namespace, self.port)
            self.addCleanup(made.close)
            idle.append(made)
        self.assertEqual(request(self.namespace, self.port, "GET", "/api/session").status, 200)
        self.client()

    def test_who_takes_no_answers_keeps_nobody_out(self):
        idle = []
        for _ in range(400):
            made = connect(self.namespace, self.port, receive_buffer=4096)
            self.addCleanup(made.close)
            made.setblocking(False)
            with contextlib.suppress(OSError):
                made.send(b"GET /page/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 150)
            idle.append(made)
        self.assertEqual(request(self.namespace, self.port, "GET", "/api/session", timeout=10).status, 200)
        self.client()

    def test_clients_that_vanish_leave_nothing(self):
        before = len(os.listdir(f"/proc/{self.host.process.pid}/fd"))
        for round_number in range(5):
            clients = [Client(self.namespace, self.port, ("/ws_events_all", "/ws/page", "/ws")[i % 3],
                              headers={"Sec-WebSocket-Extensions": "permessage-deflate"}) for i in range(60)]
            self.send(range(1000, 1050))
            for client in clients:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            for _ in range(50):
                port_of(self.good.frame())
        wait_until(lambda: len(os.listdir(f"/proc/{self.host.process.pid}/fd")) <= before, 10, "their descriptors")


class Places(PageTest):
    def test_more_than_max_clients_are_turned_away(self):
        self.start_page("max_clients = 10\n")

        def connected():
            try:
                client = Client(self.namespace, self.port)
            except (Closed, OSError):
                return False
            client.close()
            return True

        clients = []
        for _ in range(10):
            clients.append(Client(self.namespace, self.port))
            self.addCleanup(clients[-1].close)
        self.assertFalse(connected())
        clients.pop().close()
        wait_until(connected, 10, "room")


if __name__ == "__main__":
    main()
