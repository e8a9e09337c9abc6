"""Which key nodes go by: the first one is told in a session, each later one by statements of the one before."""

import logging
from collections.abc import Callable

from attune_proto.v1 import node_pb2

from attuned.clock import Clock
from attuned.nodes.conversation import Conversation
from attuned.updates.envelope import EnvelopeError
from attuned.updates.signing import Signer, SigningError
from attuned.updates.statements import Chain

log = logging.getLogger(__name__)

# How often the signing process is asked for its keys, and how long it is left alone after it did not answer, in
# milliseconds of the daemon's clock.
ASK_MS = 300_000
TROUBLE_MS = 30_000

Send = Callable[[Conversation, node_pb2.DaemonMessage], bool]


class SigningKeys:
    """The chain of the signing process, as far as it is known here. `trouble` is a sentence where it is silent."""

    def __init__(self, clock: Clock, signer: Signer, send: Send) -> None:
        self.chain: Chain | None = None
        self.trouble = ""
        self._clock = clock
        self._signer = signer
        self._send = send
        self._next_utc_ms = 0

    @property
    def due(self) -> bool:
        """Whether it is time to ask again."""
        # A clock that went back is no reason to wait until it is where it was.
        return not 0 < self._next_utc_ms - self._clock.utc_ms() <= ASK_MS

    async def ask(self) -> bool:
        """Asks for the chain; whether it has changed. Where the process does not answer, `trouble` says so."""
        before = self.chain
        try:
            self.chain = await self._signer.keys()
        except (SigningError, EnvelopeError) as error:
            self.note(str(error))
            return False
        if self.trouble:
            log.info("The signing process answers again.")
        self.trouble = ""
        self._next_utc_ms = self._clock.utc_ms() + ASK_MS
        return self.chain != before

    def note(self, trouble: str) -> None:
        """The signing process did not do what it was asked; it is left alone for a while."""
        if not self.trouble:
            log.warning("%s Updates wait until then.", trouble)
        self.trouble = trouble
        self._next_utc_ms = self._clock.utc_ms() + TROUBLE_MS

    def tell(self, conversation: Conversation) -> None:
        """Tells a node the keys that it does not know, if there are any."""
        chain, running = self.chain, conversation.running
        if chain is None or running is None or self.objection(conversation):
            return
        if not running.signing_key:
            key = chain.number.to_bytes(4, "little") + chain.last
            self._send(conversation, node_pb2.DaemonMessage(command=node_pb2.Command(signing_key=key)))
        elif running.signing_key < chain.number:
            statements = chain.message_for(running.signing_key)
            self._send(conversation, node_pb2.DaemonMessage(signing_keys=statements))

    def objection(self, conversation: Conversation) -> str:
        """Why no key of here can reach a node, a sentence; empty where one can."""
        chain, running = self.chain, conversation.running
        if chain is None or running is None or running.signing_key <= chain.number:
            return ""
        return (
            f"The node goes by signing key {running.signing_key}, the signing process has no later one than "
            f"{chain.number}: restore signing-key and signing-chain from the newest backup."
        )

    def knows(self, conversation: Conversation) -> bool:
        """Whether the node goes by the key that signs now."""
        running = conversation.running
        return self.chain is not None and running is not None and running.signing_key == self.chain.number
