"""How it is with a node of a rollout, in words for who looks after the building. Pure."""

from collections import defaultdict

from attuned.updates.delivery import Delivery, Stage
from attuned.updates.rollout_state import ACTIVE, Pair, Rollout, State, Step

_PLAIN = {
    Step.COMMITTED: "runs it",
    Step.LEAVING: "is told to give it up",
    Step.RETURNED: "runs again what it ran before",
}


def what(rollout: Rollout, pair: Pair, delivery: Delivery | None) -> str:
    """A phrase that goes on from the node's name. `delivery` is the one that the rollout wished for, if any."""
    match pair.step:
        case Step.QUEUED:
            return _queued(rollout, pair)
        case Step.UNDER_WAY:
            return _under_way(pair, delivery)
        case Step.RETURNING:
            return _returning(pair, delivery)
        case Step.FAILED:
            return f"went wrong: {pair.reason}"
        case Step.LEFT:
            return f"left as it was: {pair.reason}"
    return "ran it; something newer runs by now" if pair.replaced else _PLAIN[pair.step]


def mixed_rooms(rollout: Rollout) -> list[str]:
    """Rooms of which some nodes run what the rollout brings and others do not."""
    runs = defaultdict(set)
    for pair in rollout.pairs.values():
        runs[pair.room].add(pair.step is Step.COMMITTED and not pair.replaced)
    return [room for room, found in runs.items() if len(found) > 1]


def _queued(rollout: Rollout, pair: Pair) -> str:
    if rollout.state is State.PAUSED:
        return "waits: the rollout is paused"
    if pair.straggler:
        return "out of reach; it gets it when it comes"
    if pair.stage > rollout.stage:
        return f"waits for the stage {rollout.plan.stages[pair.stage]}"
    if pair.away:
        return "out of reach; the stage waits for it"
    return "waits for its turn" if rollout.state in ACTIVE else "nothing was sent to it"


def _under_way(pair: Pair, delivery: Delivery | None) -> str:
    if delivery is None:
        return "is about to be told"
    match delivery.stage:
        case Stage.WAITING:
            return f"is about to be told: {delivery.reason}" if delivery.reason else "is about to be told"
        case Stage.SENDING:
            return "takes it in"
        case Stage.TRIAL if pair.decision is None:
            return f"tries it: {delivery.windows} windows so far, {delivery.differing} of them different"
    return "is told to give it up" if pair.decision is False else "is told to keep it"


def _returning(pair: Pair, delivery: Delivery | None) -> str:
    trouble = delivery.reason if delivery is not None and delivery.stage is Stage.FAILED else pair.reason
    failed = pair.at in {Stage.FAILED, Stage.ENDED}
    return f"could not go back, is tried again hourly: {trouble}" if failed else "gets back what it ran before"


def progress(rollout: Rollout) -> tuple[int, int]:
    """How many nodes are through, and of how many."""
    way_back = rollout.state in {State.ROLLING_BACK, State.STOPPED}
    ends = {Step.LEFT, Step.FAILED, Step.RETURNED} if way_back else {Step.COMMITTED, Step.FAILED, Step.LEFT}
    return sum(pair.step in ends for pair in rollout.pairs.values()), len(rollout.pairs)
