"""A site on disk with everything that a backup has, and what is needed to make and restore one."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyrage
from attuned import backup_key
from attuned.backup.making import Made, make
from attuned.backup.places import Places
from attuned.backup.restoring import Restored, restore
from attuned.backup_key import BackupKey
from attuned.site import Site
from attuned.store.site import LabelRow
from attuned.updates.numbers import _RECORD
from daemon_world import MINUTE, NOON, A, B, FakeClock, opened_site, site_settings, window

WORDS = "seven lamps over the ford"


@dataclass(frozen=True)
class Sealer:
    """A key is made once: each costs most of a second."""

    key: BackupKey
    private: pyrage.x25519.Identity

    @classmethod
    def make(cls) -> "Sealer":
        key = backup_key.make(WORDS)
        return cls(key, key.stretching.private(WORDS))


@dataclass
class Machine:
    """The folders of an installation under one folder."""

    root: Path
    sealer: Sealer

    @property
    def places(self) -> Places:
        return Places(self.root / "etc" / "attuned.toml", self.root / "state", self.root / "signer")

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def configure(self, site: str = "hall") -> None:
        etc = self.places.etc
        (etc / "secrets").mkdir(parents=True)
        (etc / "secrets").chmod(0o700)
        rooms = f'[[rooms]]\nid = "r"\nnodes = ["{A}"]\n[[rooms]]\nid = "s"\nnodes = ["{B}"]\n'
        store = f'[store]\npath = "{self.places.state}"\nwindows_days = 3650\n'
        # Named by its place: it is not there while the restored configuration is read.
        broker = f'[mqtt]\nuser = "attune"\npassword_file = "{etc}/secrets/mqtt-password"\n'
        self.places.config.write_text(f'[site]\nname = "{site}"\ntest_nodes = true\n{store}{broker}{rooms}')
        (etc / "secrets" / "mqtt-password").write_text("correct horse\n")
        (etc / "secrets" / "mqtt-password").chmod(0o600)
        (etc / "backup-key.toml").write_text(self.sealer.key.toml())
        self.places.signer.mkdir()
        (self.places.signer / "signed-numbers").write_bytes(signed(7))
        (self.places.signer / "signed-numbers").chmod(0o600)

    async def fill(self) -> None:
        """A day of windows of A, and a label."""
        site = await self.open()
        ends = range(NOON - 1440 * MINUTE, NOON, MINUTE)
        await site.window_store.commit([window(i, end, node=A) for i, end in enumerate(ends, 1)], [])
        await site.window_store.pack({}, [])
        await site.window_store.commit([window(1441, NOON, node=A)], [])
        await site.site_store.add_label(LabelRow(0, "r", "free", NOON - 20 * MINUTE, NOON, 1.0, "person", "ann", NOON))
        for node in (A, B):
            await site.site_store.keys.trust(site.trust.nodes[node])
        await site.close()

    async def open(self) -> Site:
        site = await opened_site(self.places.state, FakeClock(), {"r": [A], "s": [B]})
        site.commits.flush = written  # type: ignore[method-assign]
        return site

    async def open_plain(self) -> Site:
        """With the nodes that its store trusts, and no others."""
        site = Site(site_settings(self.places.state, {"r": [A], "s": [B]}), FakeClock(), None)
        await site.open()
        return site

    def back_up(self, *, windows: bool = True) -> Made:
        return make(self.places, self.sealer.key, self.backups, windows=windows, backups=self.backups)

    def restore(self, path: Path) -> Restored:
        return restore(path, self.sealer.private, self.places.config, self.places.signer)

    def fingerprint(self) -> dict[str, str]:
        """What the installation's files hold, but for locks and what restores have set aside."""
        found = {}
        for place in (self.places.etc, self.places.state, self.places.signer):
            for path in sorted(place.rglob("*")) if place.exists() else ():
                if path.is_file() and path.suffix != ".lock":
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[str(path.relative_to(self.root))] = f"{path.stat().st_mode:o} {digest}"
        return found

    def copy_to(self, root: Path) -> "Machine":
        """The same machine elsewhere: its configuration still names the state by its old place."""
        shutil.copytree(self.root, root)
        return Machine(root, self.sealer)

    def end(self) -> None:
        """The disk is gone, but not the backups."""
        for place in (self.places.etc, self.places.state, self.places.signer):
            shutil.rmtree(place)


async def written() -> None:
    """Stands for the commits task."""


def signed(*numbers: int) -> bytes:
    """A file of the signing process, an audience a number."""
    return b"".join(
        _RECORD.pack(bytes([audience]) * 32, number, os.urandom(16)) for audience, number in enumerate(numbers)
    )
