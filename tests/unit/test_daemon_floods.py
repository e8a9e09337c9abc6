"""A node may say the same thing as often as it likes: what waits because of it stays bounded."""

import asyncio
from pathlib import Path

from daemon_world import A, FakeClock, FakeGateway, errands, hear, hello, opened_site


async def test_a_thousand_hellos_are_one_errand(tmp_path: Path) -> None:
    site = await opened_site(tmp_path, FakeClock())
    gateway = FakeGateway()
    site.hub.link_up(gateway, 1)
    for boot in range(1000):
        hear(site.hub, gateway, hello(boot=boot))
    assert len(site.errands) == 1
    await errands(site)
    assert '"boot": 999' in (await site.site_store.facts())[A]
    hear(site.hub, gateway, hello(boot=1000))
    await errands(site)
    assert '"boot": 1000' in (await site.site_store.facts())[A]
    await site.close()


async def test_a_node_that_takes_its_hello_back_while_it_is_greeted_harms_nobody(tmp_path: Path) -> None:
    site = await opened_site(tmp_path, FakeClock())
    gateway = FakeGateway()
    site.hub.link_up(gateway, 1)
    hear(site.hub, gateway, hello())
    greeting = asyncio.create_task(site.errands.next())
    await asyncio.sleep(0)
    hear(site.hub, gateway, hello(sensors=b"\xff"))
    assert site.hub.conversations[A].facts is None
    await greeting
    assert A in await site.site_store.facts()
    await site.close()
