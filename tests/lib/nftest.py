'''What the tests of the plugin nftrules share: its command, rulesets, and sets that Debian's nft cannot read.'''

import os
import pathlib
import re
import socket
import struct
import tempfile
import threading

import ctypes
import shutil

import nfbustest
from nfbustest import NFBUS_BIN

NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWSET = 9
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400


# A ruleset of others, and keys for it.

RULES = """
table inet filter {
  set internet_access { type ifname . ether_addr; }
  map verdicts { type ipv4_addr : verdict; }
  counter total { }
  chain OTHER {
    log prefix "DRP:FWD "
  }
  chain INPUT {
    type filter hook input priority filter; policy accept;
    ct state established counter packets 7 bytes 700 accept
    jump OTHER
    tcp dport { 22, 80-90, 443 } counter packets 5 bytes 400 log prefix "DRP:INP " limit rate 5/second burst 7 packets comment "a comment"
    tcp dport 7 jump OTHER
    counter name "total" udp dport vmap { 53 : accept, 67 : drop }
  }
  chain FORWARD {
    type filter hook forward priority filter; policy accept;
    ip saddr 192.0.2.1 accept
    counter packets 3 bytes 300 log prefix "drp:fwd" snaplen 64 group 7
    iifname . ether saddr @internet_access accept
    ip saddr vmap @verdicts
    iifname . ether saddr @internet_access counter accept
    log prefix "syslog " level info flags all
  }
}
table ip untouched {
  chain c {
    log prefix "DRP:INP "
  }
}
"""

REWRITES = """
[[rewrite]]
table = "inet filter"
chain = "INPUT"
match_prefix = "DRP:INP"
prefix = "drop:input "
group = 1
[[rewrite]]
table = "inet filter"
chain = "FORWARD"
match_prefix = " DRP:FWD "
prefix = "drop:forward "
group = 1
"""

INSERTS = """
[[insert]]
table = "inet filter"
chain = "FORWARD"
before = "@internet_access"
match = "first"
statement = 'counter oifname { "eth0", "wan*" } log prefix "wan:out " group 0'
[[insert]]
table = "inet filter"
chain = "INPUT"
after = "jump OTHER"
match = "last"
statement = 'log prefix "lan:in " group 0'
[[insert]]
table = "inet filter"
chain = "FORWARD"
before = "ip saddr 192.0.2.1 accept"
statement = 'meta l4proto { tcp, udp } th dport 53 log prefix "dns:out " group 0'
"""


class NftTest(nfbustest.IntegrationTest):
    """A test with a namespace, and a folder self.folder for a configuration and its state."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.config_file = self.folder / "nfbus.toml"

    def write(self, keys):
        """A configuration whose sink [sink.rules] has these keys and tables ("[[rewrite]]" is [[sink.rules.rewrite]])."""
        tables = re.sub(r"(?m)^\[\[(\w+)\]\]", r"[[sink.rules.\1]]", keys)
        self.config_file.write_text(f'[bus]\nsocket = "{self.folder}/bus.sock"\n[[capture]]\ngroup = 0\n[[capture]]\n'
                                    f'group = 1\n[sink.rules]\nplugin = "nftrules"\nstate_dir = "{self.folder}/state"\n'
                                    + tables)
        self.config_file.chmod(0o644)

    def nft(self, *words, **options):
        """`nfbus nft WORDS -c FILE` in the namespace."""
        return nfbustest.run_nfbus("nft", *words, "-c", self.config_file, namespace=self.namespace, **options)

    def popen_nft(self, *words, **options):
        return self.namespace.popen(NFBUS_BIN, "nft", *words, "-c", self.config_file, text=True, **options)

    def ruleset(self, stateless=True):
        """As nft lists it, with handles."""
        words = ["--stateless"] if stateless else []
        return self.namespace.run("nft", *words, "-a", "list", "ruleset").stdout

    def rules(self):
        """As nft lists it, without handles: what stays when a rule goes and comes back."""
        return re.sub(r" # handle \d+", "", self.ruleset())


def attribute(kind, payload):
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + bytes(-len(data) % 4)


def message(kind, flags, sequence, family, resource, attributes=b""):
    body = struct.pack("=BBH", family, 0, socket.htons(resource)) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def in_namespace(namespace, call):
    """Runs `call` on a thread in the namespace; what it returns."""
    out = []

    def run():
        with open(f"/run/netns/{namespace.name}", "rb") as name:
            if ctypes.CDLL(None, use_errno=True).setns(name.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        out.append(call())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return out[0]


def add_unreadable_set(namespace, table="foreign", name="newer"):
    """A set of `table inet TABLE`, as a newer nft makes them: its user data names the type of its key in a way that nft
    1.0.6 dies of (anchors: libnftables and typeof)."""
    namespace.nft(f"add table inet {table}")
    typeof = attribute_of_udata(0, struct.pack("=I", 2)) + attribute_of_udata(1, b"")
    userdata = attribute_of_udata(3, typeof)  # NFTNL_UDATA_SET_KEY_TYPEOF
    attributes = (attribute(1, table.encode() + b"\0") + attribute(2, name.encode() + b"\0") +
                  attribute(3, struct.pack("!I", 0)) + attribute(4, struct.pack("!I", 7)) +
                  attribute(5, struct.pack("!I", 4)) + attribute(10, struct.pack("!I", 1)) + attribute(13, userdata))
    batch = (message(16, 0, 1, 0, NFNL_SUBSYS_NFTABLES) +
             message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_ACK, 2, 1, 0, attributes) +
             message(17, 0, 3, 0, NFNL_SUBSYS_NFTABLES))

    def send():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
            netlink.bind((0, 0))
            netlink.settimeout(10)
            netlink.send(batch)
            return struct.unpack_from("=i", netlink.recv(65536), 16)[0]

    error = in_namespace(namespace, send)
    if error != 0:
        raise OSError(-error, os.strerror(-error))


def attribute_of_udata(kind, payload):
    """libnftnl's own attributes: a byte each for type and length."""
    return struct.pack("=BB", kind, len(payload)) + payload
