"""What `attune setup` asks a person: each part takes what is wanted so far, and gives it back with the answers."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import available_timezones

from pydantic import TypeAdapter, ValidationError

from attuned.cli.terminal import NONE, Terminal
from attuned.config import TLS, MqttSettings, TopicLevel
from attuned.errors import AttuneError
from attuned.setup import broker as brokers
from attuned.setup.answers import tls_address
from attuned.setup.machine import Machine
from attuned.setup.wanted import Radios, Wanted

# Says of a room what would be lost with it, such as "2 nodes and 31 labels"; "" for nothing.
Attached = Callable[[str], str]


def site(terminal: Terminal, wanted: Wanted, machine: Machine, *, first: bool) -> Wanted:
    """Name and time zone; in the first setup the machine's zone is proposed."""
    zone = machine.timezone if first else wanted.timezone
    terminal.show("\nSite")
    name = terminal.ask("Name, one word", wanted.name, _name)
    return replace(wanted, name=name, timezone=terminal.ask("Time zone", zone, _timezone))


def broker(terminal: Terminal, wanted: Wanted) -> Wanted:
    """Where rooms are published; tried at once."""
    terminal.show("\nBroker (MQTT), where the building hears of its rooms")
    while True:
        asked = _broker(terminal, wanted)
        if asked.broker is None or _reaches(terminal, asked.broker, asked.password):
            return asked
        if terminal.agrees("Keep this broker? It is tried again", default=True):
            return asked


def _broker(terminal: Terminal, wanted: Wanted) -> Wanted:
    old = wanted.broker or MqttSettings()
    host = terminal.ask(f"Host ({NONE} for none)", old.host if wanted.broker else NONE, _host)
    if host == NONE:
        return replace(wanted, broker=None, password=None)
    port = terminal.ask("Port, usually 1883, or 8883 with TLS", str(old.port), _port)
    ca_file = terminal.ask(f"CA file for TLS ({NONE} for no TLS)", str(old.ca_file or NONE), _ca_file)
    user = terminal.ask(f"User ({NONE} for none)", old.user or NONE, _one_word)
    if user == NONE:
        new = MqttSettings(host=host, port=port, ca_file=ca_file)
        return replace(wanted, broker=new, password=None)
    kept = old.password_file if user == old.user else None
    password = terminal.secret("Password (Enter keeps the one that is there)" if kept else "Password") or None
    new = MqttSettings(host=host, port=port, ca_file=ca_file, user=user, password_file=kept)
    return replace(wanted, broker=new, password=password)


def _reaches(terminal: Terminal, broker: MqttSettings, password: str | None) -> bool:
    try:
        said = brokers.trouble(broker, broker.password if password is None else password)
    except AttuneError as error:
        said = str(error)
    terminal.say(said or f"Connected to {broker.host}:{broker.port}.", indent=4)
    if not said:
        for remark in brokers.remarks(broker, brokers.listening_ports()):
            terminal.say(remark, indent=4)
    return not said


def radios(terminal: Terminal, wanted: Wanted, machine: Machine, *, first: bool) -> Wanted:
    """Where the gateway of this machine takes nodes from."""
    terminal.show("\nRadios of this machine, for its gateway")
    terminal.say("TCP at 127.0.0.1 is for this machine alone; 0.0.0.0:7011 lets nodes of the network in.")
    while True:
        found = Radios(
            bluetooth=_bluetooth(terminal, wanted, machine, first=first),
            serial=_serial(terminal, wanted, machine),
            listen=terminal.ask(
                f"TCP for nodes ({NONE} for none)",
                " ".join(wanted.radios.listen) or NONE,
                _addresses,
            ),
        )
        if found.bluetooth or found.serial or found.listen:
            return replace(wanted, radios=found)
        terminal.say("A gateway needs one of them at least.", indent=4)


def _bluetooth(terminal: Terminal, wanted: Wanted, machine: Machine, *, first: bool) -> str:
    found = ", ".join(machine.adapters) or "none found"
    proposed = machine.adapters[0] if machine.adapters and first else NONE
    return terminal.ask(f"Bluetooth adapter ({found}; {NONE} for none)", wanted.radios.bluetooth or proposed, _radio)


def _serial(terminal: Terminal, wanted: Wanted, machine: Machine) -> tuple[str, ...]:
    for number, device in enumerate(machine.serial, start=1):
        terminal.show(f"    {number}  {device}")

    def read(answer: str) -> tuple[str, ...]:
        if answer == NONE:
            return ()
        words = answer.replace(",", " ").split()
        numbers = {str(number): device for number, device in enumerate(machine.serial, start=1)}
        return tuple(dict.fromkeys(_device(numbers.get(word, word)) for word in words))

    choice = "by number" if machine.serial else "none found"
    return terminal.ask(
        f"Serial lines with nodes ({choice}; {NONE} for none)", " ".join(wanted.radios.serial) or NONE, read
    )


def gateways(terminal: Terminal, wanted: Wanted) -> Wanted:
    """The port for gateways of other machines."""
    terminal.show("\nGateways on other machines")
    terminal.say("They show certificates. To enroll them, the port above it is used, too.")
    old = wanted.tls.rpartition(":")[2] or NONE
    port = terminal.ask(f"Port for them, such as 7443 ({NONE} for none)", old, _tls_port)
    return replace(wanted, tls=wanted.tls if wanted.tls == f"{TLS}{port}" else tls_address(wanted.tls, port))


def passphrase(terminal: Terminal, wanted: Wanted, *, there: bool) -> Wanted:
    """That of backups, twice."""
    terminal.show("\nBackups")
    try:
        from attuned import backup_key
    except ImportError:
        terminal.say("This version makes none.")
        return wanted
    terminal.say(
        "They are sealed each night to a passphrase, which only `attune restore` asks for. Without it they cannot be "
        "opened by anybody: write it down, and keep it elsewhere. At least 12 characters, such as four words."
    )
    keep = "Enter keeps the one that is there" if there else "Enter for no backups"
    while True:
        words = terminal.secret(f"Passphrase ({keep})")
        if not words:
            return wanted
        try:
            backup_key.make(words)
        except AttuneError as error:
            terminal.say(str(error), indent=4)
            continue
        if terminal.secret("The same again") == words:
            return replace(wanted, passphrase=words)
        terminal.say("These were two different ones; try again.", indent=4)


def _name(answer: str) -> str:
    try:
        _one_word(answer)
        return TypeAdapter(TopicLevel).validate_python(answer)
    except ValueError:
        raise ValueError("A name is one word of at most 64 characters without / + #, such as townhall.") from None


def _timezone(answer: str) -> str:
    known = {name.casefold(): name for name in available_timezones()}
    given = answer.casefold().replace(" ", "_")
    if found := known.get(given):
        return found
    cities = {name.rpartition("/")[2]: full for name, full in sorted(known.items()) if "/" in name}
    if sum(name.endswith(f"/{given}") for name in known) == 1:
        return cities[given]
    near = difflib.get_close_matches(given, [*known, *cities], n=3)
    meant = ", ".join(dict.fromkeys(known.get(name) or cities[name] for name in near))
    raise ValueError(
        f"There is no such time zone{f'; did you mean {meant}?' if meant else ', write one such as Europe/Brussels.'}"
    )


def _one_word(answer: str) -> str:
    if not answer.isprintable() or any(letter.isspace() for letter in answer):
        raise ValueError("That is not one word.")
    return answer


def _host(answer: str) -> str:
    try:
        return str(ip_address(answer))
    except ValueError:
        if ":" in answer or "/" in answer:
            raise ValueError("Write the host alone, such as mqtt.example.org; its port is asked next.") from None
    return _one_word(answer)


def _port(answer: str) -> int:
    if not (answer.isascii() and answer.isdigit() and 1 <= int(answer[:9]) <= 65535):
        raise ValueError("A port is a number from 1 to 65535.")
    return int(answer)


def _tls_port(answer: str) -> int:
    if answer == NONE:
        return 0
    if _port(answer) == 65535:
        raise ValueError("The port above it is needed, too: take one from 1 to 65534.")
    return _port(answer)


def _ca_file(answer: str) -> Path | None:
    if answer == NONE:
        return None
    path = Path(answer)
    if path.is_absolute():
        brokers.check_seen(path)
    if not path.is_absolute() or not path.is_file():
        raise ValueError(
            f"There is no file {answer}; write its whole path, such as /etc/ssl/certs/ca-certificates.crt."
        )
    return path


def _addresses(answer: str) -> tuple[str, ...]:
    from attune_gateway.config import parse_host_port

    if answer == NONE:
        return ()
    try:
        return tuple(str(parse_host_port(word)) for word in answer.replace(",", " ").split())
    except ValueError:
        raise ValueError("An address is 0.0.0.0:7011 for all who reach this machine, or 127.0.0.1:7011.") from None


def _radio(answer: str) -> str:
    from attune_gateway.config import BleSettings

    if answer == NONE:
        return ""
    try:
        return BleSettings(radio=answer).radio
    except ValidationError:
        raise ValueError("An adapter has a name such as hci0.") from None


def _device(answer: str) -> str:
    from attune_gateway.config import SerialSettings

    try:
        return SerialSettings(device=answer).device
    except ValidationError:
        raise ValueError(f"{answer} is none of the numbers, and no device such as /dev/ttyACM0.") from None
