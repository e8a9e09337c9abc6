"""Schemas of the core: their features, their hash, what they refuse."""

import hashlib
import struct

import numpy as np
import pytest
from attune_core import KINDS, Head, Schema

# The wire's numbers, transforms and constants, as docs of the wire format state them: kind, statistic, transform,
# centre, scale of every feature of temperature by its mean, co2 with its spread, and a PIR. CO2 spreads in ppm.
KINDS_OF_FEATURES = ["temperature+mean", "co2+spread", "pir"]
FEATURES = [
    (1, 0, 0, 22.0, 2.0),
    (4, 0, 2, 2.0, 0.7),
    (4, 1, 1, 2.0, 1.0),
    (4, 8, 0, 0.0, 1.0),
    (4, 9, 1, 2.0, 2.0),
    (32, 2, 1, 0.5, 1.0),
    (32, 3, 1, 0.5, 0.75),
    (32, 4, 1, 6.0, 2.5),
]


def test_features_follow_from_the_sensors_in_order() -> None:
    schema = Schema(KINDS_OF_FEATURES, 60)
    assert schema.features == (
        "temperature.mean",
        "co2.mean",
        "co2.deviation",
        "co2.slope",
        "co2.variation",
        "pir.count",
        "pir.activity",
        "pir.since",
    )
    assert schema.sensors.tolist() == [0, 1, 1, 1, 1, 2, 2, 2]
    described = list(zip(schema.transforms.tolist(), schema.centre.tolist(), schema.scale.tolist(), strict=True))
    assert described == [
        (transform, np.float32(centre), np.float32(scale)) for *_, transform, centre, scale in FEATURES
    ]


def test_the_second_sensor_of_a_kind_has_a_name_of_its_own() -> None:
    schema = Schema(["co2", "pir", "co2+spread"])
    assert schema.features[0] == "co2.mean"
    assert schema.features[6:] == ("co2#2.mean", "co2#2.deviation", "co2#2.slope", "co2#2.variation")


@pytest.mark.parametrize("window_s", [10, 60, 600])
def test_the_hash_names_window_and_features(window_s: int) -> None:
    content = struct.pack("<H", window_s) + b"".join(struct.pack("<BBBff", *feature) for feature in FEATURES)
    assert Schema(KINDS_OF_FEATURES, window_s).hash == hashlib.blake2b(content).digest()[:8]


def test_the_sensor_bytes_of_a_hello_give_the_schema_back() -> None:
    kinds = ["light", "humidity+spread", "door", "level+mean", "co2+mean+spread", "clock"]
    schema = Schema(kinds, 30)
    assert schema.sensor_bytes == bytes([0x43, 0xC2, 33, 9, 0x84, 10])
    again = Schema.of_sensors(schema.sensor_bytes, 30)
    assert (again.kinds, again.hash) == (tuple(kinds), schema.hash)


def test_kinds_have_the_numbers_of_the_wire() -> None:
    levels = ["temperature", "humidity", "light", "co2", "voc", "pm25", "sound", "power", "level", "clock"]
    assert {**dict(zip(levels, range(1, 11), strict=True)), "pir": 32, "door": 33, "event": 34} == KINDS


@pytest.mark.parametrize(
    ("kinds", "window_s", "says"),
    [
        ([], 60, "A node has 1 to 12 sensors, not 0."),
        (["co2"] * 13, 60, "A node has 1 to 12 sensors, not 13."),
        (["co3"], 60, "There is no sensor kind 'co3'"),
        (["pir+spread"], 60, "'pir\\+spread' is no sensor; write pir"),
        (["co2+history"], 60, "'co2\\+history' is no sensor; write co2 for all that it gives"),
        (["pir"] * 9, 60, "more than 24 features"),
        (["co2"] * 9, 60, "more than 24 features; write \\+mean after the levels that matter least"),
        (["co2"], 9, "A window lasts 10 to 600 seconds, not 9."),
        (["co2"], 601, "A window lasts 10 to 600 seconds, not 601."),
        (["co2"], 1 << 20, "A window lasts 10 to 600 seconds"),
    ],
)
def test_what_is_no_node_is_refused_with_a_sentence(kinds: list[str], window_s: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Schema(kinds, window_s)


def test_an_unknown_sensor_byte_is_refused_with_a_sentence() -> None:
    for byte in (0x00, 0x0B, 0x7F, 0xFF, 0x60, 0x8A):
        with pytest.raises(ValueError, match=f"0x{byte:02x} is no kind"):
            Schema.of_sensors(bytes([1, byte]), 60)


@pytest.mark.parametrize("kind", Head.kinds)
def test_the_factory_release_is_the_same_in_both_builds(kind: str) -> None:
    schema = Schema(["temperature", "co2", "pir"])
    head, digest = Head.factory(schema, kind)
    twin, twin_digest = Head.factory(schema, kind, precision="float64")
    assert digest == hashlib.blake2b(head.export() + schema.hash).digest()[:16]
    assert (twin.export(), twin_digest) == (head.export(), digest)


def test_each_class_of_the_factory_release_weighs_as_much_as_two_windows() -> None:
    head, _ = Head.factory(Schema(["temperature", "co2", "pir"]), "gnb")
    # For each class weights of 3 sensors, then spreads and means of 9 features.
    state = np.frombuffer(head.export()[4:], "<f4").reshape(2, 3 + 9 + 9)
    assert (state[:, :3] == 2).all()
