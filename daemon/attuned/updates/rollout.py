"""A rollout: releases on their way to their nodes, stage by stage. A pure state machine: events in, commands out.

`apply` takes what happened and gives the rollout as it is then, to be stored before anything is done; `commands` says
what is to be done, from what is stored and from the newest delivery of each node alone. So the same commands follow
however often they are asked for, and after a restart.
"""

from collections.abc import Callable
from dataclasses import replace

from attuned.updates.delivery import Delivery, Stage
from attuned.updates.rollout_state import (
    HOUR_MS,
    MOVING,
    SETTLED,
    Changed,
    Command,
    Decide,
    Dropped,
    Event,
    Judged,
    Pair,
    Plan,
    Rollout,
    State,
    Step,
    Tick,
    Told,
    Want,
    Word,
    mark_of,
)

# A node's trial goes back by itself after 24 h without a word; whoever was silent for so long is let go of before.
TRIAL_MS = 22 * HOUR_MS

# After which the way back is tried again on a node that refused it.
RETRY_MS = HOUR_MS

# Shares are decimal fractions: what is reached in the plan's digits is reached.
_EPSILON = 1e-9

_UNTOUCHED = "nothing was sent to it"
_REPLACED = "another update took its place"
_NEWER = "it runs something newer"

_EARLY = {None, Stage.WAITING, Stage.SENDING}

_OVER = {Stage.ENDED, Stage.FAILED}


def allowed(state: State, word: Word) -> bool:
    """Whether a person may say this to a rollout in that state."""
    return (
        state
        in {
            Word.PAUSE: {State.RUNNING},
            Word.RESUME: {State.PAUSED},
            Word.ABORT: {State.RUNNING, State.PAUSED},
            Word.ROLL_BACK: {State.RUNNING, State.PAUSED, State.DONE, State.ABORTED},
        }[word]
    )


def apply(rollout: Rollout, event: Event) -> Rollout:
    """The rollout after an event."""
    match event:
        case Tick():
            rollout = _ticked(rollout, event)
        case Changed():
            rollout = _with_pair(rollout, event.delivery.node, lambda pair: _changed(rollout, pair, event))
        case Judged():
            rollout = _with_pair(rollout, event.node, lambda pair: _judged(pair, event))
        case Told():
            rollout = _told(rollout, event) if allowed(rollout.state, event.word) else rollout
        case Dropped():
            rollout = _with_pair(rollout, event.node, lambda pair: _dropped(rollout, pair, event))
    return _advanced(rollout, event.now_utc_ms)


def commands(rollout: Rollout, newest: Callable[[str], Delivery | None]) -> list[Command]:
    """What is to be done now; none of it does harm when done twice."""
    found: list[Command] = []
    for pair in rollout.pairs.values():
        if pair.step not in MOVING:
            continue
        delivery = newest(pair.node)
        if not pair.owns(delivery):
            if not pair.seen and pair.step is not Step.LEAVING:
                found.append(Want(pair.node, pair.goal))
        elif delivery is not None and (word := _decision(pair, delivery.stage)) is not None:
            found.append(Decide(pair.node, word))
    return found


def vanished(rollout: Rollout, newest: Callable[[str], Delivery | None]) -> list[str]:
    """Nodes from which something is to be taken back that never was wished for, and nodes that were removed."""
    return [
        pair.node
        for pair in rollout.pairs.values()
        if (pair.step is Step.LEAVING and not pair.owns(newest(pair.node)))
        or (pair.step in MOVING and pair.seen and newest(pair.node) is None and pair.at is not Stage.FAILED)
    ]


def _decision(pair: Pair, stage: Stage) -> bool | None:
    if pair.step is Step.LEAVING:
        return False if stage in _EARLY or stage is Stage.TRIAL else None
    if stage is not Stage.TRIAL:
        return None
    return True if pair.step is Step.RETURNING else pair.decision


def _with_pair(rollout: Rollout, node: str, change: Callable[[Pair], Pair]) -> Rollout:
    pair = rollout.pairs.get(node)
    if pair is None or (changed := change(pair)) == pair:
        return rollout
    return replace(rollout, pairs={**rollout.pairs, node: changed})


def _each(rollout: Rollout, change: Callable[[Pair], Pair]) -> Rollout:
    return replace(rollout, pairs={node: change(pair) for node, pair in rollout.pairs.items()})


# What deliveries say.


def _changed(rollout: Rollout, pair: Pair, event: Changed) -> Pair:
    delivery = event.delivery
    if pair.step is Step.COMMITTED:
        return replace(pair, replaced=True) if _newer_runs(pair, delivery) else pair
    if pair.step not in MOVING:
        return pair
    if not pair.owns(delivery):
        # The same delivery that was there before the wish says nothing; one of somebody else has ended ours.
        return _left(pair, _REPLACED) if pair.seen and delivery.target != pair.goal else pair
    pair = replace(pair, seen=True, at=delivery.stage, last=mark_of(delivery), way_back=pair.way_back or event.way_back)
    if pair.step is Step.UNDER_WAY:
        return _delivered(pair, delivery)
    if pair.step is Step.LEAVING:
        return _taken_back(rollout.state, pair, delivery)
    return _left_as(pair, Step.RETURNED, pair.reason) if delivery.stage is Stage.COMMITTED else pair


def _newer_runs(pair: Pair, delivery: Delivery) -> bool:
    return delivery.stage is Stage.COMMITTED and delivery.target != pair.target


def _delivered(pair: Pair, delivery: Delivery) -> Pair:
    match delivery.stage:
        case Stage.COMMITTED:
            return _left_as(pair, Step.COMMITTED, pair.reason)
        case Stage.FAILED:
            return _left_as(pair, Step.FAILED, delivery.reason)
        case Stage.ENDED if pair.decision is False:
            return _left_as(pair, Step.FAILED, pair.reason)
        case Stage.ENDED:
            return _left(pair, "somebody else ended it")
    return pair


def _taken_back(state: State, pair: Pair, delivery: Delivery) -> Pair:
    if delivery.stage is Stage.COMMITTED:
        return _returning(pair) if state is State.ROLLING_BACK else _left_as(pair, Step.COMMITTED, "")
    if delivery.stage not in _OVER:
        return pair
    return _again(pair) if pair.straggler and state in {State.RUNNING, State.PAUSED} else _left(pair, pair.reason)


def _dropped(rollout: Rollout, pair: Pair, event: Dropped) -> Pair:
    if event.gone and pair.step in MOVING | {Step.QUEUED}:
        return _left(pair, event.reason)
    if pair.step is Step.LEAVING:
        again = pair.straggler and rollout.state in {State.RUNNING, State.PAUSED}
        return _again(pair) if again else _left(pair, pair.reason)
    if pair.step is Step.UNDER_WAY and not pair.seen:
        return _left(pair, event.reason)
    if pair.step is Step.RETURNING and not pair.seen:
        # It is tried again: a node is never left with what was called back.
        return replace(pair, seen=True, at=Stage.FAILED, last=(0, event.now_utc_ms), reason=event.reason)
    return pair


def _judged(pair: Pair, event: Judged) -> Pair:
    if pair.step is not Step.UNDER_WAY or pair.at is not Stage.TRIAL or pair.decision is not None:
        return pair
    return replace(pair, decision=event.commit, reason=event.reason)


def _left(pair: Pair, reason: str) -> Pair:
    return _left_as(pair, Step.LEFT, reason)


def _left_as(pair: Pair, step: Step, reason: str) -> Pair:
    return replace(pair, step=step, reason=reason, away=False)


def _again(pair: Pair) -> Pair:
    return replace(pair, step=Step.QUEUED, seen=False, at=None, decision=None, way_back="", reason="")


def _returning(pair: Pair) -> Pair:
    return replace(pair, step=Step.RETURNING, mark=pair.last, seen=False, at=None, decision=None)


def _leaving(pair: Pair, reason: str) -> Pair:
    return replace(pair, step=Step.LEAVING, reason=reason)


# What people say.


def _told(rollout: Rollout, event: Told) -> Rollout:
    now = event.now_utc_ms
    match event.word:
        case Word.PAUSE:
            return replace(rollout, state=State.PAUSED, paused_utc_ms=now, reason=event.reason)
        case Word.RESUME:
            rest = now - rollout.paused_utc_ms
            times = {"stage_utc_ms": rollout.stage_utc_ms + rest, "ends_utc_ms": rollout.ends_utc_ms + rest}
            return replace(rollout, state=State.RUNNING, paused_utc_ms=0, reason="", **times)  # type: ignore[arg-type]
        case Word.ABORT:
            stopping = replace(rollout, state=State.ABORTED, reason=event.reason)
            return _each(stopping, lambda pair: _given_up(pair, "the rollout was aborted"))
        case Word.ROLL_BACK:
            return _rolled_back(rollout, event.reason)


def _given_up(pair: Pair, reason: str) -> Pair:
    if pair.step is Step.QUEUED:
        return _left(pair, _UNTOUCHED)
    if pair.step is Step.LEAVING:
        return replace(pair, straggler=False, reason=reason)
    return _leaving(pair, reason) if pair.step is Step.UNDER_WAY else pair


def _rolled_back(rollout: Rollout, reason: str) -> Rollout:
    def back(pair: Pair) -> Pair:
        if pair.step is Step.COMMITTED:
            return _left(pair, _NEWER) if pair.replaced else _returning(pair)
        return _given_up(pair, "the rollout was rolled back")

    return _each(replace(rollout, state=State.ROLLING_BACK, reason=reason), back)


# What time does.


def _ticked(rollout: Rollout, event: Tick) -> Rollout:
    now = event.now_utc_ms
    if rollout.state is State.ROLLING_BACK:
        return _each(rollout, lambda pair: _tried_again(pair, now))
    if rollout.state not in {State.RUNNING, State.PAUSED}:
        return rollout
    rollout = _each(rollout, lambda pair: _awaited(rollout.plan, pair, event))
    if rollout.state is State.PAUSED:
        return rollout
    if now >= rollout.ends_utc_ms:
        return _each(rollout, _too_late)
    rollout = _advanced(_each(rollout, lambda pair: _missed(rollout, pair, event)), now)
    if rollout.state is not State.RUNNING:
        return rollout
    return _begun(_filled(rollout, event), event)


def _tried_again(pair: Pair, now_utc_ms: int) -> Pair:
    over = pair.step is Step.RETURNING and pair.at in _OVER
    return _returning(pair) if over and now_utc_ms - pair.last[1] >= RETRY_MS else pair


def _awaited(plan: Plan, pair: Pair, event: Tick) -> Pair:
    """A node that does not get on with it makes room for others."""
    if pair.step is not Step.UNDER_WAY:
        return pair
    since = pair.last[1] if pair.seen else pair.asked_utc_ms
    patience = TRIAL_MS if pair.at is Stage.TRIAL else plan.wait_ms
    if event.now_utc_ms - since < patience:
        return pair
    # What was decided stays decided; nothing but the node's answer is missing.
    still = replace(pair, straggler=True)
    return _leaving(still, "it fell silent") if pair.at in {*_EARLY, Stage.TRIAL} else still


def _too_late(pair: Pair) -> Pair:
    late = "it did not come before the rollout's end"
    if pair.step is Step.QUEUED:
        return _left(pair, late)
    if pair.step is Step.LEAVING:
        return replace(pair, straggler=False, reason=late)
    return _leaving(replace(pair, straggler=False), late) if pair.step is Step.UNDER_WAY and pair.at in _EARLY else pair


def _missed(rollout: Rollout, pair: Pair, event: Tick) -> Pair:
    """Of the stage that is on, a node out of reach is waited for, and then a straggler."""
    if pair.step is not Step.QUEUED or pair.stage > rollout.stage or pair.straggler:
        return pair
    away = pair.node not in event.reachable
    waited = event.now_utc_ms - rollout.stage_utc_ms >= rollout.plan.wait_ms
    return replace(pair, away=away, straggler=away and waited)


def _filled(rollout: Rollout, event: Tick) -> Rollout:
    """Canaries that are out of reach are replaced by whoever comes next, so that none is skipped."""
    if rollout.stage:
        return rollout
    missing = rollout.plan.canary - len(counted(rollout, 0))
    here = [p for p in rollout.pairs.values() if p.step is Step.QUEUED and p.node in event.reachable]
    spare = [p for p in here if p.straggler or p.stage]
    chosen = {pair.node for pair in sorted(spare, key=lambda pair: pair.stage)[: max(missing, 0)]}
    return _each(rollout, lambda p: replace(p, stage=0, straggler=False) if p.node in chosen else p)


def _begun(rollout: Rollout, event: Tick) -> Rollout:
    """Begins with nodes within reach: those of the stage first, then stragglers, whose results count in it."""
    here = [p for p in rollout.pairs.values() if p.step is Step.QUEUED and p.node in event.reachable]
    due = [p for p in here if p.stage <= rollout.stage and not p.straggler]
    late = [p for p in here if p.straggler and rollout.stage]
    chosen = {pair.node for pair in (due + late)[: max(event.slots, 0)]}

    def begin(pair: Pair) -> Pair:
        if pair.node not in chosen:
            return pair
        stage = rollout.stage if pair.straggler else pair.stage
        mark, now = event.reachable[pair.node], event.now_utc_ms
        fresh = {"seen": False, "at": None, "decision": None, "away": False, "straggler": False}
        return replace(pair, step=Step.UNDER_WAY, stage=stage, mark=mark, asked_utc_ms=now, **fresh)  # type: ignore[arg-type]

    return _each(rollout, begin)


# What follows.


def _advanced(rollout: Rollout, now_utc_ms: int) -> Rollout:
    if rollout.state in {State.RUNNING, State.PAUSED} and (trouble := _trouble(rollout)):
        rollout = _rolled_back(rollout, trouble)
    while rollout.state is State.RUNNING and not rollout.in_tail and _passed(rollout):
        rollout = replace(rollout, stage=rollout.stage + 1, stage_utc_ms=now_utc_ms)
    if rollout.state is State.RUNNING and all(
        _is_through(rollout, pair, now_utc_ms) for pair in rollout.pairs.values()
    ):
        return replace(rollout, state=State.DONE)
    if rollout.state is State.ROLLING_BACK and not any(pair.step in MOVING for pair in rollout.pairs.values()):
        return replace(rollout, state=State.STOPPED)
    return rollout


def _is_through(rollout: Rollout, pair: Pair, now_utc_ms: int) -> bool:
    """Behind the rollout's end nobody waits for a node that has only its answer to give."""
    told = pair.step in MOVING and pair.at in {Stage.ENDING, Stage.COMMITTING}
    return pair.step in SETTLED or (told and now_utc_ms >= rollout.ends_utc_ms)


def counted(rollout: Rollout, stage: int) -> list[Pair]:
    """Those of a stage that its shares are of: who is waited for, or has answered."""
    return [
        pair
        for pair in rollout.members(stage)
        if pair.step is not Step.LEFT and (not pair.straggler or pair.step in {Step.COMMITTED, Step.FAILED})
    ]


def _trouble(rollout: Rollout) -> str:
    """Why the rollout must not go on; empty if it may. Behind all stages, all that have answered are the measure."""
    if rollout.in_tail:
        stages = [p for p in rollout.pairs.values() if p.step in {Step.COMMITTED, Step.FAILED}]
    else:
        stages = [pair for pair in counted(rollout, rollout.stage) if not pair.away]
    failed = sum(pair.step is Step.FAILED for pair in stages)
    if not failed or failed + _EPSILON < rollout.plan.error_share * len(stages):
        return ""
    return f"{failed} of {len(stages)} nodes went wrong"


def _passed(rollout: Rollout) -> bool:
    members = counted(rollout, rollout.stage)
    committed = sum(pair.step is Step.COMMITTED for pair in members)
    if not members:
        # Without a single canary nothing is known of the releases: the others wait until somebody can be one.
        return rollout.stage > 0
    return committed + _EPSILON >= rollout.plan.success_share * len(members)
