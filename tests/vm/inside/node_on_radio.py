"""An adapter of the kernel, and a node in its reach that measures a room in use for every other two minutes.

Its argument is the node's id. It prints the node's code, and goes on until somebody ends it.
"""

import asyncio
import os
import sys
import time

from air import Ether
from air_node import AirNode
from attune_core import Keeper, Node
from kernel_radio import KernelRadio

SENSORS = ("temperature", "co2", "pir")
WINDOW_S = 10
SAMPLE_S = 2.0
SPELL_MS = 120_000

# Seldom: BlueZ tells of each advertisement, which is a lot of work for an emulated machine.
ADVERTISING_MS = 500.0


async def live(node_id: str) -> None:
    begun = time.monotonic()

    def now_ms() -> int:
        return int(1000 * (time.monotonic() - begun))

    ether = Ether()
    radio = KernelRadio(ether)
    await radio.plug_in()
    node = Node(bytes.fromhex(node_id), 1, SENSORS, WINDOW_S, keeper=Keeper(os.urandom(32)))
    carrier = AirNode(ether, node, now_ms, interval_ms=ADVERTISING_MS)
    await carrier.start()
    print(f"Code: {node.code}", flush=True)
    while True:
        full = now_ms() // SPELL_MS % 2 == 0
        for sensor, value in enumerate((20 + 2 * full, 450 + 500 * full, int(full))):
            node.sample(sensor, now_ms(), value)
        node.poll(now_ms())
        await asyncio.sleep(SAMPLE_S)


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1]))
