"""What must stay gone: a store from before comes back, and what was forgotten, revoked or removed does not."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attuned import gone
from attuned.errors import StoreError, UnusableStoreError
from attuned.gone import Forgotten, Gone, GoneBook, Removed, Revoked
from attuned.opening import opened
from attuned.site import Site
from attuned.store.audit import DONE, RUNNING, AuditEntry, Selection
from attuned.store.beliefs import SaidRow
from attuned.store.gateways import GatewayRow, InvitationRow
from daemon_world import MINUTE, NOON, A, B, FakeClock, errands, opened_site, site_settings, window
from hypothesis import given
from hypothesis import strategies as st

STORE_FILES = ("attune.db", "windows.db")


async def site_at(folder: Path, clock: FakeClock | None = None) -> Site:
    site = await opened_site(folder, clock or FakeClock(), {"r": [A], "s": [B]})
    # Nothing waits to be written, and no task would write it.
    site.commits.flush = written  # type: ignore[method-assign]
    return site


async def written() -> None:
    """Stands for the commits task."""


async def filled(folder: Path) -> list[int]:
    """A closed store with ten windows of A, and when they end."""
    site = await site_at(folder)
    ends = [NOON - i * MINUTE for i in range(10, 0, -1)]
    await site.window_store.commit([window(i, end, node=A) for i, end in enumerate(ends, 1)], [])
    await site.close()
    return ends


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for name in STORE_FILES:
        shutil.copy(folder / name, to / name)
    return to


def put_back(folder: Path, copy: Path) -> None:
    """The store as it was, beside the file as it is."""
    for path in folder.glob("*.db*"):
        path.unlink()
    for name in STORE_FILES:
        shutil.copy(copy / name, folder / name)


async def windows_of(site: Site) -> list[int]:
    return [each.end_utc_ms for each in await site.window_store.windows_between([A, B], 0, 2 * NOON)]


async def test_what_was_forgotten_goes_again_before_anything_is_read(tmp_path: Path) -> None:
    ends = await filled(tmp_path / "store")
    before = copied(tmp_path / "store", tmp_path / "before")
    site = await site_at(tmp_path / "store")
    selection = Selection(ends[2], ends[6], room="r", rooms=("r",), nodes=(A,))
    entry = await site.oblivion.forget(selection, "ann")
    await site.close()
    assert [row.id for row in gone.read(tmp_path / "store" / gone.FILE).forgotten] == [entry.id]

    put_back(tmp_path / "store", before)
    site = await site_at(tmp_path / "store")
    assert await windows_of(site) == ends[:3] + ends[7:]
    (again,) = await site.forgetting.entries()
    assert (again.id, again.selection, again.author) == (entry.id, replace(selection, through_said=0), "ann")
    await errands(site)
    assert [each.state for each in await site.forgetting.entries()] == [DONE]
    await site.close()
    # No byte of them is left in the files either.
    put_back(tmp_path / "store", before)
    (tmp_path / "store" / gone.FILE).unlink()
    site = await site_at(tmp_path / "store")
    assert await windows_of(site) == ends
    await site.close()


async def test_it_is_written_down_before_anything_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = await filled(tmp_path)
    site = await site_at(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attuned.gone.write_durably", full)
    with pytest.raises(StoreError, match="make room"):
        await site.oblivion.forget(Selection(0, NOON, room="r", rooms=("r",), nodes=(A,)), "ann")
    with pytest.raises(StoreError, match="make room"):
        await site.commissioning.remove(A)
    assert await windows_of(site) == ends
    assert A in site.trust.nodes
    assert await site.forgetting.entries() == []
    await site.close()


async def forgotten_while_said(folder: Path) -> AuditEntry:
    """What a forgetting wrote down before the last windows were on the disk; something was said with those."""
    await filled(folder)
    site = await site_at(folder)

    async def say() -> None:
        await site.window_store.commit([], [SaidRow("r", NOON - MINUTE, 1, 0.9, NOON - MINUTE, NOON)])

    site.commits.flush = say  # type: ignore[method-assign]
    entry = await site.oblivion.forget(Selection(0, NOON, room="r", rooms=("r",), nodes=(A,)), "ann")
    assert (entry.selection.through_said, entry.counts["sayings"]) == (1, 1)
    await site.close()
    return replace(entry, selection=replace(entry.selection, through_said=0))


async def entry_at_start(folder: Path) -> AuditEntry:
    """The only entry, before anything was done beside the running daemon."""
    site = await site_at(folder)
    (entry,) = await site.forgetting.entries()
    await errands(site)
    await site.close()
    return entry


@pytest.mark.parametrize("earlier", [False, True])
async def test_what_is_done_is_not_carried_out_again(tmp_path: Path, earlier: bool) -> None:
    before = await forgotten_while_said(tmp_path)
    (row,) = gone.read(tmp_path / gone.FILE).forgotten
    assert row.through_said == 1
    if earlier:  # such as the list beside a backup that was made meanwhile
        gone.write(tmp_path / gone.FILE, Gone(forgotten=(Forgotten.of(before),)))
    for _ in range(2):
        entry = await entry_at_start(tmp_path)
        assert (entry.state, entry.counts["windows"]) == (DONE, 10)
        assert gone.read(tmp_path / gone.FILE).forgotten == (row,)


async def test_what_was_to_go_by_the_list_alone_goes(tmp_path: Path) -> None:
    """The daemon died as the last sayings were written down there, or its store was copied just before."""
    before = await forgotten_while_said(tmp_path)
    site = await site_at(tmp_path)
    for audit in (site.site_store.audit, site.window_store.audit):
        await audit.write(replace(before, state=DONE))
    await site.close()
    entry = await entry_at_start(tmp_path)
    assert (entry.state, entry.selection.through_said) == (RUNNING, 1)
    entry = await entry_at_start(tmp_path)
    assert (entry.state, entry.selection.through_said) == (DONE, 1)


async def test_a_revoked_gateway_is_not_let_in_again(tmp_path: Path) -> None:
    site = await site_at(tmp_path / "store")
    for name, enrolment in (("north", "aa"), ("south", "bb")):
        await site.site_store.gateways.enrol(
            InvitationRow(enrolment.encode(), name, NOON), GatewayRow(name, enrolment, NOON, 2 * NOON)
        )
    await site.close()
    before = copied(tmp_path / "store", tmp_path / "before")
    site = await site_at(tmp_path / "store")
    await site.gateways.revoke("north")
    revoked_utc_ms = site.gateways.rows["north"].revoked_utc_ms
    await site.close()
    put_back(tmp_path / "store", before)
    site = await site_at(tmp_path / "store")
    assert site.gateways.rows["north"].revoked_utc_ms == revoked_utc_ms > 0
    assert site.gateways.rows["south"].revoked_utc_ms == 0
    await site.close()


async def test_one_that_was_enrolled_anew_stays(tmp_path: Path) -> None:
    book = GoneBook(tmp_path / gone.FILE)
    site = await site_at(tmp_path)
    await book.add(gateways=[Revoked(name="north", enrolment="aa", utc_ms=NOON)])
    await site.site_store.gateways.enrol(
        InvitationRow(b"new", "north", NOON), GatewayRow("north", "bb", NOON, 2 * NOON)
    )
    await site.close()
    site = await site_at(tmp_path)
    assert site.gateways.rows["north"].revoked_utc_ms == 0
    await site.close()


async def test_a_removed_node_is_not_trusted_again(tmp_path: Path) -> None:
    site = await site_at(tmp_path / "store")
    for node in (A, B):
        await site.site_store.keys.trust(site.trust.nodes[node])
    since_utc_ms = site.trust.nodes[A].since_utc_ms
    await site.close()
    before = copied(tmp_path / "store", tmp_path / "before")
    site = Site(site.settings, FakeClock(), None)
    await site.open()
    assert {A, B} <= set(site.trust.nodes)
    await site.commissioning.remove(A)
    await site.close()
    put_back(tmp_path / "store", before)
    site = Site(site.settings, FakeClock(), None)
    await site.open()
    assert set(site.trust.nodes) == {B}
    assert since_utc_ms <= gone.read(tmp_path / "store" / gone.FILE).nodes[0].utc_ms
    await site.close()


async def test_a_node_that_was_added_again_stays(tmp_path: Path) -> None:
    site = await site_at(tmp_path)
    node = site.trust.nodes[A]
    await site.site_store.keys.trust(node)
    await site.gone.add(nodes=[Removed(node=A, utc_ms=node.since_utc_ms - 1)])
    await site.close()
    site = Site(site.settings, FakeClock(), None)
    await site.open()
    assert A in site.trust.nodes
    await site.close()


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"format": 2}', b'{"forgotten": [{"id": "x"}]}', b"[]"])
async def test_a_damaged_file_stops_no_daemon_and_lies_aside(tmp_path: Path, text: bytes) -> None:
    (tmp_path / gone.FILE).write_bytes(text)
    with pytest.raises(StoreError, match="is damaged"):
        gone.read(tmp_path / gone.FILE)
    site = await site_at(tmp_path)
    await site.close()
    assert (tmp_path / gone.FILE).with_suffix(".damaged").read_bytes() == text


def damaged(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.damaged"))


async def test_a_second_damaged_file_lies_beside_the_first(tmp_path: Path) -> None:
    for number, text in enumerate((b"first", b"second", b"third"), 1):
        (tmp_path / gone.FILE).write_bytes(text)
        await (await site_at(tmp_path)).close()
        assert len(damaged(tmp_path)) == number
    assert {path.read_bytes() for path in damaged(tmp_path)} == {b"first", b"second", b"third"}


@pytest.mark.parametrize(("number", "kind"), [(errno.EACCES, UnusableStoreError), (errno.EIO, StoreError)])
async def test_a_file_that_cannot_be_read_now_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreError]
) -> None:
    await (await site_at(tmp_path)).close()
    said = Gone(nodes=(Removed(node=A, utc_ms=5),))
    gone.write(tmp_path / gone.FILE, said)
    once = Path.open

    def unreadable(path: Path, *more: Any, **named: Any) -> Any:
        if path.name == gone.FILE:
            raise OSError(number, os.strerror(number))
        return once(path, *more, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", unreadable)
        with pytest.raises(StoreError, match=r"gone\.json cannot be read") as refused:
            await opened(lambda: Site(site_settings(tmp_path), FakeClock(), None))
    assert type(refused.value) is kind
    assert (gone.read(tmp_path / gone.FILE), damaged(tmp_path)) == (said, [])


async def test_who_hears_that_a_removal_failed_hears_that_it_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await site_at(tmp_path)
    await site.site_store.keys.trust(site.trust.nodes[A])

    async def refuse(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(site.site_store.keys, "forget", refuse)
    with pytest.raises(StoreError) as failed:
        await site.commissioning.remove(A)
    assert str(failed.value) == (
        f"The disk is full. That node {A} goes is written down in gone.json all the same: ask again, or it happens "
        "when the daemon starts next."
    )
    await site.close()
    site = Site(site.settings, FakeClock(), None)
    await site.open()
    assert A not in site.trust.nodes
    await site.close()


ROWS = st.builds(
    Gone,
    gateways=st.lists(
        st.builds(Revoked, name=st.sampled_from("ab"), enrolment=st.sampled_from(["0a", "0b"]), utc_ms=st.just(5)),
        max_size=3,
    ).map(tuple),
    nodes=st.lists(st.builds(Removed, node=st.sampled_from([A, B]), utc_ms=st.integers(0, 9)), max_size=3).map(tuple),
    forgotten=st.lists(
        st.builds(
            lambda number, through: Forgotten.of(
                AuditEntry(number, 7, "ann", Selection(0, 1, rooms=("r",), through_said=through))
            ),
            st.sampled_from("abc"),
            st.integers(-1, 2),
        ),
        max_size=3,
    ).map(tuple),
)


@given(ROWS, ROWS, ROWS)
def test_bringing_copies_together_has_no_order_and_loses_nothing(a: Gone, b: Gone, c: Gone) -> None:
    assert a | b == b | a
    assert (a | b) | c == a | (b | c)
    assert (a | b) | a == a | b
    assert {row.id for row in (a | b).forgotten} == {row.id for row in (*a.forgotten, *b.forgotten)}
    assert {row.node for row in (a | b).nodes} == {row.node for row in (*a.nodes, *b.nodes)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    selection = Selection(1, 2, source="import", rooms=("2.13",), nodes=())
    said = Gone(
        forgotten=(Forgotten.of(AuditEntry("0f", 3, "änn", selection, through_label=17)),),
        gateways=(Revoked(name="north", enrolment="aa", utc_ms=4),),
        nodes=(Removed(node=A, utc_ms=5),),
    )
    gone.write(tmp_path / gone.FILE, said)
    assert gone.read(tmp_path / gone.FILE) == said
    assert said.forgotten[0].entry.selection == selection
    assert (tmp_path / gone.FILE).stat().st_mode & 0o777 == 0o600
