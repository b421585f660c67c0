"""Maps frozen dataclasses to rows: the column and the encoding of each field.

A field ``room`` that names a row of another table stands in the column ``room_id``. Enumerations are stored by value,
tuples and mappings as JSON in text. A text that may not be None is null where it is empty and its column may be null.
A field without a column is an error at the import of the module. Columns that the dataclass does not have (a digest)
belong to the repository.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Column, Row, Table

T = TypeVar("T")

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""(to the column, from the column); neither gets None."""


class RowMapping(Generic[T]):
    """Maps ``kind``, a dataclass, to the rows of ``table``; fields named ``unstored`` keep their defaults."""

    def __init__(self, kind: type[T], table: Table, *, unstored: Collection[str] = ()) -> None:
        self._kind = kind
        self._fields: list[tuple[str, str, Codec]] = []
        self._empty_is_null: set[str] = set()
        hints = get_type_hints(kind)
        for field in fields(kind):  # type: ignore[arg-type]  # T is a dataclass; there is no bound that says so
            if field.name in unstored:
                continue
            column = _column(table, field.name)
            if column is None:
                raise TypeError(f"{kind.__name__}.{field.name} has no column in {table.name}: tables.py, a migration")
            codec = _codec(hints[field.name])
            self._fields.append((field.name, column.name, codec))
            if hints[field.name] is str and column.nullable:
                self._empty_is_null.add(column.name)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for _, column, _ in self._fields)

    def values(self, item: T) -> dict[str, Any]:
        """``item`` as values by column name."""
        out = {}
        for name, column, (encode, _) in self._fields:
            value = getattr(item, name)
            null = value is None or (value == "" and column in self._empty_is_null)
            out[column] = None if null else encode(value)
        return out

    def item(self, row: Row[Any]) -> T:
        return self.of_values(row._mapping)

    def of_values(self, values: Mapping[Any, Any]) -> T:
        """The reverse of :meth:`values`; a field whose column is missing keeps its default."""
        found = {}
        for name, column, (_, decode) in self._fields:
            if column in values:
                value = values[column]
                empty = "" if column in self._empty_is_null else None
                found[name] = empty if value is None else decode(value)
        return self._kind(**found)


def to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _column(table: Table, name: str) -> Column[Any] | None:
    return table.c[name] if name in table.c else table.c.get(f"{name}_id")


def _codec(hint: Any) -> Codec:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _codec(inner)
    if origin is tuple:
        return to_json, lambda text: _tuples(json.loads(text))
    if origin in (dict, Mapping):
        return (lambda value: to_json(dict(value))), json.loads
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (lambda value: value.value), hint
    if origin is Literal or hint in (str, int, bool, float, bytes):
        return _same, _same
    raise TypeError(f"no column holds a {hint!r}")


def _same(value: Any) -> Any:
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
