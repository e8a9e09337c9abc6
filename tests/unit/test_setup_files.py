"""Configurations that the setup changes: what was not asked stays, and what fails leaves everything as it was."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attuned.config import MqttSettings, RoomSettings, load
from attuned.errors import ConfigError
from attuned.setup import files, plan
from attuned.setup.files import Change
from attuned.setup.wanted import Radios, Wanted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PACKAGING = Path(__file__).parents[2] / "packaging"
DEFAULT = (PACKAGING / "default" / "attuned.toml").read_text()
EXAMPLE = (PACKAGING / "attuned.example.toml").read_text()

# Written by a person: odd places for comments, tables in another order, a key of a newer hand.
HAND_MADE = """# ours, since 2024
[[rooms]]
id = "0.01"   # the porter sits here
nodes = ["a1b2c3d4e5f60708"]
# about the next one
[[rooms]]
id = '2.13'
name = "Old"
# about the broker
[mqtt] # in the cellar
host = "broker.lan"
# password_file = "/etc/old"

# about the site
[site]
name   =   "hall"
step_s = 30 # halves
[gateways]
listen = [
  "unix:/run/attune/gateway.sock", # ours
]
[retraining]
labels = 7
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "attuned.toml").write_text(DEFAULT)
    (tmp_path / "gateway.toml").write_text((PACKAGING / "default" / "gateway.toml").read_text())
    return tmp_path


def write(etc: Path, wanted: Wanted) -> list[Change]:
    changes = plan.changes(plan.present(etc), wanted)
    files.write(changes)
    return changes


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


BROKER = MqttSettings(host="mqtt.lan", port=8883, user="hall", ca_file=Path("/etc/ca.pem"))


def everything(present: Wanted) -> Wanted:
    rooms = (RoomSettings(id="2.13", name="New", floor="2"), RoomSettings(id="9", building="B"))
    return replace(
        present,
        name="townhall",
        timezone="Europe/Brussels",
        broker=BROKER,
        tls="tls://0.0.0.0:7443",
        radios=Radios(("0.0.0.0:7011",), ("/dev/ttyACM0", "/dev/ttyACM1"), "hci0"),
        password="right horse",
    ).with_rooms(rooms)


@pytest.mark.parametrize("text", [DEFAULT, EXAMPLE, HAND_MADE], ids=["default", "example", "by hand"])
def test_everything_is_written_and_nothing_else_is_changed(etc: Path, text: str) -> None:
    (etc / "attuned.toml").write_text(text)
    before = load(etc / "attuned.toml")
    write(etc, everything(plan.present(etc).wanted))
    after = load(etc / "attuned.toml")
    secret = etc / "secrets" / "mqtt-password"
    assert (after.site.name, after.site.timezone, after.site.step_s) == (
        "townhall",
        "Europe/Brussels",
        before.site.step_s,
    )
    assert after.mqtt == BROKER.model_copy(update={"password_file": secret})
    assert after.gateways.listen == ["unix:/run/attune/gateway.sock", "tls://0.0.0.0:7443"]
    assert (after.retraining, after.store, after.updates, after.nodes) == (
        before.retraining, before.store, before.updates, before.nodes
    )  # fmt: skip
    rooms = {room.id: room for room in after.rooms}
    assert list(rooms)[: len(before.rooms)] == [room.id for room in before.rooms]
    assert (rooms["2.13"].name, rooms["2.13"].floor, rooms["9"].building) == ("New", "2", "B")
    assert after.room_of == before.room_of
    assert set(comments(text)) <= set(comments((etc / "attuned.toml").read_text()))
    assert secret.read_text() == "right horse\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert plan.present(etc).wanted.radios == Radios(("0.0.0.0:7011",), ("/dev/ttyACM0", "/dev/ttyACM1"), "hci0")


def test_comments_stay_with_what_they_are_about(etc: Path) -> None:
    (etc / "attuned.toml").write_text(HAND_MADE)
    write(etc, everything(plan.present(etc).wanted))
    lines = [line for line in (etc / "attuned.toml").read_text().splitlines() if line]
    for comment, subject in (("# about the next one", "[[rooms]]"), ("# about the site", "[site]")):
        assert lines[lines.index(comment) + 1] == subject
    assert lines[lines.index("# about the broker") + 1] == "[mqtt] # in the cellar"
    assert any(line.startswith('id = "0.01"') and line.endswith("# the porter sits here") for line in lines)


def test_new_settings_have_the_comments_of_the_example(etc: Path) -> None:
    def said(text: str) -> set[str]:
        lines = [line for line in text.splitlines() if line.startswith(("user", "password", "floor"))]
        return {line.partition("#:")[2] for line in lines if "#:" in line}

    write(etc, everything(plan.present(etc).wanted))
    assert len(said(EXAMPLE)) == 3
    assert said((etc / "attuned.toml").read_text()) == said(EXAMPLE)


@pytest.mark.parametrize("text", [DEFAULT, EXAMPLE, HAND_MADE], ids=["default", "example", "by hand"])
def test_the_second_time_nothing_changes(etc: Path, text: str) -> None:
    (etc / "attuned.toml").write_text(text)
    assert plan.changes(plan.present(etc), plan.present(etc).wanted) == []
    wanted = everything(plan.present(etc).wanted)
    assert write(etc, wanted)
    again = replace(plan.present(etc).wanted, password="right horse")
    assert plan.changes(plan.present(etc), again) == []


def test_things_can_be_taken_out_again(etc: Path) -> None:
    write(etc, everything(plan.present(etc).wanted))
    fewer = replace(
        plan.present(etc).wanted.without_rooms(frozenset({"2.13", "9"})),
        broker=None,
        tls="",
        radios=Radios(("127.0.0.1:7011",), ("/dev/ttyACM1",), ""),
    )
    write(etc, fewer)
    after = plan.present(etc)
    assert (after.daemon.mqtt, after.daemon.rooms, after.daemon.gateways.tls_port) == (None, [], None)
    assert (after.gateway.ble, [port.device for port in after.gateway.serial]) == (None, ["/dev/ttyACM1"])


def test_a_room_that_goes_leaves_its_neighbours_whole(etc: Path) -> None:
    (etc / "attuned.toml").write_text(HAND_MADE)
    write(etc, plan.present(etc).wanted.without_rooms(frozenset({"2.13"})))
    text = (etc / "attuned.toml").read_text()
    assert [room.id for room in load(etc / "attuned.toml").rooms] == ["0.01"]
    assert "# about the broker" in text


# The first line of each comment is about what follows it.
GATEWAY = """daemon = "unix:/run/attune/gateway.sock"
# about the first
[[serial]]
device = "/dev/ttyACM0"

# about the second
[[serial]]
device = "/dev/ttyACM1"
# about the radio
[ble]
radio = "hci0"

# about TCP
# and its port
[tcp]
listen = ["127.0.0.1:7011"]
# the end
"""


@pytest.mark.parametrize(
    "radios",
    [
        Radios(("127.0.0.1:7011",), (), ""),
        Radios(("127.0.0.1:7011",), ("/dev/ttyACM1",), ""),
        Radios(("127.0.0.1:7011",), ("/dev/ttyACM0",), "hci0"),
        Radios(("127.0.0.1:7011",), ("/dev/ttyACM9",), "hci0"),
        Radios((), ("/dev/ttyACM1", "/dev/ttyACM9"), ""),
    ],
)
def test_comments_of_what_stays_stay_with_it(etc: Path, radios: Radios) -> None:
    (etc / "gateway.toml").write_text(GATEWAY)
    write(etc, replace(plan.present(etc).wanted, radios=radios))
    lines = [line for line in (etc / "gateway.toml").read_text().splitlines() if line]
    assert plan.present(etc).wanted.radios == radios
    assert lines[lines.index("# and its port") + 1] == "[tcp]"
    assert lines[lines.index("# about TCP") + 1] == "# and its port"
    assert "# the end" in lines
    assert "# about the radio" in lines
    if "/dev/ttyACM1" in radios.serial:
        assert lines[lines.index("# about the second") + 1] == "[[serial]]"


@pytest.mark.parametrize("text", [DEFAULT, EXAMPLE, HAND_MADE], ids=["default", "example", "by hand"])
@pytest.mark.parametrize("rooms", [True, False], ids=["rooms stay", "rooms go"])
def test_what_goes_takes_no_comment_of_its_neighbours_along(etc: Path, text: str, rooms: bool) -> None:
    (etc / "attuned.toml").write_text(text)
    before = plan.present(etc).wanted
    gone = {room.id for room in before.rooms} if not rooms else {room.id for room in before.rooms[:1]}
    write(etc, replace(before.without_rooms(frozenset(gone)), broker=None))
    after = (etc / "attuned.toml").read_text().splitlines()
    tables = [line for line in after if line.startswith("[") and line != "[[rooms]]"]
    for table in tables:
        above = [line for line in before_table(text.splitlines(), table) if line]
        assert not above or before_table(after, table)[-len(above) :] == above


def before_table(lines: list[str], heading: str) -> list[str]:
    """The comment that stands directly before a table."""
    comment: list[str] = []
    for line in lines[: lines.index(heading)]:
        comment = [*comment, line] if line.startswith("#") else []
    return comment


def test_nodes_of_rooms_are_written(etc: Path) -> None:
    (etc / "attuned.toml").write_text(HAND_MADE)
    given = (
        RoomSettings(id="2.13", nodes=["A1B2C3D4E5F60709", "a1b2c3d4e5f6070a"]),
        RoomSettings(id="9", nodes=["a1b2c3d4e5f6070b"]),
    )
    write(etc, plan.present(etc).wanted.with_rooms(given))
    assert [(room.id, room.name, room.nodes) for room in load(etc / "attuned.toml").rooms] == [
        ("0.01", "", ["a1b2c3d4e5f60708"]),
        ("2.13", "Old", ["a1b2c3d4e5f60709", "a1b2c3d4e5f6070a"]),
        ("9", "", ["a1b2c3d4e5f6070b"]),
    ]
    write(etc, plan.present(etc).wanted.with_rooms((RoomSettings(id="0.01", nodes=[]),)))
    assert load(etc / "attuned.toml").rooms[0].nodes == []


def test_the_setup_is_the_first_one_until_it_has_written_something(etc: Path) -> None:
    assert plan.present(etc).first
    write(etc, replace(plan.present(etc).wanted, radios=Radios(("127.0.0.1:7011",), (), "hci0")))
    assert not plan.present(etc).first
    (etc / "gateway.toml.before-setup").unlink()
    write(etc, replace(plan.present(etc).wanted, name="hall"))
    (etc / "attuned.toml.before-setup").unlink()
    assert not plan.present(etc).first


def test_a_room_that_went_and_came_again_keeps_its_place(etc: Path) -> None:
    (etc / "attuned.toml").write_text(HAND_MADE)
    again = RoomSettings(id="0.01", name="Porter")
    write(etc, plan.present(etc).wanted.without_rooms(frozenset({"0.01"})).with_rooms((again,)))
    rooms = load(etc / "attuned.toml").rooms
    assert [(room.id, room.name, room.nodes) for room in rooms] == [("0.01", "Porter", []), ("2.13", "Old", [])]


def test_a_copy_of_the_old_file_is_kept_and_owner_and_mode_stay(etc: Path) -> None:
    (etc / "attuned.toml").chmod(0o640)
    write(etc, replace(plan.present(etc).wanted, name="hall"))
    assert (etc / "attuned.toml.before-setup").read_text() == DEFAULT
    assert stat.S_IMODE((etc / "attuned.toml").stat().st_mode) == 0o640
    assert sorted(path.name for path in etc.iterdir()) == ["attuned.toml", "attuned.toml.before-setup", "gateway.toml"]


@pytest.mark.parametrize("now", [b"[site]\nname = 'other'\n", b"\xff", None])
def test_a_file_that_was_changed_meanwhile_is_left_as_it_is(etc: Path, now: bytes | None) -> None:
    changes = plan.changes(plan.present(etc), everything(plan.present(etc).wanted))
    daemon, gateway = etc / "attuned.toml", etc / "gateway.toml"
    before = gateway.read_bytes()
    if now is None:
        daemon.unlink()
    else:
        daemon.write_bytes(now)
    with pytest.raises(ConfigError, match=r"attuned\.toml was changed meanwhile: nothing was written"):
        files.write(changes)
    assert (daemon.read_bytes() if daemon.exists() else None) == now
    assert gateway.read_bytes() == before
    assert {path.name for path in etc.iterdir()} <= {"attuned.toml", "gateway.toml"}


def test_without_files_they_are_made(tmp_path: Path) -> None:
    write(tmp_path, replace(plan.present(tmp_path).wanted, name="hall", broker=MqttSettings()))
    after = load(tmp_path / "attuned.toml")
    assert (after.site.name, after.mqtt) == ("hall", MqttSettings())
    assert plan.present(tmp_path).gateway.tcp.listen[0].port == 7011


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[site]\nname = "a"\nmqtt = 1', "attuned.toml: key site.mqtt is unknown"),
        ("[site", "attuned.toml: is not TOML"),
        ('site.name = "a"\nrooms = [{id = "1"}]\n', None),
        ('site = {name = "a"}\n', None),
        ('[site]\nname = "a"\n[gateways]\nlisten = ["unix:/run/s"]\n[mqtt]\n[[rooms]]\nid = "1"\n', None),
    ],
)
def test_files_of_another_form_are_changed_rightly_or_not_at_all(etc: Path, text: str, name: str | None) -> None:
    (etc / "attuned.toml").write_text(text)
    refused = ""
    try:
        write(etc, everything(plan.present(etc).wanted))
    except ConfigError as error:
        refused = str(error)
    if refused:
        assert (etc / "attuned.toml").read_text() == text
        assert (name or "form") in refused
    else:
        assert name is None
        after = plan.present(etc).wanted
        assert after == replace(everything(after), password=None, broker=after.broker)


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
ROOMS = st.builds(
    RoomSettings,
    id=NAMES,
    name=st.text(st.characters(exclude_categories=["C"]), max_size=12),
    floor=NAMES,
)


@given(
    start=st.sampled_from([DEFAULT, EXAMPLE, HAND_MADE]),
    name=NAMES,
    rooms=st.lists(ROOMS, max_size=4),
    gone=st.sets(st.sampled_from(["0.01", "2.13"])),
    broker=st.none() | st.builds(MqttSettings, host=NAMES, port=st.integers(1, 65535), user=st.none() | NAMES),
    tls=st.sampled_from(["", "tls://0.0.0.0:7443", "tls://[::]:1"]),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_wanted_is_what_the_daemon_reads(
    etc: Path,
    *,
    start: str,
    name: str,
    rooms: list[RoomSettings],
    gone: set[str],
    broker: MqttSettings | None,
    tls: str,
) -> None:
    (etc / "attuned.toml").write_text(start)
    wanted = replace(plan.present(etc).wanted, name=name, broker=broker, tls=tls)
    wanted = wanted.without_rooms(frozenset(gone)).with_rooms(tuple(rooms))
    write(etc, wanted)
    assert plan.present(etc).wanted == wanted


class TestFailures:
    """The n-th call of the system fails: the folder is as before, file by file."""

    @pytest.fixture
    def before(self, etc: Path) -> dict[str, bytes]:
        files.write([Change(etc / "secrets" / "mqtt-password", None, "old\n", secret=True)])
        return contents(etc)

    @pytest.mark.parametrize("call", ["replace", "fsync", "open", "fchmod"])
    @pytest.mark.parametrize("nth", range(6))
    def test_all_or_nothing(
        self, etc: Path, before: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, call: str, nth: int
    ) -> None:
        changes = plan.changes(plan.present(etc), everything(plan.present(etc).wanted))
        assert len(changes) == 3
        with failing(monkeypatch, call, nth) as failed:
            said = ""
            try:
                files.write(changes)
            except ConfigError as error:
                said = str(error)
        assert bool(said) == bool(failed)
        assert said in ("", "disk cannot be written (No space left on device): nothing was changed.")
        after = contents(etc)
        after = {name: data for name, data in after.items() if not name.endswith(files.COPY)}
        if failed:
            assert after == before
        else:
            assert after != before
            assert load(etc / "attuned.toml").site.name == "townhall"

    def test_a_refused_draft_changes_nothing(self, etc: Path, before: dict[str, bytes]) -> None:
        changes = plan.changes(plan.present(etc), replace(plan.present(etc).wanted, radios=Radios((), (), "")))
        with pytest.raises(ConfigError, match=r"gateway\.toml: there is nothing to take frames from"):
            files.write(changes)
        assert contents(etc) == before

    def test_an_impossible_wish_is_refused_before_anything(self, etc: Path, before: dict[str, bytes]) -> None:
        with pytest.raises(ConfigError, match=r"key site\.timezone is not right"):
            plan.changes(plan.present(etc), replace(plan.present(etc).wanted, timezone="Mars/Olympus"))
        assert contents(etc) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class failing:  # noqa: N801 (used as a context)
    """Lets the n-th call of a function fail; afterwards says whether it came to that."""

    def __init__(self, patch: pytest.MonkeyPatch, call: str, nth: int) -> None:
        self._patch, self._call, self._nth = patch, call, nth
        self._done = False

    def __bool__(self) -> bool:
        return self._done

    def __enter__(self) -> "failing":
        owner = Path if self._call == "replace" else os
        real = getattr(owner, self._call)
        counted: Iterator[int] = iter(range(1000))

        def call(*arguments: object, **more: object) -> object:
            if next(counted) == self._nth:
                self._done = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")
            return real(*arguments, **more)

        self._patch.setattr(owner, self._call, call)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
