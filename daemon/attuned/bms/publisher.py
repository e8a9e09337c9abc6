"""The connection to the broker: retained states with a will, the newest state of each topic, again after every loss."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiomqtt
from attune_service.journal import BROKER_LOST, about
from attune_service.turns import turn

from attuned.bms import topics
from attuned.bms.trouble import encryption, sentence

log = logging.getLogger(__name__)

# What the client says of each attempt is said here in one sentence, and once.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)

# Publications under way at the same time; aiomqtt warns above ten.
IN_FLIGHT = 8

# Seconds between attempts to reach the broker: doubled from the first to the last.
FIRST_WAIT_S = 1.0
LAST_WAIT_S = 30.0

# Seconds within which the broker has to acknowledge.
TIMEOUT_S = 10.0

# Seconds for saying goodbye to a broker that may not listen any more.
FAREWELL_S = 1.0

# Publications whose delay is remembered.
DELAYS = 2048


# Messages that may wait to be answered; past that the newest are dropped, so that nobody can fill the memory.
WAITING = 100


@dataclass(frozen=True)
class Command:
    """A message that somebody has sent to the daemon; a retained one was sent at any time before."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True)
class Answer:
    """What is published because of a command, once and not retained."""

    topic: str
    payload: str


@dataclass(frozen=True)
class Broker:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None


class Publisher:
    """Publishes retained messages with quality of service 1; a newer message replaces one that still waits."""

    def __init__(self, site: str, broker: Broker) -> None:
        self._site = site
        self._broker = broker
        self._retained: dict[str, str] = {}
        self._waiting: dict[str, float | None] = {}
        self._ready = asyncio.Event()
        self._ending = False
        self._commands: dict[str, Callable[[Command], Awaitable[Answer | None]]] = {}
        self.trouble = "The broker has not been reached yet."
        self.acknowledged = 0
        self.delays_s: deque[float] = deque(maxlen=DELAYS)

    def publish(self, topic: str, payload: str, arrived: float | None = None) -> None:
        """Sets the retained message of a topic. `arrived` (monotonic seconds) is when its cause came in."""
        if self._retained.get(topic) == payload:
            return
        self._retained[topic] = payload
        self._waiting.setdefault(topic, arrived)
        self._ready.set()

    def listen(self, filter_: str, answer: Callable[[Command], Awaitable[Answer | None]]) -> None:
        """Has commands on these topics (a filter) answered, one after the other. To be called before `run`."""
        self._commands[filter_] = answer

    async def run(self) -> None:
        """Keeps the connection, for ever; says on cancellation that the site is offline."""
        wait_s = FIRST_WAIT_S
        while True:
            started = time.monotonic()
            try:
                # A task of its own: a group that has failed leaves its task marked as cancelled in Python 3.11.
                await asyncio.create_task(self._session(), name="session with the broker")
            except (aiomqtt.MqttError, OSError) as error:
                if self._ending:  # an error on the way out must not bring back a task that was told to end
                    raise asyncio.CancelledError from error
                self._lost(error)
            if time.monotonic() - started > LAST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)

    async def _session(self) -> None:
        """Raises aiomqtt.MqttError, OSError."""
        will = aiomqtt.Will(topics.status_topic(self._site), topics.status_payload(online=False), qos=1, retain=True)
        async with aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.user,
            password=self._broker.password,
            tls_context=encryption(self._broker.ca_file) if self._broker.ca_file else None,
            will=will,
            timeout=TIMEOUT_S,
            max_inflight_messages=IN_FLIGHT,
            max_queued_incoming_messages=WAITING,
            logger=_client_log,
        ) as client:
            _heed_cancellation()
            self.trouble = ""
            log.info("Connected to the broker at %s:%d.", self._broker.host, self._broker.port)
            try:
                await self._greet(client)
                await self._serve(client)
            except asyncio.CancelledError:
                self._ending = True
                await self._farewell(client)
                raise

    async def _greet(self, client: aiomqtt.Client) -> None:
        await self._send(client, topics.status_topic(self._site), topics.status_payload(online=True), None)
        for wanted in self._commands:
            await client.subscribe(wanted, qos=1, timeout=TIMEOUT_S)
            _heed_cancellation()
        self._waiting = dict.fromkeys(self._retained)
        self._ready.set()

    async def _farewell(self, client: aiomqtt.Client) -> None:
        """A graceful end sends no will."""
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._send(client, topics.status_topic(self._site), topics.status_payload(online=False), None)
        except (aiomqtt.MqttError, TimeoutError) as error:
            log.warning("The broker was not told that the site goes offline (%s); it will find out by itself.", error)

    async def _serve(self, client: aiomqtt.Client) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_commands(client), name="commands")
                for i in range(IN_FLIGHT):
                    group.create_task(self._work(client), name=f"publish {i}")
        except ExceptionGroup as errors:
            lost, others = errors.split((aiomqtt.MqttError, OSError))
            if lost is None or others is not None:
                raise
            # Not by `except*`: what is raised there comes out in a group again, in some releases of Python.
            raise aiomqtt.MqttError(str(lost.exceptions[0])) from errors

    async def _work(self, client: aiomqtt.Client) -> None:
        while True:
            await self._ready.wait()
            if not self._waiting:
                self._ready.clear()
                continue
            topic = next(iter(self._waiting))
            arrived = self._waiting.pop(topic)
            try:
                await self._send(client, topic, self._retained[topic], arrived)
            except aiomqtt.MqttError:
                self._waiting.setdefault(topic, arrived)
                raise

    async def _send(self, client: aiomqtt.Client, topic: str, payload: str, arrived: float | None) -> None:
        await client.publish(topic, payload, qos=1, retain=True, timeout=TIMEOUT_S)
        self.acknowledged += 1
        if arrived is not None:
            self.delays_s.append(time.monotonic() - arrived)
        _heed_cancellation()

    async def _take_commands(self, client: aiomqtt.Client) -> None:
        """Answers commands in order. Iterating also tells when the connection is lost."""
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            command = Command(str(message.topic), payload, bool(message.retain))
            for wanted, answer in self._commands.items():
                with turn():
                    said = await answer(command) if message.topic.matches(wanted) else None
                if said is not None:
                    await client.publish(said.topic, said.payload, qos=1, timeout=TIMEOUT_S)
                    _heed_cancellation()

    def _lost(self, error: Exception) -> None:
        trouble = sentence(self._broker.host, self._broker.port, self._broker.user, error)
        if trouble != self.trouble:
            log.warning("%s", trouble, extra=about(message=BROKER_LOST))
        self.trouble = trouble


def _heed_cancellation() -> None:
    """Ends a task that should have ended: in Python 3.11 the client's `wait_for` may lose a cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
