"""What `attune forget` shows: what would go, what went, and the proof."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from attune_proto.v1 import admin_pb2
from rich.console import Group
from rich.text import Text

from attuned.cli import clock
from attuned.cli.grid import Column, Facts, Grid, Row, Section

_LOG = (Column("when"), Column("who", leave=1, least=4), Column("what", least=12), Column("rows", right=True))
_PROOF = (Column(""), Column("compared", least=12), Column("in force"), Column("never saw it"))

# Hex digits of a digest that are shown.
_DIGITS = 12


def selection(entry: admin_pb2.ForgetEntry, zone: tzinfo) -> str:
    """What was selected, in words."""
    parts = [
        f"room {entry.room}" if entry.room else "",
        f"what node {entry.node} measured" if entry.node else "",
        f"labels of the source {entry.source}" if entry.source else "",
    ]
    what = " of ".join(part for part in reversed(parts) if part) or "everything"
    since = f" from {clock.full(entry.from_utc_ms, zone)}" if entry.from_utc_ms else ""
    return f"{what}{since} until {clock.full(entry.to_utc_ms, zone)}"


def preview(entry: admin_pb2.ForgetEntry, zone: tzinfo) -> Group:
    """How many rows of each kind would go."""
    return Group(Text(f"This would go for good: {selection(entry, zone)}."), _counts(entry))


def done(entry: admin_pb2.ForgetEntry, zone: tzinfo) -> Group:
    """How many rows of each kind went."""
    return Group(Text(f"Forgotten: {selection(entry, zone)}."), _counts(entry))


def _counts(entry: admin_pb2.ForgetEntry) -> Facts | Text:
    facts = {each.what: Text(f"{each.rows:,}") for each in entry.counts if each.rows}
    return Facts(facts) if facts else Text("  There is nothing of it.")


def log(reply: admin_pb2.ListForgottenReply, zone: tzinfo) -> Grid | Text:
    """What was forgotten so far, the newest first."""
    if not reply.entries:
        return Text("Nothing was forgotten yet.")
    rows = [
        Row(
            (
                Text(clock.full(entry.utc_ms, zone)),
                Text(entry.author),
                Text(selection(entry, zone) + ("" if entry.state == "done" else " (not finished)")),
                Text(f"{sum(each.rows for each in entry.counts):,}"),
            )
        )
        for entry in reply.entries
    ]
    return Grid(_LOG, [Section("", rows)])


def proof(reply: admin_pb2.ProveForgottenReply) -> Group:
    """What was compared, and whether all of it is as if what was forgotten had never come."""
    rows = [
        Row(
            (
                Text("=" if check.same else "differs", style="" if check.same else "bold red"),
                Text(check.name),
                Text(check.in_force[:_DIGITS]),
                Text(check.never_saw[:_DIGITS]),
            )
        )
        for check in reply.checks
    ]
    wrong = sum(not check.same for check in reply.checks)
    verdict = (
        f"Not proved: {wrong} of {len(rows)} differ from what never saw it."
        if wrong
        else f"Proved: all {len(rows)} are as if it had never been there."
    )
    return (
        Group(Grid(_PROOF, [Section("", rows)]), Text(verdict)) if rows else Group(Text("Nothing was forgotten yet."))
    )


def entry_json(entry: admin_pb2.ForgetEntry, zone: tzinfo) -> dict[str, Any]:
    return {
        "id": entry.id,
        "when": clock.iso(entry.utc_ms, zone),
        "author": entry.author or None,
        "room": entry.room or None,
        "node": entry.node or None,
        "source": entry.source or None,
        "from": clock.iso(entry.from_utc_ms, zone),
        "to": clock.iso(entry.to_utc_ms, zone),
        "counts": {each.what: each.rows for each in entry.counts},
        "state": entry.state,
    }


def proof_json(reply: admin_pb2.ProveForgottenReply) -> dict[str, Any]:
    checks = [
        {"name": check.name, "in_force": check.in_force, "never_saw": check.never_saw, "same": check.same}
        for check in reply.checks
    ]
    return {"proved": all(check.same for check in reply.checks), "checks": checks}
