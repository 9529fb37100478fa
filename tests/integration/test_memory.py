'''What the host's memory is at most. On its own, since it cannot be measured under sanitizers.'''

import pathlib
import signal

import nfbustest
import test_delivery


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


if __name__ == "__main__":
    nfbustest.main()
