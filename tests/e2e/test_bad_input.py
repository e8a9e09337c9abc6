"""Programs of the site that are started on something that cannot be used: one sentence each, and an exit code by which
systemd knows whether a restart helps.

Of the store tests/unit/test_store_start.py has more, of the gateway tests/e2e/test_gateway_machines.py.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attuned.store.site import SiteStore
from attuned.updates.signer import create
from processes import wait_for_socket

# Everything may be opened by the administrator; a service may not, even where tests run as root.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"

DAEMON = "from attuned.app import run; run()"
SIGNER = "import sys; from attuned.updates.signer import main; sys.exit(main())"

CONFIGURATION = """
site = {{ name = "hq" }}
store = {{ path = "{folder}/store" }}
gateways = {{ listen = ["unix:{folder}/gateway.sock"{tls}] }}
api = {{ socket = "{folder}/api.sock" }}
{more}
"""

# Puts a fault into a folder; one that has to be kept up is a context.
Prepare = Callable[[Path], object]


def prepared(prepare: Prepare, folder: Path) -> contextlib.AbstractContextManager[object]:
    made = prepare(folder)
    return made if isinstance(made, contextlib.AbstractContextManager) else contextlib.nullcontext()


def started(script: str, *words: str) -> subprocess.Popen[str]:
    command = [*POWERLESS, sys.executable, "-c", script, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def expect_end(process: subprocess.Popen[str], code: int, sentence: str) -> None:
    """The process ends by itself, with this code and these words alone."""
    try:
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    lines = said.splitlines()
    assert (process.returncode, len(lines)) == (code, 1), said
    assert re.fullmatch(sentence, lines[0]), lines[0]


def configure(folder: Path, tls: str = "", more: str = "") -> None:
    (folder / "attuned.toml").write_text(CONFIGURATION.format(folder=folder, tls=tls and f', "{tls}"', more=more))


def daemon(folder: Path) -> subprocess.Popen[str]:
    return started(DAEMON, "--config", str(folder / "attuned.toml"))


@contextlib.contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        yield


@contextlib.contextmanager
def port_taken(folder: Path) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        configure(folder, f"tls://127.0.0.1:{other.getsockname()[1]}")
        yield


def folder_of_others(folder: Path) -> None:
    (folder / "run").mkdir(mode=0o500)
    configured = (folder / "attuned.toml").read_text()
    (folder / "attuned.toml").write_text(configured.replace(f"{folder}/api.sock", f"{folder}/run/api.sock"))


def half_key(folder: Path) -> None:
    asyncio.run(store_in(folder / "store"))
    (folder / "store" / "daemon.key").write_bytes(b"half")


async def store_in(folder: Path) -> None:
    store = SiteStore(folder)
    await store.open()
    await store.close()


def closed_key(folder: Path) -> None:
    half_key(folder)
    (folder / "store" / "daemon.key").chmod(0)


def broken_authority(folder: Path) -> None:
    (folder / "store").mkdir(mode=0o700)
    (folder / "store" / "gateway-authority.key").write_text("none")
    configure(folder, "tls://127.0.0.1:7443")


def no_password(folder: Path) -> None:
    configure(folder, more=f'mqtt = {{ user = "hall", password_file = "{folder}/secrets/mqtt-password" }}')


DAEMON_FAULTS: list[tuple[str, Prepare, int, str]] = [
    (
        "the command line's socket is taken",
        lambda folder: listening(folder / "api.sock"),
        1,
        r"Cannot listen on unix:\S+/api\.sock \(somebody listens there\): stop the program that does .*\.",
    ),
    (
        "the gateways' socket is taken",
        lambda folder: listening(folder / "gateway.sock"),
        1,
        r"Cannot listen on unix:\S+/gateway\.sock \(somebody listens there\): stop the program that does .*\.",
    ),
    (
        "a file in the place of a socket",
        lambda folder: (folder / "api.sock").touch(),
        1,
        r"Cannot listen on unix:\S+/api\.sock \(something else than a socket lies there\): take it away, .*\.",
    ),
    (
        "the socket's folder is somebody else's",
        folder_of_others,
        2,
        r"\S+ must not listen on unix:\S+/run/api\.sock: let that user write to \S+/run \(`ls -ld .*`\), .*\.",
    ),
    (
        "the port for gateways is taken",
        port_taken,
        1,
        r"Cannot listen on tls://127\.0\.0\.1:\d+ \(Address already in use\): stop the program that does .*\.",
    ),
    (
        "the address is another machine's",
        lambda folder: configure(folder, "tls://192.0.2.1:7443"),
        1,
        r"Cannot listen on tls://192\.0\.2\.1:7443 \(Cannot assign requested address\): this machine has no such .*\.",
    ),
    (
        "a name that nobody knows",
        lambda folder: configure(folder, "tls://nobody.invalid:7443"),
        1,
        r"Cannot listen on tls://nobody\.invalid:7443 \(.+\): choose another address\.",
    ),
    (
        "a port of the system",
        lambda folder: configure(folder, "tls://127.0.0.1:443"),
        2,
        r"\S+ must not listen on tls://127\.0\.0\.1:443: choose a port from 1024 on\.",
    ),
    (
        "a configuration that may not be read",
        lambda folder: (folder / "attuned.toml").chmod(0),
        2,
        r"\S+/attuned\.toml: cannot be read \(Permission denied\); `chmod a\+r \S+/attuned\.toml`\.",
    ),
    (
        "no configuration",
        lambda folder: (folder / "attuned.toml").unlink(),
        2,
        r"\S+/attuned\.toml: cannot be read \(No such file or directory\); name a configuration with --config\.",
    ),
    (
        "no password",
        no_password,
        2,
        r"The password file \S+/mqtt-password cannot be read \(No such file or directory\): `sudo attune setup` .*\.",
    ),
    ("half a key", half_key, 3, r"The key \S+/daemon\.key has 4 bytes instead of 32: restore a backup .*\."),
    (
        "a key that may not be read",
        closed_key,
        3,
        r"The key \S+/daemon\.key cannot be read \(Permission denied\): .*\.",
    ),
    (
        "no authority",
        broken_authority,
        3,
        r"\S+/gateway-authority\.key holds no key of an authority: restore it from a backup\.",
    ),
]

# Each has a part of its own in the daemon; the others are variations.
ALWAYS = {"a file in the place of a socket", "the port for gateways is taken", "a configuration that may not be read"}


@pytest.mark.parametrize(
    ("prepare", "code", "sentence"),
    [
        pytest.param(*fault, id=name, marks=[] if name in ALWAYS else [pytest.mark.slow])
        for name, *fault in DAEMON_FAULTS
    ],
)
def test_the_daemon(tmp_path: Path, prepare: Prepare, code: int, sentence: str) -> None:
    if code == 2 and "system" in sentence and may_listen_everywhere():
        pytest.skip("This machine lets everybody listen on every port.")
    configure(tmp_path)
    with prepared(prepare, tmp_path):
        expect_end(daemon(tmp_path), code, sentence)


def may_listen_everywhere() -> bool:
    return Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() == "0"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, _, code, _ in DAEMON_FAULTS if code == 1 and "taken" in name])
def test_what_may_pass_is_over_with_the_next_start(tmp_path: Path, name: str) -> None:
    configure(tmp_path)
    (prepare,) = [prepare for found, prepare, _, _ in DAEMON_FAULTS if found == name]
    with prepared(prepare, tmp_path):
        daemon(tmp_path).communicate(timeout=30)
    # What was in the way has left its socket behind.
    process = daemon(tmp_path)
    try:
        wait_for_socket(tmp_path / "api.sock", 30)
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said


# --- The signing process ---


@pytest.fixture
def signing(tmp_path: Path) -> Path:
    """A folder with a key and its chain."""
    create(tmp_path / "signing")
    return tmp_path / "signing"


def signer(folder: Path, *words: str) -> subprocess.Popen[str]:
    where = ["--chain", str(folder / "signing-chain"), "--numbers", str(folder / "state" / "signed-numbers")]
    (folder / "state").mkdir(exist_ok=True)
    return started(SIGNER, "serve", *where, "--socket", str(folder / "signer.sock"), *words)


def nothing_left(folder: Path) -> None:
    for name in ("signing-key", "signing-chain"):
        (folder / name).unlink()


def another_key(folder: Path) -> None:
    create(folder / "other")
    shutil.copy(folder / "other" / "signing-key", folder / "signing-key")


def closed_state(folder: Path) -> None:
    (folder / "state").mkdir(mode=0o500)


def closed_numbers(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "signed-numbers").touch(mode=0)


SIGNER_FAULTS: list[tuple[str, Prepare, int, str]] = [
    (
        "no key",
        lambda folder: (folder / "signing-key").unlink(),
        3,
        r"The signing key \S+/signing-key cannot be read \(No such file or directory\): restore it from a backup, .*\.",
    ),
    (
        "no key and no chain",
        nothing_left,
        3,
        r"The signing key \S+ cannot be read \(No such file or directory\): `attune-signer create \S+` makes one, .*",
    ),
    (
        "a key of which nothing is left",
        lambda folder: (folder / "signing-key").write_text(""),
        3,
        r"The signing key \S+/signing-key cannot be read \(it is not there, or empty\): restore it from a backup, .*\.",
    ),
    (
        "what is no key",
        lambda folder: (folder / "signing-key").write_text("1 zz"),
        3,
        r"\S+/signing-key holds no signing key; restore it from a backup\.",
    ),
    ("another key", another_key, 3, r"The signing key is not the last of its chain; run `attune-signer rotate` .*\."),
    (
        "no chain",
        lambda folder: (folder / "signing-chain").unlink(),
        3,
        r"The chain of signing keys \S+/signing-chain cannot be read \(No such file or directory\): restore it .*\.",
    ),
    (
        "what is no chain",
        lambda folder: (folder / "signing-chain").write_text("x"),
        3,
        r"\S+/signing-chain: This is no chain of signing keys; restore it from a backup\.",
    ),
    (
        "numbers that may not be read",
        closed_numbers,
        3,
        r"What was signed so far cannot be kept in \S+/signed-numbers \(Permission denied\): it and its folder must .*",
    ),
    (
        "numbers that may not be written",
        closed_state,
        3,
        r"What was signed so far cannot be kept in \S+/signed-numbers \(Permission denied\): it and its folder must .*",
    ),
    (
        "another signing process",
        lambda folder: listening(folder / "signer.sock"),
        1,
        r"Another signing process answers at \S+/signer\.sock: stop that one\.",
    ),
    (
        "a folder in the place of the socket",
        lambda folder: (folder / "signer.sock").mkdir(),
        1,
        r"The socket cannot be made in \S+ \(Is a directory\): this user has to be able to write there\.",
    ),
]


@pytest.mark.parametrize(
    ("prepare", "code", "sentence"), [pytest.param(*fault, id=name) for name, *fault in SIGNER_FAULTS]
)
def test_the_signing_process(signing: Path, prepare: Prepare, code: int, sentence: str) -> None:
    with prepared(prepare, signing):
        expect_end(signer(signing, "--key", str(signing / "signing-key")), code, sentence)


def test_a_credential_that_is_not_there_is_told_by_where_it_belongs(
    signing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd's copy of the key is what the unit says where there is none."""
    (default,) = re.findall(r"^SetCredential=signing-key:(.+)$", (UNITS / "attune-signer.service").read_text(), re.M)
    (signing / "copies").mkdir()
    (signing / "copies" / "signing-key").write_text(default)
    (signing / "signing-key").unlink()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(signing / "copies"))
    said = rf"The signing key {signing}/signing-key cannot be read \(it is not there, or empty\): restore .*\."
    expect_end(signer(signing), 3, said)


def test_the_units_know_the_codes() -> None:
    """What no restart mends is not started again, and all else not in a tight loop."""
    for name, final in (("attuned", "2 3"), ("attune-gateway", "2"), ("attune-signer", "2 3")):
        lines = (UNITS / f"{name}.service").read_text().splitlines()
        for line in (
            "Restart=on-failure",
            "RestartSec=10",
            f"RestartPreventExitStatus={final}",
            "StartLimitIntervalSec=0",
        ):
            assert line in lines, name
    for name in ("attune-backup", "attune-retention"):
        assert "Restart=" not in (UNITS / f"{name}.service").read_text()


# --- Commands of the timers ---


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["--socket", "{folder}/none.sock", "retention"],
            3,
            r"attune: No daemon is listening at \S+; `sudo attune doctor` says why, .*\.",
        ),
        (
            ["backup", "--config", "{folder}/attuned.toml", "--to", "{folder}"],
            1,
            r"attune: There is no key for backups \(\S+\): `sudo attune setup` asks for a passphrase and makes one\.",
        ),
    ],
)
def test_commands_of_timers(tmp_path: Path, words: list[str], code: int, sentence: str) -> None:
    configure(tmp_path)
    script = "import sys; from attuned.cli.app import run; sys.exit(run())"
    expect_end(started(script, *[word.format(folder=tmp_path) for word in words]), code, sentence)


def test_what_a_timer_failed_at_is_an_error_in_the_journal(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    stream = os.fstat(theirs)
    environment = os.environ | {"JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
    script = "import sys; from attuned.cli.app import run; sys.exit(run())"
    words = ["--socket", str(tmp_path / "none.sock"), "retention"]
    done = subprocess.run([sys.executable, "-c", script, *words], env=environment, stderr=theirs, check=False)
    os.close(theirs)
    with os.fdopen(ours) as said:
        assert said.read().startswith("<3>attune: No daemon is listening at ")
    assert done.returncode == 3


def test_patience(tmp_path: Path) -> None:
    """A daemon without its signing process, its broker and its certificate works, and says so once each."""
    more = f'mqtt = {{ port = 1, ca_file = "{tmp_path}/none.pem" }}\nupdates = {{ signer = "{tmp_path}/none.sock" }}'
    # The signing process is asked again after half a second of the daemon's clock, the broker after one of our own.
    configure(tmp_path, more=f"{more}\nclock = {{ start = 2026-03-02T07:00:00Z, rate = 60 }}")
    process = daemon(tmp_path)
    warnings: list[str] = []
    try:
        assert process.stdout is not None
        while len(warnings) < 2:
            line = process.stdout.readline()
            assert line, warnings
            warnings += [line] if not line.startswith("INFO ") else []
        time.sleep(1.5)
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert {line.partition(" ")[0] for line in said.splitlines()} == {"INFO"}
    broker, signing = sorted(warnings)
    assert f"(ca_file {tmp_path}/none.pem: No such file or directory): let the daemon's user read" in broker
    assert "does not answer (No such file or directory): see `systemctl status attune-signer`, and start it." in signing
