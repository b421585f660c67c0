"""Reads times and durations in the spellings of schedules. Pure; nothing raises: an unreadable text gives None."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from streamer.conference.day import DAY_MS, HOUR_MS, MINUTE_MS

LONGEST_MS = 31 * DAY_MS
"""No event in a room is longer; a longer duration is a typing error."""
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_ISO_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})(?:\.\d+)?S)?)?$"
)
_CLOCK = re.compile(r"^(\d{1,4}):(\d{1,2})(?::(\d{1,2}))?(?:\.\d+)?$")
_MINUTES = re.compile(r"^(\d{1,5})(?:[.,]0*)?\s*(?:m|min|mins|minutes?|minuten)?\.?$", re.IGNORECASE)
_OFFSET = re.compile(r"^(.*[T ]\d.*?)\s?([+-])(\d{1,2}):?(\d{2})?$")


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, a Windows name or one with a vendor's prefix (``/example.org/Europe/Paris``)."""
    name = name.strip().strip('"')
    for candidate in _spellings(name):
        if not candidate or len(candidate) > 64 or not re.match(r"^[A-Za-z][A-Za-z0-9_+/-]*$", candidate):
            continue
        try:
            return ZoneInfo(candidate)
        except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
            continue
    return None


def _spellings(name: str) -> Iterator[str]:
    yield name
    # Here, because most names are IANA's, and a process that starts has no time for the whole library.
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    yield WINDOWS_TO_OLSON.get(name, "")
    yield "/".join(name.split("/")[-2:])


def milliseconds(moment: datetime) -> int | None:
    """UTC milliseconds of an aware moment; None outside 1970 to 2200."""
    try:
        if not _EARLIEST <= moment <= _LATEST:
            return None
        return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    except (OverflowError, ValueError):
        return None


def read_duration(value: object) -> int | None:
    """Milliseconds of ``00:45``, ``0:45``, ``45``, ``1:02:00`` (days, hours, minutes), ``01:30:00`` (hours, minutes,
    seconds), ``PT1H30M``; None for any other text, for 0 and for more than a month."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        ms = round(value * MINUTE_MS) if 0 < value <= LONGEST_MS / MINUTE_MS else 0
    else:
        ms = _duration_in(str(value).strip()[:40])
    return ms if 0 < ms <= LONGEST_MS else None


def _duration_in(text: str) -> int:
    if found := _MINUTES.match(text):
        return int(found[1]) * MINUTE_MS
    if found := _CLOCK.match(text):
        first, second = int(found[1]), int(found[2])
        if found[3] is None:
            return first * HOUR_MS + second * MINUTE_MS
        third = int(found[3])
        # frab writes days unpadded; all others with three numbers mean hours, minutes and seconds.
        if len(found[1]) == 1 and second < 24 and first > 0:
            return first * DAY_MS + second * HOUR_MS + third * MINUTE_MS
        return first * HOUR_MS + second * MINUTE_MS + third * 1000
    if found := _ISO_DURATION.match(text.upper()):
        part = {name: int(number or 0) for name, number in found.groupdict().items()}
        days = part["weeks"] * 7 + part["days"]
        seconds = part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"]
        return days * DAY_MS + seconds * 1000
    return 0


def read_clock(value: object) -> time | None:
    """The time of day in ``9:30``, ``09:30`` or ``09:30:00``."""
    found = _CLOCK.match(str(value).strip()[:16]) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError:
        return None


def read_date(value: object) -> date | None:
    """The date that a text begins with."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    for length in (10, 8):
        try:
            return date.fromisoformat(text[:length])
        except ValueError:
            continue
    return None


def read_moment(value: object) -> datetime | None:
    """ISO 8601 in its usual spellings: ``Z``, ``+02:00``, ``+0200``, ``+2``, blanks for T; naive without an offset.
    None for a date alone."""
    if not isinstance(value, str):
        return None
    text = value.strip()[:48]
    if len(text) <= 10 and "T" not in text:
        return None
    if found := _OFFSET.match(text):
        text = f"{found[1]}{found[2]}{int(found[3]):02d}:{found[4] or '00'}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def located(moment: datetime, zone: tzinfo) -> datetime:
    """A naive moment is the zone's wall clock: of an hour that occurs twice the first; a skipped one moves on."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def at(day: date, clock: time, zone: tzinfo, *, plus_days: int = 0) -> datetime | None:
    try:
        return datetime.combine(day + timedelta(days=plus_days), clock, tzinfo=zone)
    except OverflowError:
        return None
