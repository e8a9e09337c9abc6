"""Rollouts for people. Pure: a reply of the daemon in, something that rich can print out."""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo

from attune_proto.v1 import rollouts_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from attuned.cli import clock, look
from attuned.cli.grid import Column, Facts, Grid, Row, Section

NO_ROLLOUTS = (
    "There has been no rollout yet: `attune release list` shows what is ready to go out, and "
    "`attune rollout start --all` begins."
)

_STYLES = {
    "running": "cyan",
    "paused": "yellow",
    "rolling back": "yellow",
    "done": "green",
    "stopped": "red",
    "aborted": "yellow",
}
_STEP_STYLES = {"committed": "green", "failed": "red", "under way": "cyan", "returning": "yellow", "leaving": "yellow"}
_MARKS = {"committed": "●", "failed": "✗", "under way": "◐", "returning": "◑", "leaving": "◑", "returned": "○"}
_BAR = 30
_DIGITS = 8
# Nodes that are shown one by one where nothing is up with them: a floor's.
_ALL_BELOW = 40

_LIST = (
    Column("no.", right=True),
    Column("state"),
    Column("nodes", right=True),
    Column("begun", leave=1),
    Column("by", leave=2, least=6),
    Column("stage", leave=3, least=10),
    Column("because", leave=4, least=14),
)
_STAGES = (
    Column("", least=2),
    Column("stage", least=12),
    Column("nodes", right=True),
    Column("run it", right=True),
    Column("went wrong", leave=1, right=True),
    Column("out of reach", leave=2, right=True),
)
_NODES = (
    Column("", least=1),
    Column("node", leave=2),
    Column("room", least=6),
    Column("release", leave=3),
    Column("how it is", least=44),
)


def rollouts_table(reply: rollouts_pb2.ListRolloutsReply, zone: tzinfo) -> RenderableType:
    """Rollouts in the order of the reply; or how to begin one."""
    if not reply.rollouts:
        return NO_ROLLOUTS
    rows = [
        Row(
            (
                Text(str(one.number)),
                Text(one.state, style=_STYLES.get(one.state, "")),
                Text(f"{one.through} of {one.size}"),
                Text(clock.short(one.started_utc_ms, reply.now_utc_ms, zone)),
                Text(one.author or "itself", style="dim"),
                Text(_stage_name(one)),
                Text(one.reason or one.trigger, style="dim"),
            )
        )
        for one in reply.rollouts
    ]
    return Grid(_LIST, [Section("", rows)], indent=0)


def rollout_screen(one: rollouts_pb2.Rollout, zone: tzinfo) -> RenderableType:
    """How far a rollout is: a bar, its stages, and its nodes, those that something is up with first."""
    parts: list[RenderableType] = [_head(one), _bar(one), Text(), Facts(_facts(one, zone)), Text()]
    stages = [_stage_row(one, index) for index in range(len(one.stages))]
    parts += [Grid(_STAGES, [Section("", stages)]), Text(), *_nodes(one)]
    if one.acts:
        parts += [Text(), *(_act(act, one.now_utc_ms, zone) for act in one.acts)]
    return Group(*parts)


def change_line(one: rollouts_pb2.Rollout, zone: tzinfo) -> str:
    """A rollout in a line, for a pipe."""
    steps = Counter(node.step for node in one.nodes)
    said = ", ".join(f"{count} {step}" for step, count in sorted(steps.items()))
    when = clock.local(one.now_utc_ms, zone).isoformat(timespec="seconds")
    return "\t".join((when, str(one.number), one.state, f"{one.through}/{one.size}", _stage_name(one), said))


def _head(one: rollouts_pb2.Rollout) -> Text:
    line = Text(f"Rollout {one.number}  ", style="bold").append(one.state, style=_STYLES.get(one.state, ""))
    return line.append(f": {one.reason}" if one.reason else "", style="default not bold")


def _bar(one: rollouts_pb2.Rollout) -> Text:
    full = round(_BAR * one.through / one.size) if one.size else 0
    bar = Text("  ").append("█" * full, style=_STYLES.get(one.state, "")).append("░" * (_BAR - full), style="dim")
    return bar.append(f"  {one.through} of {look.count(one.size, 'node')}")


def _facts(one: rollouts_pb2.Rollout, zone: tzinfo) -> dict[str, Text]:
    by = one.author or "the daemon itself"
    facts = {"begun": Text(f"{clock.full(one.started_utc_ms, zone)} by {by}, because: {one.trigger}")}
    if one.state in {"running", "paused"}:
        facts["until"] = Text(f"{clock.full(one.ends_utc_ms, zone)}; who has not come by then keeps what it runs")
    if one.mixed_rooms:
        rooms = ", ".join(one.mixed_rooms[:_ALL_BELOW])
        facts["mixed rooms"] = Text(f"{rooms}: some of their nodes run it and others do not; each node's share counts")
    return facts


def _stage_name(one: rollouts_pb2.Rollout) -> str:
    return one.stages[one.stage].name if one.stage < len(one.stages) else "stragglers"


def _stage_row(one: rollouts_pb2.Rollout, index: int) -> Row:
    stage = one.stages[index]
    mark = "✓" if index < one.stage else "▸" if index == one.stage and one.state in {"running", "paused"} else ""
    return Row(
        (
            Text(mark, style="green" if mark == "✓" else "cyan"),
            Text(stage.name),
            Text(str(stage.nodes)),
            Text(str(stage.committed), style="green" if stage.committed else "dim"),
            Text(str(stage.failed), style="red" if stage.failed else "dim"),
            Text(str(stage.away), style="yellow" if stage.away else "dim"),
        )
    )


def _nodes(one: rollouts_pb2.Rollout) -> list[RenderableType]:
    """A row a node; of a large rollout only those with which something is up."""
    quiet = {"queued", "committed", "returned"}
    shown = [node for node in one.nodes if len(one.nodes) < _ALL_BELOW or node.step not in quiet]
    parts: list[RenderableType] = []
    if shown:
        parts.append(Grid(_NODES, [Section("", [_node_row(node) for node in shown])]))
    if left := Counter(node.step for node in one.nodes if node not in shown):
        said = ", ".join(f"{count:,} {step}" for step, count in sorted(left.items()))
        parts.append(Text(f"  not shown: {said}; --json has all of them", style="dim"))
    return parts


def _node_row(node: rollouts_pb2.RolloutNode) -> Row:
    style = _STEP_STYLES.get(node.step, "yellow" if node.away else "")
    return Row(
        (
            Text(_MARKS.get(node.step, "·"), style=style),
            Text(node.node, style="dim"),
            Text(node.room),
            Text(node.release[:_DIGITS], style="dim"),
            Text(node.what, style=style),
        )
    )


def _act(act: rollouts_pb2.RolloutAct, now_utc_ms: int, zone: tzinfo) -> Text:
    when = clock.day_and_minute(act.utc_ms, now_utc_ms, zone)
    line = Text(f"  {when}  ", style="dim").append(f"{act.author or 'itself'}: {act.what}", style="default")
    return line.append(f" ({act.reason})" if act.reason else "", style="dim")
