"""One release on its way to one node: what is heard goes in, what to say and what is true from then on come out.

    WAITING -> SENDING -> TRIAL -> COMMITTING -> COMMITTED
                            |  -> ENDING -> ENDED
                            +--> FAILED

No I/O. The node's own word counts: whatever it says that it runs is where its delivery stands, so messages that were
lost, repeated or answered late, and restarts of either side, lead to the same end. A `Step` whose delivery has changed
has to be on the disk before its messages go out.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from attune_proto.v1 import node_pb2

from attuned.nodes.running import Running, TrialEnd
from attuned.nodes.sealed import TEXT_LIMIT
from attuned.updates.chunks import chunk, question, transfer_id, whole
from attuned.updates.envelope import PAYLOAD_AT, result_of

# Until something unanswered is said again: so long at first, then twice as long each time, up to the last.
AGAIN_MS = 15_000
AGAIN_AT_MOST_MS = 300_000

# In Report.trial: the class that the trial's evidence favours, and whether the committed release's differs.
FAVOURED, DIFFERS = 0x0F, 0x10

FACTORY = "factory"


class Stage(StrEnum):
    """Where a delivery stands; the names are what the store holds."""

    WAITING = "waiting"
    """Wanted; node away, or its turn to be told has not come."""
    SENDING = "sending"
    """Envelope signed and stored; parts under way."""
    TRIAL = "trial"
    """The node runs it beside the committed one."""
    COMMITTING = "committing"
    """Decided, the node has not said so yet."""
    COMMITTED = "committed"
    """The node runs it."""
    ENDING = "ending"
    """Decided against, the node has not said so yet."""
    ENDED = "ended"
    """It went back by our word."""
    FAILED = "failed"
    """The node refused it, or went back by itself; `reason` says which, a sentence."""

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in (Stage.COMMITTED, Stage.ENDED, Stage.FAILED)


@dataclass(frozen=True)
class Delivery:
    """`target` is a release's id, or "factory"; `sequence` is that of its envelope, 0 before one was signed; `windows`
    are those of the trial so far, in `differing` of which the two releases favoured different classes; `since_utc_ms`
    is of the stage; `before` the digest (hex) of what the node ran when this was wanted, the way back; empty if it had
    never said so. `reason` is a sentence about what keeps it, or why it failed; empty where all is well."""

    node: str
    target: str
    sequence: int
    stage: Stage
    reason: str
    windows: int
    differing: int
    since_utc_ms: int
    before: str


@dataclass(frozen=True)
class Signed:
    """An envelope: when it was signed, by the key of which number, and for a node that runs what (hex digits)."""

    sequence: int
    envelope: bytes = field(repr=False)
    base: str
    key: int
    utc_ms: int

    @property
    def result(self) -> str:
        """The digest of what the node then runs, in hex digits."""
        return result_of(self.envelope).hex()


@dataclass(frozen=True)
class Way:
    """What is known of messages under way; none of it lasts. `offset` is where the node is in its envelope, None before
    it has said so; something is said again at `due_utc_ms`, and has been `tries` times. `ask`: the next thing to say is
    a question of what the node runs. `asked`: the last thing said was a question of how far it is."""

    offset: int | None = None
    due_utc_ms: int = 0
    tries: int = 0
    ask: bool = False
    asked: bool = False

    def said(self, now_utc_ms: int, *, asked: bool = False) -> "Way":
        """Something was said, and an answer is waited for."""
        wait_ms = min(AGAIN_MS << min(self.tries, 8), AGAIN_AT_MOST_MS)
        return replace(self, due_utc_ms=now_utc_ms + wait_ms, tries=self.tries + 1, ask=False, asked=asked)


@dataclass(frozen=True)
class Course:
    """A delivery, and what only this file looks at. `heard` is what the node last said since the daemon's start;
    `doubted`: an envelope that cannot be refused was, or stays without an answer, and the node was asked what it runs;
    `room`: bytes that a message with a part of an envelope may have where the node is;
    `spent`: a number was used and no trial came of it, so that another was given.
    """

    delivery: Delivery
    signed: Signed | None = None
    heard: Running | None = None
    way: Way = Way()
    doubted: bool = False
    room: int = TEXT_LIMIT
    spent: bool = False


@dataclass(frozen=True)
class Step:
    """What follows from an event: how things stand then, and what to say to the node."""

    course: Course
    messages: tuple[node_pb2.DaemonMessage, ...] = ()


def wanted(node: str, target: str, before: str, now_utc_ms: int) -> Course:
    """A wish, before anything has been done about it."""
    reason = "The node has not said yet what it runs."
    return Course(Delivery(node, target, 0, Stage.WAITING, reason, 0, 0, now_utc_ms, before))


def ready_to_sign(course: Course, now_utc_ms: int) -> bool:
    """Whether the node can be offered an envelope, and it is time to try."""
    heard, waiting = course.heard, course.delivery.stage is Stage.WAITING
    return waiting and heard is not None and not heard.trial and now_utc_ms >= course.way.due_utc_ms


def kept(course: Course, reason: str, now_utc_ms: int) -> Course:
    """Nothing can be signed for the reason; it is tried again later."""
    return replace(course, delivery=replace(course.delivery, reason=reason), way=course.way.said(now_utc_ms))


def failed(course: Course, reason: str, now_utc_ms: int) -> Course:
    """It cannot be done for the reason."""
    return _at(course, Stage.FAILED, now_utc_ms, reason)


def stripped(course: Course) -> Course:
    """Without what was learned; what the node would run, and does on trial, keeps its name."""
    signed = course.signed
    return replace(course, signed=replace(signed, envelope=signed.envelope[:PAYLOAD_AT])) if signed else course


def committed(course: Course, now_utc_ms: int) -> Course:
    """The node runs what is wanted."""
    return _at(course, Stage.COMMITTED, now_utc_ms)


def sign(course: Course, signed: Signed, now_utc_ms: int) -> Step:
    """An envelope was signed for the node; it goes out once that is on the disk."""
    delivery = replace(course.delivery, sequence=signed.sequence, windows=0, differing=0)
    course = replace(course, delivery=delivery, signed=signed)
    return _offer(_at(course, Stage.SENDING, now_utc_ms), now_utc_ms)


def decide(course: Course, *, commit: bool, now_utc_ms: int) -> Step:
    """The daemon's word on a trial; against one that has not begun it counts as well."""
    stage = course.delivery.stage
    if stage is Stage.TRIAL:
        return _tell(_at(course, Stage.COMMITTING if commit else Stage.ENDING, now_utc_ms), now_utc_ms)
    if stage in (Stage.WAITING, Stage.SENDING) and not commit:
        return Step(_at(course, Stage.ENDED, now_utc_ms))
    return Step(course)


def hear(course: Course, running: Running, now_utc_ms: int, *, fresh: bool) -> Step:
    """The node has said what it runs; `fresh` if with a hello, before which nothing that was said may have come."""
    course = replace(course, heard=running, way=Way() if fresh else course.way)
    signed, stage = course.signed, course.delivery.stage
    if stage in (Stage.TRIAL, Stage.COMMITTING, Stage.ENDING) and signed is not None:
        step = _hear_trial(course, signed, running, now_utc_ms)
    elif stage is Stage.SENDING and signed is not None:
        step = _hear_sending(course, signed, running, now_utc_ms)
    else:
        step = Step(course)
    strange = running.trial and step.course.delivery.stage not in (Stage.TRIAL, Stage.COMMITTING, Stage.ENDING)
    return replace(step, messages=(*step.messages, _decision(running.trial, commit=False))) if strange else step


def stray(running: Running) -> tuple[node_pb2.DaemonMessage, ...]:
    """What to say to a node of which no delivery is known: a trial of it leads nowhere."""
    return (_decision(running.trial, commit=False),) if running.trial else ()


def acknowledge(course: Course, ack: node_pb2.UpdateAck, now_utc_ms: int) -> Step:
    """The node says how much of an envelope it has."""
    signed, way = course.signed, course.way
    if course.delivery.stage is not Stage.SENDING or signed is None or ack.id != transfer_id(signed.envelope):
        return Step(course)
    if ack.offset > len(signed.envelope):
        return Step(course)
    further = way.asked or way.offset is None or ack.offset > way.offset
    if not further:
        # A node that cannot keep what it gets is not hurried.
        return Step(replace(course, way=replace(way, offset=ack.offset)))
    course = replace(course, way=Way(offset=ack.offset, due_utc_ms=way.due_utc_ms))
    if ack.offset < len(signed.envelope):
        return _offer(course, now_utc_ms)
    if way.asked and course.doubted:
        # It has all of it and says nothing of it: another one begins from the first byte.
        return Step(_again(course, now_utc_ms))
    return Step(replace(course, way=replace(course.way, ask=True), doubted=way.asked))


def judge(course: Course, verdict: node_pb2.UpdateVerdict, now_utc_ms: int) -> Step:
    """The node says what it made of an envelope. Where that depends on what it runs, it is asked for that."""
    result, results = verdict.result, node_pb2.UpdateResult
    if course.delivery.stage is not Stage.SENDING or verdict.sequence != course.delivery.sequence:
        return Step(course)
    if result == results.UPDATE_RESULT_SIGNATURE and not course.doubted:
        # It may have taken up a newer key, or runs something else by now.
        return Step(replace(course, way=replace(course.way, ask=True), doubted=True))
    if result in _REFUSALS:
        return Step(failed(course, _REFUSALS[result], now_utc_ms))
    if result in (results.UPDATE_RESULT_OK, results.UPDATE_RESULT_SEQUENCE, results.UPDATE_RESULT_BUSY):
        return Step(replace(course, way=replace(course.way, ask=True)))
    return Step(failed(course, "The node refused it for a reason that this version does not know.", now_utc_ms))


def weigh(course: Course, trial: int, end_utc_ms: int) -> Course:
    """A window of the trial, as its report says (Report.trial); of those where both know nothing it says nothing."""
    delivery, signed = course.delivery, course.signed
    on_trial = delivery.stage in (Stage.TRIAL, Stage.COMMITTING, Stage.ENDING)
    # Reports that waited in the node may be of a trial before.
    if not on_trial or signed is None or not trial or end_utc_ms <= signed.utc_ms:
        return course
    differing = delivery.differing + bool(trial & DIFFERS)
    return replace(course, delivery=replace(delivery, windows=delivery.windows + 1, differing=differing))


def wait(course: Course, now_utc_ms: int) -> Step:
    """Time has passed: what was not answered is said again."""
    stage, way = course.delivery.stage, course.way
    if course.heard is None or now_utc_ms < way.due_utc_ms:
        return Step(course)
    if stage is Stage.SENDING and way.ask:
        ask = node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest())
        return Step(replace(course, way=way.said(now_utc_ms)), (ask,))
    if stage is Stage.SENDING:
        # It may have lost what it had, or never have got it.
        return _offer(replace(course, way=replace(way, offset=None)), now_utc_ms)
    if stage in (Stage.COMMITTING, Stage.ENDING):
        return _tell(course, now_utc_ms)
    return Step(course)


def hurried(course: Course) -> Course:
    """What is to be said again is due now."""
    return replace(course, way=replace(course.way, due_utc_ms=0))


_RESULTS = node_pb2.UpdateResult
_REFUSALS: dict[int, str] = {
    _RESULTS.UPDATE_RESULT_SIZE: "The node refused it: it is larger than the node takes.",
    _RESULTS.UPDATE_RESULT_FORMAT: "The node refused it: its firmware does not know this kind of update.",
    _RESULTS.UPDATE_RESULT_SIGNATURE: "The node refused its signature: it goes by another key, or is not what it says. "
    "Commission it anew.",
    _RESULTS.UPDATE_RESULT_PAYLOAD: "The node refused it: it cannot run what it says.",
    _RESULTS.UPDATE_RESULT_DIGEST: "The node refused it: applied, it does not give what was announced.",
}

_ENDS = {
    TrialEnd.NONE: "The node went back by itself, and has started anew since.",
    TrialEnd.DECISION: "The node went back on a word of which nothing is known here any more.",
    TrialEnd.DEADLINE: "The node went back: nobody decided while the trial lasted.",
    TrialEnd.RESTARTS: "The node went back: it had started anew too often during the trial.",
    TrialEnd.DAMAGED: "The node went back: what was on trial had been damaged in its flash.",
}


def _hear_sending(course: Course, signed: Signed, running: Running, now_utc_ms: int) -> Step:
    if running.trial == signed.sequence:
        return Step(_at(course, Stage.TRIAL, now_utc_ms))
    if running.highest >= signed.sequence and not running.trial and running.release == signed.result:
        return Step(committed(course, now_utc_ms))
    if running.highest == signed.sequence:
        return Step(_unheard(course, running.last_trial, now_utc_ms))
    outdated = running.highest > signed.sequence or running.release != signed.base or running.signing_key > signed.key
    if outdated:
        return Step(_again(course, now_utc_ms))
    if running.trial:
        return Step(course)
    return wait(course, now_utc_ms)


def _unheard(course: Course, end: TrialEnd, now_utc_ms: int) -> Course:
    """The node has used the number, and what it named neither runs nor is on trial. Where it knows of no trial that
    ended its power may have failed before there was one: the release gets one more chance, under a number of its own.
    """
    if end is TrialEnd.NONE and not course.spent:
        return replace(_again(course, now_utc_ms), spent=True)
    return failed(course, _ENDS[end], now_utc_ms)


def _hear_trial(course: Course, signed: Signed, running: Running, now_utc_ms: int) -> Step:
    stage = course.delivery.stage
    if running.trial == signed.sequence:
        return Step(course) if stage is Stage.TRIAL else _tell(course, now_utc_ms)
    if running.release == signed.result:
        return Step(committed(course, now_utc_ms))
    if stage is Stage.ENDING:
        return Step(_at(course, Stage.ENDED, now_utc_ms))
    return Step(failed(course, _ENDS[running.last_trial], now_utc_ms))


def _again(course: Course, now_utc_ms: int) -> Course:
    """The envelope cannot be taken any more: another one has to be signed, with a higher number."""
    return _at(replace(course, signed=None, way=Way(), doubted=False), Stage.WAITING, now_utc_ms)


def _at(course: Course, stage: Stage, now_utc_ms: int, reason: str = "") -> Course:
    delivery = replace(course.delivery, stage=stage, since_utc_ms=now_utc_ms, reason=reason)
    return replace(course, delivery=delivery, signed=None if stage.final else course.signed)


def _offer(course: Course, now_utc_ms: int) -> Step:
    """The envelope in one message, or the part of it that comes next."""
    signed, way = course.signed, course.way
    if signed is None or course.heard is None or course.heard.signing_key < signed.key or course.heard.trial:
        return Step(course)
    message = whole(signed.envelope, TEXT_LIMIT)
    if message is not None:
        return Step(replace(course, way=way.said(now_utc_ms)), (message,))
    if way.offset is None or way.offset == len(signed.envelope):
        return Step(replace(course, way=way.said(now_utc_ms, asked=True)), (question(signed.envelope),))
    part = chunk(signed.envelope, way.offset, course.room)
    return Step(replace(course, way=way.said(now_utc_ms)), (part,))


def _tell(course: Course, now_utc_ms: int) -> Step:
    commit = course.delivery.stage is Stage.COMMITTING
    decision = _decision(course.delivery.sequence, commit=commit)
    return Step(replace(course, way=course.way.said(now_utc_ms)), (decision,))


def _decision(sequence: int, *, commit: bool) -> node_pb2.DaemonMessage:
    return node_pb2.DaemonMessage(trial_decision=node_pb2.TrialDecision(sequence=sequence, commit=commit))
