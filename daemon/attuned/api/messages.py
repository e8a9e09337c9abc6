"""From the daemon's values to messages of admin.proto."""

from collections.abc import Collection, Iterable

from attune_proto.v1 import admin_pb2

from attuned.clock import Clock
from attuned.labels.asking import Candidate
from attuned.labels.questions import Signal
from attuned.learning.accuracy import Accuracy
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.nodes.running import Running
from attuned.nodes.trusted import TrustedNode
from attuned.presence.history import HistoryPoint
from attuned.site import Site
from attuned.store.site import LabelRow

# The share of delays that an operator is told about.
PERCENTILE = 0.99

HOUR_S = 3600


def room(site: Site, name: str) -> admin_pb2.Room:
    """A room as it is believed now."""
    settings, live = site.room_settings[name], site.rooms.rooms[name]
    belief = live.current(site.clock.utc_ms())
    releases = site.roster.releases(name)
    shares = [
        admin_pb2.Share(
            source=share.source, log_odds=share.log_odds, release=releases.get(share.source, ""), note=share.note
        )
        for share in belief.shares
    ]
    return admin_pb2.Room(
        room=name,
        name=settings.name,
        floor=settings.floor,
        state=admin_pb2.RoomState.ValueType(int(belief.state)),
        probability=belief.probability,
        since_utc_ms=belief.since_utc_ms,
        as_of_utc_ms=belief.as_of_utc_ms,
        valid_until_utc_ms=belief.valid_until_utc_ms,
        log_odds=belief.log_odds,
        shares=shares,
        taught=site.labels.taught(name),
        nodes=settings.nodes,
        accuracy=[accuracy(figures) for figures in site.accuracy.room(name)],
    )


def accuracy(found: Accuracy) -> admin_pb2.Accuracy:
    """What cannot be told stays absent."""
    least, most = found.interval or (None, None)
    return admin_pb2.Accuracy(
        release=found.release,
        days=found.days,
        free_hours=found.free_s / HOUR_S,
        occupied_hours=found.occupied_s / HOUR_S,
        balanced_accuracy=found.balanced_accuracy,
        least=least,
        most=most,
        calibration_error=found.calibration_error,
        false_free_min_per_day=found.false_free_min_per_day,
        false_occupied_min_per_day=found.false_occupied_min_per_day,
        unknown_share=found.unknown_share,
    )


def node(hub: Hub, trusted: TrustedNode | None, conversation: Conversation, clock: Clock) -> admin_pb2.Node:
    facts, health, running = conversation.facts, conversation.health, conversation.running or Running("")
    hearing = hub.air.of(conversation.node)
    return admin_pb2.Node(
        node=conversation.node,
        room=conversation.room,
        online=hub.online(conversation),
        gateway=hub.gateway_of(conversation),
        sensors=conversation.kinds,
        release=facts.release if facts else "",
        firmware=facts.firmware if facts else "",
        last_window_utc_ms=conversation.last_window_utc_ms,
        last_heard_utc_ms=conversation.last_heard_utc_ms,
        windows=conversation.windows,
        windows_lost=conversation.windows_lost,
        windows_summarised=conversation.summarised,
        refused=conversation.refused,
        last_refusal=conversation.last_refusal,
        label_windows=conversation.label_windows,
        window_seconds=facts.window_s if facts else 0,
        reset_reason=conversation.reset_reason,
        battery_mv=health.battery_mv,
        backlog=health.backlog,
        bad_frames=hub.bad_frames(conversation),
        name=trusted.name if trusted else "",
        commissioned=trusted is not None,
        transport=conversation.transport,
        rssi_dbm=hearing.heard.rssi_dbm if hearing else 0,
        on_air_utc_ms=clock.utc_ms() - int(hearing.age_ms * clock.rate) if hearing else 0,
        findable=bool(trusted and trusted.advertising),
        trial=running.trial,
        trial_left_s=running.trial_left_s,
        signing_key=running.signing_key,
    )


def label(row: LabelRow, windows_learned: int) -> admin_pb2.LabelRow:
    return admin_pb2.LabelRow(
        number=row.number,
        room=row.room,
        class_name=row.class_name,
        from_utc_ms=row.from_utc_ms,
        to_utc_ms=row.to_utc_ms,
        weight=row.weight,
        source=row.source,
        author=row.author,
        told_utc_ms=row.told_utc_ms,
        superseded_by=row.superseded_by,
        windows_learned=windows_learned,
        withdrawn_utc_ms=row.withdrawn_utc_ms,
        withdrawn_by=row.withdrawn_by,
    )


def question(asked: Candidate, shown: Iterable[Signal]) -> admin_pb2.Question:
    return admin_pb2.Question(
        room=asked.room,
        from_utc_ms=asked.from_utc_ms,
        to_utc_ms=asked.to_utc_ms,
        probability=asked.probability,
        signals=[
            admin_pb2.Signal(name=one.name, values=one.values, from_utc_ms=one.from_utc_ms, step_ms=one.step_ms)
            for one in shown
        ],
    )


def point(found: HistoryPoint) -> admin_pb2.BeliefPoint:
    return admin_pb2.BeliefPoint(
        utc_ms=found.utc_ms,
        said=admin_pb2.RoomState.ValueType(int(found.said)),
        said_probability=found.said_probability,
        known=admin_pb2.RoomState.ValueType(int(found.known)),
        known_probability=found.known_probability,
    )


def percentile_ms(delays_s: Collection[float]) -> float:
    """The delay that 99 % of those remembered do not exceed, in milliseconds; 0 if there are none."""
    ordered = sorted(delays_s)
    return 1000 * ordered[min(int(PERCENTILE * len(ordered)), len(ordered) - 1)] if ordered else 0.0
