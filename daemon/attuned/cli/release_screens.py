"""Releases for people. Pure: a reply of the daemon in, something that rich can print out."""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from attuned.cli import clock, look
from attuned.cli.grid import Column, Facts, Grid, Row, Section

NO_RELEASES = "There are no releases yet: label a room on several days, then run `attune retrain ROOM`."

_STYLES = {"better": "green", "worse": "red", "too little evidence": "yellow"}
_DIGITS = 8

_LIST = (
    Column("release"),
    Column("room", least=6),
    Column("node", leave=3),
    Column("made", leave=2),
    Column("state"),
    Column("verdict", leave=1, least=19),
    Column("because", leave=4, least=14),
)
_FIGURES = (
    Column("where", least=22),
    Column("days", leave=3, right=True),
    Column("balanced accuracy"),
    Column("difference (95 %)", leave=1),
    Column("Brier score", leave=2),
)
# Days from which drawing them anew says anything, as for the rooms' accuracy.
_LEAST_DAYS = 5

_LEGEND = {
    "balanced accuracy": Text("the share of free and of occupied time that was recognised, averaged; 0.5 is guessing"),
    "Brier score": Text("how far the probabilities were off; 0 is perfect"),
}
# Measures that no verdict rests on, and how their figures are put.
_READ = {"calibration error": "{:.3f}", "changes a day": "{:.1f}"}
_KINDS = {
    "factory": "what nodes know before anybody has taught them",
    "cohort": "other rooms with the same sensors",
    "weak": "weak sources such as bookings",
    "motion": "motion in this room, bounded by what people said of it free",
    "label": "what people said of this room",
}


def retrained_lines(reply: admin_pb2.RetrainReply) -> Text:
    """A room that is done, in a line for each node."""
    head = f"{reply.done}/{reply.rooms} {reply.room}: "
    if not reply.pages:
        return Text(f"{head}nothing has changed since its last release")
    lines = []
    for page in reply.pages:
        line = Text(head).append(page.verdict, style=_STYLES.get(page.verdict, ""))
        lines.append(line.append(f", release {page.release.id[:_DIGITS]} for {page.release.node}"))
    return Text("\n").join(lines)


def releases_table(reply: admin_pb2.ListReleasesReply, zone: tzinfo) -> RenderableType:
    """Releases in the order of the reply; or how to get one."""
    if not reply.releases:
        return NO_RELEASES
    rows = [
        Row(
            (
                Text(one.id[:_DIGITS]),
                Text(one.room),
                Text(one.node, style="dim"),
                Text(clock.short(one.made_utc_ms, reply.now_utc_ms, zone)),
                Text("ready to be signed" if one.ready else one.state),
                Text(one.verdict, style=_STYLES.get(one.verdict, "")),
                Text(one.trigger, style="dim"),
            )
        )
        for one in reply.releases
    ]
    return Grid(_LIST, [Section("", rows)], indent=0)


def release_screen(page: admin_pb2.ReleasePage, zone: tzinfo) -> RenderableType:
    """Everything by which a person can judge a release; the recommendation stands at the end."""
    one = page.release
    against = "what its nodes came with" if page.against == "factory" else f"release {page.against[:_DIGITS]}"
    facts = {
        "for": Text(f"room {one.room}, node {one.node}"),
        "made": Text(f"{clock.full(one.made_utc_ms, zone)}, because: {one.trigger}"),
        "state": Text(_state(one)),
        "made of": Text(_ingredients(page)),
        "judged on": Text(
            f"{look.count(page.days, 'day')} that people labelled, with {look.count(page.changes, 'change')} between "
            f"free and occupied. Each day was judged by versions that had not seen it. Compared with {against}"
        ),
        "mistakes": Text(
            f"{look.count(page.negative_flips, 'window')} right before and wrong now, "
            f"{page.positive_flips:,} the other way round"
        ),
    }
    parts: list[RenderableType] = [Text(f"Release {one.id}", style="bold"), Facts(facts), Text()]
    if page.slices:
        parts += [Grid(_FIGURES, [Section("", [_figures(each) for each in page.slices])]), Text()]
        parts += [Facts(_LEGEND | _read(page.slices[0])), Text()]
    verdict = Text("Verdict: ").append(page.verdict, style=_STYLES.get(page.verdict, ""))
    said = [verdict, Text(page.recommendation, style="bold")]
    said += [Text(f"{number}. {reason}") for number, reason in enumerate(page.reasons, start=1)]
    return Group(*parts, *(Padding(line, (0, 0, 0, 2), expand=False) for line in said))


def rebuilt_lines(reply: admin_pb2.RebuildReleaseReply, zone: tzinfo) -> Text:
    """Whether the same bytes came out, or what is gone."""
    name = f"Release {reply.release.id[:_DIGITS]}"
    if reply.same:
        return Text(f"{name} was rebuilt: the same bytes.")
    if not reply.missing:
        return Text(f"{name} was rebuilt from all of its parts and came out as {reply.rebuilt[:_DIGITS]}: other code.")
    if reply.forgotten:
        when = {one.name: clock.full(one.utc_ms, zone) for one in reply.forgotten}
        lines = [f"{name} cannot be rebuilt: these parts of it were forgotten."]
        return Text("\n".join([*lines, *(f"  {block} on {day}" for block, day in when.items())]))
    lines = [f"{name} cannot be rebuilt: these parts were forgotten or changed since."]
    return Text("\n".join([*lines, *(f"  {block}" for block in reply.missing)]))


def _state(one: admin_pb2.Release) -> str:
    if one.approved_by and one.ready:
        return f"ready to be signed, on the word of {one.approved_by}"
    return "ready to be signed" if one.ready else one.state


def _ingredients(page: admin_pb2.ReleasePage) -> str:
    counts: Counter[str] = Counter()
    for block in page.blocks:
        counts[block.name.split(" ")[0]] += block.windows
    found = [
        f"{meaning} ({look.count(counts[kind], 'window')})" if counts[kind] else meaning
        for kind, meaning in _KINDS.items()
        if kind in counts
    ]
    return "; ".join(found)


def _figures(part: admin_pb2.SliceFigures) -> Row:
    measures = {each.measure: each for each in part.measures}
    balanced, brier = measures["balanced accuracy"], measures["Brier score"]
    enough = part.days >= _LEAST_DAYS
    style = "green" if enough and balanced.low > 0 else "red" if enough and balanced.high < 0 else ""
    interval = f"{balanced.low:+.3f} to {balanced.high:+.3f}"
    return Row(
        (
            Text("everywhere" if part.name == "all" else part.name),
            Text(str(part.days), style="dim"),
            Text(f"{balanced.before:.3f} -> {balanced.now:.3f}", style=style),
            Text(interval if enough else "too few days", style="" if enough else "dim"),
            Text(f"{brier.before:.3f} -> {brier.now:.3f}"),
        )
    )


def _read(whole: admin_pb2.SliceFigures) -> dict[str, Text]:
    """Everywhere: how well chances were calibrated and how often the state changed, before and now."""
    found = {each.measure: each for each in whole.measures}
    return {
        name: Text(f"{form.format(found[name].before)} -> {form.format(found[name].now)}")
        for name, form in _READ.items()
        if name in found
    }
