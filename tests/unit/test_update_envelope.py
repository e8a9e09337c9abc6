"""Envelopes signed here and judged by the node's code: what fits is applied, everything else has its verdict and
changes nothing."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import update_world as world
from attune_core import UNIT, Head, Schema
from attune_core.update import Model, UpdateKind, UpdatingNode, Verdict, audience, ed25519_check, sha512
from attune_proto.v1 import node_pb2
from attuned.updates.envelope import AROUND, LARGEST, Audience, EnvelopeError, Kind, Update, read_message
from attuned.updates.planning import head_payload
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from update_payloads import NodeCalibration, Normaliser, make_update, model_payload

VECTORS = Path(__file__).parents[1] / "vectors" / "updates"

ALL = pytest.mark.parametrize("kind", Kind)

# RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc): public key, message, signature.
PUBLISHED = [
    tuple(line.split(":"))
    for line in """\
d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a::\
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24\
655141438e7a100b
3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c:72:\
92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee\
b00d291612bb0c00
fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025:af82:\
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d\
c027beceea1ec40a
ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf:\
ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e\
2a9ac94fa54ca49f:\
dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a\
d9bef1177331a704""".splitlines()
]


@pytest.mark.parametrize(("key", "message", "signature"), PUBLISHED)
def test_published_signatures(key: str, message: str, signature: str) -> None:
    given = bytes.fromhex(signature), bytes.fromhex(key), bytes.fromhex(message)
    assert ed25519_check(*given)
    assert not ed25519_check(*given[:2], given[2] + b"\0")


def test_a_scalar_that_is_not_reduced_is_no_signature() -> None:
    key, message, signature = map(bytes.fromhex, PUBLISHED[2])
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little")
    assert not ed25519_check(signature[:32] + (scalar + order).to_bytes(32, "little"), key, message)


@settings(max_examples=60)
@given(st.binary(max_size=600), st.binary(min_size=32, max_size=32))
def test_signatures_of_another_implementation(message: bytes, seed: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    assert ed25519_check(private.sign(message), private.public_key().public_bytes_raw(), message)


@given(st.integers(0, 600))
def test_sha512_of_every_length(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    assert sha512(data) == hashlib.sha512(data).digest()


def test_both_sides_name_an_audience_alike() -> None:
    for who in (world.NODE, world.COHORT):
        assert audience(who.ident, who.schema_hash, who.hardware, cohort=who.cohort) == who.digest
    assert len({who.digest for who in (world.NODE, world.COHORT, replace(world.NODE, cohort=True))}) == 3


def test_numbers_are_those_of_the_core_and_of_the_messages() -> None:
    assert [(kind.name, kind.value) for kind in Kind] == [(kind.name, kind.value) for kind in UpdateKind]
    said = {f"UPDATE_RESULT_{verdict.name}": verdict.value for verdict in Verdict}
    assert said | {"UPDATE_RESULT_UNSPECIFIED": 0} == dict(node_pb2.UpdateResult.items())


@ALL
@pytest.mark.parametrize("cohort", [False, True])
def test_an_envelope_is_applied(kind: Kind, cohort: bool) -> None:
    made = world.made(kind, cohort=cohort)
    verdict, model = (world.in_cohort() if cohort else world.node()).take(made.envelope)
    assert verdict is Verdict.OK
    assert model is not None
    assert model.image == made.result.image
    assert model.digest == made.update.result != world.base().digest


def test_a_result_is_another_release_with_the_digest_of_its_image() -> None:
    image = world.made(Kind.MODEL).result.image
    assert world.made(Kind.MODEL).update.result == hashlib.blake2b(image).digest()[:16]
    assert Model.of_image(image, world.SCHEMA).image == image
    head, digest = Head.factory(world.SCHEMA)
    assert Model(head, world.SCHEMA).digest == digest


@ALL
def test_every_single_bit_counts(kind: Kind) -> None:
    made, node = world.made(kind), world.in_cohort()
    before = node.base.image
    places = range(len(made.envelope)) if len(made.envelope) < 400 else [*range(30), *range(30, len(made.envelope), 7)]
    for place in places:
        for bit in range(8):
            flipped = bytearray(made.envelope)
            flipped[place] ^= 1 << bit
            verdict, model = node.take(bytes(flipped))
            assert model is None
            known = place > 1 or bytes(flipped[:2]) in {bytes([1, each | top]) for each in Kind for top in (0, 128)}
            assert verdict is (Verdict.SIGNATURE if known else Verdict.FORMAT)
    assert node.base.image == before


def refused(node: UpdatingNode, envelope: bytes) -> Verdict:
    """The verdict; the node runs what it ran."""
    before = node.base.image
    verdict, model = node.take(envelope)
    assert model is None
    assert node.base.image == before
    return verdict


@ALL
def test_what_the_node_knows_of_itself_is_signed(kind: Kind) -> None:
    made, node = world.made(kind), world.in_cohort()
    schema = Schema(("temperature", "pir"), 60)
    others = [
        replace(node, node=replace(world.NODE, ident=b"node-002").digest),
        replace(node, node=replace(world.NODE, hardware="nrf52840").digest),
        replace(node, node=replace(world.NODE, schema_hash=schema.hash).digest),
        replace(node, base=Model(world.taught(8), world.SCHEMA)),
        replace(node, key=world.signing_key(2).public),
    ]
    assert [refused(other, made.envelope) for other in others] == [Verdict.SIGNATURE] * len(others)


def test_a_cohort_is_not_a_node_and_needs_to_be_ones_own() -> None:
    made = world.made(Kind.HEAD, cohort=True)
    assert refused(world.node(), made.envelope) is Verdict.SIGNATURE
    other = replace(world.COHORT, ident=b"cohort-2")
    assert refused(replace(world.node(), cohort=other.digest), made.envelope) is Verdict.SIGNATURE
    # The same digest does not serve the other scope.
    assert refused(replace(world.node(), node=world.COHORT.digest), made.envelope) is Verdict.SIGNATURE


@pytest.mark.parametrize("highest", [world.SEQUENCE, world.SEQUENCE + 1, 2**32 - 1])
@ALL
def test_an_old_number_is_refused(kind: Kind, highest: int) -> None:
    assert refused(replace(world.node(), highest=highest), world.made(kind).envelope) is Verdict.SEQUENCE


def test_two_envelopes_cannot_be_spliced() -> None:
    one = world.made(Kind.HEAD).envelope
    update = replace(world.made(Kind.HEAD).update, payload=head_payload(world.taught(5), 77))
    other = world.signed(update)
    assert len(one) == len(other)
    for cut in range(1, len(one)):
        if one[:cut] != other[:cut] and one[cut:] != other[cut:]:
            assert refused(world.node(), one[:cut] + other[cut:]) is Verdict.SIGNATURE


@ALL
def test_every_other_length_is_refused(kind: Kind) -> None:
    envelope = world.made(kind).envelope
    for size in range(AROUND + 1):
        assert refused(world.node(), envelope[:size]) is Verdict.SIZE
    for size in range(AROUND + 1, len(envelope), 1 + len(envelope) // 60):
        assert refused(world.node(), envelope[:size]) is Verdict.SIGNATURE
    assert refused(world.node(), envelope + b"\0") is Verdict.SIGNATURE
    assert refused(world.node(), envelope.ljust(LARGEST + 1, b"\0")) is Verdict.SIZE


@pytest.mark.parametrize(("place", "value"), [(0, 0), (0, 2), (1, 0), (1, 5), (1, 0x80), (1, 0x7F)])
def test_an_unknown_format_or_kind_is_said_before_anything_is_checked(place: int, value: int) -> None:
    envelope = bytearray(world.made(Kind.HEAD).envelope)
    envelope[place] = value
    assert refused(world.node(), bytes(envelope)) is Verdict.FORMAT


@ALL
@pytest.mark.parametrize("said", Kind)
def test_a_signed_payload_of_another_kind_is_refused(kind: Kind, said: Kind) -> None:
    if kind is not said:
        update = replace(world.made(kind).update, kind=said)
        assert refused(world.node(), world.signed(update)) is Verdict.PAYLOAD


@ALL
def test_a_signed_payload_that_gives_something_else_is_refused(kind: Kind) -> None:
    update = replace(world.made(kind).update, result=bytes(16))
    assert refused(world.node(), world.signed(update)) is Verdict.DIGEST


@settings(max_examples=300)
@given(st.sampled_from(Kind), st.data())
def test_no_signed_payload_makes_a_state_that_is_not_finite(kind: Kind, data: st.DataObject) -> None:
    golden = bytearray(world.payload(kind))
    places = st.tuples(st.integers(0, len(golden) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, max_size=12)):
        golden[place] = value
    try:
        model = world.base().updated(UpdateKind(kind), bytes(golden))
    except ValueError:
        return
    x, classes = world.windows(3, 30)
    evidence, _ = model.predict(x)
    assert np.isfinite(evidence).all()
    assert np.abs(evidence).max() <= 16
    for row, k in zip(x, classes, strict=True):
        model.learn(row, int(k))
    assert np.isfinite(model.predict(x)[0]).all()
    assert Model.of_image(model.image, world.SCHEMA).image == model.image


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused(envelope: bytes) -> None:
    refused(world.node(), envelope)


def test_a_normaliser_maps_windows_before_the_head_and_a_calibration_its_evidence() -> None:
    x, _ = world.windows(4, 60)
    model = world.made(Kind.MODEL).result
    centre, scale = np.array(world.NORMALISER.centres), np.array(world.NORMALISER.scales)
    mapped = np.rint((x / UNIT - centre) / scale * UNIT).astype(np.int16)
    evidence = np.clip(0.375 * model.head.predict(mapped)[0] + 0.25, -16, 16)
    np.testing.assert_allclose(model.predict(x)[0], evidence, atol=0.02)


def test_what_stays_of_the_base() -> None:
    """A head keeps the calibration and drops the normaliser; single parts take the place of those before."""
    whole = world.made(Kind.MODEL).result
    other = NodeCalibration(1.0, (-0.5,), (7200, 600))
    moved = Normaliser((0.0,) * 24, (129,) * 24)
    head = head_payload(world.taught(1), 90)
    _, replaced = make_update(whole, world.NODE, 301, Kind.HEAD, head)
    _, calibrated = make_update(whole, world.NODE, 301, Kind.CALIBRATION, other.payload)
    _, normalised = make_update(whole, world.NODE, 301, Kind.NORMALISER, moved.payload)
    expected = {
        replaced: (90, None, world.CALIBRATION),
        calibrated: (78, world.NORMALISER, other),
        normalised: (78, moved, world.CALIBRATION),
    }
    for model, (label, normaliser, calibration) in expected.items():
        state = model_payload(
            model.head, "float32", through_label=label, normaliser=normaliser, calibration=calibration
        )
        assert model.image == state + world.SCHEMA.hash
        assert model.through_label == label


def test_a_calibration_of_other_classes_goes_with_a_head() -> None:
    _, model = make_update(
        world.made(Kind.MODEL).result, world.NODE, 301, Kind.HEAD, head_payload(world.taught(1, 900, 3))
    )
    assert model.image == model.head.export() + world.SCHEMA.hash
    with pytest.raises(EnvelopeError):
        make_update(model, world.NODE, 302, Kind.CALIBRATION, world.CALIBRATION.payload)


@pytest.mark.parametrize("kind", [kind for kind in Head.kinds if kind != "mixture"])
def test_a_node_of_another_kind_takes_whole_models(kind: str) -> None:
    head, _ = Head.factory(world.SCHEMA, kind)
    base = Model(head, world.SCHEMA)
    better = head.copy()
    better.learn(*world.windows(1, 50))
    update, model = make_update(base, world.NODE, 1, Kind.MODEL, model_payload(better, "float32"))
    assert model.image == better.export() + world.SCHEMA.hash
    assert replace(world.node(), base=base, highest=0).take(world.signed(update))[0] is Verdict.OK


def test_a_signer_reads_back_what_was_to_be_signed() -> None:
    for kind in Kind:
        for cohort in (False, True):
            update = world.made(kind, cohort=cohort).update
            assert read_message(update.message) == update


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"sequence": 2**32},
        {"base": b""},
        {"result": bytes(15)},
        {"audience": bytes(31)},
        {"payload": b""},
        {"payload": bytes(LARGEST - AROUND + 1)},
    ],
)
def test_values_that_no_envelope_has(change: dict[str, object]) -> None:
    update = world.made(Kind.HEAD).update
    with pytest.raises(EnvelopeError):
        replace(update, **change)  # type: ignore[arg-type]


def test_the_largest_models_fit() -> None:
    assert AROUND + len(model_payload(world.taught(1), "float32", normaliser=world.NORMALISER)) <= LARGEST
    eight = model_payload(world.taught(1, 3000, 8), "int8", through_label=1, normaliser=world.NORMALISER)
    assert AROUND + len(eight) + 1 + 3 + 2 * 8 + 4 * 8 <= LARGEST


def test_an_audience_has_ids_of_eight_bytes() -> None:
    with pytest.raises(EnvelopeError):
        Audience(b"short", world.SCHEMA.hash, "x")


def test_an_update_names_its_values() -> None:
    update = world.made(Kind.CALIBRATION).update
    assert isinstance(update, Update)
    assert update.envelope(bytes(64))[:6] == bytes([1, 2, 0x2C, 1, 0, 0])
    with pytest.raises(EnvelopeError):
        update.envelope(bytes(63))


def golden(name: str) -> bytes:
    text = (VECTORS / f"{name}.hex").read_text()
    return bytes.fromhex(" ".join(line for line in text.splitlines() if not line.startswith("#")))


@ALL
@pytest.mark.parametrize("cohort", [False, True])
def test_golden_envelopes_are_taken_for_ever(kind: Kind, cohort: bool) -> None:
    if cohort and kind is not Kind.HEAD:
        return
    base = Model.of_image(golden("base"), world.SCHEMA)
    node = UpdatingNode(golden("key"), golden("node"), base, world.HIGHEST, golden("cohort"))
    verdict, model = node.take(golden(f"{kind.name.lower()}{'_cohort' if cohort else ''}"))
    assert verdict is Verdict.OK
    assert model is not None
    assert model.digest == golden(f"{kind.name.lower()}_result")
