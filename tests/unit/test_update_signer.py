"""The signing process and the chain of its keys: what it refuses, and changes of the key cut off at every step."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import update_world as world
from attune_core.update import ChainResult, UpdatingNode, Verdict, follow_signer
from attune_proto.v1 import node_pb2
from attuned.updates import signer
from attuned.updates.envelope import EnvelopeError, Kind
from attuned.updates.numbers import Numbers
from attuned.updates.signer import CHAIN_FILE, KEY_FILE, SignerError, create, read_chain, read_key, rotate
from attuned.updates.signing import NumberPassedError, Signer, SigningError
from attuned.updates.statements import STATEMENT_SIZE, Chain, statement
from hypothesis import given
from hypothesis import strategies as st


def chain_of(keys: int) -> Chain:
    chain = Chain(world.signing_key(1).public)
    for number in range(1, keys):
        chain = chain.followed_by(statement(world.signing_key(number), world.signing_key(number + 1).public))
    return chain


def follow(number: int, chain: bytes) -> tuple[ChainResult, int]:
    """What a node with one of the test's keys makes of it; its key is the one of its number, or unchanged."""
    result, then, key = follow_signer(number, world.signing_key(number).public, chain)
    assert key == world.signing_key(then).public
    assert result is ChainResult.OK or then == number
    return result, then


@pytest.mark.parametrize("number", range(1, 6))
def test_a_node_follows_from_where_it_is(number: int) -> None:
    chain = chain_of(5)
    assert follow(number, chain.message_for(number) or chain.message_for(1)) == (ChainResult.OK, 5)
    assert chain.message_for(5) == b""


def test_statements_that_it_knows_are_passed_over() -> None:
    assert follow(3, chain_of(5).message_for(1)) == (ChainResult.OK, 5)
    assert follow(5, chain_of(4).message_for(1)) == (ChainResult.OK, 5)


def test_a_long_sleep_takes_two_messages() -> None:
    chain = chain_of(8)
    assert follow(1, chain.message_for(1)) == (ChainResult.OK, 5)
    assert follow(5, chain.message_for(5)) == (ChainResult.OK, 8)


def test_a_statement_that_is_left_out_or_forged() -> None:
    chain = chain_of(4)
    assert follow(1, chain.message_for(2)) == (ChainResult.GAP, 1)
    assert follow(1, b"".join(reversed(chain.statements))) == (ChainResult.GAP, 1)
    other = statement(world.signing_key(7), world.signing_key(2).public)
    forged = other[:1] + (2).to_bytes(4, "little") + other[5:]
    assert follow(1, forged) == (ChainResult.SIGNATURE, 1)
    # The last one of three is forged: none of them counts.
    assert follow(1, chain.statements[0] + chain.statements[1] + forged[:1] + b"\4\0\0\0" + forged[5:]) == (
        ChainResult.SIGNATURE,
        1,
    )


@given(st.integers(0, STATEMENT_SIZE - 1), st.integers(0, 7))
def test_every_bit_of_a_statement_counts(place: int, bit: int) -> None:
    flipped = bytearray(chain_of(2).message_for(1))
    flipped[place] ^= 1 << bit
    result, number = follow(1, bytes(flipped))
    # A number that the node has passed says nothing to it.
    passed = int.from_bytes(flipped[1:5], "little") <= 1
    assert (result is ChainResult.OK) == (passed and flipped[0] == 1)
    assert number == 1


@pytest.mark.parametrize("size", [0, 1, STATEMENT_SIZE - 1, STATEMENT_SIZE + 1, 5 * STATEMENT_SIZE])
def test_no_whole_statements_or_too_many(size: int) -> None:
    assert follow(1, chain_of(7).message_for(1).ljust(size, b"\1")[:size]) == (ChainResult.SIZE, 1)


def test_numbers_are_those_of_the_messages() -> None:
    said = {f"SIGNING_KEY_RESULT_{result.name}": result.value for result in ChainResult}
    assert said | {"SIGNING_KEY_RESULT_UNSPECIFIED": 0} == dict(node_pb2.SigningKeyResult.items())


def test_a_signature_of_one_kind_serves_no_other() -> None:
    envelope = world.made(Kind.CALIBRATION).update.envelope(chain_of(2).statements[0][-64:])
    assert world.node().take(envelope)[0] is Verdict.SIGNATURE
    said = chain_of(2).statements[0][:-64] + world.made(Kind.CALIBRATION).envelope[-64:]
    assert follow(1, said) == (ChainResult.SIGNATURE, 1)


def test_the_stored_chain_is_checked() -> None:
    stored = chain_of(3).stored
    assert Chain.of_stored(stored) == chain_of(3)
    for broken in (stored[:-1], stored[:31], stored[:40] + b"\0" + stored[41:]):
        with pytest.raises(EnvelopeError):
            Chain.of_stored(broken)
    twice = stored + chain_of(3).statements[-1]
    with pytest.raises(EnvelopeError):
        Chain.of_stored(twice)


def test_the_key_is_secret_and_made_once(tmp_path: Path) -> None:
    create(tmp_path / "keys")
    assert (tmp_path / "keys" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    before = read_key(tmp_path / "keys" / KEY_FILE).public
    with pytest.raises(SignerError, match="rotate"):
        create(tmp_path / "keys")
    assert read_key(tmp_path / "keys" / KEY_FILE).public == before == read_chain(tmp_path / "keys" / CHAIN_FILE).last


def test_rotation_by_statements(tmp_path: Path) -> None:
    create(tmp_path)
    first = read_key(tmp_path / KEY_FILE)
    assert [rotate(tmp_path), rotate(tmp_path)] == [2, 3]
    chain = read_chain(tmp_path / CHAIN_FILE)
    last = read_key(tmp_path / KEY_FILE)
    assert follow_signer(1, first.public, chain.message_for(1)) == (ChainResult.OK, 3, last.public)
    assert not (tmp_path / signer.NEXT_FILE).exists()


def test_who_serves_reads_the_chain_whatever_the_umask_of_who_made_it(tmp_path: Path) -> None:
    folder, before = tmp_path / "keys", os.umask(0o077)
    try:
        for change in (create, rotate):
            change(folder)
            modes = [path.stat().st_mode & 0o777 for path in (folder, folder / CHAIN_FILE, folder / KEY_FILE)]
            assert modes == [0o755, 0o644, 0o600]
    finally:
        os.umask(before)


class PowerError(Exception):
    pass


@contextmanager
def power_fails_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The step-th rename or sync does not happen any more; rename is all or nothing."""
    count = [0]

    def after(what: str) -> None:
        original = getattr(Path, what) if what == "rename" else getattr(os, what)

        def failing(*given: object) -> object:
            if count[0] == step:
                raise PowerError
            count[0] += 1
            return original(*given)

        patch.setattr(Path if what == "rename" else os, what, failing)

    with monkeypatch.context() as patch:
        after("rename")
        after("fsync")
        yield count


@pytest.mark.parametrize("action", [create, rotate])
def test_a_change_that_is_cut_off_can_be_ended(action: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        if action is rotate:
            create(folder)
        with power_fails_at(steps, monkeypatch) as count:
            try:
                action(folder)  # type: ignore[operator]
                break
            except PowerError:
                pass
        if action is create and not (folder / CHAIN_FILE).exists():
            create(folder)
        elif action is rotate:
            before = read_chain(folder / CHAIN_FILE)
            assert {read_key(path).public for path in folder.glob("signing-key*") if ".draft" not in path.name} >= {
                before.last
            }
            rotate(folder)
        key, chain = read_key(folder / KEY_FILE), read_chain(folder / CHAIN_FILE)
        assert (key.number, key.public) == (chain.number, chain.last)
        steps += 1
    assert steps == count[0] >= 4


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Signer]:
    """The real process, its key a credential as systemd hands it over."""
    create(tmp_path)
    socket = tmp_path / "signer.sock"
    command = [sys.executable, "-m", "attuned.updates.signer", "serve"]
    command += ["--chain", str(tmp_path / CHAIN_FILE), "--socket", str(socket)]
    with subprocess.Popen(command, env={**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}) as running:
        try:
            for _ in range(200):
                if socket.exists():
                    break
                running.poll()
                asyncio.run(asyncio.sleep(0.02))
            yield Signer(socket)
        finally:
            running.kill()


def test_the_process_signs_updates_and_nothing_else(process: Signer) -> None:
    async def scenario() -> None:
        keys = await process.keys()
        made = world.made(Kind.HEAD)
        envelope = await process.sign(made.update, keys.last)
        node = UpdatingNode(keys.last, world.NODE.digest, world.base(), world.HIGHEST)
        assert node.take(envelope)[0] is Verdict.OK
        message = made.update.message
        for bad in (b"", b"anything", message[:80], b"attune-rotate-01" + message[16:], message[:16] + b"\2"):
            status, said = await process._exchange(signer.HEAD.pack(signer.SIGN, len(bad)) + bad)
            assert (status, len(said) > 20) == (signer.REFUSED, True)
        for request in (signer.HEAD.pack(3, 0), signer.HEAD.pack(signer.SIGN, 2**31), signer.HEAD.pack(2, 1) + b"x"):
            assert (await process._exchange(request))[0] == signer.REFUSED
        assert (process.socket.stat().st_mode & 0o007, keys.number) == (0, 1)

    asyncio.run(scenario())


def test_a_client_that_hangs_up_does_not_end_the_process(process: Signer) -> None:
    async def scenario() -> None:
        for said in (b"", b"\1", signer.HEAD.pack(signer.SIGN, 500) + b"half"):
            _, writer = await asyncio.open_unix_connection(process.socket)
            writer.write(said)
            writer.close()
        assert (await process.keys()).number == 1

    asyncio.run(scenario())


def test_without_the_process_one_is_told_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="start it"):
        asyncio.run(Signer(tmp_path / "none").keys())


def test_what_it_says_to_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert signer.main(["create", str(tmp_path)]) == 0
    assert signer.main(["create", str(tmp_path)]) == 1
    assert "rotate" in capsys.readouterr().err
    assert signer.main(["rotate", str(tmp_path)]) == 0
    assert "key 2" in capsys.readouterr().out
    assert signer.main(["rotate", str(tmp_path / "nothing")]) == 1
    assert "attune-signer create" in capsys.readouterr().err
    (tmp_path / KEY_FILE).write_text("nonsense")
    serving = ["serve", "--key", str(tmp_path / KEY_FILE), "--chain", str(tmp_path / CHAIN_FILE)]
    assert signer.main([*serving, "--socket", str(tmp_path / "s")]) == 3
    assert "backup" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    absent = ["serve", "--key", str(empty / "none"), "--chain", str(empty / "none")]
    assert signer.main([*absent, "--socket", str(tmp_path / "s")]) == 3
    said = capsys.readouterr().err
    assert said == (
        f"The signing key {empty / 'none'} cannot be read (No such file or directory): "
        f"`attune-signer create {empty}` makes one, once.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing argument command; see `attune-signer --help`."),
        (["create"], "Missing argument folder; see `attune-signer create --help`."),
        (["create", "here", "there"], "Nothing is expected where `there` stands; see `attune-signer --help`."),
        (["mint"], "`mint` is none of "),
    ],
)
def test_wrong_usage_is_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        signer.main(words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(said)


def test_a_key_that_is_not_the_last_one_does_not_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create(tmp_path)
    old = (tmp_path / KEY_FILE).read_bytes()
    rotate(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(old)
    serving = ["serve", "--key", str(tmp_path / KEY_FILE), "--chain", str(tmp_path / CHAIN_FILE)]
    assert signer.main([*serving, "--socket", str(tmp_path / "s")]) == 3
    assert "rotate" in capsys.readouterr().err
    with pytest.raises(SignerError, match="backup"):
        rotate(tmp_path)


def test_the_process_holds_nothing_that_it_does_not_need() -> None:
    """Neither the node's code nor numpy nor anything that talks to nodes."""
    asked = "import sys, attuned.updates.signer; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout.split()
    assert {"attuned", "cryptography"} <= set(loaded)
    assert not {"attune_core", "attune_proto", "google", "grpc", "numpy", "pydantic"} & set(loaded)


def test_no_node_gets_two_updates_with_one_number(process: Signer) -> None:
    async def scenario() -> None:
        key = (await process.keys()).last
        update = world.made(Kind.HEAD).update
        assert await process.sign(update, key) == await process.sign(update, key)
        for sequence in (update.sequence, update.sequence - 1):
            with pytest.raises(NumberPassedError) as passed:
                await process.sign(replace(update, sequence=sequence, payload=b"other"), key)
            assert passed.value.highest == update.sequence
        await process.sign(replace(update, sequence=update.sequence + 1, payload=b"other"), key)
        with pytest.raises(SigningError, match="newer key"):
            await process.sign(replace(update, sequence=update.sequence + 2), world.signing_key(7).public)

    asyncio.run(scenario())


def test_a_disk_that_is_full_has_nothing_signed_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon hears why, and asks again later: the same update may be signed then."""
    create(tmp_path)
    desk = signer.Desk(read_key(tmp_path / KEY_FILE), read_chain(tmp_path / CHAIN_FILE), Numbers(tmp_path / "n"))
    message = world.made(Kind.HEAD).update.message

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        status, said = signer.answer(desk, signer.SIGN, message)
    assert status == signer.REFUSED
    assert said == b"The disk does not take what would be signed (No space left on device): make room on it."
    assert (tmp_path / "n").read_bytes() == b""
    assert signer.answer(desk, signer.SIGN, message)[0] == signer.DONE


def test_a_file_in_the_place_of_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert signer.main(["create", str(file)]) == 1
    made = "name one for the signing key; it is made where there is none."
    assert capsys.readouterr().err == f"{file} is not a folder: {made}\n"
    assert signer.main(["create", str(file / "in it")]) == 1
    said = "this user has to be able to write there."
    assert capsys.readouterr().err == f"The signing key cannot be made in {file}/in it (Not a directory): {said}\n"


@pytest.mark.parametrize("method", ["mkdir", "rename"])
def test_a_folder_that_may_not_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Before there is one, or in it; root, who runs tests at times, may write anywhere."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refuse)
    assert signer.main(["create", str(tmp_path)]) == 1
    said = "this user has to be able to write there."
    assert capsys.readouterr().err == f"The signing key cannot be made in {tmp_path} (Permission denied): {said}\n"


UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "attune-signer.service"


def test_the_unit_starts_what_there_is_and_lets_it_do_nothing_else() -> None:
    lines = UNIT.read_text().replace("\\\n", " ").splitlines()
    (command,) = [line.partition("=")[2].split() for line in lines if line.startswith("ExecStart=")]
    asked = signer._arguments(command[1:])
    assert (asked.command, asked.key.name, asked.chain.name) == ("serve", KEY_FILE, CHAIN_FILE)
    assert (asked.numbers.name, asked.socket.name) == (signer.NUMBERS_FILE, "signer.sock")
    assert f"LoadCredential={KEY_FILE}:/etc/attune/signing/{KEY_FILE}" in lines
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)]
    # Tenths: the services of this project stay at 2.0.
    assert subprocess.run(judged, capture_output=True, check=False).returncode == 0
