"""The calls about forgetting: what somebody selects goes, is listed, and is proved to be gone."""

from attune_proto.v1 import admin_pb2, admin_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.learning.forgetting import Request
from attuned.site import Site
from attuned.store.audit import AuditEntry

# Longest wait for nodes, in milliseconds.
WAIT_LIMIT_MS = 60_000


class ForgettingCalls(admin_pb2_grpc.AdminServicer):
    """Forgets, and shows what was forgotten."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @answers
    async def Forget(  # noqa: N802 (the names are the contract's)
        self, request: admin_pb2.ForgetRequest, context: Context
    ) -> admin_pb2.ForgetReply:
        asked = Request(request.room, request.node, request.source, request.from_utc_ms, request.to_utc_ms)
        selection = await self._site.forgetting.select(asked)
        if request.dry_run:
            counts = await self._site.forgetting.preview(selection)
            entry = AuditEntry("", self._site.clock.utc_ms(), request.author, selection, counts=counts)
        else:
            entry = await self._site.oblivion.forget(selection, request.author)
        return admin_pb2.ForgetReply(entry=_entry(entry))

    @answers
    async def ListForgotten(  # noqa: N802
        self, request: admin_pb2.ListForgottenRequest, context: Context
    ) -> admin_pb2.ListForgottenReply:
        entries = await self._site.forgetting.entries()
        return admin_pb2.ListForgottenReply(entries=[_entry(entry) for entry in reversed(entries)])

    @answers
    async def ProveForgotten(  # noqa: N802
        self, request: admin_pb2.ProveForgottenRequest, context: Context
    ) -> admin_pb2.ProveForgottenReply:
        checks = await self._site.oblivion.prove(list(request.ids), min(request.wait_ms, WAIT_LIMIT_MS) / 1000)
        return admin_pb2.ProveForgottenReply(
            checks=[
                admin_pb2.ProofCheck(name=each.name, in_force=each.in_force, never_saw=each.never_saw, same=each.same)
                for each in checks
            ]
        )


def _entry(entry: AuditEntry) -> admin_pb2.ForgetEntry:
    selection = entry.selection
    return admin_pb2.ForgetEntry(
        id=entry.id,
        utc_ms=entry.utc_ms,
        author=entry.author,
        room=selection.room,
        node=selection.node,
        source=selection.source,
        from_utc_ms=selection.from_utc_ms,
        to_utc_ms=selection.to_utc_ms,
        counts=[admin_pb2.ForgetCount(what=what, rows=rows) for what, rows in entry.counts.items()],
        state=entry.state,
    )
