"""The `positive` expression of a spec: which cells of the label column count as occupied."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
PATTERN = re.compile(r"""\s*(>=|<=|==|!=|>|<)\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=!]+))\s*""")
EXAMPLES = """"> 0", ">= 1", "== 1" or '== "yes"'"""

# What recordings write where they have no number; compared in lower case.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class Positive:
    """A comparison of a label cell with a number, or with a text where `value` is a string."""

    relation: str
    value: float | str

    def of(self, cell: str) -> bool | None:
        """Whether the cell says occupied; None where it says nothing; ValueError where it cannot be compared."""
        cell = cell.strip()
        compare = OPERATORS[self.relation]
        if isinstance(self.value, str):
            return compare(cell, self.value) if cell else None
        if cell.lower() in MISSING:
            return None
        number = float(cell)
        return None if math.isnan(number) else compare(number, self.value)


def parse_positive(text: str) -> Positive:
    """Read an expression such as `> 0` or `== "yes"`; ValueError with a sentence where it is none."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a comparison; write {EXAMPLES}")
    relation, double, single, bare = match.groups()
    quoted = double if double is not None else single
    if quoted is None:
        return Positive(relation, _number(text, relation, bare))
    if relation not in ("==", "!="):
        raise ValueError(f"{text!r} orders texts; write == or != before a text, or a number without quotes")
    return Positive(relation, quoted.strip())


def _number(text: str, relation: str, bare: str) -> float:
    try:
        number = float(bare)
    except ValueError:
        raise ValueError(f"""{text!r} compares with a bare word; write '{relation} "{bare}"' or a number""") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} compares with something that is not finite; write {EXAMPLES}")
    return number
