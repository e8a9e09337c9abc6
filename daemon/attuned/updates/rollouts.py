"""The rollouts of the running daemon: what their state machine says is stored, then done.

Whatever happens, deliveries that change, time, people, leads to `look`, which compares what is stored with the newest
delivery of each node. A step that a crash cuts off is therefore done by the next look.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from attune_service.turns import turn

from attuned.clock import Clock
from attuned.errors import AttuneError, NotFoundError, RequestError
from attuned.learning.retraining import ready
from attuned.store.releases import CANDIDATE, DEPLOYED, FORGOTTEN, ReleaseRow, ReleaseStore
from attuned.store.rollouts import Act, RolloutRow, RolloutStore
from attuned.updates.delivery import FACTORY, Delivery, Stage
from attuned.updates.rollout import allowed, apply, commands, vanished
from attuned.updates.rollout_state import (
    ACTIVE,
    HOUR_MS,
    MOVING,
    Changed,
    Command,
    Dropped,
    Event,
    Judged,
    Pair,
    Rollout,
    Step,
    Tick,
    Told,
    Want,
    Word,
    mark_of,
)
from attuned.updates.stages import Choices, make_rollout
from attuned.updates.trial import Seen, judge
from attuned.updates.trial_evidence import TrialEvidence, expected_share
from attuned.updates.wishes import Nodes, check_ready, chosen, wishes_of

log = logging.getLogger(__name__)

# How often time is looked at, in seconds of the daemon's clock.
LOOK_S = 30.0

# Between two looks at least, in real seconds.
REST_S = 0.2

# Nodes that may try something at a time, over all rollouts: a tenth of the site, and never fewer than a large room's.
AT_ONCE_SHARE, AT_ONCE_LEAST = 0.1, 8

AUTOMATIC = "the gate found it better, or a person approved it"

_SUPERSEDED = "a newer release has taken its place"


class Delivering(Protocol):
    """Brings releases to nodes (updates/deliveries.py)."""

    listen: Callable[[Delivery], None]

    async def want(self, node: str, target: str) -> None: ...
    async def decide(self, node: str, *, commit: bool) -> None: ...
    def of(self, node: str) -> Delivery | None: ...


@dataclass(frozen=True)
class Stores:
    """The rollouts, and the releases that they are of."""

    rollouts: RolloutStore
    releases: ReleaseStore


class Rollouts:
    """All rollouts that are not at their end. `refusal` is why nothing can be delivered at all, empty if it can.

    Methods run in the event loop; each is done when it returns, and durable before that.
    """

    def __init__(
        self,
        clock: Clock,
        deliveries: Delivering,
        *,
        stores: Stores,
        nodes: Nodes,
        evidence: TrialEvidence,
        automatic: bool,
        refusal: str = "",
    ) -> None:
        self._clock = clock
        self._deliveries = deliveries
        self._store = stores.rollouts
        self._releases = stores.releases
        self._nodes = nodes
        self._evidence = evidence
        self._automatic = automatic
        self._refusal = refusal
        self._live: dict[int, RolloutRow] = {}
        self._tried: set[tuple[str, str]] = set()
        self._expected: dict[str, float | None] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._watchers: set[asyncio.Event] = set()
        deliveries.listen = self.heard

    async def open(self) -> None:
        """Takes up what the last run left. Raises StoreError."""
        self._live = {row.rollout.number: row for row in await self._store.live()}
        self._tried = await self._store.targets()
        self._dirty = {node for row in self._live.values() for node in row.rollout.pairs}

    async def run(self) -> None:
        """Looks whenever something has changed, and from time to time, for ever."""
        while True:
            try:
                with turn():
                    await self.look()
            except AttuneError as error:
                log.error("%s Rollouts go on when that is mended.", error)
            # What comes in a burst is looked at together.
            await asyncio.sleep(REST_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S / self._clock.rate):
                    await self._wake.wait()

    def heard(self, delivery: Delivery) -> None:
        """A delivery has changed."""
        self._dirty.add(delivery.node)
        self._wake.set()

    def come(self) -> None:
        """A node has come: it may be one that is waited for."""
        if self._live:
            self._wake.set()

    async def look(self) -> None:
        """Takes in what has changed, and does what follows from it. Raises StoreError; then the next look does it."""
        async with self._lock:
            self._wake.clear()
            await self._hear()
            await self._judge()
            if self._automatic and not self._refusal:
                await self._begin_ready()
            await self._tick()
            await self._carry_out()

    # What people ask.

    async def start(self, ids: Sequence[str], rooms: Sequence[str], choices: Choices, author: str) -> RolloutRow:
        """Begins a rollout of these releases (the first digits of their ids), or of all ready ones of rooms, or of all.

        Raises RequestError where nothing can go out, or a node is busy with another rollout.
        """
        if self._refusal:
            raise RequestError(self._refusal)
        async with self._lock:
            if ids:
                rows = [await self._releases.find(digits) for digits in ids]
                for row in rows:
                    check_ready(row)
            else:
                rows = chosen(await self._releases.candidates(), rooms)
            for row in rows:
                if number := self._busy(row.node):
                    raise RequestError(
                        f"Node {row.node} is busy with rollout {number}: wait until that is done, or end it with "
                        f"`attune rollout abort {number}`."
                    )
            made = await self._begin(rows, choices, author, "a person asked")
        self._wake.set()
        return made

    async def tell(self, number: int, word: Word, author: str, reason: str = "") -> RolloutRow:
        """A person's word. Raises NotFoundError, and RequestError where the rollout's state does not allow it."""
        async with self._lock:
            row = self._live.get(number) or await self._found(number)
            state = row.rollout.state
            if not allowed(state, word):
                raise RequestError(f"Rollout {number} is {state}: it cannot be {word.done}.")
            self._live[number] = row
            now = self._clock.utc_ms()
            row = await self._apply(number, Told(now, word, reason or f"{author or 'somebody'} said so"), author)
            await self._carry_out()
        self._wake.set()
        return await self.show(number)

    async def show(self, number: int) -> RolloutRow:
        """A rollout as it is. Raises NotFoundError."""
        return self._live.get(number) or await self._found(number)

    async def newest(self, limit: int) -> list[RolloutRow]:
        """The newest rollouts first."""
        return [self._live.get(row.rollout.number, row) for row in await self._store.newest(limit)]

    async def acts(self, number: int) -> list[Act]:
        return await self._store.acts(number)

    def delivery(self, pair: Pair) -> Delivery | None:
        """The newest delivery of a pair's node, if it is the rollout's."""
        delivery = self._deliveries.of(pair.node)
        return delivery if pair.owns(delivery) else None

    @contextlib.contextmanager
    def watching(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever a rollout has changed; whoever has seen it clears it."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            yield changed
        finally:
            self._watchers.discard(changed)

    async def _found(self, number: int) -> RolloutRow:
        row = await self._store.find(number)
        if row is None:
            raise NotFoundError(f"There is no rollout {number}: `attune rollout status` shows their numbers.")
        return row

    # What begins.

    async def _begin(self, rows: Sequence[ReleaseRow], choices: Choices, author: str, trigger: str) -> RolloutRow:
        now = self._clock.utc_ms()
        rollout = make_rollout(wishes_of(rows, self._nodes), choices, now)
        row = await self._store.add(RolloutRow(rollout, author, trigger), Act(now, author, "start", trigger))
        self._live[row.rollout.number] = row
        self._tried |= {(pair.node, pair.target) for pair in rollout.pairs.values()}
        for number in list(self._live):
            if number != row.rollout.number:
                await self._give_way(number, rollout)
        self._notify()
        return row

    async def _give_way(self, number: int, newer: Rollout) -> None:
        """What waits in one rollout and is in a newer one is the newer one's."""
        for node, pair in self._live[number].rollout.pairs.items():
            if pair.step is Step.QUEUED and node in newer.pairs:
                await self._apply(number, Dropped(self._clock.utc_ms(), node, _SUPERSEDED, gone=True))

    async def _begin_ready(self) -> None:
        """A rollout for each room that has ready releases which no rollout has had; a busy node waits."""
        rooms: dict[str, list[ReleaseRow]] = {}
        for row in await self._releases.candidates():
            fresh = ready(row) and (row.node, row.id) not in self._tried
            if fresh and self._nodes.place_of(row.node) and not self._busy(row.node):
                rooms.setdefault(row.room, []).append(row)
        for rows in rooms.values():
            await self._begin(rows, Choices(), "", AUTOMATIC)

    def _busy(self, node: str) -> int:
        """The rollout that has something under way to a node; 0 if none has."""
        pairs = ((number, row.rollout.pairs.get(node)) for number, row in self._live.items())
        return next((number for number, pair in pairs if pair is not None and pair.step in MOVING), 0)

    # What follows.

    async def _hear(self) -> None:
        """Takes in deliveries that have changed since."""
        while self._dirty:
            # It stays until it is durable: after an error the next look hears it again.
            node = next(iter(self._dirty))
            delivery = self._deliveries.of(node)
            if delivery is not None:
                await self._take(delivery)
            if self._deliveries.of(node) == delivery:
                self._dirty.discard(node)

    async def _take(self, delivery: Delivery) -> None:
        numbers = [number for number, row in self._live.items() if delivery.node in row.rollout.pairs]
        way_back = await self._way_back(delivery) if numbers else ""
        for number in numbers:
            await self._apply(number, Changed(self._clock.utc_ms(), delivery, way_back))

    async def _way_back(self, delivery: Delivery) -> str:
        """The release that a node ran before; the factory's where that is not known, or was forgotten."""
        found = await self._releases.of_digest(delivery.node, delivery.before)
        return found[0] if found and found[1] != FORGOTTEN else FACTORY

    async def _judge(self) -> None:
        for number, row in list(self._live.items()):
            for pair in row.rollout.pairs.values():
                if pair.step is Step.UNDER_WAY and pair.at is Stage.TRIAL and pair.decision is None:
                    await self._judge_trial(number, pair)

    async def _judge_trial(self, number: int, pair: Pair) -> None:
        delivery, now = self.delivery(pair), self._clock.utc_ms()
        if delivery is None or delivery.stage is not Stage.TRIAL:
            return
        expected = await self._expect(pair.target)
        hours = (now - delivery.since_utc_ms) / HOUR_MS
        # Windows are read only where they could decide.
        if judge(Seen(hours, delivery.windows, delivery.differing, delivery.windows, 0, 0), expected) is None:
            return
        said = judge(await self._evidence.seen(delivery, pair.room), expected)
        if said is not None:
            await self._apply(number, Judged(now, pair.node, said.commit, said.reason))

    async def _expect(self, release: str) -> float | None:
        if release not in self._expected:
            try:
                self._expected[release] = expected_share((await self._releases.find(release)).report)
            except RequestError:  # it was forgotten
                self._expected[release] = None
        return self._expected[release]

    async def _tick(self) -> None:
        slots = max(AT_ONCE_LEAST, int(AT_ONCE_SHARE * self._nodes.count()))
        slots -= sum(pair.occupies for row in self._live.values() for pair in row.rollout.pairs.values())
        for number in list(self._live):
            await self._drop_stale(number)
            if number not in self._live:
                continue
            before = self._occupied(number)
            reachable = {
                pair.node: mark_of(self._deliveries.of(pair.node))
                for pair in self._live[number].rollout.pairs.values()
                if pair.step is Step.QUEUED and self._nodes.reachable(pair.node) and not self._busy(pair.node)
            }
            await self._apply(number, Tick(self._clock.utc_ms(), reachable, slots))
            slots -= max(self._occupied(number) - before, 0)

    def _occupied(self, number: int) -> int:
        row = self._live.get(number)
        return sum(pair.occupies for pair in row.rollout.pairs.values()) if row else 0

    async def _drop_stale(self, number: int) -> None:
        """Releases that something newer has superseded, or whose inputs were forgotten, are not begun with."""
        waiting = {p.node: p.target for p in self._live[number].rollout.pairs.values() if p.step is Step.QUEUED}
        states = await self._releases.states(waiting.values()) if waiting else {}
        for node, target in waiting.items():
            if states.get(target) not in {CANDIDATE, DEPLOYED}:
                reason = "what it was built from was forgotten" if states.get(target) == FORGOTTEN else _SUPERSEDED
                await self._apply(number, Dropped(self._clock.utc_ms(), node, reason, gone=True))

    async def _carry_out(self) -> None:
        """Does what is to be done, and what follows from that. Nothing is done twice in one go."""
        done: set[tuple[int, Command]] = set()
        while True:
            for number, row in list(self._live.items()):
                for node in vanished(row.rollout, self._deliveries.of):
                    gone = self._deliveries.of(node) is None and row.rollout.pairs[node].seen
                    event = Dropped(self._clock.utc_ms(), node, "the node was removed", gone=gone)
                    await self._apply(number, event)
            todo = [(n, each) for n, row in self._live.items() for each in commands(row.rollout, self._deliveries.of)]
            fresh = [each for each in todo if each not in done]
            if not fresh:
                return
            for number, command in fresh:
                done.add((number, command))
                await self._do(number, command)
            await self._hear()

    async def _do(self, number: int, command: Command) -> None:
        try:
            if isinstance(command, Want):
                await self._deliveries.want(command.node, command.target)
            else:
                await self._deliveries.decide(command.node, commit=command.commit)
        except RequestError as error:
            gone = isinstance(error, NotFoundError)
            await self._apply(number, Dropped(self._clock.utc_ms(), command.node, str(error), gone=gone))
        self._dirty.add(command.node)

    async def _apply(self, number: int, event: Event, author: str = "") -> RolloutRow:
        """The disk first, then memory. What a person says, and each change of state, is written down."""
        row = self._live[number]
        before, after = row.rollout, apply(row.rollout, event)
        if after == before:
            return row
        changed = [node for node, pair in after.pairs.items() if pair != before.pairs[node]]
        act = None
        if isinstance(event, Told):
            act = Act(event.now_utc_ms, author, event.word.value, event.reason)
        elif after.state is not before.state:
            act = Act(event.now_utc_ms, "", after.state.value, after.reason)
        await self._store.save(after, changed, act)
        row = self._live[number] = replace(row, rollout=after)
        for node in changed:
            if after.pairs[node].step is Step.COMMITTED and before.pairs[node].step is not Step.COMMITTED:
                self._replace_in_older(number, node)
        if after.state not in ACTIVE and not any(pair.step in MOVING for pair in after.pairs.values()):
            del self._live[number]
        self._notify()
        return row

    def _replace_in_older(self, number: int, node: str) -> None:
        """As the store has done: what older rollouts had committed on the node does not run any more."""
        for older, row in self._live.items():
            pair = row.rollout.pairs.get(node)
            if older < number and pair is not None and pair.step is Step.COMMITTED and not pair.replaced:
                pairs = {**row.rollout.pairs, node: replace(pair, replaced=True)}
                self._live[older] = replace(row, rollout=replace(row.rollout, pairs=pairs))

    def _notify(self) -> None:
        for watcher in self._watchers:
            watcher.set()
