"""`attune setup` as a person at a terminal has it, and as a program runs it."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from attuned.backup import intent
from attuned.cli import setup
from attuned.config import load
from attuned.half_restored import path_of
from attuned.setup import broker, services
from cli_run import CommandLine, environment
from cli_terminal import Session, first_answers

DEFAULT = Path(__file__).parents[2] / "packaging" / "default"
ROOMS = ["Room;Name;Floor", "2.13;Big room;2", "2 14;Small;2", "0.01;Hall;0"]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    shutil.copytree(DEFAULT, folder, ignore=shutil.ignore_patterns("further"))
    return folder


@pytest.fixture
def nobody_listens() -> Iterator[int]:
    """A port that is taken and on which no connection is accepted."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def whole(port: int) -> list[tuple[str, str]]:
    """All questions, with the one bad row asked for again."""
    answers = first_answers(port, ROOMS)
    at = next(index for index, (question, _) in enumerate(answers) if question.startswith("Host"))
    return [*answers[:at], ("Type these again", ""), ("  > ", "2.14;Small;2"), ("  > ", ""), *answers[at:]]


def run_whole(etc: Path, port: int) -> str:
    answers = [pair for pair in whole(port) if pair[0] != "Type these again"]
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        session.answer(*answers)
        assert session.end() == 0, session.screen
        return session.screen


def test_a_first_setup(etc: Path, nobody_listens: int) -> None:
    screen = run_whole(etc, nobody_listens)
    settings = load(etc / "attuned.toml")
    assert (settings.site.name, settings.site.timezone) == ("townhall", "Europe/Brussels")
    assert [(room.id, room.name, room.floor) for room in settings.rooms] == [
        ("2.13", "Big room", "2"),
        ("0.01", "Hall", "0"),
        ("2.14", "Small", "2"),
    ]
    assert settings.mqtt is not None
    assert (settings.mqtt.port, settings.mqtt.user, settings.mqtt.password) == (nobody_listens, "hall", "right horse")
    assert settings.gateways.tls_port == ("0.0.0.0", 7443)  # noqa: S104 (read, not bound)
    assert (etc / "backup-key.toml").exists()
    assert stat.S_IMODE((etc / "backup-key.toml").stat().st_mode) == 0o600
    assert "line 3, `2 14;Small;2`: the id must be one word" in screen
    assert "nothing listens; start a broker here" in " ".join(screen.split())
    assert "horse" not in screen
    assert "Restart attuned and attune-gateway to have it taken up." in screen
    changes = " ".join(screen.partition("This changes:")[2].split())
    assert changes.startswith(
        "name site → townhall time zone UTC → Europe/Brussels "
        f"broker 127.0.0.1:1883 → 127.0.0.1:{nobody_listens} as hall serial lines none → /dev/ttyACM0 "
        "TCP for nodes 127.0.0.1:7011 → 0.0.0.0:7011 gateways at none → tls://0.0.0.0:7443 "
        "new rooms 2.13, 0.01, 2.14 password of the broker: new backups a new passphrase"
    )
    for name in ("attuned.toml", "gateway.toml", "secrets/mqtt-password", "backup-key.toml"):
        assert f"file {etc / name}" in changes
    assert max(map(len, screen.splitlines())) <= 80 + len(str(etc))


def test_run_again_every_answer_is_there_already(etc: Path, nobody_listens: int) -> None:
    run_whole(etc, nobody_listens)
    before = contents(etc)
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        session.answer(
            ("Name, one word [townhall]: ", ""),
            ("Time zone [Europe/Brussels]: ", ""),
            ("Add, change or take out rooms? (y/n) [n]: ", ""),
            ("Host (- for none) [127.0.0.1]: ", ""),
            (f"[{nobody_listens}]: ", ""),
            ("CA file", ""),
            ("User (- for none) [hall]: ", ""),
            ("Password (Enter keeps the one that is there): ", ""),
            ("Keep this broker?", ""),
            ("Bluetooth adapter", ""),
            ("[/dev/ttyACM0]: ", ""),
            ("[0.0.0.0:7011]: ", ""),
            ("[7443]: ", ""),
            ("Passphrase (Enter keeps the one that is there): ", ""),
        )
        session.until("Nothing differs from the configuration that is there.")
        assert session.end() == 0
    assert contents(etc) == before


def test_a_site_that_keeps_its_name_is_proposed_what_it_has(etc: Path, nobody_listens: int) -> None:
    _, (zone, _), *others = first_answers(nobody_listens, ROOMS[:2])
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        session.answer(("Name, one word [site]: ", ""), (zone, "Pacific/Apia"), *others)
        assert session.end() == 0, session.screen
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        session.answer(("Name, one word [site]: ", ""), ("Time zone [Pacific/Apia]: ", ""))
        session.until("Add, change or take out rooms?")


@pytest.mark.slow
@pytest.mark.parametrize(("key", "said"), [("\x03", "Stopped before it was done"), ("\x04", "The input has ended")])
def test_an_end_at_any_question_leaves_everything_as_it_is(etc: Path, nobody_listens: int, key: str, said: str) -> None:
    before = contents(etc)
    answers = [pair for pair in whole(nobody_listens) if pair[0] != "Type these again"]
    for count in range(len(answers)):
        with Session("setup", "--etc", str(etc), folder=etc) as session:
            session.answer(*answers[:count])
            session.until(answers[count][0])
            session.press(key)
            assert session.end() == 1, session.screen
            assert f"\nattune: {said}" in session.screen
            assert "Traceback" not in session.screen
        assert contents(etc) == before, answers[count]


# What is answered to a question, and what is said to it.
WRONG = {
    "Name, one word": dict.fromkeys(["two words", "a/b", "x" * 65, "a\u200bb"], "A name is one word"),
    "Time zone": {
        "brusels": "did you mean Europe/Brussels",
        **dict.fromkeys(["Mars", "../../etc/passwd", ";"], "There is no such time zone"),
    },
    "Host (": {"mqtt://lan": "Write the host alone", "lan:1883": "Write the host alone", "a b": "not one word"},
    "Port, usually": dict.fromkeys(["x", "0", "65536", "\u0661", "9" * 99], "A port is a number from 1 to 65535."),
    "CA file": {
        "ca.pem": "There is no file ca.pem; write its whole path",
        "/etc": "There is no file /etc",
        "/home/ann/ca.pem": "The daemon's service sees nothing in /home",
    },
    "User (": {"a b": "not one word"},
    "Keep this broker?": {"perhaps": "Say y or n."},
    "Bluetooth adapter": {"hci": "An adapter has a name such as hci0."},
    "Serial lines": {"77": "77 is none of the numbers", "ttyACM0": "no device such as /dev/ttyACM0"},
    "TCP for nodes": dict.fromkeys(["7011", "::", "x:99999"], "An address is 0.0.0.0:7011"),
    "Port for them": {"65535": "take one from 1 to 65534", "-1": "A port is a number"},
    "Passphrase": {"horse": "take at least 12 characters"},
    "The same again": {"another one": "These were two different ones"},
    "Write this?": {"why": "Say y or n."},
}


def test_wrong_answers_are_said_to_be_so_and_asked_again(etc: Path, nobody_listens: int) -> None:
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        for question, answer in first_answers(nobody_listens, ["2.13;North"]):
            for wrong, said in WRONG.get(next((key for key in WRONG if question.startswith(key)), ""), {}).items():
                session.answer((question, wrong))
                session.until(said)
                if question.startswith("The same"):
                    session.answer(("Passphrase", answer))
            session.answer((question, answer))
        assert session.end() == 0, session.screen
    assert [room.name for room in load(etc / "attuned.toml").rooms] == ["North"]


def test_a_city_is_a_time_zone_and_an_address_a_host(etc: Path) -> None:
    with Session("setup", "--etc", str(etc), folder=etc) as session:
        session.answer(("Name", "hall"), ("Time zone", "new york"), ("  > ", ""), ("Host", "::1"))
        session.until("Port, usually")


def test_a_site_that_cannot_be_written_is_said_at_once(tmp_path: Path, attune: CommandLine) -> None:
    code, out, err = attune("setup", "--etc", str(tmp_path / "none" / "etc"))
    assert (code, out) == (1, "")
    assert err.startswith("attune: The configuration in ")
    assert err.endswith("is root's to write; run `sudo attune setup`.\n")


def test_without_a_terminal_it_asks_for_a_file(etc: Path, attune: CommandLine) -> None:
    code, _, err = attune("setup", "--etc", str(etc))
    assert (code, err) == (
        1, "attune: The setup asks questions at a terminal; without one give it a file: `--answers FILE`.\n"
    )  # fmt: skip


class TestAnswers:
    """Nobody attends."""

    def run(self, attune: CommandLine, etc: Path, text: str, *more: str) -> tuple[int, str, str]:
        (etc.parent / "answers.toml").write_text(text)
        return attune("setup", "--etc", str(etc), "--answers", str(etc.parent / "answers.toml"), *more)

    def test_all_of_them(self, etc: Path, attune: CommandLine) -> None:
        (etc.parent / "rooms.csv").write_text("id,name\n2.13,North\n")
        (etc.parent / "secret").write_text("right horse\n")
        answers = f"""
            name = "townhall"
            timezone = "Europe/Brussels"
            rooms_file = "{etc.parent}/rooms.csv"
            gateway_port = 7443
            passphrase_file = "{etc.parent}/secret.long"
            [broker]
            host = "mqtt.lan"
            user = "hall"
            password_file = "{etc.parent}/secret"
            [radios]
            bluetooth = "hci1"
            listen = []
            [[rooms]]
            id = "9"
        """
        (etc.parent / "secret.long").write_text("correct horse battery\n")
        code, out, err = self.run(attune, etc, answers)
        assert (code, err) == (0, "")
        settings = load(etc / "attuned.toml")
        assert settings.mqtt is not None
        assert (settings.site.name, settings.mqtt.host, settings.mqtt.password) == (
            "townhall",
            "mqtt.lan",
            "right horse",
        )
        assert sorted(room.id for room in settings.rooms) == ["2.13", "9"]
        assert "horse" not in out
        assert (
            self.run(attune, etc, 'name = "townhall"')[1] == "\nNothing differs from the configuration that is there.\n"
        )
        self.run(attune, etc, 'remove_rooms = ["9"]\ngateway_port = 0\nbroker = false')
        settings = load(etc / "attuned.toml")
        assert ([room.id for room in settings.rooms], settings.mqtt, settings.gateways.tls_port) == (
            ["2.13"],
            None,
            None,
        )

    def test_files_that_are_gone_are_written_as_they_were_shipped(self, etc: Path, attune: CommandLine) -> None:
        shipped = load(etc / "attuned.toml")
        for path in etc.iterdir():
            path.unlink()
        assert self.run(attune, etc, 'timezone = "UTC"\n[radios]\nbluetooth = ""')[0] == 0
        assert load(etc / "attuned.toml") == shipped

    def test_a_dry_run_writes_nothing(self, etc: Path, attune: CommandLine) -> None:
        before = contents(etc)
        code, out, err = self.run(attune, etc, 'name = "townhall"', "--dry-run")
        assert (code, err) == (0, "")
        assert '+name = "townhall"' in out
        assert contents(etc) == before

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("name = ", "answers.toml: is not TOML: "),
            ('nam = "x"', "answers.toml: nam is no answer; correct its name, or leave it out."),
            ('name = "a/b"', "key site.name is not right; write one word"),
            ('timezone = "Mars"', "key site.timezone is not right"),
            ('rooms_file = "/none"', "/none: cannot be read (No such file or directory): name"),
            ('rooms_file = "/dev/zero"', "/dev/zero has more than 4 MiB"),
            ('remove_rooms = ["9"]', "remove_rooms names 9, which is not configured"),
            ("gateway_port = 65535", "answers.toml: gateway_port cannot be used"),
            ("[broker]\nport = 0", "broker.port cannot be used"),
            (
                '[broker]\nca_file = "/home/ann/ca.pem"',
                "copy /home/ann/ca.pem to /etc/attune, for instance, and name it there.",
            ),
            ('[broker]\npassword_file = "/dev/null"', "/dev/null has nothing in its first line"),
            ('[radios]\nbluetooth = "hci"', "gateway.toml: ble.radio must be an adapter of BlueZ"),
            ("[radios]\nlisten = []", "gateway.toml: there is nothing to take frames from"),
        ],
    )
    def test_bad_ones_change_nothing(self, etc: Path, attune: CommandLine, text: str, said: str) -> None:
        before = contents(etc)
        code, _, err = self.run(attune, etc, text)
        assert code == 1
        assert said in err
        assert contents(etc) == before

    def test_a_configuration_that_cannot_be_read_is_not_replaced(self, etc: Path, attune: CommandLine) -> None:
        (etc / "attuned.toml").write_text("[site")
        code, _, err = self.run(attune, etc, 'name = "townhall"')
        assert code == 1
        assert "attuned.toml: is not TOML" in err
        assert (etc / "attuned.toml").read_text() == "[site"

    def test_a_restore_that_runs_or_was_cut_off_is_not_mixed_with_it(self, etc: Path, attune: CommandLine) -> None:
        before = contents(etc)
        with intent.alone(etc):
            code, _, err = self.run(attune, etc, 'name = "townhall"')
            assert (code, contents(etc)) == (1, before)
        assert err == (f"attune: A backup, a restore or a setup of {etc} is under way: wait until it has ended.\n")
        path_of(etc).write_text("{}")
        code, _, err = self.run(attune, etc, 'name = "townhall"')
        assert (code, contents(etc)) == (1, before)
        assert "was cut off half-way: `sudo attune restore --finish` ends it" in " ".join(err.split())


@pytest.mark.parametrize("command", ["setup", "doctor"])
def test_it_comes_up_at_once(etc: Path, command: str, attune: CommandLine) -> None:
    """Neither numpy nor SQLite is loaded for it."""
    (etc.parent / "answers.toml").write_text('name = "x"')
    more = ["--dry-run", "--answers", str(etc.parent / "answers.toml")] if command == "setup" else []
    program = (
        "import sys\nfrom attuned.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    words = [sys.executable, "-c", program, command, "--etc", str(etc), *more]
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=environment())
    loaded = set(run.stderr.split())
    assert "attuned.config" in loaded
    assert not {"numpy", "sqlite3"} & loaded


class TestStarting:
    """The services take up what was written."""

    @pytest.fixture
    def restarted(self, etc: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        units: list[str] = []

        def restart(names: Sequence[str]) -> str:
            units.extend(names)
            return ""

        monkeypatch.setattr(setup, "ETC", etc)
        monkeypatch.setattr(setup, "SETTLES_S", 0.0)
        monkeypatch.setattr(services, "under_systemd", lambda: True)
        monkeypatch.setattr(services, "restart", restart)
        # Not with whatever broker runs on this machine.
        monkeypatch.setattr(broker, "take_back", lambda settings, password, site: 0)
        return units

    def run(self, attune: CommandLine, etc: Path, text: str) -> tuple[int, str, str]:
        (etc.parent / "answers.toml").write_text(text)
        return attune("setup", "--etc", str(etc), "--answers", str(etc.parent / "answers.toml"))

    def test_what_changed_is_restarted(self, etc: Path, attune: CommandLine, restarted: list[str]) -> None:
        code, out, _ = self.run(attune, etc, 'name = "hall"')
        assert (code, restarted) == (0, ["attuned"])
        assert "Restarting attuned." in out
        assert out.endswith("  Attune is up.\n  `attune status` shows how it is.\n")
        restarted.clear()
        self.run(attune, etc, '[radios]\nbluetooth = "hci0"')
        assert restarted == ["attune-gateway"]
        restarted.clear()
        self.run(attune, etc, 'name = "house"\n[radios]\nbluetooth = ""')
        assert restarted == ["attuned", "attune-gateway"]

    def test_the_broker_is_rid_of_a_name_that_is_gone(
        self, etc: Path, attune: CommandLine, restarted: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def take_back(settings: object, password: str | None, site: str) -> int:
            asked.append(site)
            return 3

        monkeypatch.setattr(broker, "take_back", take_back)
        _, out, _ = self.run(attune, etc, 'name = "hall"')
        assert (restarted, asked) == (["attuned"], ["site"])
        assert "What the broker kept under the name site is taken back, 3 messages." in out
        self.run(attune, etc, "gateway_port = 7443")
        assert asked == ["site"]

    def test_a_passphrase_restarts_nothing(self, etc: Path, attune: CommandLine, restarted: list[str]) -> None:
        (etc.parent / "words").write_text("correct horse battery\n")
        code, _, err = self.run(attune, etc, f'passphrase_file = "{etc.parent}/words"')
        assert (code, err, restarted) == (0, "", [])

    def test_what_is_missing_is_said(self, etc: Path, attune: CommandLine, restarted: list[str]) -> None:
        attune.site.empty()
        attune.site.broker = "The broker at h:1 cannot be reached (x): start it."
        code, out, _ = self.run(attune, etc, 'name = "hall"')
        text = " ".join(out.split())
        assert code == 0
        assert "The broker at h:1 cannot be reached (x): start it. No gateway is attached yet" in text
        assert text.endswith("Next: `sudo attune setup` asks for the rooms.")

    def test_services_that_do_not_start(
        self, etc: Path, attune: CommandLine, restarted: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "restart", lambda names: "Job failed.")
        code, _, err = self.run(attune, etc, 'name = "hall"')
        assert code == 1
        assert err == "attune: The services do not start (Job failed.); `sudo attune doctor` says why.\n"
