"""What an update takes on the air, as a demonstration tells it."""

from pathlib import Path

import pytest
import update_world as world
from attuned.demo.packet import ATT_WRITE, bytes_on_air
from attuned.errors import RequestError
from attuned.store.site import SiteStore
from attuned.updates.delivery import Course, Delivery, Signed, Stage
from attuned.updates.envelope import Kind

NODE = "00a1b2c3d4e50213"


async def kept(folder: Path, envelope: bytes) -> None:
    store = SiteStore(folder)
    await store.open()
    delivery = Delivery(NODE, "abcd", 1, Stage.TRIAL, "", 0, 0, 0, "")
    await store.deliveries.save(Course(delivery, Signed(1, envelope, "", 1, 0) if envelope else None))
    await store.close()


async def test_a_head_release_of_24_features_fills_one_write(tmp_path: Path) -> None:
    await kept(tmp_path, world.made(Kind.HEAD).envelope)
    # As docs/protocol.md has it: 215 bytes of envelope, 218 as a message, 243 sealed, and the byte of the part.
    assert bytes_on_air(tmp_path, NODE) == ATT_WRITE == 244


async def test_what_was_not_signed_or_is_too_large_is_no_packet(tmp_path: Path) -> None:
    await kept(tmp_path, b"")
    with pytest.raises(RequestError, match="No update was signed"):
        bytes_on_air(tmp_path, NODE)
    with pytest.raises(RequestError, match="No update was signed"):
        bytes_on_air(tmp_path, NODE.replace("0", "f"))
    await kept(tmp_path, bytes(2000))
    with pytest.raises(RequestError, match="does not go into one frame: it has 2000 bytes"):
        bytes_on_air(tmp_path, NODE)
