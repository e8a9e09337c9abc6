"""Configurations of the daemon: every mistake is one sentence that names file and key, and what to write."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import attune_gateway.config
import pytest
from attuned.app import make_clock, make_publisher
from attuned.clock import ScaledClock, SystemClock
from attuned.config import ClockSettings, MqttSettings, NodeSettings, load
from attuned.errors import ConfigError
from attuned.setup.comments import comment

EXAMPLE = Path(__file__).parents[2] / "packaging" / "attuned.example.toml"
INSTALLED = Path(__file__).parents[2] / "packaging" / "default"

SITE = '[site]\nname = "s"\n'
NODE = "key rooms[0].nodes[0] is not right; write a list of node ids of 16 hex digits"
NAME = 'write one word without / + #, a level of every MQTT topic, such as name = "townhall".'
ID = 'write one word without / + #, a level of MQTT topics, such as id = "2.13".'
PORT = "write a port from 1 to 65535, usually 8883 with a ca_file, such as port = 1883."

BAD = [
    ("", 'key site is missing; write a table [site] with name = "townhall".'),
    ("[site]", f"key site.name is missing; {NAME}"),
    ('site = "s"', 'key site is not right; write a table [site] with name = "townhall".'),
    ('[site]\nname = "a/b"', f"key site.name is not right; {NAME}"),
    ('[site]\nname = "two words"', "key site.name is not right; write one word"),
    ('[site]\nname = ""', "key site.name is not right; write one word"),
    (SITE + 'timezone = "Mars/Olympus"', "key site.timezone is not right; write an IANA name"),
    (SITE + "step_s = 5", "key site.step_s is not right; write seconds from 10 to 600 that divide an hour"),
    (SITE + "step_s = 601", "key site.step_s is not right; write seconds from 10 to 600 that divide an hour"),
    (SITE + "step_s = 50.5", "key site.step_s is not right; write seconds from 10 to 600"),
    (SITE + "step_s = 7e1", "site.step_s is 70; write a number of seconds that divides an hour, such as 60."),
    (
        SITE + "colour = 1",
        "key site.colour is unknown; leave it out, or write one of name, timezone, step_s, cost_ratio, test_nodes.",
    ),
    (
        SITE + "[mqqt]",
        "key mqqt is unknown; leave it out, or write one of site, store, mqtt, gateways, retraining, updates, api",
    ),
    (SITE + "[mqtt]\nport = 0", f"key mqtt.port is not right; {PORT}"),
    (SITE + '[mqtt]\nport = "many"', "key mqtt.port is not right; write a port from 1 to 65535"),
    (SITE + '[mqtt]\nhost = ""', 'key mqtt.host is not right; write a host, such as host = "127.0.0.1".'),
    (SITE + "[mqtt]\nuser = 7", 'key mqtt.user is not right; write a name, such as user = "attune".'),
    (SITE + "[mqtt]\nca = 1", "key mqtt.ca is unknown; leave it out, or write one of host, port, user"),
    (SITE + '[mqtt]\npassword_file = "p"\n', "mqtt.password_file stands without mqtt.user; write the user too"),
    (SITE + "[gateways]\nlisten = []", "key gateways.listen is not right; write a list of sockets of this machine"),
    (
        SITE + '[gateways]\nlisten = ["0.0.0.0:1"]',
        "key gateways.listen[0] is not right; write a list of sockets of this",
    ),
    (SITE + '[gateways]\nlisten = ["unix:here"]', "key gateways.listen[0] is not right"),
    (SITE + f'[gateways]\nlisten = ["unix:/{"x" * 107}"]', "key gateways.listen[0] is not right"),
    (SITE + '[gateways]\nlisten = ["127.0.0.1:7000"]', "key gateways.listen[0] is not right"),
    (SITE + '[gateways]\nlisten = ["tls://0.0.0.0"]', "key gateways.listen[0] is not right"),
    (SITE + '[gateways]\nlisten = ["tls://0.0.0.0:0"]', "key gateways.listen[0] is not right"),
    (SITE + '[gateways]\nlisten = ["tls://0.0.0.0:65535"]', "key gateways.listen[0] is not right"),
    (SITE + '[gateways]\nlisten = ["tls://a b:7443"]', "key gateways.listen[0] is not right"),
    (
        SITE + '[gateways]\nlisten = ["tls://0.0.0.0:7443", "tls://[::]:7445"]',
        "gateways.listen has more than one address for TLS; write one",
    ),
    (
        SITE + '[api]\ngroup = "Facility staff"',
        "key api.group is not right; write a group that the daemon's user is in, whose members may use the command",
    ),
    (SITE + "[gateways]\ngroup = 7", "key gateways.group is not right; write a group that the daemon's user is in"),
    (SITE + '[gateways]\ngroup = ""', "key gateways.group is not right"),
    (SITE + f'[api]\nsocket = "/{"x" * 107}"', "key api.socket is not right; write a path of at most 107 bytes"),
    (
        SITE + '[clock]\nstart = "soon"',
        "key clock.start is not right; write a time, such as start = 2026-03-02T07:00:00Z.",
    ),
    (SITE + "[clock]\nrate = 2", "key clock.start is missing; write a time"),
    (
        SITE + "[clock]\nstart = 2026-03-02\nrate = 0",
        "key clock.rate is not right; write how much faster than real time",
    ),
    (SITE + "[clock]\nstart = 2026-03-02\nrate = nan", "key clock.rate is not right"),
    (SITE + "[[rooms]]", f"key rooms[0].id is missing; {ID}"),
    (SITE + '[[rooms]]\nid = "a#"', "key rooms[0].id is not right; write one word"),
    (SITE + '[[rooms]]\nid = "a"\nnodes = ["x"]', NODE),
    (SITE + '[[rooms]]\nid = "a"\nnodes = [7]', NODE),
    (
        SITE + '[[rooms]]\nid = "a"\nnode = []',
        "key rooms[0].node is unknown; leave it out, or write one of id, name, floor",
    ),
    (SITE + '[[rooms]]\nid = "a"\n[[rooms]]\nid = "a"', "room a stands in [[rooms]] twice; write it once."),
    (
        SITE + '[[rooms]]\nid = "a"\nnodes = ["A1B2C3D4E5F60708"]\n[[rooms]]\nid = "b"\nnodes = ["a1b2c3d4e5f60708"]',
        "node a1b2c3d4e5f60708 stands in [[rooms]] twice; write it once.",
    ),
    ('[site\nname = "s"', "is not TOML: "),
    (
        '[site]\nname = "s"\nname = "t"',
        "is not TOML: Cannot overwrite a value (at ",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD, ids=range(len(BAD)))
def test_mistakes(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "attuned.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: {sentence}"), said
    assert said.endswith(".")
    assert len(said.splitlines()) == 1


def test_every_mistake_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "attuned.toml"
    path.write_text('[site]\nname = ""\nstep_s = 1\n')
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [line.split(": ")[1].split(" is")[0] for line in str(caught.value).splitlines()] == [
        "key site.name",
        "key site.step_s",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file or directory\); name a config"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'[site]\nname = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="is not TOML: 'utf-8' codec"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ('["unix:/run/s"]', None),
        ('["unix:/run/s", "tls://0.0.0.0:7443"]', ("0.0.0.0", 7443)),  # noqa: S104 (read, not bound)
        ('["tls://[::]:65534"]', ("[::]", 65534)),
        ('["tls://attune.lan:1"]', ("attune.lan", 1)),
    ],
)
def test_where_gateways_of_other_machines_attach(tmp_path: Path, listen: str, expected: tuple[str, int] | None) -> None:
    path = tmp_path / "attuned.toml"
    path.write_text(SITE + f"[gateways]\nlisten = {listen}")
    assert load(path).gateways.tls_port == expected


def test_the_example_loads() -> None:
    settings = load(EXAMPLE)
    assert settings.site.name == "townhall"
    assert [room.id for room in settings.rooms] == ["0.01", "2.13"]
    assert settings.room_of["a1b2c3d4e5f6070a"] == "2.13"


def test_what_is_installed_loads() -> None:
    """A broker of the machine, its signer, no rooms yet: the daemon and its gateway start."""
    settings = load(INSTALLED / "attuned.toml")
    assert settings.mqtt is not None
    assert (settings.site.name, settings.mqtt.host, settings.rooms) == ("site", "127.0.0.1", [])
    assert settings.updates.signer == Path("/run/attune-signer/signer.sock")
    gateway = attune_gateway.config.load(INSTALLED / "gateway.toml")
    assert gateway.tcp.listen == (attune_gateway.config.HostPort("127.0.0.1", 7011),)
    assert f"unix:{settings.gateways.listen[0].removeprefix('unix:')}" == gateway.daemon


def test_the_gateway_of_a_further_machine_differs_in_whose_it_is_alone() -> None:
    here = attune_gateway.config.load(INSTALLED / "gateway.toml")
    further = attune_gateway.config.load(INSTALLED / "further" / "gateway.toml")
    assert (here.state, further.state) == (None, attune_gateway.config.STATE)
    assert further.model_dump(exclude={"state"}) == here.model_dump(exclude={"state"})
    after = [(INSTALLED / name).read_text().split("\n\n", 2)[2] for name in ("gateway.toml", "further/gateway.toml")]
    assert after[0] == after[1]


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    """Every key with a "#:" comment, read from the example itself."""
    path = tmp_path / "attuned.toml"
    path.write_text(SITE + '[mqtt]\n[[rooms]]\nid = "a"\n')
    bare = load(path)
    told = {}
    table = ""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("#") and " = " not in line:
            continue
        if line.startswith("["):
            table = line.strip("[]")
        elif "#:" in line:
            key = line.lstrip("# ").partition(" =")[0]
            told[table, key] = line.partition("#:")[2].partition(";")[0].strip()
    kept = {
        "site": bare.site,
        "store": bare.store,
        "mqtt": bare.mqtt,
        "gateways": bare.gateways,
        "api": bare.api,
        "retraining": bare.retraining,
        "updates": bare.updates,
        "rooms": bare.rooms[0],
        "nodes": NodeSettings(id="a1b2c3d4e5f60708"),
    }
    for (table, key), default in told.items():
        value = getattr(kept[table], key)
        shown = json.dumps(value) if isinstance(value, str | bool) else str(value).replace("'", '"')
        shown = f'"{value}"' if isinstance(value, Path) else shown
        assert default == ("none" if value is None else shown), key
    assert len(told) >= 12


@pytest.mark.parametrize("path", [EXAMPLE, INSTALLED / "attuned.toml"], ids=lambda path: path.name)
def test_what_stands_behind_a_setting_is_its_description(path: Path) -> None:
    table, seen = "", 0
    for line in path.read_text().splitlines():
        if header := re.fullmatch(r"\[+(\w+)\]+", line):
            table = header[1]
        elif (setting := re.match(r"(?:# )?(\w+) = .*?  +#(.*)$", line)) and "fused" not in line:
            assert setting[2].strip() == comment((table, setting[1])).strip(), line
            seen += 1
    assert seen >= 7


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("right horse\nnot this\n")
    assert MqttSettings(user="attune", password_file=secret).password == "right horse"
    assert MqttSettings().password is None
    missing = MqttSettings(user="attune", password_file=tmp_path / "none")
    with pytest.raises(
        ConfigError, match=r"^The password file .*none cannot be read \(No such file or directory\): `sudo "
    ):
        make_publisher("s", missing)


def test_a_password_that_systemd_hands_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LoadCredential=secrets:/etc/attune/secrets/ names each file of the folder after both."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "secrets_mqtt-password").write_text("right horse\n")
    secret = Path("/nowhere/secrets/mqtt-password")
    assert MqttSettings(user="attune", password_file=secret).password == "right horse"


def test_a_clock_may_run_faster_from_a_time_of_its_own() -> None:
    assert isinstance(make_clock(None), SystemClock)
    start = datetime(2026, 3, 2, 7, tzinfo=UTC)
    clock = make_clock(ClockSettings(start=start, rate=60, real_start=datetime.now(UTC)))
    assert clock.rate == 60
    assert 0 <= clock.utc_ms() - start.timestamp() * 1000 < 60_000
    assert ScaledClock(5000, 10, SystemClock().utc_ms() - 1000).utc_ms() == pytest.approx(15_000, abs=1000)


def run_attuned(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from attuned.app import run; run()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=dict(os.environ))


def test_a_bad_configuration_ends_the_daemon_with_its_sentence(tmp_path: Path) -> None:
    path = tmp_path / "attuned.toml"
    path.write_text(SITE + "[mqtt]\nport = 0\n")
    done = run_attuned("--config", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    sentence = f"key mqtt.port is not right; {PORT}"
    assert done.stderr == f"{path}: {sentence}\n"


def test_a_store_that_cannot_be_opened_ends_the_daemon_with_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "attuned.toml"
    path.write_text(SITE + f'[store]\npath = "{tmp_path}/file"\n')
    done = run_attuned("--config", str(path))
    assert done.returncode == 3
    assert done.stderr.startswith(f"The store's folder {tmp_path}/file is a file: move it away")
    assert len(done.stderr.splitlines()) == 1
