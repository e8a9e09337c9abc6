"""What an advertisement holds: structures of length, type and value (Core Specification, volume 3, part C, 11)."""

from uuid import UUID

from attune_gateway.ble.central import HINT_SIZE, SERVICE

_SERVICE_DATA_128 = 0x21
_SERVICE = UUID(SERVICE).bytes[::-1]


def hint_of(data: bytes) -> bytes | None:
    """The advertised hint in the data of an advertisement, or None if it is not a node's."""
    begin = 0
    while begin < len(data) and data[begin] > 0:
        structure = data[begin + 1 : begin + 1 + data[begin]]
        begin += 1 + data[begin]
        if structure[0:1] == bytes((_SERVICE_DATA_128,)) and structure[1:17] == _SERVICE:
            hint = structure[17:]
            return hint if len(hint) == HINT_SIZE else None
    return None
