"""A power cut before each change of the disk, where nothing that was not synced is left, or all names, or some bytes:
what was acknowledged by then is there, and the site opens."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import make_store
import pytest
import storing
from attuned.errors import AttuneError
from attuned.opening import opened
from attuned.site import Site
from attuned.store.copies import copies
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from daemon_world import FakeClock
from lossy_disk import CALLS, LossyDisk, State
from system_calls import traced

FIXTURES = Path(__file__).parents[1] / "fixtures"
STORING = Path(__file__).with_name("storing.py")


def run(folder: Path, what: str) -> Path:
    """The trace of the program at work in a folder of `folder`."""
    trace = folder.with_name("trace")
    command = traced(trace, [sys.executable, str(STORING), str(folder / "store"), what], CALLS)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return trace


def cuts(disk: LossyDisk, trace: Path) -> Iterator[tuple[str, State]]:
    """What was said by then and what is left, each state of the disk once for each thing said."""
    seen = set()
    for said in disk.follow(trace):
        for state in disk.left():
            digest = hashlib.sha256(repr((said, sorted(state.items()))).encode()).digest()
            if digest not in seen:
                seen.add(digest)
                yield said, state


def put(state: State, before: Path, after: Path) -> Path:
    shutil.rmtree(after, ignore_errors=True)
    after.mkdir()
    for path, data in state.items():
        there = after / Path(path).relative_to(before)
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        there.write_bytes(data)
    return after / "store"


async def check(store: Path, said: str) -> None:
    """The site opens with all that was acknowledged."""
    promised: dict[str, set[str]] = {}
    for kind, _, which in (line.partition(" ") for line in said.splitlines()):
        promised.setdefault(kind, set()).add(which)
    site = await opened(lambda: Site(storing.settings(store), FakeClock(storing.START_UTC_MS), None))
    try:
        windows = await site.window_store.windows_between([storing.NODE], 0, 2 * storing.START_UTC_MS)
        assert promised.get("window", set()) <= {str(window.seq) for window in windows}
        assert len({window.seq for window in windows}) == len(windows)
        labels, forgotten = {str(row.number) for row in await site.site_store.labels()}, await site.forgetting.entries()
        # What was begun to be forgotten is carried out.
        assert labels == set() if forgotten else promised.get("label", set()) <= labels
        assert promised.get("node", set()) <= set(site.trust.nodes)
        assert promised.get("key", set()) <= {secret.hex() for secret in site.trust.own.secrets}
        assert promised.get("forgotten", set()) <= {entry.id for entry in forgotten}
    finally:
        await site.close()


async def live_and_cut(folder: Path, what: str, every: int) -> int:
    """Checks each `every`th state that a cut leaves; how many there are."""
    (folder / "disk").mkdir()
    disk, count = LossyDisk(folder / "disk"), 0
    for said, state in cuts(disk, run(folder / "disk", what)):
        count += 1
        if count % every == 0:
            await check(put(state, folder / "disk", folder / "after"), said)
    return count


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
async def test_what_is_acknowledged_outlives_a_power_cut_at_any_moment(tmp_path: Path, every: int) -> None:
    assert await live_and_cut(tmp_path, "live", every) > 300


@pytest.mark.slow
@pytest.mark.parametrize("what", ["unsynced", "nameless"])
async def test_a_store_that_does_not_sync_is_found_out(tmp_path: Path, what: str) -> None:
    with pytest.raises((AssertionError, AttuneError)):
        await live_and_cut(tmp_path, what, 1)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
async def test_an_upgrade_that_the_power_cuts_off_goes_on(tmp_path: Path, every: int) -> None:
    before, old = tmp_path / "disk", dump(FIXTURES / "store-8" / "attune.db")
    shutil.copytree(FIXTURES / "store-8", before / "store")
    disk, count = LossyDisk(before), 0
    for said, state in cuts(disk, run(before, "upgrade")):
        count += 1
        if count % every == 0:
            store = put(state, before, tmp_path / "after")
            for copy in copies(store / "attune.db"):
                assert dump(copy) == old
            assert copies(store / "attune.db") or "upgraded" not in said
            await check_upgraded(store)
    assert count > 80


async def check_upgraded(store: Path) -> None:
    """Both files open with what the older version had."""
    site, windows = SiteStore(store), WindowStore(store)
    await site.open()
    await windows.open()
    assert await site.facts() == make_store.FACTS
    assert len(await windows.windows_between([make_store.A, make_store.B], 0, 1 << 42)) == 4
    await site.close()
    await windows.close()
