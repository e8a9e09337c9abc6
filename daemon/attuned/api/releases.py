"""The calls about releases: retraining, and what came of it."""

import contextlib
import json
from collections.abc import AsyncGenerator

import grpc
from attune_proto.v1 import admin_pb2, admin_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.errors import AttuneError, NotFoundError, RequestError
from attuned.labels.labels import NAME_LIMIT
from attuned.labels.names import no_room
from attuned.learning.jobs import Report
from attuned.learning.releases import Release
from attuned.learning.retraining import REPORT, check_approval, ready
from attuned.site import Site
from attuned.store.releases import ReleaseRow

RELEASES_AT_ONCE = 100

BY_HAND = "a person asked"


class ReleaseCalls(admin_pb2_grpc.AdminServicer):
    """Rooms are retrained, and their releases listed, shown, compared and rebuilt."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def Retrain(  # noqa: N802 (the names are the contract's)
        self, request: admin_pb2.RetrainRequest, context: Context
    ) -> AsyncGenerator[admin_pb2.RetrainReply, None]:
        rooms = list(request.rooms or self._site.room_settings)
        try:
            self._check(rooms)
            retraining = self._site.retraining.retrain(rooms, BY_HAND, dry_run=request.dry_run)
            async with contextlib.aclosing(retraining) as results:
                done = 0
                async for result in results:
                    done += 1
                    pages = [_page(row) for row in result.rows]
                    yield admin_pb2.RetrainReply(room=result.room, done=done, rooms=len(rooms), pages=pages)
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except AttuneError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    @answers
    async def ListReleases(  # noqa: N802
        self, request: admin_pb2.ListReleasesRequest, context: Context
    ) -> admin_pb2.ListReleasesReply:
        if request.room:
            self._check([request.room])
        rows = await self._site.site_store.releases.newest(request.room, request.limit or RELEASES_AT_ONCE)
        return admin_pb2.ListReleasesReply(
            releases=[release(row) for row in rows], now_utc_ms=self._site.clock.utc_ms()
        )

    @answers
    async def ShowRelease(  # noqa: N802
        self, request: admin_pb2.ReleaseRequest, context: Context
    ) -> admin_pb2.ReleasePage:
        return _page(await self._site.site_store.releases.find(request.id))

    @answers
    async def CompareReleases(  # noqa: N802
        self, request: admin_pb2.CompareReleasesRequest, context: Context
    ) -> admin_pb2.ReleasePage:
        store = self._site.site_store.releases
        before, now = await store.find(request.id), await store.find(request.other)
        if before.room != now.room:
            raise RequestError(
                f"These releases are of the rooms {before.room} and {now.room}: compare two of one room."
            )
        for row in (before, now):
            if row.forgotten != "[]":
                raise RequestError(
                    f"Inputs of release {row.id[:8]} were forgotten: there is nothing to compare any more."
                )
        bodies = [Release.model_validate_json(row.body) for row in (before, now)]
        return page(now, await self._site.retraining.compare(*bodies))

    @answers
    async def RebuildRelease(  # noqa: N802
        self, request: admin_pb2.ReleaseRequest, context: Context
    ) -> admin_pb2.RebuildReleaseReply:
        row = await self._site.site_store.releases.find(request.id)
        if forgotten := json.loads(row.forgotten):
            inputs = [admin_pb2.ForgottenInput(name=name, utc_ms=utc_ms) for name, utc_ms in forgotten]
            missing = [name for name, _ in forgotten]
            return admin_pb2.RebuildReleaseReply(release=release(row), missing=missing, forgotten=inputs)
        answer = await self._site.retraining.rebuild(Release.model_validate_json(row.body))
        made = answer.releases[0] if answer.releases else None
        return admin_pb2.RebuildReleaseReply(
            release=release(row),
            same=made is not None and made.canonical() == row.body,
            rebuilt=made.id if made else "",
            missing=answer.missing,
        )

    @answers
    async def ApproveRelease(  # noqa: N802
        self, request: admin_pb2.ApproveReleaseRequest, context: Context
    ) -> admin_pb2.ReleasePage:
        store = self._site.site_store.releases
        row = await store.find(request.id)
        check_approval(row)
        if not request.author or len(request.author) > NAME_LIMIT:
            raise RequestError(f"A word is somebody's: give a name of at most {NAME_LIMIT} characters.")
        await store.approve(row.id, request.author, self._site.clock.utc_ms())
        # It may have been superseded meanwhile.
        row = await store.find(row.id)
        if not row.approved_by:
            check_approval(row)
        return _page(row)

    def _check(self, rooms: list[str]) -> None:
        for room in rooms:
            if room not in self._site.room_settings:
                raise no_room(room, {each.id: each.name for each in self._site.room_settings.values()})


def release(row: ReleaseRow) -> admin_pb2.Release:
    """A release's line in a list."""
    return admin_pb2.Release(
        id=row.id,
        room=row.room,
        node=row.node,
        made_utc_ms=row.made_utc_ms,
        state=row.state,
        verdict=row.verdict,
        ready=ready(row),
        trigger=row.trigger,
        through_label=row.through_label,
        approved_by=row.approved_by,
        approved_utc_ms=row.approved_utc_ms,
    )


def _page(row: ReleaseRow) -> admin_pb2.ReleasePage:
    return page(row, REPORT.validate_json(row.report))


def page(row: ReleaseRow, report: Report) -> admin_pb2.ReleasePage:
    """All of a release that a person judges by."""
    body, findings = Release.model_validate_json(row.body), report.findings
    blocks = [
        admin_pb2.ReleaseBlock(name=each.name, digest=each.digest, windows=each.count, weight=each.weight)
        for each in body.blocks
    ]
    return admin_pb2.ReleasePage(
        release=release(row),
        against=report.against,
        days=findings.days,
        changes=findings.changes,
        slices=[
            admin_pb2.SliceFigures(
                name=part.name,
                days=part.days,
                windows=part.windows,
                measures=[
                    admin_pb2.Measure(
                        measure=each.measure, before=each.deployed, now=each.candidate, low=each.low, high=each.high
                    )
                    for each in part.measures
                ],
            )
            for part in findings.slices
        ],
        negative_flips=findings.flips.negative,
        positive_flips=findings.flips.positive,
        flips_p=findings.flips.p,
        verdict=report.verdict.word,
        recommendation=report.verdict.recommendation,
        reasons=report.verdict.reasons,
        blocks=blocks,
        code=body.code,
    )
