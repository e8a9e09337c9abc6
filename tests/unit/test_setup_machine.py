"""What the setup finds on a machine, and why a broker is out of reach."""

import socket
import ssl
from pathlib import Path

import aiomqtt
import pytest
from attuned.bms import trouble
from attuned.bms.trouble import sentence
from attuned.config import MqttSettings
from attuned.setup import broker, machine
from processes import Mosquitto


def test_a_machine(tmp_path: Path) -> None:
    for path in (
        "sys/class/bluetooth/hci0",
        "sys/class/bluetooth/hci0:12",
        "sys/class/bluetooth/hci1",
        "dev/serial/by-id/usb-b",
    ):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Brussels")
    found = machine.look(tmp_path)
    assert (found.adapters, found.serial, found.timezone) == (
        ["hci0", "hci1"],
        ["/dev/serial/by-id/usb-b"],
        "Europe/Brussels",
    )
    (tmp_path / "etc/localtime").unlink()
    (tmp_path / "etc/timezone").write_text("Asia/Tokyo\n")
    assert machine.look(tmp_path).timezone == "Asia/Tokyo"
    (tmp_path / "etc/timezone").write_text("Etc/UTC")
    assert machine.look(tmp_path).timezone == "UTC"
    (tmp_path / "etc/timezone").write_bytes(b"\xff")
    assert machine.look(tmp_path).timezone == "UTC"


def test_an_empty_machine(tmp_path: Path) -> None:
    found = machine.look(tmp_path)
    assert (list(found.adapters), list(found.serial), found.timezone) == ([], [], "UTC")


def test_listening_ports(tmp_path: Path) -> None:
    heads = "  sl  local_address rem_address   st\n"
    (tmp_path / "tcp").write_text(
        heads + "   0: 0100007F:075B 00000000:0000 0A 0\n   1: 00000000:22B3 00000000:0000 0A 0\n"
        "   2: 0100007F:1234 0100007F:075B 01 0\n"
    )
    (tmp_path / "tcp6").write_text(heads + "   0: 00000000000000000000000001000000:075B 00:0000 0A 0\n")
    assert broker.listening_ports(tmp_path) == {("127.0.0.1", 1883), ("0.0.0.0", 8883), ("::1", 1883)}  # noqa: S104
    assert broker.listening_ports(tmp_path / "none") == frozenset()


def test_a_broker_for_this_machine_alone_is_remarked() -> None:
    local = MqttSettings()
    assert broker.remarks(local, frozenset({("127.0.0.1", 1883), ("::1", 1883)}))[0].startswith(
        "It listens for this machine only."
    )
    assert broker.remarks(local, frozenset({("0.0.0.0", 1883), ("::1", 1883)})) == []  # noqa: S104
    assert broker.remarks(MqttSettings(host="mqtt.lan"), frozenset({("127.0.0.1", 1883)})) == []


@pytest.mark.parametrize(
    ("user", "error", "advice"),
    [
        (None, aiomqtt.MqttCodeError(5), "it takes nobody without a user; `sudo attune setup` asks"),
        ("hall", aiomqtt.MqttCodeError(135), "it does not take the user hall with this password"),
        (None, ConnectionRefusedError("no"), "nothing listens; start a broker here, such as mosquitto"),
        (None, socket.gaierror("unknown"), "this name is not known here"),
        (None, ConnectionResetError("cut"), "see whether this port is the one for TLS"),
        (None, ssl.SSLError("wrong version"), "see whether this port is the one for TLS"),
        (None, ssl.SSLCertVerificationError("self-signed"), "its certificate is not of the ca_file"),
        (
            None,
            aiomqtt.MqttError("Operation timed out"),
            "and its address, and whether it wants TLS",
        ),
    ],
)
def test_why_a_broker_is_out_of_reach(user: str | None, error: Exception, advice: str) -> None:
    said = sentence("127.0.0.1", 1883, user, error)
    assert said.startswith("The broker at 127.0.0.1:1883 cannot be reached (")
    assert advice in said
    assert said.endswith(".")
    # The client wraps what the socket says.
    wrapped = aiomqtt.MqttError("outside")
    wrapped.__cause__ = error
    if not isinstance(error, aiomqtt.MqttError):
        assert advice in sentence("127.0.0.1", 1883, user, wrapped)


def test_a_real_broker_is_tried(tmp_path: Path) -> None:
    started = Mosquitto(tmp_path, users={"hall": "right"})
    started.start()
    try:
        there = MqttSettings(port=started.port, user="hall")
        assert broker.trouble(there, "right") == ""
        assert "it does not take the user hall" in broker.trouble(there, "wrong")
        assert "it takes nobody without a user" in broker.trouble(MqttSettings(port=started.port), None)
        secret = MqttSettings(port=started.port, ca_file=Path("/etc/ssl/certs/ca-certificates.crt"))
        assert "for TLS" in broker.trouble(secret, None)
        assert "cannot be reached" in broker.trouble(MqttSettings(port=started.port, ca_file=Path("/none")), None)
    finally:
        started.stop()


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/etc/attune/ca.pem", False),
        ("/etc/ssl/certs/ca-certificates.crt", False),
        ("/homes/ca.pem", False),
        *((f"{folder}/ca.pem", True) for folder in ("/home/ann", "/root", "/run/user/1000", "/tmp", "/var/tmp")),
        ("/etc/../home/ann/ca.pem", True),
    ],
)
def test_files_that_the_service_does_not_see(path: str, hidden: bool) -> None:
    said = ""
    try:
        broker.check_seen(Path(path))
    except ValueError as error:
        said = str(error)
    assert said == hidden * (
        "The daemon's service sees nothing in /home, /root, /run/user, /tmp or /var/tmp: "
        f"copy {path} to /etc/attune, for instance, and name it there."
    )


def test_a_link_to_a_file_that_the_service_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours.pem").symlink_to(tmp_path / "theirs" / "ca.pem")
    monkeypatch.setattr(trouble, "_HIDDEN", (str(tmp_path / "theirs"),))
    assert trouble.hidden(tmp_path / "ours.pem")
    assert not trouble.hidden(tmp_path / "other.pem")


def test_where_the_daemon_says_that_it_sees_no_file() -> None:
    with pytest.raises(trouble.AuthorityError) as none:
        trouble.encryption("/none/ca.pem")
    said = sentence("h", 1, None, none.value)
    assert "(ca_file /none/ca.pem: No such file or directory): let the daemon's user read" in said
    assert "its service sees nothing in /home, " in said


def test_a_name_that_nobody_knows() -> None:
    assert "this name is not known here" in broker.trouble(MqttSettings(host="nobody.invalid"), None)
