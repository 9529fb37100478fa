'''Bans of the sink nftrules: what is really dropped, for how long, who never is, and what it costs.'''

import json
import signal
import time

import nfbustest
import nftest
from nfbustest import wait_until
from nft_bans import OWN, BanTest

TABLE = """table inet filter {
    chain input { type filter hook input priority 0; }
}"""


class ElementsOfOthers(BanTest):
    OURS = OWN.replace('name = "bad"', 'name = "bad"\ntable = "inet filter"')

    def start_with(self, elements):
        self.namespace.nft("table inet filter {\n set bad_v4 { type ipv4_addr; flags timeout; elements = { " + elements +
                           " } }\n}")
        self.start_bans(self.OURS)

    def test_that_stay_for_good_stay(self):
        self.start_with("192.0.2.1")
        self.command("ban", "192.0.2.1", "--ttl", "1s")
        self.client.publish("ban:", json.dumps({"address": "192.0.2.1", "ttl_s": 1}))
        self.assertEqual(self.ban("192.0.2.2", ttl_s=1)["change"], "added")
        wait_until(lambda: "192.0.2.2" not in self.elements(table="inet filter"), 10, "the end of that ban")
        self.assertEqual(self.elements(table="inet filter"), {"192.0.2.1": None})

    def test_that_last_longer_are_not_shortened(self):
        self.start_with("192.0.2.1 timeout 5m")
        self.assertEqual(self.ban("192.0.2.1", ttl_s=20)["change"], "renewed")
        self.assertGreater(self.elements(table="inet filter")["192.0.2.1"], 200)

    def test_a_wider_network_is_not_taken_for_one_of_them(self):
        self.start_with("192.0.2.1 timeout 5m")
        self.assertIn("has networks of 32 bits", self.command("unban", "192.0.2.0/24", status=1))
        self.assertEqual(list(self.elements(table="inet filter")), ["192.0.2.1"])

    def test_of_another_type_are_no_addresses(self):
        self.namespace.nft("table inet filter {\n set bad_v4 { type mark; flags timeout; }\n}")
        self.start_bans(self.OURS)
        self.assertIn("not as bans need it", self.command("ban", "192.0.2.1", status=1))


class Matches(BanTest):
    def test_of_one_family_count_that_one(self):
        self.start_bans(OWN + 'rate = "20/minute"\nwhen = "icmp type echo-request"\n')
        counted = self.namespace.run("nft", "list", "chain", "inet", "nfbus_bans", "counted").stdout
        self.assertIn("icmp type echo-request update @bad.rate_v4", counted)
        self.assertNotIn("bad.rate_v6", counted)

    def test_that_are_none_cost_their_own_set_its_rate_alone(self):
        self.start_bans(OWN + 'rate = "20/minute"\nwhen = "no such words"\n[[sink.rules.ban]]\nname = "more"\nttl = "1m"\n')
        self.host.wait_for("ban/0: no packets ban: nft: ")
        self.assertEqual(self.ban("192.0.2.1")["change"], "added")
        self.assertEqual(self.ban("192.0.2.1", "more")["change"], "added")


class Traffic(BanTest):
    def test_who_is_banned_is_dropped_until_it_is_unbanned_and_others_pass(self):
        self.connect_peer()
        self.start_bans()
        self.judge("10.9.0.2", "10.9.0.3")
        self.assertEqual(self.passed("10.9.0.2"), 1)
        self.assertEqual(self.ban("10.9.0.2", reason="too loud"),
                         {"address": "10.9.0.2", "ttl_s": 600, "reason": "too loud", "change": "added"})
        self.assertEqual(self.passed("10.9.0.2"), 0)
        self.assertEqual(self.passed("10.9.0.3"), 1, "its neighbour is somebody else")
        self.assertIn("10.9.0.2 unbanned from bad", self.command("unban", "10.9.0.2"))
        self.assertEqual(self.passed("10.9.0.2"), 1)

    def test_an_ipv6_address_is_banned_with_its_network(self):
        self.connect_peer()
        self.start_bans()
        self.judge("fd00:9:1::2", "fd00:9:1::3", "fd00:9:2::2")
        self.assertIn("fd00:9:1::1, and in the banned network", self.ban("fd00:9:1::2")["reason"])
        self.namespace.run("ip", "address", "del", "fd00:9:1::1/64", "dev", "here")
        self.namespace.run("ip", "route", "add", "fd00:9:1::/64", "dev", "here")
        time.sleep(1.1)  # for so long an earlier look at our own addresses holds
        self.assertEqual(self.ban("fd00:9:1::2")["address"], "fd00:9:1::/64")
        self.assertEqual(self.ban("fd00:9:1::7")["change"], "renewed")
        self.assertEqual([self.passed(source) for source in ("fd00:9:1::2", "fd00:9:1::3", "fd00:9:2::2")], [0, 0, 1])

    def test_more_than_the_rate_bans_without_the_host(self):
        self.connect_peer()
        self.start_bans(OWN.replace('allow = ["10.9.1.0/24"]', 'allow = ["10.9.1.0/24", "10.9.0.4"]') + """
rate = "20/minute"
when = "udp dport { 22, 23 } ct state new"
""")
        self.judge("10.9.0.2", "10.9.0.3", "10.9.0.4", "fd00:9:2::2")
        self.assertEqual(self.passed("10.9.0.2", 20), 20)
        self.assertEqual(self.elements(), {})
        self.host.process.send_signal(signal.SIGSTOP)  # nothing that follows is done by it
        self.assertLessEqual(self.passed("10.9.0.2", 30, port=23), 2, "the one too many bans")
        self.assertEqual(list(self.elements()), ["10.9.0.2"])
        self.assertEqual(self.passed("10.9.0.3", 60, port=24), 60, "another port is not counted")
        self.assertEqual(self.passed("10.9.0.4", 60), 60, "who is allowed is not counted")
        self.assertLessEqual(self.passed("fd00:9:2::2", 60), 22)
        self.assertEqual(list(self.elements("bad_v6")), ["fd00:9:2::"])
        self.host.process.send_signal(signal.SIGCONT)
        noticed = [self.change()[1] for _ in range(2)]
        self.assertEqual([(change["address"], change["change"]) for change in noticed],
                         [("10.9.0.2", "added"), ("fd00:9:2::/64", "added")])
        self.assertEqual(noticed[0]["reason"], "more than 20/minute: udp dport { 22, 23 } ct state new")
        self.assertRegex(self.command("bans"), r"10\.9\.0\.2 +bad +(10m|9m \d+s) +packets\n")
        self.assertIn("unbanned", self.command("unban", "10.9.0.2"))
        self.assertEqual(self.passed("10.9.0.2", 15), 15, "what was counted is forgotten, too")


class Requests(BanTest):
    def test_nobody_who_is_allowed_is_banned(self):
        self.connect_peer()
        self.namespace.run("ip", "route", "add", "default", "via", "10.9.0.77")
        self.namespace.run("ip", "route", "add", "default", "via", "fd00:9:0:1::77", "dev", "here", "onlink")
        self.start_bans()
        for address, why in (("127.0.0.2", "loopback"), ("::1", "loopback"), ("10.9.0.1", "own address 10.9.0.1"),
                             ("::ffff:10.9.0.1", "own address 10.9.0.1"), ("fd00:9::99", "own address fd00:9::1"),
                             ("10.9.0.77", "the gateway 10.9.0.77"), ("fd00:9:0:1::1", "the gateway fd00:9:0:1::77"),
                             ("10.9.1.200", "allow has 10.9.1.0/24"), ("0.0.0.0", "unspecified"), ("::", "unspecified"),
                             ("224.0.0.5", "multicast"), ("ff02::1", "multicast"), ("169.254.3.4", "link-local"),
                             ("fe80::1", "link-local"), ("255.255.255.255", "broadcast"),
                             ("192.0.2.0/24", "networks of 32 bits"), ("0.0.0.0/0", "networks of 32 bits"),
                             ("many", "no address"), ("192.0.2.1/33", "no network")):
            with self.subTest(address):
                change = self.ban(address)
                self.assertEqual(change["change"], "refused")
                self.assertIn(why, change["reason"])
        self.assertEqual((self.elements(), self.elements("bad_v6")), ({}, {}))
        self.assertEqual(self.host.counters()["sinks"]["rules"]["rejected"], 19)

    def test_who_becomes_our_own_is_banned_no_longer(self):
        self.connect_peer()
        self.start_bans()
        self.ban("10.9.0.200")
        self.ban("10.9.0.201")
        self.namespace.run("ip", "address", "add", "10.9.0.200/24", "dev", "here")
        self.assertEqual(self.change()[1], {"address": "10.9.0.200", "ttl_s": 0, "change": "removed",
                                            "reason": "it is this machine's own address 10.9.0.200"})
        self.assertEqual(list(self.elements()), ["10.9.0.201"])

    def test_messages_that_are_wrong_ban_nobody_and_are_counted(self):
        self.start_bans()
        for text in ("", "7", "[]", "{}", '{"address": 7}', '{"address": "192.0.2.1", "ttl_s": -5}',
                     '{"address": "192.0.2.1", "ttl_s": "1"}', '{"address": "192.0.2.1", "ttl_s": 0}',
                     '{"address": "192.0.2.1", "reason": []}', '{"address": "192.0.2.1; flush ruleset"}', "[" * 5000):
            self.client.publish("ban:", text)
        self.client.publish("ban:good", '{"address": "192.0.2.1"}')
        self.client.publish("ban:", '{"address": "192.0.2.2"}')  # behind them
        wait_until(lambda: "192.0.2.2" in self.elements(), 10, "the last one")
        self.assertEqual(list(self.elements()), ["192.0.2.2"])
        self.assertEqual(self.host.counters()["sinks"]["rules"]["rejected"], 12)

    def test_messages_ban_nobody_unless_they_are_accepted(self):
        self.start_bans(OWN.replace("accept_messages = true", ""))
        self.client.publish("ban:", '{"address": "192.0.2.2"}')
        wait_until(lambda: self.host.counters()["sinks"]["rules"]["rejected"] == 1, 10, "its end")
        self.assertEqual(self.elements(), {})
        self.host.wait_for("accept_messages = true")

    def test_a_ban_lasts_to_the_second_and_a_renewal_starts_anew(self):
        self.start_bans()
        begin = time.monotonic()
        self.ban("192.0.2.1", ttl_s=3)
        self.ban("192.0.2.2", ttl_s=3)
        self.ban("192.0.2.3", ttl_s=60)
        wait_until(lambda: time.monotonic() - begin > 1.5, 5, "half of it")
        self.assertEqual(self.ban("192.0.2.2", ttl_s=3)["change"], "renewed")
        renewed = time.monotonic()
        change = self.ban("192.0.2.3", ttl_s=5)
        self.assertEqual((change["change"], change["ttl_s"]), ("renewed", 59), "a ban shortens no other")
        ends = {}
        while "192.0.2.2" not in ends:
            there = self.elements()
            for address in ("192.0.2.1", "192.0.2.2"):
                if address not in there:
                    ends.setdefault(address, time.monotonic())
        self.assertAlmostEqual(ends["192.0.2.1"] - begin, 3, delta=0.5)
        self.assertAlmostEqual(ends["192.0.2.2"] - renewed, 3, delta=0.5)
        self.assertEqual(self.ban("192.0.2.1")["change"], "added", "it was over")

    def test_a_ban_lasts_no_longer_than_its_set_allows(self):
        self.start_bans()
        self.assertEqual(self.ban("192.0.2.1", ttl_s=10**12)["ttl_s"], 600)
        self.assertIn(self.elements()["192.0.2.1"], (599, 600))

    def test_addresses_of_one_network_are_one_ban(self):
        self.start_bans(OWN + "v4_prefix = 24\n")
        self.assertEqual(self.ban("192.0.2.1")["address"], "192.0.2.0/24")
        self.assertEqual(self.ban("192.0.2.77")["change"], "renewed")
        self.assertEqual(self.ban("192.0.2.128/25")["change"], "renewed")
        self.assertEqual(self.ban("192.0.3.1")["change"], "added", "the one beside it is another")
        self.assertEqual(sorted(self.elements()), ["192.0.2.0", "192.0.3.0"])
        self.command("unban", "192.0.2.5")
        self.assertEqual(self.change()[1]["change"], "removed")
        self.assertEqual(list(self.elements()), ["192.0.3.0"])
        self.assertIn("10.9.1.0/24", self.ban("10.9.1.200")["reason"])

    def test_a_full_set_refuses_what_does_not_fit_and_takes_the_rest(self):
        self.start_bans(OWN + "max = 100\n")
        for number in range(300):
            self.client.publish("ban:", json.dumps({"address": f"192.0.2.{number % 250}" if number < 250 else
                                                   f"2001:db8:{number}::1"}))
        words = [self.change()[1] for _ in range(300)]
        self.assertEqual(sum(change["change"] == "added" for change in words), 150)
        self.assertEqual(len(self.elements()), 100)
        self.assertEqual(len(self.elements("bad_v6")), 50)
        self.assertIn("the set bad_v4 is full: max = 100", self.ban("198.51.100.1")["reason"])
        self.assertEqual(self.ban(next(iter(self.elements())))["change"], "renewed", "who is in it stays in it")


class Commands(BanTest):
    def test_the_commands_of_a_table_of_the_users_need_no_host(self):
        self.namespace.nft(TABLE)
        self.start_bans(OWN + 'table = "inet filter"\n')
        self.host.stop()
        self.assertEqual(self.command("bans"), "nobody is banned\n")
        self.assertEqual(self.command("ban", "192.0.2.1", "--ttl", "90s", "--reason", 'said "so"'),
                         "192.0.2.1 banned in bad for 1m 30s\n")
        self.assertRegex(self.command("bans"), r"192\.0\.2\.1 +bad +1m (30|29)s +message +said  so\n")
        self.assertEqual(self.command("unban", "192.0.2.1"), "192.0.2.1 unbanned from bad\n")
        self.assertIn("192.0.2.1 is not banned", self.command("unban", "192.0.2.1", status=1))
        self.assertIn("loopback", self.command("ban", "127.0.0.1", status=1))
        self.assertIn("there is no set other: there is bad", self.command("ban", "192.0.2.1", "--set", "other", status=1))
        for wrong in (("ban",), ("ban", "192.0.2.1", "192.0.2.2"), ("ban", "192.0.2.1", "--ttl"),
                      ("ban", "192.0.2.1", "--ttl", "5"), ("bans", "--set", "bad"), ("unban", "1.2.3.4", "--ttl", "5s")):
            with self.subTest(wrong):
                self.assertIn("usage: nfbus nft bans", self.command(*wrong, status=2))

    def test_without_a_host_nobody_is_banned_in_its_table(self):
        self.start_bans()
        self.host.stop()
        self.assertIn("running host", self.command("ban", "192.0.2.1", status=1))
        self.assertNotIn("nfbus", self.namespace.run("nft", "list", "ruleset").stdout)


class Reloads(BanTest):
    def test_the_table_of_our_own_outlives_a_foreign_reload_and_ends_with_the_host(self):
        self.start_bans()
        self.ban("192.0.2.1")
        self.namespace.run("nft", "flush", "ruleset")
        self.assertEqual(list(self.elements()), ["192.0.2.1"])
        parts = nfbustest.children(self.host.process.pid)
        self.host.process.kill()
        self.host.process.wait()
        wait_until(lambda: "nfbus" not in self.namespace.run("nft", "list", "ruleset").stdout, 10, "the table's end")
        self.assertTrue(parts)

    def test_what_a_reload_took_is_banned_again_for_the_time_that_was_left(self):
        self.reload(TABLE)

    def test_what_a_reload_emptied_is_filled_again(self):
        self.reload(TABLE.replace("{", """{
            set bad_v4 {
                type ipv4_addr
                flags timeout
            }""", 1))

    def reload(self, after):
        self.namespace.nft(TABLE)
        self.start_bans(OWN.replace("accept_messages", "watch = true\naccept_messages") + 'table = "inet filter"\n')
        self.ban("192.0.2.1", ttl_s=300)
        self.ban("192.0.2.2", ttl_s=1)
        self.ban("2001:db8::1", ttl_s=400)
        wait_until(lambda: "192.0.2.2" not in self.elements(table="inet filter"), 5, "the end of the short one")
        self.namespace.nft("flush ruleset\n" + after)
        reloaded = time.monotonic()
        left = wait_until(lambda: self.namespace.run("nft", "list", "set", "inet", "filter", "bad_v6", check=False)
                          .returncode == 0 and self.elements(table="inet filter"), 10, "the ban")
        self.assertLess(time.monotonic() - reloaded, 1.5)
        self.assertEqual(list(left), ["192.0.2.1"])
        self.assertIn(left["192.0.2.1"], range(294, 300))
        self.assertIn(list(self.elements("bad_v6", "inet filter").values())[0], range(394, 400))

    def test_what_an_administrator_takes_out_stays_out_until_it_is_banned_again(self):
        self.namespace.nft(TABLE)
        self.start_bans(OWN.replace("accept_messages", "watch = true\naccept_messages") + 'table = "inet filter"\n')
        self.ban("192.0.2.1")
        self.ban("192.0.2.2")
        self.namespace.run("nft", "flush", "set", "inet", "filter", "bad_v4")
        self.ban("192.0.2.3")
        self.assertEqual(list(self.elements(table="inet filter")), ["192.0.2.3"])
        self.ban("192.0.2.1", ttl_s=60)
        self.assertEqual(sorted(self.elements(table="inet filter")), ["192.0.2.1", "192.0.2.3"])

    def test_sets_that_the_users_ruleset_declares_are_used(self):
        self.namespace.nft("""table inet filter {
            set bad_v4 { type ipv4_addr; flags timeout; elements = { 192.0.2.9 timeout 1h } }
            set bad_v6 { type ipv6_addr; flags interval; }
            chain input { type filter hook input priority 0; ip saddr @bad_v4 counter drop; }
        }""")
        self.start_bans(OWN + 'table = "inet filter"\n')
        self.host.wait_for("the set bad_v6 is there, and not as bans need it")
        self.assertEqual(self.ban("192.0.2.1")["change"], "added")
        self.assertEqual(sorted(self.elements(table="inet filter")), ["192.0.2.1", "192.0.2.9"])
        change = self.ban("2001:db8::1")
        self.assertEqual(change["change"], "refused")
        self.assertIn("flags timeout", change["reason"])

    def test_tables_of_others_are_named_and_left_alone(self):
        self.namespace.run("iptables-nft", "-A", "INPUT", "-m", "comment", "--comment", "x", "-j", "ACCEPT")
        self.start_bans(OWN + """table = "ip filter"

[[sink.rules.ban]]
name = "later"
ttl = "1h"
table = "inet later"
""")
        self.host.wait_for("the table ip filter is iptables-nft's, and is left alone")
        self.host.wait_for("there is no table inet later to make it in")
        self.assertNotIn("bad_v4", self.namespace.run("nft", "list", "sets").stdout)
        self.assertIn("no table inet later", self.ban("192.0.2.1", "later")["reason"])
        self.namespace.nft("add table inet later")
        self.assertEqual(self.ban("192.0.2.1", "later")["change"], "added")

    def test_beside_a_set_that_nft_cannot_read_only_the_rate_is_missing(self):
        nftest.add_unreadable_set(self.namespace)
        self.start_bans()
        self.assertEqual(self.ban("192.0.2.1")["change"], "added")
        self.host.stop()
        self.start_bans(OWN + 'rate = "20/minute"\nwhen = "tcp dport 22"\n')
        self.host.wait_for("nft's library died of signal 11 .*newer nft")

    def test_what_is_no_match_makes_no_rule(self):
        for when in ("tcp dport 22 accept", "tcp dport 22 log", "tcp dport 22 mark set 1", "tcp dport what",
                     "jump banned", "update @bad.rate_v4 { ip saddr }", "queue", "notrack"):
            with self.subTest(when):
                self.start_bans(OWN + f'rate = "20/minute"\nwhen = "{when}"\n')
                try:
                    self.host.wait_for("bans: ban/0: no packets ban: (nft: .*|it .*)")
                    counted = self.namespace.run("nft", "list", "chain", "inet", "nfbus_bans", "counted").stdout
                    self.assertNotIn("@bad", counted)
                    self.assertEqual(self.ban("192.0.2.1")["change"], "added")
                finally:
                    self.host.close()

    def test_the_next_host_knows_who_is_banned(self):
        self.namespace.nft(TABLE)
        config = OWN + 'table = "inet filter"\n'
        self.start_bans(config)
        self.ban("192.0.2.1", ttl_s=300)
        self.host.stop()
        self.start_bans(config)
        self.assertEqual(self.ban("192.0.2.1", ttl_s=100)["change"], "renewed")
        self.assertGreater(self.elements(table="inet filter")["192.0.2.1"], 200)


if __name__ == "__main__":
    nfbustest.main()
