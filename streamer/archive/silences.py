"""Silent stretches in a recording's sound, offered as cuts. Pure.

Rooms and microphones differ, so silence is measured against the recording itself: far below its speech, or near its
noise.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamer.archive.material import Span
from streamer.formats.waveform import STEPS_PER_DB

LONG_MS = 5000
"""A shorter pause belongs to the talk."""
LEFT_MS = 500
"""The silence that stays on both sides, so that no word is cut."""
CLICK_MS = 120
"""A shorter sound does not end a silence."""
FAR_STEPS = 24 * STEPS_PER_DB
NOISE_STEPS = 6 * STEPS_PER_DB
CLEAR_STEPS = 12 * STEPS_PER_DB
FAINT = 255 - 55 * STEPS_PER_DB
"""A recording whose loudest parts are below -55 dB has no speech to compare with."""


def threshold(levels: Sequence[int]) -> int | None:
    """The level below which it is silent; None if there is nothing to compare with. ``levels`` are bytes as
    ``streamer.media.peaks`` encodes them; 0: no sound."""
    known = sorted(level for level in levels if level)
    if not known:
        return None
    speech, noise = known[len(known) * 95 // 100], known[len(known) * 5 // 100]
    if speech < FAINT:
        return None
    return max(speech - FAR_STEPS, min(noise + NOISE_STEPS, speech - CLEAR_STEPS))


def silences(levels: Sequence[int], from_ms: int, bin_ms: int) -> tuple[Span, ...]:
    """The stretches that may be left out. ``from_ms``: media time of the first bin."""
    limit = threshold(levels)
    if limit is None:
        return ()
    found: list[Span] = []
    begin: int | None = None
    loud = 0
    for index, level in enumerate((*levels, 0)):
        if level and level <= limit:
            begin = index if begin is None else begin
            loud = 0
        elif begin is not None:
            loud += 1
            if not level or loud * bin_ms > CLICK_MS:
                end = index + 1 - loud
                if (end - begin) * bin_ms >= LONG_MS:
                    found.append(Span(from_ms + begin * bin_ms + LEFT_MS, from_ms + end * bin_ms - LEFT_MS))
                begin, loud = None, 0
    return tuple(found)
