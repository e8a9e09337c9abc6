"""The course of one delivery, whatever is heard and in whatever order: no I/O, no node, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import update_world as world
from attune_proto.v1 import node_pb2
from attuned.nodes.running import Running, TrialEnd
from attuned.nodes.sealed import TEXT_LIMIT
from attuned.updates import delivery as machine
from attuned.updates.chunks import transfer_id
from attuned.updates.delivery import Course, Signed, Stage, Step
from attuned.updates.envelope import Kind
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_000_000
BASE = world.base().digest.hex()
OTHER = "ee" * 16
SEQUENCE = world.SEQUENCE

# What may follow what, besides itself.
AFTER = {
    Stage.WAITING: {Stage.SENDING, Stage.ENDED},
    Stage.SENDING: {Stage.TRIAL, Stage.COMMITTED, Stage.FAILED, Stage.WAITING, Stage.ENDED},
    Stage.TRIAL: {Stage.COMMITTING, Stage.ENDING, Stage.COMMITTED, Stage.FAILED},
    Stage.COMMITTING: {Stage.COMMITTED, Stage.FAILED},
    Stage.ENDING: {Stage.ENDED, Stage.COMMITTED},
    Stage.COMMITTED: set[Stage](),
    Stage.ENDED: set[Stage](),
    Stage.FAILED: set[Stage](),
}


def signed(kind: Kind) -> Signed:
    return Signed(SEQUENCE, world.made(kind).envelope, BASE, 1, NOW)


def heard(**more: object) -> Running:
    return replace(Running(BASE, highest=SEQUENCE - 1, signing_key=1), **more)  # type: ignore[arg-type]


def sending(kind: Kind = Kind.HEAD) -> Course:
    course = replace(machine.wanted("n", "t", BASE, NOW), heard=heard())
    return machine.sign(course, signed(kind), NOW).course


def on_trial() -> Course:
    return machine.hear(sending(), heard(highest=SEQUENCE, trial=SEQUENCE), NOW, fresh=False).course


RESULT = signed(Kind.HEAD).result

runnings = st.builds(
    Running,
    st.sampled_from([BASE, RESULT, OTHER]),
    st.integers(SEQUENCE - 2, SEQUENCE + 2),
    st.integers(0, 3),
    st.sampled_from([0, 0, SEQUENCE - 1, SEQUENCE, SEQUENCE + 1]),
    st.just(60),
    st.sampled_from(list(TrialEnd)),
)


@dataclass(frozen=True)
class Event:
    """Something that happens `after_ms` the one before."""

    what: str
    after_ms: int
    running: Running
    number: int
    flag: bool


events = st.builds(
    Event,
    st.sampled_from(["hear", "ack", "judge", "decide", "wait", "weigh", "sign"]),
    st.integers(0, 400_000),
    runnings,
    st.integers(0, 3000),
    st.booleans(),
)


def happen(course: Course, event: Event, kind: Kind, now: int) -> Step:
    ident = transfer_id(world.made(kind).envelope) if event.flag else bytes(16)
    ack = node_pb2.UpdateAck(id=ident, offset=event.number)
    verdict = node_pb2.UpdateVerdict(sequence=SEQUENCE, result=event.number % 10)  # type: ignore[arg-type]
    found: dict[str, Callable[[], Step]] = {
        "hear": lambda: machine.hear(course, event.running, now, fresh=event.flag),
        "ack": lambda: machine.acknowledge(course, ack, now),
        "judge": lambda: machine.judge(course, verdict, now),
        "decide": lambda: machine.decide(course, commit=event.flag, now_utc_ms=now),
        "weigh": lambda: Step(machine.weigh(course, event.number % 32, now)),
        "wait": lambda: machine.wait(course, now),
    }
    if event.what == "sign" and machine.ready_to_sign(course, now):
        return machine.sign(course, replace(signed(kind), key=event.running.signing_key), now)
    return found.get(event.what, found["wait"])()


@given(st.sampled_from([Kind.HEAD, Kind.MODEL]), st.lists(events, max_size=40))
def test_whatever_happens_stages_follow_each_other(kind: Kind, happenings: list[Event]) -> None:
    course, now = machine.wanted("n", "t", BASE, NOW), NOW
    for event in happenings:
        now += event.after_ms
        before = course
        step = happen(course, event, kind, now)
        course = step.course
        stage, last = course.delivery.stage, before.delivery.stage
        assert stage is last or stage in AFTER[last], event
        assert not last.final or course.delivery == before.delivery
        assert (course.signed is not None) == (stage in {Stage.SENDING, Stage.TRIAL, Stage.COMMITTING, Stage.ENDING})
        assert stage is not Stage.FAILED or course.delivery.reason.endswith(".")
        for message in step.messages:
            body = message.WhichOneof("body")
            assert message.ByteSize() <= TEXT_LIMIT
            assert body not in ("update", "update_chunk") or stage is Stage.SENDING
            if message.trial_decision.commit:
                assert (stage, message.trial_decision.sequence) == (Stage.COMMITTING, SEQUENCE)


@given(st.lists(st.integers(0, 60_000), max_size=30))
def test_unanswered_it_is_said_again_ever_more_rarely(pauses: list[int]) -> None:
    course, now, said = sending(), NOW, [NOW]
    for pause in pauses:
        now += pause
        step = machine.wait(course, now)
        course = step.course
        if step.messages:
            assert now - said[-1] >= min(15_000 * 2 ** (len(said) - 1), 300_000)
            said.append(now)


def test_a_decision_is_said_until_the_node_has_followed() -> None:
    step = machine.decide(on_trial(), commit=True, now_utc_ms=NOW)
    assert [message.trial_decision.commit for message in step.messages] == [True]
    again = machine.hear(step.course, heard(highest=SEQUENCE, trial=SEQUENCE), NOW, fresh=False)
    assert [message.trial_decision.commit for message in again.messages] == [True]
    done = machine.hear(again.course, heard(release=RESULT, highest=SEQUENCE), NOW, fresh=False)
    assert (done.course.delivery.stage, done.messages) == (Stage.COMMITTED, ())


@pytest.mark.parametrize(("end", "said"), [(2, "nobody decided"), (3, "too often"), (4, "damaged"), (0, "by itself")])
def test_a_node_that_goes_back_by_itself_says_why(end: int, said: str) -> None:
    back = heard(highest=SEQUENCE, last_trial=TrialEnd(end))
    for course in (on_trial(), machine.decide(on_trial(), commit=True, now_utc_ms=NOW).course):
        delivery = machine.hear(course, back, NOW, fresh=False).course.delivery
        assert (delivery.stage, said in delivery.reason) == (Stage.FAILED, True)


def resigned(course: Course, sequence: int) -> Course:
    """The release goes out once more, with another number."""
    assert machine.ready_to_sign(course, NOW)
    return machine.sign(course, replace(signed(Kind.HEAD), sequence=sequence), NOW).course


def test_a_number_that_was_used_without_a_trial_is_followed_by_one_more() -> None:
    """The node's power failed after it had accepted the number, and again the next time."""
    course = machine.hear(sending(), heard(highest=SEQUENCE), NOW, fresh=True).course
    assert (course.delivery.stage, course.delivery.reason) == (Stage.WAITING, "")
    course = resigned(course, SEQUENCE + 1)
    assert course.delivery.sequence == SEQUENCE + 1
    delivery = machine.hear(course, heard(highest=SEQUENCE + 1), NOW, fresh=True).course.delivery
    assert (delivery.stage, "by itself" in delivery.reason) == (Stage.FAILED, True)


@pytest.mark.parametrize("end", [end for end in TrialEnd if end is not TrialEnd.NONE])
def test_a_trial_that_the_node_ended_before_anybody_heard_of_it_failed(end: TrialEnd) -> None:
    course = machine.hear(sending(), heard(highest=SEQUENCE, last_trial=end), NOW, fresh=True).course
    assert course.delivery.stage is Stage.FAILED


@given(st.integers(0, 40))
def test_a_node_whose_power_always_fails_then_is_not_tried_for_ever(times: int) -> None:
    course, numbers = sending(), [SEQUENCE]
    for _ in range(times):
        course = machine.hear(course, heard(highest=numbers[-1]), NOW, fresh=True).course
        if machine.ready_to_sign(course, NOW):
            numbers.append(numbers[-1] + 1)
            course = resigned(course, numbers[-1])
    assert numbers == list(range(SEQUENCE, SEQUENCE + 1 + min(times, 1)))
    assert (course.delivery.stage is Stage.FAILED) == (times > 1)


@pytest.mark.parametrize(("result", "said"), [(2, "larger"), (3, "firmware"), (6, "cannot run"), (7, "announced")])
def test_a_refusal_is_final(result: int, said: str) -> None:
    verdict = node_pb2.UpdateVerdict(sequence=SEQUENCE, result=result)  # type: ignore[arg-type]
    delivery = machine.judge(sending(), verdict, NOW).course.delivery
    assert (delivery.stage, said in delivery.reason) == (Stage.FAILED, True)


def test_a_refused_signature_is_doubted_once() -> None:
    """The node may have taken up a newer key just before."""
    verdict = node_pb2.UpdateVerdict(sequence=SEQUENCE, result=4)  # type: ignore[arg-type]
    course = machine.judge(sending(), verdict, NOW).course
    assert course.delivery.stage is Stage.SENDING
    newer = machine.hear(course, heard(signing_key=2), NOW, fresh=True).course
    assert newer.delivery.stage is Stage.WAITING
    same = machine.hear(course, heard(), NOW, fresh=True).course
    assert machine.judge(same, verdict, NOW).course.delivery.stage is Stage.FAILED


@pytest.mark.parametrize("result", [1, 5, node_pb2.UPDATE_RESULT_BUSY])
def test_what_depends_on_what_the_node_runs_is_asked(result: int) -> None:
    verdict = node_pb2.UpdateVerdict(sequence=SEQUENCE, result=result)  # type: ignore[arg-type]
    course = machine.judge(sending(), verdict, NOW).course
    step = machine.wait(course, NOW + 15_000)
    assert [message.WhichOneof("body") for message in step.messages] == ["hello_request"]


def test_verdicts_and_acknowledgements_of_others_say_nothing() -> None:
    course = sending()
    assert machine.judge(course, node_pb2.UpdateVerdict(sequence=SEQUENCE - 1, result=2), NOW) == Step(course)  # type: ignore[arg-type]
    assert machine.acknowledge(course, node_pb2.UpdateAck(id=bytes(16), offset=3), NOW) == Step(course)
    beyond = node_pb2.UpdateAck(id=transfer_id(world.made(Kind.HEAD).envelope), offset=9999)
    assert machine.acknowledge(course, beyond, NOW) == Step(course)


def test_a_node_that_keeps_nothing_is_not_hurried() -> None:
    """It acknowledges every part from where it was: nothing goes out before its time has come."""
    course = machine.wait(replace(sending(Kind.MODEL), way=machine.Way()), NOW).course
    ack = node_pb2.UpdateAck(id=transfer_id(world.made(Kind.MODEL).envelope), offset=0)
    step = machine.acknowledge(course, ack, NOW)
    assert [len(message.update_chunk.data) for message in step.messages] == [480]
    for _ in range(5):
        step = machine.acknowledge(step.course, ack, NOW)
        assert step.messages == ()


def test_windows_of_a_trial_are_counted() -> None:
    course = on_trial()
    for trial, end in ((2, NOW + 1), (17, NOW + 2), (16, NOW + 3), (0, NOW + 4), (2, NOW)):
        course = machine.weigh(course, trial, end)
    # Of the third the committed release alone knew something, the fourth was of no trial, the last ended before any
    # envelope was signed.
    assert (course.delivery.windows, course.delivery.differing) == (3, 2)
