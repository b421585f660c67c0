"""Bytes of a measured waveform: :mod:`streamer.media.peaks` writes them, the archive reads them."""

from __future__ import annotations

import struct

from streamer.broadcast.programme import TICKS_PER_MS

BIN_MS = 40
BIN_TICKS = BIN_MS * TICKS_PER_MS
"""Bins are counted from tick 0 of the broadcast. A bin has two bytes: peak and level (RMS). 255: full scale; each step
less is a quarter of a dB less; 0: no sound."""
STEPS_PER_DB = 4
RUN_HEAD = struct.Struct(">qI")
"""Before the bins of a run: the number of its first bin, and how many there are."""
