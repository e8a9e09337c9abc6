"""The daemon's exceptions. Every message is a sentence that says what to do next."""

from pathlib import Path


class AttuneError(Exception):
    """Base of all errors that a person should read."""


class ConfigError(AttuneError):
    """A configuration file is missing or says something that cannot be."""


class StoreError(AttuneError):
    """The store cannot be opened or written; that may pass, as a full disk does."""


class UnusableStoreError(StoreError):
    """The store is not for this daemon as it is, and no restart changes that: of a newer version, somebody else's."""


class DamagedStoreError(UnusableStoreError):
    """A file of the store does not hold what was written into it: what was found, and what to do about it."""

    def __init__(self, path: Path, found: str, advice: str) -> None:
        super().__init__(f"The store {path} {found}: {advice}.")
        self.path = path
        self.found = found


class RequestError(AttuneError):
    """A request that cannot be carried out as asked."""


class NotFoundError(RequestError):
    """A request names something that does not exist."""
