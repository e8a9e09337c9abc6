"""What gateways of other machines ask besides carrying frames: their first certificate, and the next ones."""

import logging
import time

import grpc
from attune_proto.v1 import gateways_pb2, gateways_pb2_grpc
from attune_service.journal import GATEWAY_ENROLLED, about
from cryptography.hazmat.primitives.serialization import Encoding

from attuned.errors import AttuneError, RequestError
from attuned.gateways.enrolled import EnrolledGateways
from attuned.nodes.link_service import certificate_of

log = logging.getLogger(__name__)

EnrolContext = grpc.aio.ServicerContext[gateways_pb2.EnrolRequest, gateways_pb2.EnrolReply]
RenewContext = grpc.aio.ServicerContext[gateways_pb2.RenewRequest, gateways_pb2.RenewReply]

# Strangers who try tokens must not fill the log: one line in so many seconds.
COMPLAINT_S = 10.0

# A failure here is nothing that a gateway could mend.
_TROUBLE = "The daemon cannot do this now; its log says why. Try again later."


class EnrolmentService(gateways_pb2_grpc.EnrolmentServicer):
    """For whoever holds an invitation. `port` is where gateways attach."""

    def __init__(self, gateways: EnrolledGateways, port: int) -> None:
        self._gateways = gateways
        self._port = port
        self._complained_s = -COMPLAINT_S

    async def Enrol(  # noqa: N802 (the names are the contract's)
        self, request: gateways_pb2.EnrolRequest, context: EnrolContext
    ) -> gateways_pb2.EnrolReply:
        try:
            enrolled = await self._gateways.enrol(request.token, request.request)
        except RequestError as error:
            self._complain(f"{context.peer()} was refused a certificate: {error}")
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        except AttuneError as error:
            log.error("%s", error)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, _TROUBLE)
        told = about(gateway=enrolled.name, message=GATEWAY_ENROLLED)
        log.info("Gateway %s enrolled from %s.", enrolled.name, context.peer(), extra=told)
        return gateways_pb2.EnrolReply(
            name=enrolled.name,
            certificate=enrolled.certificate.public_bytes(Encoding.DER),
            authority=enrolled.authority.public_bytes(Encoding.DER),
            port=self._port,
        )

    def _complain(self, sentence: str) -> None:
        now_s = time.monotonic()
        if now_s - self._complained_s >= COMPLAINT_S:
            self._complained_s = now_s
            log.warning(sentence)


class RenewalService(gateways_pb2_grpc.RenewalServicer):
    """For gateways that have a certificate."""

    def __init__(self, gateways: EnrolledGateways) -> None:
        self._gateways = gateways

    async def Renew(  # noqa: N802
        self, request: gateways_pb2.RenewRequest, context: RenewContext
    ) -> gateways_pb2.RenewReply:
        try:
            pem = certificate_of(context)
            if pem is None:
                raise RequestError("A gateway on the daemon's machine needs no certificate.")
            said = self._gateways.admit(pem)
            certificate = self._gateways.renew(said, request.request)
        except RequestError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        if certificate is None:
            return gateways_pb2.RenewReply()
        log.info("Gateway %s gets its next certificate.", said.name, extra=about(gateway=said.name))
        return gateways_pb2.RenewReply(certificate=certificate.public_bytes(Encoding.DER))
