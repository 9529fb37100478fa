'''Disk queues: what a sink cannot take yet is on disk, comes in order, and survives stops, kills and full disks. The sink
is jsonl at a FIFO: without a reader it takes nothing.'''

import json
import os
import pathlib
import pwd
import shutil
import stat
import struct
import tempfile
import threading

import nfbustest
from nfbustest import TEST_PLUGINS, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

RULES = ('table inet t { chain c { type filter hook output priority 0;\n'
         'udp dport 7000 log prefix "a " group 1\n}\n}')
# Events that the worker of a sink may have in its hands, beside those of its queue.
IN_HAND = 1024


def has_sum(row):
    return (row["published"] + row["recovered"]
            == sum(row[name] for name in ("delivered", "filtered", "overflowed", "rejected", "corrupted", "queued",
                                          "spilled")))


class Reader:
    """Reads a FIFO until it is closed; the source ports of its packets, which number them."""

    def __init__(self, path):
        self.ports = []
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._fd, True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        rest = b""
        while True:
            chunk = os.read(self._fd, 65536)
            if not chunk and self.ports:
                break  # the writer has ended
            *lines, rest = (rest + chunk).split(b"\n")
            self.ports += [json.loads(line)["src_port"] for line in lines]

    def close(self):
        self._thread.join(20)
        os.close(self._fd)


class Spill(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nfbustest-{os.getpid()}-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.fifo = self.folder / "fifo"
        os.mkfifo(self.fifo)
        self.fifo.chmod(0o666)
        self.namespace.nft(RULES)
        self.sent = 0

    def config(self, spill="", sink="", plugin=None):
        return (f'[host]\nplugin_dirs = ["{TEST_PLUGINS}"]\nuser = "root"\n[bus]\nsocket = "@DIR@/bus.sock"\n'
                f'[[capture]]\ngroup = 1\nlatency_ms = 0\n'
                f'[sink.out]\n{plugin or f"""plugin = "jsonl"{chr(10)}file = "{self.fifo}" """}\n'
                f'queue = 50\noverflow = "spill"\n{sink}\n'
                f'[sink.out.spill]\ndir = "{self.folder}/spill/out"\nmin_free = 0\n{spill}\n')

    def send(self, count):
        """Packets whose source ports go on counting."""
        first = self.sent
        self.sent += count
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1 + n, 7000)) for n in range(first, self.sent)])

    def row(self, host):
        done = run_nfbus("status", "--json", "-s", host.path("bus.sock"))
        self.assertEqual(done.returncode, 0, done.stderr)
        row = next(row for row in json.loads(done.stdout)["sinks"] if row["name"] == "out")
        self.assertTrue(has_sum(row), row)
        return row

    def wait_row(self, host, predicate, what):
        return wait_until(lambda: (row := self.row(host)) and predicate(row) and row, 20, what)

    def all_ports(self):
        return list(range(1, self.sent + 1))

    def test_what_has_no_room_waits_on_disk_and_comes_in_order(self):
        host = self.start(self.config())
        self.send(4000)
        row = self.wait_row(host, lambda row: row["published"] == 4000 and row["queued"] <= 50 + IN_HAND,
                            "the packets on disk")
        self.assertGreaterEqual(row["spilled"], 4000 - 50 - IN_HAND)
        self.assertEqual(row["overflowed"], 0)
        self.assertGreater(row["spilled_bytes"], 2900 * 50)
        self.assertGreaterEqual(row["spill_age_s"], 0)
        self.assertRegex(run_nfbus("status", "-s", host.path("bus.sock")).stdout, r"spilled_bytes +spill_age_s")
        reader = Reader(self.fifo)
        self.wait_row(host, lambda row: row["delivered"] == 4000, "all of them to be delivered")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        self.assertEqual(reader.ports, self.all_ports())
        self.assertEqual(list((self.folder / "spill/out").glob("*.nfspill")), [])

    def test_what_is_left_at_a_stop_comes_after_the_restart_and_only_once(self):
        for _ in range(2):  # the second time with what the first one has left
            host = self.start(self.config())
            before = self.sent
            self.send(300)
            row = self.wait_row(host, lambda row: row["published"] == 300, "the packets")
            self.assertEqual(row["recovered"], before)
            self.assertEqual(host.stop(), 0, host.stderr)
            self.assertRegex(host.stderr, rf"sink\.out: {self.sent} events stay on disk")
            self.assertEqual(host.logged_counters()["sinks"]["out"]["spilled"], self.sent)
        host = self.start(self.config())
        self.assertRegex(host.stderr, r"sink\.out: 600 events of before are on disk")
        reader = Reader(self.fifo)
        self.send(10)
        self.wait_row(host, lambda row: row["delivered"] == 610, "all of them")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        self.assertEqual(reader.ports, self.all_ports())
        host = self.start(self.config())
        self.assertEqual(self.row(host)["recovered"], 0)
        self.assertEqual(host.stop(), 0)

    def test_a_killed_host_has_lost_nothing_that_was_on_disk(self):
        host = self.start(self.config('mode = "always"'))
        self.send(500)
        self.wait_row(host, lambda row: row["spilled"] + row["queued"] == 500 and row["spilled_bytes"] > 500 * 50,
                      "the packets on disk")
        host.process.kill()
        host.wait()
        host = self.start(self.config('mode = "always"'))
        self.assertEqual(self.row(host)["recovered"], 500)
        reader = Reader(self.fifo)
        self.wait_row(host, lambda row: row["delivered"] == 500, "all of them")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        self.assertEqual(reader.ports, self.all_ports())

    def test_what_was_delivered_before_a_kill_does_not_come_again(self):
        host = self.start(self.config('mode = "always"'))
        reader = Reader(self.fifo)
        self.send(200)
        self.wait_row(host, lambda row: row["delivered"] == 200, "the packets")
        host.process.kill()
        host.wait()
        reader.close()
        host = self.start(self.config('mode = "always"'))
        self.assertEqual(self.row(host)["recovered"], 0)

    def test_the_oldest_go_at_max_bytes_and_are_counted(self):
        host = self.start(self.config("max_bytes = 65536\nsegment_bytes = 16384"))
        self.send(4000)
        row = self.wait_row(host, lambda row: row["published"] == 4000 and row["queued"] <= 50 + IN_HAND, "the packets")
        self.assertGreater(row["overflowed"], 1000)
        self.assertLessEqual(row["spilled_bytes"], 65536)
        reader = Reader(self.fifo)
        row = self.wait_row(host, lambda row: row["queued"] + row["spilled"] == 0, "the rest")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        # What the sink held when the disk ran full is the oldest.
        newest = [port for port in reader.ports if port > 50 + IN_HAND]
        self.assertEqual(newest, self.all_ports()[-len(newest):])
        self.assertEqual(len(reader.ports), row["delivered"])

    def test_a_full_disk_is_said_once_and_used_again_when_there_is_room(self):
        disk = self.folder / "disk"
        disk.mkdir()
        config = self.config().replace(f"{self.folder}/spill/out", f"{disk}/spill")
        program = self.folder / "nfbus"
        program.write_text(f'''#!/bin/sh
exec unshare -m sh -c 'mount -t tmpfs -o size=256k small {disk} && head -c 240k /dev/zero >{disk}/filler && exec "$@"' sh {nfbustest.NFBUS_BIN} "$@"
''')
        program.chmod(0o755)
        host = self.start(config, program=program)
        self.send(1000)
        host.wait_for(r"error: sink\.out: spill: .*(No space|full|free)")
        row = self.wait_row(host, lambda row: row["published"] == 1000 and row["overflowed"] > 0, "the overflow")
        used = sum(float(n) for n in pathlib.Path(f"/proc/{host.process.pid}/stat").read_text().split()[13:15])
        wait_until(lambda: self.row(host)["retries"] > row["retries"] + 1, 20, "the sink's next tries")
        now = sum(float(n) for n in pathlib.Path(f"/proc/{host.process.pid}/stat").read_text().split()[13:15])
        self.assertLess(now - used, 100)  # ticks of 10 ms: it does not spin
        pathlib.Path(f"/proc/{host.process.pid}/root{disk}/filler").unlink()
        lost = self.row(host)["overflowed"]

        def spills():
            self.send(60)
            return self.row(host)["spilled"] > 0

        wait_until(spills, 20, "the disk to be used again")
        host.wait_for(r"info: sink\.out: spill: it can be written to again")
        self.assertEqual(host.stderr.count("error: sink.out: spill:"), 1, host.stderr)
        self.assertGreaterEqual(self.row(host)["overflowed"], lost)

    def test_root_makes_the_default_folder_for_the_user_it_becomes(self):
        text = self.config().replace('user = "root"', 'user = "nobody"')
        text = text.replace(f'dir = "{self.folder}/spill/out"\n', "").replace("@DIR@/bus.sock", f"{self.folder}/bus.sock")
        self.folder.chmod(0o777)
        program = self.folder / "nfbus"
        program.write_text("#!/bin/sh\nexec unshare -m sh -c "
                           f"""'mount -t tmpfs -o mode=755 x /var/lib && exec "$@"' sh {nfbustest.NFBUS_BIN} "$@"\n""")
        program.chmod(0o755)
        host = self.start(text, program=program)
        nobody = pwd.getpwnam("nobody").pw_uid
        root = pathlib.Path(f"/proc/{host.process.pid}/root")
        found = {name: (root / name).stat() for name in ("var/lib/nfbus", "var/lib/nfbus/spill/out",
                                                         "var/lib/nfbus/spill/out/state")}
        self.assertEqual({of.st_uid for of in found.values()}, {nobody})
        self.assertEqual(stat.S_IMODE(found["var/lib/nfbus/spill/out"].st_mode), 0o700)
        self.send(200)
        wait_until(lambda: host.counters()["sinks"]["out"]["published"] == 200, 10, "the packets")
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(host.logged_counters()["sinks"]["out"]["spilled"], 200)

    def test_a_folder_of_another_sink_is_refused_by_name_and_kept(self):
        host = self.start(self.config())
        self.send(200)
        self.wait_row(host, lambda row: row["published"] == 200, "the packets")
        host.stop()
        before = sorted((path.name, path.read_bytes()) for path in (self.folder / "spill/out").iterdir())
        other = self.start(self.config().replace("sink.out", "sink.other"), wait=False)
        self.assertEqual(other.wait(), 1)
        self.assertRegex(run_nfbus("check", "-c", other.config_file).stdout,
                         r"nfbus\.toml:\d+:\d+: warning: sink\.other: its spill .*/spill/out belongs to sink\.out: name")
        self.assertRegex(other.stderr, r"nfbus\.toml:\d+:\d+: sink\.other: .*spill/out.*\bout\b")
        after = sorted((path.name, path.read_bytes()) for path in (self.folder / "spill/out").iterdir())
        self.assertEqual(before, after)

    def test_two_hosts_do_not_share_a_folder(self):
        self.start(self.config())
        second = self.start(self.config().replace("group = 1", 'group = 2\naction = "blocked"'), wait=False)
        self.assertEqual(second.wait(), 1)
        self.assertRegex(second.stderr, r"sink\.out: .*spill/out.*(another|uses|held)")

    def test_check_names_two_sinks_of_one_folder_and_a_table_without_use(self):
        text = self.config() + self.config().split("[sink.out]")[1].join(("[sink.two]", "")).replace(
            "sink.out", "sink.two").replace(str(self.fifo), f"{self.folder}/two")
        file = self.folder / "nfbus.toml"
        file.write_text(text.replace("@DIR@", str(self.folder)))
        done = run_nfbus("check", "-c", file)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertRegex(done.stdout, r"sink\.two\.spill\.dir: sink\.out spills to .*/spill/out, too")
        file.write_text(self.config().replace("@DIR@", str(self.folder)).replace('overflow = "spill"', ""))
        done = run_nfbus("check", "-c", file)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r'warning: sink\.out\.spill: is of no use without overflow = "spill"')

    def test_what_a_sink_that_hangs_holds_is_on_disk_after_the_stop(self):
        until = self.folder / "until"
        plugin = f'plugin = "waits"\nin = "write"\nuntil = "{until}"'
        host = self.start(self.config(plugin=plugin))
        self.send(100)
        wait_until(pathlib.Path(f"{until}.began").exists, 10, "the call of write()")
        self.wait_row(host, lambda row: row["published"] == 100, "the packets")
        self.assertEqual(host.stop(30), 1)
        self.assertRegex(host.stderr, r"sink\.out: its plugin is in write\(\) for \d+ s")
        self.assertNotIn("events are lost", host.stderr)
        host = self.start(self.config())
        self.assertEqual(self.row(host)["recovered"], 100)
        reader = Reader(self.fifo)
        self.wait_row(host, lambda row: row["delivered"] == 100, "all of them")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        self.assertEqual(reader.ports, self.all_ports())

    def test_a_sink_that_a_reload_makes_anew_goes_on_with_what_is_on_disk(self):
        host = self.start(self.config())
        self.send(3000)
        self.wait_row(host, lambda row: row["spilled"] > 0 and row["published"] == 3000, "the spill")
        host.config_file.write_text(host.config_file.read_text().replace("queue = 50", "queue = 40"))
        self.assertEqual(run_nfbus("reload", "-s", host.path("bus.sock")).returncode, 0)
        self.send(50)
        row = self.wait_row(host, lambda row: row["published"] >= 50, "the packets behind the reload")
        self.assertGreaterEqual(row["recovered"], 3000)
        reader = Reader(self.fifo)
        self.wait_row(host, lambda row: row["queued"] + row["spilled"] == 0, "the rest")
        self.assertEqual(host.stop(), 0, host.stderr)
        reader.close()
        self.assertEqual(reader.ports, self.all_ports())

    def test_what_waits_for_a_sink_that_is_gone_is_kept_and_told_of(self):
        host = self.start(self.config())
        self.send(200)
        self.wait_row(host, lambda row: row["published"] == 200, "the packets")
        text = host.config_file.read_text()
        host.config_file.write_text(text.replace("sink.out", "sink.new").replace("spill/out", "spill/new"))
        self.assertEqual(run_nfbus("reload", "-s", host.path("bus.sock")).returncode, 0)
        told = rf"warning: {self.folder}/spill/out: 200 events \(\d+ bytes, the oldest \d+ s old\) wait for sink\.out, which"
        host.wait_for(told)
        self.assertEqual(host.stop(), 0, host.stderr)
        checked = run_nfbus("check", "-c", host.config_file)
        self.assertRegex(checked.stdout, told)
        self.assertEqual(checked.returncode, 0)
        text = text.replace(str(host.directory), "@DIR@")
        host = self.start(text.replace(str(self.fifo), f"{self.folder}/regular"))
        self.assertEqual(self.wait_row(host, lambda row: row["delivered"] == 200, "them")["recovered"], 200)

    def test_a_replay_leaves_the_disk_queue_alone(self):
        host = self.start(self.config())
        self.send(200)
        self.wait_row(host, lambda row: row["published"] == 200, "the packets")
        file = self.folder / "in.pcap"
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))
        file.write_bytes(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101) +
                         500 * (struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet))
        config = host.config_file.read_text().replace(str(self.fifo), f"{self.folder}/replayed")
        config = config.replace(f'[bus]\nsocket = "{host.path("bus.sock")}"', "")
        other = self.start(config, arguments=("--replay", file), wait=False)
        self.assertEqual(other.wait(), 0, other.stderr)
        self.assertEqual(len(nfbustest.read_json_lines(self.folder / "replayed")), 500)
        self.assertEqual(self.row(host)["published"], 200)

    def test_rejected_events_are_in_the_dead_letters_with_the_reason(self):
        letters = self.folder / "rejected"
        host = self.start(self.config(plugin='plugin = "rejects"', sink=f'dead_letters = "{letters}"'))
        self.send(10)
        row = self.wait_row(host, lambda row: row["delivered"] + row["rejected"] == 10, "the packets")
        self.assertEqual((row["rejected"], row["dead_letters"]), (5, 5))
        self.assertEqual(host.stop(), 0, host.stderr)
        lines = nfbustest.read_json_lines(letters)
        self.assertEqual([line["Event"]["UDP"]["SrcPort"] for line in lines], [2, 4, 6, 8, 10])
        self.assertEqual({(line["Sink"], line["Reason"], line["Topic"]) for line in lines},
                         {("out", "this sink takes only every second event", "nft:a")})
        self.assertEqual(stat.S_IMODE(letters.stat().st_mode), 0o640)

    def test_dead_letters_stay_within_their_bytes(self):
        letters = self.folder / "rejected"
        host = self.start(self.config(plugin='plugin = "rejects"',
                                      sink=f'dead_letters = "{letters}"\ndead_letters_bytes = 8192'))
        for _ in range(10):
            self.send(20)
            self.wait_row(host, lambda row: row["delivered"] + row["rejected"] == self.sent, "the packets")
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertLessEqual(sum(path.stat().st_size for path in self.folder.glob("rejected*")), 8192)
        self.assertEqual(nfbustest.read_json_lines(letters)[-1]["Event"]["UDP"]["SrcPort"], 200)
        self.assertGreater(len(nfbustest.read_json_lines(f"{letters}.1")), 0)


if __name__ == "__main__":
    nfbustest.main()
