'''A server that answers InfluxDB's writes as a test says, with what it was sent.

    with FakeInflux(namespace, lambda request: (204, "")) as server:
        ...
        server.points   # {(measurement and tags, time): fields}, of the requests that were answered with 204
'''

import gzip

import http_fake


class Request(http_fake.Request):
    def __init__(self, handler, body):
        super().__init__(handler, body)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.lines = body.decode().splitlines()

    @property
    def ports(self):
        """The source ports of its packets."""
        return [int(field(line, "SrcPort").rstrip("i")) for line in self.lines]


def field(line, name):
    """The text of a field that is no text."""
    fields = line.split(" ")[-2]
    return dict(pair.split("=", 1) for pair in fields.split(",") if "=" in pair)[name]


class Answer(http_fake.Answer):
    """stores: True, False, or the lines that it stores."""

    def __init__(self, status=204, body="", headers=(), stores=None, **more):
        super().__init__(status, body, headers, **more)
        self.stores = status == 204 if stores is None else stores


class FakeInflux(http_fake.HttpFake):
    request_class = Request
    answer_class = Answer

    def __init__(self, namespace, answer, port=8086, **options):
        self.points = {}
        super().__init__(namespace, answer, port, **options)

    def answers(self, request, answer):
        if request.method == "POST" and answer.stores:
            self._store(request.lines if answer.stores is True else answer.stores)

    def _store(self, lines):
        for line in lines:
            series, _, rest = line.partition(" ")
            fields, _, when = rest.rpartition(" ")
            self.points[series, int(when)] = fields

    @property
    def writes(self):
        with self.lock:
            return [request for request in self.requests if request.method == "POST"]

    @property
    def ports(self):
        """The source ports of the packets that it has."""
        with self.lock:
            return sorted(int(field(f" {fields} 0", "SrcPort").rstrip("i")) for fields in self.points.values())
