"""A site with fixed data behind a real gRPC server on a Unix socket, for the command line to talk to."""

# The names of the methods are the contract's.
# ruff: noqa: N802

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from attune_proto.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    drift_pb2,
    drift_pb2_grpc,
    gateways_pb2,
    gateways_pb2_grpc,
    health_pb2,
    health_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    rollouts_pb2_grpc,
    upkeep_pb2,
    upkeep_pb2_grpc,
)
from cli_data import (
    HOUR,
    MINUTE,
    NOW,
    UNKNOWN,
    a_day,
    a_forgetting,
    a_page,
    a_scan,
    accuracy,
    few_rooms,
    some_drift,
    some_gateways,
    some_labels,
    some_nodes,
)
from cli_rollouts import RolloutCalls


@dataclass
class Site(
    admin_pb2_grpc.AdminServicer,
    drift_pb2_grpc.DriftServicer,
    nodes_pb2_grpc.NodesServicer,
    gateways_pb2_grpc.GatewaysServicer,
    health_pb2_grpc.DoctorServicer,
    RolloutCalls,
    upkeep_pb2_grpc.UpkeepServicer,
):
    """What the daemon would hold, and what it was asked. `refuse` maps a method's name to a code and a sentence."""

    rooms: list[admin_pb2.Room] = field(default_factory=few_rooms)
    nodes: list[admin_pb2.Node] = field(default_factory=some_nodes)
    labels: list[admin_pb2.LabelRow] = field(default_factory=some_labels)
    drift: list[drift_pb2.DriftEvent] = field(default_factory=some_drift)
    coming: list[nodes_pb2.Coming] = field(
        default_factory=lambda: [nodes_pb2.Coming(hint="00a1b2c3", node="00a1b2c3d4e50213", what="is commissioned")]
    )
    gateways: list[gateways_pb2.GatewayRow] = field(default_factory=some_gateways)
    scan: gateways_pb2.ScanGatewayReply = field(default_factory=a_scan)
    unknown_heard: int = 0
    moves_from: str = ""
    told: bool = True
    old_key: list[str] = field(default_factory=list)
    timezone: str = "Europe/Brussels"
    accuracy: admin_pb2.Accuracy = field(default_factory=lambda: accuracy(""))
    broker: str = ""
    updates: str = ""
    refuse: dict[str, tuple[grpc.StatusCode, str]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    changes: list[list[admin_pb2.Room]] = field(default_factory=list)
    watched: threading.Event = field(default_factory=threading.Event)
    proved: bool = True
    kept: upkeep_pb2.RunRetentionReply = field(
        default_factory=lambda: upkeep_pb2.RunRetentionReply(
            windows_from_utc_ms=NOW - 672 * HOUR, history_from_utc_ms=NOW - 43_830 * HOUR
        )
    )
    health: health_pb2.SiteHealth = field(default_factory=lambda: health_pb2.SiteHealth(started_utc_ms=NOW - HOUR))
    end_watch: threading.Event = field(default_factory=threading.Event)

    def empty(self) -> None:
        """Take away all that somebody would first have to set up."""
        self.rooms, self.nodes, self.labels, self.drift = [], [], [], []
        self.accuracy = admin_pb2.Accuracy()

    def GetStatus(self, request: Any, context: Any) -> admin_pb2.SiteStatus:
        self._note(request, context, "GetStatus")
        online = sum(node.online for node in self.nodes)
        return admin_pb2.SiteStatus(
            site="town-hall", timezone=self.timezone, version="0.1.0", now_utc_ms=NOW,
            started_utc_ms=NOW - 76 * HOUR, rooms=len(self.rooms),
            rooms_with_state=sum(room.state != UNKNOWN for room in self.rooms), nodes=len(self.nodes),
            nodes_online=online, gateways=["gw-north", "gw-south"] if self.nodes else [], broker=self.broker,
            updates=self.updates,
            windows=sum(node.windows for node in self.nodes), windows_lost=sum(n.windows_lost for n in self.nodes),
            windows_summarised=sum(n.windows_summarised for n in self.nodes),
            refused=sum(node.refused for node in self.nodes), labels=len(self.labels),
            mqtt_messages=512 if self.nodes else 0, commit_delay_ms=2.5, publish_delay_ms=41.0,
            accuracy=self.accuracy, rooms_judged=3 if self.accuracy.days else 0,
        )  # fmt: skip

    def RunRetention(self, request: Any, context: Any) -> upkeep_pb2.RunRetentionReply:
        self._note(request, context, "RunRetention")
        return self.kept

    def ListRooms(self, request: Any, context: Any) -> admin_pb2.ListRoomsReply:
        self._note(request, context, "ListRooms")
        return admin_pb2.ListRoomsReply(rooms=self._chosen(request.rooms, context), now_utc_ms=NOW)

    def WatchRooms(self, request: Any, context: Any) -> Iterator[admin_pb2.ListRoomsReply]:
        self._note(request, context, "WatchRooms")
        yield admin_pb2.ListRoomsReply(rooms=self._chosen(request.rooms, context), now_utc_ms=NOW)
        for number, rooms in enumerate(self.changes, start=1):
            yield admin_pb2.ListRoomsReply(rooms=rooms, now_utc_ms=NOW + number * 1000)
        self.watched.set()
        while context.is_active() and not self.end_watch.wait(0.1):
            pass

    def GetRoomHistory(self, request: Any, context: Any) -> admin_pb2.RoomHistory:
        self._note(request, context, "GetRoomHistory")
        empty = not next(room for room in self.rooms if room.room == request.room).as_of_utc_ms
        return admin_pb2.RoomHistory(points=[] if empty else a_day())

    def ListNodes(self, request: Any, context: Any) -> admin_pb2.ListNodesReply:
        self._note(request, context, "ListNodes")
        nodes = [node for node in self.nodes if not request.nodes or node.node in request.nodes]
        return admin_pb2.ListNodesReply(nodes=nodes, now_utc_ms=NOW)

    def AddLabel(self, request: Any, context: Any) -> admin_pb2.AddLabelReply:
        self._note(request, context, "AddLabel")
        label = admin_pb2.LabelRow(
            number=4, room=request.room, class_name=request.class_name, from_utc_ms=request.from_utc_ms,
            to_utc_ms=request.to_utc_ms, weight=1.0, source=request.source, author=request.author, told_utc_ms=NOW,
            windows_learned=20,
        )  # fmt: skip
        return admin_pb2.AddLabelReply(label=label, windows_learned=20, nodes_learned=1, nodes_waiting=1)

    def ImportLabels(self, requests: Any, context: Any) -> Iterator[admin_pb2.ImportLabelsReply]:
        for part in requests:
            self._note(part, context, "ImportLabels")
            known = {room.room for room in self.rooms}
            refused = [
                admin_pb2.RefusedLabel(line=row.line, reason=f"There is no room {row.room}.")
                for row in part.labels
                if row.room not in known
            ]
            yield admin_pb2.ImportLabelsReply(stored=len(part.labels) - len(refused), refused=refused)

    def CheckLabels(self, request: Any, context: Any) -> admin_pb2.CheckLabelsReply:
        self._note(request, context, "CheckLabels")
        doubted = [
            admin_pb2.DoubtedLabel(label=label, chance=0.03 + 0.3 * i, contradicted_by=[7, 8] if i else [])
            for i, label in enumerate(self.labels[: request.limit])
            if request.room in ("", label.room)
        ]
        return admin_pb2.CheckLabelsReply(labels=doubted, checked=40, now_utc_ms=NOW)

    def AskLabels(self, request: Any, context: Any) -> admin_pb2.AskLabelsReply:
        self._note(request, context, "AskLabels")
        end = NOW - 10_000
        co2 = [600 + 10 * abs(i - 30) for i in range(60)]
        signals = [
            admin_pb2.Signal(name="co2 (0213)", values=co2, from_utc_ms=end - 40 * MINUTE, step_ms=MINUTE),
            admin_pb2.Signal(name="pir (0213)", values=[0, math.nan, 1], from_utc_ms=end - MINUTE, step_ms=MINUTE),
        ]
        ends = [end - i * 10 * MINUTE for i in range(min(request.budget, 3))] if self.rooms else []
        questions = [
            admin_pb2.Question(
                room="2.13", from_utc_ms=at - 10 * MINUTE, to_utc_ms=at, probability=0.52, signals=signals
            )
            for at in ends
        ]
        return admin_pb2.AskLabelsReply(questions=questions, now_utc_ms=NOW)

    def WithdrawLabel(self, request: Any, context: Any) -> admin_pb2.WithdrawLabelReply:
        self._note(request, context, "WithdrawLabel")
        label = next(label for label in self.labels if request.number in (0, label.number))
        label.withdrawn_utc_ms, label.withdrawn_by = NOW, request.author
        return admin_pb2.WithdrawLabelReply(label=label, in_force_again=[2], nodes_unlearned=1, nodes_waiting=2)

    def ListLabels(self, request: Any, context: Any) -> admin_pb2.ListLabelsReply:
        self._note(request, context, "ListLabels")
        labels = [label for label in self.labels if request.room in ("", label.room)]
        labels = [label for label in labels if label.to_utc_ms > request.since_utc_ms]
        return admin_pb2.ListLabelsReply(labels=labels[: request.limit], now_utc_ms=NOW)

    def ListDrift(self, request: Any, context: Any) -> drift_pb2.ListDriftReply:
        self._note(request, context, "ListDrift")
        events = [event for event in self.drift if request.number in (0, event.number)]
        mutes = [drift_pb2.DriftMute(node="00a1b2c3d4e51213", reason="is being moved", author="ann", told_utc_ms=NOW)]
        return drift_pb2.ListDriftReply(events=events, mutes=mutes if self.drift else [], now_utc_ms=NOW)

    def AckDrift(self, request: Any, context: Any) -> drift_pb2.DriftEvent:
        self._note(request, context, "AckDrift")
        event = drift_pb2.DriftEvent()
        event.CopyFrom(self.drift[0])
        event.state, event.done = "acknowledged", f"acknowledged by {request.author}: {request.note}"
        return event

    def MuteDrift(self, request: Any, context: Any) -> drift_pb2.MuteDriftReply:
        self._note(request, context, "MuteDrift")
        return drift_pb2.MuteDriftReply()

    def Retrain(self, request: Any, context: Any) -> Iterator[admin_pb2.RetrainReply]:
        self._note(request, context, "Retrain")
        rooms = list(request.rooms) or ["0.01", "2.13"]
        for done, name in enumerate(rooms, start=1):
            pages = [a_page()] if name == "2.13" else []
            yield admin_pb2.RetrainReply(room=name, done=done, rooms=len(rooms), pages=pages)

    def ListReleases(self, request: Any, context: Any) -> admin_pb2.ListReleasesReply:
        self._note(request, context, "ListReleases")
        releases = [a_page().release, a_page("worse").release] if self.nodes else []
        return admin_pb2.ListReleasesReply(releases=releases[: request.limit], now_utc_ms=NOW)

    def ShowRelease(self, request: Any, context: Any) -> admin_pb2.ReleasePage:
        self._note(request, context, "ShowRelease")
        return a_page()

    def ApproveRelease(self, request: Any, context: Any) -> admin_pb2.ReleasePage:
        self._note(request, context, "ApproveRelease")
        page = a_page()
        page.release.verdict, page.release.approved_by = "too little evidence", request.author
        return page

    def CompareReleases(self, request: Any, context: Any) -> admin_pb2.ReleasePage:
        self._note(request, context, "CompareReleases")
        return a_page("worse")

    def RebuildRelease(self, request: Any, context: Any) -> admin_pb2.RebuildReleaseReply:
        self._note(request, context, "RebuildRelease")
        page = a_page()
        if request.id.startswith("9"):
            return admin_pb2.RebuildReleaseReply(release=page.release, missing=["label 3 00a1b2c3d4e50213"])
        if request.id.startswith("7"):
            gone = admin_pb2.ForgottenInput(name="label 3 00a1b2c3d4e50213", utc_ms=NOW - HOUR)
            return admin_pb2.RebuildReleaseReply(release=page.release, missing=[gone.name], forgotten=[gone])
        return admin_pb2.RebuildReleaseReply(release=page.release, same=True, rebuilt=page.release.id)

    def AddNode(self, request: Any, context: Any) -> nodes_pb2.AddNodeReply:
        self._note(request, context, "AddNode")
        return nodes_pb2.AddNodeReply(hint="00a1b2c3", moves_from=self.moves_from)

    def ListComing(self, request: Any, context: Any) -> nodes_pb2.ListComingReply:
        self._note(request, context, "ListComing")
        return nodes_pb2.ListComingReply(coming=self.coming, unknown_heard=self.unknown_heard)

    def ChangeNode(self, request: Any, context: Any) -> nodes_pb2.ChangeNodeReply:
        self._note(request, context, "ChangeNode")
        return nodes_pb2.ChangeNodeReply(told=self.told)

    def RotateKey(self, request: Any, context: Any) -> nodes_pb2.RotateKeyReply:
        self._note(request, context, "RotateKey")
        return nodes_pb2.RotateKeyReply(waiting_for=self.old_key)

    def InviteGateway(self, request: Any, context: Any) -> gateways_pb2.InviteGatewayReply:
        self._note(request, context, "InviteGateway")
        known = any(each.name == request.name for each in self.gateways)
        until = NOW + 1000 * request.valid_s
        return gateways_pb2.InviteGatewayReply(invitation="A2" * 53, until_utc_ms=until, enrolled_already=known)

    def ListGateways(self, request: Any, context: Any) -> gateways_pb2.ListGatewaysReply:
        self._note(request, context, "ListGateways")
        return gateways_pb2.ListGatewaysReply(gateways=self.gateways, now_utc_ms=NOW)

    def ScanGateway(self, request: Any, context: Any) -> gateways_pb2.ScanGatewayReply:
        self._note(request, context, "ScanGateway")
        return self.scan

    def RevokeGateway(self, request: Any, context: Any) -> gateways_pb2.RevokeGatewayReply:
        self._note(request, context, "RevokeGateway")
        return gateways_pb2.RevokeGatewayReply(connected=self.told)

    def GetHealth(self, request: Any, context: Any) -> health_pb2.SiteHealth:
        self._note(request, context, "GetHealth")
        return self.health

    def Forget(self, request: Any, context: Any) -> admin_pb2.ForgetReply:
        self._note(request, context, "Forget")
        entry = a_forgetting()
        entry.CopyFrom(
            admin_pb2.ForgetEntry(
                id="" if request.dry_run else entry.id, utc_ms=NOW, author=request.author, room=request.room,
                node=request.node, source=request.source, from_utc_ms=request.from_utc_ms,
                to_utc_ms=request.to_utc_ms or NOW, counts=entry.counts, state="done",
            )
        )  # fmt: skip
        return admin_pb2.ForgetReply(entry=entry)

    def ListForgotten(self, request: Any, context: Any) -> admin_pb2.ListForgottenReply:
        self._note(request, context, "ListForgotten")
        return admin_pb2.ListForgottenReply(entries=[a_forgetting()] if self.nodes else [])

    def ProveForgotten(self, request: Any, context: Any) -> admin_pb2.ProveForgottenReply:
        self._note(request, context, "ProveForgotten")
        checks = [
            admin_pb2.ProofCheck(name="labels", in_force="nothing", never_saw="nothing", same=True),
            admin_pb2.ProofCheck(
                name="model of room 2.13", in_force="5f3a09c1" * 4,
                never_saw=("5f3a09c1" if self.proved else "00ab12cd") * 4, same=self.proved,
            ),
        ]  # fmt: skip
        return admin_pb2.ProveForgottenReply(checks=checks)

    def _note(self, request: Any, context: Any, method: str) -> None:
        self.asked.append(request)
        if method in self.refuse:
            context.abort(*self.refuse[method])

    def _chosen(self, names: Any, context: Any) -> list[admin_pb2.Room]:
        for name in names:
            if name not in [room.room for room in self.rooms]:
                context.abort(grpc.StatusCode.NOT_FOUND, f"There is no room {name}; `attune rooms` lists them.")
        return [room for room in self.rooms if not names or room.room in names]


@contextmanager
def served(site: Site, socket: str) -> Iterator[Site]:
    """The site behind a Unix socket, until the block ends."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    admin_pb2_grpc.add_AdminServicer_to_server(site, server)
    drift_pb2_grpc.add_DriftServicer_to_server(site, server)
    nodes_pb2_grpc.add_NodesServicer_to_server(site, server)
    gateways_pb2_grpc.add_GatewaysServicer_to_server(site, server)
    upkeep_pb2_grpc.add_UpkeepServicer_to_server(site, server)
    health_pb2_grpc.add_DoctorServicer_to_server(site, server)
    rollouts_pb2_grpc.add_RolloutsServicer_to_server(site, server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield site
    finally:
        site.end_watch.set()
        server.stop(None).wait()
