'''Who may do what once the host is ready: the host itself nothing, its helper one thing.'''

import json
import os
import pathlib
import pwd
import signal
import struct
import subprocess
import tempfile

import nfbustest
from nfbustest import children, read_json_lines, wait_until
from packets import UDP, ipv4, send, udp

CONFIG = """
[[capture]]
group = 0
[sink.out]
plugin = "jsonl"
file = "@DIR@/out"
format = "ulogd"
"""

BUS = """
[bus]
socket = "@DIR@/bus.sock"
"""

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "lan:out " group 0;
}
}"""

NOTHING = "0" * 16
NET_ADMIN = f"{1 << 12:016x}"


def status(pid, thread=None):
    path = pathlib.Path(f"/proc/{pid}") / (f"task/{thread}" if thread else "") / "status"
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)


class Privileges(nfbustest.IntegrationTest):
    def assert_captures(self, host):
        self.namespace.nft(RULES)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: read_json_lines(host.path("out")), 5, "a record")

    def assert_powerless(self, host, uid):
        threads = os.listdir(f"/proc/{host.process.pid}/task")
        self.assertGreater(len(threads), 1)
        for thread in threads:
            row = status(host.process.pid, thread)
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(row[name], NOTHING, f"{name} of {row['Name']}")
            self.assertEqual(row["NoNewPrivs"], "1")
            self.assertEqual(row["Uid"].split(), [str(uid)] * 4)

    def test_without_an_account_the_host_stays_uid_0_without_capabilities_and_says_so(self):
        # `user` left out means nfbus where that account exists; the test must not depend on this machine's accounts.
        try:
            expected = pwd.getpwnam("nfbus").pw_uid
        except KeyError:
            expected = 0
        host = self.start(CONFIG)
        self.assert_powerless(host, expected)
        self.assertEqual("running as uid 0 without capabilities" in host.stderr, expected == 0)
        self.assert_captures(host)

    def test_the_host_becomes_the_user_that_the_configuration_names(self):
        host = self.start('[host]\nuser = "nobody"\n' + CONFIG)
        nobody = pwd.getpwnam("nobody")
        self.assert_powerless(host, nobody.pw_uid)
        row = status(host.process.pid)
        self.assertEqual(row["Gid"].split(), [str(nobody.pw_gid)] * 4)
        self.assertEqual(set(row["Groups"].split()) - {str(nobody.pw_gid)}, set())
        self.assert_captures(host)
        made = host.path("out").stat()
        self.assertEqual((made.st_uid, made.st_gid), (nobody.pw_uid, nobody.pw_gid))
        self.assertEqual(host.stop(), 0)

    def test_a_user_who_does_not_exist_stops_the_start(self):
        host = self.start('[host]\nuser = "nfbus-no-such-user"\n' + CONFIG, wait=False)
        self.assertNotEqual(host.wait(), 0)
        self.assertRegex(host.stderr, "there is no user nfbus-no-such-user")

    def test_the_helper_keeps_net_admin_alone_and_ends_with_the_host(self):
        host = self.start(CONFIG)
        (helper,) = children(host.process.pid)
        row = status(helper)
        self.assertEqual(row["Name"], "nfbus-helper")
        self.assertEqual((row["CapPrm"], row["CapEff"], row["CapInh"]), (NET_ADMIN, NET_ADMIN, NOTHING))
        host.process.kill()
        host.wait()
        wait_until(lambda: not pathlib.Path(f"/proc/{helper}").exists(), 5, "the helper's end")
        bound = self.namespace.run("cat", "/proc/net/netfilter/nfnetlink_log").stdout
        self.assertEqual(bound, "", "the group is still bound")

    def test_the_helper_becomes_the_user_too_and_changes_nothing_but_its_own_groups(self):
        host = self.start('[host]\nuser = "nobody"\n' + CONFIG)
        nobody = pwd.getpwnam("nobody")
        (helper,) = children(host.process.pid)
        row = status(helper)
        self.assertEqual((row["Uid"].split(), row["Gid"].split()), ([str(nobody.pw_uid)] * 4, [str(nobody.pw_gid)] * 4))
        self.assertEqual((row["CapPrm"], row["CapEff"], row["CapInh"]), (NET_ADMIN, NET_ADMIN, NOTHING))
        self.assertEqual((row["NoNewPrivs"], row["Seccomp"], row["Groups"].strip()), ("1", "2", ""))
        self.assertEqual(host.stop(), 0)

    def helper_state(self, host):
        return json.loads(nfbustest.run_nfbus("status", "--json", "-s", host.path("bus.sock")).stdout)["helper"]

    def test_a_helper_that_ends_is_noticed_and_capture_and_stop_go_on(self):
        host = self.start(CONFIG + BUS)
        self.assertEqual(self.helper_state(host), "running")
        (helper,) = children(host.process.pid)
        os.kill(helper, signal.SIGKILL)
        host.wait_for(r"error: the privileged helper has ended \(signal 9\): .*restart nfbus")
        self.assertEqual(self.helper_state(host), "gone")
        shown = nfbustest.run_nfbus("status", "-s", host.path("bus.sock")).stdout
        self.assertIn("the privileged helper is gone", shown)
        self.assert_captures(host)
        self.assertIsNotNone(host.stop(10))
        self.assertEqual(host.stderr.count("the privileged helper has ended"), 1)

    def test_a_helper_that_is_stuck_is_noticed_and_capture_and_stop_go_on(self):
        host = self.start(CONFIG + BUS)
        (helper,) = children(host.process.pid)
        os.kill(helper, signal.SIGSTOP)
        self.addCleanup(lambda: pathlib.Path(f"/proc/{helper}").exists() and os.kill(helper, signal.SIGKILL))
        host.wait_for(r"error: the privileged helper has not answered for \d+ s: .*restart nfbus", 20)
        self.assertEqual(self.helper_state(host), "stuck")
        os.kill(helper, signal.SIGCONT)
        host.wait_for("info: the privileged helper answers again")
        self.assertEqual(self.helper_state(host), "running")
        os.kill(helper, signal.SIGSTOP)
        self.assert_captures(host)
        self.assertIsNotNone(host.stop(10))
        self.assertFalse(pathlib.Path(f"/proc/{helper}").exists(), "the helper outlives the host")

    def test_ctrl_c_to_all_of_the_terminals_processes_still_drains(self):
        self.namespace.nft(RULES)
        host = self.start(CONFIG.replace("group = 0", "group = 0\nlatency_ms = 500"))
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))] * 10)
        (helper,) = children(host.process.pid)
        subprocess.run(["kill", "-INT", str(helper), str(host.process.pid)], check=True)
        self.assertEqual(host.wait(), 0)
        self.assertEqual(len(read_json_lines(host.path("out"))), 10)

    def test_replay_needs_no_helper(self):
        capture = tempfile.NamedTemporaryFile(suffix=".pcap")
        self.addCleanup(capture.close)
        packet = ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))
        capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) +
                      struct.pack("<IIII", 1, 2, len(packet), len(packet)) + packet)
        capture.flush()
        host = self.start(CONFIG, arguments=["--replay", capture.name], wait=False)
        self.assertEqual(host.wait(), 0)
        (record,) = read_json_lines(host.path("out"))
        self.assertEqual((record["oob.time.sec"], record["oob.time.usec"], record["dest_port"]), (1, 2, 7000))


if __name__ == "__main__":
    nfbustest.main()
