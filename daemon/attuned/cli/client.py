"""The one place that talks to the daemon: the channel, deadlines, and what its refusals mean for the exit code."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attuned.cli.errors import CliError, NotReachableError

if TYPE_CHECKING:
    import grpc
    from attune_proto.v1 import admin_pb2, drift_pb2, gateways_pb2, health_pb2, nodes_pb2, rollouts_pb2, upkeep_pb2

DEFAULT_SOCKET = "/run/attune/attune.sock"
# The daemon answers from memory in milliseconds; five seconds means that it hangs.
DEADLINE_S = 5.0
# The nodes of a local link learn a label within a second; those that need longer are told of as waiting.
LABEL_WAIT_MS = 1_000
# A check trains heads for each room: about a second for a room of a thousand labels.
CHECK_S = 300.0
# A release is compared or rebuilt in seconds, by a process of its own.
WORK_S = 60.0
# Files are written anew, and rooms learned anew: seconds for a floor, minutes for a campus on a slow card.
FORGET_S = 1800.0
# A year's backlog in steps with rests: ten million windows are half an hour.
RETENTION_S = 3600.0
# A list of a hundred thousand labels, the most that is asked for at a time, is 30 MB where names are as long as may be.
REPLY_BYTES = 64 << 20
# A node with a link unlearns within a second or two, even where it has many labels.
UNLEARN_WAIT_MS = 5_000

_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


class Daemon:
    """The daemon's questions as methods. All of them raise NotReachableError or CliError and nothing of gRPC."""

    def __init__(self, channel: grpc.Channel, path: str) -> None:
        from attune_proto.v1 import (
            admin_pb2_grpc,
            drift_pb2_grpc,
            gateways_pb2_grpc,
            health_pb2_grpc,
            nodes_pb2_grpc,
            rollouts_pb2_grpc,
            upkeep_pb2_grpc,
        )

        self._stub = admin_pb2_grpc.AdminStub(channel)
        self._drift = drift_pb2_grpc.DriftStub(channel)
        self._nodes = nodes_pb2_grpc.NodesStub(channel)
        self._gateways = gateways_pb2_grpc.GatewaysStub(channel)
        self._rollouts = rollouts_pb2_grpc.RolloutsStub(channel)
        self._upkeep = upkeep_pb2_grpc.UpkeepStub(channel)
        self._doctor = health_pb2_grpc.DoctorStub(channel)
        self._path = path

    def status(self) -> admin_pb2.SiteStatus:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.GetStatus, admin_pb2.GetStatusRequest())

    def rooms(self, rooms: Sequence[str]) -> admin_pb2.ListRoomsReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ListRooms, admin_pb2.ListRoomsRequest(rooms=rooms))

    def watch(self, rooms: Sequence[str]) -> Iterator[admin_pb2.ListRoomsReply]:
        """The rooms now, then each change, without end. Closing the iterator ends the call."""
        from attune_proto.v1 import admin_pb2

        return self._replies(self._stub.WatchRooms, admin_pb2.ListRoomsRequest(rooms=rooms))

    def history(self, room: str, from_utc_ms: int, to_utc_ms: int) -> admin_pb2.RoomHistory:
        from attune_proto.v1 import admin_pb2

        request = admin_pb2.GetRoomHistoryRequest(room=room, from_utc_ms=from_utc_ms, to_utc_ms=to_utc_ms)
        return self._ask(self._stub.GetRoomHistory, request)

    def nodes(self, nodes: Sequence[str]) -> admin_pb2.ListNodesReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ListNodes, admin_pb2.ListNodesRequest(nodes=nodes))

    def add_label(self, request: admin_pb2.AddLabelRequest) -> admin_pb2.AddLabelReply:
        request.wait_ms = LABEL_WAIT_MS
        return self._ask(self._stub.AddLabel, request, DEADLINE_S + LABEL_WAIT_MS / 1000)

    def withdraw_label(self, request: admin_pb2.WithdrawLabelRequest) -> admin_pb2.WithdrawLabelReply:
        request.wait_ms = LABEL_WAIT_MS
        return self._ask(self._stub.WithdrawLabel, request, DEADLINE_S + LABEL_WAIT_MS / 1000)

    def import_labels(self, parts: Iterator[admin_pb2.ImportLabelsRequest]) -> Iterator[admin_pb2.ImportLabelsReply]:
        """Sends each part when the one before has been answered, so that neither side holds more than one."""
        import grpc

        turn = threading.Semaphore(1)
        failed: list[Exception] = []

        def one_by_one() -> Iterator[admin_pb2.ImportLabelsRequest]:
            try:
                for part in parts:
                    turn.acquire()
                    yield part
            except Exception as error:  # noqa: BLE001 (gRPC's thread would print it and hang up)
                failed.append(error)

        call = self._stub.ImportLabels(one_by_one())
        try:
            for reply in call:
                yield reply
                turn.release()
        except grpc.RpcError as error:
            raise self._meaning(error) from None
        finally:
            call.cancel()
            turn.release()
        if failed:
            raise failed[0]

    def check_labels(self, room: str, limit: int) -> admin_pb2.CheckLabelsReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.CheckLabels, admin_pb2.CheckLabelsRequest(room=room, limit=limit), CHECK_S)

    def ask_labels(self, room: str, budget: int, from_utc_ms: int) -> admin_pb2.AskLabelsReply:
        from attune_proto.v1 import admin_pb2

        request = admin_pb2.AskLabelsRequest(room=room, budget=budget, from_utc_ms=from_utc_ms)
        return self._ask(self._stub.AskLabels, request, CHECK_S)

    def labels(self, room: str, limit: int, since_utc_ms: int) -> admin_pb2.ListLabelsReply:
        from attune_proto.v1 import admin_pb2

        request = admin_pb2.ListLabelsRequest(room=room, limit=limit, since_utc_ms=since_utc_ms)
        return self._ask(self._stub.ListLabels, request)

    def drift(self, node: str = "", since_utc_ms: int = 0, number: int = 0) -> drift_pb2.ListDriftReply:
        from attune_proto.v1 import drift_pb2

        request = drift_pb2.ListDriftRequest(node=node, since_utc_ms=since_utc_ms, number=number)
        return self._ask(self._drift.ListDrift, request)

    def ack_drift(self, number: int, author: str, note: str) -> drift_pb2.DriftEvent:
        from attune_proto.v1 import drift_pb2

        return self._ask(self._drift.AckDrift, drift_pb2.AckDriftRequest(number=number, author=author, note=note))

    def mute_drift(self, node: str, reason: str, author: str) -> None:
        from attune_proto.v1 import drift_pb2

        self._ask(self._drift.MuteDrift, drift_pb2.MuteDriftRequest(node=node, reason=reason, author=author))

    def add_node(self, request: nodes_pb2.AddNodeRequest) -> nodes_pb2.AddNodeReply:
        return self._ask(self._nodes.AddNode, request)

    def coming(self, hint: str) -> Sequence[nodes_pb2.Coming]:
        """The node of a hint."""
        from attune_proto.v1 import nodes_pb2

        return self._ask(self._nodes.ListComing, nodes_pb2.ListComingRequest(hint=hint)).coming

    def waiting(self) -> nodes_pb2.ListComingReply:
        """All nodes that are not commissioned, and how many more radios hear."""
        from attune_proto.v1 import nodes_pb2

        return self._ask(self._nodes.ListComing, nodes_pb2.ListComingRequest())

    def change_node(self, request: nodes_pb2.ChangeNodeRequest) -> nodes_pb2.ChangeNodeReply:
        return self._ask(self._nodes.ChangeNode, request)

    def rotate_key(self, *, begin: bool) -> Sequence[str]:
        """The nodes that have not used the daemon's new key yet."""
        from attune_proto.v1 import nodes_pb2

        return self._ask(self._nodes.RotateKey, nodes_pb2.RotateKeyRequest(begin=begin)).waiting_for

    def start_rollout(self, request: rollouts_pb2.StartRolloutRequest) -> rollouts_pb2.Rollout:
        return self._ask(self._rollouts.StartRollout, request)

    def rollouts(self, limit: int) -> rollouts_pb2.ListRolloutsReply:
        from attune_proto.v1 import rollouts_pb2

        return self._ask(self._rollouts.ListRollouts, rollouts_pb2.ListRolloutsRequest(limit=limit))

    def rollout(self, number: int) -> rollouts_pb2.Rollout:
        from attune_proto.v1 import rollouts_pb2

        return self._ask(self._rollouts.ShowRollout, rollouts_pb2.RolloutRequest(number=number))

    def change_rollout(self, request: rollouts_pb2.ChangeRolloutRequest) -> rollouts_pb2.Rollout:
        return self._ask(self._rollouts.ChangeRollout, request)

    def watch_rollout(self, number: int) -> Iterator[rollouts_pb2.Rollout]:
        """The rollout now, then each change, until its end; 0 is the newest. Closing the iterator ends the call."""
        from attune_proto.v1 import rollouts_pb2

        return self._replies(self._rollouts.WatchRollout, rollouts_pb2.RolloutRequest(number=number))

    def retrain(self, rooms: Sequence[str], dry_run: bool) -> Iterator[admin_pb2.RetrainReply]:
        """A reply for each room that is done. Closing the iterator ends the work."""
        from attune_proto.v1 import admin_pb2

        return self._replies(self._stub.Retrain, admin_pb2.RetrainRequest(rooms=rooms, dry_run=dry_run))

    def releases(self, room: str, limit: int) -> admin_pb2.ListReleasesReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ListReleases, admin_pb2.ListReleasesRequest(room=room, limit=limit))

    def release(self, number: str) -> admin_pb2.ReleasePage:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ShowRelease, admin_pb2.ReleaseRequest(id=number))

    def approve(self, number: str, author: str) -> admin_pb2.ReleasePage:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ApproveRelease, admin_pb2.ApproveReleaseRequest(id=number, author=author))

    def forget(self, request: admin_pb2.ForgetRequest) -> admin_pb2.ForgetReply:
        return self._ask(self._stub.Forget, request, FORGET_S)

    def forgotten(self) -> admin_pb2.ListForgottenReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.ListForgotten, admin_pb2.ListForgottenRequest())

    def prove_forgotten(self, ids: Sequence[str]) -> admin_pb2.ProveForgottenReply:
        from attune_proto.v1 import admin_pb2

        request = admin_pb2.ProveForgottenRequest(ids=ids, wait_ms=UNLEARN_WAIT_MS)
        return self._ask(self._stub.ProveForgotten, request, FORGET_S)

    def invite_gateway(self, name: str, valid_s: int, host: str) -> gateways_pb2.InviteGatewayReply:
        from attune_proto.v1 import gateways_pb2

        request = gateways_pb2.InviteGatewayRequest(name=name, valid_s=valid_s, host=host)
        return self._ask(self._gateways.InviteGateway, request)

    def gateways(self) -> gateways_pb2.ListGatewaysReply:
        from attune_proto.v1 import gateways_pb2

        return self._ask(self._gateways.ListGateways, gateways_pb2.ListGatewaysRequest())

    def revoke_gateway(self, name: str) -> gateways_pb2.RevokeGatewayReply:
        from attune_proto.v1 import gateways_pb2

        return self._ask(self._gateways.RevokeGateway, gateways_pb2.RevokeGatewayRequest(name=name))

    def run_retention(self) -> upkeep_pb2.RunRetentionReply:
        from attune_proto.v1 import upkeep_pb2

        return self._ask(self._upkeep.RunRetention, upkeep_pb2.RunRetentionRequest(), RETENTION_S)

    def scan_gateway(self, name: str) -> gateways_pb2.ScanGatewayReply:
        from attune_proto.v1 import gateways_pb2

        return self._ask(self._gateways.ScanGateway, gateways_pb2.ScanGatewayRequest(name=name))

    def health(self) -> health_pb2.SiteHealth:
        from attune_proto.v1 import health_pb2

        return self._ask(self._doctor.GetHealth, health_pb2.GetHealthRequest())

    def compare(self, number: str, other: str) -> admin_pb2.ReleasePage:
        from attune_proto.v1 import admin_pb2

        request = admin_pb2.CompareReleasesRequest(id=number, other=other)
        return self._ask(self._stub.CompareReleases, request, WORK_S)

    def rebuild(self, number: str) -> admin_pb2.RebuildReleaseReply:
        from attune_proto.v1 import admin_pb2

        return self._ask(self._stub.RebuildRelease, admin_pb2.ReleaseRequest(id=number), WORK_S)

    def _ask(self, method: Callable[..., _Reply], request: _Request, deadline_s: float = DEADLINE_S) -> _Reply:
        import grpc

        try:
            return method(request, timeout=deadline_s)
        except grpc.RpcError as error:
            raise self._meaning(error) from None

    def _replies(self, method: Callable[..., Any], request: _Request) -> Iterator[Any]:
        """Reply by reply; closing the iterator ends the call."""
        import grpc

        call = method(request)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._meaning(error) from None
        finally:
            call.cancel()

    def _meaning(self, error: grpc.RpcError) -> CliError:
        import grpc

        code, details = error.code(), " ".join((error.details() or "").split())
        # A daemon that is there says a whole sentence; what gRPC says of a lost socket is none.
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED} and not details.endswith("."):
            return NotReachableError(f"The daemon at {self._path} does not answer; `sudo attune doctor` says why.")
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return NotReachableError(
                "The daemon took too long to answer; see `sudo journalctl -u attuned` and try again."
            )
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return CliError(
                "The daemon is of another version and cannot do this; restart it with `sudo systemctl restart attuned`."
            )
        if code in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}:
            return CliError(f"The daemon failed at this ({details or code.name}); see `sudo journalctl -u attuned`.")
        return CliError(details or f"The daemon refused this ({code.name}); see `sudo journalctl -u attuned`.")


@contextmanager
def connect(path: str) -> Iterator[Daemon]:
    """A connection to the daemon behind a Unix socket. Raises NotReachableError where nothing listens."""
    _knock(path)
    # gRPC's own remarks would stand between a person and the one sentence that helps.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", REPLY_BYTES)]
    with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
        yield Daemon(channel, path)


def zone_of(status: admin_pb2.SiteStatus) -> ZoneInfo:
    """The site's time zone."""
    try:
        return ZoneInfo(status.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise CliError(
            f"The site's time zone {status.timezone!r} is not known on this machine; install the package tzdata."
        ) from None


def _knock(path: str) -> None:
    """Say at once, without loading gRPC, why nothing can be reached."""
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(DEADLINE_S)
        try:
            knock.connect(path)
        except PermissionError:
            raise NotReachableError(
                f"Only members of the group attune may use {path}: `sudo adduser $USER attune`, then log in again."
            ) from None
        except OSError:
            raise NotReachableError(
                f"No daemon is listening at {path}; `sudo attune doctor` says why, or name its socket with --socket "
                "or ATTUNE_SOCKET."
            ) from None
