"""How releases reach nodes: one method a call of attune.v1.Rollouts."""

from collections.abc import AsyncIterator

import grpc
from attune_proto.v1 import rollouts_pb2, rollouts_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.errors import NotFoundError, RequestError
from attuned.labels.labels import NAME_LIMIT
from attuned.labels.names import no_room
from attuned.site import Site
from attuned.store.rollouts import RolloutRow
from attuned.updates.rollout_state import ACTIVE, Pair, Rollout, Step, Word
from attuned.updates.rollout_words import mixed_rooms, progress, what
from attuned.updates.stages import Choices

AT_ONCE = 20

# A reason is a sentence or two.
REASON_LIMIT = 200


class RolloutsService(rollouts_pb2_grpc.RolloutsServicer):
    """Hands requests to the site's rollouts."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rollouts = site.updating.rollouts

    @answers
    async def StartRollout(  # noqa: N802 (the names are the contract's)
        self, request: rollouts_pb2.StartRolloutRequest, context: Context
    ) -> rollouts_pb2.Rollout:
        for room in request.rooms:
            if room not in self._site.room_settings:
                raise no_room(room, {each.id: each.name for each in self._site.room_settings.values()})
        _check_author(request.author)
        row = await self._rollouts.start(list(request.releases), list(request.rooms), _choices(request), request.author)
        return await self._page(row)

    @answers
    async def ListRollouts(  # noqa: N802
        self, request: rollouts_pb2.ListRolloutsRequest, context: Context
    ) -> rollouts_pb2.ListRolloutsReply:
        now = self._site.clock.utc_ms()
        rows = await self._rollouts.newest(request.limit or AT_ONCE)
        return rollouts_pb2.ListRolloutsReply(rollouts=[_line(row, now) for row in rows], now_utc_ms=now)

    @answers
    async def ShowRollout(  # noqa: N802
        self, request: rollouts_pb2.RolloutRequest, context: Context
    ) -> rollouts_pb2.Rollout:
        return await self._page(await self._find(request.number))

    @answers
    async def ChangeRollout(  # noqa: N802
        self, request: rollouts_pb2.ChangeRolloutRequest, context: Context
    ) -> rollouts_pb2.Rollout:
        if request.word not in set(Word):
            raise RequestError(f"A rollout is told one of {', '.join(Word)}.")
        _check_author(request.author)
        if len(request.reason) > REASON_LIMIT:
            raise RequestError(f"Give a reason of at most {REASON_LIMIT} characters.")
        row = await self._rollouts.tell(request.number, Word(request.word), request.author, request.reason)
        return await self._page(row)

    async def WatchRollout(  # noqa: N802
        self, request: rollouts_pb2.RolloutRequest, context: Context
    ) -> AsyncIterator[rollouts_pb2.Rollout]:
        try:
            number = (await self._find(request.number)).rollout.number
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        with self._rollouts.watching() as changed:
            while True:
                changed.clear()
                row = await self._rollouts.show(number)
                yield await self._page(row)
                if row.rollout.state not in ACTIVE:
                    return
                await changed.wait()

    async def _find(self, number: int) -> RolloutRow:
        if number:
            return await self._rollouts.show(number)
        newest = await self._rollouts.newest(1)
        if not newest:
            raise NotFoundError("There has been no rollout yet: `attune rollout start --all` begins one.")
        return newest[0]

    async def _page(self, row: RolloutRow) -> rollouts_pb2.Rollout:
        """All of a rollout."""
        page, rollout = _line(row, self._site.clock.utc_ms()), row.rollout
        page.nodes.extend(self._node(rollout, pair) for pair in rollout.pairs.values())
        acts = await self._rollouts.acts(rollout.number)
        page.acts.extend(
            rollouts_pb2.RolloutAct(utc_ms=act.utc_ms, author=act.author, what=act.what, reason=act.reason)
            for act in acts
        )
        return page

    def _node(self, rollout: Rollout, pair: Pair) -> rollouts_pb2.RolloutNode:
        delivery = self._rollouts.delivery(pair)
        return rollouts_pb2.RolloutNode(
            node=pair.node,
            room=pair.room,
            release=pair.target,
            stage=pair.stage,
            step=pair.step.value,
            what=what(rollout, pair, delivery),
            windows=delivery.windows if delivery else 0,
            differing=delivery.differing if delivery else 0,
            away=_away(pair),
        )


def _line(row: RolloutRow, now_utc_ms: int) -> rollouts_pb2.Rollout:
    """A rollout without its nodes."""
    rollout = row.rollout
    through, size = progress(rollout)
    return rollouts_pb2.Rollout(
        number=rollout.number,
        state=rollout.state.value,
        author=row.author,
        trigger=row.trigger,
        reason=rollout.reason,
        started_utc_ms=rollout.started_utc_ms,
        ends_utc_ms=rollout.ends_utc_ms,
        now_utc_ms=now_utc_ms,
        stage=rollout.stage,
        stages=[_stage(rollout, index, name) for index, name in enumerate(rollout.plan.stages)],
        mixed_rooms=mixed_rooms(rollout),
        through=through,
        size=size,
    )


def _stage(rollout: Rollout, index: int, name: str) -> rollouts_pb2.RolloutStage:
    members = rollout.members(index)
    return rollouts_pb2.RolloutStage(
        name=name,
        nodes=len(members),
        committed=sum(pair.step is Step.COMMITTED for pair in members),
        failed=sum(pair.step is Step.FAILED for pair in members),
        away=sum(_away(pair) for pair in members),
    )


def _away(pair: Pair) -> bool:
    return pair.step is Step.QUEUED and (pair.away or pair.straggler)


def _choices(request: rollouts_pb2.StartRolloutRequest) -> Choices:
    usual = Choices()
    return Choices(
        request.canary or usual.canary,
        request.canary_share,
        request.success_share or usual.success_share,
        request.error_share or usual.error_share,
        request.wait_hours or usual.wait_h,
        request.deadline_hours or usual.deadline_h,
    )


def _check_author(author: str) -> None:
    if not author or len(author) > NAME_LIMIT:
        raise RequestError(f"A rollout is somebody's word: give a name of at most {NAME_LIMIT} characters.")
