"""What the setup would write: the files of a configuration as they are, and as they shall be."""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import attune_gateway.config as gateway_config
from attune_gateway.errors import GatewayError
from pydantic import ValidationError

from attuned import config
from attuned.config import Settings
from attuned.errors import ConfigError
from attuned.setup import daemon_file, gateway_file
from attuned.setup.files import COPY, Change
from attuned.setup.wanted import UNNAMED, Radios, Wanted, as_settings, configured, password_path, radios_of

# What an installation without a configuration begins with: what the package ships, without its comments.
_NO_DAEMON = f"""[site]
name = "{UNNAMED}"

[mqtt]

[gateways]
group = "attune-gateway"

[updates]
signer = "/run/attune-signer/signer.sock"

[api]
group = "attune"
"""
_NO_GATEWAY = '[tcp]\nlisten = ["127.0.0.1:7011"]\n'


@dataclass(frozen=True)
class Present:
    """The configuration in a folder: texts, None for a file that is not there, and what they mean."""

    etc: Path
    daemon_text: str | None
    gateway_text: str | None
    daemon: Settings
    gateway: gateway_config.Settings

    @property
    def wanted(self) -> Wanted:
        return configured(self.daemon, self.gateway)

    @property
    def first(self) -> bool:
        """Nobody has run the setup yet: what is there is the package's, and nothing was replaced."""
        copies = (path.with_name(path.name + COPY) for path in (_daemon_path(self.etc), _gateway_path(self.etc)))
        return self.daemon.site.name == UNNAMED and not any(path.exists() for path in copies)

    @property
    def backup_key(self) -> Path:
        return self.etc / "backup-key.toml"


def present(etc: Path) -> Present:
    """Reads the configuration of a folder such as /etc/attune. ConfigError for files that the programs would refuse."""
    daemon, gateway = _daemon_path(etc), _gateway_path(etc)
    try:
        return Present(
            etc=etc,
            daemon_text=daemon.read_text(encoding="utf-8") if daemon.exists() else None,
            gateway_text=gateway.read_text(encoding="utf-8") if gateway.exists() else None,
            daemon=config.load(daemon) if daemon.exists() else Settings.model_validate(tomllib.loads(_NO_DAEMON)),
            gateway=_gateway(gateway) if gateway.exists() else gateway_config.Settings.model_validate(_no_gateway()),
        )
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read ({error.strerror}): run this with sudo.") from error


def changes(before: Present, wanted: Wanted) -> list[Change]:
    """The files that differ. ConfigError for what no daemon would take."""
    wanted = _with_password_file(before.etc, wanted)
    try:
        meant = as_settings(wanted, before.daemon)
    except ValidationError as error:
        raise ConfigError("\n".join(config.sentences(error))) from error
    daemon = daemon_file.edited(before.daemon_text or _NO_DAEMON, before.daemon, wanted)
    gateway = gateway_file.edited(before.gateway_text or _NO_GATEWAY, before.wanted.radios, wanted.radios)
    found = [
        *_secrets(before, wanted),
        Change(_gateway_path(before.etc), before.gateway_text, gateway, check=_checks_gateway(wanted.radios)),
        Change(_daemon_path(before.etc), before.daemon_text, daemon, check=_checks_daemon(meant)),
    ]
    return [change for change in found if change.old != change.new]


def diff(changes: Sequence[Change]) -> Iterator[str]:
    """The lines that say what changes, without secrets."""
    for change in changes:
        if change.secret:
            yield f"{change.path}: {'new' if change.old is None else 'replaced'}, for root alone"
            continue
        old, new = (change.old or "").splitlines(), change.new.splitlines()
        yield from difflib.unified_diff(old, new, str(change.path), str(change.path), n=1, lineterm="")


def _daemon_path(etc: Path) -> Path:
    return etc / "attuned.toml"


def _gateway_path(etc: Path) -> Path:
    return etc / "gateway.toml"


def _no_gateway() -> dict[str, object]:
    return tomllib.loads(_NO_GATEWAY)


def _gateway(path: Path) -> gateway_config.Settings:
    try:
        return gateway_config.load(path)
    except GatewayError as error:
        raise ConfigError(str(error)) from error


def _with_password_file(etc: Path, wanted: Wanted) -> Wanted:
    if wanted.password is None or wanted.broker is None:
        return wanted
    return replace(wanted, broker=wanted.broker.model_copy(update={"password_file": password_path(etc)}))


def _secrets(before: Present, wanted: Wanted) -> Iterator[Change]:
    if wanted.password is not None:
        yield _secret(password_path(before.etc), wanted.password + "\n")
    if wanted.passphrase is not None:
        yield _secret(before.backup_key, _backup_key(wanted.passphrase))


def _secret(path: Path, new: str) -> Change:
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): run this with sudo.") from error
    return Change(path, old, new, secret=True)


def _backup_key(passphrase: str) -> str:
    from attuned import backup_key

    return backup_key.make(passphrase).toml()


def _checks_daemon(meant: Settings) -> Callable[[Path], None]:
    """The daemon reads from the draft what was meant, and nothing else."""

    def check(draft: Path) -> None:
        if _by_room(config.load(draft)) != _by_room(meant):
            raise ConfigError(f"{draft}: its form does not allow this change: give each table its own heading.")

    return check


def _by_room(settings: Settings) -> Settings:
    """A room that was taken out and added again keeps its place in the file."""
    return settings.model_copy(update={"rooms": sorted(settings.rooms, key=lambda room: room.id)})


def _checks_gateway(meant: Radios) -> Callable[[Path], None]:
    def check(draft: Path) -> None:
        if radios_of(_gateway(draft)) != meant:
            raise ConfigError(f"{draft}: its form does not allow this change: give each table its own heading.")

    return check
