"""A gateway of another machine: invited, enrolled, attached, shut out and let in again, all of it as processes."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway_ports import two_free_ports
from installation import Installation, program, wait_until
from processes import end
from test_commissioning import NODE, ROOM, attune, running, told

NOBODY = 65_534

# With all of Python that it needs: that of a checkout may lie in a home where nobody else reads.
LOADED = [sys.executable, "-c", "import encodings.idna; from attune_gateway.main import main; main()"]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    found = Installation(tmp_path / "one", {ROOM: []}, rate=60, tls_port=two_free_ports())
    try:
        found.start("broker", "daemon")
        yield found
    finally:
        found.close()


def enroll(invitation: str, state: Path, gateway: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*(gateway or [program("attune-gateway")]), "enroll", invitation, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def invite(installation: Installation, name: str = "attic") -> str:
    answer = attune(installation, "gateway", "invite", name, "--host", "127.0.0.1")
    assert answer.returncode == 0, answer.stderr
    found = re.search(r"^  sudo attune-gateway enroll ([A-Z2-7]+)$", answer.stdout, re.MULTILINE)
    assert found is not None, answer.stdout
    return found[1]


def listed(installation: Installation) -> dict[str, dict[str, Any]]:
    answer = attune(installation, "gateway", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    return {each["name"]: each for each in json.loads(answer.stdout)["gateways"]}


@contextmanager
def gateway(installation: Installation, state: Path) -> Iterator[Path]:
    """A gateway of an enrolment, for the installation's nodes; gives its log."""
    log = state.with_suffix(".log")
    with log.open("ab") as errors:
        command = [program("attune-gateway"), "--state", str(state), "--listen", f"127.0.0.1:{installation.node_port}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    try:
        yield log
    finally:
        end(process)


def test_a_node_is_heard_over_an_enrolled_gateway_until_it_is_revoked(
    installation: Installation, tmp_path: Path
) -> None:
    state = tmp_path / "attic"
    invitation = invite(installation)
    assert listed(installation)["attic"]["state"] == "invited"
    with gateway(installation, state) as log, running(installation, tmp_path) as node:
        wait_until(
            lambda: f"{state}/enrolment.json is not there: run here what" in log.read_text(), "Word of what is lacking"
        )
        answer = enroll(invitation, state)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.startswith("Enrolled as attic with the daemon at 127.0.0.1:")
        assert attune(installation, "node", "add", node.code, "--room", ROOM).returncode == 0
        wait_until(lambda: told(installation, NODE)["online"], "The node's greeting")
        assert told(installation, NODE)["gateway"] == "attic"
        assert not listed(installation)["attic"]["local"]
        assert "and its connection ended" in attune(installation, "gateway", "revoke", "attic").stdout
        wait_until(lambda: listed(installation)["attic"]["state"] == "revoked", "The end of the stream")
        wait_until(lambda: "refuses this gateway (Gateway attic was revoked on" in log.read_text(), "The refusal")
        assert "Traceback" not in log.read_text()
    assert "Traceback" not in installation.log("daemon")


@pytest.mark.slow
def test_who_was_shut_out_is_let_in_again_and_restarts_need_no_invitation(
    installation: Installation, tmp_path: Path
) -> None:
    state = tmp_path / "attic"
    assert enroll(invite(installation), state).returncode == 0
    with gateway(installation, state) as log:
        wait_until(lambda: listed(installation)["attic"]["connected"], "The attachment")
        installation.restart("daemon")
        wait_until(lambda: listed(installation)["attic"]["connected"], "The return of the gateway")
        attune(installation, "gateway", "revoke", "attic")
        invitation = invite(installation)
        wait_until(lambda: "refuses this gateway" in log.read_text(), "The refusal")
        assert enroll(invitation, state).returncode == 0
    used = enroll(invitation, tmp_path / "thief")
    assert (used.returncode, used.stdout) == (1, "")
    assert "This invitation for attic has been used, and each is good once" in used.stderr
    with gateway(installation, state):
        wait_until(lambda: listed(installation)["attic"]["connected"], "The attachment with a new certificate")


@pytest.mark.slow
def test_a_gateway_that_runs_for_ten_weeks_has_its_next_certificate(installation: Installation, tmp_path: Path) -> None:
    state, today = tmp_path / "attic", installation.daemon
    installation.terminate("daemon")
    installation.daemon = [sys.executable, str(Path(__file__).parent / "launchers" / "ten_weeks_ago.py")]
    installation.start("daemon")
    assert enroll(invite(installation), state).returncode == 0
    first = (state / "enrolment.json").read_bytes()
    with gateway(installation, state) as log:
        wait_until(lambda: listed(installation)["attic"]["connected"], "The attachment")
        assert (state / "enrolment.json").read_bytes() == first
        installation.terminate("daemon")
        installation.daemon = today
        installation.start("daemon")
        wait_until(lambda: listed(installation)["attic"]["connected"], "The return of the gateway")
        assert "The certificate is renewed, until" in log.read_text()
    before, after = (json.loads(text) for text in (first, (state / "enrolment.json").read_bytes()))
    assert (before["name"], before["authority"]) == (after["name"], after["authority"])
    assert before["key"] != after["key"]
    # The old one counts no more.
    (state / "enrolment.json").write_bytes(first)
    with gateway(installation, state) as log:
        wait_until(lambda: "has used a newer certificate than this one" in log.read_text(), "The refusal")


def test_mistakes_are_one_sentence_each(installation: Installation, tmp_path: Path) -> None:
    invitation = invite(installation)
    installation.terminate("daemon")
    for text, said in (
        (invitation, "It listens there only while an invitation is valid"),
        (invitation[:-8], "copy all"),
        ("http://daemon", "That is no invitation"),
    ):
        answer = enroll(text, tmp_path / "s")
        assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
        assert said in answer.stderr
    # The invitation is on disk, and the door opens again with the daemon.
    installation.start("daemon")
    assert enroll(invitation, tmp_path / "s").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_root_enrolls_is_the_folders_owners_and_no_link_of_theirs_is_followed(installation: Installation) -> None:
    """With the standing of root a link in the folder would be a way to any file of the machine."""
    with tempfile.TemporaryDirectory() as public:
        Path(public).chmod(0o755)
        state, mark = Path(public) / "state", Path(public) / "roots"
        mark.write_text("roots own")
        state.mkdir(0o700)
        for name in ("enrolment.new", "enrolling.new"):
            (state / name).symlink_to(mark)
        os.chown(state, NOBODY, NOBODY)
        invitation = invite(installation)
        refused = enroll(invitation, state, LOADED)
        assert (refused.returncode, refused.stderr.count("\n"), mark.read_text()) == (1, 1, "roots own")
        for name in ("enrolment.new", "enrolling.new"):
            (state / name).unlink()
        answer = enroll(invitation, state, LOADED)
        assert answer.returncode == 0, answer.stderr
        made = (state / "enrolment.json").stat()
        assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)


def test_sockets_are_for_user_and_group_alone(tmp_path: Path) -> None:
    found = Installation(tmp_path / "one", {}, rate=60)
    found.gateway_socket = tmp_path / "run" / "gateway.sock"
    found.configure({})
    try:
        found.start("broker", "daemon")
        for path in (found.gateway_socket, found.api_socket):
            assert path.stat().st_mode & 0o777 == 0o660
        assert found.gateway_socket.parent.stat().st_mode & 0o777 == 0o750
        found.terminate("daemon")
        found.gateway_socket.parent.chmod(0o777)
        found.launch("daemon")
        assert found.processes["daemon"].wait(20) == 1
    finally:
        found.close()
    assert f"The folder {found.gateway_socket.parent} may be written by everybody" in found.log("daemon")
    assert f"`chmod o-w {found.gateway_socket.parent}`" in found.log("daemon")
