"""Who is served when: properties of any history, a crowd of strangers, and an hour of a full site."""

import random
from dataclasses import dataclass

from attune_gateway.ble.central import Advertisement
from attune_gateway.ble.nearby import NEW_AT_ONCE, NEW_PER_S, STRANGERS
from attune_gateway.ble.schedule import (
    IDLE_S,
    Schedule,
)
from attune_proto.v1.link_pb2 import NEED_AGE, NEED_BACKLOG, NEED_NONE, Wish
from ble_schedule_world import A, B, C, Radio
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_a_crowd_of_strangers_changes_nothing_for_known_nodes(seed: int) -> None:
    draw = random.Random(seed)
    crowded, quiet = Radio(slots=2), Radio(slots=2)
    told = 0
    for radio in (crowded, quiet):
        for hint in (A, B, C):
            radio.want(hint)
    for step in range(400):
        for radio in (crowded, quiet):
            radio.now_s += 0.5
            radio.hear(*(hint for hint in (A, B, C) if hint not in radio.open))
            radio.turn()
        crowded.hear(*(draw.randbytes(8) for _ in range(100)), rssi_dbm=0)
        sightings = crowded.schedule.sightings(crowded.now_s)
        told += len([one for one in sightings if one.hint not in (A, B, C)])
        assert len(crowded.schedule) <= STRANGERS + 3
        assert told <= NEW_AT_ONCE + NEW_PER_S * 0.5 * (step + 1)
    assert crowded.served == quiet.served
    assert len(crowded.served) > 10


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_history_keeps_to_the_slots_and_leaves_nobody_out(data: st.DataObject) -> None:
    slots = data.draw(st.integers(1, 4))
    hints = [bytes([number]) * 8 for number in range(1, 9)]
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    radio = Radio(slots)
    needs = {hint: draw.choice([NEED_NONE, NEED_AGE, NEED_AGE, NEED_BACKLOG]) for hint in hints}
    for hint, need in needs.items():
        radio.want(hint, need)
    # For each node that waits, who has been connected meanwhile.
    passed: dict[bytes, set[bytes]] = {hint: set() for hint in hints}
    for _ in range(1500):
        radio.now_s += 0.5
        radio.hear(*(hint for hint in hints if hint not in radio.open))
        for hint in list(radio.open):
            what = draw.random()
            if what < 0.3:
                radio.schedule.active(hint, radio.now_s, good=True)
            elif what < 0.31:
                radio.open.discard(hint)
                radio.schedule.ended(hint, radio.now_s)
        for hint in radio.turn():
            passed[hint] = set()
            for waiting in set(hints) - radio.open:
                if needs[waiting] == needs[hint]:
                    assert hint not in passed[waiting], "another one was served twice before it"
                    passed[waiting].add(hint)
        assert len(radio.open) <= radio.schedule.connections <= slots
        assert not [hint for hint in radio.open if needs[hint] == NEED_NONE]
    greatest = max(needs.values())
    assert {hint for hint in hints if needs[hint] == greatest != NEED_NONE} <= set(radio.served)
    assert NEED_NONE not in {needs[hint] for hint in radio.served}


@dataclass
class Visit:
    """What a simulated node needs of a connection: a second to be connected, another to say what it has to say."""

    until_s: float
    busy_until_s: float


def test_two_hundred_nodes_take_turns_on_eight_slots() -> None:
    """The longest wait between two turns of a node is printed; on average it cannot be below that of a full radio."""
    draw = random.Random(1)
    hints = [number.to_bytes(8, "big") for number in range(1, 201)]
    schedule, now_s = Schedule(8, draw.uniform), 0.0
    schedule.attach()
    schedule.wish([Wish(hint=hint, need=NEED_AGE) for hint in hints], now_s)
    visits: dict[bytes, Visit] = {}
    last = dict.fromkeys(hints, 0.0)
    waits: list[float] = []
    turns = 0
    while now_s < 3600:
        now_s += 0.25
        for hint in hints:
            if hint not in visits and draw.random() < 0.25:
                schedule.heard(Advertisement(hint, hint.hex(), -60), now_s)
        for hint, visit in visits.items():
            if visit.until_s > 0 and now_s >= visit.until_s:
                visit.until_s = 0
                schedule.connected(hint, now_s)
                turns += 1
                waits.append(now_s - last[hint])
                last[hint] = now_s
            if visit.until_s == 0 and now_s <= visit.busy_until_s:
                schedule.active(hint, now_s, good=True)
        for hint in schedule.to_end(now_s):
            del visits[hint]
            schedule.ended(hint, now_s)
        if (node := schedule.to_connect(now_s)) is not None:
            schedule.connecting(node, now_s)
            visits[node.hint] = Visit(now_s + 1, now_s + 2)
    print(f"200 nodes, 8 slots, an hour: {turns / 60:.0f} turns a minute, longest wait {max(waits):.0f} s")
    # A turn is a second of connecting, one of talking and the idle time; no wait should be much above a round of them.
    cycle_s = 200 / 8 * (1 + 1 + IDLE_S)
    assert max(waits) < 2 * cycle_s
    assert turns > 0.7 * 3600 / cycle_s * 200
