"""Tries a broker as the daemon will use it, and looks at what stands in the way on this machine."""

import asyncio
import contextlib
from pathlib import Path

import aiomqtt

from attuned.bms.trouble import HIDDEN, encryption, hidden, sentence
from attuned.config import MqttSettings

# A person waits for it.
TIMEOUT_S = 5.0

# A broker that has sent nothing for so long has sent all that it keeps.
SILENCE_S = 1.0

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HERE_ONLY = (
    "It listens for this machine only. For others, such as a building-management system, give mosquitto a `listener "
    "{port}` with a password file in /etc/mosquitto/conf.d, then run this again with its user."
)
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


def check_seen(ca_file: Path) -> None:
    """ValueError, a sentence, for a file that this program can read and the daemon's service cannot."""
    if hidden(ca_file):
        raise ValueError(
            f"The daemon's service sees nothing in {HIDDEN}: copy {ca_file} to /etc/attune, for instance, and name it "
            "there."
        )


def trouble(broker: MqttSettings, password: str | None) -> str:
    """ "" if a connection can be made, else a sentence."""
    try:
        asyncio.run(_connect(broker, password))
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        return sentence(broker.host, broker.port, broker.user, error)
    return ""


async def _connect(broker: MqttSettings, password: str | None) -> None:
    async with _client(broker, password):
        pass


def _client(broker: MqttSettings, password: str | None) -> aiomqtt.Client:
    context = encryption(str(broker.ca_file)) if broker.ca_file else None
    return aiomqtt.Client(
        broker.host, broker.port, username=broker.user, password=password, tls_context=context, timeout=TIMEOUT_S
    )


def take_back(broker: MqttSettings, password: str | None, site: str) -> int:
    """Takes back what a broker keeps of a site that is offline, since it has another name now; how many topics.

    0 also where a site of that name is online, and where the broker cannot be reached.
    """
    try:
        return asyncio.run(_take_back(broker, password, site))
    except (aiomqtt.MqttError, OSError, ValueError):
        return 0


async def _take_back(broker: MqttSettings, password: str | None, site: str) -> int:
    # It loads what the daemon's rooms need, for which other questions do not wait.
    from attuned.bms import topics

    kept: dict[str, bytes] = {}
    async with _client(broker, password) as client:
        await client.subscribe(f"attune/{site}/#", qos=1)
        with contextlib.suppress(TimeoutError):
            while True:
                message = await asyncio.wait_for(anext(client.messages), SILENCE_S)
                if message.retain and isinstance(message.payload, bytes):
                    kept[str(message.topic)] = message.payload
        if kept.get(topics.status_topic(site)) != topics.status_payload(online=False).encode():
            return 0
        for topic in kept:
            await client.publish(topic, b"", qos=1, retain=True)
    return len(kept)


def remarks(broker: MqttSettings, listening: frozenset[tuple[str, int]]) -> list[str]:
    """What a person should know of a broker on this machine that can be reached."""
    if broker.host not in _LOCAL:
        return []
    here = {address for address, port in listening if port == broker.port}
    if here and all(address.startswith("127.") or address == "::1" for address in here):
        return [_HERE_ONLY.format(port=broker.port)]
    return []


def listening_ports(proc: Path = Path("/proc/net")) -> frozenset[tuple[str, int]]:
    """(address, port) of all TCP sockets that listen on this machine; every IPv6 address but loopback as "::"."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            rows = (proc / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, state = row.split()[:4]
            if state == _LISTEN:
                address, port = local.split(":")
                found.add((_address(address), int(port, 16)))
    return frozenset(found)


def _address(digits: str) -> str:
    """Of the kernel's digits, which are in the machine's order."""
    if len(digits) == 8:
        return ".".join(str(part) for part in reversed(bytes.fromhex(digits)))
    return "::1" if digits == "00000000000000000000000001000000" else "::"
