"""Releases on their way to a node that takes updates as the core does; what may fail: test_update_survival.py."""

from typing import Any

import pytest
import update_world as world
from attune_core.update import Model
from attuned.errors import NotFoundError, RequestError
from attuned.nodes.sealed import AROUND
from attuned.nodes.window import Window
from attuned.store.releases import ReleaseRow
from attuned.updates.chunks import LARGEST_CHUNK
from attuned.updates.delivery import Stage
from attuned.updates.envelope import Kind
from daemon_world import MINUTE
from delivery_world import (
    NODE,
    Daemon,
    FakeNode,
    FakeReleases,
    FakeSigner,
    large,
    ready,
    release,
    row,
)

HEAD, LARGE = release(1), large(1)


async def committed(daemon: Daemon, target: str) -> None:
    await daemon.deliveries.want(NODE, target)
    await daemon.settle()
    await daemon.deliveries.decide(NODE, commit=True)
    await daemon.settle()
    assert daemon.stage is Stage.COMMITTED


def window(end_utc_ms: int) -> Window:
    return Window(NODE, 1, 1, 60, end_utc_ms, 0, b"", b"")


async def test_over_bluetooth_each_chunk_goes_in_one_part() -> None:
    """243 bytes at an ATT MTU of 247; what fits a frame goes whole, in several parts, as elsewhere."""
    daemon = await ready(LARGE)
    daemon.conversation.part = 243
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    chunks = [each for each in daemon.sent if each.HasField("update_chunk")]
    sizes = [AROUND + each.ByteSize() for each in chunks]
    assert max(sizes) == 243
    assert daemon.stage is Stage.TRIAL
    # On a line that says nothing of parts they are as large as a node takes.
    daemon = await ready(LARGE)
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    assert max(len(each.update_chunk.data) for each in daemon.sent) == LARGEST_CHUNK


async def test_a_node_is_waited_for_while_its_delivery_cannot_go_on_without_it() -> None:
    daemon = await ready(LARGE)
    deliveries = daemon.deliveries

    def waits() -> tuple[str, bool, bool]:
        return str(daemon.stage), deliveries.waits_for(NODE), deliveries.is_sending(NODE)

    daemon.online = False
    await deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    assert waits() == ("sending", True, True)
    await daemon.connect()
    assert waits() == ("trial", False, False)
    daemon.online = False
    await deliveries.decide(NODE, commit=True)
    assert waits() == ("committing", True, False)
    await daemon.connect()
    assert waits() == ("committed", False, False)


@pytest.mark.parametrize("part", [1, 19, 88, 2**32 - 1])
async def test_parts_of_any_size_carry_an_update(part: int) -> None:
    daemon = await ready(LARGE)
    daemon.conversation.part = part
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    assert daemon.stage is Stage.TRIAL


@pytest.mark.parametrize("made", [HEAD, LARGE], ids=["head", "model"])
async def test_a_release_comes_to_a_node(made: object) -> None:
    daemon = await ready(made)  # type: ignore[arg-type]
    await committed(daemon, made.id)  # type: ignore[attr-defined]
    assert [each.stage.value for each in daemon.heard] == ["waiting", "sending", "trial", "committing", "committed"]
    assert daemon.node.committed.digest.hex() == made.running_digest  # type: ignore[attr-defined]
    assert daemon.delivery is not None
    assert (daemon.delivery.sequence, daemon.delivery.before) == (1, world.base().digest.hex())
    assert daemon.store.rows[NODE].signed is None


async def test_a_head_goes_in_one_message() -> None:
    daemon = await ready(HEAD)
    await committed(daemon, HEAD.id)
    # 22 bytes, label, 125 of the head, signature.
    assert [len(envelope) for envelope in daemon.node.taken] == [22 + 4 + 125 + 64]
    assert [each.WhichOneof("body") for each in daemon.sent] == ["command", "update", "trial_decision"]


async def test_back_to_what_it_ran_before_with_a_higher_number() -> None:
    daemon = await ready(HEAD)
    await committed(daemon, HEAD.id)
    await committed(daemon, "factory")
    assert daemon.node.committed.digest == world.base().digest
    assert [int.from_bytes(envelope[2:6], "little") for envelope in daemon.node.taken] == [1, 2]
    # The node takes the old content once more, under a new number.
    await committed(daemon, HEAD.id)
    assert (daemon.node.committed.digest.hex(), daemon.node.highest) == (HEAD.running_digest, 3)


async def test_onto_what_nobody_knows_goes_a_whole_model() -> None:
    unknown = Model(world.taught(9), world.SCHEMA)
    daemon = await ready(HEAD, node=FakeNode(committed=unknown))
    await committed(daemon, HEAD.id)
    assert daemon.node.taken[0][1] == Kind.MODEL


async def test_what_the_node_runs_already_is_not_sent() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, "factory")
    await daemon.settle()
    assert (daemon.stage, daemon.signer.signed) == (Stage.COMMITTED, {})


async def test_a_word_against_it() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    await daemon.deliveries.decide(NODE, commit=False)
    assert daemon.heard[-1].stage is Stage.ENDING
    await daemon.settle()
    assert (daemon.stage, daemon.node.trial, daemon.node.committed.digest) == (Stage.ENDED, None, world.base().digest)
    await daemon.deliveries.decide(NODE, commit=True)
    assert daemon.stage is Stage.ENDED


async def test_a_word_against_it_before_the_node_has_heard() -> None:
    """Its trial, of which nobody knew, is ended when the node comes."""
    daemon = await ready(HEAD)
    lost = iter([False, True, True])
    daemon.lose = lambda: next(lost, False)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert (daemon.stage, daemon.node.trial is None) == (Stage.SENDING, False)
    await daemon.deliveries.decide(NODE, commit=False)
    assert daemon.stage is Stage.ENDED
    await daemon.say()
    assert (daemon.stage, daemon.node.trial) == (Stage.ENDED, None)


async def test_another_wish_ends_the_one_before() -> None:
    daemon = await ready(HEAD)
    daemon.releases.rows.append(row(LARGE))
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert daemon.stage is Stage.TRIAL
    daemon.heard.clear()
    await daemon.deliveries.want(NODE, LARGE.id)
    assert [(each.target, each.stage) for each in daemon.heard] == [
        (HEAD.id, Stage.ENDED),
        (LARGE.id, Stage.WAITING),
    ]
    await daemon.settle()
    await daemon.live(20)
    assert (daemon.stage, daemon.delivery and daemon.delivery.sequence) == (Stage.TRIAL, 2)
    assert daemon.node.committed.digest == world.base().digest


async def test_without_the_signing_process_it_waits_and_says_so() -> None:
    daemon = await ready(HEAD)
    daemon.signer.away = True
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert daemon.delivery is not None
    assert (daemon.stage, "start it" in daemon.delivery.reason) == (Stage.WAITING, True)
    daemon.signer.away = False
    await daemon.live(60)
    assert (daemon.stage, daemon.delivery.reason) == (Stage.TRIAL, "")


async def test_a_node_that_is_away_gets_it_when_it_comes() -> None:
    daemon = Daemon(releases=FakeReleases([row(LARGE)]))
    await daemon.keys.ask()
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.live(3600)
    assert (daemon.stage, daemon.sent) == (Stage.WAITING, [])
    await daemon.connect()
    assert daemon.stage is Stage.TRIAL


async def test_what_was_begun_goes_on_where_the_node_is() -> None:
    daemon = await ready(LARGE)
    daemon.lose = lambda: sum(each.HasField("update_chunk") for each in daemon.sent) > 3
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.settle()
    have = len(daemon.node.incoming)
    assert 0 < have < 1900
    daemon = daemon.again()
    await daemon.deliveries.open()
    await daemon.keys.ask()
    await daemon.connect()
    # A question, and then what was missing.
    offsets = [each.update_chunk.offset for each in daemon.sent if each.HasField("update_chunk")]
    assert (offsets[:2], daemon.stage) == ([0, have], Stage.TRIAL)


async def test_a_node_that_goes_back_by_itself() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    daemon.node.go_back(2)
    await daemon.say()
    assert daemon.delivery is not None
    assert (daemon.stage, daemon.delivery.reason) == (
        Stage.FAILED,
        "The node went back: nobody decided while the trial lasted.",
    )


async def test_a_node_that_has_all_and_says_nothing_gets_another_envelope() -> None:
    daemon = await ready(LARGE)
    node = daemon.node
    judge = node._judge
    node._judge = lambda envelope: []  # type: ignore[method-assign]
    await daemon.deliveries.want(NODE, LARGE.id)
    await daemon.live(20)
    node._judge = judge  # type: ignore[method-assign]
    await daemon.live(600)
    assert (daemon.stage, node.highest) == (Stage.TRIAL, 2)


@pytest.mark.parametrize("result", [2, 3, 4, 6, 7])
async def test_what_the_node_refuses_has_failed(result: int) -> None:
    daemon = await ready(HEAD)
    daemon.node.refuse = result
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.live(60)
    assert daemon.stage is Stage.FAILED


async def test_a_trial_of_which_nothing_is_known_is_ended() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    daemon.store.rows.clear()
    daemon = daemon.again()
    await daemon.deliveries.open()
    await daemon.connect()
    assert daemon.node.trial is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"hardware": ""}, "flash the firmware"),
        ({"class_capacity": 2}, "tells 3 classes apart, the node has room for 2"),
    ],
)
async def test_a_node_that_cannot_run_it(more: dict[str, object], said: str) -> None:
    made = release(1, state=world.taught(1, classes=3).export().hex())
    daemon = Daemon(releases=FakeReleases([row(made)]))
    await daemon.keys.ask()
    hello = daemon.node.hello
    daemon.node.hello = lambda: type(hello())(  # type: ignore[method-assign]
        **{field.name: getattr(hello(), field.name) for field in hello().DESCRIPTOR.fields} | more
    )
    await daemon.connect()
    await daemon.deliveries.want(NODE, made.id)
    await daemon.settle()
    assert daemon.delivery is not None
    assert (daemon.stage, said in daemon.delivery.reason) == (Stage.FAILED, True)


@pytest.mark.parametrize("more", [{"schema_hash": "00" * 8}, {"types": {}}])
async def test_a_release_for_other_sensors(more: dict[str, Any]) -> None:
    made = release(1, **more)
    daemon = await ready(made)
    await daemon.deliveries.want(NODE, made.id)
    await daemon.settle()
    assert daemon.delivery is not None
    assert (daemon.stage, "other sensors" in daemon.delivery.reason) == (Stage.FAILED, True)


async def test_a_release_whose_name_does_not_fit_its_content() -> None:
    """As of a version that built it otherwise: nothing is sent that the node would call by another name."""
    made = release(1, state=HEAD.state[:-2])
    daemon = await ready(made)
    await daemon.deliveries.want(NODE, made.id)
    await daemon.settle()
    assert (daemon.stage, daemon.signer.signed) == (Stage.FAILED, {})


def changed(**more: object) -> ReleaseRow:
    return ReleaseRow(**(row(HEAD).__dict__ | more))


async def test_what_cannot_be_wanted() -> None:
    daemon = await ready(HEAD)
    wanted = daemon.deliveries.want
    with pytest.raises(NotFoundError, match="There is no node"):
        await wanted("00" * 8, HEAD.id)
    with pytest.raises(NotFoundError):
        await wanted(NODE, LARGE.id)
    with pytest.raises(RequestError, match="whole id"):
        await wanted(NODE, HEAD.id[:8])
    daemon.releases.rows = [changed(node="11" * 8)]
    with pytest.raises(RequestError, match="is for node 1111"):
        await wanted(NODE, HEAD.id)
    daemon.releases.rows = [changed(forgotten='[["label 1", 5]]')]
    with pytest.raises(RequestError, match="were forgotten"):
        await wanted(NODE, HEAD.id)
    daemon.deliveries._signer = None
    with pytest.raises(RequestError, match=r"\[updates\] signer"):
        await wanted(NODE, HEAD.id)
    assert daemon.delivery is None


async def test_inputs_are_forgotten_while_it_is_under_way() -> None:
    for online, stage in ((False, Stage.FAILED), (True, Stage.ENDED)):
        daemon = await ready(HEAD)
        daemon.online = online
        await daemon.deliveries.want(NODE, HEAD.id)
        await daemon.settle()
        daemon.releases.rows = [changed(forgotten='[["label 1", 5]]')]
        await daemon.deliveries.forget()
        await daemon.settle()
        assert (daemon.stage, daemon.node.trial) == (stage, None)


async def test_windows_of_the_trial_are_counted_and_kept() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    daemon.heard.clear()
    for trial in (1, 2, 17):
        daemon.clock.now += MINUTE
        daemon.deliveries.weighed(window(daemon.clock.now), trial)
    await daemon.settle()
    assert daemon.delivery is not None
    assert (daemon.delivery.windows, daemon.delivery.differing, daemon.heard) == (3, 1, [])
    await daemon.live(70)
    assert [(each.windows, each.differing) for each in daemon.heard] == [(3, 1)]
    daemon = daemon.again()
    await daemon.deliveries.open()
    assert daemon.delivery is not None
    assert (daemon.delivery.windows, daemon.delivery.differing) == (3, 1)


async def test_a_node_that_was_removed() -> None:
    daemon = await ready(HEAD)
    await daemon.deliveries.want(NODE, HEAD.id)
    daemon.deliveries.gone(NODE)
    await daemon.settle()
    assert (daemon.delivery, daemon.store.rows, daemon.heard[-1].stage) == (None, {}, Stage.FAILED)


async def test_a_number_that_has_no_successor() -> None:
    daemon = await ready(HEAD, node=FakeNode(highest=2**32 - 1))
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert daemon.stage is Stage.FAILED


async def test_a_signer_that_refuses_every_number() -> None:
    daemon = await ready(HEAD, signer=Stubborn())
    await daemon.deliveries.want(NODE, HEAD.id)
    await daemon.settle()
    assert daemon.stage is Stage.WAITING


class Stubborn(FakeSigner):
    """Has always signed a higher number."""

    async def sign(self, update: object, key: bytes) -> bytes:
        self.signed = {update.sequence + 1: update}  # type: ignore[attr-defined, dict-item]
        return await super().sign(update, key)  # type: ignore[arg-type]
