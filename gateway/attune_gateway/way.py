"""How the daemon is reached: what `Uplink` needs for it, and the way over a socket of this machine."""

import socket
from typing import Protocol

import grpc.aio

from attune_gateway.trouble import user

# Each attempt has a channel of its own, so that the waiting times are ours; no proxy has any business between.
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


class Way(Protocol):
    """Channels to the daemon, and what to say when one fails."""

    @property
    def target(self) -> str:
        """Its address."""

    def channel(self) -> grpc.aio.Channel:
        """A new one, not connected yet."""

    async def renew(self, channel: grpc.aio.Channel) -> bool:
        """Whether there is a new certificate for the next channel. AioRpcError if the daemon does not let us in."""

    async def reason(self, error: grpc.aio.AioRpcError) -> str:
        """What the daemon did, for people."""


class LocalWay:
    """Over a Unix socket: who may write to it is let in."""

    def __init__(self, target: str) -> None:
        self._target = target

    @property
    def target(self) -> str:
        return self._target

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._target, options=OPTIONS)

    async def renew(self, channel: grpc.aio.Channel) -> bool:
        return False

    async def reason(self, error: grpc.aio.AioRpcError) -> str:
        return self._look() if error.code() is grpc.StatusCode.UNAVAILABLE else refusal(error)

    def _look(self) -> str:
        """Why there is no connection: gRPC says the same of most causes."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(0)
                connection.connect(self._target.removeprefix("unix:"))
        except PermissionError:
            return f"is not reachable: {user()} may not write to its socket; see [gateways] group of attuned.toml"
        except (FileNotFoundError, ConnectionRefusedError):
            return "is not reachable: start attuned.service"
        except OSError as error:
            return f"is not reachable ({error.strerror})"
        return "is not reachable"


def refusal(error: grpc.aio.AioRpcError) -> str:
    """What a daemon said that answered."""
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return f"refuses this gateway ({error.details()})"
    if error.code() is grpc.StatusCode.ABORTED:
        return f"ended the stream ({error.details()})"
    return f"refused the stream ({error.code().name}: {error.details()})"
