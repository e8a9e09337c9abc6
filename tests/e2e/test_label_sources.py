"""Labels over MQTT and from the command line, against the daemon itself."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from dialled import dialled
from installation import Installation, installed

pytestmark = pytest.mark.slow

NODE, ROOM = "0a0b0c0d01020304", "1.01"
MINUTE = 60_000


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path, {ROOM: [NODE]}, rate=600) as found:
        yield found


def attune(installation: Installation, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ATTUNE_SOCKET": str(installation.api_socket), "LOGNAME": "ann"}
    command = [sys.executable, "-m", "attuned.cli", "label", *words]
    return subprocess.run(command, input=said, env=environment, capture_output=True, text=True, check=False, timeout=60)


async def told(installation: Installation, *messages: bytes) -> list[dict[str, object]]:
    """The answers to messages on the room's topic."""
    site = installation.status().site
    topic = f"attune/{site}/rooms/{ROOM}/label"
    answers: list[dict[str, object]] = []
    async with asyncio.timeout(20), aiomqtt.Client("127.0.0.1", installation.broker.port) as client:
        await client.subscribe(f"{topic}/result", qos=1)
        for message in messages:
            await client.publish(f"{topic}/set", message, qos=1)
        async for answer in client.messages:
            assert isinstance(answer.payload, bytes)
            answers.append(json.loads(answer.payload))
            if len(answers) == len(messages):
                break
    return answers


def test_labels_over_mqtt(installation: Installation) -> None:
    good = b'{"schema":1,"class":"free","minutes":20,"source":"counter","id":"a7"}'
    stored, refused, huge = asyncio.run(told(installation, good, b"\xff{", b"x" * 100_000))
    assert (stored["result"], stored["number"], stored["id"]) == ("stored", 1, "a7")
    assert str(refused["reason"]).startswith("The message is not JSON")
    assert huge["reason"] == "The message has 100000 bytes: a label has at most 1024."
    listed = json.loads(attune(installation, "list", "--json").stdout)["labels"]
    assert [(row["source"], row["class"]) for row in listed] == [("counter", "free")]


def test_import_ask_check_and_undo(installation: Installation, tmp_path: Path) -> None:
    with dialled(installation, NODE, ("temperature", "co2")) as node:
        until = node.tick_ms + 30 * MINUTE
        node.live_until(lambda: node.tick_ms >= until and node.core.facts.waiting == 0, "Time", 60)
        day = json.loads(attune(installation, "list", "--json").stdout)["now"][:10]
        table = tmp_path / "labels.csv"
        table.write_text(
            f"room,class,from,to\n{ROOM},free,{day} 00:00,{day} 00:05\n1.10,free,{day} 00:00,{day} 00:05\n"
        )
        imported = attune(installation, "import", str(table))
        assert (imported.returncode, imported.stdout) == (1, "Stored 1 of 2 labels.\n"), imported.stderr
        assert imported.stderr == "line 3: There is no room '1.10': did you mean 1.01? `attune rooms` lists them all.\n"

        asked = attune(installation, "ask", "--budget", "1", "--since", "-12h", said="f\n")
        assert "1 of 1 questions answered." in asked.stdout, asked.stderr
        assert attune(installation, "check").stdout.startswith("Nothing speaks against 2 labels")
        undone = attune(installation, "undo")
        assert undone.stdout.startswith("Taken back. Label 2: 1.01 free"), undone.stderr
