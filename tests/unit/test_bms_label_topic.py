"""Labels over MQTT: what is read, what is refused, and that nothing which can be sent does more than that."""

import json
from pathlib import Path
from typing import Any

import pytest
from attuned.bms import label_topic
from attuned.bms.label_commands import LabelCommands
from attuned.bms.publisher import Command
from attuned.bms.topics import iso
from daemon_world import MINUTE, NOON, FakeClock, opened_site
from hypothesis import given, settings
from hypothesis import strategies as st

TOPIC = "attune/s/rooms/r/label/set"


def payload(**values: Any) -> bytes:
    whole = {"schema": 1, "class": "free", "minutes": 20} | values
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def test_from_and_to() -> None:
    # 14:00 in summer time is noon in UTC.
    said = payload(minutes=None, **{"from": "2026-07-01T14:00:00+02:00", "to": "2026-07-01T14:20:00+02:00"})
    row = label_topic.read(said).label("r", NOON)
    assert (row.from_utc_ms, row.to_utc_ms) == (1_782_907_200_000, 1_782_908_400_000)
    assert (row.room, row.class_name, row.weight, row.source, row.author) == ("r", "free", 1.0, "mqtt", "")


def test_minutes_until_now() -> None:
    row = label_topic.read(payload(minutes=2.5, weight=0.5, source="counter", author="door")).label("r", NOON)
    assert (row.from_utc_ms, row.to_utc_ms) == (NOON - 150_000, NOON)
    assert (row.weight, row.source, row.author) == (0.5, "counter", "door")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "The message is not JSON of a label"),
        (b"free", "The message is not JSON of a label"),
        (b"[1]", "The message is not JSON of a label"),
        (b"\xff\xfe{}", "The message is not JSON of a label"),
        (b"[" * 1024, "The message is not JSON of a label"),
        (b"x" * 1025, "The message has 1025 bytes: a label has at most 1024."),
        (payload(schema=2), 'The label cannot be read: "schema" must be 1.'),
        (payload(schema=None), 'The label lacks "schema": "schema" must be 1.'),
        (payload(**{"class": "busy"}), '"class" must be "free" or "occupied"'),
        (payload(minutes=0), '"minutes" must be a number above 0'),
        (payload(minutes="20"), '"minutes" must be a number above 0'),
        (payload(weight=0), '"weight" must be a number above 0'),
        (payload(weight=1.01), '"weight" must be'),
        (b'{"schema":1,"class":"free","minutes":20,"weight":NaN}', "."),
        (payload(minutes=None), 'either "from" and "to", or "minutes" until now'),
        (payload(**{"from": "2026-07-01T14:00:00+02:00"}), 'either "from" and "to", or "minutes" until now'),
        (payload(minutes=None, **{"from": "2026-07-01T14:00", "to": "2026-07-01T15:00"}), "a time with an offset"),
        (payload(author="a" * 65), '"author" must be a name of at most 64 characters'),
        (payload(source="a\nb"), '"source" must be a name'),
        (payload(drop="table"), "a key that does not exist: there are schema, class, from"),
    ],
)
def test_what_is_no_label(said: bytes, sentence: str) -> None:
    with pytest.raises(label_topic.LabelError) as refused:
        label_topic.read(said)
    assert sentence in str(refused.value)
    assert str(refused.value).count(". ") == 0


def test_the_id_comes_back_with_a_refusal() -> None:
    with pytest.raises(label_topic.LabelError) as refused:
        label_topic.read(payload(id="a7", weight=7))
    assert refused.value.sender_id == "a7"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), lambda v: st.lists(v, max_size=3)
)
keys = st.sampled_from(["schema", "class", "from", "to", "minutes", "weight", "source", "author", "id", "x"])
likely = st.dictionaries(keys, values | st.sampled_from([1, "free", "2026-07-01T14:00:00+02:00", 20, 0.5])).map(
    lambda said: json.dumps(said).encode()
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1100) | likely)
def test_whatever_is_sent_is_a_label_or_one_sentence(said: bytes) -> None:
    try:
        row = label_topic.read(said).label("r", NOON)
    except label_topic.LabelError as error:
        sentence = str(error)
    else:
        assert 0 < row.weight <= 1
        return
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 250


# The service.


async def nothing_arrived() -> None:
    """Stands for the commits task."""


async def answered(folder: Path, *messages: bytes, topic: str = TOPIC, retained: bool = False) -> list[dict[str, Any]]:
    site = await opened_site(folder, FakeClock())
    site.labels._flush = nothing_arrived
    commands = LabelCommands("s", site.clock, site.labels)
    answers = [await commands.answer(Command(topic, message, retained)) for message in messages]
    await site.close()
    assert {answer.topic for answer in answers if answer} <= {topic.replace("/set", "/result")}
    return [json.loads(answer.payload) for answer in answers if answer]


async def test_a_label_is_stored_and_answered(tmp_path: Path) -> None:
    assert await answered(tmp_path, payload(id="a7")) == [
        {
            "schema": 1,
            "id": "a7",
            "result": "stored",
            "number": 1,
            "class": "free",
            "from": iso(NOON - 20 * MINUTE),
            "to": iso(NOON),
        }
    ]


async def test_what_the_site_refuses_is_answered_too(tmp_path: Path) -> None:
    future = payload(minutes=None, **{"from": "2099-01-01T00:00:00Z", "to": "2099-01-01T01:00:00Z"})
    # Before the first day of Python's calendar once the offset is taken off.
    early = payload(minutes=None, **{"from": "0001-01-01T00:00:00+01:00", "to": "0001-01-01T01:00:00+01:00"})
    no_json, too_early, late, stored, against = await answered(
        tmp_path, b"?", early, future, payload(), payload(**{"class": "occupied"}, id="b")
    )
    assert no_json["reason"].startswith("The message is not JSON")
    assert "before 1970" in too_early["reason"]
    assert late["reason"] == "The label lies in the future: label what has happened."
    assert stored["result"] == "stored"
    assert (against["id"], against["result"]) == ("b", "refused")
    assert "told in the same second" in against["reason"]


async def test_an_unknown_room_and_a_retained_message(tmp_path: Path) -> None:
    (unknown,) = await answered(tmp_path, payload(), topic=TOPIC.replace("/r/", "/R/"))
    assert unknown["reason"].startswith("There is no room 'R': did you mean r?")
    (retained,) = await answered(tmp_path, payload(), retained=True)
    assert "without the retain flag" in retained["reason"]


@pytest.mark.parametrize("room", ["", "x" * 65])
async def test_a_topic_without_a_room_gets_no_answer(tmp_path: Path, room: str) -> None:
    assert await answered(tmp_path, payload(), topic=f"attune/s/rooms/{room}/label/set") == []
