"""Gateways that have certificates, and invitations for them: two tables of attune.db."""

import sqlite3
from dataclasses import astuple, dataclass

from attuned.store.database import Database


@dataclass(frozen=True)
class GatewayRow:
    """An enrolled gateway. enrolment: hex digits, in its certificates; expires: of the one that it used last.

    heard: when it was heard last, written when it comes and goes; revoked: 0 if it was not.
    """

    name: str
    enrolment: str
    since_utc_ms: int
    expires_utc_ms: int
    heard_utc_ms: int = 0
    revoked_utc_ms: int = 0


@dataclass(frozen=True)
class InvitationRow:
    """token: SHA-256 of it; used_by: SHA-256 of the key that has used it, empty as long as none has."""

    token: bytes
    name: str
    until_utc_ms: int
    used_by: bytes = b""


class GatewayStore:
    """Reads and changes both; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def gateways(self) -> list[GatewayRow]:
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM gateways ORDER BY name").fetchall()
        )
        return [GatewayRow(*row) for row in rows]

    async def invitations(self) -> list[InvitationRow]:
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM gateway_invitations").fetchall()
        )
        return [InvitationRow(*row) for row in rows]

    async def invite(self, invitation: InvitationRow, ended_utc_ms: int) -> None:
        """Takes the place of earlier invitations of that name, and clears away those that ended before that time."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM gateway_invitations WHERE name = ? OR until_utc_ms < ?", (invitation.name, ended_utc_ms)
            )
            connection.execute("INSERT INTO gateway_invitations VALUES (?, ?, ?, ?)", astuple(invitation))

        await self._database.run(work)

    async def enrol(self, invitation: InvitationRow, gateway: GatewayRow) -> None:
        """The invitation is used, and the gateway takes the place of one of its name."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO gateway_invitations VALUES (?, ?, ?, ?)", astuple(invitation))
            _put(connection, gateway)

        await self._database.run(work)

    async def revoke(self, gateway: GatewayRow) -> None:
        """Keeps the row as it is given, and withdraws invitations of that name."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM gateway_invitations WHERE name = ?", (gateway.name,))
            _put(connection, gateway)

        await self._database.run(work)

    async def withdraw(self, name: str) -> None:
        """Drops the invitations of a name."""
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM gateway_invitations WHERE name = ?", (name,))
        )

    async def note(self, gateway: GatewayRow) -> None:
        """What was learned when it came or went; nothing if it was revoked or enrolled anew meanwhile."""
        await self._database.run(
            lambda connection: connection.execute(
                "UPDATE gateways SET expires_utc_ms = ?, heard_utc_ms = ?"
                " WHERE name = ? AND enrolment = ? AND revoked_utc_ms = 0",
                (gateway.expires_utc_ms, gateway.heard_utc_ms, gateway.name, gateway.enrolment),
            )
        )


def _put(connection: sqlite3.Connection, gateway: GatewayRow) -> None:
    connection.execute("INSERT OR REPLACE INTO gateways VALUES (?, ?, ?, ?, ?, ?)", astuple(gateway))
