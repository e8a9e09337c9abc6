"""Nodes come by their codes and go again: nodes, gateway and daemon as processes, and `attune node`."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, program, wait_until
from processes import end

ROOM, OTHER_ROOM = "1.01", "1.02"
NODE, NEW = "0a0b0c0d01020304", "1a0b0c0d01020304"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    found = Installation(tmp_path / "one", {ROOM: [], OTHER_ROOM: []}, rate=60)
    try:
        found.start()
        yield found
    finally:
        found.close()


def attune(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    command = [program("attune"), "--socket", str(installation.api_socket), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told(installation: Installation, node: str) -> dict[str, Any]:
    answer = attune(installation, "nodes", node, "--json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout)["nodes"][0])


class NodeProcess:
    """attune-node with its flash in a file, fed with a quiet room in step with the installation's clock."""

    def __init__(self, installation: Installation, folder: Path, node: str) -> None:
        gateway = ["--gateway", f"127.0.0.1:{installation.node_port}", "--id", node]
        keys = ["--flash", str(folder / f"{node}.flash"), "--sensors", "co2,pir", "--verbose"]
        self.errors = folder / f"{node}.log"
        with self.errors.open("ab") as log:
            self.process = subprocess.Popen(
                [program("attune-node"), *gateway, *keys], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        self.code = self.process.stdout.readline().decode().removeprefix("Code: ").strip()

    def close(self) -> None:
        end(self.process)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(installation: Installation, folder: Path, node: str = NODE) -> Iterator[NodeProcess]:
    found = NodeProcess(installation, folder, node)
    try:
        yield found
    finally:
        found.close()


def test_a_node_is_added_by_its_code_and_comes_back_without_it(installation: Installation, tmp_path: Path) -> None:
    with running(installation, tmp_path) as node:
        assert (tmp_path / f"{NODE}.flash").stat().st_mode & 0o777 == 0o600
        answer = attune(installation, "node", "add", node.code.lower(), "--room", ROOM, "--name", "by the door")
        assert (answer.returncode, answer.stdout) == (0, f"Node {NODE} is commissioned.\n"), answer.stderr
        wait_until(lambda: told(installation, NODE)["online"], "The node's greeting")
        found = told(installation, NODE)
        assert (found["room"], found["name"], found["commissioned"]) == (ROOM, "by the door", True)
        code = node.code
    with running(installation, tmp_path) as node:
        assert node.code == code
        wait_until(lambda: told(installation, NODE)["reset_reason"] == "power_on", "The node's return")
    installation.restart("daemon")
    with running(installation, tmp_path):
        wait_until(lambda: told(installation, NODE)["online"], "The node's return to a daemon that was killed")
    key = installation.store / "daemon.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_mistakes_get_one_sentence(installation: Installation, tmp_path: Path) -> None:
    with running(installation, tmp_path) as node:
        other = "A" if node.code[12] != "A" else "B"
        wrong = node.code[:12] + other + node.code[13:]
        for words, says in [
            (["node", "add", wrong, "--room", ROOM], "attune: Group 3 of the code"),
            (["node", "add", node.code], "attune: Name the room of the node with --room; rooms are 1.01, 1.02."),
            (["node", "add", node.code, "--room", "9"], "attune: There is no room '9'; rooms are 1.01, 1.02."),
            (["node", "remove", NODE], f"attune: There is no node '{NODE}'"),
            (["node", "move", "x", "--room", ROOM], "attune: A node's id has 16 hex digits"),
        ]:
            answer = attune(installation, *words)
            assert (answer.returncode, answer.stderr.count("\n")) == (1, 1), answer.stderr
            assert answer.stderr.startswith(says)
        wait_until(lambda: NODE[:8] in attune(installation, "node", "waiting").stdout, "The stranger")
        assert "waits for `attune node add`" in attune(installation, "node", "waiting").stdout


@pytest.mark.slow
def test_a_node_of_another_daemon_says_so(installation: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path / "other", {ROOM: []}, rate=60)
    try:
        other.start()
        with running(other, tmp_path) as node:
            assert attune(other, "node", "add", node.code, "--room", ROOM).returncode == 0
            wait_until(lambda: told(other, NODE)["online"], "The node's greeting")
        with running(installation, tmp_path) as node:
            wait_until(lambda: "another daemon" in attune(installation, "node", "waiting").stdout, "The stranger")
            answer = attune(installation, "node", "add", node.code, "--room", ROOM)
            assert answer.returncode == 1
            assert "It is owned by another daemon: remove it there, or add it with --take-over." in answer.stderr
            answer = attune(installation, "node", "add", node.code, "--room", ROOM, "--take-over")
            assert answer.returncode == 0, answer.stderr
    finally:
        other.close()


@pytest.mark.slow
def test_what_can_be_done_with_a_node(installation: Installation, tmp_path: Path) -> None:
    def done(*words: str) -> str:
        answer = attune(installation, "node", *words)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    with running(installation, tmp_path) as node, running(installation, tmp_path, NEW) as new:
        done("add", node.code, "--room", ROOM, "--name", "door")
        done("add", new.code, "--room", OTHER_ROOM)
        wait_until(lambda: told(installation, NODE)["online"] and told(installation, NEW)["online"], "The greetings")
        done("identify", NODE, "--seconds", "30")
        wait_until(lambda: "Node 0 blinks for 30 s." in node.errors.read_text(), "The blinking")
        done("rekey", NODE)
        done("rename", NODE, "--name", "window")
        done("move", NODE, "--room", OTHER_ROOM)
        assert (told(installation, NODE)["room"], told(installation, NODE)["name"]) == (OTHER_ROOM, "window")
        done("rotate-key")
        wait_until(lambda: "Every node uses" in done("rotate-key", "--status"), "The new key's use by all", 60)
        assert not (installation.store / "daemon-next.key").exists()
        installation.restart("daemon")
        assert told(installation, NODE)["room"] == OTHER_ROOM
        wait_until(lambda: told(installation, NODE)["online"] and told(installation, NEW)["online"], "The return", 60)
        done("move", NODE, "--room", ROOM)
        done("replace", NODE, NEW)
        found = told(installation, NEW)
        assert (found["room"], found["name"]) == (ROOM, "window")
        assert attune(installation, "nodes", NODE).returncode == 1
        assert "is removed, and knows it" in done("remove", NEW)
        assert json.loads(attune(installation, "nodes", "--json").stdout)["nodes"] == []
