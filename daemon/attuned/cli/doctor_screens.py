"""What `attune doctor` prints. Pure: findings in, rich texts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from attuned.cli import look, paragraph
from attuned.doctor.finding import Finding, Level

_MARKS = {Level.OK: "✓", Level.WARNING: "!", Level.PROBLEM: "✗"}
_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def findings_screen(findings: Sequence[Finding]) -> RenderableType:
    """All of them, in their order, and a line that sums them up."""
    return _Findings(findings)


@dataclass(frozen=True)
class _Findings:
    findings: Sequence[Finding]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        left = 2 + max((len(finding.check) for finding in self.findings), default=0) + 2
        for finding in self.findings:
            first, *others = paragraph.lines(finding.found, max(width - left, 20))
            mark = Text(f"{_MARKS[finding.level]} {finding.check}".ljust(left), style=_STYLES[finding.level])
            yield mark + Text(first)
            for line in others:
                yield Text(" " * left + line)
            for line in paragraph.lines(finding.advice, max(width - left, 20)):
                yield Text(" " * left).append(line, style="bold")
        yield Text()
        yield _sum(self.findings)


def _sum(findings: Sequence[Finding]) -> Text:
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    parts = [look.count(problems, "problem")] * bool(problems) + [look.count(warnings, "warning")] * bool(warnings)
    style = "bold red" if problems else "yellow" if warnings else "green"
    return Text((" and ".join(parts) or "All is well") + ".", style=style)
