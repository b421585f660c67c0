"""RFC 8216bis as a strict reader: the rules that media playlists (``hls_playlist.py``) have to keep.

Pure. :class:`TrackReader` gets the answers for a rendition one after the other. It checks each against the rules of a
single playlist, against the earlier ones, and against the request. It knows nothing of Streamer's own code.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from tests.fakes.hls_playlist import ListedSegment, Malformed, MediaPlaylist, parse_media

PDT_TOLERANCE_MS = 2
"""Milliseconds and five decimals are both rounded."""
ALIGNMENT_MS = 60
"""Sound is cut at the AAC frame nearest to where the picture is (21.3 ms each)."""
JUMPS = "media time jumps without a discontinuity"


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
                rule(abs(s.pdt_ms - expected) <= PDT_TOLERANCE_MS, f"{name}: {JUMPS}")
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
