"""What stands behind a setting in a configuration file: its default, and what may be written there."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from attuned.config import model_at

# From here on a description shows the whole line, which is what stands before the comment.
_EXAMPLE = re.compile(r",? such as \w+ = .*", re.DOTALL)


def comment(place: Sequence[str]) -> str:
    """The comment of a setting, such as ("mqtt", "port"), without its #. KeyError if there is none of that name."""
    field = model_at(tuple(place[:-1])).model_fields[place[-1]]
    meaning = _EXAMPLE.sub("", field.description or "")
    return meaning if field.is_required() else f": {_shown(field)}; {meaning}"


def _shown(field: FieldInfo) -> str:
    """A default as TOML has it."""
    default: Any = field.get_default(call_default_factory=False)
    return "none" if default is None else json.dumps(str(default) if isinstance(default, Path) else default)
