"""Changes of a TOML document that keep its order, its comments and everything that is not changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit import items

from attuned.setup.comments import comment

# Where the comment of a setting begins, as in the files that are shipped.
_COMMENT_COLUMN = 32


def table(document: tomlkit.TOMLDocument, name: str) -> items.Table:
    """The table of this name, made at the end if there is none."""
    if name not in document:
        document.add(name, _new_table())
    found = document[name]
    if not isinstance(found, items.Table):
        raise ValueError(f"{name} is no table of its own")
    return found


def put(target: items.Table, place: tuple[str, str], value: Any, *, explain: bool = True) -> None:
    """Sets a key; None takes it out. A new one stands behind the table's last, with its comment."""
    key = place[1]
    if value is None:
        if key in target:
            target.remove(key)
    elif key in target:
        if target[key] != value:
            _replace(target, key, value)
    else:
        item = tomlkit.item(value)
        if explain:
            said = comment(place)
            item.comment(said)
            item.trivia.comment = f"#{said}" if said.startswith(":") else f"# {said}"
            item.trivia.comment_ws = _gap(key, item, _COMMENT_COLUMN)
        _append(target, key, item)


def append_table(tables: items.AoT, values: Mapping[str, Any], name: str, *, explain: bool) -> None:
    """A new table of an array of tables, behind the last one and before what follows it."""
    made = _new_table()
    for key, value in values.items():
        put(made, (name, key), value, explain=explain)
    trailing = without_trailing(tables[-1]) if len(tables) else []
    tables.append(made)
    made.value.body.extend(trailing)


def drop(tables: items.AoT, index: int) -> None:
    """Takes one table out of several; comments behind it, which belong to what follows, stay."""
    trailing = without_trailing(tables[index])
    tables.pop(index)
    if not _says(trailing):
        return
    if index:
        tables[index - 1].value.body.extend(trailing)
    else:
        tables[0].trivia.indent = _text(trailing) + tables[0].trivia.indent


def remove(document: tomlkit.TOMLDocument, name: str) -> None:
    """Takes out the table of this name, or all of an array; comments behind it, which belong to what follows, stay."""
    place = next(index for index, (key, _) in enumerate(document.body) if key is not None and key.key == name)
    found: Any = document[name]
    last = found[-1] if isinstance(found, items.AoT) else found
    trailing = without_trailing(last) if isinstance(last, items.Table) else []
    document.remove(name)
    if _says(trailing):
        document.body[place] = (None, items.Whitespace(_text(trailing), fixed=True))


def without_trailing(target: items.Table) -> list[Any]:
    """Takes out what stands behind a table's last key, which belongs to the next table."""
    body = target.value.body
    last = max((index for index, (key, _) in enumerate(body) if key is not None), default=-1)
    trailing = body[last + 1 :]
    del body[last + 1 :]
    return trailing


def _says(trailing: Sequence[Any]) -> bool:
    return any(isinstance(part, items.Comment) for _, part in trailing)


def _text(trailing: Sequence[Any]) -> str:
    return "".join(part.as_string() for _, part in trailing)


def _new_table() -> items.Table:
    made = tomlkit.table()
    made.trivia.indent = "\n"
    return made


def _replace(target: items.Table, key: str, value: Any) -> None:
    """The comment stays, and in its column if there is room."""
    old = target[key]
    column = len(f"{key} = {old.as_string()}") + len(old.trivia.comment_ws)
    target[key] = value
    if old.trivia.comment:
        target[key].trivia.comment_ws = _gap(key, target[key], column)


def _gap(key: str, item: items.Item, column: int) -> str:
    return " " * max(column - len(f"{key} = {item.as_string()}"), 2)


def _append(target: items.Table, key: str, item: items.Item) -> None:
    trailing = without_trailing(target)
    target.add(key, item)
    target.value.body.extend(trailing)
