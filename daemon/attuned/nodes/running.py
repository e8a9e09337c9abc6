"""What a node says it runs, in its hello and in its health."""

from dataclasses import dataclass
from enum import IntEnum

from attune_proto.v1 import node_pb2

RELEASE_SIZE = 16


class TrialEnd(IntEnum):
    """How a node's last trial ended; the numbers are wire format."""

    NONE = 0
    DECISION = 1
    DEADLINE = 2
    RESTARTS = 3
    DAMAGED = 4


@dataclass(frozen=True)
class Running:
    """`release` is the digest of the committed release in hex digits, `highest` the highest sequence number of an
    update that the node has ever accepted, `signing_key` the number of the key that it goes by (0: none), `trial` the
    sequence number on trial (0: none), for `trial_left_s` seconds more; `last_trial` how the one before ended."""

    release: str
    highest: int = 0
    signing_key: int = 0
    trial: int = 0
    trial_left_s: int = 0
    last_trial: TrialEnd = TrialEnd.NONE

    @classmethod
    def of(cls, said: node_pb2.Running) -> "Running":
        """ValueError for a release whose digest has another size."""
        if len(said.release) != RELEASE_SIZE:
            raise ValueError(f"it runs a release with {len(said.release)} bytes of digest instead of {RELEASE_SIZE}")
        # A newer node may know more ends.
        ends = {end.value: end for end in TrialEnd}
        numbers = said.highest, said.signing_key, said.trial, said.trial_left_s
        return cls(said.release.hex(), *numbers, ends.get(said.last_trial, TrialEnd.NONE))
