"""Releases without what was forgotten: the blocks go, and with them all that was learned from them."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from attuned.learning.blocks import Block
from attuned.learning.flips import Flips
from attuned.learning.gates import Findings
from attuned.learning.gathering import is_motion, motion_day, source_of
from attuned.learning.jobs import Report
from attuned.learning.releases import Release
from attuned.learning.retraining import REPORT
from attuned.learning.verdict import TOO_LITTLE, Verdict
from attuned.presence.model import RoomModel
from attuned.store.audit import Selection
from attuned.store.releases import ReleaseRow

_VERDICT = Verdict(TOO_LITTLE, "Do not let it go out: inputs of it were forgotten. Retrain the room.", ())
_FINDINGS = Findings(0, 0, (), Flips(0, 0, 0, 0, 1.0))


def strip(row: ReleaseRow, labels: Collection[int], selection: Selection) -> tuple[ReleaseRow, Sequence[str]]:
    """The release without the blocks of these labels and of windows that are selected, and those blocks' names.

    What is left says which inputs it still has, and holds no head, no room's model and no figures.
    """
    release = Release.model_validate_json(row.body)
    gone = [block for block in release.blocks if _rests_on(block, labels, selection)]
    if not gone:
        return row, ()
    kept = tuple(block for block in release.blocks if block not in gone)
    body = release.model_copy(update={"blocks": kept, "state": "", "model": RoomModel()}).canonical()
    against = REPORT.validate_json(row.report).against
    report = REPORT.dump_json(Report(against, _FINDINGS, _VERDICT)).decode()
    return replace(row, body=body, report=report, verdict=TOO_LITTLE), [block.name for block in gone]


def _rests_on(block: Block, labels: Collection[int], selection: Selection) -> bool:
    if is_motion(block):
        first, last = motion_day(block)
        return block.node in selection.nodes and first < selection.to_utc_ms and selection.from_utc_ms < last
    measured = selection.node in ("", source_of(block))
    return bool(block.windows) and measured and any(number in labels for number in block.labels)
