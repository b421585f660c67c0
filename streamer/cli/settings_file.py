"""The commented default settings file, made from the settings model: ``python -m streamer.cli.settings_file``."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamer import sections, settings
from streamer.settings import Settings

_HEAD = """\
# Streamer's settings, each with its default. Copy what you change; what is left out keeps its default.
#
#   streamer serve --config FILE
#
# The command line outranks the environment, the environment outranks this file. In the environment a setting is
# called STREAMER_{SECTION}__{NAME}, such as STREAMER_SERVER__PORT=8443. STREAMER_ADMIN_TOKEN, a bearer token of at
# least 32 characters that may do everything, is taken from the environment only.
"""
_ENVIRONMENT_ONLY = frozenset({"admin_token"})


def render() -> str:
    """The text of the whole file."""
    defaults = Settings.model_construct()
    texts = descriptions()
    lines = [_HEAD]
    sections: list[tuple[str, BaseModel]] = []
    for name, field in Settings.model_fields.items():
        value = getattr(defaults, name)
        if isinstance(value, BaseModel):
            sections.append((name, value))
        elif name not in _ENVIRONMENT_ONLY:
            lines += _entry(name, texts["Settings", name] + _bounds(field), value)
    for name, section in sections:
        lines += [f"\n[{name}]"]
        for key, field in type(section).model_fields.items():
            lines += _entry(key, texts[type(section).__name__, key] + _bounds(field), getattr(section, key))
    return "\n".join(lines) + "\n"


def descriptions() -> dict[tuple[str, str], str]:
    """The docstring under each field of the settings: (class, field) -> text on one line."""
    found = {}
    for section in (*ast.parse(inspect.getsource(settings)).body, *ast.parse(inspect.getsource(sections)).body):
        if isinstance(section, ast.ClassDef):
            for field, text in pairwise(section.body):
                match field, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                        found[section.name, name] = " ".join(words.split())
    return found


def _entry(name: str, text: str, value: Any) -> Iterator[str]:
    yield from textwrap.wrap(text, 115, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    # TOML has no null: a setting without a value by default stands there as an example, commented out.
    yield f'# {name} = ""' if value is None else f"{name} = {_toml(value)}"


def _bounds(field: FieldInfo) -> str:
    found = {
        key: getattr(item, key) for item in field.metadata for key in ("gt", "ge", "lt", "le") if hasattr(item, key)
    }
    match found:
        case {"ge": low, "le": high}:
            return f" From {low:,} to {high:,}."
        case {"gt": low, "le": high}:
            return f" More than {low:,}, at most {high:,}."
        case {"ge": low}:
            return f" At least {low:,}."
    assert not found, f"no words for {found}"
    return ""


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:_}" if value >= 10_000 else str(value)
        case float():
            return str(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case BaseModel():
            pairs = ", ".join(f"{key} = {_toml(item)}" for key, item in value)
            return f"{{ {pairs} }}"
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
    raise TypeError(f"no TOML for {value!r}")


if __name__ == "__main__":
    sys.stdout.write(render())
