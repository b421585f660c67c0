"""RFC 8216bis as a strict reader: parses media playlists and finds broken rules.

Pure. :class:`TrackReader` gets the answers for a rendition one after the other. It checks each against the rules of a
single playlist, against the earlier ones, and against the request. It knows nothing of Streamer's own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

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
PDT_TOLERANCE_MS = 2
"""Milliseconds and five decimals are both rounded."""
ALIGNMENT_MS = 60
"""Sound is cut at the AAC frame nearest to where the picture is (21.3 ms each)."""


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


def check_playlist(p: MediaPlaylist, *, others: Iterable[str] = ()) -> list[str]:
    """Rules that one playlist keeps on its own. ``others``: URIs of the other renditions' playlists."""
    bad: list[str] = []

    def rule(kept: object, text: str) -> None:
        if not kept:
            bad.append(text)

    rule(p.tags.get("EXT-X-DISCONTINUITY-SEQUENCE"), "no EXT-X-DISCONTINUITY-SEQUENCE")
    rule(p.tags.get("EXT-X-MEDIA-SEQUENCE"), "no EXT-X-MEDIA-SEQUENCE")
    rule(p.target > 0 and p.part_target > 0, "no target durations")
    rule(p.version >= 9 or not p.skipped, "EXT-X-SKIP below version 9")
    rule(p.control.get("CAN-BLOCK-RELOAD") == "YES", "no blocking reload")
    rule(Decimal(p.control.get("HOLD-BACK", "99")) >= 3 * p.target, "HOLD-BACK below three target durations")
    rule(Decimal(p.control.get("PART-HOLD-BACK", "0")) >= 3 * p.part_target, "PART-HOLD-BACK below three parts")
    rule(Decimal(p.control.get("CAN-SKIP-UNTIL", "99")) >= 6 * p.target, "CAN-SKIP-UNTIL below six targets")
    rule(p.ended == (p.hint is None), "a preload hint until the end, and none after it")
    uris = [s.uri for s in p.segments if s.uri] + [part.uri for s in p.segments for part in s.parts]
    rule(len(uris) == len(set(uris)), "an address is listed twice")
    rule(p.hint not in uris, "the hinted part is already listed")
    if not p.ended:
        for uri in others:
            rule(uri in p.reports, f"no rendition report for {uri}")
    end = sum((s.known_duration for s in p.segments), Decimal(0))
    for n, s in enumerate(p.segments):
        end -= s.known_duration  # now: how far its end is from the playlist's end
        name = f"segment {s.msn}"
        if not s.gap:
            rule(s.map is not None or p.skipped, f"{name}: no EXT-X-MAP")
        if s.complete:
            rounded = s.duration.quantize(Decimal(1), rounding=ROUND_HALF_UP)
            rule(rounded <= p.target, f"{name}: {s.duration} s is over the target duration")
            rule(s.duration > 0, f"{name}: no duration")
            if s.parts:
                together = sum((part.duration for part in s.parts), Decimal(0))
                slack = Decimal("0.00001") * (len(s.parts) + 1)
                rule(abs(together - s.duration) <= slack, f"{name}: parts make {together}, not {s.duration}")
        else:
            rule(n == len(p.segments) - 1, f"{name}: open, but not the last")
        for index, part in enumerate(s.parts):
            rule(part.duration <= p.part_target, f"{name}: part {index} of {part.duration} s is over the part target")
            last = index == len(s.parts) - 1 and s.complete
            newest = n == len(p.segments) - 1 and index == len(s.parts) - 1
            long_enough = part.duration >= p.part_target * Decimal("0.85")
            rule(last or newest or long_enough, f"{name}: part {index} of {part.duration} s is under 85 %")
        rule(not s.parts or end <= 3 * p.target, f"{name}: parts listed {end} s from the end")
        rule(s.parts or s.gap or end >= 2 * p.target or p.ended, f"{name}: no parts, {end} s from the end")
        if n == 0 or s.discontinuity:
            rule(s.pdt_ms is not None, f"{name}: no PROGRAM-DATE-TIME")
        if n:
            before = p.segments[n - 1]
            if s.pdt_ms is not None and before.pdt_ms is not None:
                expected = before.pdt_ms + round(before.known_duration * 1000)
                if s.discontinuity:
                    rule(s.pdt_ms >= expected - PDT_TOLERANCE_MS, f"{name}: media time jumps back")
                else:
                    off = abs(s.pdt_ms - expected)
                    rule(off <= PDT_TOLERANCE_MS, f"{name}: media time is {off} ms off without a discontinuity")
    return bad


def check_replay(p: MediaPlaylist) -> list[str]:
    """Rules of a playlist without parts that only grows (EVENT) or does not change (VOD)."""
    bad: list[str] = []

    def rule(kept: object, text: str) -> None:
        if not kept:
            bad.append(text)

    rule(p.tags.get("EXT-X-PLAYLIST-TYPE") == 1, "no EXT-X-PLAYLIST-TYPE")
    rule(p.first_msn == 0 and p.discontinuity_sequence == 0, "does not begin with its first segment")
    rule(p.part_target == 0 and p.hint is None, "parts")
    uris = [s.uri for s in p.segments]
    rule(len(uris) == len(set(uris)), "an address is listed twice")
    for n, s in enumerate(p.segments):
        name = f"segment {s.msn}"
        rounded = s.duration.quantize(Decimal(1), rounding=ROUND_HALF_UP)
        rule(s.duration > 0 and rounded <= p.target, f"{name}: {s.duration} s")
        rule(s.gap or s.map is not None or s.uri.endswith(".vtt"), f"{name}: no EXT-X-MAP")
        rule(s.pdt_ms is not None, f"{name}: no PROGRAM-DATE-TIME")
        before = p.segments[n - 1] if n else None
        if before is not None and s.pdt_ms is not None and before.pdt_ms is not None:
            expected = before.pdt_ms + round(before.duration * 1000)
            if s.discontinuity:
                rule(s.pdt_ms >= expected - ALIGNMENT_MS, f"{name}: media time jumps back")
            else:
                rule(abs(s.pdt_ms - expected) <= PDT_TOLERANCE_MS, f"{name}: media time jumps without a discontinuity")
    return bad


def check_captions(p: MediaPlaylist, beside: MediaPlaylist) -> list[str]:
    """Rules of a subtitle rendition: WebVTT in whole segments, each beside the other rendition's of the same number
    (6.2.4: the same discontinuity sequence numbers and target duration, timestamps that match)."""
    bad: list[str] = []

    def rule(kept: object, text: str) -> None:
        if not kept:
            bad.append(text)

    rule(p.part_target == 0 and p.hint is None, "parts")
    rule(p.target == beside.target, "another target duration")
    rule(p.ended == beside.ended, "ends without the other, or goes on after it")
    rule("EXT-X-MAP" not in p.tags and "EXT-X-GAP" not in p.tags, "an init section or a gap")
    if not p.ended and "EXT-X-PLAYLIST-TYPE" not in p.tags:
        rule(p.control.get("CAN-BLOCK-RELOAD") == "YES", "no blocking reload")
        rule("PART-HOLD-BACK" not in p.control, "PART-HOLD-BACK without parts")
    rule(p.segments, "no segment")
    uris = [s.uri for s in p.segments]
    rule(len(uris) == len(set(uris)), "an address is listed twice")
    for s in p.segments:
        name, other = f"segment {s.msn}", beside.segment(s.msn)
        rule(s.uri.endswith(".vtt") and not s.parts, f"{name}: {s.uri}")
        if other is None:
            continue
        rule(other.complete, f"{name}: comes before the other's is whole")
        rule((s.number, s.discontinuity) == (other.number, other.discontinuity), f"{name}: another discontinuity")
        rule(s.pdt_ms == other.pdt_ms and s.duration == other.duration, f"{name}: at another time")
    return bad


class TrackReader:
    """Reads a rendition's playlists one after the other; :attr:`violations` has the broken rules."""

    def __init__(self, name: str, others: Iterable[str] = ()) -> None:
        self.name = name
        self.others = list(others)
        self.violations: list[str] = []
        self.known: dict[int, ListedSegment] = {}
        """Everything that was ever listed."""
        self.last: MediaPlaylist | None = None
        """The newest playlist, delta updates merged."""
        self.hints = 0
        self.hints_missed = 0
        self.reloads = 0

    def read(
        self, text: str, *, wanted: tuple[int, int | None] | None = None, delta_allowed: bool = False
    ) -> MediaPlaylist | None:
        """Take in an answer. ``wanted``: the segment and part of a blocking reload."""
        self.reloads += 1
        try:
            fresh = parse_media(text)
        except Malformed as error:
            self.fault(f"malformed: {error}")
            return None
        if fresh.skipped and not delta_allowed:
            self.fault("a delta update that was not asked for")
        for text_ in check_playlist(fresh, others=self.others):
            self.fault(text_)
        if fresh.skipped and not self._merge(fresh):
            return None
        if wanted is not None:
            self._check_wanted(fresh, *wanted)
        if self.last is not None:
            self._check_against(self.last, fresh)
        for segment in fresh.segments:
            self._remember(segment)
        self.last = fresh
        return fresh

    def fault(self, text: str) -> None:
        self.violations.append(f"{self.name}: {text}")

    def _merge(self, fresh: MediaPlaylist) -> bool:
        """6.3.7: the skipped segments are those that we know, without gaps between."""
        if self.last is None:
            self.fault("a delta update first")
            return False
        skipped = range(fresh.first_msn, fresh.first_msn + fresh.skipped)
        old = {s.msn: s for s in self.last.segments}
        missing = [msn for msn in skipped if msn not in old]
        if missing:
            self.fault(f"a delta update skips {missing[0]}, which was not in the playlist before")
            return False
        kept = [old[msn] for msn in skipped]
        number, map_uri = kept[-1].number if kept else fresh.discontinuity_sequence, kept[-1].map if kept else None
        base = fresh.discontinuity_sequence
        for segment in fresh.segments:
            segment.number += number - base
            if segment.map is None:
                segment.map = map_uri
        for segment in kept:
            segment.parts = []
        fresh.segments = kept + fresh.segments
        fresh.skipped = 0
        return True

    def _check_wanted(self, fresh: MediaPlaylist, msn: int, part: int | None) -> None:
        if fresh.ended:
            return
        edge_msn, edge_part = fresh.edge
        if part is None:
            segment = fresh.segment(msn)
            if edge_msn < msn or (segment is not None and not segment.complete):
                self.fault(f"asked for segment {msn}, got up to {fresh.edge}")
            return
        segment = fresh.segment(msn)
        has = edge_msn > msn + 1 or (edge_msn == msn and edge_part >= part)
        if edge_msn == msn + 1:
            has = True
        if segment is not None and segment.gap:
            has = True
        if not has:
            self.fault(f"asked for part {msn}.{part}, got up to {fresh.edge}")

    def _check_against(self, old: MediaPlaylist, new: MediaPlaylist) -> None:
        if new.target != old.target or new.part_target != old.part_target:
            self.fault("target durations changed")
        if new.first_msn < old.first_msn:
            self.fault(f"media sequence went back from {old.first_msn} to {new.first_msn}")
        if new.discontinuity_sequence < old.discontinuity_sequence:
            self.fault("discontinuity sequence went back")
        if new.edge < old.edge and not new.segment(old.edge[0]):
            self.fault(f"the edge went back from {old.edge} to {new.edge}")
        if old.ended and [s.uri for s in old.segments] != [s.uri for s in new.segments]:
            self.fault("changed after its end")
        if old.hint is not None and old.edge != new.edge:
            self._check_hint(old.hint, new)

    def _check_hint(self, hint: str, new: MediaPlaylist) -> None:
        listed = any(part.uri == hint for s in new.segments for part in s.parts)
        edge_known = any(s.parts for s in new.segments)
        if edge_known:
            self.hints += 1
            self.hints_missed += not listed

    def _remember(self, s: ListedSegment) -> None:
        before = self.known.get(s.msn)
        if before is not None:
            for what in ("discontinuity", "number", "pdt_ms", "gap"):
                if getattr(before, what) != getattr(s, what):
                    self.fault(f"segment {s.msn}: {what} was {getattr(before, what)}, is {getattr(s, what)}")
            if s.map != before.map and s.map is not None and before.map is not None:
                self.fault(f"segment {s.msn}: its init section changed")
            if before.complete and (before.uri, before.duration) != (s.uri, s.duration):
                self.fault(f"segment {s.msn} changed after it was complete")
            both = min(len(before.parts), len(s.parts))
            if before.parts[:both] != s.parts[:both]:
                self.fault(f"segment {s.msn}: a part changed")
            if s.parts and len(s.parts) < len(before.parts):
                self.fault(f"segment {s.msn}: a part disappeared")
        kept = self.known[s.msn] = ListedSegment(**vars(s))
        kept.parts = list(s.parts) or (before.parts if before is not None else [])


def check_alignment(readers: Iterable[TrackReader]) -> list[str]:
    """Across renditions: the same discontinuities under the same numbers, segments that begin together."""
    bad: list[str] = []
    readers = list(readers)
    for a, b in pairwise(readers):
        for msn in a.known.keys() & b.known.keys():
            x, y = a.known[msn], b.known[msn]
            if (x.discontinuity, x.number) != (y.discontinuity, y.number):
                bad.append(f"{a.name} and {b.name}: discontinuities differ at segment {msn}")
            if x.pdt_ms is not None and y.pdt_ms is not None and abs(x.pdt_ms - y.pdt_ms) > ALIGNMENT_MS:
                bad.append(f"{a.name} and {b.name}: segment {msn} begins {abs(x.pdt_ms - y.pdt_ms)} ms apart")
    return bad
