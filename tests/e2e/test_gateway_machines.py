"""`attune-gateway` as a process on machines that lack something: a sentence each, exit codes, no tight loops."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attune_gateway.enrolment import FILE, Enrolment, key_pem, new_key, save
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hostile_bus import Bus
from installation import wait_until
from notices import Notices

PROGRAM = [sys.executable, "-c", "from attune_gateway.main import main; main()"]

# The administrator may open everything; a service may not, even where tests run as root.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

LISTEN = '[tcp]\nlisten = ["127.0.0.1:0"]\n'


@dataclass(frozen=True)
class Machine:
    """A folder with what the gateway finds there, `{}` in its settings, and what it has for a system bus."""

    folder: Path
    bus: str

    def start(self, settings: str | None) -> subprocess.Popen[str]:
        path = self.folder / "gateway.toml"
        if settings is not None:
            path.write_text(f'daemon = "unix:{self.folder}/no.sock"\n' * ("state" not in settings) + settings)
        return subprocess.Popen(
            [*POWERLESS, *PROGRAM, "--config", str(path)],
            env=os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": self.bus},
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, f"unix:path={tmp_path}/no-bus")


@contextlib.contextmanager
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def listening_at(address: str) -> str:
    return f'[tcp]\nlisten = ["{address}"]\n'


# --- What a restart does not mend, and what may pass ---


def test_settings_that_this_user_may_not_read(machine: Machine) -> None:
    path = machine.folder / "gateway.toml"
    path.write_text(LISTEN)
    path.chmod(0)
    expect_end(machine, None, 2, re.compile(rf"^{path}: cannot be read \(Permission denied\); let \w+ read it\.$"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("[tcp\n", r"gateway\.toml: is not TOML: .*; correct that line\."),
        ("[tpc]\n", r"gateway\.toml: tpc is not a setting; write one of .*tcp.*\."),
        ("", r"gateway\.toml: there is nothing to take frames from; set tcp\.listen or add .*\."),
        ('[ble]\nradio = "dongle"\n', r"gateway\.toml: ble\.radio must be an adapter of BlueZ such as .*\."),
        ('[ble]\nradio = "ubs:0"\n', r"gateway\.toml: ble\.radio must be .*, not 'ubs:0'\."),
        (listening_at("127.0.0.1:80"), r"\w+ must not listen on 127\.0\.0\.1:80: choose a port from 1024 on\."),
    ],
)
def test_settings_that_cannot_be_used(machine: Machine, settings: str, expected: str) -> None:
    expect_end(machine, settings, 2, re.compile(expected))


def test_a_port_that_is_taken(machine: Machine) -> None:
    with taken() as address:
        expected = "Address already in use): stop the program that does (`ss -ltnp`), or choose another port."
        expect_end(machine, listening_at(address), 1, f"The gateway cannot listen on {address} ({expected}")


def test_an_address_of_another_machine(machine: Machine) -> None:
    expected = "Cannot assign requested address): this machine has no such address now; choose one of `ip address`."
    settings = listening_at("192.0.2.1:7011")
    expect_end(machine, settings, 1, f"The gateway cannot listen on 192.0.2.1:7011 ({expected}")


def expect_end(machine: Machine, settings: str | None, code: int, expected: str | re.Pattern[str]) -> None:
    """The process ends by itself, with this code and this one sentence; it may have begun to listen before."""
    process = machine.start(settings)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code, said
    (sentence,) = [line for line in said.splitlines() if not line.startswith("Listening for nodes on")]
    found = re.search(expected, sentence) if isinstance(expected, re.Pattern) else sentence == expected
    assert found, sentence


# --- What may come back ---


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LISTEN, r"The daemon at unix:.*/no\.sock is not reachable: start attuned\.service; "),
        (
            f'{LISTEN}[[serial]]\ndevice = "/dev/no-such-tty"\n',
            r"Serial line /dev/no-such-tty cannot be opened: it is not there: plug it in, or correct its name; ",
        ),
        (
            f'{LISTEN}[[serial]]\ndevice = "/dev/null"\n',
            r"Serial line /dev/null cannot be opened: it is no serial line: correct its name; ",
        ),
        (
            f'{LISTEN}[[serial]]\ndevice = "socket://127.0.0.1:1"\n',
            r"Serial line socket://127\.0\.0\.1:1 cannot be opened: Connection refused; ",
        ),
        (
            f'{LISTEN}[ble]\nradio = "hci0"\n',
            r"Bluetooth radio hci0 cannot be used: there is no D-Bus \(.*\); start dbus\.service and ",
        ),
        (
            f'{LISTEN}[ble]\nradio = "serial:/dev/no-such-tty,115200"\n',
            r"Bluetooth radio serial:/dev/no-such-tty,115200 cannot be opened: it is not there: plug it in",
        ),
        (f'{LISTEN}[ble]\nradio = "usb:77"\n', r"Bluetooth radio usb:77 cannot be opened: .*(it is not there|no USB)"),
    ],
)
def test_what_is_missing_is_waited_for(machine: Machine, settings: str, expected: str) -> None:
    expect_patience(machine, settings, expected)


def test_a_serial_line_that_this_user_may_not_open(machine: Machine) -> None:
    device = machine.folder / "tty"
    device.write_text("")
    device.chmod(0)
    expected = rf"Serial line {device} cannot be opened: \w+ may not open it: add \w+ to the group that owns it"
    expect_patience(machine, f'{LISTEN}[[serial]]\ndevice = "{device}"\n', expected)


def test_a_daemon_whose_socket_this_user_may_not_use(machine: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(f"{machine.folder}/no.sock")
        daemon.listen()
        Path(f"{machine.folder}/no.sock").chmod(0)
        expected = r"The daemon at .* is not reachable: \w+ may not write to its socket; see \[gateways\] group"
        expect_patience(machine, LISTEN, expected)


def test_a_state_that_is_not_there(machine: Machine) -> None:
    expected = rf"{FILE} is not there: run here what `attune gateway invite NAME` .*, with --state {machine.folder}\. "
    expect_patience(machine, f'state = "{machine.folder}"\n{LISTEN}', expected)


def test_a_state_of_somebody_else(machine: Machine) -> None:
    (machine.folder / "state").mkdir()
    (machine.folder / "state").chmod(0)
    expected = rf"{FILE} cannot be read \(Permission denied\): it and its folder must belong to \w+\. "
    expect_patience(machine, f'state = "{machine.folder}/state"\n{LISTEN}', expected)


@pytest.mark.parametrize("content", ["", "{}", "{", '{"name": "north", "daemon": "x", "authority": "", "key": ""}'])
def test_a_state_that_is_broken(machine: Machine, content: str) -> None:
    (machine.folder / FILE).write_text(content)
    expected = rf"{FILE} holds no enrolment: enroll the gateway again\. "
    expect_patience(machine, f'state = "{machine.folder}"\n{LISTEN}', expected)


def test_an_enrolment_that_comes_while_it_is_waited_for(machine: Machine) -> None:
    """systemd counts the gateway as started, and fed, long before; nodes are taken from then on."""
    with Notices() as systemd:
        process = machine.start(f'state = "{machine.folder}/state"\n{LISTEN}')
        try:
            for _ in range(2):
                ready, fed, status = systemd.next(20)
                assert (ready, fed) == ("READY=1", "WATCHDOG=1")
                assert status.startswith(f"STATUS=Gateway without an enrolment. {machine.folder}/state/{FILE} is not")
            enrol(machine.folder / "state")
            waited = _lines_until(process, lambda line: line.startswith("Listening for nodes on 127.0.0.1:"))
        finally:
            process.terminate()
            process.communicate(timeout=10)
    assert [line.partition(",")[0] for line in waited[1:-1]] == ["Enrolled as north with the daemon at 127.0.0.1:1"]


def test_a_state_that_this_user_may_not_write(machine: Machine) -> None:
    state = machine.folder / "state"
    enrol(state)
    state.chmod(0o500)
    expected = rf"^{state} must belong to \w+: else there is no certificate after 2\d\d\d-\d\d-\d\d\.$"
    expect_patience(machine, f'state = "{state}"\n{LISTEN}', expected)


def enrol(state: Path) -> None:
    """As with a daemon that is away for good: the certificate is the authority's own."""
    key, now = new_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "north")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    dated = made.not_valid_before(now).not_valid_after(now + timedelta(days=90))
    pem = dated.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
    save(state, Enrolment(name="north", daemon="127.0.0.1:1", authority=pem, certificate=pem, key=key_pem(key)))


def test_a_controller_that_says_nothing_does_not_delay_the_end(machine: Machine) -> None:
    with taken() as address:
        expect_patience(machine, f'{LISTEN}[ble]\nradio = "tcp-client:{address}"\n', r"The daemon at")


@pytest.mark.parametrize(
    ("policy", "has", "expected"),
    [
        ("allow", None, r"cannot be used: bluetoothd does not run; plug a radio in, or start bluetooth\.service; "),
        ("deny", True, r"cannot be used: D-Bus keeps \w+ from bluetoothd; add \w+ to the group bluetooth"),
        ("allow", "nothing", r"is not there; plug it in, or name one of `bluetoothctl list`; "),
        ("allow", "off", r"is off; switch it on with `bluetoothctl power on`; "),
    ],
)
def test_what_bluetoothd_lacks(tmp_path: Path, policy: str, has: str | None, expected: str) -> None:
    with Bus(tmp_path, policy) as bus:
        if has:
            bus.serve(adapter="hci0" if has == "off" else "hci7")
        machine = Machine(tmp_path, bus.address)
        expect_patience(machine, f'{LISTEN}[ble]\nradio = "hci0"\n', f"Bluetooth radio hci0 {expected}")


def test_what_it_waits_for_is_what_systemd_shows(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`attune doctor` repeats it: no daemon, no such line, a radio without a bus; nothing of the line that is there."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with taken() as address, Notices() as systemd:
        there = f'[[serial]]\ndevice = "socket://{address}"\n'
        away = '[[serial]]\ndevice = "/dev/no-such-tty"\n[ble]\nradio = "hci0"\n'
        process = machine.start(f'name = "north"\n{LISTEN}{there}{away}')
        try:
            shown: list[str] = []

            def all_is_said() -> bool:
                shown[:] = [*shown, *systemd.heard()][-1:]
                return all(word in "".join(shown) for word in ("links 1", "/no.sock is not", "no-such-tty", "hci0"))

            wait_until(all_is_said, "A status with everything that is missing")
        finally:
            process.terminate()
            process.communicate(timeout=10)
    (line,) = shown
    expected = f"STATUS=Gateway north: links 1, without the daemon at unix:{machine.folder}/no.sock. The daemon at "
    assert line.startswith(expected)
    assert "Serial line /dev/no-such-tty cannot be opened: it is not there: plug it in" in line
    assert "Bluetooth radio hci0 cannot be used: there is no D-Bus" in line
    assert address not in line


def expect_patience(machine: Machine, settings: str, expected: str) -> None:
    """The process says so in one line, goes on without work to speak of, and ends within five seconds when told."""
    process = machine.start(settings)
    try:
        heard = _lines_until(process, lambda line: bool(re.search(expected, line)))
        assert not [line for line in heard if "Traceback" in line]
        used_s = _processor_s(process.pid)
        time.sleep(0.5)
        assert _processor_s(process.pid) - used_s < 0.3
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in said
    # Each thing that is missing was said once: none of them changes within a second.
    assert len(heard) + said.count("\n") <= 5, (heard, said)


def _lines_until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> list[str]:
    assert process.stderr is not None
    heard: list[str] = []
    for line in process.stderr:
        heard.append(line)
        if wanted(line):
            return heard
    raise AssertionError(heard)


def _processor_s(pid: int) -> float:
    """Time that a process has had of processors."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
