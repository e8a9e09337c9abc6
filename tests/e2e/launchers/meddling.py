"""An `attuned` whose word on updates is not to be relied on: between what it should say it repeats what it said before.

Every fourth node hears updates of yesterday, of other nodes, and several in one, in good sessions. Trials last four
windows, and all nodes may try something at a time: what this is about is the way there.
"""

import random

from attune_proto.v1 import node_pb2
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.updates import rollouts, trial

rollouts.AT_ONCE_LEAST = 64
trial.ENOUGH_WINDOWS, trial.BUSY_WINDOWS, trial.AGAINST_WINDOWS = 4, 1, 1000

SAID = ("update", "update_chunk", "trial_decision")
CHANCE, MEMORY = 0.8, 500

# Wrong words at a time, at most.
MOST = 5

_draw = random.Random(20_261_121)
_send = Hub.send
_said: dict[str, list[node_pb2.DaemonMessage]] = {}


def is_meddled_with(node: str) -> bool:
    return int(node[:8], 16) % 4 == 2


def _spliced(one: node_pb2.DaemonMessage, other: node_pb2.DaemonMessage) -> node_pb2.DaemonMessage:
    """The beginning of what one says and the end of what the other says."""
    made = node_pb2.DaemonMessage()
    made.CopyFrom(one)
    place = _draw.randrange(1, 200)
    if made.WhichOneof("body") == "update":
        made.update = one.update[:place] + other.update[place:]
    elif made.WhichOneof("body") == "update_chunk":
        made.update_chunk.data = one.update_chunk.data[:place] + other.update_chunk.data[place:]
    return made


def _wrong() -> node_pb2.DaemonMessage:
    one, other = _draw.choices(_said[_draw.choice(sorted(_said))], k=2)
    return _draw.choice([one, _spliced(one, other)])


def _meddle(self: Hub, conversation: Conversation, message: node_pb2.DaemonMessage) -> bool:
    what = message.WhichOneof("body") or ""
    if what in SAID:
        said = _said.setdefault(what, [])
        said.append(message)
        del said[:-MEMORY]
    if _said and is_meddled_with(conversation.node) and _draw.random() < CHANCE:
        for _ in range(_draw.randint(1, MOST)):
            print(f"A wrong word to {conversation.node}.", flush=True)
            _send(self, conversation, _wrong())
    return _send(self, conversation, message)


Hub.send = _meddle  # type: ignore[method-assign]

if __name__ == "__main__":
    from attuned.app import run

    run()
