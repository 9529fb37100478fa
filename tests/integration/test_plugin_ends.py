'''Plugins that end the process: one line says which instance and function it was; a child that one forks is no second host.'''

import json
import signal

import nfbustest
from nfbustest import TEST_PLUGINS, wait_until
from packets import UDP, ipv4, send, udp

RULES = """table inet t { chain c { type filter hook output priority 0;
    udp dport 7000 log prefix "a " group 0;
}
}"""


def config(how, function):
    return (f'[host]\nplugin_dirs = ["{TEST_PLUGINS}"]\n[[capture]]\ngroup = 0\nlatency_ms = 0\n'
            f'[sink.bad]\nplugin = "ends"\nhow = {json.dumps(how)}\nin = {json.dumps(function)}\n')


class PluginEnds(nfbustest.IntegrationTest):
    def host_after_a_packet(self, how):
        self.namespace.nft(RULES)
        host = self.start(config(how, "write"))
        send(self.namespace, [ipv4("127.0.0.1", "127.0.0.1", UDP, udp(1, 7000))])
        return host

    def last_words(self, host):
        return [line for line in host.stderr.splitlines() if "sink.bad: " in line and "its plugin" in line]

    def test_a_crash_leaves_one_line_and_its_signal(self):
        for how, number, name in (("fault", signal.SIGSEGV, "SIGSEGV"), ("stack", signal.SIGSEGV, "SIGSEGV"),
                                  ("abort", signal.SIGABRT, "SIGABRT"), ("terminate", signal.SIGABRT, "SIGABRT")):
            with self.subTest(how=how):
                host = self.host_after_a_packet(how)
                self.namespace.nft("flush ruleset")
                self.assertEqual(host.wait(), -number)
                self.assertEqual(self.last_words(host),
                                 [f"nfbus: error: sink.bad: its plugin crashed in write(): {name}"])

    def test_a_crash_while_it_is_made_names_create(self):
        host = self.start(config("fault", "create"), wait=False)
        self.assertEqual(host.wait(), -signal.SIGSEGV)
        self.assertEqual(self.last_words(host), ["nfbus: error: sink.bad: its plugin crashed in create(): SIGSEGV"])

    def test_exit_is_a_failure_and_leaves_one_line(self):
        host = self.host_after_a_packet("exit")
        self.assertEqual(host.wait(), 1)
        self.assertEqual(self.last_words(host),
                         ["nfbus: error: sink.bad: its plugin called exit() in write(): the host ends"])

    def test_a_child_that_it_forks_ends_and_the_host_goes_on(self):
        host = self.host_after_a_packet("fork")
        host.wait_for(r"sink\.bad: a child process that its plugin forked came back from write\(\): it ends")
        wait_until(lambda: host.counters()["sinks"]["bad"]["delivered"] == 1, 10, "the packet")
        self.assertEqual(host.stop(), 0, host.stderr)
        self.assertEqual(host.stderr.count("ready:"), 1)
        self.assertEqual(len(self.last_words(host)), 1)


if __name__ == "__main__":
    nfbustest.main()
