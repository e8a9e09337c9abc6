"""The check of windows.db, as a process of its own: `python -m attuned.store.checking FILE` prints what it found.

The file may hold ten million windows, which take seconds to minutes to read, and nothing waits for it. A process can be
ended at any moment, and does not hold up whoever reads or writes meanwhile.
"""

import contextlib
import os
import sqlite3
import sys
from pathlib import Path

from attuned.store.trouble import one_line

# Everything else has the right of way; the scheduler of the disk goes by it as well, where it has priorities.
NICENESS = 19

OK = "ok"


def check(path: Path) -> str:
    """`ok`, or what is wrong with the file. Raises sqlite3.OperationalError if it cannot be read now."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return one_line(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return one_line(error)


def main() -> int:
    """Checks the file named on the command line; 1 if it cannot be read now."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    try:
        print(check(Path(sys.argv[1])))
    except sqlite3.Error as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
