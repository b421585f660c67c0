"""Mistakes in the settings, in plain words: where each stands, and what was probably meant."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from streamer.problems import UNKNOWN
from streamer.settings import Settings, merged_settings

SettingPath = tuple[int | str, ...]
"""Names of a section and a setting, and numbers of items in a list."""
_SECRETS = frozenset({"admin_token", "metrics.token", "ice.turn_credential", "store.url"})
_SECTION = re.compile(r"\s*\[\[?\s*([\w.\-\"' ]+?)\s*\]\]?\s*(?:#.*)?$")
_BROKEN_SECTION = re.compile(r"[\s\[\]]*(\w+)[^=,{]*$")
_SETTING = re.compile(r"\s*([\w.\-\"' ]+?)\s*=")
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_MOST_LINES = 50
_IN_SECTIONS = {
    name: tuple(field.annotation.model_fields)
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}


def mistakes(file: Path | None, overrides: dict[str, Any]) -> list[str]:
    """All mistakes in a settings file, the environment and the command line, one a line; empty: there is none.

    A line that is no TOML is told and left out, so that the others are looked at too. Raises OSError.
    """
    try:
        text = "" if file is None else file.read_text("utf-8")
    except UnicodeDecodeError as error:
        return [f"{file} is not UTF-8: {error}"]
    found: list[tuple[int, str]] = []
    parsed: dict[str, Any] = {}
    for _ in range(_MOST_LINES):
        try:
            parsed = tomllib.loads(text)
            break
        except tomllib.TOMLDecodeError as error:
            number, words = _line_of(error, text)
            lines = text.split("\n")
            if begun := _left_open(lines[: number - 1]):
                number = begun
                found.append((number, f"{file}:{number}: the value that begins in this line has no end"))
                text = "\n".join((*lines[: number - 1], *_without_value(lines[number - 1 :])))
                continue
            found.append((number, f"{file}:{number}: this line is not TOML: {words}"))
            if not lines[number - 1]:
                break
            text = "\n".join((*lines[: number - 1], *_mended(lines[number - 1 :])))
    try:
        merged_settings(parsed, str(file), overrides)
    except ValidationError as error:
        found += _told(error, file, places(text))
    return [line for _, line in sorted(found, key=lambda one: one[0])]


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """The number of the line that is no TOML, and why. A value of several lines is told where it ends."""
    lines = text.split("\n")
    at = _AT_LINE.search(str(error))
    number = int(at[1]) if at is not None and at[1] else len(lines)
    while number > 1 and not lines[number - 1].strip():
        number -= 1
    return number, _AT_LINE.sub("", str(error))


def _left_open(lines: Sequence[str]) -> int:
    """The number of the setting whose value (a list, a text of several lines) has no end in these lines, the first of a
    file in which the rest was TOML; 0: there is none."""
    for number in range(len(lines), 0, -1):
        if _SECTION.match(lines[number - 1]):
            break
        if _SETTING.match(lines[number - 1]):
            try:
                tomllib.loads("\n".join(lines[number - 1 :]))
            except tomllib.TOMLDecodeError:
                return number
    return 0


def _without_value(lines: Sequence[str]) -> Iterator[str]:
    """The lines without the setting that the first of them begins: the next setting or section ends it."""
    size = 1
    while size < len(lines) and not _SETTING.match(lines[size]) and not _SECTION.match(lines[size]):
        size += 1
    yield from ("",) * size
    yield from lines[size:]


def _mended(lines: Sequence[str]) -> Iterator[str]:
    """The lines without the first, which is no TOML. What stands below a section's broken header is looked at as that
    section's where its name can be told, and otherwise not at all: it is not the section's above."""
    first, *below = lines
    header = _BROKEN_SECTION.match(first) if "[" in first or "]" in first else None
    if header is not None and header[1] in _IN_SECTIONS and _SECTION.match(first) is None:
        yield f"[{header[1]}]"
    else:
        yield ""
        while header is not None and below and _SECTION.match(below[0]) is None:
            below.pop(0)
            yield ""
    yield from below


def places(text: str) -> dict[SettingPath, int]:
    """The line of each section and setting of a settings file that is TOML."""
    found: dict[SettingPath, int] = {}
    section: SettingPath = ()
    for number, line in enumerate(text.split("\n"), 1):
        if (header := _SECTION.match(line)) is not None:
            section = _names(header[1])
            found.setdefault(section, number)
        elif (setting := _SETTING.match(line)) is not None:
            found.setdefault((*section, *_names(setting[1])), number)
    return found


def _names(text: str) -> SettingPath:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _told(error: ValidationError, file: Path | None, lines: Mapping[SettingPath, int]) -> Iterator[tuple[int, str]]:
    """Line and words of each problem; those that stand in no file come first."""
    for item in error.errors(include_url=False, include_context=False):
        path = item["loc"]
        name = ".".join(str(step) for step in path)
        variables = (_variable(path[:size]) for size in (None, 2))
        variable = next((one for one in variables if one in os.environ), "")
        line = next((lines[path[:size]] for size in range(len(path), 0, -1) if path[:size] in lines), 0)
        if variable:
            line, where = 0, f"{variable}: " if variable != "STREAMER_ADMIN_TOKEN" else ""
        else:
            where = f"{file}:{line}: " if line else ""
        words = item["msg"].removeprefix("Value error, ")
        if item["type"] == UNKNOWN:
            words = "there is no such section" if isinstance(item["input"], dict) else "there is no such setting"
            if near := meant(path, section=isinstance(item["input"], dict)):
                words += f"; did you mean {_variable(near.split('.')) if variable else near}?"
        elif name not in _SECRETS and not isinstance(item["input"], dict):
            words += f" (found {item['input']!r})"
        # A mistyped variable's name tells more than the setting that it would be.
        yield line, f"{where}{words}" if variable and item["type"] == UNKNOWN else f"{where}{name}: {words}"


def _variable(path: Sequence[int | str]) -> str:
    """The environment's variable for a setting."""
    return "STREAMER_" + "__".join(str(step) for step in path).upper()


def meant(path: SettingPath, *, section: bool) -> str:
    """The setting or section that was probably meant by a path that leads to none; empty if none is near."""
    *above, last = (str(step) for step in path)
    if section:
        return "".join(get_close_matches(last, _IN_SECTIONS, 1))
    for name in get_close_matches(above[0], _IN_SECTIONS, 1) if above else ():
        if near := get_close_matches(last, _IN_SECTIONS[name], 1, cutoff=0.65):
            return f"{name}.{near[0]}"
    others = {field: f"{name}.{field}" for name, fields in _IN_SECTIONS.items() for field in fields}
    others |= {f"{name}_{field}": f"{name}.{field}" for name, fields in _IN_SECTIONS.items() for field in fields}
    others |= {name: name for name in Settings.model_fields if name not in _IN_SECTIONS}
    return others.get(last) or "".join(others[name] for name in get_close_matches(last, others, 1, cutoff=0.75))
