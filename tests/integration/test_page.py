'''The page of the sink `websocket`, and what of others is in it; under load: test_page_load.py.'''

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import nfbustest
from browser_page import BROWSER, LAN_MAC, PAGE, ROUTER_MAC, TOKEN, Page, dns_question
from packets import SYN, TCP, UDP, ethernet, ipv4, ipv6, send, tcp, udp
from wire_client import WireClient


class Vendored(unittest.TestCase):
    def test_the_files_of_others_are_those_that_their_list_names(self):
        listed = {}
        for line in (PAGE / "vendor/VERSIONS.md").read_text().splitlines():
            if found := re.fullmatch(r"\| (\S+) \| .* \| ([0-9a-f]{64}) \|", line):
                listed[found[1]] = found[2]
        there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in (PAGE / "vendor").iterdir() if path.is_file() and path.name != "VERSIONS.md"}
        self.assertEqual(listed, there)
        self.assertTrue(listed)


class Modules(unittest.TestCase):
    def test_those_that_draw_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "page")
            shutil.copytree(PAGE, page)
            (page / "package.json").write_text('{"type": "module"}')
            done = subprocess.run(["node", "--test", BROWSER / "modules.mjs"], capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "NFBUS_PAGE": str(page)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^# pass [1-9]")


class Table(Page):
    def setUp(self):
        super().setUp()
        self.begin()

    def test_events_appear(self):
        self.play("table", "eventsAppear")

    def test_clicks_filter_and_exclude(self):
        self.play("table", "clicksFilterAndExclude")

    def test_every_value_is_a_click(self):
        self.play("table", "everyValueIsAClick")

    def test_addresses_can_be_told_apart(self):
        self.namespace.nft('table ip6 six { chain c { type filter hook prerouting priority -300;'
                           ' ip6 daddr 2001:db8::/32 log prefix "wan:in " group 0 drop\n}\n}')
        self.play("table", "addressesCanBeToldApart")

    def test_messages_stand_in_line(self):
        self.play("table", "messagesStandInLine")

    def test_the_search_box_takes_the_matchers_words(self):
        self.play("table", "searchesWithTheMatchersWords")

    def test_a_pause_counts_what_is_new(self):
        self.play("table", "pauseCountsWhatIsNew")

    def test_scrolling_back_reads_the_history(self):
        self.play("table", "scrollingBackReadsTheHistory")

    def test_a_reload_keeps_all(self):
        self.play("table", "reloadKeepsAll")

    def test_a_reload_stands_where_it_stood(self):
        self.play("places", "aReloadStandsWhereItStood")

    def test_places_survive_back_and_forward(self):
        self.play("places", "placesSurviveBackAndForward")

    def test_chips_that_meet_become_one(self):
        self.play("table", "chipsThatMeetBecomeOne")

    def test_messages_are_filtered_by_their_topic(self):
        self.play("table", "messagesAreFilteredByTheirTopic")

    def test_keys_do_what_they_say(self):
        self.play("table", "keysDoWhatTheySay")

    def test_what_the_page_missed_is_a_row(self):
        self.play("places", "whatThePageMissedIsARow")

    def test_another_process_begins_anew(self):
        self.play("table", "anotherProcessBeginsAnew")

    def test_a_hidden_page_gets_counters_only(self):
        self.play("table", "hiddenPagesGetCountersOnly")


    def answer_six(self, src, dst, sp, dp):
        send(self.lan, [ethernet(LAN_MAC, ROUTER_MAC, 0x86DD, ipv6(src, dst, TCP, tcp(sp, dp, flags=SYN)))], device="eth0")

    def answer_question(self, name):
        packet = ipv4("192.0.2.10", "203.0.113.1", UDP, udp(5353, 53, dns_question(name)))
        send(self.lan, [ethernet(LAN_MAC, ROUTER_MAC, 0x0800, packet)], device="eth0")

    def answer_message(self, topic, text):
        with WireClient(self.bus) as client:
            client.publish(topic, text)


class Losses(Page):
    def test_losses_are_rows(self):
        self.begin(buffer=131072)
        self.play("table", "lossesAreRows")


class LossesBehindTheKernel(Page):
    def start(self, config, **options):
        return super().start(f'[host]\nplugin_dirs = ["{nfbustest.TEST_PLUGINS}"]\n{config}'
                             '[sink.stuck]\nplugin = "hangs"\nqueue = 50\n[sink.picky]\nplugin = "rejects"\n', **options)

    def test_health_tells_of_every_loss(self):
        self.begin()
        self.play("views", "healthTellsOfEveryLoss")


class Views(Page):
    def setUp(self):
        super().setUp()
        self.begin()

    def test_a_host_has_a_page(self):
        self.play("views", "aHostHasAPage")

    def test_names_stand_without_rows(self):
        with open(self.bus.with_name("names"), "a") as names:
            names.write(f"{LAN_MAC} by its card\n")
        self.play("views", "namesStandWithoutRows")

    def test_a_rule_made_in_the_page_tells(self):
        self.play("views", "aRuleMadeHereTells")

    def test_others_change_the_rules_meanwhile(self):
        self.play("views", "othersChangeTheRulesMeanwhile")

    def test_health_is_that_of_the_host(self):
        self.play("views", "healthIsThatOfTheHost")

    def test_exports_hold_what_matches(self):
        self.play("views", "exportsHoldWhatMatches")

    def test_hostile_names_stay_text(self):
        self.play("views", "hostileNamesStayText")

    def test_ten_thousand_topics_fit(self):
        self.play("views", "tenThousandTopicsFit")

    def test_all_views_look_well(self):
        self.play("views", "allViewsLookWell", seconds=240)


class Trouble(Page):
    def test_a_silent_server_is_noticed(self):
        self.begin()
        self.play("trouble", "aSilentServerIsNoticed")

    def test_another_process_tells_of_new_things(self):
        self.begin()
        self.play("trouble", "anotherProcessTellsOfNewThings")

    def test_a_slow_answer_saves_its_own_rule(self):
        self.begin()
        self.play("trouble", "aSlowAnswerSavesItsOwnRule")

    def test_what_is_kept_no_more_is_said(self):
        self.begin(more="history_events = 100\n")
        self.play("trouble", "whatIsKeptNoMoreIsSaid")

    def test_rules_that_cannot_be_read_are_no_empty_list(self):
        self.begin()
        self.play("trouble", "rulesThatCannotBeReadAreNoEmptyList")


class Access(Page):
    def test_a_token_is_wanted(self):
        self.begin(token=TOKEN)
        self.play("access", "aTokenIsWanted")


if __name__ == "__main__":
    nfbustest.main()
