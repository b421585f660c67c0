"""Settings of a room's sources, by its crew: gain, mute, mono, and the kind of the picture. Pure.

A mute is kept like the rest, over restarts too: a crash never opens a microphone that a person has closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from streamer.broadcast.programme import MAIN, SLATE

MIN_GAIN_DB, MAX_GAIN_DB = -60.0, 20.0
MAX_SOURCES = 32
"""Sources of one room whose settings are kept."""


class SourceKind(StrEnum):
    """The kind of a source's picture. Only a camera's never stands still."""

    CAMERA = "camera"
    SLIDES = "slides"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class SourceSetting:
    """The defaults are a source that nobody has set."""

    name: str
    gain_db: float = 0.0
    mute: bool = False
    mono: bool = False
    """Both channels get the mean of the two."""
    kind: SourceKind | None = None
    """None: unknown."""


SETTING_FIELDS = tuple(f.name for f in fields(SourceSetting) if f.name != "name")


def setting_of(settings: Iterable[SourceSetting], name: str) -> SourceSetting:
    return next((one for one in settings if one.name == name), SourceSetting(name))


def with_setting(settings: Iterable[SourceSetting], changed: SourceSetting) -> tuple[SourceSetting, ...]:
    """By name; a source whose settings are the defaults is left out."""
    others = [one for one in settings if one.name != changed.name]
    kept = others if changed == SourceSetting(changed.name) else [*others, changed]
    return tuple(sorted(kept, key=lambda one: one.name))


def differences(before: Iterable[SourceSetting], after: Iterable[SourceSetting]) -> dict[str, dict[str, Any]]:
    """Source -> what ``after`` has otherwise than ``before``."""
    old, new = list(before), list(after)
    found = {}
    for name in sorted({one.name for one in (*old, *new)}):
        was, now = setting_of(old, name), setting_of(new, name)
        changed = {key: getattr(now, key) for key in SETTING_FIELDS if getattr(now, key) != getattr(was, key)}
        if changed:
            found[name] = changed
    return found


def restored(
    present: tuple[SourceSetting, ...], before: tuple[SourceSetting, ...], after: tuple[SourceSetting, ...]
) -> tuple[SourceSetting, ...] | None:
    """``present`` with the values of ``before`` wherever ``after`` has others; None if one of them was changed
    since."""
    result = present
    for name, done in differences(before, after).items():
        now, old = setting_of(present, name), setting_of(before, name)
        if any(getattr(now, key) != value for key, value in done.items()):
            return None
        result = with_setting(result, replace(now, **{key: getattr(old, key) for key in done}))
    return result


def source_on(taken: str | None, on_programme: str | None = None) -> str:
    """The source that *the gain* means: the one on the programme, else the taken one, else ``main``."""
    return next((name for name in (on_programme, taken) if name and name != SLATE), MAIN)
