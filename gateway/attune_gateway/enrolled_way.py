"""How the daemon of another machine is reached: over mutual TLS, with an enrolment."""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from pathlib import Path

import grpc.aio
from attune_proto.v1.gateways_pb2 import RenewRequest
from attune_proto.v1.gateways_pb2_grpc import RenewalStub

from attune_gateway.config import parse_host_port
from attune_gateway.enrolling import DAEMON_NAME
from attune_gateway.enrolment import Enrolment, EnrolmentError, load, new_key, request_of, save
from attune_gateway.trouble import user
from attune_gateway.way import OPTIONS, refusal

_log = logging.getLogger(__name__)

# A daemon whose power failed is noticed after a minute and a half, as it notices us.
_KEEPALIVE = (("grpc.keepalive_time_ms", 60_000), ("grpc.keepalive_timeout_ms", 30_000))

_ANSWER_S = 10.0

# Looking for what is wrong takes a thread, whose end a gateway that is told to stop has to wait for.
_LOOK_S = 4.0

# What another certificate does not mend, so that nothing else is worth trying either.
_FINAL = frozenset({grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE})


class EnrolledWay:
    """Over mutual TLS. `target` is HOST:PORT, if not that of the enrolment; certificates are kept in `state`.

    Each channel goes by what stands there then, so that who is enrolled anew need not be restarted.
    """

    def __init__(self, state: Path, enrolment: Enrolment, target: str = "") -> None:
        self._moved_to = target
        self._state = state
        self._enrolment = enrolment
        if not os.access(state, os.W_OK):
            ends = f"{enrolment.ends:%Y-%m-%d}"
            _log.warning("%s must belong to %s: else there is no certificate after %s.", state, user(), ends)

    @property
    def target(self) -> str:
        return self._moved_to or self._enrolment.daemon

    def channel(self) -> grpc.aio.Channel:
        with contextlib.suppress(EnrolmentError):
            self._enrolment = load(self._state)
        own = self._enrolment
        credentials = grpc.ssl_channel_credentials(own.authority.encode(), own.key.encode(), own.certificate.encode())
        options = (*OPTIONS, *_KEEPALIVE, ("grpc.ssl_target_name_override", DAEMON_NAME))
        return grpc.aio.secure_channel(self.target, credentials, options=options)

    async def renew(self, channel: grpc.aio.Channel) -> bool:
        key = new_key()
        try:
            reply = await RenewalStub(channel).Renew(RenewRequest(request=request_of(key)), timeout=_ANSWER_S)
            if not reply.certificate:
                return False
            renewed = self._enrolment.renewed(reply.certificate, key)
            await asyncio.to_thread(save, self._state, renewed)
        except grpc.aio.AioRpcError as error:
            if error.code() in _FINAL:
                raise
            _log.warning("The certificate is not renewed (%s); trying again in an hour.", error.details())
            return False
        except EnrolmentError as error:
            _log.warning("The certificate is not renewed, trying again in an hour. %s", error)
            return False
        self._enrolment = renewed
        _log.info("The certificate is renewed, until %s.", f"{renewed.ends:%Y-%m-%d}")
        return True

    async def reason(self, error: grpc.aio.AioRpcError) -> str:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return await asyncio.to_thread(self._look)
        return refusal(error)

    def _look(self) -> str:
        """Why there is no connection: gRPC says the same of most causes."""
        context = ssl.create_default_context(cadata=self._enrolment.authority)
        context.set_alpn_protocols(["h2"])
        try:
            with (
                socket.create_connection(parse_host_port(self.target), _LOOK_S) as connection,
                context.wrap_socket(connection, server_hostname=DAEMON_NAME),
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            return (
                f"is not the one that this gateway is enrolled with, or a clock is wrong ({error.verify_message}): set "
                "the clocks, or enroll it again"
            )
        except OSError as error:
            return f"is not reachable ({error.strerror or error})"
        if self._enrolment.has_ended():
            return f"takes no certificate that ended on {self._enrolment.ends:%Y-%m-%d}: enroll this gateway again"
        return "closed the connection: unless it just started, enroll this gateway again"
