"""`attune gateway`, and codes of nodes as QR codes."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import pytest
from attune_proto.v1 import gateways_pb2, nodes_pb2
from cli_run import CommandLine

CODE = "ACQ3-FQYA-AEBA-GBAF-AYDQ-QCIK-BMGA-2DQP-V6"


def invited(attune: CommandLine) -> list[gateways_pb2.InviteGatewayRequest]:
    return [one for one in attune.site.asked if isinstance(one, gateways_pb2.InviteGatewayRequest)]


class TestInvite:
    def test_the_invitation_is_whole_on_one_line(self, attune: CommandLine) -> None:
        code, out, err = attune("gateway", "invite", "south", "--host", "attune.lan", width=40)
        assert (code, err) == (0, "")
        assert f"\n  sudo attune-gateway enroll {'A2' * 53}\n" in out
        assert "15:32" in out.partition("attune-gateway")[0]
        assert "counts no more" not in out
        assert invited(attune) == [gateways_pb2.InviteGatewayRequest(name="south", valid_s=3600, host="attune.lan")]

    def test_one_that_is_enrolled_already(self, attune: CommandLine) -> None:
        assert "once this is used, the certificate that it has counts no more." in " ".join(
            attune("gateway", "invite", "north")[1].split()
        )

    def test_json(self, attune: CommandLine) -> None:
        assert attune.answer("gateway", "invite", "south", "--valid", "20m") == {
            "name": "south",
            "invitation": "A2" * 53,
            "until": "2026-11-21T14:52:10.000+01:00",
            "enrolled_already": False,
        }

    @pytest.mark.parametrize("valid", ["", "1", "h", "-1h", "1.5h", "1 week"])
    def test_times_that_are_none(self, attune: CommandLine, valid: str) -> None:
        said = f"attune: {valid!r} is no length of time; write one such as 20m, 1h or 2d.\n"
        assert attune("gateway", "invite", "south", "--valid", valid) == (2, "", said)
        assert invited(attune) == []


class TestList:
    @pytest.mark.parametrize("width", [80, 40])
    def test_screen(self, attune: CommandLine, golden: Callable[[str, str], None], width: int) -> None:
        golden(f"gateways-{width}.txt", attune("gateway", "list", width=width)[1])

    def test_none(self, attune: CommandLine) -> None:
        attune.site.gateways = []
        assert "make an invitation with `attune gateway invite NAME`" in " ".join(attune("gateway", "list")[1].split())

    def test_json(self, attune: CommandLine) -> None:
        answer = attune.answer("gateway", "list")
        assert [each["state"] for each in answer["gateways"]] == [
            "connected",
            "connected",
            "away",
            "revoked",
            "invited",
        ]
        assert answer["gateways"][1] == {
            "name": "east",
            "state": "connected",
            "local": False,
            "connected": True,
            "since": "2026-10-12T15:32:10.000+02:00",
            "expires": "2027-01-10T14:32:10.000+01:00",
            "last_heard": "2026-11-21T14:31:10.000+01:00",
            "revoked": None,
            "invited_until": None,
            "slots": 8,
            "slots_used": 2,
        }
        assert (answer["gateways"][0]["slots"], answer["gateways"][0]["slots_used"]) == (None, None)


class TestScan:
    @pytest.mark.parametrize("width", [80, 40])
    def test_screen(self, attune: CommandLine, golden: Callable[[str, str], None], width: int) -> None:
        code, out, err = attune("gateway", "scan", "east", width=width)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        golden(f"scan-{width}.txt", out)
        assert gateways_pb2.ScanGatewayRequest(name="east") in attune.site.asked

    def test_nothing(self, attune: CommandLine) -> None:
        attune.site.scan = gateways_pb2.ScanGatewayReply(slots=1)
        said = "The radio of gateway east hears no node.\n\n0 of 1 connection used.\n"
        assert attune("gateway", "scan", "east") == (0, said, "")

    def test_json(self, attune: CommandLine) -> None:
        answer = attune.answer("gateway", "scan", "east")
        assert (answer["name"], answer["slots"], answer["slots_used"], len(answer["heard"])) == ("east", 8, 2, 4)
        assert answer["heard"][1] == {
            "hint": "12345667dc10bc2c",
            "node": "00a1b2c3d4e51213",
            "room": "2.13",
            "signal_dbm": -71,
            "heard": "2026-11-21T14:32:01.000+01:00",
            "served_by": "north",
            "connected": False,
            "failures": 3,
        }
        assert [answer["heard"][3][key] for key in ("node", "room", "served_by")] == [None] * 3

    def test_a_gateway_that_is_away(self, attune: CommandLine) -> None:
        sentence = "Gateway north is away: it can be scanned while it is connected."
        attune.site.refuse["ScanGateway"] = (grpc.StatusCode.NOT_FOUND, sentence)
        assert attune("gateway", "scan", "north") == (1, "", f"attune: {sentence}\n")


class TestRevoke:
    def test_of_one_that_is_connected(self, attune: CommandLine) -> None:
        assert attune("gateway", "revoke", "east")[1] == "Gateway east is revoked, and its connection ended.\n"
        attune.site.told = False
        assert attune("gateway", "revoke", "north")[1] == "Gateway north is revoked.\n"
        assert attune.answer("gateway", "revoke", "north") == {"name": "north", "connected": False}


class TestNodesOnTheAir:
    def test_a_node_that_moves_is_said_to(self, attune: CommandLine) -> None:
        attune.site.moves_from = "2.13"
        words = ["node", "add", CODE, "--room", "2.14"]
        assert attune(*words, width=120)[1] == (
            "Node 00a1b2c3d4e50213 is commissioned. It stood in 2.13, and stands in 2.14 now.\n"
        )
        answer = {"hint": "00a1b2c3", "node": "00a1b2c3d4e50213", "moved_from": "2.13"}
        assert attune.answer(*words) == answer
        attune.site.coming = [nodes_pb2.Coming(hint="00a1b2c3", waits=True, what="has not been heard")]
        assert " Once it has come, it moves from 2.13 to 2.14.\n" in attune(*words, "--no-wait", width=160)[1]

    def test_those_without_a_name_are_counted(self, attune: CommandLine) -> None:
        attune.site.unknown_heard = 3
        said = attune("node", "waiting")[1]
        assert said.endswith("Radios hear 3 more over Bluetooth that cannot be named without a code.\n")
        attune.site.coming = []
        said = attune("node", "waiting")[1]
        assert said == "Radios hear 3 over Bluetooth that cannot be named without a code.\n"
        assert attune.answer("node", "waiting") == {"nodes": [], "unknown_heard": 3}
        attune.site.unknown_heard = 0
        assert attune("node", "waiting")[1].startswith("No node is waited for")

    def test_a_command_that_has_to_wait_for_a_radio(self, attune: CommandLine) -> None:
        node = "00a1b2c3d4e50213"
        assert attune("node", "identify", node)[1] == f"Node {node} blinks for 20 s.\n"
        attune.site.told = False
        later = "once a gateway's radio has connected to it, if that is within ten minutes."
        assert later in " ".join(attune("node", "identify", node)[1].split())
        assert later in " ".join(attune("node", "rekey", node)[1].split())
        assert attune.answer("node", "identify", node) == {"node": node, "seconds": 20, "told": False}


class TestCode:
    def test_json(self, attune: CommandLine) -> None:
        words = ["node", "code", *CODE.lower().split("-")]
        assert attune.answer(*words) == {"code": CODE, "scanned": CODE.replace("-", "")}

    def test_a_wrong_one(self, attune: CommandLine) -> None:
        said = "attune: Group 9 of the code, V7, is not right: compare it with the node's.\n"
        assert attune("node", "code", CODE[:-1] + "7") == (1, "", said)

    def test_the_screen_fits_a_narrow_terminal_and_names_the_code(self, attune: CommandLine) -> None:
        code, out, err = attune("node", "code", CODE, width=44)
        assert (code, err) == (0, "")
        assert out.endswith(f"\n{CODE}\n")
        assert {len(line) for line in out.splitlines()[:17]} == {33}

    def test_what_a_scanner_gives_adds_the_node(self, attune: CommandLine) -> None:
        assert attune("node", "add", *CODE.lower().split("-"), "--no-wait")[0] == 0
        assert json.dumps(CODE.lower().replace("-", " ")) in [
            json.dumps(getattr(one, "code", "")) for one in attune.site.asked
        ]
