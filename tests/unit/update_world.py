"""A node of 24 features, what it runs, who signs its updates, and updates of every kind."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema
from attune_core.update import Model, UpdatingNode
from attuned.updates.envelope import Audience, Kind, Update
from attuned.updates.planning import head_payload
from attuned.updates.statements import SigningKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from update_payloads import NodeCalibration, Normaliser, make_update, model_payload

SENSORS = ("temperature", "humidity", "light", "co2", "voc", "pm25", "sound", "power")
NODE_ID, COHORT_ID = b"node-001", b"cohort-1"
HARDWARE = "mps2-an386"
SEQUENCE, HIGHEST = 300, 299

SCHEMA = Schema(SENSORS, 60)
NODE = Audience(NODE_ID, SCHEMA.hash, HARDWARE)
COHORT = Audience(COHORT_ID, SCHEMA.hash, HARDWARE, cohort=True)


def signing_key(number: int = 1) -> SigningKey:
    return SigningKey(number, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def windows(
    seed: int, n: int, classes: int = 2, d: int = len(SCHEMA)
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Labelled windows whose features vary together, each class about a place of its own."""
    source, room = np.random.default_rng(seed), np.random.default_rng(classes)
    k = np.concatenate([np.arange(classes), source.integers(0, classes, n - classes)]).astype(np.uint8)
    mixed = source.normal(size=(n, d)) @ (np.eye(d) + 0.4 * room.normal(size=(d, d))) / 2
    x = room.normal(0, 0.7, (classes, d))[k] + mixed * room.uniform(0.7, 1.4, (classes, d))[k]
    return np.rint(np.clip(x * 1024, -32767, 32767)).astype(np.int16), k


def taught(seed: int, n: int = 400, classes: int = 2, schema: Schema = SCHEMA) -> Head:
    head, _ = Head.factory(schema)
    head.learn(*windows(seed, n, classes, len(schema)))
    return head


@cache
def base() -> Model:
    """The factory release."""
    return Model(Head.factory(SCHEMA)[0], SCHEMA)


NORMALISER = Normaliser(tuple(i / 16 - 0.75 for i in range(24)), tuple(range(117, 141)))
CALIBRATION = NodeCalibration(0.375, (0.25,), (14400, 3600))


def payload(kind: Kind) -> bytes:
    match kind:
        case Kind.HEAD:
            return head_payload(taught(1), 77)
        case Kind.CALIBRATION:
            return CALIBRATION.payload
        case Kind.NORMALISER:
            return NORMALISER.payload
        case Kind.MODEL:
            return model_payload(taught(2), through_label=78, normaliser=NORMALISER, calibration=CALIBRATION)


@dataclass(frozen=True)
class Made:
    """An update, its envelope, and what the node will run."""

    update: Update
    envelope: bytes
    result: Model


def signed(update: Update, key: SigningKey | None = None) -> bytes:
    return update.envelope((key or signing_key()).private.sign(update.message))


@cache
def made(kind: Kind, *, cohort: bool = False) -> Made:
    update, result = make_update(base(), COHORT if cohort else NODE, SEQUENCE, kind, payload(kind))
    return Made(update, signed(update), result)


def node() -> UpdatingNode:
    return UpdatingNode(signing_key().public, NODE.digest, base(), HIGHEST)


def in_cohort() -> UpdatingNode:
    return replace(node(), cohort=COHORT.digest)
