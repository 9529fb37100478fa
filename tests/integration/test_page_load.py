'''The page of the sink `websocket` in a flood of packets, of NFBUS_PAGE_SECONDS seconds (default: 10).'''

import os

import nfbustest
from browser_page import Page


class Load(Page):
    def setUp(self):
        super().setUp()
        self.begin()

    def test_a_flood_does_not_stop_the_page(self):
        seconds = int(os.environ.get("NFBUS_PAGE_SECONDS", "10"))
        self.play("load", "aFloodDoesNotStopThePage", seconds=120 + 2 * seconds)

    def test_no_rare_event_is_missed(self):
        self.play("load", "noRareEventIsMissed")

    def test_a_slow_device_recovers(self):
        self.play("load", "aSlowDeviceRecovers")


if __name__ == "__main__":
    nfbustest.main()
