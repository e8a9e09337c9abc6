"""A listener at the broker, as a building-management system is one: remembers what was said last."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


class Listener:
    """The newest payload of each topic of the site; topics are named below `attune/SITE/`."""

    def __init__(self, site: str) -> None:
        self._prefix = f"attune/{site}/"
        self.newest: dict[str, dict[str, Any]] = {}
        self.retained: set[str] = set()

    def on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(f"{self._prefix}#", qos=1)

    def on_message(self, _client: mqtt.Client, _context: object, message: mqtt.MQTTMessage) -> None:
        topic = message.topic.removeprefix(self._prefix)
        self.newest[topic] = json.loads(message.payload)
        if message.retain:
            self.retained.add(topic)

    @property
    def status(self) -> str:
        return str(self.newest.get("status", {}).get("state", ""))

    def room(self, room: str) -> dict[str, Any]:
        return self.newest.get(f"rooms/{room}", {})


@contextmanager
def listening(port: int, site: str) -> Iterator[Listener]:
    """A listener that has just subscribed, so that it first hears what is retained."""
    listener = Listener(site)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = listener.on_connect
    client.on_message = listener.on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield listener
    finally:
        client.disconnect()
        client.loop_stop()
