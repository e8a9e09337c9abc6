"""Copy the sources of the store with a bug planted in them, to see that the power-loss test finds it.

plant_bug.py NUMBER FROM TO
"""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bug:
    """Lines of one file, and what stands there instead."""

    name: str
    file: str
    right: str
    wrong: str


BUGS = {
    1: Bug(
        "the counter after the trial",
        "slots.c",
        """        result = attune_store_accept(store, info->sequence);
    }
    return result == ATTUNE_STORE_OK ? start_trial(store, slot, info, trial_s) : result;
""",
        """        result = start_trial(store, slot, info, trial_s);
    }
    return result == ATTUNE_STORE_OK ? attune_store_accept(store, info->sequence) : result;
""",
    ),
    2: Bug(
        "no sync",
        "store.c",
        "    return error_of(flash->sync(flash->context));\n",
        "    (void)flash;\n    return LFS_ERR_OK;\n",
    ),
    3: Bug(
        "a write into the slot that runs",
        "slots.c",
        "    *slot = next.committed == ATTUNE_SLOT_A ? ATTUNE_SLOT_B : ATTUNE_SLOT_A;\n",
        "    *slot = next.committed == ATTUNE_SLOT_B ? ATTUNE_SLOT_B : ATTUNE_SLOT_A;\n",
    ),
    4: Bug(
        "the acknowledgement before the append",
        "labels.c",
        "    if (store->labels_behind || store->label_parts + parts > ATTUNE_LABEL_FILES) {\n",
        """    if (!store->labels_behind) {
        store->labels_behind = true;
        return ATTUNE_STORE_OK;
    }
    if (store->labels_behind || store->label_parts + parts > ATTUNE_LABEL_FILES) {
""",
    ),
    5: Bug(
        "no look at the digest",
        "slots.c",
        "    return crypto_verify16(digest, info->digest) == 0;\n",
        "    return digest != NULL && info != NULL;\n",
    ),
}


def plant(bug: Bug, source: Path, target: Path) -> None:
    """Write every file of the store; ValueError if the lines are not there exactly once."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.c")):
        text = path.read_text()
        if path.name == bug.file:
            if text.count(bug.right) != 1:
                raise ValueError(f"{path.name} has changed: give plant_bug.py the lines that {bug.name} is planted in.")
            text = text.replace(bug.right, bug.wrong)
        (target / path.name).write_text(text)


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in map(str, BUGS):
        print(f"Name a bug of 1 to {len(BUGS)} and two folders: plant_bug.py NUMBER FROM TO", file=sys.stderr)
        return 2
    try:
        plant(BUGS[int(arguments[0])], Path(arguments[1]), Path(arguments[2]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
