'''The rules of the sprbus wire, one by one, against a running host.'''

import base64
import grp
import json
import os
import socket
import stat
import struct
import time

import nfbustest
from nfbustest import wait_until
from packets import UDP, ipv4, send, udp
from wire_client import WireClient, ask_status, publish_once

CONFIG = """
[bus]
socket = "@DIR@/bus.sock"
format = "ulogd"
payload = "full"

[[capture]]
group = 1
action = "blocked"
"""


class WireTest(nfbustest.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.host = self.start(CONFIG)
        self.path = self.host.path("bus.sock")

    def client(self, **options):
        client = WireClient(self.path, **options)
        self.addCleanup(client.close)
        return client

    def subscriber(self, *prefixes, **extensions):
        """A client whose subscriptions are in effect."""
        client = self.client()
        for prefix in prefixes:
            client.subscribe(prefix, **extensions)
        client.settle()
        return client

    def status(self):
        return ask_status(self.path)

    def assert_gets(self, client, *lines):
        for line in lines:
            self.assertEqual(client.next(), line.encode() if isinstance(line, str) else line)

    def test_no_character_of_a_topic_steers_the_terminal_that_shows_the_log(self):
        self.subscriber("x\u009b2J\x1b[0my")
        found = self.host.wait_for(r'subscribes to "x(.*)y"')
        self.assertNotRegex(found[1], "[\x00-\x1f\x7f-\x9f]")

    # ---- publish and subscribe

    def test_relays_to_every_subscriber_whose_prefix_fits_byte_for_byte(self):
        everything, some, other = self.subscriber(""), self.subscriber("web:"), self.subscriber("dns:")
        line = '{ "topic" : "web:Click", "value":"{\\"a\\":1}\\u00e9", "more": [1, 2.50] }'
        publish_once(self.path, line + "\n")
        publish_once(self.path, '{"topic":"dns:x","value":"last"}\n')
        last = '{"topic":"dns:x","value":"last"}'
        self.assert_gets(everything, line, last)
        self.assert_gets(some, line)
        self.assert_gets(other, last)

    def test_a_prefix_is_case_sensitive_and_any_part_of_a_topic(self):
        upper, lower = self.subscriber("We"), self.subscriber("we")
        for topic in ("web", "Web", "wired", "Wi"):
            publish_once(self.path, json.dumps({"topic": topic, "value": "x"}) + "\n")
        self.assertEqual(json.loads(upper.next())["topic"], "Web")
        self.assertEqual(json.loads(lower.next())["topic"], "web")

    def test_finds_the_topic_as_go_does(self):
        listener = self.subscriber("right:")
        lines = ['{"TOPIC":"right:any case","value":"x"}',
                 '{"topic":"\\u0072ight:escaped","value":"x"}',
                 '{"to\\u0070ic":"right:key","value":"x"}',
                 '{"value":"x","topic":"right:\\"\\\\ quoted","x":{"topic":"wrong"}}',
                 '\t {"topic":"right:space","value":"x"} ']
        publish_once(self.path, "\n".join(['{"topic":"wrong","x":{"topic":"right:"},"value":"x"}'] + lines) + "\n")
        self.assert_gets(listener, *lines)

    def test_a_missing_topic_is_an_empty_one(self):
        everything, some = self.subscriber(""), self.subscriber("a")
        publish_once(self.path, '{"value":"no topic"}\n{}\n{"topic":"a","value":"end"}\n')
        self.assert_gets(everything, '{"value":"no topic"}', "{}", '{"topic":"a","value":"end"}')
        self.assert_gets(some, '{"topic":"a","value":"end"}')

    def test_a_carriage_return_at_the_end_goes(self):
        listener = self.subscriber("a")
        publish_once(self.path, '{"topic":"a","value":"1"}\r\n{"topic":"a","value":"2"}\r')
        self.assert_gets(listener, '{"topic":"a","value":"1"}', '{"topic":"a","value":"2"}')

    def test_a_last_line_without_newline_counts_at_the_end(self):
        listener = self.subscriber("a")
        publish_once(self.path, '{"topic":"a","value":"1"}')
        self.assert_gets(listener, '{"topic":"a","value":"1"}')

    def test_bytes_that_are_not_utf8_are_relayed(self):
        listener = self.subscriber("a")
        line = b'{"topic":"a","value":"\xff\xfe\xc3"}'
        publish_once(self.path, line + b"\n")
        self.assert_gets(listener, line)

    def test_skips_and_counts_what_is_broken_and_the_connection_stays(self):
        listener = self.subscriber("")
        broken = ["", "\r", "no json", "[]", '"text"', "null", "{", '{"topic":"a"', '{"topic":"a"} x', '{"topic":1}',
                  '{"topic":["a"]}', '{"topic":"a",}', '{"topic":"a" "value":"b"}', '{"topic":"\x01"}',
                  '{"topic":"\\x"}', '{"topic":"\\u12"}', '{"a":01}', '{"a":+1}', '{"a":1.}', '{"a":tru}', "{'a':1}",
                  '{"a":[}', '{"a":[1,]}', '{"a":{"b"}}', "\ufeff{}", "{}\0", '{"a":' * 10001 + "1" + "}" * 10001]
        with self.client() as publisher:
            publisher.send("\n".join(broken) + "\n")
            publisher.publish("a", "after")
            publisher.settle()
            row = self.row_of(publisher)
        self.assertEqual(json.loads(listener.next()), {"topic": "a", "value": "after"})
        self.assertEqual(row["sent"]["invalid"], len(broken))

    def row_of(self, client):
        """The host's numbers of this client, from its next status."""
        while True:
            topic, value = client.event()
            if topic == "nfbus:status":
                status = json.loads(value)
                return next(row for row in status["clients"] if row["id"] == self.id_of(client, status))

    def id_of(self, client, status):
        if not hasattr(client, "id"):
            client.id = max(row["id"] for row in status["clients"] if row["pid"] == os.getpid())
        return client.id

    def test_deep_nesting_up_to_gos_limit_is_relayed(self):
        listener = self.subscriber("")
        line = '{"a":' * 9999 + "1" + "}" * 9999
        publish_once(self.path, line + "\n")
        self.assert_gets(listener, line)

    def test_a_value_that_is_no_string_is_refused_and_counted(self):
        listener = self.subscriber("")
        before = self.status()["clients_total"]["sent"]["not_text"]
        values = ["1", "true", "null", "{}", "[]"]
        publish_once(self.path, "".join(f'{{"topic":"a","value":{value}}}\n' for value in values))
        publish_once(self.path, '{"topic":"a","value":"text"}\n')
        self.assert_gets(listener, '{"topic":"a","value":"text"}')
        self.assertEqual(self.status()["clients_total"]["sent"]["not_text"] - before, len(values))

    # ---- limits

    def test_lines_up_to_262143_bytes_are_relayed_and_longer_ones_end_the_connection(self):
        listener = self.subscriber("a")
        frame = '{"topic":"a","value":""}'
        longest = frame.replace('""', '"' + "x" * (262143 - len(frame)) + '"')
        with self.client() as publisher:
            publisher.send(longest + "\n")
            self.assert_gets(listener, longest)
            try:
                publisher.send(longest.replace("xx", "xxx", 1) + "\n")
            except OSError:
                pass
            self.assertTrue(publisher.is_closed_by_server())
        publish_once(self.path, '{"topic":"a","value":"end"}\n')
        self.assert_gets(listener, '{"topic":"a","value":"end"}')
        self.assertEqual(self.status()["clients_total"]["too_long"], 1)

    # ---- protected topics

    def test_publishing_under_the_hosts_topics_is_refused_and_counted(self):
        listener = self.subscriber("")
        with self.client() as publisher:
            for topic in ("nft:", "nft:drop:in", "nfbus:loss", "nfbus:"):
                publisher.publish(topic, "forged")
            publisher.send('{"topic":"n\\u0066t:x","value":"forged"}\n')
            publisher.publish("nfb", "allowed")
            publisher.publish("nft", "allowed")
            publisher.settle()
            self.assertEqual(self.row_of(publisher)["sent"]["refused"], 5)
        for topic in ("nfb", "nft"):
            self.assertEqual(json.loads(listener.next()), {"topic": topic, "value": "allowed"})
        self.host.wait_for(rf"pid {os.getpid()}, uid 0\).*refused")

    # ---- connections

    def test_reads_on_after_a_subscription(self):
        client = self.subscriber("a")
        client.publish("b", "not wanted")
        client.publish("a", "its own")
        self.assert_gets(client, '{"topic": "a", "value": "its own"}')
        client.subscribe("b")
        client.publish("b", "wanted now")
        self.assert_gets(client, '{"topic": "b", "value": "wanted now"}')

    def test_two_prefixes_that_fit_give_the_event_once(self):
        client = self.subscriber("a", "a:", "")
        publish_once(self.path, '{"topic":"a:b","value":"1"}\n{"topic":"a:b","value":"2"}\n')
        self.assert_gets(client, '{"topic":"a:b","value":"1"}', '{"topic":"a:b","value":"2"}')

    def test_a_half_close_does_not_end_a_subscription(self):
        client = self.client()
        client.subscribe("a")
        client.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: any(row["topics"] == ["a"] for row in self.status()["clients"]), 5, "the subscription")
        for number in range(3):
            publish_once(self.path, json.dumps({"topic": "a", "value": str(number)}) + "\n")
            self.assertEqual(client.event(), ("a", str(number)))
        client.close()
        wait_until(lambda: not any(row["topics"] == ["a"] for row in self.status()["clients"]), 5, "the end")

    def test_a_half_close_without_subscription_ends_the_connection(self):
        with self.client() as client:
            client.publish("a", "x")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(client.is_closed_by_server())

    def test_idle_clients_that_went_away_are_noticed_at_once(self):
        clients = [self.subscriber("a") for _ in range(5)]
        observer = self.client()
        observer.subscribe("nfbus:status")
        self.assertEqual(len(json.loads(observer.event()[1])["clients"]), 6)
        for client in clients:
            client.close()
        self.assertEqual(len(self.status()["clients"]), 2)

    def test_publishers_are_never_answered(self):
        with self.client() as publisher:
            publisher.send('broken\n{"topic":"a","value":"x"}\n{"topic":"nft:","value":"x"}\n')
            publisher.socket.shutdown(socket.SHUT_WR)
            publisher.socket.settimeout(10)
            self.assertEqual(publisher.socket.recv(100), b"")

    # ---- packets

    def log_packets(self, count):
        self.namespace.nft("""table inet t { chain c { type filter hook output priority 0;
            udp dport 7000 counter log prefix "Drop:Out " group 1; }
        }""")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1000 + n, 7000, b"x")) for n in range(count)])

    def test_packets_come_under_their_topic_in_every_form_asked_for(self):
        by_default, asked, raw = self.subscriber("nft:drop"), self.client(), self.client()
        layered = self.subscriber("nft:", format="packet")
        asked.subscribe("nft:", format="ulogd")
        raw.subscribe("nft:", format="nflog")
        asked.settle()
        raw.settle()
        self.log_packets(3)
        for number in range(3):
            event = json.loads(by_default.next())
            self.assertEqual(list(event), ["topic", "value"])
            self.assertEqual(event["topic"], "nft:drop:out")
            packet = json.loads(event["value"])
            self.assertEqual((packet["src_port"], packet["oob.prefix"]), (1000 + number, "Drop:Out "))
            self.assertEqual(json.loads(asked.next()), event)
            layers = json.loads(json.loads(layered.next())["value"])
            self.assertEqual((layers["UDP"]["SrcPort"], layers["UDP"]["Payload"]), (1000 + number, "eA=="))
            record = json.loads(raw.next())
            self.assertEqual(list(record), ["topic", "time_ns", "length", "value"])
            self.check_record(record)

    def test_a_packet_too_long_for_a_line_is_shortened_and_says_so(self):
        asked = self.client()
        asked.subscribe("nft:", format="packet")
        asked.settle()
        self.log_packets(0)
        answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\xc0\0\x02\x01"
        message = struct.pack("!6H", 1, 0x8180, 1, 1000, 0, 0) + b"\x01a\0\0\x01\0\x01" + answer * 1000
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(53, 7000, message))])
        line = asked.next()
        self.assertLess(len(line), 65536)
        packet = json.loads(json.loads(line)["value"])
        self.assertIs(packet["Truncated"], True)
        self.assertEqual((packet["Prefix"], packet["UDP"]["SrcPort"]), ("Drop:Out ", 53))
        self.assertGreater(len(packet["DNS"]["Answers"]), 50)
        self.assertEqual(packet["DNS"]["Answers"][-1], packet["DNS"]["Answers"][0], "whole records")

    def check_record(self, record):
        data = base64.b64decode(record["value"], validate=True)
        self.assertEqual(record["topic"], "nft:drop:out")
        self.assertEqual(record["length"], len(data))
        self.assertAlmostEqual(record["time_ns"] / 1e9, time.time(), delta=60)
        self.assertEqual(data[2:4], b"\0\1")  # nfgenmsg: the group
        self.assertIn(b"Drop:Out \0", data)

    def test_an_unknown_extension_value_is_refused_and_others_are_ignored(self):
        with self.client() as client:
            client.subscribe("a", format="xml")
            client.subscribe("a", marker="yes")
            client.subscribe("b", whatever=[1])
            client.settle()
            sent = self.row_of(client)["sent"]
        self.assertEqual((sent["refused"], sent["subscribed"]), (2, 2))

    # ---- status

    def test_status_comes_at_once_and_each_second_to_those_who_asked_and_to_nobody_else(self):
        everything, own = self.client(), self.client()
        everything.subscribe("")
        own.subscribe("nfbus:")
        status = self.subscriber()
        first = status.event(3)
        self.assertEqual((first[0], status.event(3)[0]), ("nfbus:status", "nfbus:status"))
        self.assertEqual(json.loads(first[1])["capture"][0]["group"], 1)
        publish_once(self.path, '{"topic":"a","value":"end"}\n')
        self.assertEqual(everything.event(), ("a", "end"))
        self.assertFalse(any(row["published"] for row in self.status()["clients"] if row["topics"] == ["nfbus:"]))


class SocketFile(nfbustest.IntegrationTest):
    def test_has_mode_0660_whatever_the_umask_and_the_group_of_the_configuration(self):
        for mask in (0, 0o177):
            with self.subTest(umask=oct(mask)):
                before = os.umask(mask)
                self.addCleanup(os.umask, before)
                host = self.start(CONFIG.replace("[[", 'group = "daemon"\n[[', 1))
                os.umask(before)
                found = host.path("bus.sock").stat()
                self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
                self.assertEqual(found.st_gid, grp.getgrnam("daemon").gr_gid)
                self.assertEqual(host.stop(), 0)

    def test_goes_away_with_the_host(self):
        host = self.start(CONFIG)
        path = host.path("bus.sock")
        self.assertTrue(path.exists())
        self.assertEqual(host.stop(), 0)
        self.assertFalse(path.exists())

    def test_clients_read_an_end_when_the_host_ends(self):
        host = self.start(CONFIG)
        with WireClient(host.path("bus.sock")) as client:
            client.subscribe("")
            self.assertEqual(host.stop(), 0)
            self.assertIsNone(client.line())

    def test_of_a_dead_host_is_taken_over(self):
        first = self.start(CONFIG)
        first.process.kill()
        first.process.wait()
        self.assertTrue(first.path("bus.sock").exists())
        second = self.start(CONFIG.replace("@DIR@", str(first.directory)))
        publish_once(first.path("bus.sock"), '{"topic":"a","value":"x"}\n')
        self.assertEqual(second.stop(), 0)

    def test_of_a_live_host_is_refused_and_stays_its_own(self):
        first = self.start(CONFIG)
        path = first.path("bus.sock")
        second = self.start(CONFIG.replace("@DIR@", str(first.directory)).replace("group = 1", "group = 2"), wait=False)
        self.assertEqual(second.wait(), 1)
        self.assertRegex(second.stderr, rf"bus.socket: {path} is served by .*process {first.process.pid}\b")
        with WireClient(path) as client:
            client.subscribe("a")
            client.publish("a", "still there")
            self.assertEqual(client.event(), ("a", "still there"))

    def test_other_files_are_left_alone(self):
        host = self.start(CONFIG)
        taken = host.path("file")
        taken.write_text("precious")
        second = self.start(CONFIG.replace("@DIR@/bus.sock", str(taken)).replace("group = 1", "group = 2"), wait=False)
        self.assertEqual(second.wait(), 1)
        self.assertEqual(taken.read_text(), "precious")
        self.assertRegex(second.stderr, "exists and is no socket")

    def test_a_folder_that_is_missing_is_made(self):
        host = self.start(CONFIG.replace("bus.sock", "new/bus.sock"))
        publish_once(host.path("new/bus.sock"), "{}\n")

    def test_an_unknown_group_is_named(self):
        host = self.start(CONFIG.replace("[[", 'group = "no-such-group"\n[[', 1), wait=False)
        self.assertEqual(host.wait(), 1)
        self.assertRegex(host.stderr, "there is no group no-such-group")


if __name__ == "__main__":
    nfbustest.main()
