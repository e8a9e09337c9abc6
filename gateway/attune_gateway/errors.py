"""What can go wrong in a gateway, for people."""


class GatewayError(Exception):
    """Base of the gateway's errors; the message is a sentence that says what to do next.

    exit_code: of a process that ends with it: 1 for what may pass, 2 for settings that somebody has to mend first, so
    that a restart is of no use.
    """

    exit_code = 1


class ListenError(GatewayError):
    """An address on which the gateway cannot listen, so far."""


class ForbiddenAddressError(ListenError):
    """An address on which this user must not listen."""

    exit_code = 2
