"""Silence in place of the programme's sound, in the very parts that its pictures go with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamer.formats import cmaf
from streamer.formats.types import Sample
from streamer.media.audio import AAC_TICKS
from streamer.media.packager import MadePart
from streamer.media.spans import Spans

HEARD_TICKS = 2 * AAC_TICKS
"""A frame of AAC says something of the 2048 samples from its start on: half of it is heard with the next frame."""


def muted(made: MadePart, silent: Spans, frames: Mapping[str, bytes]) -> MadePart:
    """The part with a frame of silence for each that touches a silent stretch; ``made`` itself where there is none.

    ``frames``: one silent AAC frame of each sound rendition, by name.
    """
    silence = frames.get(made.track)
    if silence is None or not silent.overlap(made.start, made.end + HEARD_TICKS):
        return made
    samples = tuple(
        Sample(silence, sample.start, sync=True) if silent.overlap(sample.start, sample.start + HEARD_TICKS) else sample
        for sample in made.samples
    )
    data = cmaf.fragment(made.config, cmaf.sequence_number(made.start), samples, made.end)
    return replace(made, data=data, samples=samples)
