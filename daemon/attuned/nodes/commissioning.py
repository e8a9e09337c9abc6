"""Nodes come, move, are replaced and go: what is asked for, written to the disk, and told to the node."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from attune_proto.v1 import node_pb2
from attune_service.journal import NODE_COMMISSIONED, about

from attuned.clock import Clock
from attuned.errors import NotFoundError, RequestError
from attuned.gone import GoneBook, Removed
from attuned.nodes.assignments import Assignments
from attuned.nodes.codes import read_code
from attuned.nodes.hub import Hub
from attuned.nodes.trust import Newcomer, Trust, Waiting
from attuned.nodes.trusted import CodeRow, TrustedNode
from attuned.store.keys import KeyStore

log = logging.getLogger(__name__)

# Longest name of a node: it stands in tables.
NAME_LIMIT = 64

# Longest blinking, in seconds.
IDENTIFY_LIMIT_S = 600

# A command for a node that has no turn on its gateway's radio waits so long for it.
COMMAND_MS = 600_000


class Commissioning:
    """`placed` is told each node that stands in another room than before, or is new, or gone."""

    def __init__(
        self,
        clock: Clock,
        *,
        assignments: Assignments,
        trust: Trust,
        hub: Hub,
        store: KeyStore,
        gone: GoneBook,
        placed: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._assignments = assignments
        self._trust = trust
        self._hub = hub
        self._store = store
        self._gone = gone
        self._placed = placed
        self._commands: dict[str, tuple[int, node_pb2.Command]] = {}
        # A node that two remove at once goes once, and the second hears that there is no such node.
        self._leaving = asyncio.Lock()

    async def add(self, code: str, room: str, name: str, *, take_over: bool) -> Waiting:
        """Waits for the node with this code from now on. RequestError for what is no code, room or name."""
        read = read_code(code)
        self._check_name(name)
        self._assignments.check_room(room, read.hint.hex())
        told = self._after(read.hint.hex(), self._clock.utc_ms())
        row = CodeRow(read.hint.hex(), read.psk, room, name, take_over, told, read.advertising)
        await self._store.expect(row)
        waiting = self._trust.expect(row)
        self._hub.call(read.hint, commission=True)
        return waiting

    def waiting(self, hint: str) -> Waiting | None:
        """The code that waits for a node whose id begins so."""
        return self._trust.waiting.get(bytes.fromhex(hint))

    def takes_again(self, newcomer: Newcomer) -> bool:
        """Tells a newcomer whose key is on the disk already, for which it began anew before it heard so."""
        known = self._trust.nodes.get(newcomer.node.node)
        if known is None:
            return False
        if replace(newcomer.node, since_utc_ms=known.since_utc_ms, stands_for=known.stands_for) != known:
            return False
        self._hub.adopt(replace(newcomer, node=known))
        return True

    async def take(self, newcomer: Newcomer) -> None:
        """Makes a newcomer's key durable, and only then tells the node."""
        node = newcomer.node
        known = self._trust.nodes.get(node.node)
        since = self._after(node.node, max(node.since_utc_ms, newcomer.waiting.row.told_utc_ms))
        node = replace(node, since_utc_ms=since)
        if known is not None:
            node = replace(node, room=node.room or known.room, stands_for=known.stands_for)
        await self._store.trust(node)
        self._trust.add(node)
        self._place(node)
        if not newcomer.given_up:
            self._hub.adopt(replace(newcomer, node=node))
        told = about(node=node.node, room=node.room, message=NODE_COMMISSIONED)
        log.info("Node %s is commissioned.", node.node, extra=told)

    async def confirm(self, node: str) -> None:
        """The node has said something in its session: its code is used up, and so is our key that it used before."""
        known = self._trust.nodes.get(node)
        if known is None:
            return
        waiting = self._trust.fulfilled(node)
        if waiting is not None:
            await self._drop_code(waiting.hint)
        used = self._trust.daemon_key(node)
        if used and used != known.daemon_key:
            await self._keep(replace(known, daemon_key=used))
        self._retire_key()

    def needs_confirming(self, node: str) -> bool:
        """Whether `confirm` has anything to do."""
        used = self._trust.daemon_key(node)
        return self._trust.fulfilled(node) is not None or used != self._trust.nodes[node].daemon_key

    async def remove(self, node: str) -> bool:
        """Trusts a node no more; True if it has been told, else it has to be added with its code to go on anywhere.

        Also ends waiting for a node of which only the beginning of its id is known.
        """
        hint = bytes.fromhex(node)[:4]
        if len(node) == 8 and hint in self._trust.waiting:
            await self._drop_code(hint)
            return False
        async with self._leaving:
            return await self._remove(node, hint)

    async def _remove(self, node: str, hint: bytes) -> bool:
        self._known(node)
        await self._mark_gone(node)
        with self._gone.committing(f"node {node}"):
            if hint in self._trust.waiting and self._trust.waiting[hint].node == node:
                await self._drop_code(hint)
            await self._store.forget(node)
        # Not before: a node that has disowned us does not come back where the disk refuses what is asked.
        told = self._tell(node, node_pb2.Command(disown=True))
        self._trust.remove(node)
        self._commands.pop(node, None)
        self._assignments.remove(node)
        self._hub.remove(node)
        self._placed(node)
        return told

    async def move(self, node: str, room: str) -> None:
        known = self._known(node)
        if not room:
            raise RequestError("Name the room that the node moves to.")
        self._assignments.check_room(room, node)
        moved = replace(known, room=room)
        await self._keep(moved)
        self._place(moved)

    async def rename(self, node: str, name: str) -> None:
        self._check_name(name)
        await self._keep(replace(self._known(node), name=name))

    def rekey(self, node: str) -> bool:
        """New keys for the session. True if the node has been told; see `identify`."""
        self._known(node)
        return self._reach(node, node_pb2.Command(rekey=True))

    def identify(self, node: str, seconds: int) -> bool:
        """The node blinks. True if it has been told, False if it will be when a radio that hears it connects.

        RequestError if it is out of reach.
        """
        self._known(node)
        if not 0 < seconds <= IDENTIFY_LIMIT_S:
            raise RequestError(f"A node blinks for 1 to {IDENTIFY_LIMIT_S} seconds.")
        return self._reach(node, node_pb2.Command(identify_s=seconds))

    def waits_for(self, node: str) -> bool:
        """Whether there is something to tell a node that could not be told yet."""
        known, announced = self._trust.nodes.get(node), self._trust.own.announced
        old_key = bool(announced) and known is not None and known.daemon_key != announced
        until, _ = self._commands.get(node, (0, None))
        return old_key or until > self._clock.utc_ms()

    def tell_commands(self, node: str) -> None:
        """The node has said hello: what waited for it is told now."""
        until, command = self._commands.pop(node, (0, None))
        if command is not None and until > self._clock.utc_ms():
            self._tell(node, command)

    async def replace(self, old: str, new: str) -> None:
        """The new node stands where the old one stood, learns what the old one was taught, and the old one goes."""
        async with self._leaving:
            await self._replace(old, new)

    async def _replace(self, old: str, new: str) -> None:
        before, after = self._known(old), self._known(new)
        if old == new:
            raise RequestError("A node cannot replace itself: name the broken one first, then the new one.")
        room = self._assignments.room_of.get(old, before.room)
        self._assignments.check_room(room, new)
        stands_for = " ".join([old, *before.stands_for.split(), *after.stands_for.split()])
        moved = replace(after, room=room, name=before.name or after.name, stands_for=stands_for)
        await self._mark_gone(old)
        with self._gone.committing(f"node {old}"):
            await self._store.replace(old, moved)
        self._tell(old, node_pb2.Command(disown=True))
        self._trust.remove(old)
        self._assignments.remove(old)
        self._hub.remove(old)
        self._trust.add(moved)
        self._placed(old)
        self._place(moved)

    def announce_key(self) -> None:
        """The daemon gets a new key pair: every node hears of it in its session, and both count until all use it."""
        self._trust.own.announce()
        for node in self._trust.nodes:
            self.tell_key(node)
        self._retire_key()

    def tell_key(self, node: str) -> None:
        """Tells a node the key that it is to use from now on, if there is one that it does not use."""
        announced = self._trust.own.announced
        if announced and node in self._trust.nodes and self._trust.daemon_key(node) != announced:
            self._tell(node, node_pb2.Command(next_daemon=announced, rekey=True))

    def old_key_users(self) -> list[str]:
        """Nodes that have not used the announced key yet; none where none is announced."""
        announced = self._trust.own.announced
        return [node.node for node in self._trust.nodes.values() if announced and node.daemon_key != announced]

    def _retire_key(self) -> None:
        if self._trust.own.announced and not self.old_key_users():
            self._trust.own.retire()
            log.info("Every node uses the daemon's new key; the old one is gone.")

    async def _drop_code(self, hint: bytes) -> None:
        """The disk first: a code that is left there would wait again after a restart."""
        await self._store.drop_code(hint.hex())
        self._trust.waiting.pop(hint, None)

    async def _mark_gone(self, node: str) -> None:
        await self._gone.add(nodes=[Removed(node=node, utc_ms=self._after(node, self._clock.utc_ms()))])

    def _after(self, start: str, utc_ms: int) -> int:
        """This time, or one after nodes whose ids begin so were last added and removed, by a clock that ran ahead.

        By these times a restart and a restored store tell whether a node was added again after it was removed.
        """
        added = [row.since_utc_ms for row in self._trust.nodes.values() if row.node.startswith(start)]
        removed = [row.utc_ms for row in self._gone.now.nodes if row.node.startswith(start)]
        return max([utc_ms, *(1 + each for each in added + removed)])

    async def _keep(self, node: TrustedNode) -> None:
        await self._store.trust(node)
        if node.node in self._trust.nodes:
            self._trust.add(node)

    def _place(self, node: TrustedNode) -> None:
        if node.room in self._assignments.rooms:
            self._assignments.assign(node.node, node.room)
        self._placed(node.node)

    def _known(self, node: str) -> TrustedNode:
        known = self._trust.nodes.get(node)
        if known is None:
            raise NotFoundError(f"There is no node {node!r}: `attune nodes` lists the nodes.")
        return known

    def _check_name(self, name: str) -> None:
        if len(name) > NAME_LIMIT or not name.isprintable():
            raise RequestError(f"A name has at most {NAME_LIMIT} printable characters.")

    def _tell(self, node: str, command: node_pb2.Command) -> bool:
        return self._hub.send(self._hub.conversations[node], node_pb2.DaemonMessage(command=command))

    def _reach(self, node: str, command: node_pb2.Command) -> bool:
        if self._tell(node, command):
            return True
        if self._hub.air.of(node) is None:
            raise RequestError(f"Node {node} is out of reach: `attune nodes {node}` shows when it was heard last.")
        waiting = node_pb2.Command()
        waiting.CopyFrom(self._commands.get(node, (0, waiting))[1])
        waiting.MergeFrom(command)
        self._commands[node] = self._clock.utc_ms() + COMMAND_MS, waiting
        return False
