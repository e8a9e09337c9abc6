"""What `attune doctor` asks of the daemon: attune.v1.Doctor."""

from attune_proto.v1 import health_pb2, health_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.clock_watch import ClockWatch


class DoctorService(health_pb2_grpc.DoctorServicer):
    """Answers from memory."""

    def __init__(self, watch: ClockWatch) -> None:
        self._watch = watch

    @answers
    async def GetHealth(  # noqa: N802 (the name is the contract's)
        self, request: health_pb2.GetHealthRequest, context: Context
    ) -> health_pb2.SiteHealth:
        self._watch.look()
        return health_pb2.SiteHealth(
            started_utc_ms=self._watch.started_utc_ms,
            clock_jump_ms=self._watch.jump_ms,
            clock_jumped_utc_ms=self._watch.jumped_utc_ms,
        )
