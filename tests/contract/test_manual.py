"""The manual pages say everything that the command lines and the configuration take, and shells complete it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import attuned.cli.app as cli
import pytest
from attuned.cli.completing import VARIABLE
from attuned.config import Settings
from cli_site import Site, served
from test_cli_docs import documented

ROOT = Path(__file__).parents[2]
ATTUNE = str(Path(sys.executable).with_name("attune"))

# Somebody waits with a finger on the key; in processor time, since this machine may be busy.
QUICK_S = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("manual")
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1772434800"}
    subprocess.run([sys.executable, str(ROOT / "packaging" / "manual.py"), str(made)], check=True, env=environment)
    return made


def plain(page: Path) -> str:
    """What a reader sees, without fonts and line breaks."""
    text = re.sub(r"\\f[BIR]", "", page.read_text())
    for code, character in (("\\-", "-"), ("\\(aq", "'"), ("\\(ti", "~"), ("\\(ha", "^"), ("\\e", "\\"), ("\\&", "")):
        text = text.replace(code, character)
    return text


@pytest.mark.parametrize(("command", "option"), sorted(set(documented())))
def test_every_command_and_option_stands_on_its_page(folder: Path, command: str, option: str) -> None:
    words = command.split()
    page = plain(folder / ("attune.1" if len(words) == 1 else f"attune-{words[1]}.1"))
    said = page
    if len(words) > 2:
        assert f'.SS "{command}"\n' in page
        said = page.partition(f'.SS "{command}"\n')[2].partition(".SS ")[0]
    assert re.search(rf"(?<![\w-]){re.escape(option or command)}(?![\w-])", said)


def test_every_setting_stands_on_its_page(folder: Path) -> None:
    page = (folder / "attuned.toml.5").read_text()
    text = plain(folder / "attuned.toml.5")
    for name in Settings.model_fields:
        assert re.search(rf'^\.SH "\[{{1,2}}{name}\]{{1,2}}"$', text, re.MULTILINE), name
    for key in ("windows_days", "password_file", "group", "cost_ratio", "real_start", "quiet"):
        assert f"\\fB{key}\\fR" in page
    assert '[default: "/run/attune/attune.sock"]' in text


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("attuned.8", ["--config", "/etc/attune/attuned.toml"]),
        ("attune-gateway.8", ["--ble", "--serial", "attune-gateway enroll", "tcp.listen", "ble.radio"]),
        ("attune-signer.8", ["attune-signer create", "attune-signer rotate", "attune-signer serve", "--chain"]),
        ("attune.1", ["ATTUNE_SOCKET", "the daemon is not reachable", "sudo attune setup", "/usr/share/doc/attune"]),
        ("attune-label.1", ["attune label undo [OPTION]... [NUMBER]", "ROOM free|occupied FROM [TO]"]),
        ("attune-gateway.8", ["Waits for what is not there yet"]),
    ],
)
def test_programs_have_pages(folder: Path, page: str, words: list[str]) -> None:
    for word in words:
        assert word in plain(folder / page)


def test_pages_are_as_their_readers_expect_them(folder: Path) -> None:
    """man finds nothing to warn of, as lintian asks it; mandoc neither, where it is installed."""
    pages = sorted(str(path) for path in folder.glob("*.[158]"))
    assert len(pages) > 15
    environment = os.environ | {"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    if shutil.which("man"):
        command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", *pages]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert said.stderr == ""
    if shutil.which("lexgrog"):
        found = subprocess.run(["lexgrog", *pages], capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(found) == len(pages)
    if shutil.which("mandoc"):
        linted = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False
        )
        assert linted.stdout == ""


def test_the_same_source_makes_the_same_pages(folder: Path) -> None:
    assert "2026-03-02" in (folder / "attune.1").read_text().splitlines()[0]


# Completion.


def answer(words: str, socket: Path, **more: str) -> list[str]:
    """What bash hears for a line whose last word is to be completed."""
    given = words.split(" ")
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(given) - 1), VARIABLE: "complete_bash"}
    return _run(asked | {"ATTUNE_SOCKET": str(socket)} | more).splitlines()


def _run(environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [ATTUNE], env=os.environ | dict(environment), capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "attune.sock"
    with served(Site(), str(path)):
        yield path


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    assert set(answer("attune ", nowhere)) == set(cli.whole().commands)
    assert answer("attune ro", nowhere) == ["rooms", "rollout"]
    assert answer("attune label a", nowhere) == ["add", "ask"]
    assert answer("attune label add 1.01 o", nowhere) == ["occupied"]
    assert "--label-budget" in answer("attune replay --", nowhere)
    assert "--change" in answer("attune demo --", nowhere)


def test_rooms_and_nodes_are_the_daemons(socket: Path) -> None:
    rooms = answer("attune rooms ", socket)
    assert rooms
    assert answer("attune label list --room ", socket) == rooms
    nodes = answer("attune nodes ", socket)
    assert all(re.fullmatch("[0-9a-f]{16}", node) for node in nodes)
    assert answer(f"attune node remove {nodes[0][:15]}", socket) == [nodes[0]]


def test_without_a_daemon_there_are_no_names_and_no_noise(tmp_path: Path) -> None:
    assert answer("attune rooms ", tmp_path / "none") == []
    (tmp_path / "dead").touch()
    assert answer("attune rooms ", tmp_path / "dead") == []


def test_names_that_a_shell_would_read_otherwise_are_typed() -> None:
    from attuned.cli.completing import _offered

    offer = _offered(lambda _: ["2.13", "a$(reboot)", "b`id`", "c;d", "e'f", 'g"h', "Saal-Ä", "i|j", "k\\l", "m(n"])
    assert offer(None, None, "") == ["2.13", "Saal-Ä"]


def test_completion_is_quick(socket: Path) -> None:
    began = time.monotonic()
    before = os.times()
    answer("attune rooms ", socket)
    used_s = os.times().children_user - before.children_user
    print(f"\nCompletion took {used_s:.2f} s of a processor, {time.monotonic() - began:.2f} s in all.")
    assert used_s < QUICK_S


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is missing")
def test_bash_completes_by_the_file(folder: Path, socket: Path) -> None:
    """As it does at the key: the function is called with the words, and leaves answers in COMPREPLY."""
    script = (
        f"PATH={Path(ATTUNE).parent}:$PATH; source {folder}/completion/attune; "
        "COMP_WORDS=(attune label l); COMP_CWORD=2; "
        '_attune_completion attune; echo "${COMPREPLY[@]}"; complete -p attune'
    )
    said = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["list", "complete -o default -F _attune_completion attune"]


def test_zsh_and_fish_are_answered_in_their_own_words(folder: Path, socket: Path) -> None:
    zsh = (folder / "completion" / "_attune").read_text()
    assert zsh.startswith("#compdef attune\n")
    assert f"{VARIABLE}=complete_zsh" in zsh
    assert "complete --command attune" in (folder / "completion" / "attune.fish").read_text()
    asked = {"ATTUNE_SOCKET": str(socket), "_TYPER_COMPLETE_ARGS": "attune label l"}
    assert '"list":' in _run(asked | {VARIABLE: "complete_zsh"})
    fish = asked | {VARIABLE: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert _run(fish).startswith("list\t")
