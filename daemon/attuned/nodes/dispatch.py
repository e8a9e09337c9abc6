"""What nodes say, kind by kind: each message to its conversation, and what comes of it to whoever listens."""

from typing import Protocol

from attune_proto.v1 import node_pb2

from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.frames import FrameError
from attuned.nodes.press import Press
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trust import Newcomer, Trust
from attuned.nodes.window import Window

HELLO_REQUEST = node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest())


class Listener(Protocol):
    """Who wants to know what nodes say. Called from within the event loop; must not wait."""

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None: ...
    def on_repeat(self, conversation: Conversation, boot: int) -> None: ...
    def on_hello(self, conversation: Conversation) -> None: ...
    def on_tie(self, conversation: Conversation, tie: Tie) -> None: ...
    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None: ...
    def on_press(self, conversation: Conversation, press: Press) -> None: ...
    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None: ...
    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None: ...
    def on_health(self, conversation: Conversation) -> None: ...
    def on_running(self, conversation: Conversation, *, fresh: bool) -> None: ...
    def on_newcomer(self, newcomer: Newcomer) -> None: ...
    def on_confirmed(self, node: str) -> None: ...


class UpdateListener(Protocol):
    """Who wants to know what nodes say of updates; likewise."""

    def on_trial_window(self, window: Window, trial: int) -> None: ...
    def on_update_ack(self, conversation: Conversation, ack: node_pb2.UpdateAck) -> None: ...
    def on_verdict(self, conversation: Conversation, verdict: node_pb2.UpdateVerdict) -> None: ...
    def on_signing_key_ack(self, conversation: Conversation, ack: node_pb2.SigningKeyAck) -> None: ...


class Sending(Protocol):
    """What goes back to nodes, and how soon."""

    def send(self, conversation: Conversation, message: node_pb2.DaemonMessage) -> bool: ...
    def is_eager(self, conversation: Conversation) -> bool:
        """Whether a node's reports should not wait for company."""


class Dispatch:
    """`listener` is there before the first message; `updates` only where somebody cares for them."""

    listener: Listener

    def __init__(self, back: Sending, trust: Trust) -> None:
        self.updates: UpdateListener | None = None
        self._back = back
        self._trust = trust

    def take(self, conversation: Conversation, message: node_pb2.NodeMessage, now_utc_ms: int) -> None:
        """One message that has come by the node's session. Raises FrameError for what makes no sense."""
        body = message.WhichOneof("body")
        if body == "hello":
            self._hello(conversation, message.hello, now_utc_ms)
        elif body == "report":
            self._report(conversation, message.report, now_utc_ms)
        elif body == "time_ack":
            self._time_ack(conversation, message.time_ack, now_utc_ms)
        elif body == "label_ack":
            self.listener.on_label_ack(conversation, message.label_ack)
        elif body == "button":
            self._button(conversation, message.button, now_utc_ms)
        elif body == "drift_sketch":
            self._sketch(conversation, message.drift_sketch, now_utc_ms)
        elif body == "summary":
            self._summary(conversation, message.summary, now_utc_ms)
        elif body == "health":
            self._health(conversation, message.health)
        elif not self._take_of_updates(conversation, message):
            raise FrameError("a message of a kind that this version does not know")

    def _take_of_updates(self, conversation: Conversation, message: node_pb2.NodeMessage) -> bool:
        """Whether it is a message about updates that somebody listens to."""
        body, updates = message.WhichOneof("body"), self.updates
        if updates is None:
            return False
        if body == "update_ack":
            updates.on_update_ack(conversation, message.update_ack)
        elif body == "update_verdict":
            updates.on_verdict(conversation, message.update_verdict)
        elif body == "signing_key_ack":
            updates.on_signing_key_ack(conversation, message.signing_key_ack)
        else:
            return False
        return True

    def _hello(self, conversation: Conversation, hello: node_pb2.Hello, now: int) -> None:
        if hello.node_id.hex() != conversation.node:
            raise FrameError("a hello whose node id is not its own")
        if hello.test and not self._trust.test_nodes:
            conversation.refuse("a test image, whose keys others may know: flash the firmware for use")
            return
        self._answer(conversation, conversation.hello(hello, now))
        self.listener.on_hello(conversation)
        if conversation.facts is not None and conversation.running is not None:
            self.listener.on_running(conversation, fresh=True)

    def _report(self, conversation: Conversation, report: node_pb2.Report, now: int) -> None:
        if not conversation.room:
            return
        if not conversation.is_earlier(report.boot):
            if not conversation.boot.ties.ticks_ms:
                self._back.send(conversation, HELLO_REQUEST)
                return
            self._answer(conversation, conversation.retie(report.end_s, now))
        window = conversation.report(report, now)
        if window is not None:
            self.listener.on_window(conversation, window, eager=self._back.is_eager(conversation))
            if report.trial and not window.refused and self.updates is not None:
                self.updates.on_trial_window(window, report.trial)
        elif conversation.has(report):
            self.listener.on_repeat(conversation, report.boot)

    def _time_ack(self, conversation: Conversation, ack: node_pb2.TimeAck, now: int) -> None:
        replies, tie = conversation.time_ack(ack, now)
        self._answer(conversation, replies)
        if tie is not None:
            self.listener.on_tie(conversation, tie)

    def _button(self, conversation: Conversation, button: node_pb2.Button, now: int) -> None:
        replies, press = conversation.press(button, now)
        self._answer(conversation, replies)
        if press is not None:
            self.listener.on_press(conversation, press)

    def _sketch(self, conversation: Conversation, sketch: node_pb2.DriftSketch, now: int) -> None:
        replies, found = conversation.sketch(sketch, now)
        self._answer(conversation, replies)
        if found is not None:
            self.listener.on_sketch(conversation, found)

    def _summary(self, conversation: Conversation, summary: node_pb2.Summary, now: int) -> None:
        replies, found = conversation.summary(summary, now)
        self._answer(conversation, replies)
        if found is not None:
            self.listener.on_summary(conversation, found)

    def _health(self, conversation: Conversation, health: node_pb2.Health) -> None:
        conversation.take_health(health)
        self.listener.on_health(conversation)
        if health.HasField("running") and conversation.run(health.running):
            self.listener.on_running(conversation, fresh=False)

    def _answer(self, conversation: Conversation, replies: list[node_pb2.DaemonMessage]) -> None:
        for reply in replies:
            self._back.send(conversation, reply)
