'''sinks/websocket: where it listens.'''

import errno
import pathlib
import socket
import tempfile

from nfbustest import NFBUS_BIN, main
from page_host import CONFIG, PageTest, port_of
from websocket_client import Client, request

# Becomes the host, with a socket as descriptor 7.
GIVEN = """#!/usr/bin/python3
import os, socket, sys
made = socket.socket({family}, {kind})
made.bind({address!r})
{listen}
os.dup2(made.fileno(), 7)
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""
TAKE_IT = 'listen = "fd:7"\n'


class ListenTest(PageTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        (self.folder / "tokens").write_text("secret\n")
        self.token_file = f'token_file = "{self.folder}/tokens"\n'

    def given(self, address, family="socket.AF_INET", kind="socket.SOCK_STREAM", listen="made.listen()"):
        """A program that is the host, with that socket."""
        path = self.folder / "given"
        path.write_text(GIVEN.format(address=address, family=family, kind=kind, listen=listen, program=str(NFBUS_BIN)))
        path.chmod(0o755)
        return path

    def refused(self, listen, **how):
        """What a host says that does not start."""
        host = self.start(CONFIG + listen, wait=False, **how)
        self.assertNotEqual(host.wait(), 0)
        return host.stderr


class Descriptors(ListenTest):
    def test_one_that_is_given_is_served(self):
        self.start_page(listen=TAKE_IT, program=self.given(("127.0.0.1", 0)))
        with Client(self.namespace, self.port) as client:
            client.send({"answer": True})
            client.frame()
            self.send([1001])
            self.assertEqual(port_of(client.frame()), 1001)

    def test_one_that_others_can_connect_to_needs_tokens(self):
        for address, family, shown in (("0.0.0.0", "socket.AF_INET", "0.0.0.0:"), ("::", "socket.AF_INET6", "[::]:")):
            said = self.refused(TAKE_IT, program=self.given((address, 0), family))
            self.assertIn(f"listen: fd:7: others than this machine's own programs can connect to {shown}", said)
            self.assertIn("token_file", said)

    def test_one_of_both_families_is_served(self):
        self.start_page(self.token_file, TAKE_IT, program=self.given(("::", 0), "socket.AF_INET6"))
        with Client(self.namespace, self.port, first="secret") as client:
            self.assertEqual(client.text(), "success")

    def test_one_that_is_none_is_named(self):
        for how, said in ((dict(address=("127.0.0.1", 0), listen=""), "fd:7 is no TCP socket that listens"),
                          (dict(address=("127.0.0.1", 0), kind="socket.SOCK_DGRAM", listen=""), "fd:7 is no TCP socket"),
                          (dict(address=str(self.folder / "unix"), family="socket.AF_UNIX"), "fd:7 is no TCP socket")):
            self.assertIn(said, self.refused(TAKE_IT, program=self.given(**how)))
        self.assertIn("listen: fd:99: Bad file descriptor", self.refused('listen = "fd:99"\n'))


class Addresses(ListenTest):
    def test_each_of_a_list_is_served(self):
        host = self.start_page(self.token_file, 'listen = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]\n')
        self.assertRegex(host.stderr, r", http://\[::1\]:\d+/")
        self.assertEqual(request(self.namespace, self.port, "GET", "/api/session").status, 200)
        other = int(host.wait_for(r", http://127\.0\.0\.2:(\d+)/")[1])
        with Client(self.namespace, other, address="127.0.0.2", first="secret") as client:
            self.assertEqual(client.text(), "success")
        with self.namespace.socket(socket.SOCK_STREAM) as nobody:
            self.assertEqual(nobody.connect_ex(("127.0.0.1", other)), errno.ECONNREFUSED)

    def test_one_that_is_taken_is_named(self):
        with listening(self.namespace) as taken:
            port = taken.getsockname()[1]
            said = self.refused(f'listen = "127.0.0.1:{port}"\n')
        self.assertIn(f"cannot listen at 127.0.0.1:{port}: Address already in use", said)


def listening(namespace):
    """A socket that listens in there."""
    made = namespace.socket(socket.SOCK_STREAM)
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


if __name__ == "__main__":
    main()
