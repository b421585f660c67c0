"""Values for every field of a struct or dataclass, each different, the same each time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from zlib import crc32

import msgspec
from msgspec import inspect


def filled(kind: Any, path: str) -> Any:
    """A value of a type. It follows from ``path`` and the fields' names alone, so that a new field changes no other."""
    return msgspec.convert(_builtins(inspect.type_info(kind), path), kind)


def without_defaults(value: Any) -> Any:
    """A struct as builtins, without the fields that may be left out."""
    kind = type(value)
    whole = msgspec.to_builtins(value, builtin_types=(bytes, datetime))
    given = [field.required for field in msgspec.structs.fields(kind)]
    if isinstance(whole, list):
        return whole[: len(whole) - len(given) + sum(given)]
    optional = {field.encode_name for field in msgspec.structs.fields(kind) if not field.required}
    return {name: item for name, item in whole.items() if name not in optional}


def by_name(value: Any) -> Any:
    """The value in JSON's form, each field with its name even if the format knows only its place."""
    if isinstance(value, msgspec.Struct):
        return {
            field.encode_name: by_name(item)
            for field in msgspec.structs.fields(value)
            if (item := getattr(value, field.name)) is not msgspec.UNSET
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: by_name(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return f"hex:{value.hex()}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): by_name(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [by_name(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(by_name(item) for item in value)
    return value


def _builtins(info: inspect.Type, path: str) -> Any:
    number = crc32(path.encode()) % 90_000 + 1000
    match info:
        case inspect.StructType():
            if info.array_like:
                return list(_fields(info, path).values())
            return {**({info.tag_field: info.tag} if info.tag_field else {}), **_fields(info, path)}
        case inspect.DataclassType():
            return _fields(info, path)
        case inspect.UnionType():
            return _builtins(next(one for one in info.types if not isinstance(one, inspect.NoneType)), path)
        case inspect.ListType() | inspect.VarTupleType() | inspect.FrozenSetType() | inspect.SetType():
            # Of bytes, say, or of structs: two of them, so that their order is seen.
            return [_builtins(info.item_type, f"{path}[{place}]") for place in range(2)]
        case inspect.TupleType():
            return [_builtins(one, f"{path}[{place}]") for place, one in enumerate(info.item_types)]
        case inspect.DictType():
            return {f"{key}-{number}": _builtins(info.value_type, f"{path}.{key}") for key in ("b", "a")}
        case inspect.LiteralType():
            return info.values[number % len(info.values)]
        case inspect.EnumType():
            members = list(info.cls)
            return members[number % len(members)].value
        case inspect.IntType():
            high = info.le if info.le is not None else number
            return max(info.ge or 0, min(number, high - (number % 2 if high > 1 else 0)))
        case inspect.FloatType():
            return float(min(number / 8, info.le if info.le is not None else number))
        case inspect.StrType():
            text = path.rpartition(".")[2].rpartition("/")[2] + "é"
            if info.pattern is not None and not re.search(info.pattern, text):
                text = f"cam{number % 10}"
            return text
        case inspect.BoolType():
            return True
        case inspect.BytesType():
            return number.to_bytes(4, "big")
        case inspect.DateTimeType():
            return datetime.fromtimestamp(1_790_000_000 + number, UTC)
        case inspect.AnyType():
            return {"any": [number, None, "text", True, 0.5]}
        case inspect.NoneType():
            return None
    raise TypeError(f"no value for {info!r}")


def _fields(info: inspect.StructType | inspect.DataclassType, path: str) -> dict[str, Any]:
    return {
        # If true is the default, false is the value that shows something.
        one.encode_name: False
        if one.default is True and isinstance(one.type, inspect.BoolType)
        else _builtins(one.type, f"{path}.{one.encode_name}")
        for one in info.fields
    }
