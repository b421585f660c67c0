"""Measures sound from fragments: its peaks and levels in bins of 40 ms. It decodes in a process of its own, so that
damaged media ends nothing else.

``python -m streamer.media.peaks`` reads runs of segments from standard input, each an init section and fragments with
its size before it (4 bytes, big-endian). It writes for each run the number of its first bin (8 bytes, signed,
big-endian) and of its bins (4 bytes), then two bytes a bin: peak and level (RMS), as :func:`encoded`. A run that cannot
be decoded has no bins.
"""

from __future__ import annotations

import io
import math
import os
import resource
import sys
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streamer.broadcast.programme import TICKS_PER_S
from streamer.control.runs import runs_in
from streamer.formats.waveform import BIN_TICKS, RUN_HEAD, STEPS_PER_DB

CPU_S = 30
DATA_BYTES = 1 << 30
"""Limits of the process. Five minutes of sound take a small part of both."""


def encoded(amplitude: float) -> int:
    """A byte for an amplitude (1.0: full scale): 255 for 0 dB, a quarter of a dB for each step, at least 1."""
    if amplitude <= 0:
        return 1
    return max(1, min(255, round(255 + STEPS_PER_DB * 20 * math.log10(amplitude))))


def measured(data: bytes) -> tuple[int, bytes]:
    """The first bin of a run and its bins; no bins if it cannot be decoded. A bin without sound is 0, 0."""
    peaks: dict[int, float] = {}
    energies: dict[int, float] = {}
    counts: dict[int, int] = {}
    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            stream = container.streams.audio[0]
            for frame in container.decode(stream):
                if frame.pts is None or frame.time_base is None:
                    continue
                samples: NDArray[Any] = frame.to_ndarray()
                if samples.dtype.kind != "f":
                    samples = samples / float(1 << (8 * samples.dtype.itemsize - 1))
                if not frame.format.is_planar:
                    samples = samples.reshape(-1, frame.layout.nb_channels).T
                squares = np.square(samples, dtype=np.float64).max(axis=0)
                tick = round(frame.pts * frame.time_base * TICKS_PER_S)
                at, left = 0, len(squares)
                while left > 0:
                    bin_ = (tick + at * TICKS_PER_S // frame.sample_rate) // BIN_TICKS
                    until = -(-((bin_ + 1) * BIN_TICKS - tick) * frame.sample_rate // TICKS_PER_S)
                    size = max(1, min(left, until - at))
                    part = squares[at : at + size]
                    peaks[bin_] = max(peaks.get(bin_, 0.0), float(part.max()))
                    energies[bin_] = energies.get(bin_, 0.0) + float(part.sum())
                    counts[bin_] = counts.get(bin_, 0) + size
                    at, left = at + size, left - size
    except (av.FFmpegError, IndexError, ValueError):
        pass  # the bins so far are right
    if not peaks:
        return 0, b""
    first, last = min(peaks), max(peaks)
    out = bytearray(2 * (last - first + 1))
    for bin_, peak in peaks.items():
        out[2 * (bin_ - first)] = encoded(math.sqrt(peak))
        out[2 * (bin_ - first) + 1] = encoded(math.sqrt(energies[bin_] / counts[bin_]))
    return first, bytes(out)


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    # Live media come first.
    os.nice(10)
    for run in runs_in(sys.stdin.buffer.read()):
        first, bins = measured(run)
        sys.stdout.buffer.write(RUN_HEAD.pack(first, len(bins) // 2) + bins)
    return 0


if __name__ == "__main__":
    sys.exit(main())
