"""The daemon's exceptions. Every message is a sentence that says what to do next."""


class AttuneError(Exception):
    """Base of all errors that a person should read."""


class ConfigError(AttuneError):
    """A configuration file is missing or says something that cannot be."""


class StoreError(AttuneError):
    """The store cannot be opened or written."""


class RequestError(AttuneError):
    """A request that cannot be carried out as asked."""


class NotFoundError(RequestError):
    """A request names something that does not exist."""
