'''nfbus spill: what is in a folder of a sink's disk queue. The folder is written here, as the README of delivery/spill says.'''

import ctypes
import fcntl
import json
import pathlib
import struct
import tempfile
import time
import unittest

from nfbustest import main, run_nfbus

XXH3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
XXH3.restype = ctypes.c_uint64
XXH3.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)

SEED = 0x1234567890ABCDEF
FIRST = 1 << 32
HEAD_BYTES = 512
RECORD_HEAD_BYTES = 28


def check(data, seed=0):
    return XXH3(data, len(data), seed)


def message(topic, text):
    '''An event as host/record/README.md says.'''
    topic, text = topic.encode(), text.encode()
    head = struct.pack("<BBBBIQIIHBB5I", 1, 2, 0, 0, 0, 10 ** 18, 0, 0, 0, 0, 0, len(topic), 0, 0, 0, len(text))
    return head + topic + text


def record(number, body):
    head = struct.pack("<IB3sQ", len(body), 1, b"nfr", number)
    seed = check(head, SEED)
    return struct.pack("<Q", check(body, seed)) + head + struct.pack("<I", seed & 0xFFFFFFFF) + body


def segment(bodies, owner=b"database", first=FIRST, complete=True):
    copy = b"nfbspill" + struct.pack("<IIQQqQB199s", 1, HEAD_BYTES, 1, first, time.time_ns() - 90 * 10 ** 9, SEED,
                                     len(owner), owner)
    copy += struct.pack("<Q", check(copy))
    data = copy * 2
    for i, body in enumerate(bodies):
        data += record(first + i, body)
    if complete:
        footer = b"nfbsseal" + struct.pack("<QQQQqQ", 1, first, first + len(bodies), len(data), time.time_ns(), 0)
        data += footer + struct.pack("<Q", check(footer, SEED))
    return data


def state(frontier, owner=b"database"):
    slots = b""
    for generation in (2, 1):
        slot = b"nfbstate" + struct.pack("<II9QB199s", 1, 0, generation, 1, 2, FIRST, frontier, FIRST + 3, 0, 0, 0,
                                         len(owner), owner)
        slot = slot.ljust(4088, b"\0")
        slots += slot + struct.pack("<Q", check(slot))
    return slots


class SpillCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.segment = self.folder / f"segment-{1:016x}.nfspill"

    def write(self, frontier=FIRST, complete=True):
        self.segment.write_bytes(segment([message(f"test:{i}", json.dumps({"n": i})) for i in range(3)],
                                         complete=complete))
        (self.folder / "state").write_bytes(state(frontier))

    def content(self):
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.folder.iterdir()}

    def spill(self, what, *words):
        return run_nfbus("spill", what, str(self.folder), *words)

    def test_status_says_whose_it_is_and_how_much_waits(self):
        self.write(frontier=FIRST + 1)
        (self.folder / "unreadable-0000000000000007.nfspill").write_bytes(b"x")
        done = self.spill("status", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        seen = json.loads(done.stdout)
        self.assertIn(seen.pop("oldest_seconds"), range(90, 120))
        self.assertEqual(seen, {"owner": "database", "records": 2, "bytes": self.segment.stat().st_size,
                                "segments": 1, "set_aside": 1})
        table = self.spill("status")
        self.assertEqual(table.returncode, 0)
        self.assertRegex(table.stdout, r"records +2\n")

    def test_export_shows_what_waits(self):
        self.write(frontier=FIRST + 1)
        done = self.spill("export")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(line["Topic"], line["Message"]) for line in lines], [("test:1", {"n": 1}), ("test:2", {"n": 2})])

    def test_it_needs_no_lock_and_never_writes(self):
        for complete in (True, False):
            self.write(complete=complete)
            with open(self.folder / "lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                before = self.content()
                for what in ("status", "check", "export"):
                    self.assertEqual(self.spill(what).returncode, 0, what)
                self.assertEqual(self.content(), before)

    def test_check_names_the_place_of_damage_and_export_shows_the_rest(self):
        self.write()
        self.assertEqual(self.spill("check").returncode, 0)
        data = bytearray(self.segment.read_bytes())
        offset = HEAD_BYTES + len(record(FIRST, message("test:0", '{"n": 0}')))
        data[offset + RECORD_HEAD_BYTES + 50] ^= 4
        self.segment.write_bytes(data)
        done = self.spill("check")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, f"{self.segment}:{offset}: the record's body is damaged\n")
        done = self.spill("export")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([json.loads(line)["Topic"] for line in done.stdout.splitlines()], ["test:0", "test:2"])
        self.assertIn(f":{offset}: ", done.stderr)

    def test_a_killed_hosts_last_record_is_no_damage(self):
        self.write(complete=False)
        self.segment.write_bytes(self.segment.read_bytes()[:-1])
        self.assertEqual(self.spill("check").returncode, 0)
        self.assertEqual(len(self.spill("export").stdout.splitlines()), 2)

    def test_what_is_no_spill_is_refused(self):
        for what in ("status", "check", "export"):
            done = self.spill(what)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("holds no spill", done.stderr)
            done = run_nfbus("spill", what, str(self.folder / "nowhere"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("No such file", done.stderr)
        for words in ((), ("status",), ("nonsense", "/"), ("check", "/", "--json")):
            done = run_nfbus("spill", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)


if __name__ == "__main__":
    main()
