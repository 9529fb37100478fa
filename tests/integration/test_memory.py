'''What the host's memory is at most. On its own, since it cannot be measured under sanitizers.'''

import pathlib
import resource
import signal

import nfbustest
import test_delivery
from nfbustest import read_json_lines, wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient, ask_status


def resident_mib(host):
    status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Memory(nfbustest.IntegrationTest):
    flood = test_delivery.Delivery.flood

    def test_a_hanging_sink_under_full_load_keeps_the_host_under_64_mib(self):
        host = self.start(test_delivery.CAPTURE + '[sink.stuck]\nplugin = "hangs"\n')
        self.flood(host, 200_000)
        status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
        peak_kib = int(status.split("VmHWM:")[1].split()[0])
        print(f"peak {peak_kib / 1024:.1f} MiB")
        self.assertLess(peak_kib, 64 * 1024)
        host.signal(signal.SIGKILL)

    def client(self, path):
        client = WireClient(path)
        self.addCleanup(client.close)
        return client

    def test_clients_that_never_read_pin_no_more_than_there_is_for_all_and_it_comes_back(self):
        host = self.start(test_delivery.CAPTURE + '[bus]\nsocket = "@DIR@/bus.sock"\n')
        path = host.path("bus.sock")
        before = resident_mib(host)
        clients = [self.client(path) for _ in range(500)]
        for client in clients:
            client.subscribe("x:")
        clients[-1].settle()
        publisher = self.client(path)
        lines = b"".join(b'{"topic":"x:a","value":"%d"}\n' % i for i in range(1000))
        for _ in range(150):  # 456 MiB, were places in queues not counted
            publisher.send(lines)
        publisher.settle()
        status = ask_status(path)
        pinned = resident_mib(host) - before
        print(f"pinned: {pinned:.1f} MiB", flush=True)
        self.assertLess(pinned, 64 * 1.25 + 16)
        self.assertLessEqual(status["memory"]["clients_bytes"], 64 << 20)
        total = status["clients_total"]
        self.assertEqual(total["published"], total["delivered"] + total["overflowed"] + total["queued"])
        for client in clients:
            client.close()
        wait_until(lambda: ask_status(path)["clients_total"]["connected"] <= 3, 10, "their end")
        wait_until(lambda: resident_mib(host) - before < 24, 10, "the memory")

    def limit(self, host, more_bytes):
        """Lets the host's address space grow by so much and no further."""
        pages = int(pathlib.Path(f"/proc/{host.process.pid}/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + more_bytes
        resource.prlimit(host.process.pid, resource.RLIMIT_AS, (size, size))

    def check_end(self, host, thread):
        self.assertEqual(host.wait(15), 1)
        lines = [line for line in host.stderr.splitlines() if "out of memory" in line]
        self.assertEqual(lines, [f"nfbus: error: out of memory in {thread}: the host ends"])
        counters = host.logged_counters()
        self.assertIn("good", counters["sinks"])
        self.assertIn(0, counters["capture"])
        return counters["sinks"]

    def test_a_socket_thread_that_gets_no_memory_ends_the_host_with_a_line_and_the_counters(self):
        host = self.start(test_delivery.CAPTURE + """
            [bus]
            socket = "@DIR@/bus.sock"
            [sink.stuck]
            plugin = "hangs"
            topics = ["here"]
            queue_bytes = 1073741824
            """)
        self.limit(host, 64 << 20)
        with WireClient(host.path("bus.sock")) as client:
            try:
                for _ in range(2000):
                    client.publish("here", "x" * 200_000)
            except OSError:
                pass  # the host has ended
        sinks = self.check_end(host, "bus")
        self.assertGreater(sinks["stuck"]["queued"], 10)

    def test_a_sink_that_gets_no_memory_ends_the_host_with_a_line_and_the_counters(self):
        host = self.start(test_delivery.CAPTURE + '[sink.greedy]\nplugin = "complains"\nhoards = 1\n')
        self.limit(host, 64 << 20)
        self.namespace.nft(test_delivery.RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))])
        sinks = self.check_end(host, "sink:greedy")
        self.assertEqual((sinks["greedy"]["published"], sinks["greedy"]["queued"]), (1, 1))


    def test_a_sink_that_asks_for_an_absurd_amount_at_once_harms_itself_alone(self):
        host = self.start(test_delivery.CAPTURE + '''
            [sink.absurd]
            plugin = "complains"
            allocates = 1099511627776
            ''')
        self.limit(host, 64 << 20)
        self.namespace.nft(test_delivery.RULES)
        for _ in range(2):
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7001))])
        wait_until(lambda: len(read_json_lines(host.path("out"))) == 2, 10, "both events")
        self.assertNotIn("out of memory", host.stderr)
        host.stop()
        self.assertEqual(host.logged_counters()["sinks"]["good"]["delivered"], 2)


if __name__ == "__main__":
    nfbustest.main()
