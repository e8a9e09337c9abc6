"""Gateways as people see to them: one method a call of attune.v1.Gateways."""

import socket

from attune_proto.v1 import gateways_pb2, gateways_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.api.radios import Radios
from attuned.errors import NotFoundError, RequestError
from attuned.gateways.enrolled import NOT_LISTENING, EnrolledGateways
from attuned.gateways.invitations import text_of
from attuned.gateways.listening import Door
from attuned.nodes.link_service import LinkService

# What a host's name may be at most (RFC 1035), and what listens on all addresses of a machine.
_HOST_LIMIT = 253
_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 (compared, not bound)


class GatewaysService(gateways_pb2_grpc.GatewaysServicer):
    """`door` is None where the daemon listens for no gateways of other machines."""

    def __init__(self, gateways: EnrolledGateways, links: LinkService, door: Door | None, radios: Radios) -> None:
        self._gateways = gateways
        self._links = links
        self._door = door
        self._radios = radios

    @answers
    async def InviteGateway(  # noqa: N802 (the names are the contract's)
        self, request: gateways_pb2.InviteGatewayRequest, context: Context
    ) -> gateways_pb2.InviteGatewayReply:
        if self._door is None:
            raise RequestError(NOT_LISTENING)
        if len(request.host) > _HOST_LIMIT or not request.host.isprintable() or " " in request.host:
            raise RequestError("Name the daemon's machine as gateways find it, such as --host attune.example.org.")
        if self._is_local(request.name):
            raise RequestError(
                f"{request.name} is the name of a gateway on the daemon's machine, which needs no invitation: give the "
                "new one another name."
            )
        known = request.name in self._gateways.rows and not self._gateways.rows[request.name].revoked_utc_ms
        invited = await self._gateways.invite(request.name, request.valid_s)
        await self._door.open()
        host = request.host or _own_host(self._door.host)
        return gateways_pb2.InviteGatewayReply(
            invitation=text_of(invited.token, invited.authority, host, self._door.port),
            until_utc_ms=invited.until_utc_ms,
            enrolled_already=known,
        )

    @answers
    async def ListGateways(  # noqa: N802
        self, request: gateways_pb2.ListGatewaysRequest, context: Context
    ) -> gateways_pb2.ListGatewaysReply:
        now = self._gateways.clock.utc_ms()
        invited = {
            row.name: row.until_utc_ms
            for row in self._gateways.invitations.values()
            if row.until_utc_ms > now and not row.used_by
        }
        names = sorted({*self._gateways.rows, *self._links.gateways, *invited})
        rows = [self._row(name, invited.get(name, 0)) for name in names]
        return gateways_pb2.ListGatewaysReply(gateways=rows, now_utc_ms=now)

    @answers
    async def RevokeGateway(  # noqa: N802
        self, request: gateways_pb2.RevokeGatewayRequest, context: Context
    ) -> gateways_pb2.RevokeGatewayReply:
        await self._gateways.revoke(request.name)
        # One on this machine that has the name of an invitation is another one.
        why = f"Gateway {request.name} has been revoked."
        connected = not self._is_local(request.name) and self._links.drop(request.name, why)
        return gateways_pb2.RevokeGatewayReply(connected=connected)

    @answers
    async def ScanGateway(  # noqa: N802
        self, request: gateways_pb2.ScanGatewayRequest, context: Context
    ) -> gateways_pb2.ScanGatewayReply:
        attached = self._links.gateways.get(request.name)
        if attached is None:
            known = request.name in self._gateways.rows
            raise NotFoundError(
                f"Gateway {request.name} is away: it can be scanned while it is connected."
                if known
                else f"There is no gateway {request.name!r}: `attune gateway list` lists the gateways."
            )
        if not attached.slots:
            raise RequestError(f"Gateway {request.name} has no radio: give it one with --ble, or [ble] in its file.")
        return self._radios.heard(attached)

    def _is_local(self, name: str) -> bool:
        attached = self._links.gateways.get(name)
        return attached is not None and attached.local

    def _row(self, name: str, invited_utc_ms: int) -> gateways_pb2.GatewayRow:
        row, attached = self._gateways.rows.get(name), self._links.gateways.get(name)
        found = gateways_pb2.GatewayRow(name=name, connected=attached is not None, invited_utc_ms=invited_utc_ms)
        if attached is not None:
            found.local = attached.local
            found.heard_utc_ms = attached.heard_utc_ms
            found.slots, found.slots_used = attached.slots, self._radios.used(attached)
        if row is not None:
            found.since_utc_ms, found.expires_utc_ms = row.since_utc_ms, row.expires_utc_ms
            found.heard_utc_ms = found.heard_utc_ms or row.heard_utc_ms
            found.revoked_utc_ms = row.revoked_utc_ms
        return found


def _own_host(listens: str) -> str:
    return socket.gethostname() if listens in _EVERYWHERE else listens.strip("[]")
