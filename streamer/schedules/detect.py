"""Finds the format of a schedule from its bytes, because names and media types of uploads are wrong too often. Pure."""

from __future__ import annotations

import re
import zlib

from streamer.conference.schedule import Schedule
from streamer.schedules.c3voc import read_c3voc
from streamer.schedules.reading import MAX_BYTES, Unreadable

_BINARY = {b"PK\x03\x04": "a ZIP file (or a spreadsheet)", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an Office file"}
_UTF16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_schedule(data: bytes, *, timezone: str, now_ms: int) -> Schedule:
    """A schedule of any format.

    ``timezone``: IANA name of the venue's zone, for times without one. ``now_ms``: UTC ms; rules that repeat without
    end are followed to a year from then. Raises only Unreadable (422, ``details["reasons"]``).
    """
    if len(data) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    data = _unpacked(data)
    for magic, name in _BINARY.items():
        if data.startswith(magic):
            raise Unreadable(f"it is {name}, not a schedule")
    head = _head(data)
    if not head:
        raise Unreadable("it is empty")
    if head.startswith(("{", "[")):
        return read_c3voc(_utf8(data), timezone=timezone)
    if re.match(r"<(?:!doctype\s+)?html\b", head, re.IGNORECASE):
        raise Unreadable(
            "it is a web page, not a schedule: perhaps a login page, or the page that links to the schedule"
        )
    if head.startswith("<"):
        # Readers with large libraries come when they are needed: a process that starts has no time for them.
        from streamer.schedules.frab import read_frab

        return read_frab(data.lstrip(), timezone=timezone)
    if "BEGIN:VCALENDAR" in head.upper():
        from streamer.schedules.ical import read_ical

        return read_ical(data, timezone=timezone, now_ms=now_ms)
    first = "".join(character for character in head.splitlines()[0] if character.isprintable())[:80]
    line = data[: data.find(head[0].encode())].count(b"\n") + 1
    raise Unreadable(f"it is neither frab XML, nor c3voc JSON, nor iCalendar: line {line} is “{first}”")


def _unpacked(data: bytes) -> bytes:
    """Exports are stored as .gz here and there."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        out = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise Unreadable("its compression is broken") from error
    if len(out) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 1_000_000} MB when unpacked")
    return out


def _head(data: bytes) -> str:
    encoding = _UTF16.get(data[:2], "utf-8")
    return data[:4096].decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n\x00")


def _utf8(data: bytes) -> bytes:
    """JSON's bytes without a byte order mark; json finds UTF-16 and 32 by itself."""
    return data.removeprefix(b"\xef\xbb\xbf").strip()
