'''What bans cost: transactions, time and memory, for many of them.'''

import json
import pathlib
import subprocess
import threading
import time

import nfbustest
from nfbustest import wait_until
from nft_bans import OWN, BanTest
from wire_client import publish_once


class Cost(BanTest):
    def test_ten_thousand_addresses_are_banned_in_ten_seconds_and_few_transactions(self):
        self.start_bans()
        monitor = self.namespace.popen("nft", "monitor", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        generations = []
        reader = threading.Thread(target=lambda: generations.extend(
            line for line in monitor.stdout if line.startswith("# new generation")))
        reader.start()
        # It listens once it has said that something changes.
        with nfbustest.Repeatedly(lambda: self.namespace.nft("add table ip marker\ndelete table ip marker")):
            wait_until(lambda: generations, 10, "the monitor's start")
        generations.clear()
        begin = time.monotonic()
        self.ban_all(10_000)
        took_s = time.monotonic() - begin
        self.assertLess(took_s, 10)
        self.assertEqual(len(self.elements()), 10_000)
        monitor.terminate()
        reader.join()
        monitor.stdout.close()
        self.assertLessEqual(len(generations), 200)

    def test_ten_thousand_changes_keep_no_memory(self):
        self.start_bans(OWN + "max = 1000\n")
        for _ in range(2):
            self.ban_all(1000)
        part = [pid for pid in nfbustest.children(self.host.process.pid)
                if "nftrules" in pathlib.Path(f"/proc/{pid}/comm").read_text()]
        self.assertEqual(len(part), 1)
        pids = [self.host.process.pid, *part]
        before = [resident_kib(pid) for pid in pids]
        for _ in range(10):
            self.ban_all(1000)
        after = [resident_kib(pid) for pid in pids]
        for grown in (now - then for now, then in zip(after, before)):
            self.assertLess(grown, 2048)
        self.assertLess(after[1], 32 << 10)

    def ban_all(self, count):
        """Bans so many addresses, anew where they are banned; returns once they are."""
        before = self.host.counters()["sinks"]["rules"]["delivered"]
        publish_once(self.bus, "".join(
            json.dumps({"topic": "ban:", "value": json.dumps({"address": f"198.18.{number >> 8}.{number & 255}"})}) + "\n"
            for number in range(count)))
        wait_until(lambda: self.host.counters()["sinks"]["rules"]["delivered"] == before + count, 60, "all of them")


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


if __name__ == "__main__":
    nfbustest.main()
