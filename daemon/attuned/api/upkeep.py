"""What keeps the site in order: one method a call of attune.v1.Upkeep."""

from attune_proto.v1 import upkeep_pb2, upkeep_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.retention import Retention


class UpkeepService(upkeep_pb2_grpc.UpkeepServicer):
    """Calls end when the work is done."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    @answers
    async def RunRetention(  # noqa: N802 (the names are the contract's)
        self, request: upkeep_pb2.RunRetentionRequest, context: Context
    ) -> upkeep_pb2.RunRetentionReply:
        kept = await self._retention.sweep()
        if kept is None:
            return upkeep_pb2.RunRetentionReply()
        return upkeep_pb2.RunRetentionReply(
            windows_from_utc_ms=kept.windows_from_utc_ms, history_from_utc_ms=kept.history_from_utc_ms
        )
