"""Why a broker is out of reach, in one sentence with what to do."""

import os
import socket
import ssl
from pathlib import Path

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

# Refusals of a connection for who we are: of MQTT 3.1.1 (section 3.2.2.3), and of MQTT 5, as the client names both.
_NOT_US = frozenset({4, 5, 134, 135})


# Where root finds files and the daemon's service does not (ProtectHome= and PrivateTmp= of attuned.service).
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 (named, not written)
HIDDEN = f"{', '.join(_HIDDEN[:-1])} or {_HIDDEN[-1]}"


class AuthorityError(OSError):
    """A ca_file that holds no certificate, or cannot be read."""


def encryption(ca_file: str) -> ssl.SSLContext:
    """Raises AuthorityError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        why = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise AuthorityError(f"ca_file {ca_file}: {why}") from error


def hidden(path: Path) -> bool:
    """Whether a file lies, or is a link to one that lies, where the daemon's service sees nothing."""
    places = (path, Path(os.path.realpath(path)))
    return any(place.is_relative_to(folder) for place in places for folder in _HIDDEN)


def sentence(host: str, port: int, user: str | None, error: Exception) -> str:
    """For a connection that could not be made, or was lost."""
    return f"The broker at {host}:{port} cannot be reached ({error}): {_advice(host, user, error)}"


# What to do by what is behind an error; the first that fits counts.
_BY_CAUSE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (
        AuthorityError,
        (
            "let the daemon's user read the authority's certificate there, or, since its service sees nothing in "
            f"{HIDDEN}, in /etc/attune; `sudo attune setup` asks for it."
        ),
    ),
    (
        ssl.SSLCertVerificationError,
        "its certificate is not of the ca_file, or not of this host name; `sudo attune setup` asks for both.",
    ),
    # So ends a connection of which one side expected encryption.
    (
        (ssl.SSLError, ConnectionResetError, BrokenPipeError),
        "see whether this port is the one for TLS, and whether a ca_file is configured: the two go together.",
    ),
    (
        socket.gaierror,
        "this name is not known here; check it, or write the broker's address with `sudo attune setup`.",
    ),
)


def _advice(host: str, user: str | None, error: Exception) -> str:
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    if isinstance(error, aiomqtt.MqttCodeError) and _number(error.rc) in _NOT_US:
        who = f"does not take the user {user} with this password" if user else "takes nobody without a user"
        return f"it {who}; `sudo attune setup` asks for user and password."
    if isinstance(cause, ConnectionRefusedError):
        where = "here, such as mosquitto (`sudo apt install mosquitto`)" if host in _HERE else "there"
        return f"nothing listens; start a broker {where}, or name another with `sudo attune setup`."
    otherwise = "check that it runs, and its address, and whether it wants TLS (a ca_file), with `sudo attune setup`."
    return next((advice for kinds, advice in _BY_CAUSE if isinstance(cause, kinds)), otherwise)


_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def _number(code: int | ReasonCode | None) -> int | None:
    return code.value if isinstance(code, ReasonCode) else code
