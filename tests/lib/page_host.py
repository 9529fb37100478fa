'''A host with the sink `websocket`, whose packets a real kernel logs.'''

import json

from nfbustest import IntegrationTest
from packets import UDP, ipv4, send, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7001 log prefix "drop:out " group 1
    udp dport 7002 log prefix "lan:out " group 0
    udp dport 7003 drop
}
}"""
CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
[[capture]]
group = 0
latency_ms = 0
[[capture]]
group = 1
action = "blocked"
latency_ms = 0
[sink.page]
plugin = "websocket"
"""
LISTEN = 'listen = "127.0.0.1:0"\n'


class PageTest(IntegrationTest):
    def start_page(self, options="", listen=LISTEN, more="", **how):
        """The host; its port is in self.port."""
        self.namespace.nft(RULES)
        self.host = self.start(CONFIG + listen + options + more, **how)
        self.port = int(self.host.wait_for(r"serves https?://[^ ]*:(\d+)/")[1])
        return self.host

    def send(self, ports, destination_port=7001, destination="127.0.0.9", **how):
        """A packet from each of the source ports."""
        send(self.namespace, [ipv4("127.0.0.1", destination, UDP, udp(port, destination_port, b"x")) for port in ports],
             **how)


def port_of(frame):
    """The source port of an event's frame."""
    return json.loads(frame["Data"])["UDP"]["SrcPort"]
