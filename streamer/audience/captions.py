"""Turns typed text into cues: its rows, its duration, its time in live outputs. Pure.

In live outputs nothing that is listed ever changes. A late line begins with the first segment that is not listed yet,
lines follow one another, and a line's place is fixed when it arrives. In a replay each line stands at its own time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from streamer.conference.captions import Cue

ROW_LETTERS = 42
ROWS = 2
MAX_TEXT = 500
"""Letters of a line; a longer text becomes several lines."""
READING_LETTERS_PER_S = 15
HURRIED_LETTERS_PER_S = 25
"""The reading speed while more than :data:`BEHIND_MS` waits to be shown."""
BEHIND_MS = 4_000
LEAST_MS = 1_500
LINGER_MS = 1_500
"""A replay shows a line this much longer than the reading time, if nothing follows."""
LATEST_MS = 15 * 60 * 1000
"""A line may be typed up to this long after it was said."""


@dataclass(frozen=True, slots=True)
class PlacedCue:
    """Text of at most two rows, from ``from_ms`` to before ``to_ms``, media times."""

    id: str
    from_ms: int
    to_ms: int
    text: str


def tidy(text: str) -> str:
    """One line of plain text: each run of white space becomes one space; control and formatting characters are
    removed."""
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    kept = (c for c in spaced if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn") and c not in _FORMATTING)
    return "".join(kept).strip()


_FORMATTING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
"""Overrides of direction would reach beyond a cue. Joiners stay, because languages and emoji need them."""


def screens(text: str) -> list[str]:
    """``text`` as screens of at most two rows of 42 letters, broken between words; a line feed separates the rows.

    The two rows of a screen have about the same length, the lower one is the longer: that is quicker to read.
    """
    words = _words(text)
    out: list[str] = []
    while words:
        count, rows, row = 0, 1, 0
        for word in words:
            grown = row + (1 if row else 0) + len(word)
            if grown > ROW_LETTERS:
                rows, grown = rows + 1, len(word)
                if rows > ROWS:
                    break
            count, row = count + 1, grown
        out.append(_balanced(words[:count]))
        words = words[count:]
    return out


def _words(text: str) -> list[str]:
    """The words; a word that is longer than a row is cut into pieces."""
    return [w[at : at + ROW_LETTERS] for w in text.split() for at in range(0, len(w), ROW_LETTERS)]


def _balanced(words: Sequence[str]) -> str:
    whole = " ".join(words)
    if len(whole) <= ROW_LETTERS:
        return whole
    found: tuple[int, str] | None = None
    for cut in range(1, len(words)):
        upper, lower = " ".join(words[:cut]), " ".join(words[cut:])
        if max(len(upper), len(lower)) <= ROW_LETTERS:
            cost = abs(len(lower) - len(upper)) + (1 if len(upper) > len(lower) else 0)
            if found is None or cost < found[0]:
                found = (cost, f"{upper}\n{lower}")
    assert found is not None  # screens() took only words that fit
    return found[1]


def reading_ms(text: str, letters_per_s: int = READING_LETTERS_PER_S) -> int:
    """The time for reading the text, which may be several screens."""
    return sum(max(LEAST_MS, len(screen) * 1000 // letters_per_s) for screen in screens(text))


def live_place(text: str, at_ms: int, listed_ms: int, busy_ms: int) -> tuple[int, int]:
    """The times from when to when live outputs show a line.

    ``listed_ms``: the end of the segments that they list; ``busy_ms``: the end of the line before.
    """
    begin = max(at_ms, listed_ms, busy_ms)
    hurried = begin - max(at_ms, listed_ms) > BEHIND_MS
    return begin, begin + reading_ms(text, HURRIED_LETTERS_PER_S if hurried else READING_LETTERS_PER_S)


def cues(line_id: str, text: str, from_ms: int, to_ms: int) -> list[PlacedCue]:
    """The screens of a text, each for its share of the time."""
    made = screens(text)
    total = sum(len(screen) for screen in made)
    times, done = [from_ms], 0
    for screen in made:
        done += len(screen)
        times.append(from_ms + (to_ms - from_ms) * done // total)
    return [
        PlacedCue(line_id if n == 0 else f"{line_id}.{n}", begin, end, screen)
        for n, (screen, (begin, end)) in enumerate(zip(made, pairwise(times), strict=True))
        if begin < end
    ]


def replay_cues(lines: Iterable[Cue]) -> list[PlacedCue]:
    """Each line at its own time, until it is read or the next one begins. Lines of the same time follow one another."""
    ordered = sorted(lines, key=lambda line: (line.at_ms, line.created_ms, line.id))
    begins: list[int] = []
    for line in ordered:
        begins.append(max(line.at_ms, begins[-1] + LEAST_MS // 2) if begins else line.at_ms)
    out: list[PlacedCue] = []
    for n, (line, begin) in enumerate(zip(ordered, begins, strict=True)):
        end = begin + reading_ms(line.text) + LINGER_MS
        out += cues(line.id, line.text, begin, min(end, begins[n + 1]) if n + 1 < len(begins) else end)
    return out


@dataclass(slots=True)
class LiveTrack:
    """The lines of one language of a room in the order of their places, which never overlap."""

    lines: list[Cue] = field(default_factory=list)

    @property
    def busy_ms(self) -> int:
        return self.lines[-1].live_until_ms if self.lines else 0

    def add(self, line: Cue) -> None:
        self.lines.append(line)

    def replace(self, line: Cue) -> None:
        """Replace the line that has the same id, and keep its place."""
        for index in range(len(self.lines) - 1, -1, -1):
            if self.lines[index].id == line.id:
                self.lines[index] = line
                return

    def remove(self, line_id: str) -> None:
        self.lines = [line for line in self.lines if line.id != line_id]

    def trim(self, before_ms: int) -> None:
        """Forget the lines that ended before a media time."""
        if self.lines and self.lines[0].live_until_ms < before_ms:
            self.lines = [line for line in self.lines if line.live_until_ms >= before_ms]

    def between(self, from_ms: int, to_ms: int) -> list[Cue]:
        """The lines that are shown at any time from ``from_ms`` to before ``to_ms``."""
        low, high = 0, len(self.lines)
        while low < high:
            middle = (low + high) // 2
            if self.lines[middle].live_until_ms <= from_ms:
                low = middle + 1
            else:
                high = middle
        out = []
        for line in self.lines[low:]:
            if line.live_from_ms >= to_ms:
                break
            out.append(line)
        return out
