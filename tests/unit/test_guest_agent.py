"""Commands in a virtual machine, against an agent of the test's own that answers as the protocol's reference has it."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guest_agent import Done, GuestAgent, GuestError

Answer = dict[str, Any]
Answers = Callable[[dict[str, Any]], list[Answer]]


class FakeAgent:
    """Gives each message to `answers`, which says what goes back; at first nothing does."""

    def __init__(self, path: Path) -> None:
        self.answers: Answers = lambda _: []
        self.heard: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        line, _ = self._listener.accept()
        with line, line.makefile("rb") as lines:
            for text in lines:
                message = json.loads(text)
                self.heard.append(message)
                if message["execute"] == "hang-up":
                    return
                for answer in self.answers(message):
                    line.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeAgent]:
    fake = FakeAgent(tmp_path / "agent.sock")
    yield fake
    fake.close()


@pytest.fixture
def agent(fake: FakeAgent, tmp_path: Path) -> Iterator[GuestAgent]:
    agent = GuestAgent(tmp_path / "agent.sock")
    yield agent
    agent.close()


def runs(*statuses: dict[str, Any]) -> Answers:
    """A program of number 77 whose questions after it are answered in turn."""
    left = list(statuses)

    def answers(message: dict[str, Any]) -> list[Answer]:
        if message["execute"] == "guest-exec":
            return [{"return": {"pid": 77}}]
        assert message == {"execute": "guest-exec-status", "arguments": {"pid": 77}}
        return [{"return": left.pop(0) if len(left) > 1 else left[0]}]

    return answers


def said(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_old_answers_are_dropped_until_its_own_comes(fake: FakeAgent, agent: GuestAgent) -> None:
    assert not agent.answers(0.05)
    stale: list[Answer] = [{"return": {"exited": True}}, {"return": 1}]
    fake.answers = lambda _: stale
    assert not agent.answers(0.05)
    fake.answers = lambda message: [*stale, {"return": message["arguments"]["id"]}]
    assert agent.answers(5)


def test_a_program_s_words_and_exit_code(fake: FakeAgent, agent: GuestAgent) -> None:
    ended = {"exited": True, "exitcode": 3, "out-data": said("out\n"), "err-data": said("é")}
    fake.answers = runs({"exited": False}, ended)
    done = agent.run(["cat", "-n"], stdin=b"\x00\xff", environment={"A": "b c"}, seconds=5)
    assert done == Done(3, "out\n", "é")
    asked = fake.heard[0]["arguments"]
    assert (asked["path"], asked["arg"], asked["env"]) == ("cat", ["-n"], ["A=b c"])
    assert base64.b64decode(asked["input-data"]) == b"\x00\xff"
    assert asked["capture-output"] is True


def test_a_program_that_a_signal_ended(fake: FakeAgent, agent: GuestAgent) -> None:
    fake.answers = runs({"exited": True, "signal": 9})
    assert agent.run(["sleep", "9"], seconds=5) == Done(137, "", "")


def test_a_program_that_hangs(fake: FakeAgent, agent: GuestAgent) -> None:
    fake.answers = runs({"exited": False})
    with pytest.raises(GuestError, match=r"^sleep 9 has not ended within 0.1 s\.$"):
        agent.run(["sleep", "9"], seconds=0.1)


def test_what_the_agent_refuses(fake: FakeAgent, agent: GuestAgent) -> None:
    fake.answers = lambda _: [{"error": {"class": "GenericError", "desc": "no such file"}}]
    with pytest.raises(GuestError, match=r"refused guest-exec: .*no such file"):
        agent.run(["nothing"], seconds=1)


def test_a_machine_that_ends(fake: FakeAgent, agent: GuestAgent) -> None:
    agent.tell("hang-up", {})
    with pytest.raises(GuestError, match=r"^The machine has ended\.$"):
        agent.answers(5)
