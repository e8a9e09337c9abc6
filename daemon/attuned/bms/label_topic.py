"""Labels over MQTT: what `.../label/set` may say, and what `.../label/result` answers. Nothing here waits."""

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from attuned.bms.topics import PREFIX, SCHEMA, iso
from attuned.store.site import LabelRow

# Bytes of one message: the longest that makes sense has less than 500.
PAYLOAD_LIMIT = 1024

# Characters of a site's or room's name, as in the configuration.
LEVEL_LIMIT = 64

MQTT = "mqtt"

_MEANT = {
    "schema": '"schema" must be 1',
    "class": '"class" must be "free" or "occupied"',
    "from": '"from" must be a time with an offset, as in "2026-11-21T14:00:00+01:00"',
    "to": '"to" must be a time with an offset, as in "2026-11-21T14:20:00+01:00"',
    "minutes": '"minutes" must be a number above 0 and at most 1440',
    "weight": '"weight" must be a number above 0 and at most 1',
    "source": '"source" must be a name of at most 64 characters',
    "author": '"author" must be a name of at most 64 characters',
    "id": '"id" must be a text of at most 64 characters',
}

_Name = Annotated[str, Field(min_length=1, max_length=LEVEL_LIMIT, pattern=r"^[^\x00-\x1f\x7f]+$")]


class LabelError(Exception):
    """A message that is no label; the sentence says what to send instead, `sender_id` is its id if it has one."""

    def __init__(self, sentence: str, sender_id: str = "") -> None:
        super().__init__(sentence)
        self.sender_id = sender_id


class LabelCommand(BaseModel):
    """A label as a building-management system tells it: from and to, or the minutes until now."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    schema_: Literal[1] = Field(alias="schema")
    class_: Literal["free", "occupied"] = Field(alias="class")
    from_: AwareDatetime | None = Field(None, alias="from")
    to: AwareDatetime | None = None
    minutes: float | None = Field(None, gt=0, le=1440)
    weight: float = Field(1.0, gt=0, le=1)
    source: _Name = MQTT
    author: _Name | Literal[""] = ""
    id: _Name | Literal[""] = ""

    @model_validator(mode="after")
    def _one_time(self) -> "LabelCommand":
        if (self.from_ is None) != (self.to is None) or (self.from_ is None) == (self.minutes is None):
            raise ValueError("time")
        return self

    def label(self, room: str, now_utc_ms: int) -> LabelRow:
        """The label that it means."""
        if self.from_ is not None and self.to is not None:
            interval = (_utc_ms(self.from_), _utc_ms(self.to))
        else:
            interval = (now_utc_ms - round((self.minutes or 0) * 60_000), now_utc_ms)
        return LabelRow(0, room, self.class_, *interval, self.weight, self.source, self.author, 0)


def set_topics(site: str) -> str:
    """What the daemon subscribes to."""
    return f"{PREFIX}/{site}/rooms/+/label/set"


def room_of(topic: str) -> str | None:
    """The room that a topic of `set_topics` names; None where nobody would get an answer."""
    room = topic.split("/")[3]
    return room if 0 < len(room) <= LEVEL_LIMIT else None


def result_topic(site: str, room: str) -> str:
    return f"{PREFIX}/{site}/rooms/{room}/label/result"


def read(payload: bytes) -> LabelCommand:
    """Raises LabelError for what is no label."""
    if len(payload) > PAYLOAD_LIMIT:
        raise LabelError(f"The message has {len(payload)} bytes: a label has at most {PAYLOAD_LIMIT}.")
    try:
        return LabelCommand.model_validate_json(payload)
    except ValidationError as error:
        raise LabelError(_sentence(error), _sender(payload)) from None


def stored_payload(label: LabelRow, sender_id: str) -> str:
    """The answer to a label that is on disk."""
    return _json(
        {
            "id": sender_id or None,
            "result": "stored",
            "number": label.number,
            "class": label.class_name,
            "from": iso(label.from_utc_ms),
            "to": iso(label.to_utc_ms),
        }
    )


def refused_payload(reason: str, sender_id: str) -> str:
    """The answer to anything else: one sentence."""
    return _json({"id": sender_id or None, "result": "refused", "reason": reason})


def _sentence(error: ValidationError) -> str:
    """One sentence for the first thing that is wrong; nothing of what was sent is repeated."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        return f'The label lacks "{key}": {_MEANT[key]}.'
    if key in _MEANT:
        return f"The label cannot be read: {_MEANT[key]}."
    if first["type"] == "extra_forbidden":
        return f"The label has a key that does not exist: there are {', '.join(_MEANT)}."
    if first["type"] == "value_error":
        return 'The label needs a time: either "from" and "to", or "minutes" until now.'
    return 'The message is not JSON of a label: send for instance {"schema":1,"class":"free","minutes":20}.'


def _sender(payload: bytes) -> str:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    sender = said.get("id") if isinstance(said, dict) else None
    return sender if isinstance(sender, str) and len(sender) <= LEVEL_LIMIT else ""


def _utc_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _json(values: dict[str, object]) -> str:
    return json.dumps({"schema": SCHEMA, **values}, separators=(",", ":"))
