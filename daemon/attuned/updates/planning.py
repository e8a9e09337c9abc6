"""What is sent to a node so that it runs a release: the smallest update that gives exactly that on what it runs now."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from attune_core import Head, Schema
from attune_core.update import Model, UpdateKind, compact
from pydantic import ValidationError

from attuned.errors import AttuneError
from attuned.learning.blocks import HEAD
from attuned.learning.releases import Release
from attuned.nodes.facts import NodeFacts
from attuned.updates.envelope import Audience, EnvelopeError, Kind, Update

_FORMATS = "int8", "float32"


class PlanError(AttuneError):
    """A release that a node cannot run; the sentence says why."""


@dataclass(frozen=True)
class Plan:
    """An update without its number, for a node that runs `base`; digests are bytes."""

    kind: Kind
    payload: bytes
    audience: Audience
    base: bytes
    result: bytes

    def numbered(self, sequence: int) -> Update:
        """The update, ready to be signed."""
        named = self.audience.digest, self.audience.cohort, sequence, self.base, self.result
        return Update(self.kind, *named, self.payload)


_OLD = "The release was built by another version of Attune: retrain its room."


def read_release(body: bytes) -> Release:
    """PlanError for the body of a version that wrote another one."""
    try:
        return Release.model_validate_json(body)
    except ValidationError:
        raise PlanError(_OLD) from None


def factory_model(schema: Schema) -> Model:
    """What nodes of a schema run that nothing was sent to."""
    return Model(Head.factory(schema, HEAD)[0], schema)


def release_model(release: Release, schema: Schema) -> Model:
    """What a node that runs a release has in its slot. PlanError if that is not what the release is named by."""
    head = Head(release.head, schema)
    try:
        head.import_(bytes.fromhex(release.state))
    except ValueError:
        raise PlanError(_OLD) from None
    model = Model(head, schema)
    if release.through_label:
        model = model.updated(UpdateKind.MODEL, head.export("float32") + _label(release.through_label))
    if model.digest.hex() != release.running_digest:
        raise PlanError(_OLD)
    return model


def check_fit(release: Release, facts: NodeFacts) -> None:
    """Raises PlanError unless a node of these facts can run the release."""
    kind = release.types.get(facts.node)
    same = kind is not None and (kind.sensors, kind.window_s) == (facts.sensors, facts.window_s)
    if not same or release.schema_hash != facts.schema:
        raise PlanError("The release was built for other sensors than the node has now: retrain its room.")


def check_classes(model: Model, facts: NodeFacts) -> None:
    """Raises PlanError for more classes than a node of these facts has room for."""
    classes = model.head.classes
    if classes > facts.class_capacity:
        raise PlanError(f"The release tells {classes} classes apart, the node has room for {facts.class_capacity}.")


def plan(base: Model | None, running: bytes, target: Model, facts: NodeFacts) -> Plan:
    """How a node that runs `running` (its digest; `base`, where that is known here) comes to run `target`.

    Whatever is planned was applied by the node's own code first: its result is what the node will say that it runs.
    PlanError for what does not travel.
    """
    audience = Audience(bytes.fromhex(facts.node), bytes.fromhex(facts.schema), facts.hardware)
    # A whole model leaves nothing of what it is put onto.
    onto = base or factory_model(target.schema)
    for kind, payload in _ways(target):
        if base is None and kind is not Kind.MODEL:
            continue
        try:
            result = onto.updated(UpdateKind(kind), payload).digest
            if result == target.digest:
                found = Plan(kind, payload, audience, running, result)
                found.numbered(1)
                return found
        except (ValueError, EnvelopeError):
            continue
    raise PlanError("The release is larger than an update: retrain its room.")


def head_payload(head: Head, through_label: int = 0) -> bytes:
    """A mixture head, rounded to one packet. ValueError if it has no such form; then it goes as a model."""
    return struct.pack("<I", through_label) + compact(head)


def _ways(target: Model) -> Iterator[tuple[Kind, bytes]]:
    """Updates that may bring a model, the smallest first."""
    state, sections = _parts(target)
    if 3 in sections:
        yield Kind.CALIBRATION, sections[3]
    if 2 in sections:
        yield Kind.NORMALISER, sections[2]
    head = target.head
    try:
        yield Kind.HEAD, head_payload(head, target.through_label)
    except ValueError:
        pass
    behind = target.image[len(state) : -len(target.schema.hash)]
    for each in _FORMATS:
        yield Kind.MODEL, head.export(each) + behind


def _parts(model: Model) -> tuple[bytes, dict[int, bytes]]:
    """An image's state, and the contents of its sections by their numbers (docs/protocol.md)."""
    head = model.head
    state, image = head.export(), model.image
    sizes = {1: 4, 2: 3 * len(model.schema), 3: 1 + 2 * head.classes + 4 * head.classes}
    sections, at = {}, len(state)
    while at < len(image) - len(model.schema.hash):
        number = image[at]
        sections[number] = image[at + 1 : at + 1 + sizes[number]]
        at += 1 + sizes[number]
    return state, sections


def _label(number: int) -> bytes:
    return b"\x01" + number.to_bytes(4, "little")
