"""The table of releases: what is added stays as it is, and one release of a node at a time is a candidate."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attuned.errors import NotFoundError, RequestError
from attuned.learning.retraining import check_approval, ready
from attuned.store.releases import CANDIDATE, DEPLOYED, REFUSED, SUPERSEDED, ReleaseRow, ReleaseStore
from attuned.store.site import SiteStore


def row(digits: str, node: str = "n", made: int = 1, state: str = CANDIDATE, room: str = "r") -> ReleaseRow:
    return ReleaseRow(digits * 8, room, node, made, state, "better", f"runs {digits}", 5, "a person", "{}", b"\x00{}")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ReleaseStore]:
    site = SiteStore(tmp_path)
    await site.open()
    yield site.releases
    await site.close()


async def states(store: ReleaseStore) -> dict[str, str]:
    return {found.id[:4]: found.state for found in await store.newest()}


async def test_a_new_candidate_supersedes_the_one_before(store: ReleaseStore) -> None:
    await store.add([row("aaaa"), row("bbbb", "m")])
    assert await store.add([row("cccc", made=2), row("bbbb", "m")]) == [row("cccc", made=2)]
    assert await states(store) == {"aaaa": SUPERSEDED, "bbbb": CANDIDATE, "cccc": CANDIDATE}
    await store.add([row("dddd", made=3, state=REFUSED)])
    found = await states(store)
    assert (found["cccc"], found["dddd"]) == (CANDIDATE, REFUSED)


async def test_what_a_node_says_it_runs_is_deployed(store: ReleaseStore) -> None:
    await store.add([row("aaaa")])
    await store.note_running("n", "runs aaaa")
    await store.add([row("bbbb", made=2)])
    assert await states(store) == {"aaaa": DEPLOYED, "bbbb": CANDIDATE}
    await store.note_running("n", "runs bbbb")
    assert await states(store) == {"aaaa": SUPERSEDED, "bbbb": DEPLOYED}
    await store.note_running("m", "runs bbbb")
    await store.note_running("n", "the factory release")
    assert await states(store) == {"aaaa": SUPERSEDED, "bbbb": SUPERSEDED}


async def test_only_what_a_node_did_not_run_before_is_news(store: ReleaseStore) -> None:
    await store.add([row("aaaa"), row("bbbb", made=2)])
    said = ["runs aaaa", "runs aaaa", "runs bbbb", "the factory release", "the factory release"]
    assert [await store.note_running("n", running) for running in said] == [True, False, True, True, False]


async def test_rooms_are_judged_as_the_newest_release_says_that_a_node_of_theirs_runs(store: ReleaseStore) -> None:
    def with_model(digits: str, dwell: int, **more: Any) -> ReleaseRow:
        return replace(row(digits, **more), body=b'{"model":{"dwell_s":[%d,9]}}' % dwell)

    rows = [with_model("aaaa", 1), with_model("bbbb", 2, node="m", made=2), with_model("cccc", 3, node="o", room="s")]
    gone = replace(with_model("dddd", 4, node="p", made=9), forgotten='[["label 1 p", 5]]')
    await store.add([*rows, gone, with_model("eeee", 5, node="q", made=8)])
    for node, digits in (("n", "aaaa"), ("m", "bbbb"), ("o", "cccc"), ("p", "dddd")):
        await store.note_running(node, f"runs {digits}")
    assert await store.room_models() == {"r": '{"dwell_s":[2,9]}', "s": '{"dwell_s":[3,9]}'}
    assert await store.room_models("s") == {"s": '{"dwell_s":[3,9]}'}
    assert await store.room_models("t") == {}


async def test_all_or_none_are_added(store: ReleaseStore) -> None:
    with pytest.raises(Exception, match="NOT NULL"):
        await store.add([row("aaaa"), replace(row("bbbb"), body=None)])  # type: ignore[arg-type]
    assert await store.newest() == []


async def test_found_by_the_first_digits(store: ReleaseStore) -> None:
    await store.add([row("abcd"), row("abce", "m", room="s")])
    assert await store.find("abcd") == row("abcd")
    assert [found.id[:4] for found in await store.newest("s")] == ["abce"]
    with pytest.raises(NotFoundError, match="attune release list"):
        await store.find("ffff")
    for digits in ("abc", "*", "", "ABCD", "abc?"):
        with pytest.raises(RequestError, match="hex digits"):
            await store.find(digits)


async def test_a_word_is_kept_with_a_candidate_and_lets_it_out(store: ReleaseStore) -> None:
    await store.add([replace(row("abcd"), id="abcd1111", verdict="too little evidence", state=CANDIDATE)])
    assert not ready(await store.find("abcd"))
    assert await store.approve("abcd1111", "ann", 5)
    found = await store.find("abcd")
    assert (found.approved_by, found.approved_utc_ms, ready(found)) == ("ann", 5, True)
    with pytest.raises(RequestError, match="already"):
        check_approval(found)


@pytest.mark.parametrize(
    ("state", "verdict", "said"),
    [(REFUSED, "worse", "worse than"), (SUPERSEDED, "better", "superseded"), (CANDIDATE, "better", "already")],
)
async def test_a_word_that_changes_nothing_is_refused(state: str, verdict: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        check_approval(replace(row("abcd"), state=state, verdict=verdict))


async def test_no_word_reaches_what_is_no_candidate_any_more(store: ReleaseStore) -> None:
    await store.add([replace(row("abcd"), id="abcd1111", verdict="too little evidence", state=SUPERSEDED)])
    assert not await store.approve("abcd1111", "ann", 5)
    assert (await store.find("abcd")).approved_by == ""


async def test_ambiguous_digits_are_refused(store: ReleaseStore) -> None:
    await store.add([replace(row("abcd"), id="abcd1111"), replace(row("abcd", "m"), id="abcd2222")])
    with pytest.raises(RequestError, match="more digits"):
        await store.find("abcd")
