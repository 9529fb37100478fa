'''Plugins that do not return: whatever function it is, the host ends when it is asked to, and names the call; meanwhile
status shows it, and the log says it. One whose threads go on after destroy() harms nobody.'''

import json
import signal
import time

import nfbustest
from nfbustest import TEST_PLUGINS, run_nfbus, wait_until
from packets import UDP, ipv4, send, udp

# In the order of plugins' lives; with a packet, where the host has come so far.
WAITS = {
    "sink": ("create", "open", "write", "tick", "reopen", "flush", "close", "destroy"),
    "filter": ("create", "open", "apply", "tick", "finish", "destroy"),  # of a capture, but for finish
    "source": ("create", "open", "stop", "run", "close", "destroy"),
}
NEVER_READY = ("create", "open")
BEFORE_THE_END = (*NEVER_READY, "write", "tick", "reopen", "apply")


def config(kind, function, group):
    name, table = {"sink": ("waits", "[sink.stuck]"), "filter": ("waits_filter", "[filter.stuck]"),
                   "source": ("waits_source", "[source.stuck]")}[kind]
    filters = 'filters = ["stuck"]\n' if kind == "filter" else ""
    of_sink = function == "finish"
    return (f'[host]\nplugin_dirs = ["{TEST_PLUGINS}"]\n'
            f'[bus]\nsocket = "@DIR@/bus.sock"\n'
            f'[[capture]]\ngroup = {group}\nlatency_ms = 0\naction = "allowed"\n{"" if of_sink else filters}'
            f'[sink.good]\nplugin = "jsonl"\nfile = "@DIR@/out"\n{filters if of_sink else ""}'
            f'{table}\nplugin = "{name}"\nin = "{function}"\nuntil = "@DIR@/until"\n')


class StuckPlugins(nfbustest.IntegrationTest):
    def start_all(self, cases):
        """A host for each, as far as it comes; each has its own group."""
        rules = "".join(f'udp dport {7000 + group} log prefix "a " group {group}\n' for group in range(len(cases)))
        self.namespace.nft(f"table inet t {{ chain c {{ type filter hook output priority 0;\n{rules}}}\n}}")
        hosts = [self.start(config(*case, group), wait=False) for group, case in enumerate(cases)]
        for group, ((_, function), host) in enumerate(zip(cases, hosts)):
            if function in NEVER_READY:
                continue
            host.wait_ready()
            if function == "reopen":
                host.signal(signal.SIGHUP)
            send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000 + group))])
        for (_, function), host in zip(cases, hosts):
            if function in BEFORE_THE_END:
                wait_until(host.path("until.began").exists, 15, f"the call of {function}()")
        return hosts

    def test_the_host_ends_in_time_and_names_the_call(self):
        cases = [(kind, function) for kind, functions in WAITS.items() for function in functions]
        hosts = self.start_all(cases)
        begun = time.monotonic()
        for host in hosts:
            host.process.terminate()
        for (kind, function), host in zip(cases, hosts):
            with self.subTest(kind=kind, function=function):
                self.assertEqual(host.wait(40), 1)
                self.assertLess(time.monotonic() - begun, 30)
                self.assertRegex(host.stderr, rf"error: {kind}\.stuck: its plugin is in {function}\(\) for \d+ s")
                if function not in NEVER_READY:
                    self.assertIn("counters end", host.stderr)

    def test_one_that_a_reload_makes_does_not_keep_the_host_from_ending(self):
        host = self.start(config("sink", "nothing", 0))
        text = host.config_file.read_text()
        host.config_file.write_text(text.replace('in = "nothing"', 'in = "create"'))
        host.signal(signal.SIGHUP)
        wait_until(host.path("until.began").exists, 10, "the call of create()")
        self.assertEqual(host.stop(15), 1)
        self.assertRegex(host.stderr, r"error: sink\.stuck: its plugin is in create\(\) for \d+ s; the host ends")
        self.assertIn("counters end", host.stderr)

    def status(self, host):
        done = run_nfbus("status", "--json", "-s", host.path("bus.sock"))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_status_and_the_log_say_which_call_lasts_and_that_it_has_come_back(self):
        cases = [("sink", "write"), ("filter", "apply")]
        hosts = self.start_all(cases)
        for (kind, function), host in zip(cases, hosts):
            with self.subTest(kind=kind):
                rows = "sinks" if kind == "sink" else "filters"

                def row():
                    return next(row for row in self.status(host)[rows] if row["name"] == "stuck")

                self.assertEqual(wait_until(lambda: row()["call"], 10, "the call in status"), function)
                self.assertGreaterEqual(row()["call_s"], 1)
                table = run_nfbus("status", "-s", host.path("bus.sock")).stdout
                self.assertRegex(table, rf"in {function}\(\) for \d+ s")
                host.wait_for(rf"warning: {kind}\.stuck: its plugin is in {function}\(\) for 1\d s, and has not come back",
                              20)
                host.path("until").touch()
                host.wait_for(rf"info: {kind}\.stuck: {function}\(\) has come back, after about \d+ s")
                wait_until(lambda: row()["call"] is None, 10, "the call to leave the status")
                self.assertEqual(row()["call_s"], 0)
                self.assertEqual(host.stop(), 0, host.stderr)

    def test_threads_that_go_on_after_destroy_are_named_and_harm_nobody(self):
        self.namespace.nft('table inet t { chain c { type filter hook output priority 0;\n'
                           'udp dport 7000 log prefix "a " group 0\n}\n}')
        text = config("sink", "nothing", 0).replace('plugin = "waits"\nin = "nothing"', 'plugin = "late"')
        host = self.start(text)
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: host.counters()["sinks"]["stuck"]["delivered"] == 1, 10, "the packet")
        host.config_file.write_text(host.config_file.read_text().split("[sink.stuck]")[0])
        host.signal(signal.SIGHUP)
        host.wait_for(r"warning: sink\.stuck: its plugin called \w+\(\) after destroy\(\): ignored")
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        wait_until(lambda: host.counters()["sinks"]["good"]["delivered"] == 2, 10, "the second packet")
        self.assertNotIn("a late word", host.stderr)
        self.assertEqual(host.stop(), 0, host.stderr)


if __name__ == "__main__":
    nfbustest.main()
