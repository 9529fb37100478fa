'''What the real kernel says of a packet's link layer: devices without one, egress hooks, bridge ports, names of
interfaces that are gone; and what JSON, matches, tap and captures make of it, judged by tshark.'''

import json
import subprocess
import sys

import nfbustest
from capture_files import tshark
from nfbustest import NFBUS_BIN, Namespace, read_json_lines, wait_until
from packets import UDP, ethernet, ipv4, send, udp

MAC_A, MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"

# Writes the packets of standard input to a tun device of this name, which it makes.
TUN = r"""
import fcntl, json, os, struct, subprocess, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
for words in ("link set tun0 up", "addr add 10.99.0.1/24 dev tun0", "route add 8.0.0.0/24 dev tun0"):
    subprocess.run(["ip", *words.split()], check=True)
for packet in json.load(sys.stdin):
    os.write(tun, bytes.fromhex(packet))
"""


def capture(group, **options):
    return f'[[capture]]\ngroup = {group}\naction = "blocked"\n' + "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())


def sink(name, plugin, **options):
    return f'[sink.{name}]\nplugin = "{plugin}"\nfile = "@DIR@/{name}"\n' + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in options.items())


SINKS = (sink("packet", "jsonl", format="packet") + sink("ulogd", "jsonl", format="ulogd") +
         sink("ether", "pcap", link="ethernet") + sink("raw", "pcap", link="raw") + sink("nflog", "pcap", link="nflog") +
         sink("any", "pcap", format="pcapng", link="ethernet", headerless="raw"))


class LinkLayers(nfbustest.IntegrationTest):
    def far(self, device="lan0", other="far0"):
        far = Namespace()
        self.addCleanup(far.close)
        self.namespace.connect(far, device, other, MAC_A, MAC_B)
        return far

    def records(self, host, count):
        for name in ("packet", "ulogd"):
            wait_until(lambda: len(read_json_lines(host.path(name))) >= count, 10, f"{count} lines of {name}")
        return read_json_lines(host.path("packet")), read_json_lines(host.path("ulogd"))

    def test_a_packet_of_a_device_without_link_layer_has_no_hardware_header(self):
        self.far()
        for words in ("addr add 10.77.0.1/24 dev lan0", "neigh add 10.77.0.2 lladdr 02:00:00:00:00:0b dev lan0"):
            self.namespace.run("ip", *words.split())
        for key in ("all", "lan0", "default"):  # the addresses need not have a way back
            self.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0")
        self.namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.namespace.nft("""table ip t {
            chain forward { type filter hook forward priority 0; udp dport 53 log prefix "forward " group 0; }
            chain post { type filter hook postrouting priority 0; udp dport 53 log prefix "post " group 0; }
        }""")
        host = self.start(capture(0) + SINKS + '[filter.mac]\nplugin = "match"\nkeep = [{ "!mac" = "02:00:00:00:00:99" }]\n' +
                          '[filter.any_mac]\nplugin = "match"\nkeep = [{ mac = "02:00:00:00:00:0a" }, { mac = "45:00:00:21:00:01" }]\n'
                          + sink("without", "jsonl", filters=["mac"]) + sink("with", "jsonl", filters=["any_mac"]))
        packets = [ipv4(source, "10.77.0.2", UDP, udp(1000, 53, b"hello")) for source in ("10.99.0.2", "8.0.0.2")]
        self.namespace.run(sys.executable, "-c", TUN, input=json.dumps([p.hex() for p in packets]))
        layered, flat = self.records(host, 4)
        self.assertEqual(sorted(r["Prefix"] for r in layered), ["forward ", "forward ", "post ", "post "])
        for record in layered:
            self.assertNotIn("Ethernet", record)
            self.assertEqual(record["UDP"]["DstPort"], 53)
        for record in flat:
            self.assertEqual([key for key in record if key.startswith(("mac.", "raw.mac", "raw.type"))], [])
        self.assertEqual(host.stop(), 0, host.stderr)
        counters = host.logged_counters()["sinks"]
        self.assertEqual((counters["without"]["delivered"], counters["with"]["filtered"]), (4, 4))
        self.assertEqual((counters["ether"]["delivered"], counters["ether"]["rejected"]), (0, 4))
        self.assertEqual(tshark(host.path("any"), "frame.protocols", "udp.dstport"), [["raw:ip:udp:dns", "53"]] * 4)

    def check_no_header(self, host, count):
        layered, flat = self.records(host, count)
        for record in layered:
            self.assertNotIn("Ethernet", record)
            self.assertNotIn("DecodeError", record)
        for record in flat:
            self.assertEqual([key for key in record if key.startswith(("mac.", "raw.mac", "raw.type"))], [])
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(host.logged_counters()["sinks"]["ether"]["rejected"], count)
        self.assertEqual(host.logged_counters()["sinks"]["any"]["delivered"], count)
        return layered

    def test_the_frame_that_vxlan_wraps_is_not_the_header_of_what_it_sends(self):
        self.far()
        for words in ("addr add 10.77.0.1/24 dev lan0", f"neigh add 10.77.0.2 lladdr {MAC_B} dev lan0",
                      "link add vx0 type vxlan id 42 remote 10.77.0.2 dstport 4789 dev lan0", "link set vx0 up",
                      "addr add 10.88.0.1/24 dev vx0", "neigh add 10.88.0.2 lladdr 02:00:00:00:00:cc dev vx0"):
            self.namespace.run("ip", *words.split())
        self.namespace.nft("""table ip t { chain post { type filter hook postrouting priority 0;
            ip saddr 10.77.0.1 udp dport 4789 udp length 60-80 log prefix "wrapped " group 0;
        }
        }""")
        host = self.start(capture(0) + SINKS)
        send(self.namespace, [ipv4("10.88.0.1", "10.88.0.2", UDP, udp(1, 7000, b"inside"))] * 2)
        for record in self.check_no_header(host, 2):
            self.assertEqual((record["IP"]["DstIP"], record["UDP"]["DstPort"]), ("10.77.0.2", 4789))

    def test_a_pppoe_frame_that_a_bridge_looks_into_has_no_header_of_ip(self):
        one, _two = self.far("port1", "a0"), self.far("port2", "b0")
        for words in ("ip link add name br0 type bridge mcast_snooping 0", "ip link set port1 master br0",
                      "ip link set port2 master br0", "ip link set br0 up",
                      "sysctl -qw net.bridge.bridge-nf-call-iptables=1", "sysctl -qw net.bridge.bridge-nf-filter-pppoe-tagged=1"):
            self.namespace.run(*words.split())
        self.namespace.nft("""table ip t { chain c { type filter hook prerouting priority 0;
            udp dport 7000 log prefix "pppoe " group 0;
        }
        }""")
        host = self.start(capture(0) + SINKS)
        packet = ipv4("10.0.0.1", "10.0.0.2", UDP, udp(1, 7000, b"x" * 20))
        session = b"\x11\x00\x00\x01" + (len(packet) + 2).to_bytes(2, "big") + b"\x00\x21" + packet
        send(one, [ethernet(MAC_A, "02:00:00:00:00:dd", 0x8864, session)], device="a0")
        record, = self.check_no_header(host, 1)
        self.assertEqual((record["PhysInDev"], record["UDP"]["DstPort"]), ("port1", 7000))

    def test_what_leaves_by_the_egress_hook_is_decoded_as_what_comes_in(self):
        self.far()
        self.namespace.run("ip", "addr", "add", "10.77.0.1/24", "dev", "lan0")
        self.namespace.run("ip", "neigh", "add", "10.77.0.2", "lladdr", MAC_B, "dev", "lan0")
        self.namespace.nft("""table netdev t {
            chain c { type filter hook egress device lan0 priority 0; log prefix "nd-out " group 0; }
        }""")
        host = self.start(capture(0, prefixes=["nd-out"]) + SINKS)
        tagged = b"\x20\x64\x08\x00" + ipv4("10.77.0.1", "10.77.0.2", UDP, udp(1000, 7002, b"tagged"))
        twice = b"\x00\xc8\x81\x00\x00\x64\x08\x00" + ipv4("10.77.0.1", "10.77.0.2", UDP, udp(1000, 7003, b"twice"))
        frames = [ethernet(MAC_A, MAC_B, 0x0800, ipv4("10.77.0.1", "10.77.0.2", UDP, udp(1000, 7001, b"plain"))),
                  ethernet(MAC_A, MAC_B, 0x8100, tagged), ethernet(MAC_A, MAC_B, 0x88A8, twice)]
        send(self.namespace, frames, device="lan0")
        send(self.namespace, [ipv4("10.77.0.1", "10.77.0.2", UDP, udp(1000, 7004, b"routed"))])
        layered, flat = self.records(host, 4)
        self.assertEqual([r["UDP"]["DstPort"] for r in layered], [7001, 7002, 7003, 7004])
        self.assertEqual([r.get("VLAN", {}).get("Id") for r in layered], [None, 100, 200, None])
        for record in layered:
            self.assertEqual((record["Ethernet"]["SrcMAC"], record["Ethernet"]["DstMAC"]), (MAC_A, MAC_B))
            self.assertNotIn("DecodeError", record)
        self.assertEqual([r["dest_port"] for r in flat], [7001, 7002, 7003, 7004])
        self.assertEqual({r["oob.out"] for r in flat}, {"lan0"})
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual([port for port, in tshark(host.path("raw"), "udp.dstport")], ["7001", "7002", "7003", "7004"])
        self.assertEqual(tshark(host.path("nflog"), "ip.dst", "udp.dstport"),
                         [["10.77.0.2", port] for port in ("7001", "7002", "7003", "7004")])
        self.assertEqual(tshark(host.path("ether"), "eth.src", "udp.dstport", "frame.len")[:3],
                         [[MAC_A, str(7001 + i), str(len(frame))] for i, frame in enumerate(frames)])

    def test_the_ports_of_a_bridge_are_told_by_name(self):
        one, two = self.far("port1", "a0"), self.far("port2", "b0")
        for words in ("link add name br0 type bridge mcast_snooping 0", "link set port1 master br0",
                      "link set port2 master br0", "link set br0 up"):
            self.namespace.run("ip", *words.split())
        self.namespace.nft("""table bridge t {
            chain c { type filter hook forward priority 0; udp dport 7000 log prefix "bridged " group 0; }
        }""")
        host = self.start('[bus]\nsocket = "@DIR@/bus"\n' + capture(0) + SINKS +
                          sink("pcapng", "pcap", format="pcapng", link="ethernet") +
                          sink("whole", "pcap", format="pcapng", link="nflog") +
                          '[filter.port]\nplugin = "match"\nkeep = [{ physin = "port1", physout = "port*" }]\n' +
                          sink("matched", "jsonl", filters=["port"], format="ulogd"))
        taps = {form: self.namespace.popen(NFBUS_BIN, "tap", "-s", host.path("bus"), "-n", "1", *arguments,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for form, arguments in (("line", []), ("match", ["--json", "--match", "physin=port1 !physout=port1"]))}
        wait_until(lambda: self.clients(host) >= 2, 10, "both taps")
        # Learnt from the other side first, so that the bridge knows the port.
        send(two, [ethernet(MAC_B, MAC_A, 0x88B5, b"x" * 46)], device="b0")
        frame = ethernet(MAC_A, MAC_B, 0x0800, ipv4("10.0.0.1", "10.0.0.2", UDP, udp(1, 7000, b"x" * 20)))
        send(one, [frame], device="a0")
        layered, flat = self.records(host, 1)
        keys = list(layered[0])
        self.assertEqual(keys[keys.index("OutDev"):][:3], ["OutDev", "PhysInDev", "PhysOutDev"])
        self.assertEqual([layered[0][key] for key in ("InDev", "OutDev", "PhysInDev", "PhysOutDev")],
                         ["br0", "br0", "port1", "port2"])
        self.assertEqual(list(flat[0].items())[-2:], [("oob.physin", "port1"), ("oob.physout", "port2")])
        line, said = taps["line"].communicate(timeout=10)
        self.assertIn("br0/port1 -> br0/port2", line, said)
        self.assertEqual(json.loads(taps["match"].communicate(timeout=10)[0])["PhysInDev"], "port1")
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(len(read_json_lines(host.path("matched"))), 1)
        self.assertEqual(tshark(host.path("pcapng"), "frame.interface_name", "frame.interface_description"),
                         [["port1", "NFLOG group 0, port of br0"]])
        host.path("again.toml").write_text(sink("again", "jsonl", format="packet").replace("@DIR@", str(host.directory)))
        done = nfbustest.run_nfbus("run", "-c", host.path("again.toml"), "--replay", host.path("whole"))
        self.assertEqual(done.returncode, 0, done.stderr)
        again, = read_json_lines(host.path("again"))
        self.assertEqual((again["PhysInDev"], again["UDP"]), ("port1", layered[0]["UDP"]))

    def clients(self, host):
        done = self.namespace.run(NFBUS_BIN, "status", "-s", host.path("bus"), "--json", check=False)
        return len(json.loads(done.stdout)["clients"]) - 1 if done.returncode == 0 else 0

    def test_an_interface_that_goes_at_once_still_has_its_name(self):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 log prefix "a " group 0;
        }
        }""")
        host = self.start(capture(0, latency_ms=100) + SINKS)
        for number in range(5):
            script = "\n".join((f"link add dev gone{number} type veth peer name peer{number}", f"link set peer{number} up",
                                f"link set gone{number} up", f"addr add 192.0.2.1/24 dev gone{number}",
                                f"neigh add 192.0.2.2 lladdr {MAC_B} dev gone{number} nud permanent"))
            self.namespace.run("ip", "-batch", "-", input=script + "\n")
            send(self.namespace, [ipv4("192.0.2.1", "192.0.2.2", UDP, udp(1, 7000))])
            self.namespace.run("ip", "link", "del", f"gone{number}")
        layered, _ = self.records(host, 5)
        self.assertEqual([r["OutDev"] for r in layered], [f"gone{number}" for number in range(5)])

    def test_wireshark_shows_the_packets_of_which_snaplen_left_the_begin(self):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 log prefix "a " group 0;
        }
        }""")
        host = self.start('[bus]\nsocket = "@DIR@/bus"\n' + capture(0, snaplen=40) + SINKS +
                          sink("ng", "pcap", format="pcapng", link="nflog"))
        with open(host.path("tap.pcap"), "wb") as file:
            tap = self.namespace.popen(NFBUS_BIN, "tap", "--pcap", "-", "-n", "3", "-s", host.path("bus"), stdout=file,
                                       stderr=subprocess.DEVNULL)
        wait_until(lambda: self.clients(host) >= 1, 10, "the tap")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(999, 7000, b"x" * 1000))] * 3)
        self.records(host, 3)
        self.assertEqual(tap.wait(10), 0)
        self.assertEqual(host.stop(), 0, host.stderr)
        for name in ("nflog", "ng", "tap.pcap"):
            rows = tshark(host.path(name), "ip.dst", "ip.len", "udp.dstport", "frame.cap_len", "frame.len")
            self.assertEqual([row[:3] for row in rows], [["127.0.0.1", "1028", "7000"]] * 3, name)
            self.assertEqual([row[3] for row in rows], [row[4] for row in rows], name)
        self.assertEqual(tshark(host.path("raw"), "frame.cap_len", "frame.len"), [["40", "1028"]] * 3)


if __name__ == "__main__":
    nfbustest.main()
