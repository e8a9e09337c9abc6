"""What the daemon asks of its retraining process, and what that answers: a line of JSON each."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.dataclasses import dataclass as checked

from attuned.learning.gates import Findings
from attuned.learning.releases import Release
from attuned.learning.verdict import Verdict

# What candidates are compared with where a node runs no other release.
FACTORY = "factory"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class Job(_Line):
    """`retrain` the target rooms, `compare` two releases, `rebuild` one, or `prove` that the targets, ids of entries of
    the audit, were forgotten. `store` is the folder of the store, `rooms` are the nodes of every room; `held` are the
    labels that nodes say they know, `unlearning` those that they have yet to unlearn; windows that end after
    `windows_from_utc_ms` are all there."""

    what: Literal["retrain", "compare", "rebuild", "prove"]
    store: str
    rooms: dict[str, list[str]]
    step_s: int
    timezone: str
    cost_ratio: float
    targets: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()
    now_utc_ms: int = 0
    windows_from_utc_ms: int = 0
    held: dict[str, tuple[int, ...]] = {}
    unlearning: dict[str, tuple[int, ...]] = {}


class Check(_Line):
    """One thing that was learned or kept: its digest as it is, and as it would be had nothing forgotten ever come."""

    name: str
    in_force: str
    never_saw: str

    @property
    def same(self) -> bool:
        return self.in_force == self.never_saw


@checked(frozen=True)
class Report:
    """What the gate said. `against` is the id of the release that was compared with, or `factory`."""

    against: str
    findings: Findings
    verdict: Verdict


class Answer(_Line):
    """A room's new releases with their report; of `rebuild` the release made anew and the blocks that are gone; of
    `prove` what was compared; or the sentence that says why nothing could be done."""

    room: str = ""
    releases: tuple[Release, ...] = ()
    report: Report | None = None
    missing: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    error: str = ""
