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
from datetime import UTC, datetime
from typing import Any

import grpc
from attune_proto.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    drift_pb2,
    drift_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    rollouts_pb2_grpc,
)
from cli_rollouts import RolloutCalls

MINUTE, HOUR = 60_000, 3_600_000
# Saturday 21 November 2026, 14:32:10 in Brussels, which is at UTC+1 then.
NOW = int(datetime(2026, 11, 21, 13, 32, 10, tzinfo=UTC).timestamp()) * 1000

UNKNOWN, FREE, OCCUPIED = (
    admin_pb2.ROOM_STATE_UNKNOWN,
    admin_pb2.ROOM_STATE_FREE,
    admin_pb2.ROOM_STATE_OCCUPIED,
)


def room(name: str, title: str, floor: str, log_odds: float, minutes: int, **more: Any) -> admin_pb2.Room:
    """A room in the state that its log-odds say, since so many minutes."""
    state = OCCUPIED if log_odds > 0 else FREE
    node = f"00a1b2c3d4e5{int(name.replace('.', '')):04d}"
    facts: dict[str, Any] = {
        "room": name,
        "name": title,
        "floor": floor,
        "state": state,
        "probability": 1 / (1 + math.exp(-log_odds)),
        "since_utc_ms": NOW - minutes * MINUTE,
        "as_of_utc_ms": NOW - 10_000,
        "valid_until_utc_ms": NOW + 10 * MINUTE,
        "log_odds": log_odds,
        "shares": [
            admin_pb2.Share(source="before", log_odds=log_odds * 0.7),
            admin_pb2.Share(source=node, log_odds=log_odds * 0.3, release="5f3a09c1"),
        ],
        "taught": True,
        "nodes": [node],
    }
    return admin_pb2.Room(**(facts | more))


def accuracy(release: str = "5f3a09c1", **more: Any) -> admin_pb2.Accuracy:
    """A release that is right in most of 41 labelled hours on nine days."""
    figures: dict[str, Any] = {
        "days": 9,
        "free_hours": 30.25,
        "occupied_hours": 10.75,
        "balanced_accuracy": 0.9375,
        "least": 0.905,
        "most": 0.962,
        "calibration_error": 0.0425,
        "false_free_min_per_day": 4.5,
        "false_occupied_min_per_day": 31.0,
        "unknown_share": 0.0,
    }
    return admin_pb2.Accuracy(release=release, **(figures | more))


def few_rooms() -> list[admin_pb2.Room]:
    """Five rooms on two floors in every state, one with two nodes that disagree."""
    shares = [
        admin_pb2.Share(source="before", log_odds=2.104),
        admin_pb2.Share(source="00a1b2c3d4e50213", log_odds=1.354, release="5f3a09c1"),
        admin_pb2.Share(source="00a1b2c3d4e51213", log_odds=-0.654, release="5f3a09c1", note="stuck: counts half"),
    ]
    nodes = ["00a1b2c3d4e50213", "00a1b2c3d4e51213"]
    few: dict[str, Any] = {"days": 3, "least": None, "most": None, "unknown_share": 0.125}
    right = [accuracy(), accuracy("00ab", **few)]
    nothing: dict[str, Any] = {"state": UNKNOWN, "since_utc_ms": 0, "as_of_utc_ms": 0, "shares": [], "taught": False}
    return [
        room("0.01", "Reception", "Ground floor", 3.1, 393),
        room("0.02", "Workshop", "Ground floor", -5.2, 3 * 24 * 60, taught=False),
        room("2.12", "Office of the caretaker", "Second floor", -1.8, 52),
        room("2.13", "Meeting north", "Second floor", 2.804, 33, shares=shares, nodes=nodes, accuracy=right),
        room("2.14", "Archive", "Second floor", 0.0, 0, nodes=[], **nothing),
    ]


def many_rooms(number: int = 200) -> list[admin_pb2.Room]:
    """So many rooms on floors of twenty, in states and for times that follow from their number."""
    floors = ("Ground floor", "First floor", "Second floor", "Third floor")
    rooms = []
    for index in range(number):
        storey = index // 20
        floor = floors[storey] if storey < len(floors) else f"Floor {storey}"
        log_odds = (index * 37 % 100 - 62) / 10
        rooms.append(room(f"{storey}.{index % 20 + 1:02d}", f"Room {index + 1}", floor, log_odds, index * 17 % 2000))
    return rooms


def some_nodes() -> list[admin_pb2.Node]:
    """A node in order, one that is refused and has lost windows, one that is offline and without a room."""
    sound: dict[str, Any] = {
        "sensors": ["temperature", "humidity", "co2", "pir"],
        "release": "5f3a09c1",
        "firmware": "0.1.0",
    }
    here: dict[str, Any] = {"online": True, "commissioned": True, "gateway": "gw-north", "window_seconds": 60}
    return [
        admin_pb2.Node(
            node="00a1b2c3d4e50213",
            room="2.13",
            last_window_utc_ms=NOW - 10_000,
            last_heard_utc_ms=NOW - 9_000,
            windows=41_022,
            label_windows=60,
            reset_reason="power_on",
            battery_mv=2_960,
            name="by the door",
            **here,
            **sound,
        ),
        admin_pb2.Node(
            node="00a1b2c3d4e51213",
            room="2.13",
            last_window_utc_ms=NOW - 70_000,
            last_heard_utc_ms=NOW - 9_000,
            windows=40_871,
            windows_lost=12,
            refused=3,
            last_refusal="the window ends 1 h 12 min in the future; see whether the node's clock was reset",
            bad_frames=2,
            **here,
            **sound,
        ),
        admin_pb2.Node(node="00a1b2c3d4e59999", last_heard_utc_ms=NOW - 26 * HOUR, backlog=0, window_seconds=60),
    ]


def some_labels() -> list[admin_pb2.LabelRow]:
    """Three labels, the newest first; the oldest is superseded."""
    common: dict[str, Any] = {"weight": 1.0, "source": "person", "author": "ann", "windows_learned": 20}
    today = NOW - 32 * MINUTE - 10_000
    return [
        admin_pb2.LabelRow(
            number=3, room="2.13", class_name="free", from_utc_ms=today - 20 * MINUTE, to_utc_ms=today,
            told_utc_ms=NOW - 5 * MINUTE, **common,
        ),
        admin_pb2.LabelRow(
            number=2, room="2.13", class_name="occupied", from_utc_ms=today - 24 * HOUR, to_utc_ms=today - 22 * HOUR,
            told_utc_ms=NOW - 21 * HOUR, **common,
        ),
        admin_pb2.LabelRow(
            number=1, room="0.01", class_name="free", from_utc_ms=today - 20 * MINUTE - 24 * HOUR,
            to_utc_ms=today - 24 * HOUR, told_utc_ms=NOW - 23 * HOUR, superseded_by=2, **common,
        ),
    ]  # fmt: skip


def some_drift() -> list[drift_pb2.DriftEvent]:
    """An open event of a node with a plot, and a resolved one of the site without."""
    return [
        drift_pb2.DriftEvent(
            number=2, node="00a1b2c3d4e50213", room="2.13", since="2026-11-19", cause="sensor stuck or covered",
            sensors=["light"], score=2.41, state="open", raised_utc_ms=NOW - 38 * HOUR, changed_utc_ms=NOW - 38 * HOUR,
            text=["Light is lower in working hours.", "See whether something covers the sensor."],
            plotted="light.mean day", then=[3.0, 3.2, math.nan, 2.9], now=[0.4, 0.5],
        ),
        drift_pb2.DriftEvent(
            number=1, since="2026-11-02", cause="season or weather", sensors=["temperature", "light"], score=1.9,
            state="resolved", done="measures as before again", raised_utc_ms=NOW - 18 * 24 * HOUR,
            changed_utc_ms=NOW - 15 * 24 * HOUR, text=["Most nodes measured differently."],
        ),
    ]  # fmt: skip


def a_day(end: int = NOW) -> list[admin_pb2.BeliefPoint]:
    """A day in steps of a minute that ends now: in use in the morning and again just now, two silent hours between."""
    points = []
    for minute in range(24 * 60):
        hour = minute / 60
        busy = 18 <= hour < 20.5 or hour >= 23.4
        silent = 21 <= hour < 23
        log_odds = 2.5 if busy else -3.0 + math.sin(hour)
        known = UNKNOWN if silent else OCCUPIED if busy else FREE
        chance = 1 / (1 + math.exp(-log_odds))
        points.append(
            admin_pb2.BeliefPoint(
                utc_ms=end - (24 * 60 - 1 - minute) * MINUTE,
                said=known, said_probability=chance, known=known, known_probability=chance,
            )
        )  # fmt: skip
    return points


def a_page(verdict: str = "better", days: int = 9) -> admin_pb2.ReleasePage:
    """A release that is better, or worse, than what its node came with."""
    node, worse = "00a1b2c3d4e50213", verdict == "worse"
    figures = (("balanced accuracy", 0.81, 0.93, 0.07, 0.16), ("Brier score", 0.14, 0.06, -0.1, -0.05),
               ("calibration error", 0.11, 0.04, -0.1, -0.02), ("changes a day", 12.0, 6.5, -8.0, -3.0))  # fmt: skip
    measures = [
        admin_pb2.Measure(
            measure=name, before=now if worse else before, now=before if worse else now,
            low=-high if worse else low, high=-low if worse else high,
        )
        for name, before, now, low, high in figures
    ]  # fmt: skip
    release = admin_pb2.Release(
        id="91c0ffee" * 4 if worse else "4f9a0c11" * 4, room="2.13", node=node, made_utc_ms=NOW - 2 * HOUR,
        state="refused" if worse else "candidate", verdict=verdict, ready=not worse, trigger="20 new labels",
        through_label=3,
    )  # fmt: skip
    names = (f"factory {node}", f"cohort 0.01 00a1b2c3d4e50001 for {node}", f"label 2 {node}", f"label 3 {node}")
    return admin_pb2.ReleasePage(
        release=release, against="factory", days=9, changes=31, negative_flips=40, positive_flips=512, flips_p=0.0004,
        slices=[
            admin_pb2.SliceFigures(name=name, days=days, windows=4000, measures=measures)
            for name in ("all", "first hour of presence", "without co2")
        ],
        verdict=verdict,
        recommendation="Refuse it: the nodes keep what they run." if worse
        else "Let it go out: it is ready to be signed.",
        reasons=["Balanced accuracy on days that were held back goes from 0.810 to 0.930 (by +0.070 to +0.160).",
                 "40 windows that were right are wrong now and 512 the other way round."],
        blocks=[
            admin_pb2.ReleaseBlock(name=name, digest="0f" * 16, windows=count, weight=1)
            for name, count in zip(names, (0, 64, 120, 20), strict=True)
        ],
        code="0.1.0",
    )  # fmt: skip


@dataclass
class Site(admin_pb2_grpc.AdminServicer, drift_pb2_grpc.DriftServicer, nodes_pb2_grpc.NodesServicer, RolloutCalls):
    """What the daemon would hold, and what it was asked. `refuse` maps a method's name to a code and a sentence."""

    rooms: list[admin_pb2.Room] = field(default_factory=few_rooms)
    nodes: list[admin_pb2.Node] = field(default_factory=some_nodes)
    labels: list[admin_pb2.LabelRow] = field(default_factory=some_labels)
    drift: list[drift_pb2.DriftEvent] = field(default_factory=some_drift)
    coming: list[nodes_pb2.Coming] = field(
        default_factory=lambda: [nodes_pb2.Coming(hint="00a1b2c3", node="00a1b2c3d4e50213", what="is commissioned")]
    )
    told: bool = True
    old_key: list[str] = field(default_factory=list)
    timezone: str = "Europe/Brussels"
    accuracy: admin_pb2.Accuracy = field(default_factory=lambda: accuracy(""))
    broker: str = ""
    refuse: dict[str, tuple[grpc.StatusCode, str]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    changes: list[list[admin_pb2.Room]] = field(default_factory=list)
    watched: threading.Event = field(default_factory=threading.Event)
    proved: bool = True
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
            windows=sum(node.windows for node in self.nodes), windows_lost=sum(n.windows_lost for n in self.nodes),
            refused=sum(node.refused for node in self.nodes), labels=len(self.labels),
            mqtt_messages=512 if self.nodes else 0, commit_delay_ms=2.5, publish_delay_ms=41.0,
            accuracy=self.accuracy, rooms_judged=3 if self.accuracy.days else 0,
        )  # fmt: skip

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
        return nodes_pb2.AddNodeReply(hint="00a1b2c3")

    def ListComing(self, request: Any, context: Any) -> nodes_pb2.ListComingReply:
        self._note(request, context, "ListComing")
        return nodes_pb2.ListComingReply(coming=self.coming)

    def ChangeNode(self, request: Any, context: Any) -> nodes_pb2.ChangeNodeReply:
        self._note(request, context, "ChangeNode")
        return nodes_pb2.ChangeNodeReply(told=self.told)

    def RotateKey(self, request: Any, context: Any) -> nodes_pb2.RotateKeyReply:
        self._note(request, context, "RotateKey")
        return nodes_pb2.RotateKeyReply(waiting_for=self.old_key)

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


def a_forgetting() -> admin_pb2.ForgetEntry:
    """What somebody had forgotten of a room an hour ago."""
    counts = [
        admin_pb2.ForgetCount(what=what, rows=rows)
        for what, rows in (("windows", 40_320), ("labels", 12), ("muted nodes", 0))
    ]
    return admin_pb2.ForgetEntry(
        id="0123456789abcdef", utc_ms=NOW - HOUR, author="ann", room="2.13", to_utc_ms=NOW - HOUR, counts=counts,
        state="done",
    )  # fmt: skip


@contextmanager
def served(site: Site, socket: str) -> Iterator[Site]:
    """The site behind a Unix socket, until the block ends."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    admin_pb2_grpc.add_AdminServicer_to_server(site, server)
    drift_pb2_grpc.add_DriftServicer_to_server(site, server)
    nodes_pb2_grpc.add_NodesServicer_to_server(site, server)
    rollouts_pb2_grpc.add_RolloutsServicer_to_server(site, server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield site
    finally:
        site.end_watch.set()
        server.stop(None).wait()
