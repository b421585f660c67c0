"""Checks of a follower for the tests of the whole server."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from tests.fakes import decoding
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import STUTTERS

TOLD = 25
NEAR_MS = 500
SEEN_MS = 6_000
"""A room looks for this long at how regular a camera is, before it encodes its picture anew."""
_SHORT = re.compile(r"(?P<name>\w+): segment (?P<msn>\d+): part \d+ of \S+ s is under 85 %")
_LONG = re.compile(r"(?P<name>\w+): segment (?P<msn>\d+): part \d+ of \S+ s is over the part target")
_HOLE = re.compile(r"(?P<name>\w+): segment (?P<msn>\d+): media time is \d+ ms off without a discontinuity")
_APART = re.compile(r"(?P<name>\w+) and \w+: segment (?P<msn>\d+) begins \d+ ms apart")


def all_past(segments: int) -> Callable[[HlsFollower], bool]:
    """Every rendition has ``segments`` whole segments more than where the first was when this was first asked."""
    begun: list[int] = []

    def condition(follower: HlsFollower) -> bool:
        edges = [follower.edge(name)[0] for name in follower.tracks]
        if not begun:
            begun.append(max(edges))
        return min(edges) >= begun[0] + segments + 1

    return condition


def faultless(follower: HlsFollower, *, crashed: bool = False, cut: bool = False, shed: Collection[str] = ()) -> None:
    """The follower found no broken rule; the error names the first one.

    ``crashed``: a room process was killed in between. A segment whose last part was shown and not yet on disk is
    then a gap, once for each rendition: a crash may lose this part. If our camera skipped frames, the part before
    that hole is short, because the long picture does not fit into it, the part of that picture is long, and a
    segment may begin late. ``cut``: the window was cut to the live edge, and a rendition that is not there yet is
    missing from the reports for a moment. ``shed``: encoded renditions that may lose frames on a busy machine,
    which makes parts short.
    """
    passed_over = _passed_over(follower)
    found = [text for text in dict.fromkeys(follower.violations) if not _stuttered(follower, text)]
    found = [text for text in found if (match := _SHORT.fullmatch(text)) is None or match["msn"] not in passed_over]
    found = [text for text in found if (match := _SHORT.fullmatch(text)) is None or match["name"] not in shed]
    if cut:
        found = [text for text in found if "no rendition report for" not in text]
    if crashed:
        lost = [text for text in found if text.endswith("gap was False, is True")]
        renditions = {text.partition(":")[0] for text in lost}
        if len(renditions) == len(lost):
            found = [text for text in found if text not in lost and not _of_lost(text, lost)]
    assert not found, f"{len(found)} faults:\n" + "\n".join(found[:TOLD])


def _passed_over(follower: HlsFollower) -> set[str]:
    """Segments with a part that is short in all pictures: a camera in a process of its own passed over frames there.

    Once for ten segments on a busy machine; more often it is ours.
    """
    short: dict[str, set[str]] = {}
    for text in follower.violations:
        if match := _SHORT.fullmatch(text):
            short.setdefault(match["msn"], set()).add(match["name"])
    pictures = {name for name in follower.tracks if name.startswith("v")}
    everywhere = {msn for msn, names in short.items() if names == pictures}
    listed = max((len(track.reader.known) for track in follower.tracks.values()), default=0)
    return everywhere if len(everywhere) <= 1 + listed // 10 else set()


def _stuttered(follower: HlsFollower, text: str) -> bool:
    match = next((found for each in (_SHORT, _LONG, _HOLE, _APART) if (found := each.fullmatch(text))), None)
    if match is None or match["name"] not in follower.tracks:
        return False
    segment = follower.segment(match["name"], int(match["msn"]))
    begin = segment.pdt_ms or 0
    return skipped(begin, begin + float(segment.known_duration) * 1000)


def breaks(follower: HlsFollower, name: str) -> list[int]:
    """Segments, but the first two, that begin with a discontinuity although the camera skipped no frames before."""
    return [
        msn
        for msn, segment in follower.tracks[name].reader.known.items()
        if msn > 1 and segment.discontinuity and not skipped((segment.pdt_ms or 0) - SEEN_MS, segment.pdt_ms or 0)
    ]


def skipped(begin_ms: float, end_ms: float) -> bool:
    """Whether a camera of ours skipped frames about then, because the machine was busy. UTC ms."""
    return any(begin_ms - NEAR_MS <= at <= end_ms + NEAR_MS for at in STUTTERS)


def _of_lost(text: str, lost: list[str]) -> bool:
    """``changed after it was complete`` of the same segment says the same."""
    return any(text == f"{gap.partition(': gap')[0]} changed after it was complete" for gap in lost)


def whole(follower: HlsFollower, name: str) -> list[int]:
    """Numbers of the segments that were seen whole, oldest first."""
    return sorted(m for m, s in follower.tracks[name].reader.known.items() if s.complete and not s.gap)


async def newest(follower: HlsFollower, name: str, back: int = 0) -> list[decoding.Picture]:
    """The pictures of the newest whole segment, or of one some segments back."""
    return decoding.pictures(await follower.segment_bytes(name, whole(follower, name)[-1 - back]))


def holes_ms(follower: HlsFollower, name: str, first: int = 0) -> list[float]:
    """Jumps of media time between the segments of a rendition, beyond what rounding and AAC frames make, except where
    our camera skipped frames. ``first``: the number of the first segment that is looked at."""
    known = follower.tracks[name].reader.known
    out = []
    for msn in [number for number in sorted(known) if number >= first][:-1]:
        before, after = known[msn], known.get(msn + 1)
        assert after is not None, f"{name}: no segment {msn + 1}"
        assert before.pdt_ms is not None
        assert after.pdt_ms is not None
        if not skipped(before.pdt_ms, after.pdt_ms):
            out.append(after.pdt_ms - before.pdt_ms - float(before.known_duration) * 1000)
    return [hole for hole in out if abs(hole) > 2]


async def whole_segments(follower: HlsFollower, name: str) -> bytes:
    """The last run of whole segments behind one init section."""
    whole = sorted(msn for msn, s in follower.tracks[name].reader.known.items() if s.complete)
    behind = follower.segment(name, whole[-1]).map
    run = list(takewhile(lambda msn: follower.segment(name, msn).map == behind, reversed(whole)))[:2]
    return await follower.run_bytes(name, run[-1], run[0])


async def moving_pictures(follower: HlsFollower, name: str) -> list[decoding.Picture]:
    """The machine encodes, decodes and plays all of it at once: pictures may move late."""
    for _ in range(10):
        if different(shown := decoding.pictures(await whole_segments(follower, name))) >= 3:
            return shown
        await follower.follow(until=all_past(0))
    raise AssertionError(f"{name} stands still")


def different(shown: list[decoding.Picture]) -> int:
    """Pictures that are like none before them. The fake camera's figure goes round: some come again."""
    known: list[NDArray[np.int_]] = []
    for picture in shown:
        coarse = picture.luma[::4, ::4].astype(int)
        if all(np.abs(coarse - other).mean() > 0.5 for other in known):
            known.append(coarse)
    return len(known)
