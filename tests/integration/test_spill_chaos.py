'''Ten seconds of what `./dev soak` does for minutes: a database and a host that are killed again and again.'''

import nfbustest
from spill_chaos import Chaos


class SpillChaos(nfbustest.IntegrationTest):
    def test_the_database_has_every_packet_that_was_on_disk_and_none_twice(self):
        numbers, wrong = Chaos(self.namespace, seconds=10, rate=5000, host_kills=3, server_kills=5).run()
        self.assertEqual(wrong, [])
        self.assertGreater(len(numbers), 20000)


if __name__ == "__main__":
    nfbustest.main()
