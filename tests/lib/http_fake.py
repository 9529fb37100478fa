'''A server that answers HTTP requests as a test says, with what it was sent.

    with HttpFake(namespace, lambda request: (200, "ok"), port=8080) as server:
        ...
        server.requests   # each with method, target, path, query, headers, body
'''

import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        url = urllib.parse.urlsplit(handler.path)
        self.target = handler.path
        self.path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.size_bytes = len(body)
        self.when = time.monotonic()
        self.connection = handler.client_address

    @property
    def json(self):
        return json.loads(self.body)


class Answer:
    """What answer() may return, beside (status, body) and (status, body, headers)."""

    def __init__(self, status=200, body="", headers=(), delay_seconds=0, cut=None):
        self.status, self.body, self.headers = status, body, dict(headers)
        self.delay_seconds = delay_seconds
        self.cut = cut  # "before": the connection ends without an answer; "within": in the middle of it


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve(b"")

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_PUT = do_POST

    def _serve(self, body):
        owner = self.server.owner
        if owner.ending.is_set():
            self.close_connection = True
            return
        request = owner.request_class(self, body)
        with owner.lock:
            owner.requests.append(request)
            answer = owner.answer(request)
            if not isinstance(answer, Answer):
                answer = owner.answer_class(answer[0], answer[1], *answer[2:])
            owner.answers(request, answer)
        if answer.delay_seconds:
            owner.ending.wait(answer.delay_seconds)
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        text = text.encode()
        self.close_connection = answer.cut is not None
        if answer.cut == "before":
            # A reset, not an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204 or answer.cut:
                self.send_header("Content-Length", str(len(text) + (100 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            pass  # it did not wait


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # of a client that left


class HttpFake:
    """answer(request): called for one request after the other. path: of a UNIX socket, in place of a port."""

    request_class = Request
    answer_class = Answer

    def __init__(self, namespace, answer, port=8080, path=None, certificate=None, clients_authority=None):
        self.answer = answer
        self.requests = []
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler, bind_and_activate=False)
        self._server.owner = self
        self._server.socket.close()
        if path:
            self._server.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._server.socket.bind(str(path))
            path.chmod(0o666)
        else:
            self._server.socket = namespace.socket(socket.SOCK_STREAM)
            self._server.allow_reuse_address = True
            self._server.server_bind()
        self._server.server_activate()
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            if clients_authority:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients_authority)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ending.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answers(self, request, answer):
        """Told of each answer before it is given, under the lock."""


def make_certificate(folder, name):
    """A certificate of its own authority for 127.0.0.1: (certificate, key), files of that name."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    return certificate, key
