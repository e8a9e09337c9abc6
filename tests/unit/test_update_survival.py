"""Releases on their way while messages get lost, either side loses its power, backups return, and keys change."""

import random

import pytest
from attuned.updates.delivery import Stage
from delivery_world import NODE, Daemon, FakeReleases, Power, PowerError, ready, row
from hypothesis import given, settings
from hypothesis import strategies as st
from test_update_deliveries import HEAD, LARGE, committed


async def drive(daemon: Daemon, target: str) -> None:
    """What a rollout does, from wherever things stand, until the node runs the target."""
    await daemon.deliveries.open()
    await daemon.keys.ask()
    await daemon.connect()
    for _ in range(200):
        if daemon.delivery is None:
            await daemon.deliveries.want(NODE, target)
        if daemon.stage is Stage.TRIAL:
            await daemon.deliveries.decide(NODE, commit=True)
        await daemon.settle()
        if daemon.stage is Stage.COMMITTED:
            return
        await daemon.live(30)
        await daemon.say()
    raise AssertionError(daemon.delivery)


def check_numbers(daemon: Daemon) -> None:
    """Every envelope that was ever sent has a number of its own, and none is lower than one before it."""
    numbers = [int.from_bytes(envelope[2:6], "little") for envelope in daemon.node.taken]
    assert numbers == sorted(set(numbers))


async def cut_off(made: object, at: int) -> bool:
    """Whether the power failed at that moment."""
    daemon = Daemon(releases=FakeReleases([row(made)]))  # type: ignore[arg-type]
    daemon.store.power = Power(at)
    try:
        await drive(daemon, made.id)  # type: ignore[attr-defined]
    except PowerError:
        daemon = daemon.again()
        await drive(daemon, made.id)  # type: ignore[attr-defined]
        cut = True
    else:
        cut = False
    assert daemon.node.committed.digest.hex() == made.running_digest  # type: ignore[attr-defined]
    check_numbers(daemon)
    return cut


@pytest.mark.parametrize("made", [HEAD, LARGE], ids=["head", "model"])
async def test_the_daemon_may_end_at_any_moment(made: object) -> None:
    moments = 0
    while await cut_off(made, moments):
        moments += 1
    # Four stages and a number are written, each with a moment before and after; keys, parts and the decision are sent.
    assert moments >= 12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([HEAD, LARGE]))
async def test_over_a_link_that_loses_and_through_restarts(seed: int, made: object) -> None:
    draw = random.Random(seed)
    daemon = Daemon(releases=FakeReleases([row(made)]))  # type: ignore[arg-type]
    await daemon.deliveries.open()
    for turn in range(60):
        daemon.lose = lambda: draw.random() < 0.3
        if daemon.delivery is None:
            await daemon.deliveries.want(NODE, made.id)  # type: ignore[attr-defined]
        if daemon.stage is Stage.TRIAL and draw.random() < 0.5:
            await daemon.deliveries.decide(NODE, commit=True)
        if draw.random() < 0.1:
            daemon = daemon.again()
            await daemon.deliveries.open()
        if draw.random() < 0.1:
            daemon.signer.rotate()
        if draw.random() < 0.2 or turn == 0:
            daemon.node.boot += 1
            await daemon.connect()
        await daemon.live(60)
        await daemon.say()
    daemon.lose = lambda: False
    await drive(daemon.again(), made.id)  # type: ignore[attr-defined]
    assert daemon.node.committed.digest.hex() == made.running_digest  # type: ignore[attr-defined]
    check_numbers(daemon)


@pytest.mark.parametrize("made", [HEAD, LARGE], ids=["head", "model"])
async def test_a_node_whose_power_fails_between_number_and_trial_gets_another(made: object) -> None:
    daemon = await ready(made)  # type: ignore[arg-type]
    daemon.node.cuts = 1
    await committed(daemon, made.id)  # type: ignore[attr-defined]
    stages = ["waiting", "sending", "waiting", "sending", "trial", "committing", "committed"]
    assert [each.stage.value for each in daemon.heard] == stages
    assert daemon.node.highest == 2


async def test_twice_is_a_failure() -> None:
    daemon = await ready(HEAD)
    daemon.node.cuts = 2
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert (daemon.stage, daemon.node.highest) == (Stage.FAILED, 2)


async def test_a_store_from_a_backup_goes_on_above_what_it_hears() -> None:
    daemon = await ready(HEAD)
    for target in (HEAD.id, "factory", HEAD.id):
        await committed(daemon, target)
    daemon.store.rows.clear()
    daemon.store.numbers.clear()
    daemon = daemon.again()
    await daemon.keys.ask()
    await daemon.connect()
    await committed(daemon, "factory")
    assert daemon.node.highest == 4
    check_numbers(daemon)


async def test_what_was_signed_and_never_came_is_not_signed_otherwise() -> None:
    """A restored store does not know it, and the node has never heard of it; who signs does."""
    daemon = await ready(HEAD)
    daemon.online = False
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert list(daemon.signer.signed) == [1]
    daemon.store.rows.clear()
    daemon.store.numbers.clear()
    daemon.releases.rows.append(row(LARGE))
    daemon = daemon.again()
    await daemon.keys.ask()
    await daemon.connect()
    await committed(daemon, LARGE.id)
    assert daemon.node.highest == 2


async def test_a_restored_store_whose_delivery_went_on_without_it() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    then = dict(daemon.store.rows)
    await daemon.deliveries.decide(NODE, commit=True)
    await daemon.settle()
    daemon.store.rows.update(then)
    daemon = daemon.again()
    await daemon.deliveries.open()
    assert daemon.delivery == then[NODE].delivery
    await daemon.connect()
    assert daemon.stage is Stage.COMMITTED


async def test_a_key_that_changes_while_an_envelope_is_under_way() -> None:
    daemon = await ready(LARGE)
    daemon.lose = lambda: len(daemon.node.incoming) > 900
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    daemon.signer.rotate()
    daemon.lose = lambda: False
    await daemon.keys.ask()
    daemon.keys.tell(daemon.conversation)
    await daemon.live(60)
    assert (daemon.stage, daemon.node.number, daemon.node.highest) == (Stage.TRIAL, 2, 2)


async def test_a_node_that_slept_through_many_keys_follows_them_all() -> None:
    daemon = await ready(HEAD)
    daemon.online = False
    for _ in range(7):
        daemon.signer.rotate()
    await daemon.keys.ask()
    await daemon.connect()
    assert daemon.node.number == 8
    await committed(daemon, HEAD.id)


async def test_a_node_ahead_of_the_keys_waits_for_a_newer_backup() -> None:
    daemon = await ready(HEAD)
    daemon.signer.rotate()
    await daemon.keys.ask()
    await daemon.say()
    assert daemon.node.number == 2
    daemon.signer.keys_made.pop()
    await daemon.keys.ask()
    sent = len(daemon.sent)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert daemon.delivery is not None
    assert (daemon.stage, "restore signing-key" in daemon.delivery.reason) == (Stage.WAITING, True)
    assert len(daemon.sent) == sent


async def test_a_clock_that_goes_back_holds_no_delivery_up() -> None:
    daemon = await ready(LARGE)
    daemon.lose = lambda: True
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.live(60)
    assert str(daemon.stage) == "sending"
    daemon.clock.now -= 365 * 24 * 3_600_000
    daemon.lose = lambda: False
    await daemon.live(300)
    assert str(daemon.stage) == "trial"
