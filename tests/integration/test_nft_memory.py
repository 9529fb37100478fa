'''What the processes of nftrules and nftcontext hold after a thousand changes of the ruleset, and beside a large one.'''

import pathlib
import re

import nfbustest
import nftest
from nfbustest import children, wait_until

REWRITE = """
watch = true
[[rewrite]]
table = "inet filter"
chain = "c"
match_prefix = "rule 7"
prefix = "drop:x "
group = 1
"""


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


class Memory(nftest.NftTest):
    def start_host(self, rules):
        self.namespace.nft(rules)
        self.write(REWRITE)
        text = self.config_file.read_text().replace("group = 1\n", 'group = 1\nfilters = ["context"]\n', 1)
        host = self.start(text + '[filter.context]\nplugin = "nftcontext"\n')
        self.config_file = host.config_file
        self.parts = [pid for pid in children(host.process.pid)
                      if "nfbus-nft" in pathlib.Path(f"/proc/{pid}/comm").read_text()]
        self.assertEqual(len(self.parts), 2)
        return host

    @staticmethod
    def rules(count):
        rules = "\n".join(f'udp dport {i + 1} log prefix "rule {i}" group 1' for i in range(count))
        return f"table inet filter {{\n chain c {{\n type filter hook input priority 0;\n{rules}\n }}\n}}\n"

    def test_is_flat_over_a_thousand_reloads(self):
        host = self.start_host(self.rules(20))
        reload = "flush ruleset\n" + self.rules(20)
        pids = [host.process.pid, *self.parts]
        for _ in range(100):
            self.namespace.nft(reload)
        before = [resident_kib(pid) for pid in pids]
        for _ in range(1000):
            self.namespace.nft(reload)
        self.assertEqual(self.nft("apply").returncode, 0)
        wait_until(lambda: '"drop:x "' in self.ruleset(), 10, "the rule")
        after = [resident_kib(pid) for pid in pids]
        for then, now in zip(before, after):
            self.assertLess(now - then, 2048, (before, after))

    def test_beside_two_thousand_rules_and_twenty_thousand_elements_is_below_32_mib(self):
        elements = ", ".join(f"10.{i >> 8}.{i & 255}.1" for i in range(20_000))
        self.start_host(self.rules(2000) + f"add set inet filter big {{ type ipv4_addr; }}\n"
                        f"add element inet filter big {{ {elements} }}\n")
        wait_until(lambda: '"drop:x "' in self.ruleset(), 10, "the rule")
        self.assertEqual(self.nft("status").returncode, 0)
        for pid in self.parts:
            self.assertLess(resident_kib(pid), 32 << 10)


if __name__ == "__main__":
    nfbustest.main()
