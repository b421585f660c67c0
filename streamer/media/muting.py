"""Replaces sound by silence: silent frames, and parts of the programme with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from streamer.formats import cmaf
from streamer.formats.types import Sample
from streamer.media.aac import AAC_FRAME, AAC_TICKS, AacEncoder
from streamer.media.packager import MadePart
from streamer.media.spans import Spans

HEARD_TICKS = 2 * AAC_TICKS
"""A frame of AAC affects the 2048 samples from its start on: half of them are heard with the next frame."""


@lru_cache(maxsize=8)
def silent_frame(bitrate: int) -> bytes:
    """One AAC frame of silence, from an encoder that has been silent for a while, so that any number of them can follow
    each other."""
    encoder = AacEncoder(bitrate, 0)
    silence = np.zeros((2, AAC_FRAME), dtype=np.float32)
    frames = [sample for _ in range(8) for sample in encoder.encode(silence)]
    return frames[-1].data


def muted(made: MadePart, silent: Spans, bitrates: Mapping[str, int]) -> MadePart:
    """The part with silence instead of each frame that touches a silent stretch; ``made`` itself if none does.

    ``bitrates``: sound rendition -> bits per second.
    """
    if made.track not in bitrates or not silent.overlap(made.start, made.end + HEARD_TICKS):
        return made
    silence = silent_frame(bitrates[made.track])
    samples = tuple(
        Sample(silence, sample.start, sync=True) if silent.overlap(sample.start, sample.start + HEARD_TICKS) else sample
        for sample in made.samples
    )
    data = cmaf.fragment(made.config, cmaf.sequence_number(made.start), samples, made.end)
    return replace(made, data=data, samples=samples)
