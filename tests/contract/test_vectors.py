"""Golden bytes of every message, decoded by protoc and by the Python package.

The C side is mcu_firmware/tests/test_vectors.c.
"""

import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attune_proto.v1 import (
    admin_pb2,
    drift_pb2,
    gateways_pb2,
    health_pb2,
    link_pb2,
    node_pb2,
    nodes_pb2,
    rollouts_pb2,
    upkeep_pb2,
)
from google.protobuf import text_format
from google.protobuf.message import Message
from vector_values import ADMIN, DRIFT
from vector_values_nodes import LINK, NODE
from vector_values_services import GATEWAYS, HEALTH, NODES, ROLLOUTS, UPKEEP

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
CONTRACTS: list[tuple[ModuleType, dict[str, dict[str, Any]]]] = [
    (node_pb2, NODE),
    (link_pb2, LINK),
    (admin_pb2, ADMIN),
    (drift_pb2, DRIFT),
    (nodes_pb2, NODES),
    (gateways_pb2, GATEWAYS),
    (rollouts_pb2, ROLLOUTS),
    (upkeep_pb2, UPKEEP),
    (health_pb2, HEALTH),
]
CASES = [
    pytest.param(module, stem, values, id=stem) for module, vectors in CONTRACTS for stem, values in vectors.items()
]

# Carries fields that no version has had yet: decoders skip them, so no encoder gives these bytes.
NEWER = "DaemonMessage.newer"


def read_vector(stem: str) -> bytes:
    """The bytes of an annotated file: hex digits, comments after #."""
    lines = (VECTORS / f"{stem}.hex").read_text().splitlines()
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in lines))


def expected(module: ModuleType, stem: str, values: dict[str, Any]) -> Message:
    message: Message = getattr(module, stem.partition(".")[0])(**values)
    return message


def protoc_decode(module: ModuleType, stem: str, data: bytes) -> str:
    protoc = shutil.which("protoc")
    assert protoc, "protoc is missing: run packaging/bootstrap.sh"
    name = "attune.v1." + stem.partition(".")[0]
    command = [protoc, f"-I{ROOT / 'proto'}", f"--decode={name}", module.DESCRIPTOR.name]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(("module", "stem", "values"), CASES)
def test_python_reads_the_vector(module: ModuleType, stem: str, values: dict[str, Any]) -> None:
    message = expected(module, stem, values)
    decoded = type(message).FromString(read_vector(stem))
    if stem == NEWER:
        assert decoded != message
        decoded.DiscardUnknownFields()
    assert decoded == message


@pytest.mark.parametrize(("module", "stem", "values"), [case for case in CASES if case.id != NEWER])
def test_python_writes_the_vector(module: ModuleType, stem: str, values: dict[str, Any]) -> None:
    assert expected(module, stem, values).SerializeToString(deterministic=True) == read_vector(stem)


@pytest.mark.parametrize(("module", "stem", "values"), CASES)
def test_protoc_reads_the_vector(module: ModuleType, stem: str, values: dict[str, Any]) -> None:
    message = expected(module, stem, values)
    text = protoc_decode(module, stem, read_vector(stem))
    if stem == NEWER:
        assert "99: 7" in text
        assert "127: 42" in text
        text = text.replace("99: 7", "").replace("127: 42", "")
    assert text_format.Parse(text, type(message)()) == message


def test_every_message_has_a_vector_and_every_file_a_test() -> None:
    for module, vectors in CONTRACTS:
        assert {stem.partition(".")[0] for stem in vectors} == set(module.DESCRIPTOR.message_types_by_name)
    stems = [stem for _, vectors in CONTRACTS for stem in vectors]
    assert sorted(stems) == sorted(path.stem for path in VECTORS.glob("*.hex"))


@pytest.mark.parametrize(("module", "stem", "values"), CASES)
def test_the_file_names_its_message(module: ModuleType, stem: str, values: dict[str, Any]) -> None:
    first = (VECTORS / f"{stem}.hex").read_text().splitlines()[0]
    assert first == f"# attune.v1.{stem.partition('.')[0]}"


@pytest.mark.parametrize("wrapper", [node_pb2.NodeMessage, node_pb2.DaemonMessage])
def test_every_arm_of_a_wrapper_has_a_vector(wrapper: type[Message]) -> None:
    arms = {field.name for field in wrapper.DESCRIPTOR.oneofs_by_name["body"].fields}
    name = wrapper.DESCRIPTOR.name
    assert arms <= {stem.partition(".")[2] for stem in NODE if stem.startswith(name + ".")}
