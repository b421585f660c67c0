"""Captions that are there already, and a reader of WebVTT segments as players read them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.audience.captions import PlacedCue, cues, replay_cues
from streamer.conference.captions import Cue

_MAP = re.compile(r"X-TIMESTAMP-MAP=MPEGTS:(\d+),LOCAL:([\d:.]+)")
_TIMES = re.compile(r"(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})")


@dataclass
class FakeCaptions:
    """Lines of one room in one language."""

    lines: list[Cue] = field(default_factory=list)

    def add(self, text: str, at_ms: int, live_ms: int | None = None, lasts_ms: int = 3000) -> None:
        n, begin = len(self.lines), at_ms if live_ms is None else live_ms
        self.lines.append(Cue(f"l{n}", "salle", "fr", text, at_ms, begin, begin + lasts_ms, at_ms, "g"))

    async def live(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, PlacedCue]]:
        return [
            (line.at_ms, cue)
            for line in self.lines
            for cue in cues(line.id, line.text, line.live_from_ms, line.live_until_ms)
            if lang == "fr" and cue.from_ms < to_ms and cue.to_ms > from_ms
        ]

    async def said(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[PlacedCue]:
        made = replay_cues(self.lines if lang == "fr" else ())
        return [cue for cue in made if cue.from_ms < to_ms and cue.to_ms > from_ms]


@dataclass(frozen=True)
class Shown:
    """A cue as it is played; times in seconds of the media's own clock."""

    id: str
    begin: float
    end: float
    text: str


def read_vtt(data: bytes) -> list[Shown]:
    """Raises ValueError on what a strict reader does not take."""
    head, *blocks = data.decode().rstrip("\n").split("\n\n")
    lines = head.split("\n")
    found = _MAP.fullmatch(lines[1]) if len(lines) == 2 and lines[0] == "WEBVTT" else None
    if found is None or found[2] != "00:00:00.000":
        raise ValueError(f"head {head!r}")
    offset = int(found[1]) / 90_000
    out = []
    for block in blocks:
        name, times, *text = block.split("\n")
        t = _TIMES.fullmatch(times)
        if t is None or not text or any("<" in row or ">" in row for row in text) or "-->" in name:
            raise ValueError(f"cue {block!r}")
        h1, m1, s1, f1, h2, m2, s2, f2 = map(int, t.groups())
        begin, end = h1 * 3600 + m1 * 60 + s1 + f1 / 1000, h2 * 3600 + m2 * 60 + s2 + f2 / 1000
        if end <= begin:
            raise ValueError(f"times {times!r}")
        out.append(Shown(name, begin + offset, end + offset, html.unescape("\n".join(text))))
    return out
