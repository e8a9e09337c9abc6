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
    """`retrain` the target rooms, `compare` two releases, or `rebuild` one. `store` is the folder of the store, `rooms`
    are the nodes of every room."""

    what: Literal["retrain", "compare", "rebuild"]
    store: str
    rooms: dict[str, list[str]]
    step_s: int
    timezone: str
    cost_ratio: float
    targets: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()


@checked(frozen=True)
class Report:
    """What the gate said. `against` is the id of the release that was compared with, or `factory`."""

    against: str
    findings: Findings
    verdict: Verdict


class Answer(_Line):
    """A room's new releases with their report; of `rebuild` the release made anew and the blocks that are gone; or the
    sentence that says why nothing could be done."""

    room: str = ""
    releases: tuple[Release, ...] = ()
    report: Report | None = None
    missing: tuple[str, ...] = ()
    error: str = ""
