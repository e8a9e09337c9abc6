"""Nodes that are trusted and codes that wait for their node: two tables of attune.db."""

import sqlite3
from dataclasses import astuple

from attuned.nodes.trusted import CodeRow, TrustedNode
from attuned.store.database import Database


class KeyStore:
    """Reads and changes both; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def nodes(self) -> list[TrustedNode]:
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM trusted_nodes").fetchall()
        )
        return [TrustedNode(*row) for row in rows]

    async def codes(self) -> list[CodeRow]:
        rows = await self._database.read(lambda connection: connection.execute("SELECT * FROM node_codes").fetchall())
        return [CodeRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6]) for row in rows]

    async def trust(self, node: TrustedNode) -> None:
        """Adds a node, or changes what is kept of it."""
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO trusted_nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(node)
            )
        )

    async def forget(self, node: str) -> None:
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM trusted_nodes WHERE node = ?", (node,))
        )

    async def replace(self, old: str, new: TrustedNode) -> None:
        """The new node stands where the old one stood, which is forgotten."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM trusted_nodes WHERE node = ?", (old,))
            connection.execute("INSERT OR REPLACE INTO trusted_nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(new))

        await self._database.run(work)

    async def expect(self, code: CodeRow) -> None:
        """Keeps a code until its node has come."""
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO node_codes VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(code)
            )
        )

    async def drop_code(self, hint: str) -> None:
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM node_codes WHERE hint = ?", (hint,))
        )
