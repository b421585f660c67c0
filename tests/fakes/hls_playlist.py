"""Media playlists of RFC 8216bis as values, and their parser. It refuses text that no reader could make sense of.

Pure. It knows nothing of Streamer's own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
_KNOWN = {
    "EXTM3U",
    "EXT-X-VERSION",
    "EXT-X-INDEPENDENT-SEGMENTS",
    "EXT-X-TARGETDURATION",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-SKIP",
    "EXT-X-MAP",
    "EXT-X-PROGRAM-DATE-TIME",
    "EXT-X-DISCONTINUITY",
    "EXT-X-GAP",
    "EXT-X-PART",
    "EXTINF",
    "EXT-X-PRELOAD-HINT",
    "EXT-X-RENDITION-REPORT",
    "EXT-X-ENDLIST",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-START",
}
_ONCE = {
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-SKIP",
    "EXT-X-ENDLIST",
}


class Malformed(Exception):
    """The text is no media playlist."""


@dataclass(frozen=True)
class ListedPart:
    uri: str
    duration: Decimal
    independent: bool


@dataclass
class ListedSegment:
    msn: int
    discontinuity: bool
    number: int
    """Discontinuity sequence number."""
    map: str | None
    pdt_ms: int | None
    gap: bool
    parts: list[ListedPart] = field(default_factory=list)
    uri: str = ""
    """Empty while it is open."""
    duration: Decimal = Decimal(0)

    @property
    def complete(self) -> bool:
        return bool(self.uri)

    @property
    def known_duration(self) -> Decimal:
        return self.duration if self.complete else sum((p.duration for p in self.parts), Decimal(0))


@dataclass
class MediaPlaylist:
    version: int = 1
    target: int = 0
    part_target: Decimal = Decimal(0)
    control: dict[str, str] = field(default_factory=dict)
    first_msn: int = 0
    discontinuity_sequence: int = 0
    skipped: int = 0
    segments: list[ListedSegment] = field(default_factory=list)
    hint: str | None = None
    reports: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    ended: bool = False
    tags: dict[str, int] = field(default_factory=dict)

    @property
    def edge(self) -> tuple[int, int]:
        """``(msn, last part index)``; the index -1 where the segment lists no parts."""
        if not self.segments:
            return self.first_msn + self.skipped - 1, -1
        last = self.segments[-1]
        return last.msn, len(last.parts) - 1

    def segment(self, msn: int) -> ListedSegment | None:
        for segment in reversed(self.segments):
            if segment.msn == msn:
                return segment
        return None


def attributes(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None or match[1] in out:
            raise Malformed(f"attribute list {text!r}")
        out[match[1]] = match[2].strip('"')
        at = match.end()
    return out


def parse_media(text: str) -> MediaPlaylist:
    """Raises Malformed for everything that a strict reader refuses."""
    if not text.endswith("\n") or "\r" in text:
        raise Malformed("lines end with LF, the last one too")
    lines = text.split("\n")[:-1]
    if not lines or lines[0] != "#EXTM3U":
        raise Malformed("does not begin with #EXTM3U")
    out = MediaPlaylist()
    try:
        _Parser(out).feed(lines)
    except (ValueError, KeyError, ArithmeticError) as error:
        raise Malformed(repr(error)) from error
    return out


class _Parser:
    def __init__(self, out: MediaPlaylist) -> None:
        self.out = out
        self.map: str | None = None
        self.extinf: Decimal | None = None
        self.pending: ListedSegment | None = None

    def feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line.startswith("#EXT"):
                tag, _, value = line[1:].partition(":")
                self.tag(tag, value)
            elif line.startswith("#"):
                continue
            elif line:
                self.uri(line)
            else:
                raise Malformed("empty line")
        if self.pending is not None:
            if not self.pending.parts:
                raise Malformed("segment tags without a segment or part")
            self.out.segments.append(self.pending)

    def open(self) -> ListedSegment:
        if self.pending is None:
            out = self.out
            last = out.segments[-1] if out.segments else None
            msn = last.msn + 1 if last else out.first_msn + out.skipped
            number = last.number if last else out.discontinuity_sequence
            self.pending = ListedSegment(msn, False, number, self.map, None, False)
        return self.pending

    def tag(self, tag: str, value: str) -> None:
        out = self.out
        if tag not in _KNOWN:
            raise Malformed(f"unexpected {tag}")
        out.tags[tag] = out.tags.get(tag, 0) + 1
        if tag in _ONCE and out.tags[tag] > 1:
            raise Malformed(f"{tag} twice")
        if out.hint is not None and tag in ("EXTINF", "EXT-X-PART"):
            raise Malformed("media after the preload hint")
        match tag:
            case "EXT-X-VERSION":
                out.version = int(value)
            case "EXT-X-TARGETDURATION":
                out.target = int(value)
            case "EXT-X-PART-INF":
                out.part_target = Decimal(attributes(value)["PART-TARGET"])
            case "EXT-X-SERVER-CONTROL":
                out.control = attributes(value)
            case "EXT-X-MEDIA-SEQUENCE":
                out.first_msn = self.before_media(tag, value)
            case "EXT-X-DISCONTINUITY-SEQUENCE":
                out.discontinuity_sequence = self.before_media(tag, value)
            case "EXT-X-SKIP":
                out.skipped = self.before_media(tag, attributes(value)["SKIPPED-SEGMENTS"])
            case "EXT-X-MAP":
                self.map = attributes(value)["URI"]
                if self.pending is not None:
                    if self.pending.parts:
                        raise Malformed("EXT-X-MAP inside a segment")
                    self.pending.map = self.map
            case "EXT-X-DISCONTINUITY":
                segment = self.open()
                if segment.parts or segment.discontinuity:
                    raise Malformed("EXT-X-DISCONTINUITY inside a segment")
                segment.discontinuity = True
                segment.number += 1
            case "EXT-X-PROGRAM-DATE-TIME":
                if not value.endswith("Z"):
                    raise Malformed("PDT without time zone")
                self.open().pdt_ms = round(datetime.fromisoformat(value).timestamp() * 1000)
            case "EXT-X-GAP":
                self.open().gap = True
            case "EXT-X-PART":
                a = attributes(value)
                self.open().parts.append(
                    ListedPart(a["URI"], Decimal(a["DURATION"]), a.get("INDEPENDENT", "NO") == "YES")
                )
            case "EXTINF":
                self.extinf = Decimal(value.partition(",")[0])
            case "EXT-X-PRELOAD-HINT":
                a = attributes(value)
                if a["TYPE"] != "PART" or out.hint is not None:
                    raise Malformed("one hint, for a part")
                out.hint = a["URI"]
            case "EXT-X-RENDITION-REPORT":
                a = attributes(value)
                part = a.get("LAST-PART")
                out.reports[a["URI"]] = (int(a["LAST-MSN"]), None if part is None else int(part))
            case "EXT-X-ENDLIST":
                out.ended = True

    def before_media(self, tag: str, value: str) -> int:
        if self.out.segments or self.pending is not None:
            raise Malformed(f"{tag} after the first segment")
        if int(value) < 0:
            raise Malformed(f"{tag} below zero")
        return int(value)

    def uri(self, line: str) -> None:
        if self.extinf is None:
            raise Malformed(f"{line!r} without EXTINF")
        segment = self.open()
        segment.uri, segment.duration = line, self.extinf
        if segment.map is None:
            segment.map = self.map
        self.out.segments.append(segment)
        self.pending = self.extinf = None
