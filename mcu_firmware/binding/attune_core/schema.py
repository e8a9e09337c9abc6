"""Feature schemas: which features a node with given sensors computes, and in which fixed coordinates."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from attune_core.library import Library, Memory, library

UNIT = 1024
"""Steps of a coordinate in one unit of what heads see."""

MISSING = -32768
"""Coordinate of a feature without a reading."""

_KINDS_END = 0x40


def _name(core: Library, text: object) -> str | None:
    return None if text == core.ffi.NULL else core.ffi.string(text).decode()


def _kinds() -> dict[str, int]:
    core = library()
    names = {number: _name(core, core.lib.core_kind_name(number)) for number in range(_KINDS_END)}
    return {name: number for number, name in names.items() if name is not None}


KINDS = _kinds()
"""Numbers of the sensor kinds on the wire, by name."""


def plain_kind(kind: str) -> str:
    """The kind without what follows it: `co2` of `co2+mean`."""
    return kind.partition("+")[0]


def sensor_byte(kind: str) -> int:
    """The wire byte of a kind such as `co2`, `co2+mean` or `temperature+spread` (core/window/sensor_name.h).

    ValueError says what to write instead.
    """
    core = library()
    text, byte = kind.encode(), core.ffi.new("uint8_t *")
    error = core.lib.core_sensor_read(text, len(text), byte)
    if error:
        name = plain_kind(kind)
        raise ValueError(
            {
                1: f"There is no sensor kind {name!r}; write one of {', '.join(KINDS)}.",
                2: f"{kind!r} is no sensor; write {name} for all that it gives, and after a level +mean for its mean "
                "alone (no slope and variation) or +spread for its deviation too.",
            }[error]
        )
    return int(byte[0])


def kind_of_byte(byte: int) -> str:
    """The kind of a wire byte; the inverse of `sensor_byte`."""
    core = library()
    name = core.ffi.new("char[24]")
    if not core.lib.core_sensor_write(byte, name):
        raise ValueError(
            f"The sensor byte 0x{byte:02x} is no kind that this version knows; install the node's version."
        )
    return str(core.ffi.string(name).decode())


def new_schema(core: Library, sensor_bytes: bytes, window_s: int) -> Memory:
    """The C structure of a schema. ValueError says which rule the sensors or the window break."""
    reasons = {
        1: f"A node has 1 to {core.max_sensors} sensors, not {len(sensor_bytes)}.",
        2: "A sensor has to be a known kind, and only a level has a spread or a history.",
        3: f"These sensors have more than {core.max_features} features; write +mean after the levels that matter "
        "least, as in co2+mean, or leave out a sensor.",
        4: f"A window lasts 10 to 600 seconds, not {window_s}.",
    }
    if not 0 <= window_s <= 0xFFFF:
        raise ValueError(reasons[4])
    memory = core.new("schema")
    error = core.lib.core_schema_init(memory.pointer, sensor_bytes, len(sensor_bytes), window_s)
    if error:
        raise ValueError(reasons[error])
    return memory


class Schema:
    """The ordered features of a node with the given sensors, and their coordinates.

    A coordinate is q = round((T(x) - centre) / scale * 1024) as int16, T by `transforms`: 0 the identity, 1 log(1 + x),
    2 log(1 + (x - 350) / 50), where logarithms take what is below 0 as 0.
    """

    kinds: tuple[str, ...]
    sensor_bytes: bytes
    window_s: int
    hash: bytes
    features: tuple[str, ...]
    sensors: npt.NDArray[np.uint8]
    transforms: npt.NDArray[np.uint8]
    centre: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]

    def __init__(self, kinds: Sequence[str], window_s: int = 60) -> None:
        """Sensors by kind, in the node's order.

        A level gives its mean, and slope and variation over the last hours: `co2+mean` its mean alone, `co2+spread` its
        deviation within the window too. ValueError says what to write instead.
        """
        self.kinds = tuple(kinds)
        self.sensor_bytes = bytes(sensor_byte(kind) for kind in kinds)
        self.window_s = window_s
        self._core = library()
        self.memory = new_schema(self._core, self.sensor_bytes, window_s)
        self._describe()

    @classmethod
    def of_sensors(cls, sensor_bytes: bytes, window_s: int) -> Self:
        """The schema of a node as its hello names the sensors."""
        return cls([kind_of_byte(byte) for byte in sensor_bytes], window_s)

    def _describe(self) -> None:
        core = self._core
        d = core.lib.core_schema_features(self.memory.pointer)
        sensors, statistics, transforms = (np.zeros(d, np.uint8) for _ in range(3))
        self.centre, self.scale = np.zeros(d, np.float32), np.zeros(d, np.float32)
        bytes_out = [core.array("uint8_t", array) for array in (sensors, statistics, transforms)]
        reals_out = [core.array("attune_real", array) for array in (self.centre, self.scale)]
        core.lib.core_schema_describe(self.memory.pointer, *bytes_out, *reals_out)
        digest = core.ffi.new("uint8_t[8]")
        core.lib.core_schema_hash(self.memory.pointer, digest)
        self.hash = bytes(digest)
        self.sensors, self.transforms = sensors, transforms
        self.features = tuple(map(self._feature_name, sensors.tolist(), statistics.tolist()))

    def _feature_name(self, sensor: int, statistic: int) -> str:
        """`co2.mean`; the second CO2 sensor's is `co2#2.mean`."""
        kinds = [plain_kind(kind) for kind in self.kinds]
        kind = kinds[sensor]
        before = kinds[:sensor].count(kind)
        number = f"#{before + 1}" if before else ""
        return f"{kind}{number}.{_name(self._core, self._core.lib.core_statistic_name(statistic))}"

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        return f"Schema({list(self.kinds)!r}, window_s={self.window_s})"
