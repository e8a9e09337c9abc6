"""How nodes come, move and go: one method a call of attune.v1.Nodes."""

import re

from attune_proto.v1 import nodes_pb2, nodes_pb2_grpc

from attuned.api.answers import Context, answers
from attuned.errors import RequestError
from attuned.site import Site


class NodesService(nodes_pb2_grpc.NodesServicer):
    """Hands requests to the site's commissioning."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @answers
    async def AddNode(  # noqa: N802 (the names are the contract's)
        self, request: nodes_pb2.AddNodeRequest, context: Context
    ) -> nodes_pb2.AddNodeReply:
        waiting = await self._site.commissioning.add(
            request.code, request.room, request.name, take_over=request.take_over
        )
        hint, room_of = waiting.row.hint, self._site.assignments.room_of
        rooms = {room_of.get(node, "") for node in self._site.trust.nodes if node.startswith(hint)}
        # Of two nodes with one hint nobody knows yet which one has the code.
        left = rooms.pop() if request.room and len(rooms) == 1 else ""
        return nodes_pb2.AddNodeReply(hint=hint, moves_from=left if left != request.room else "")

    @answers
    async def ListComing(  # noqa: N802
        self, request: nodes_pb2.ListComingRequest, context: Context
    ) -> nodes_pb2.ListComingReply:
        if not re.fullmatch(r"([0-9a-f]{8})?", request.hint):
            raise RequestError("Name the node by the first eight hex digits of its id.")
        return nodes_pb2.ListComingReply(
            coming=self._come(request.hint) if request.hint else [*self._waiting(), *self._strangers()],
            unknown_heard=0 if request.hint else self._site.hub.air.strangers(),
        )

    @answers
    async def ChangeNode(  # noqa: N802
        self, request: nodes_pb2.ChangeNodeRequest, context: Context
    ) -> nodes_pb2.ChangeNodeReply:
        if not re.fullmatch(r"[0-9a-f]{8}([0-9a-f]{8})?", request.node):
            raise RequestError("A node's id has 16 hex digits: `attune nodes` lists the nodes.")
        told = False
        change, node, commissioning = request.WhichOneof("change"), request.node, self._site.commissioning
        if change == "remove":
            told = await commissioning.remove(node)
        elif change == "room":
            await commissioning.move(node, request.room)
        elif change == "name":
            await commissioning.rename(node, request.name)
        elif change == "rekey":
            told = commissioning.rekey(node)
        elif change == "identify_s":
            told = commissioning.identify(node, request.identify_s)
        elif change == "replace_with":
            await commissioning.replace(node, request.replace_with)
        else:
            raise RequestError("Say what is to change.")
        return nodes_pb2.ChangeNodeReply(told=told)

    @answers
    async def RotateKey(  # noqa: N802
        self, request: nodes_pb2.RotateKeyRequest, context: Context
    ) -> nodes_pb2.RotateKeyReply:
        if request.begin:
            self._site.commissioning.announce_key()
        return nodes_pb2.RotateKeyReply(waiting_for=self._site.commissioning.old_key_users())

    def _come(self, hint: str) -> list[nodes_pb2.Coming]:
        """The node of a hint: waited for, else there, else nothing."""
        waiting = [coming for coming in self._waiting() if coming.hint == hint]
        there = [node for node in self._site.trust.nodes if node.startswith(hint)]
        return waiting or [nodes_pb2.Coming(hint=hint, node=node, what="is commissioned") for node in there]

    def _waiting(self) -> list[nodes_pb2.Coming]:
        waiting = self._site.trust.waiting.values()
        return [
            nodes_pb2.Coming(
                hint=each.row.hint, waits=True, what=each.trouble or "has not been heard since its code was given"
            )
            for each in waiting
        ]

    def _strangers(self) -> list[nodes_pb2.Coming]:
        known = self._site.trust
        return [
            nodes_pb2.Coming(hint=hint.hex(), what=what)
            for hint, what in known.strangers.items()
            if hint not in known.waiting
        ]
