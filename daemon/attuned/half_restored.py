"""Whether a restore was cut off: the daemon must not start on what is neither the old nor the new."""

from pathlib import Path

from attuned.errors import UnusableStoreError


def path_of(etc: Path) -> Path:
    """The file that says what a restore of this configuration's folder is about to do, while it does it."""
    return Path(f"{etc.absolute()}.restoring.json")


def refuse_half(etc: Path) -> None:
    """Raises UnusableStoreError while a restore has not put everything in its place."""
    if path_of(etc).exists():
        raise UnusableStoreError(
            f"A restore of {etc} was cut off half-way: `sudo attune restore --finish` ends it; nothing starts before."
        )
