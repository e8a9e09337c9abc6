"""A site that comes back from a backup: nodes notice nothing, and what is lost is what came since, by nature."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stored
from attune_proto.v1 import admin_pb2
from attuned import backup_key
from attuned.backup.making import make
from attuned.backup.places import Places
from attuned.backup.restoring import restore
from attuned.updates.delivery import Stage
from delivery_world import NODE, row
from installation import Installation, installed, program, wait_until
from processes import SigningProcess
from simulated import SimulatedNodes
from test_update_journey import HEAD, LARGE, Gateway, Node, site_at_work, until

pytestmark = pytest.mark.slow

NODES = [f"{i:08x}0000beef" for i in range(1, 5)]
ROOMS = {f"room{i}": NODES[2 * i : 2 * i + 2] for i in range(2)}
WORDS = "seven lamps over the ford"


@pytest.fixture(scope="module")
def key() -> backup_key.BackupKey:
    return backup_key.make(WORDS)


@pytest.fixture
def installation(tmp_path: Path, key: backup_key.BackupKey) -> Iterator[Installation]:
    found = Installation(tmp_path, {**ROOMS, "room2": []}, rate=60)
    # As installed, the configuration has a folder of its own.
    etc = tmp_path / "etc"
    etc.mkdir()
    (tmp_path / "attuned.toml").rename(etc / "attuned.toml")
    (tmp_path / "attuned.toml").symlink_to(etc / "attuned.toml")
    key.save(etc / "backup-key.toml")
    (tmp_path / "words").write_text(WORDS)
    try:
        found.start()
        yield found
    finally:
        found.close()


def attune(installation: Installation, *words: str) -> dict[str, Any]:
    folder = installation.folder
    where = ["--config", str(folder / "etc" / "attuned.toml"), "--signer-state", str(folder / "signing"), "--json"]
    run = subprocess.run([program("attune"), *words, *where], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def back_up(installation: Installation) -> str:
    (installation.folder / "backups").mkdir(exist_ok=True)
    return str(attune(installation, "backup", "--to", str(installation.folder / "backups"))["path"])


def put_back(installation: Installation, backup: str) -> None:
    attune(installation, "restore", backup, "--passphrase-file", str(installation.folder / "words"))


def windows(installation: Installation) -> int:
    return installation.status().windows


def test_a_site_goes_on_after_its_disk_was_lost(installation: Installation) -> None:
    nodes = SimulatedNodes(installation, NODES)
    nodes.start()
    try:
        wait_until(lambda: windows(installation) > 60, "Windows before the backup")
        begun = installation.now_utc_ms()
        backup = back_up(installation)
        # What comes after the backup: windows, a label, what is forgotten.
        before = windows(installation)
        wait_until(lambda: windows(installation) > before + 60, "Windows after the backup")
        label = installation.add_label("room0", "occupied", begun - 120_000, begun - 60_000)
        assert label.label.number == 1
        with installation.admin() as admin:
            request = admin_pb2.ForgetRequest(room="room1", author="ann", from_utc_ms=0, to_utc_ms=begun)
            assert admin.Forget(request, timeout=30).entry.counts
            (forgotten,) = admin.ListForgotten(admin_pb2.ListForgottenRequest(), timeout=5).entries
        # The next backup takes what must stay gone beside the older ones; then the disk is gone.
        Path(back_up(installation)).unlink()
        installation.kill("daemon")
        acknowledged = stored.sequences(installation.store)
        shutil.rmtree(installation.store)
        shutil.rmtree(installation.folder / "etc")
        put_back(installation, backup)
        kept = stored.sequences(installation.store)
        installation.start("daemon")

        wait_until(lambda: installation.status().nodes_online == len(NODES), "All nodes, without a hand")
        restarted = windows(installation)
        wait_until(lambda: windows(installation) > restarted + 60, "Windows after the restore")
        with installation.admin() as admin:
            ask = admin_pb2.ListForgottenRequest()
            wait_until(lambda: admin.ListForgotten(ask, timeout=5).entries[0].state == "done", "The end of forgetting")
            assert [each.id for each in admin.ListForgotten(ask, timeout=5).entries] == [forgotten.id]
        again = installation.add_label("room0", "free", installation.now_utc_ms() - 90_000, installation.now_utc_ms())
        # Nodes know number 1 as the label that is lost.
        assert again.label.number > 1_000_000
        wait_until(lambda: learned(installation) > 0, "Learning after the restore")
        counted = nodes.finish()
    finally:
        nodes.kill()
    after = stored.sequences(installation.store)
    assert max(count for numbers in after.values() for count in numbers.values()) == 1
    room = {node: name for name, its in ROOMS.items() for node in its}
    for (node, boot), numbers in acknowledged.items():
        had, now = kept[node, boot], set(after[node, boot])
        # What the node let go of after the backup is lost; nothing else is, neither before nor behind it.
        missing = set(range(1, max(now) + 1)) - now
        lost = set(numbers) - set(had)
        if room[node] == "room0":
            assert missing <= lost
            assert missing == set(range(max(had) + 1, max(had) + 1 + len(missing)))
    status = installation.status()
    assert status.windows_lost == sum(
        len(set(range(1, max(after[key]) + 1)) - set(after[key]) - set(kept[key])) for key in kept
    )
    assert counted["reports_dropped"] == 0
    # What was forgotten is not there again.
    ends = [each.end_utc_ms for each in stored.windows(installation.store) if room[each.node] == "room1"]
    assert min(ends) > begun
    print(f"\nLost by nature: {status.windows_lost} windows of four nodes, of {status.windows}.")


def test_a_node_that_came_after_the_backup_comes_again_with_its_code(tmp_path: Path) -> None:
    """It knows the daemon, which does not know it: its code is enough, and nothing is taken over."""
    with installed(tmp_path / "site", {"room": [NODE]}, rate=60) as installation:
        folder = installation.folder
        etc = folder / "etc"
        etc.mkdir()
        (folder / "attuned.toml").rename(etc / "attuned.toml")
        (folder / "attuned.toml").symlink_to(etc / "attuned.toml")
        backup_key.make(WORDS).save(etc / "backup-key.toml")
        (folder / "words").write_text(WORDS)
        backup = back_up(installation)
        node = Node(folder, installation.node_port)
        try:
            code = node.start()
            installation.add_node(code)
            wait_until(lambda: trusted(installation), "The node")
            installation.kill("daemon")
            shutil.rmtree(installation.store)
            put_back(installation, backup)
            installation.start("daemon")
            time.sleep(2)
            assert not trusted(installation)
            # A node answers few calls a minute, and has had some: the installer switches it off and on.
            node.kill()
            assert node.start() == code
            installation.codes.clear()
            installation.add_node(code)
            wait_until(lambda: trusted(installation), "The node again")
        finally:
            node.stop()


def learned(installation: Installation) -> int:
    """Windows that nodes have learned with the newest label."""
    with installation.admin() as admin:
        return admin.ListLabels(admin_pb2.ListLabelsRequest(limit=1), timeout=5).labels[0].windows_learned


def trusted(installation: Installation) -> bool:
    """Whether the node has said hello since the daemon started."""
    return installation.node(NODE).last_heard_utc_ms > 0


@pytest.mark.parametrize("signer_lost", [False, True])
async def test_updates_go_on_above_the_numbers_that_nodes_report(
    tmp_path: Path, key: backup_key.BackupKey, signer_lost: bool
) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "attuned.toml").write_text(f'[site]\nname = "s"\n[store]\npath = "{tmp_path}/store"\n')
    places = Places(etc / "attuned.toml", tmp_path / "store", tmp_path / "signing")
    signing = SigningProcess(places.signer)
    signing.start()
    node: Node | None = None
    try:
        async with Served(places.state, signing) as site:
            node = Node(tmp_path, site.port)
            await site.site.site_store.releases.add([row(HEAD), row(LARGE)])
            await site.site.commissioning.add(node.start(), "", "", take_over=False)
            assert await site.committed(HEAD.id) == 1
        backup = make(places, key, tmp_path / "one.backup").path
        async with Served(places.state, signing, site.port) as site:
            assert await site.committed(LARGE.id) == 2
        signing.stop()
        shutil.rmtree(places.state)
        if signer_lost:
            (places.signer / "signed-numbers").unlink()
        restore(backup, key.stretching.private(WORDS), places.config, places.signer)
        signing.start()
        async with Served(places.state, signing, site.port) as site:
            # It has said what it runs, which this store has never seen go out.
            assert await site.committed(HEAD.id) == 3
    finally:
        if node is not None:
            node.stop()
        signing.stop()


class Served:
    """A site at work, and a port for the node program, the same at every start."""

    def __init__(self, store: Path, signing: SigningProcess, port: int = 0) -> None:
        self._work = site_at_work(store, signing.socket)
        self.port = port

    async def __aenter__(self) -> "Served":
        self.site = await self._work.__aenter__()
        self._gateway = Gateway(self.site)
        self._server = await asyncio.start_server(self._gateway.serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._server.close()
        if self._gateway.writer is not None:
            self._gateway.writer.close()
        await until(lambda: self._gateway.writer is None)
        await self._work.__aexit__(*error)

    async def committed(self, release: str) -> int:
        """The number under which a release came to the node and stayed."""
        deliveries = self.site.updating.deliveries

        def at(stage: Stage) -> bool:
            found = deliveries.of(NODE)
            return found is not None and (found.target, found.stage) == (release, stage)

        await until(lambda: NODE in self.site.hub.conversations)
        conversation = self.site.hub.conversations[NODE]
        await until(lambda: conversation.running is not None and conversation.running.signing_key == 1)
        await deliveries.want(NODE, release)
        await until(lambda: at(Stage.TRIAL))
        await deliveries.decide(NODE, commit=True)
        await until(lambda: at(Stage.COMMITTED))
        found = deliveries.of(NODE)
        assert found is not None
        return found.sequence
