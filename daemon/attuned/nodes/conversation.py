"""The daemon's half of the conversation with one node: messages in, messages and windows out, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from attune_core import Sketch
from attune_proto.v1 import node_pb2

from attuned.nodes.boot import BootRecord
from attuned.nodes.dating import FUTURE_MS, PAST_MS, Doubts, dated, is_about, is_soon
from attuned.nodes.facts import CLASS_LIMIT, NodeFacts
from attuned.nodes.press import Press
from attuned.nodes.running import RELEASE_SIZE, Running
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.ties import TieAttempt, Ties
from attuned.nodes.window import Window

# Ticks are milliseconds and windows end at whole seconds that fit 32 bits, 136 years.
TICK_LIMIT_MS = (1 << 32) * 1000

# Reports of one node on their way to the disk at which a commit should not wait: half of what a node has in flight.
EAGER_REPORTS = 4

# Starts that nothing was known of, of which a node may bring reports while this daemon runs: more than its flash has
# batches.
STRANGE_BOOTS = 64

# Reports of a quiet node are at most so far apart.
QUIET_REPORT_MS = 3_600_000


@dataclass(frozen=True)
class Tie:
    """Ticks and UTC of a boot that were found to belong together."""

    boot: int
    tick_ms: int
    utc_ms: int


class Conversation:
    """What the daemon knows of one node, and what to answer.

    `room` is empty for a node that is not assigned to a room: it gets no time, so it sends nothing and keeps all. A
    `quiet` node is told so with the time. `stands_for` are nodes whose place it took: it learns what they were taught.
    """

    def __init__(
        self, node: str, room: str, facts: NodeFacts | None, boots: dict[int, BootRecord], *, quiet: bool = False
    ) -> None:
        self.node = node
        self.hint = bytes.fromhex(node)[:4]
        self.room = room
        self.stands_for: tuple[str, ...] = ()
        self.quiet = quiet
        self.transport = ""  # that it was heard over last
        self.part = 0  # bytes of a frame that go in one part there; 0: all of it, or that is not known
        self.facts = facts
        self.running: Running | None = None
        self.boots = boots
        self.kinds: Sequence[str] = ()
        self.health = node_pb2.Health()
        self._doubts = Doubts()
        self._windows_then = 0  # committed by the time of that health
        self.last_heard_utc_ms = 0
        self.last_window_utc_ms = 0
        self.label_windows = 0
        self.refused = 0
        self.last_refusal = ""
        self.bad_frames = 0
        self.forgotten: list[tuple[int, int]] = []  # stretches (from, to] of UTC in ms
        self.pending: set[tuple[int, int]] = set()  # boot, seq
        self.features_size = 0
        self.summarised = 0  # reports of which only summaries are left
        self._boot = BootRecord()
        self._attempt = TieAttempt()
        self._strange: set[int] = set()
        if facts is not None:
            self._learn_schema(facts)

    @property
    def windows(self) -> int:
        """Windows committed, of all boots."""
        return sum(record.windows for record in self.boots.values())

    @property
    def reports_waiting(self) -> int:
        """Reports that the node held at its last health, less the windows that have come since."""
        return max(0, self.health.backlog - (self.windows - self._windows_then))

    @property
    def windows_lost(self) -> int:
        return sum(record.sequence.lost for record in self.boots.values())

    @property
    def boot(self) -> BootRecord:
        """The boot that speaks now."""
        return self._boot

    @property
    def reset_reason(self) -> str:
        """Why the node started, for people; empty until it has said so."""
        reasons = node_pb2.ResetReason
        number = self.health.reset_reason
        # A newer node may know more reasons.
        name = reasons.Name(number) if number in reasons.values() else f"RESET_REASON_{number}"
        return name.removeprefix("RESET_REASON_").lower() if number else ""

    def stay_in_the_past(self, now_utc_ms: int) -> None:
        """After a clock that went back nothing was heard in the future: silence would not be noticed until then."""
        self.last_heard_utc_ms = min(self.last_heard_utc_ms, now_utc_ms)
        self.last_window_utc_ms = min(self.last_window_utc_ms, now_utc_ms + FUTURE_MS)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Counts what cannot be used."""
        self.refused += count
        self.last_refusal = reason

    def has_forgotten(self, from_utc_ms: int, to_utc_ms: int) -> bool:
        """Whether something of a stretch was forgotten."""
        return any(first < to_utc_ms and from_utc_ms < last for first, last in self.forgotten)

    def drop_boots(self, before_utc_ms: int) -> list[int]:
        """Lets go of earlier starts whose ticks were tied to UTC last before then, or never; what they brought counts.

        Returns them. Of these no window would be taken any more; a node may have thousands of them in its life.
        """
        ended = {boot: max(record.ties.utcs_ms, default=0) for boot, record in self.boots.items()}
        newest = max(ended, key=lambda boot: ended[boot], default=0)
        busy = {newest, *(boot for boot, _ in self.pending)}
        old = [b for b, utc_ms in ended.items() if utc_ms < before_utc_ms and b not in busy and not self._speaks(b)]
        for boot in old:
            record = self.boots.pop(boot)
            self.boots[newest].windows += record.windows
            self.boots[newest].sequence.lost += record.sequence.lost
        return old

    def _speaks(self, boot: int) -> bool:
        return self.facts is not None and boot == self.facts.boot

    def take_health(self, health: node_pb2.Health) -> None:
        """Keeps how the node is; readings that it refused itself count here as well."""
        samples = _more(self.health.refused_samples, health.refused_samples)
        presses = _more(self.health.dropped_presses, health.dropped_presses)
        self.health.CopyFrom(health)
        self._windows_then = self.windows
        if samples:
            self.refuse(f"{samples} readings were not finite, out of range or too late", samples)
        if presses:
            self.refuse(f"{presses} presses of its button made room for newer ones before anybody took them", presses)

    def run(self, said: node_pb2.Running) -> bool:
        """Keeps what the node says that it runs; False for what cannot be."""
        try:
            self.running = Running.of(said)
        except ValueError as error:
            self.refuse(str(error))
            return False
        if self.facts is not None:
            self.facts = replace(self.facts, release=self.running.release)
        return True

    def hello(self, hello: node_pb2.Hello, now_utc_ms: int) -> list[node_pb2.DaemonMessage]:
        """A node presents itself; it gets the time if it may go on."""
        facts = NodeFacts.from_hello(hello)
        self._boot = self.boots.get(facts.boot, BootRecord())
        self._attempt = TieAttempt()
        self.facts = self.running = None
        if not self._learn_schema(facts) or not self._release_fits(hello) or not self._tick_fits(hello.tick_ms):
            return []
        self.facts = facts
        if hello.HasField("running"):
            self.run(hello.running)
        self.label_windows = hello.label_windows
        if hello.first_seq <= hello.next_seq:
            self._give_up_below(facts.boot, self._boot, hello.first_seq)
        if not self.room:
            return []
        return [self._time(hello.tick_ms, now_utc_ms)]

    def time_ack(self, ack: node_pb2.TimeAck, now_utc_ms: int) -> tuple[list[node_pb2.DaemonMessage], Tie | None]:
        """Ties the boot's ticks to UTC, or asks once more. The tie is returned if it is new."""
        if self.facts is None or not self.room or not self._tick_fits(ack.tick_ms):
            return [], None
        found = self._attempt.answer(ack.echo_tick_ms, ack.tick_ms, now_utc_ms)
        if found is None:
            return [self._time(ack.tick_ms, now_utc_ms)], None
        self._attempt = TieAttempt()
        self._doubts.settle()
        tick_ms, utc_ms = found
        if not self._boot.ties.add(tick_ms, utc_ms):
            return [], None
        self.boots[self.facts.boot] = self._boot
        return [], Tie(self.facts.boot, tick_ms, utc_ms)

    def retie(self, end_s: int, now_utc_ms: int) -> list[node_pb2.DaemonMessage]:
        """Asks for the node's tick again if its ticks may have drifted from UTC, or plainly have."""
        ties, end_ms = self._boot.ties, end_s * 1000
        doubtful = ties.old_at(end_ms) or not is_about(ties.newest_utc_ms(end_ms), now_utc_ms)
        if not doubtful or self._attempt.waiting(now_utc_ms):
            return []
        return [self._time(end_ms, now_utc_ms)]

    def is_earlier(self, boot: int) -> bool:
        """Whether a report is of an earlier start than the one that speaks now."""
        return boot != 0 and (self.facts is None or boot != self.facts.boot)

    def has(self, report: node_pb2.Report) -> bool:
        """Whether the report has been committed."""
        record = self.boots.get(report.boot) if self.is_earlier(report.boot) else self._boot
        return record is not None and report.seq in record.sequence

    def report(self, report: node_pb2.Report, now_utc_ms: int) -> Window | None:
        """A new window, or None if it came before, is already on its way to the disk, or cannot be dated yet.

        A window that cannot be used comes back without features: only its identity is kept. So it is with one of an
        earlier start whose clock was never known.
        """
        if self.facts is None or not self.room:
            return None
        boot = report.boot or self.facts.boot
        record = self._record(boot)
        if record is None or (not record.ties.ticks_ms and not self.is_earlier(boot)):
            return None
        seq = report.seq
        if report.first_seq <= seq:
            self._give_up_below(boot, record, report.first_seq)
        if not record.sequence.accepts(seq):
            self.refuse(f"report number {seq} is far beyond the last one")
            return None
        ties, end_ms = record.ties, report.end_s * 1000
        doubtful = not self.is_earlier(boot) and not is_about(ties.newest_utc_ms(end_ms), now_utc_ms)
        end_utc_ms = dated(ties, end_ms, now_utc_ms)
        is_here = seq in record.sequence or (boot, seq) in self.pending
        if is_here or is_soon(end_utc_ms, now_utc_ms) or (doubtful and self._doubts.holds(seq)):
            return None
        self.pending.add((boot, seq))
        reason = self._objection(report) or self._time_objection(ties, end_ms, now_utc_ms)
        if reason:
            self.refuse(reason)
            return Window(self.node, boot, seq, report.end_s, now_utc_ms, 0, b"", b"")
        return Window(self.node, boot, seq, report.end_s, end_utc_ms, report.state, report.evidence, report.features)

    def _ties(self, boot: int) -> Ties:
        if not self.is_earlier(boot):
            return self._boot.ties
        return self.boots[boot].ties if boot in self.boots else Ties()

    def _record(self, boot: int) -> BootRecord | None:
        """What is known of a boot; None for one that is refused."""
        if self.facts is not None and boot == self.facts.boot:
            return self._boot
        if boot not in self.boots:
            if len(self._strange) >= STRANGE_BOOTS:
                self.refuse("a window of one more start that nobody knows: its flash is damaged")
                return None
            self._strange.add(boot)
            self.boots[boot] = BootRecord()
        return self.boots[boot]

    def press(self, button: node_pb2.Button, now_utc_ms: int) -> tuple[list[node_pb2.DaemonMessage], Press | None]:
        """A press of the node's button if it can be used. What never can be is refused and answered.

        One that cannot be dated yet is refused without an answer: the node sends it again.
        """
        if self.facts is None or not self._tick_fits(button.tick_ms):
            return [], None
        ties = self._boot.ties
        utc_ms = dated(ties, button.tick_ms, now_utc_ms) if ties.ticks_ms else now_utc_ms
        press = Press(self.node, self.facts.boot, button.press, button.class_index, min(utc_ms, now_utc_ms))
        if not self.room:
            self.refuse("a press of its button, but it is in no room: `attune node move` puts it into one")
        elif not ties.ticks_ms:
            self.refuse("a press of its button before its clock was known: it comes again")
            return [], None
        elif not is_about(utc_ms, now_utc_ms):
            self.refuse("a press of its button long ago or in the future: it counts for nothing")
        else:
            return [], press
        return [press.acknowledgement()], None

    def sketch(
        self, sketch: node_pb2.DriftSketch, now_utc_ms: int
    ) -> tuple[list[node_pb2.DaemonMessage], NodeSketch | None]:
        """A quiet node's sketch if it can be used. What never can be is refused and answered.

        One that cannot be dated yet has no answer: the node sends it again.
        """
        facts, ties = self.facts, self._boot.ties
        if facts is None or not self.room or not ties.ticks_ms:
            return [], None
        to_utc_ms = dated(ties, sketch.end_s * 1000, now_utc_ms)
        from_utc_ms = to_utc_ms - sketch.windows * facts.window_s * 1000
        stretch = from_utc_ms, to_utc_ms
        found = NodeSketch(self.node, facts.boot, sketch.number, *stretch, facts.schema, sketch.windows, sketch.counts)
        if not now_utc_ms - PAST_MS <= from_utc_ms < to_utc_ms <= now_utc_ms + FUTURE_MS:
            self.refuse("a drift sketch of a time long ago, in the future, or without windows")
        elif not _is_sketch(facts, sketch.counts):
            self.refuse(f"a drift sketch of {len(sketch.counts)} bytes that do not fit its features")
        else:
            return [], found
        return [found.acknowledgement()], None

    def summary(
        self, summary: node_pb2.Summary, now_utc_ms: int
    ) -> tuple[list[node_pb2.DaemonMessage], NodeSummary | None]:
        """What is left of reports, if it can be used. What never can be is refused and answered.

        One of this start that cannot be dated yet has no answer: the node sends it again.
        """
        facts = self.facts
        if facts is None or not self.room:
            return [], None
        ties = self._ties(summary.boot)
        if not ties.ticks_ms and not self.is_earlier(summary.boot):
            return [], None
        to_utc_ms = dated(ties, summary.end_s * 1000, now_utc_ms)
        each_ms = QUIET_REPORT_MS if self.quiet else facts.window_s * 1000
        from_utc_ms = to_utc_ms - summary.reports * each_ms
        found = NodeSummary(
            self.node,
            summary.boot or facts.boot,
            summary.number,
            from_utc_ms,
            to_utc_ms,
            facts.schema,
            summary.reports,
            summary.class_reports,
            summary.features,
        )
        if not ties.ticks_ms:
            self.refuse("a summary of a start without a clock")
        elif not now_utc_ms - PAST_MS <= from_utc_ms < to_utc_ms <= now_utc_ms + FUTURE_MS:
            self.refuse("a summary of a time long ago, in the future, or without reports")
        elif len(summary.features) != self.features_size or len(summary.class_reports) > CLASS_LIMIT:
            self.refuse(f"a summary with {len(summary.features)} bytes of features instead of {self.features_size}")
        else:
            return [], found
        return [found.acknowledgement()], None

    def committed(self, window: Window) -> None:
        """The window is on the disk."""
        self.boots[window.boot].count(window)
        self.pending.discard((window.boot, window.seq))
        if not window.refused:
            self.last_window_utc_ms = max(self.last_window_utc_ms, window.end_utc_ms)

    def acknowledgement(self, boot: int = 0) -> node_pb2.DaemonMessage:
        """Everything of a boot, 0 for the one that speaks now, that is on the disk."""
        earlier = self.is_earlier(boot)
        sequence = self.boots.get(boot, BootRecord()).sequence if earlier else self._boot.sequence
        ack = node_pb2.ReportAck(through=sequence.through, more=sequence.more(), boot=boot if earlier else 0)
        return node_pb2.DaemonMessage(report_ack=ack)

    def _time(self, tick_ms: int, now_utc_ms: int) -> node_pb2.DaemonMessage:
        self._attempt.ask(tick_ms, now_utc_ms)
        return node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=tick_ms, utc_ms=now_utc_ms, quiet=self.quiet))

    def _give_up_below(self, boot: int, record: BootRecord, first_seq: int) -> None:
        record.sequence.give_up_below(first_seq, {seq for of, seq in self.pending if of == boot})

    def _tick_fits(self, tick_ms: int) -> bool:
        if tick_ms >= TICK_LIMIT_MS:
            self.refuse("a clock of more than 136 years: its firmware is damaged")
        return tick_ms < TICK_LIMIT_MS

    def _release_fits(self, hello: node_pb2.Hello) -> bool:
        if len(hello.release) != RELEASE_SIZE:
            self.refuse(f"a hello with {len(hello.release)} bytes of release instead of {RELEASE_SIZE}")
        return len(hello.release) == RELEASE_SIZE

    def _learn_schema(self, facts: NodeFacts) -> bool:
        try:
            schema = facts.make_schema()
        except ValueError as error:
            self.refuse(f"its sensors make no feature schema: {error}")
            return False
        if schema.hash.hex() != facts.schema:
            self.refuse("its feature schema is not one that this version knows: flash the firmware of this version")
            return False
        if not 2 <= facts.classes <= facts.class_capacity <= CLASS_LIMIT:
            room = f"{facts.classes} classes and room for {facts.class_capacity}"
            self.refuse(f"{room}, where heads have 2 to {CLASS_LIMIT}: flash the firmware of this version")
            return False
        self.kinds = schema.kinds
        self.features_size = 2 * len(schema.features)
        return True

    def _objection(self, report: node_pb2.Report) -> str:
        if len(report.features) != self.features_size:
            return f"a report with {len(report.features)} bytes of features instead of {self.features_size}"
        capacity = self.facts.class_capacity if self.facts else CLASS_LIMIT
        if len(report.evidence) % 2 or len(report.evidence) > 2 * (capacity - 1):
            return f"a report with {len(report.evidence)} bytes of evidence"
        if report.state > 0xFF:
            return f"a report with the state {report.state}, which is more than a byte"
        return ""

    def _time_objection(self, ties: Ties, end_ms: int, now_utc_ms: int) -> str:
        if not ties.ticks_ms:
            return "a window of a start without a clock"
        end_utc_ms = dated(ties, end_ms, now_utc_ms)
        if self.has_forgotten(end_utc_ms - 1, end_utc_ms):
            return "a window of a time that was forgotten"
        if end_utc_ms > now_utc_ms + FUTURE_MS:
            return f"a window that ends {(end_utc_ms - now_utc_ms) // 1000} s in the future"
        if end_utc_ms < now_utc_ms - PAST_MS:
            return f"a window that ended {(now_utc_ms - end_utc_ms) // (24 * 3_600_000)} days ago"
        return ""


def _is_sketch(facts: NodeFacts, counts: bytes) -> bool:
    schema = facts.make_schema()
    try:
        Sketch(len(schema), schema.sensors.tolist()).load(counts)
    except ValueError:
        return False
    return True


def _more(known: int, told: int) -> int:
    """What has been added to a count that begins again at 0 when its node does."""
    return told - (known if told >= known else 0)
