"""What the command line asks about drift: one method a call of attune.v1.Drift."""

import math
from collections.abc import Sequence
from datetime import timedelta

from attune_proto.v1 import drift_pb2, drift_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.drift.detector import Detector
from attuned.drift.judge import REFERENCE_DAYS, SITE, History, Key, medians
from attuned.drift.life import DriftEvent, State
from attuned.drift.words import explain
from attuned.errors import NotFoundError, RequestError
from attuned.site import Site

# Longest reason or note: a sentence or two, which stand in a table.
WORDS_LIMIT = 500

# Days after an event's beginning that are plotted.
AFTER_DAYS = 21


class DriftService(drift_pb2_grpc.DriftServicer):
    """Reads the detector's events; only acknowledging and muting change anything."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def _detector(self) -> Detector:
        return self._site.detector

    @answers
    async def ListDrift(  # noqa: N802 (the names are the contract's)
        self, request: drift_pb2.ListDriftRequest, context: Context
    ) -> drift_pb2.ListDriftReply:
        chosen = self._chosen(request)
        history = await self._history(chosen)
        mutes = [
            drift_pb2.DriftMute(node=m.node, reason=m.reason, author=m.author, told_utc_ms=m.told_utc_ms)
            for m in self._detector.mutes.values()
        ]
        return drift_pb2.ListDriftReply(
            events=[self._message(event, history) for event in chosen],
            mutes=mutes,
            now_utc_ms=self._site.clock.utc_ms(),
        )

    @answers
    async def AckDrift(  # noqa: N802
        self, request: drift_pb2.AckDriftRequest, context: Context
    ) -> drift_pb2.DriftEvent:
        _check_words(request.author, request.note)
        event = await self._detector.acknowledge(request.number, request.author, request.note)
        return self._message(event, History({}))

    @answers
    async def MuteDrift(  # noqa: N802
        self, request: drift_pb2.MuteDriftRequest, context: Context
    ) -> drift_pb2.MuteDriftReply:
        _check_words(request.author, request.reason)
        await self._detector.mute(request.node, request.reason.strip(), request.author)
        return drift_pb2.MuteDriftReply()

    async def _history(self, events: Sequence[DriftEvent]) -> History:
        """What their plots need: the site's own needs all nodes."""
        if not events:
            return History({})
        first = min(event.since for event in events) - timedelta(days=REFERENCE_DAYS)
        nodes = {event.node for event in events}
        return await self._detector.history(first, self._site.hub.conversations if SITE in nodes else nodes)

    def _chosen(self, request: drift_pb2.ListDriftRequest) -> list[DriftEvent]:
        events = sorted(self._detector.events.values(), key=lambda event: -event.number)
        if request.number:
            found = [event for event in events if event.number == request.number]
            if not found:
                raise NotFoundError(f"There is no drift event {request.number}: `attune drift` lists them.")
            return found
        if request.node and request.node not in self._site.hub.conversations:
            raise NotFoundError(f"There is no node {request.node!r}: `attune nodes` lists the nodes.")
        return [
            event
            for event in events
            if request.node in ("", event.node)
            and (event.state is not State.RESOLVED or event.raised_utc_ms >= request.since_utc_ms)
        ]

    def _message(self, event: DriftEvent, history: History) -> drift_pb2.DriftEvent:
        room = self._site.assignments.room_of.get(event.node, "")
        plotted = (event.moved[0].feature, event.moved[0].name) if event.moved else None
        values = _series(history, event, plotted) if plotted else []
        return drift_pb2.DriftEvent(
            number=event.number,
            node=event.node,
            room=room,
            since=event.since.isoformat(),
            cause=event.cause,
            sensors=event.sensors,
            score=event.score,
            state=str(event.state),
            done=event.done,
            raised_utc_ms=event.raised_utc_ms,
            changed_utc_ms=event.changed_utc_ms,
            text=explain(event, room),
            plotted=" ".join(plotted) if plotted else "",
            then=values[:REFERENCE_DAYS],
            now=values[REFERENCE_DAYS:],
        )


def _series(history: History, event: DriftEvent, plotted: Key) -> Sequence[float]:
    """A value a day of the statistic that moved most: the reference's days, then those of the event that are there."""
    days = [event.since + timedelta(days=number) for number in range(-REFERENCE_DAYS, AFTER_DAYS)]
    if event.node == SITE:
        found = [medians(history, day).get(plotted, math.nan) for day in days]
    else:
        of = history.days.get(event.node, {})
        keys = [(key.feature, key.name) for key in history.keys(event.node)] if of else []
        place = keys.index(plotted) if plotted in keys else None
        found = [math.nan if place is None or day not in of else float(of[day][place]) for day in days]
    while len(found) > REFERENCE_DAYS and math.isnan(found[-1]):
        found.pop()
    return found


def _check_words(author: str, words: str) -> None:
    if max(len(author), len(words)) > WORDS_LIMIT or not all(map(str.isprintable, (author, words))):
        raise RequestError(f"Say it in one line of at most {WORDS_LIMIT} characters.")
