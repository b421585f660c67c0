"""The recorded files, and the comparison with them. With ``GOLDEN_RECORD`` in the environment they are written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.golden.filled import by_name, filled, without_defaults

RECORD = "GOLDEN_RECORD"
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Format:
    """The writer and the reader of values of one type."""

    kind: Any
    encode: Callable[[Any], bytes]
    """Takes a value of ``kind``, or builtins."""
    decode: Callable[[bytes], Any]


def recording() -> bool:
    return bool(os.environ.get(RECORD))


def same_bytes(name: str, data: bytes) -> None:
    """``data`` is what ``data/{name}`` holds."""
    path = DATA / name
    if recording():
        path.write_bytes(data)
    assert data == path.read_bytes(), f"{name} has changed: see python -m tests.golden --help"


def same_json(name: str, value: Any) -> None:
    """``value`` equals the contents of ``data/{name}``, whatever the order of the keys."""
    path = DATA / name
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if recording():
        path.write_text(text, "utf-8")
    # Parsed, so that the difference that pytest shows is short.
    assert json.loads(text) == json.loads(path.read_text("utf-8"))


def same_formats(name: str, formats: dict[str, Format]) -> None:
    """Bytes of before are read as the values of before, and those values are written as the same bytes.

    ``data/{name}`` holds of each format a value with all fields, and one with those alone that have no default.
    """
    path = DATA / name
    if recording():
        found = {label: _recorded(label, one) for label, one in formats.items()}
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    before = json.loads(path.read_text("utf-8"))
    assert sorted(before) == sorted(formats)
    for label, one in formats.items():
        whole = before[label]["whole"]
        value = one.decode(_bytes(whole["bytes"]))
        assert by_name(value) == whole["values"], label
        assert one.encode(value) == _bytes(whole["bytes"]), f"{label} is written differently"
        least = before[label]["least"]
        assert by_name(one.decode(_bytes(least["bytes"]))) == least["values"], f"{label}: a default has changed"


def _recorded(label: str, one: Format) -> dict[str, Any]:
    value = filled(one.kind, label)
    whole = one.encode(value)
    least = one.encode(without_defaults(value))
    return {
        "whole": {"bytes": _text(whole), "values": by_name(one.decode(whole))},
        "least": {"bytes": _text(least), "values": by_name(one.decode(least))},
    }


def _text(data: bytes) -> str:
    """Text as it is, other bytes in hexadecimal."""
    return data.decode() if data[:1] in (b"{", b"[") else f"hex:{data.hex()}"


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def json_format(kind: Any) -> Format:
    """JSON, as Socket.IO and files have it."""
    return Format(kind, msgspec.json.encode, lambda data: msgspec.json.decode(data, type=kind))
