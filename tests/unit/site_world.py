"""A site with a store and no tasks, whose nodes say something over a gateway."""

from typing import Any

from attune_proto.v1 import node_pb2
from attuned.site import Site
from daemon_world import A, FakeClock, FakeGateway, errands, hear, hello


class HeardSite:
    """Nothing waits to be written: whoever flushes gets `flush`."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        self.site, self.clock, self.gateway = site, clock, FakeGateway()
        site.labels._flush = self.flush
        site.hub.link_up(self.gateway, 1)

    async def flush(self) -> None:
        """Stands for the commits task."""

    def hear(self, message: Any, node: str = A) -> None:
        hear(self.site.hub, self.gateway, message, node)

    async def greet(self, node: str = A, boot: int = 1, **more: Any) -> None:
        """The node says hello, 100 s after its start, and what the time is."""
        self.hear(hello(node, boot, **more), node)
        self.hear(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), node)
        await errands(self.site)
