"""What a building-management system gets from a real broker: retention, the will, and coming back."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from attuned.bms import publisher as module
from attuned.bms import topics
from attuned.bms.announcing import Announcing
from attuned.bms.publisher import Answer, Broker, Command, Publisher
from attuned.config import MqttSettings
from attuned.setup.broker import take_back
from processes import Mosquitto, program


class Watching:
    """What a subscriber to everything under attune/ has got: every message in order, and the newest of each topic."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str, bool]] = []
        self.newest: dict[str, str] = {}

    async def read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload.decode() if isinstance(message.payload, bytes) else str(message.payload)
            self.log.append((str(message.topic), payload, bool(message.retain)))
            self.newest[str(message.topic)] = payload


async def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (what is waited for is another program's doing)
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def watching(port: int, **more: str) -> AsyncIterator[Watching]:
    watch = Watching()
    async with aiomqtt.Client("127.0.0.1", port, **more) as client:  # type: ignore[arg-type]
        await client.subscribe("attune/#", qos=1)
        reader = asyncio.create_task(watch.read(client))
        yield watch
        reader.cancel()


@contextlib.asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(publisher.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)


class Cable:
    """A TCP connection to a broker that can be cut: the broker sees the other side vanish without a word."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def plugged(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    writer.close()


ONLINE, OFFLINE = topics.status_payload(online=True), topics.status_payload(online=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(module, "LAST_WAIT_S", 0.2)


async def test_states_are_retained_and_the_newest_wins(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    publisher.publish("attune/s/rooms/a", "before the broker was reached")
    async with running(publisher):
        await until(lambda: publisher.acknowledged == 2)  # a message that still waits has no arrival to be measured
        for i in range(50):
            publisher.publish("attune/s/rooms/a", f"state {i}", time.monotonic())
        publisher.publish("attune/s/rooms/b", "b")
        await until(lambda: publisher.acknowledged >= 4 and not publisher._waiting and publisher.delays_s)
        async with watching(mosquitto.port) as late:
            await until(lambda: len(late.log) == 3)
    assert late.newest == {"attune/s/status": ONLINE, "attune/s/rooms/a": "state 49", "attune/s/rooms/b": "b"}
    assert all(retained for _, _, retained in late.log)


async def test_an_empty_message_takes_back_what_is_retained(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    topic = topics.alert_topic("s", 4)
    publisher.publish(topic, topics.alert_payload({"id": 4}))
    async with running(publisher):
        await until(lambda: not publisher.trouble and not publisher._waiting and publisher.acknowledged >= 2)
        async with watching(mosquitto.port) as early:
            await until(lambda: len(early.log) == 2)
        assert json.loads(early.newest[topic]) == {"schema": 1, "id": 4}
        publisher.publish(topic, "")
        await until(lambda: publisher.acknowledged >= 3)
        async with watching(mosquitto.port) as late:
            await until(lambda: late.log)
    assert list(late.newest) == ["attune/s/status"]


async def test_what_is_kept_under_a_sites_old_name_is_taken_back(mosquitto: Mosquitto) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    now, before = (Publisher(site, Broker("127.0.0.1", mosquitto.port)) for site in ("new", "old"))
    now.publish("attune/new/rooms/a", "1")
    before.publish("attune/old/rooms/a", "1")
    async with running(now):
        async with running(before):
            await until(lambda: before.acknowledged == now.acknowledged == 2)
            # A site of that name is there: it may be another one.
            assert await asyncio.to_thread(take_back, settings, None, "old") == 0
        assert await asyncio.to_thread(take_back, settings, None, "old") == 2
        async with watching(mosquitto.port) as watch:
            await until(lambda: len(watch.newest) == 2)
            assert set(watch.newest) == {"attune/new/status", "attune/new/rooms/a"}
        mosquitto.kill()
        assert await asyncio.to_thread(take_back, settings, None, "old") == 0


async def test_an_unchanged_state_is_not_sent_again(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    async with running(publisher):
        publisher.publish("attune/s/rooms/a", "same")
        await until(lambda: publisher.acknowledged == 2)
        publisher.publish("attune/s/rooms/a", "same")
        publisher.publish("attune/s/rooms/b", "other")
        await until(lambda: publisher.acknowledged == 3)
        await asyncio.sleep(0.05)
        assert publisher.acknowledged == 3


async def test_a_graceful_end_says_offline_once(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    async with watching(mosquitto.port) as watch:
        async with running(publisher):
            await until(lambda: watch.newest.get("attune/s/status") == ONLINE)
        await until(lambda: watch.newest.get("attune/s/status") == OFFLINE)
        await asyncio.sleep(0.05)
    assert [payload for topic, payload, _ in watch.log if topic == "attune/s/status"] == [ONLINE, OFFLINE]


async def test_an_end_before_all_is_subscribed_says_offline_too(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subscribe(*_: Any, **__: Any) -> None:
        await asyncio.sleep(3600)

    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    publisher.listen("attune/s/rooms/+/label/set", refuse)
    async with watching(mosquitto.port) as watch:
        monkeypatch.setattr(aiomqtt.Client, "subscribe", subscribe)
        async with running(publisher):
            await until(lambda: watch.newest.get("attune/s/status") == ONLINE)
        await until(lambda: watch.newest.get("attune/s/status") == OFFLINE)


async def refuse(_: Command) -> Answer | None:
    return None


async def test_when_the_connection_breaks_the_broker_says_offline_and_the_daemon_comes_back(
    mosquitto: Mosquitto,
) -> None:
    cable = Cable(mosquitto.port)
    async with cable.plugged() as port, watching(mosquitto.port) as watch:
        publisher = Publisher("s", Broker("127.0.0.1", port))
        async with running(publisher):
            publisher.publish("attune/s/rooms/a", "a")
            await until(lambda: watch.newest == {"attune/s/status": ONLINE, "attune/s/rooms/a": "a"})
            cable.cut()
            await until(lambda: (topics.status_topic("s"), OFFLINE, False) in watch.log)
            await until(lambda: watch.newest["attune/s/status"] == ONLINE)


async def test_a_broker_that_was_killed_gets_everything_again(mosquitto: Mosquitto) -> None:
    """It keeps nothing on its disk here; what was published while it was away comes too."""
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    async with running(publisher):
        for name in "abc":
            publisher.publish(f"attune/s/rooms/{name}", name)
        await until(lambda: publisher.acknowledged == 4)
        mosquitto.kill()
        await until(lambda: "cannot be reached" in publisher.trouble)
        publisher.publish("attune/s/rooms/b", "new b")
        mosquitto.start()
        async with watching(mosquitto.port) as watch:
            await until(lambda: len(watch.newest) == 4)
            await until(lambda: watch.newest["attune/s/rooms/b"] == "new b")
            assert (watch.newest["attune/s/rooms/a"], watch.newest["attune/s/rooms/c"]) == ("a", "c")
        assert publisher.trouble == ""


async def test_a_broker_that_comes_late_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = Mosquitto(tmp_path)
    publisher = Publisher("s", Broker("127.0.0.1", broker.port))
    async with running(publisher):
        await until(lambda: "cannot be reached" in publisher.trouble)
        await asyncio.sleep(0.3)
        broker.start()
        await until(lambda: not publisher.trouble)
        await until(lambda: publisher.acknowledged >= 1)
    broker.stop()
    said = [record.getMessage() for record in caplog.records if "cannot be reached" in record.getMessage()]
    assert len(said) == 1


async def test_a_wrong_password_is_trouble_that_says_where_to_look(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, users={"attune": "right"})
    broker.start()
    wrong = Publisher("s", Broker("127.0.0.1", broker.port, "attune", "wrong"))
    async with running(wrong):
        await until(lambda: "cannot be reached" in wrong.trouble)
        assert "uthoriz" in wrong.trouble
        assert wrong.trouble.endswith(
            "it does not take the user attune with this password; `sudo attune setup` asks for user and password."
        )
        assert wrong.acknowledged == 0
    right = Publisher("s", Broker("127.0.0.1", broker.port, "attune", "right"))
    async with running(right):
        await until(lambda: right.acknowledged == 1)
        assert right.trouble == ""
    broker.stop()


@pytest.mark.parametrize("topic", ["attune/s/status", "attune/s/rooms/a"])
async def test_an_end_that_comes_with_the_brokers_answer_is_an_end(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    original = aiomqtt.Client.publish

    async def publish(client: aiomqtt.Client, to: str, *values: Any, **more: Any) -> None:
        """Loses a cancellation as `asyncio.wait_for` may."""
        await original(client, to, *values, **more)
        if to == topic and not task.cancelling():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    monkeypatch.setattr(aiomqtt.Client, "publish", publish)
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    publisher.publish("attune/s/rooms/a", "a")
    task = asyncio.create_task(publisher.run())
    done, _ = await asyncio.wait([task], timeout=10)
    assert done
    assert task.cancelled()


async def test_an_end_while_the_broker_does_not_answer_is_an_end(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAREWELL_S", 0.1)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    task = asyncio.create_task(publisher.run())
    await until(lambda: not publisher.trouble and publisher.acknowledged == 1)
    mosquitto.freeze()
    publisher.publish("attune/s/rooms/a", "a")
    await asyncio.sleep(0.05)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=3)
    mosquitto.thaw()
    assert done
    assert task.cancelled()


async def test_a_broker_with_a_certificate_is_believed_by_its_authority_only(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, [program("openssl"), *request, *files], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, more=[f"certfile {certificate}", f"keyfile {key}"])
    broker.start()
    publisher = Publisher("s", Broker("127.0.0.1", broker.port, ca_file=str(certificate)))
    async with running(publisher):
        await until(lambda: publisher.acknowledged == 1)
    stranger = Publisher("s", Broker("127.0.0.1", broker.port, ca_file="/etc/ssl/certs/ca-certificates.crt"))
    async with running(stranger):
        await until(lambda: "certificate verify failed" in stranger.trouble)
    missing = Publisher("s", Broker("127.0.0.1", broker.port, ca_file=str(tmp_path / "none.pem")))
    async with running(missing):
        await until(lambda: "No such file" in missing.trouble)
    broker.stop()


# Commands.


async def test_commands_are_answered_once_and_not_retained(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))

    async def answer(command: Command) -> Answer | None:
        if command.payload == b"silence":
            return None
        return Answer("attune/s/rooms/r/label/result", f"{command.payload.decode()} {command.retained}")

    publisher.listen("attune/s/rooms/+/label/set", answer)
    async with watching(mosquitto.port) as watch, aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.publish("attune/s/rooms/r/label/set", "old", qos=1, retain=True)
        async with running(publisher):
            await until(lambda: ("attune/s/rooms/r/label/result", "old True", False) in watch.log)
            for said in ("one", "silence", "two"):
                await client.publish("attune/s/rooms/r/label/set", said, qos=1)
            await client.publish("attune/s/rooms/r/other/set", "three", qos=1)
            await until(lambda: ("attune/s/rooms/r/label/result", "two False", False) in watch.log)
    said_back = [payload for topic, payload, _ in watch.log if topic.endswith("/result")]
    assert said_back == ["old True", "one False", "two False"]


async def test_after_a_lost_connection_commands_are_answered_again(mosquitto: Mosquitto) -> None:
    cable = Cable(mosquitto.port)

    async def answer(command: Command) -> Answer | None:
        return Answer("attune/s/rooms/q/label/result", command.payload.decode())

    async with cable.plugged() as port, watching(mosquitto.port) as watch:
        publisher = Publisher("s", Broker("127.0.0.1", port))
        publisher.listen("attune/s/rooms/+/label/set", answer)
        async with running(publisher), aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            await until(lambda: watch.newest.get("attune/s/status") == ONLINE)
            cable.cut()
            await until(lambda: (topics.status_topic("s"), OFFLINE, False) in watch.log)
            await until(lambda: watch.newest["attune/s/status"] == ONLINE and not publisher.trouble)
            await asyncio.sleep(0.1)
            await client.publish("attune/s/rooms/q/label/set", "again", qos=1)
            await until(lambda: watch.newest.get("attune/s/rooms/q/label/result") == "again")


async def test_what_is_forgotten_is_no_longer_retained(mosquitto: Mosquitto) -> None:
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    announcing = Announcing("s", publisher)
    node = "a1b2c3d400000001"
    kept = topics.room_topic("s", "b")
    gone = [topics.room_topic("s", "a"), topics.health_topic("s", node), topics.alert_topic("s", 4)]
    for topic in (*gone, kept):
        publisher.publish(topic, "a marker")
    async with running(publisher):
        await until(lambda: publisher.acknowledged >= 5)
        announcing.forget(["a"], [node], [4])
        await until(lambda: publisher.acknowledged >= 8)
        async with watching(mosquitto.port) as late:
            await until(lambda: len(late.newest) >= 2)
    assert set(late.newest) == {"attune/s/status", kept}
    # A daemon that was started since takes back what an earlier one left behind, too.
    publisher = Publisher("s", Broker("127.0.0.1", mosquitto.port))
    Announcing("s", publisher).forget(["b"], [], [])
    async with running(publisher):
        await until(lambda: publisher.acknowledged >= 2)
        async with watching(mosquitto.port) as late:
            await until(lambda: late.log)
    assert set(late.newest) == {"attune/s/status"}
