"""The least that could be done with a report: open and parse its frame, and append it to SQLite in commits as large."""

import sqlite3
import struct
import tempfile
import time
from pathlib import Path

from attune_proto.v1 import node_pb2
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bench.load.fleet import FEATURES

_RECORD = struct.Struct("<8sIqIIBBB")
_NODE = bytes(8)
_CIPHER = ChaCha20Poly1305(bytes(32))


def bare_rate(reports: int, commit: int, folder: Path) -> tuple[float, float]:
    """Reports a second, and reports a CPU second."""
    frames = [_frame(i + 1) for i in range(reports)]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        connection = sqlite3.connect(Path(place) / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE inbox (id INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        began, began_cpu = time.perf_counter(), time.process_time()
        for first in range(0, reports, commit):
            _append(connection, frames[first : first + commit])
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        connection.close()
    return reports / seconds, reports / cpu_s


def _append(connection: sqlite3.Connection, frames: list[bytes]) -> None:
    records = [(_record(node_pb2.NodeMessage.FromString(_open(frame)).report),) for frame in frames]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO inbox (record) VALUES (?)", records)
    connection.execute("COMMIT")


def _open(frame: bytes) -> bytes:
    """docs/protocol.md: the counter of a sealed frame is its nonce; kind and hint are authenticated, too."""
    return _CIPHER.decrypt(_nonce(frame), frame[9:], frame[:5])


def _nonce(frame: bytes) -> bytes:
    return bytes(4) + frame[5:9] + bytes(4)


def _record(report: node_pb2.Report) -> bytes:
    evidence, features = report.evidence, report.features
    numbers = (_NODE, 1, report.end_s * 1000, report.seq, report.end_s, report.state, len(evidence), len(features))
    return _RECORD.pack(*numbers) + evidence + features


def _frame(seq: int) -> bytes:
    features = struct.pack(f"<{FEATURES}h", *range(FEATURES))
    report = node_pb2.Report(seq=seq, end_s=10 * seq, features=features, evidence=b"\x00\x01", state=241)
    header = b"\x04" + bytes(4) + seq.to_bytes(4, "little")
    text = node_pb2.NodeMessage(report=report).SerializeToString()
    return header + _CIPHER.encrypt(_nonce(header), text, header[:5])
