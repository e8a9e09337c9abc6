"""The node's handshakes and the daemon's against published vectors, against each other, and against two other
implementations: the program tests/noise_peer on flynn/noise, and the library noiseprotocol in the roles that the
daemon does not play."""

from collections.abc import Callable

import pytest
from attune_core import NoiseHandshake, Pattern, SessionError, SessionKeys
from attuned.nodes import noise
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st
from noise.backends.default.keypairs import KeyPair25519
from noise.connection import Keypair, NoiseConnection
from noise_peer import NAMES, Peer, RefusedError, Vector, peer, vectors

PATTERNS = {"KK": Pattern.KK, "XXpsk0": Pattern.XXPSK0}
NODE, DAEMON, PSK = bytes(range(32)), bytes(range(100, 132)), b"\x07" * 32
NODE_EPHEMERAL, DAEMON_EPHEMERAL = b"n" * 32, b"d" * 32
PROLOGUE = b"attune-session-1abcd"

keys32 = st.binary(min_size=32, max_size=32)
payloads = st.binary(max_size=64)


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def other_of(pattern: str, secret: bytes) -> bytes:
    """What a side of the pattern needs of the other, whose secret key this is."""
    return public(secret) if pattern == "KK" else PSK


def node(pattern: str) -> NoiseHandshake:
    return NoiseHandshake(
        PATTERNS[pattern],
        initiator=True,
        secret=NODE,
        ephemeral=NODE_EPHEMERAL,
        other=other_of(pattern, DAEMON),
        prologue=PROLOGUE,
    )


def core_side(vector: Vector, *, initiator: bool) -> NoiseHandshake:
    own, theirs = ("init", "resp") if initiator else ("resp", "init")
    other = vector.keys.get("preshared_key") or public(vector.keys[f"{theirs}_static"])
    return NoiseHandshake(
        PATTERNS[vector.pattern],
        initiator=initiator,
        secret=vector.keys[f"{own}_static"],
        ephemeral=vector.keys[f"gen_{own}_ephemeral"],
        other=other,
        prologue=vector.keys.get("prologue", b""),
    )


def chacha(key: bytes, counter: int, ad: bytes, text: bytes) -> bytes:
    """By the package cryptography."""
    return ChaCha20Poly1305(key).encrypt(bytes(4) + counter.to_bytes(8, "little"), text, ad)


PUBLISHED = vectors()


def test_there_are_vectors_of_both_patterns_with_and_without_prologue_and_payload() -> None:
    kinds = {(vector.pattern, "prologue" in vector.keys, vector.messages[0][0] != b"") for vector in PUBLISHED}
    assert len(kinds) == len(PUBLISHED) == 8


@pytest.mark.parametrize("vector", PUBLISHED)
def test_the_node_speaks_the_published_bytes_in_both_roles(vector: Vector) -> None:
    sides = [core_side(vector, initiator=True), core_side(vector, initiator=False)]
    transport = 2 if vector.pattern == "KK" else 3
    for number, (payload, wire) in enumerate(vector.messages[:transport]):
        assert sides[number % 2].write(payload) == wire
        assert sides[1 - number % 2].read(wire) == payload
    first, second = sides[0].finish(), sides[1].finish()
    assert (first.send, first.receive) == (second.receive, second.send)
    assert (first.remote, second.remote) == (public(vector.keys["resp_static"]), public(vector.keys["init_static"]))
    (up, up_wire), (down, down_wire) = vector.messages[transport:]
    assert chacha(first.send, 0, b"", up) == up_wire
    assert chacha(first.receive, 0, b"", down) == down_wire


@pytest.mark.parametrize("vector", PUBLISHED)
def test_the_daemon_answers_with_the_published_bytes(vector: Vector) -> None:
    own, ephemeral = vector.keys["resp_static"], vector.keys["gen_resp_ephemeral"]
    prologue = vector.keys.get("prologue", b"")
    (said, first), (payload, second), *rest = vector.messages
    initiator = public(vector.keys["init_static"])
    if vector.pattern == "KK":
        answer = noise.answer_kk(
            first, own=[DAEMON, own], node=initiator, ephemeral=ephemeral, prologue=prologue, payload=payload
        )
        keys, at = answer.keys, 2
        assert (answer.message, answer.payload, answer.own) == (second, said, public(own))
    else:
        psks = [PSK, vector.keys["preshared_key"]]
        begun = noise.answer_xxpsk0(first, psks=psks, own=own, ephemeral=ephemeral, prologue=prologue, payload=payload)
        assert (begun.message, begun.payload, begun.psk) == (second, said, psks[1])
        done = begun.finish(rest[0][1])
        keys, at = done.keys, 3
        assert (done.node, done.payload) == (initiator, rest[0][0])
    (up, up_wire), (down, down_wire) = vector.messages[at:]
    assert keys.receive.open(0, b"", up_wire) == up
    assert keys.send.seal(0, b"", down) == down_wire


@pytest.mark.parametrize("pattern", NAMES)
@pytest.mark.parametrize("initiator", [True, False])
def test_the_node_and_the_second_implementation_understand_each_other(pattern: str, initiator: bool) -> None:
    core = NoiseHandshake(
        PATTERNS[pattern],
        initiator=initiator,
        secret=NODE,
        ephemeral=NODE_EPHEMERAL,
        other=other_of(pattern, DAEMON),
        prologue=PROLOGUE,
    )
    with peer(
        pattern, initiator=not initiator, secret=DAEMON, other=other_of(pattern, NODE), prologue=PROLOGUE
    ) as second:
        sides: list[NoiseHandshake | Peer] = [core, second] if initiator else [second, core]
        for number in range(2 if pattern == "KK" else 3):
            assert sides[1 - number % 2].read(sides[number % 2].write(b"message %d" % number)) == b"message %d" % number
        keys = core.finish()
        assert keys.remote == public(DAEMON)
        assert second.remote() == public(NODE)
        for counter in (0, 1, 70_000, 2**32 - 2):
            assert second.open(counter, b"head", chacha(keys.send, counter, b"head", b"up")) == b"up"
            assert second.seal(counter, b"head", b"down") == chacha(keys.receive, counter, b"head", b"down")


def test_the_daemon_and_the_second_implementation_understand_each_other() -> None:
    with peer("KK", initiator=True, secret=NODE, other=public(DAEMON), prologue=PROLOGUE) as second:
        answer = noise.answer_kk(
            second.write(b"hello"), own=[DAEMON], node=public(NODE), ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
        )
        assert answer.payload == b"hello"
        assert second.read(answer.message) == b""
        assert answer.keys.receive.open(9, b"head", second.seal(9, b"head", b"up")) == b"up"
        assert second.open(9, b"head", answer.keys.send.seal(9, b"head", b"down")) == b"down"
        with pytest.raises(RefusedError):
            second.open(8, b"head", answer.keys.send.seal(9, b"head", b"down"))


def test_the_daemon_commissions_the_second_implementation() -> None:
    with peer("XXpsk0", initiator=True, secret=NODE, other=PSK, prologue=PROLOGUE) as second:
        begun = noise.answer_xxpsk0(
            second.write(), psks=[bytes(32), PSK], own=DAEMON, ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
        )
        second.read(begun.message)
        done = begun.finish(second.write(b"mine"))
        assert (done.node, done.payload, second.remote()) == (public(NODE), b"mine", public(DAEMON))
        assert second.open(0, b"", done.keys.send.seal(0, b"", b"down")) == b"down"


def library_initiator(pattern: str, secret: bytes, ephemeral: bytes, other: bytes, prologue: bytes) -> NoiseConnection:
    connection = NoiseConnection.from_name(NAMES[pattern].encode())
    connection.set_as_initiator()
    connection.set_prologue(prologue)
    connection.set_keypair_from_private_bytes(Keypair.STATIC, secret)
    if pattern == "KK":
        connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, other)
    else:
        connection.set_psks(psk=other)
    connection.start_handshake()
    connection.noise_protocol.handshake_state.e = KeyPair25519.from_private_bytes(ephemeral)
    return connection


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(NAMES)),
    st.lists(keys32, min_size=5, max_size=5, unique_by=public),
    st.binary(max_size=300),
    st.tuples(payloads, payloads, payloads),
)
def test_any_keys_and_payloads_give_the_bytes_of_the_library(
    pattern: str, drawn: list[bytes], prologue: bytes, said: tuple[bytes, bytes, bytes]
) -> None:
    """The library begins and the core answers; beside it the core begins, too, and says the same."""
    node_key, daemon_key, node_ephemeral, daemon_ephemeral, psk = drawn
    others = (public(daemon_key), public(node_key)) if pattern == "KK" else (psk, psk)
    library = library_initiator(pattern, node_key, node_ephemeral, others[0], prologue)
    ours = NoiseHandshake(
        PATTERNS[pattern], initiator=True, secret=node_key, ephemeral=node_ephemeral, other=others[0], prologue=prologue
    )
    core = NoiseHandshake(
        PATTERNS[pattern],
        initiator=False,
        secret=daemon_key,
        ephemeral=daemon_ephemeral,
        other=others[1],
        prologue=prologue,
    )
    for number, payload in enumerate(said[: 2 if pattern == "KK" else 3]):
        if number % 2 == 0:
            message = bytes(library.write_message(payload))
            assert ours.write(payload) == message
            assert core.read(message) == payload
        else:
            message = core.write(payload)
            assert (bytes(library.read_message(message)), ours.read(message)) == (payload, payload)
    keys = core.finish()
    assert library.encrypt(b"up") == chacha(keys.receive, 0, b"", b"up")
    assert ours.finish() == SessionKeys(keys.receive, keys.send, public(daemon_key))


def answered(pattern: str, message: bytes) -> bytes:
    """The daemon's answer to the node of this file."""
    if pattern == "KK":
        return noise.answer_kk(
            message, own=[DAEMON], node=public(NODE), ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
        ).message
    return noise.answer_xxpsk0(message, psks=[PSK], own=DAEMON, ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE).message


def changed(data: st.DataObject, message: bytes) -> bytes:
    """Another message than this one."""
    how = data.draw(st.sampled_from(["flip", "cut", "longer", "other"]))
    if how == "flip":
        place = data.draw(st.integers(0, 8 * len(message) - 1))
        # The top bit of a public key does not count (RFC 7748, section 5), but the hash covers it.
        return bytes(byte ^ (1 << place % 8 if i == place // 8 else 0) for i, byte in enumerate(message))
    if how == "cut":
        return message[: data.draw(st.integers(0, len(message) - 1))]
    if how == "longer":
        return message + data.draw(st.binary(min_size=1, max_size=100))
    return data.draw(st.binary(max_size=200).filter(lambda other: other != message))


@pytest.mark.parametrize("pattern", NAMES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_changed_messages_are_refused_and_the_handshake_goes_on(pattern: str, data: st.DataObject) -> None:
    initiator = node(pattern)
    first = initiator.write(b"first")
    with pytest.raises(noise.HandshakeError):
        answered(pattern, changed(data, first))
    second = answered(pattern, first)
    with pytest.raises(SessionError):
        initiator.read(changed(data, second))
    assert initiator.read(second) == b""
    if pattern == "XXpsk0":
        begun = noise.answer_xxpsk0(first, psks=[PSK], own=DAEMON, ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE)
        last = initiator.write(b"last")
        with pytest.raises(noise.HandshakeError):
            begun.finish(changed(data, last))
        assert begun.finish(last).payload == b"last"
    assert initiator.finish().remote == public(DAEMON)


@pytest.mark.parametrize(
    "replace",
    [
        {"own": [NODE]},
        {"node": public(DAEMON)},
        {"prologue": b"attune-session-1abce"},
        {"own": []},
    ],
)
def test_a_node_with_other_keys_or_another_hint_gets_no_answer(replace: dict[str, object]) -> None:
    arguments = {"own": [DAEMON], "node": public(NODE), "ephemeral": DAEMON_EPHEMERAL, "prologue": PROLOGUE} | replace
    answer: Callable[..., noise.Answer] = noise.answer_kk
    with pytest.raises(noise.HandshakeError, match="other keys"):
        answer(node("KK").write(), **arguments)


def test_without_the_secret_nobody_is_commissioned() -> None:
    with pytest.raises(noise.HandshakeError, match="have not been told"):
        noise.answer_xxpsk0(
            node("XXpsk0").write(), psks=[bytes(32), NODE], own=DAEMON, ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
        )


def test_a_key_that_all_secrets_make_zero_is_refused_by_the_daemon() -> None:
    """The point of order 4 with u = 1, in a first message that is right otherwise."""
    begun = library_initiator("XXpsk0", NODE, NODE_EPHEMERAL, PSK, PROLOGUE)
    begun.noise_protocol.handshake_state.e.public_bytes = b"\x01" + bytes(31)
    with pytest.raises(noise.HandshakeError):
        answered("XXpsk0", bytes(begun.write_message()))
    assert len(answered("XXpsk0", node("XXpsk0").write())) == 96


def test_what_may_be_logged_tells_no_secret() -> None:
    begun = noise.answer_xxpsk0(
        node("XXpsk0").write(), psks=[PSK], own=DAEMON, ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
    )
    answer = noise.answer_kk(
        node("KK").write(), own=[DAEMON], node=public(NODE), ephemeral=DAEMON_EPHEMERAL, prologue=PROLOGUE
    )
    for secret in (PSK, DAEMON, DAEMON_EPHEMERAL):
        assert repr(secret) not in repr(begun) + repr(answer)


def test_payloads_are_bounded() -> None:
    message = node("KK").write(bytes(64))
    assert len(message) == 48 + 64
    with pytest.raises(SessionError, match="impossible size"):
        node("KK").write(bytes(65))
    with pytest.raises(ValueError, match="at most 64 bytes, not 65"):
        noise.answer_kk(
            message,
            own=[DAEMON],
            node=public(NODE),
            ephemeral=DAEMON_EPHEMERAL,
            prologue=PROLOGUE,
            payload=bytes(65),
        )


@pytest.mark.parametrize("pattern", NAMES)
def test_calls_out_of_order_are_refused_and_change_nothing(pattern: str) -> None:
    handshake = node(pattern)
    for call in (lambda: handshake.read(bytes(64)), handshake.finish):
        with pytest.raises(SessionError, match="not what comes next"):
            call()
    second = answered(pattern, handshake.write())
    for call in (handshake.write, handshake.finish):
        with pytest.raises(SessionError, match="not what comes next"):
            call()
    handshake.read(second)
    if pattern == "XXpsk0":
        handshake.write()
    for call in (handshake.write, lambda: handshake.read(second)):
        with pytest.raises(SessionError, match="not what comes next"):
            call()
    handshake.finish()
    with pytest.raises(SessionError, match="not what comes next"):
        handshake.finish()


def test_keys_have_32_bytes() -> None:
    with pytest.raises(ValueError, match="ephemeral secret has 32 bytes, not 31"):
        NoiseHandshake(Pattern.KK, initiator=True, secret=NODE, ephemeral=bytes(31), other=PSK)


def test_public_keys_are_the_published_ones() -> None:
    """A first message begins with the ephemeral one."""
    for vector in PUBLISHED:
        assert noise.public_key(vector.keys["gen_init_ephemeral"]) == vector.messages[0][1][:32]
