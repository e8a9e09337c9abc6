"""What can go wrong in a gateway, for people."""


class GatewayError(Exception):
    """Base of the gateway's errors; the message is a sentence that says what to do next."""


class ListenError(GatewayError):
    """An address on which the gateway cannot listen."""
