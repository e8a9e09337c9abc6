"""Write what four fuzz targets begin with, from the golden vectors: `python tests/unit/fuzz_seeds.py`.

An input is a script of steps (mcu_firmware/tests/fuzz/script.h): operation, argument, length, and as many bytes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import update_world as world
from attune_core import Schema
from attune_proto.v1 import node_pb2
from attuned.updates.chunks import chunk
from attuned.updates.envelope import Audience, Kind
from attuned.updates.planning import factory_model, head_payload
from attuned.updates.statements import statement
from update_payloads import make_update, model_payload

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
CORPUS = ROOT / "mcu_firmware" / "tests" / "fuzz" / "corpus"
TRANSCRIPT = ROOT / "mcu_firmware" / "tests" / "golden" / "att.txt"

# Most bytes of one step.
STEP = 255


def golden(stem: str) -> bytes:
    """The bytes of an annotated file: hex digits, comments after #."""
    lines = (VECTORS / f"{stem}.hex").read_text().splitlines()
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in lines))


def step(operation: int, argument: int = 0, data: bytes = b"") -> bytes:
    return bytes([operation, argument, len(data)]) + data


def told(text: bytes) -> bytes:
    """A message of the daemon in parts, the last of which sends it; then five minutes."""
    parts = [text[at : at + STEP] for at in range(0, len(text), STEP)] or [b""]
    return b"".join(step(0, 0, part) for part in parts[:-1]) + step(1, 0, parts[-1]) + step(2, 5)


def messages() -> Iterator[tuple[str, bytes]]:
    stems = sorted(path.stem for path in VECTORS.glob("DaemonMessage.*.hex"))
    for stem in stems:
        yield stem.partition(".")[2], told(golden(stem))
    yield "all", step(3, 1) + b"".join(told(golden(stem)) for stem in stems)
    yield "label-cut", told(golden("DaemonMessage.label")[:-3])
    yield "label-of-eight-windows", say(label=label(windows=8))
    yield "label-of-nine-windows", say(label=label(windows=9))
    yield "label-twice", say(label=label(windows=2)) * 2
    yield "label-of-no-class", say(label=label(windows=1, class_index=99))
    yield "label-of-other-features", say(label=label(windows=1, features=12))
    yield "label-of-what-is-held", step(2, 6) + say(label=label(windows=0, from_s=1, to_s=20_000))
    yield "labels-beyond-the-log", b"".join(say(label=label(windows=8, number=9 + i, first=8 * i)) for i in range(10))
    yield "report-ack-of-all", step(2, 9) + say(report_ack={"through": 21}) + say(report_ack={"through": 20, "more": 3})
    yield "unlearn-what-is-known", say(unlearn={"number": 1, "part": 1}) + say(unlearn={"number": 2})
    yield "command-blink", say(command={"identify_s": 60})
    yield "command-rekey", say(command={"rekey": True}) + step(2, 2)
    yield "command-disown", say(command={"disown": True}) + step(2, 2)
    yield "nothing", step(1) + step(2, 2)
    yield "link-lost", step(5) + step(2, 9)
    yield "calls", step(4, 5, b"\0") + step(4, 5, b"\1") + step(2, 1) + step(4, 5, b"\2")
    yield "clear-text", step(4, 4, golden("DaemonMessage.command")) + step(4, 2, bytes(50)) + step(4, 3, bytes(120))
    yield from updates()


def updates() -> Iterator[tuple[str, bytes]]:
    """What somebody can do who has the signing key, too."""
    key = say(command={"signing_key": (1).to_bytes(4, "little") + world.signing_key().public})
    head, calibration = key + say(update=signed(1, Kind.HEAD)), key + say(update=signed(1, Kind.CALIBRATION))
    whole, other = signed(2, Kind.MODEL), signed(3, Kind.HEAD)
    commit, end = ({"sequence": 1, "commit": word} for word in (True, False))
    yield "update-committed", head + step(2, 9) + say(trial_decision=commit) + step(2, 5)
    yield "update-ended", head + step(2, 9) + say(trial_decision=end) + say(update=other) + step(2, 2)
    yield "update-of-calibration", calibration + step(2, 9) + say(trial_decision=commit) + step(2, 5)
    yield "update-while-another-is-on-trial", head + say(update=other) + say(update=signed(1, Kind.HEAD))
    yield "update-then-labels", head + say(label=label(windows=4)) + say(unlearn={"number": 9}) + step(2, 3)
    yield "update-without-a-key", say(update=other)
    yield "update-forged", key + say(update=other[:-1] + bytes([other[-1] ^ 1]))
    yield "update-in-chunks", key + parts(whole) + step(2, 5)
    yield "update-in-chunks-with-a-gap", key + parts(whole, 0, 2, 1, 0, 3) + parts(other, 1, 0) + step(2, 5)
    following = statement(world.signing_key(), world.signing_key(2).public)
    yield "signing-key-followed", key + say(signing_keys=following) + say(signing_keys=following[:-1]) + head


def signed(sequence: int, kind: Kind) -> bytes:
    """An envelope for the target's node as it is at first."""
    schema = Schema(("light+mean", "co2+mean", "pir"), 60)
    taught = world.taught(sequence, schema=schema)
    payloads = {
        Kind.HEAD: lambda: head_payload(taught, 2),
        Kind.CALIBRATION: lambda: world.CALIBRATION.payload,
        Kind.MODEL: lambda: model_payload(taught, "float32", calibration=world.CALIBRATION),
    }
    audience = Audience(bytes(range(1, 9)), schema.hash, "")
    return world.signed(make_update(factory_model(schema), audience, sequence, kind, payloads[kind]())[0])


def parts(envelope: bytes, *order: int) -> bytes:
    """Chunks of an envelope by their numbers, each in a message of at most 100 bytes."""
    found: list[node_pb2.DaemonMessage] = []
    offset = 0
    while offset < len(envelope):
        found.append(chunk(envelope, offset, 100))
        offset += len(found[-1].update_chunk.data)
    return b"".join(told(found[i].SerializeToString(deterministic=True)) for i in order or range(len(found)))


def say(**body: Any) -> bytes:
    return told(node_pb2.DaemonMessage(**body).SerializeToString(deterministic=True))


def label(windows: int, features: int = 5, number: int = 9, first: int = 0, **more: Any) -> node_pb2.Label:
    """A label with so many windows of the target's boot; its node has five features."""
    said = node_pb2.Label(number=number, class_index=1, weight=256)
    for seq in range(first + 1, first + windows + 1):
        said.windows.add(boot=77, seq=seq, features=bytes(range(seq % 50, seq % 50 + 2 * features)))
    said.MergeFrom(node_pb2.Label(**more))
    return said


def streams() -> Iterator[tuple[str, bytes]]:
    whole = sorted(path.stem for path in VECTORS.glob("*Message.*.hex"))
    for stem in whole:
        yield stem.replace(".", "-"), step(0, 0, golden(stem)[:STEP])
    long, short = golden("DaemonMessage.label"), golden("DaemonMessage.time")
    yield "one-after-the-other", b"".join(step(0, 0, golden(stem)[:STEP]) for stem in whole)
    yield "garbage-then-whole", step(3, 0, b"\x07garbage") + step(0, 0, short) + step(0, 0, short)
    yield "cut-then-whole", step(1, 0x85, long) + step(0, 0, short)
    yield "flipped-then-whole", step(1, 3, b"\x01" * 4 + long) + step(0, 0, short)
    yield "longest", step(0, 1, bytes(range(1, 256))[:254]) + step(0, 1, bytes(STEP))
    yield "too-long-then-whole", step(0, 7, bytes([7]) * STEP) + step(0, 0, short)
    yield "endless-garbage", b"".join(step(3, 0, b"\xff" * STEP) for _ in range(4)) + step(2) + step(0, 0, short)
    yield "zeros", step(2) * 4 + step(0, 0, bytes(40)) + step(2)


def values() -> Iterator[tuple[str, bytes]]:
    """The golden receivers of parts, and frames that the target cuts itself."""
    cases = (VECTORS / "parts.txt").read_text().split("join ")[1:]
    for number, case in enumerate(cases, 1):
        parts = [line.partition(" ")[2] for line in case.splitlines() if line.startswith("part")]
        yield f"golden-{number}", b"".join(step(0, 0, bytes.fromhex(part)) for part in parts)
    text = bytes(range(250))
    yield "whole", step(1, 0, text) + step(19, 1, text) + step(243, 20, text)
    yield "one-lost", step(19, 0x83, text) + step(19, 1, text)
    yield (
        "longest-and-too-long",
        step(0, 0, b"\x80" + text) + step(0, 0, b"\x01" + text) + step(0, 0, b"\x42" + text[:140]),
    )
    yield "too-long", step(0, 0, b"\x80" + text) + step(0, 0, b"\x01" + text) * 2 + step(0, 0, b"\x02" + text)


# The longest script of the target for Bluetooth.
BLE_STEPS = 64


def requests() -> list[bytes]:
    """The left sides of the attribute server's transcript."""
    lines = (line.partition("->") for line in TRANSCRIPT.read_text().splitlines() if not line.startswith("#"))
    return [bytes.fromhex(left) for left, arrow, _ in lines if arrow]


def radio() -> Iterator[tuple[str, bytes]]:
    """What centrals and controllers say, by the operations of fuzz_ble.c."""
    asked = [step(0, 243, request) for request in requests()]
    for first in range(0, len(asked), BLE_STEPS):
        yield f"requests-{first}", b"".join(asked[first : first + BLE_STEPS])
    part, work = step(0, 19, b"\x52\x09\x00" + bytes(200)), step(6, 1, bytes(100))
    yield "parts-both-ways", (part + work) * 20
    yield "parts-that-nobody-takes", part * 20 + step(3, 250)
    yield "no-buffers", step(7, 0) + work * 20 + step(5, 2) + work * 4 + step(4) + step(4) + work
    yield "short-buffers", step(0xF0, 0, bytes(2)) + step(3, 200) + step(3, 200) + step(4) + work
    yield "disconnections", (step(4, 8) + step(3, 10) + step(4) + step(0, 200, b"\x12\x0c\x00\x01\x00")) * 15
    yield "endless-fragments", step(1, 2, b"\xff\xff\x04\x00") + step(1, 1, bytes(STEP)) * 10 + asked[0]
    yield (
        "signals",
        step(2, 0, b"\x12\x01\x08\x00" + bytes(8)) + step(2, 0, bytes([20, 2]) * 20) + step(2, 0, bytes(40)),
    )
    yield "pairing", step(2, 1, b"\x01\x03\x00\x01\x10\x00\x00")
    yield "fast-and-slow", step(7, 6) + step(3, 100) + step(7, 6) + step(3, 255)
    yield "fast-by-l2cap", step(7, 5, b"\x13\x20\x11") + step(7, 6) + step(3, 9)
    yield (
        "late-answers",
        step(7, 1) + step(7, 7) + step(4) + (step(3, 1) + step(5, 0)) * 20 + step(4) + step(4) + step(5, 0),
    )
    yield "mute", step(7, 2) + step(3, 200) + step(7, 2) + step(3, 100)
    yield "deaf", step(7, 3) + work * 3 + step(4) + step(3, 200) + step(7, 3) + step(3, 100)
    yield "byte-by-byte", step(7, 4, b"\0") + asked[20] + part + work + step(4) + step(3, 100)
    yield "silent-for-a-quarter-of-an-hour", step(3, 255) * 30
    for opcode in (0x0C01, 0x0C6D, 0x2001, 0x2002, 0x2003, 0x2005, 0x2006, 0x2008, 0x200A, 0x0406):
        failing = step(7, 5, opcode.to_bytes(2, "little") + b"\x0c")
        yield f"failing-{opcode:04x}", failing + step(7, 7) + step(3, 255) + step(4) + step(3, 200)
    yield from events()


def events() -> Iterator[tuple[str, bytes]]:
    """What a controller says that does not keep the rules."""
    yield "hardware-error", step(0xD0, 0x10, b"\0") + step(3, 50)
    yield "events-cut", b"".join(step(0xD0, code, bytes(size)) for code in (5, 14, 15, 19, 62) for size in range(4))
    yield "events-too-long", b"".join(step(0xD0, code, bytes(STEP)) for code in (5, 14, 15, 19, 62, 255))
    yield "updated", step(0xD0, 0x3E, bytes.fromhex("03 1A 4100 0C00 0000 5802")) + step(3, 50)
    yield "connected-twice", step(0xD0, 0x3E, bytes.fromhex("01 00 4100 01 01 060504030201 1800 0000 4800 00"))
    yield "completed", step(0xD0, 0x13, bytes.fromhex("02 4100 FFFF 4200 0100"))
    yield "other-packets", step(0xC0, 0, b"\x03\x41\x00\x01\x00") + step(3, 200)
    yield "shared-buffers", step(0xF0, 0x22, b"\0") + step(3, 255) * 2 + step(4) + step(6, 1, bytes(20))
    yield "no-buffers-at-all", step(7, 5, b"\x02\x20\x00") + step(0xF0, 0, b"") + step(3, 255) * 2


SEEDS = {"ble": radio, "message": messages, "deframer": streams, "part": values}


def main() -> None:
    for target, seeds in SEEDS.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (CORPUS / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
