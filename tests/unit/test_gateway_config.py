"""Settings of the gateway: what is accepted, and the sentence for what is not."""

from pathlib import Path

import pytest
from attune_gateway.config import DAEMON, ConfigError, HostPort, SerialSettings, from_flags, load

WHOLE = """
name = "north-2"
daemon = "unix:/run/x/g.sock"
idle_s = 600
[tcp]
listen = ["192.0.2.1:7011", "[::1]:7012"]
max_connections = 50
[[serial]]
device = "/dev/ttyACM0"
baud = 9600
[[serial]]
device = "socket://192.0.2.7:4001"
"""


def test_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(WHOLE)
    settings = load(path)
    assert (settings.name, settings.daemon, settings.idle_s) == ("north-2", "unix:/run/x/g.sock", 600)
    assert settings.tcp.listen == (HostPort("192.0.2.1", 7011), HostPort("::1", 7012))
    assert settings.tcp.max_connections == 50
    assert settings.serial[0] == SerialSettings(device="/dev/ttyACM0", baud=9600)
    assert settings.serial[1].device == "socket://192.0.2.7:4001"


def test_least_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('tcp.listen = ["127.0.0.1:0"]')
    settings = load(path)
    assert settings.daemon == DAEMON
    # A node with the longest window, 600 s, must not look idle.
    assert settings.idle_s > 2 * 600


LISTEN = 'tcp.listen = ["127.0.0.1:0"]\n'
ADDRESS = """must be an address such as "0.0.0.0:7011" or "[::]:7011", not """
DAEMON_IS = 'daemon must be a socket of this machine such as "unix:/run/attune/gateway.sock", or beside state an'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = 3", "name must be 1 to 64 letters, digits, dots, dashes or underscores, not 3."),
        ('name = "a b"', "name must be 1 to 64 letters, digits, dots, dashes or underscores, not 'a b'."),
        ('name = ""', "name must be 1 to 64 letters"),
        ('daemon = "192.0.2.1:7010"', DAEMON_IS),
        ('daemon = "127.0.0.1:7010"', DAEMON_IS),
        ('daemon = "tls://here"', DAEMON_IS),
        ('daemon = "unix:relative"', DAEMON_IS),
        (
            'daemon = "tls://d.lan:7443"',
            "a daemon on another machine needs the folder of `attune-gateway enroll` as state",
        ),
        ('state = "s"\nname = "n"', "the name of an enrolled gateway is the one of its invitation; leave name out."),
        ('state = "s"\ndaemon = "unix:/s"', "state is for a daemon on another machine; leave state or daemon out."),
        ("state = 7", 'state must be the folder of `attune-gateway enroll`, such as "/var/lib/attune-gateway", not 7.'),
        (f'daemon = "unix:/{"x" * 107}"', DAEMON_IS),
        ("daemon = 7010", DAEMON_IS),
        ("idle_s = 59", "idle_s must be a whole number of seconds from 60 to 86400, not 59."),
        ('idle_s = "600"', "idle_s must be a whole number of seconds from 60 to 86400, not '600'."),
        ("[ble]", "ble.radio is missing; it must be an adapter of BlueZ such as"),
        ('[ble]\nradio = "hci"', "ble.radio must be an adapter of BlueZ such as"),
        ('[ble]\nradio = "usb:0"\nconnections = 0', "ble.connections must be a whole number from 1 to 64, not 0."),
        ("ble = 1", "ble must be a table of settings, not 1."),
        ("port = 1", "port is not a setting; write one of name, daemon, state, idle_s, tcp, serial, ble."),
        ("serial = 1", "serial must be a list of tables, each begun by [[serial]], not 1."),
        ("serial = [1]", "serial[0] must be a table of settings, begun by [[serial]], not 1."),
        ("[[serial]]\nbaud = 9600", "serial[0].device is missing; it must be a path such as"),
        ('[[serial]]\ndevice = "COM1"', 'serial[0].device must be a path such as "/dev/ttyACM0", or'),
        ('[[serial]]\ndevice = "socket://h"', "serial[0].device must be a path"),
        ('[[serial]]\ndevice = "/dev/x"\nbaud = 3', "serial[0].baud must be a whole number from 1200 to"),
        ('[[serial]]\ndevice = "/dev/x"\nrate = 1', "serial[0].rate is not a setting; write one of device, baud."),
    ],
)
def test_wrong_value(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(LISTEN + text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}: {expected}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "there is nothing to take frames from; set tcp.listen or add a [[serial]] or [ble] table."),
        ("tcp = 1", "tcp must be a table of settings, not 1."),
        ("[tcp]\nlisten = 7011", "tcp.listen must be a list of addresses such as"),
        ('[tcp]\nlisten = ["a:1", "7011"]', f"tcp.listen[1] {ADDRESS}'7011'."),
        ('[tcp]\nlisten = ["127.0.0.1:70000"]', f"tcp.listen[0] {ADDRESS}'127.0.0.1:70000'."),
        ('[tcp]\nlisten = ["::1:7011"]', f"tcp.listen[0] {ADDRESS}'::1:7011'."),
        ("[tcp]\nmax_connections = 0", "tcp.max_connections must be a whole number from 1 to 20000, not 0."),
        ("[tcp]\nmax_connections = 1.5", "tcp.max_connections must be a whole number from 1 to 20000, not 1.5."),
        ("[tcp]\nmax = 1", "tcp.max is not a setting; write one of listen, max_connections."),
        ("tcp = ", "is not TOML: Invalid value (at end of document); correct that line."),
        ("[tcp\n", "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 5)"),
    ],
)
def test_wrong_table(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}: {expected}" in str(caught.value)


def test_every_error_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('name = 3\nidle_s = 1\n[tcp]\nlisten = ["x"]')
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [line.split()[1] for line in str(caught.value).splitlines()] == ["name", "idle_s", "tcp.listen[0]"]


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read \(No such file or directory\); name a file"):
        load(tmp_path / "none.toml")


def test_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(path)


def test_the_folder_of_an_enrolment_stands_alone_or_beside_where_the_daemon_has_moved() -> None:
    assert from_flags(None, None, ["127.0.0.1:0"], [], state="/s").state == Path("/s")
    moved = from_flags(None, "tls://[2001:db8::1]:7443", ["127.0.0.1:0"], [], state="/s")
    assert (moved.state, moved.daemon) == (Path("/s"), "tls://[2001:db8::1]:7443")


def test_flags() -> None:
    settings = from_flags("demo", None, ["127.0.0.1:0"], ["socket://127.0.0.1:5000"])
    assert (settings.name, settings.daemon) == ("demo", DAEMON)
    assert settings.serial[0].device == "socket://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a b", None, ["127.0.0.1:0"], []), "command line: --name must be 1 to 64 letters"),
        ((None, "192.0.2.1:1", ["127.0.0.1:0"], []), "command line: --daemon must be a socket of this machine"),
        ((None, None, ["7011"], []), f"command line: --listen {ADDRESS}'7011'."),
        ((None, None, [], ["COM1"]), "command line: --serial must be a path"),
        ((None, None, [], []), "command line: there is nothing to take frames from; give --listen, --serial or --ble."),
    ],
)
def test_wrong_flags(arguments: tuple[str | None, str | None, list[str], list[str]], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_flags(*arguments)
    assert expected in str(caught.value)
