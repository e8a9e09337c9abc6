"""A release on its way to the node program, over TCP into the daemon's own site, signed by the signing process."""

import asyncio
import binascii
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import update_world as world
from attuned.clock import SystemClock
from attuned.nodes.radio import Need
from attuned.site import Site
from attuned.updates.delivery import Stage
from cobs import cobs
from daemon_world import site_settings
from delivery_world import NODE, large, release, row
from installation import program
from processes import SigningProcess, end

# A release of one packet, one of several chunks.
HEAD, LARGE = release(1), large(2)

PATIENCE_S = 30.0


class Gateway:
    """One connection of the node program."""

    name = "gw"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.writer: asyncio.StreamWriter | None = None

    def send(self, link: int, frame: bytes) -> None:
        if self.writer is not None:
            checksum = binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "little")
            self.writer.write(cobs.encode(frame + checksum) + b"\0")

    def wish(self, hint: bytes, need: Need) -> None:
        raise AssertionError("the node has no radio")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.site.hub.link_up(self, 1)
        try:
            while True:
                stream = (await reader.readuntil(b"\0"))[:-1]
                if stream:
                    self.site.hub.frame(self, 1, cobs.decode(stream)[:-2])
        except (asyncio.IncompleteReadError, ConnectionError):
            self.site.hub.link_down(self, 1)
            self.writer = None


class Node:
    """attune-node with a flash of its own, which outlives it."""

    def __init__(self, folder: Path, port: int) -> None:
        flash = ["--flash", str(folder / "flash"), "--id", NODE, "--sensors", ",".join(world.SENSORS)]
        self.command = [program("attune-node"), "--gateway", f"127.0.0.1:{port}", *flash]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Its code."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().split()[-1]

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (what it waits for says nothing by itself)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def site_at_work(folder: Path, signer: Path) -> AsyncIterator[Site]:
    """With the tasks that updates need, and rounds every tenth of a second."""
    settings = site_settings(folder, {"r": [NODE]}, updates={"signer": signer})
    site = Site(
        settings.model_copy(update={"site": settings.site.model_copy(update={"test_nodes": True})}), SystemClock(), None
    )
    await site.open()

    async def rounds() -> None:
        while True:
            site.updating.look()
            await asyncio.sleep(0.1)

    running: list[Callable[[], Awaitable[None]]] = [site.errands.run, site.updating.deliveries.errands.run, rounds]
    tasks = [asyncio.ensure_future(each()) for each in running]
    try:
        yield site
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await site.close()


async def test_releases_to_the_node_program(tmp_path: Path) -> None:
    signing = SigningProcess(tmp_path / "signing")
    signing.start()
    async with site_at_work(tmp_path / "store", signing.socket) as site:
        gateway = Gateway(site)
        server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
        node = Node(tmp_path, server.sockets[0].getsockname()[1])
        await site.site_store.releases.add([row(HEAD), row(LARGE)])
        try:
            await site.commissioning.add(node.start(), "", "", take_over=False)
            await journey(site, node)
        finally:
            node.stop()
            server.close()
            signing.stop()


async def journey(site: Site, node: Node) -> None:
    deliveries = site.updating.deliveries

    def at(stage: Stage) -> Callable[[], bool]:
        return lambda: (found := deliveries.of(NODE)) is not None and found.stage is stage

    conversation = site.hub.conversations[NODE]
    await until(lambda: conversation.running is not None and conversation.running.signing_key == 1)
    await deliveries.want(NODE, HEAD.id)
    await until(at(Stage.TRIAL))
    # A trial outlives the node's power.
    node.kill()
    node.start()
    await deliveries.decide(NODE, commit=True)
    await until(at(Stage.COMMITTED))
    assert site.roster.releases("r") == {NODE: HEAD.running_digest}
    # Chunks, on the release before, and power that fails between them.
    await deliveries.want(NODE, LARGE.id)
    await until(at(Stage.SENDING))
    node.kill()
    node.start()
    await until(at(Stage.TRIAL))
    await deliveries.decide(NODE, commit=False)
    await until(at(Stage.ENDED))
    assert site.roster.releases("r") == {NODE: HEAD.running_digest}
    await deliveries.want(NODE, "factory")
    await until(at(Stage.TRIAL))
    await deliveries.decide(NODE, commit=True)
    await until(at(Stage.COMMITTED))
    assert site.roster.releases("r") == {NODE: world.base().digest.hex()}
    assert conversation.running is not None
    assert conversation.running.highest == 3
