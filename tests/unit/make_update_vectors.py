"""Write the golden vectors of signed updates: `python tests/unit/make_update_vectors.py`, run in the project's folder.

They are made once and kept: what an old daemon has signed, every later node has to take. The base is stored with them,
so that a new factory release does not change what they say.
"""

from pathlib import Path

import update_world as world
from attuned.updates.envelope import Kind
from attuned.updates.statements import Chain, statement

FOLDER = Path(__file__).parents[1] / "vectors" / "updates"


def vectors() -> dict[str, bytes]:
    """Everything by name: who signs, for whom, what runs, what is sent, and what then runs."""
    chain = Chain(world.signing_key(1).public)
    for number in (1, 2):
        chain = chain.followed_by(statement(world.signing_key(number), world.signing_key(number + 1).public))
    found = {
        "key": world.signing_key().public,
        "third_key": world.signing_key(3).public,
        "node": world.NODE.digest,
        "cohort": world.COHORT.digest,
        "schema": world.SCHEMA.hash,
        "base": world.base().image,
        "chain": chain.message_for(1),
        "head_cohort": world.made(Kind.HEAD, cohort=True).envelope,
    }
    for kind in Kind:
        found[kind.name.lower()] = world.made(kind).envelope
        found[f"{kind.name.lower()}_result"] = world.made(kind).result.digest
    return found


def text(name: str, data: bytes) -> str:
    """A file's text: what it is, then 32 bytes a line in hex digits."""
    lines = [data[at : at + 32].hex(" ").upper() for at in range(0, len(data), 32)]
    return "\n".join([f"# {name}: {len(data)} bytes", *lines, ""])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, data in vectors().items():
        (FOLDER / f"{name}.hex").write_text(text(name, data))


if __name__ == "__main__":
    main()
