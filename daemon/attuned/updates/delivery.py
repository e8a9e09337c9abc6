"""A delivery: one release on its way onto one node, and how far it is. Values without I/O."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far a delivery is. The last three but `ending` are final."""

    WAITING = "waiting"  # wanted; the node is away, or its turn to be told has not come
    SENDING = "sending"  # the envelope is signed and stored, parts are under way
    TRIAL = "trial"  # the node runs it beside the committed one
    COMMITTING = "committing"  # decided, and the node has not said so yet
    COMMITTED = "committed"  # the node runs it
    ENDING = "ending"  # decided against, and the node has not said so yet
    ENDED = "ended"  # it went back by our word
    FAILED = "failed"  # the node refused it, or went back by itself


@dataclass(frozen=True)
class Delivery:
    """`target` is a release's id or `factory`, `sequence` that of its envelope, 0 before one was signed.

    `windows` are those of the trial so far, in `differing` of which the two models favoured different classes. `before`
    is the digest, in hex digits, of what the node ran when this was wanted: the way back. `since_utc_ms` is when it came
    to its stage, `reason` why it failed, a sentence.
    """

    node: str
    target: str
    sequence: int
    stage: Stage
    reason: str
    windows: int
    differing: int
    since_utc_ms: int
    before: str
