"""Measures of one source's sound, picture and way, as values. The rules of :mod:`.troubles` judge them.

``at_ms`` is the machine's UTC ms at which the measured time ends.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENT_DB = -120.0
"""The level of no sound at all."""
BLOCK_MS = 100
"""A measure of sound is of this time."""


@dataclass(frozen=True, slots=True)
class SoundMeasure:
    """A tenth of a second of sound as it came, before gain and limiter. Levels are in dBFS (RMS of the louder
    channel)."""

    at_ms: int
    level: float = SILENT_DB
    lowest: float = SILENT_DB
    """The level of its quietest 20 ms."""
    peak: float = SILENT_DB
    loudness: float = SILENT_DB
    """LUFS."""
    voice: bool | None = None
    """Whether somebody speaks; None: there is no detector."""
    balance_db: float = 0.0
    """The louder channel's level over the other's."""
    mid_db: float = 0.0
    """The level of both channels' mean over the mean level of the channels: 0 mono, -3 two strangers, far below
    opposite polarity."""
    clips: int = 0
    """The number of times that the sound stood at its limit."""
    dropouts: int = 0
    """Gaps under a second that ended in it: sound broke off in the middle and came back."""
    hum_db: float = SILENT_DB
    """The level of a tone of the mains with its harmonics; none: ``SILENT_DB``."""
    hum_hz: float = 0.0
    tone_db: float = SILENT_DB
    """The level of one narrow tone that holds and does not fade; none: ``SILENT_DB``."""
    tone_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class PictureMeasure:
    """One picture beside the one that was measured before. Brightness is from 0 (black) to 1 (white)."""

    at_ms: int
    mean: float
    brightest: float
    contrast: float
    """Between the darkest and the brightest 2 %."""
    deviation: float
    """Standard deviation of brightness and colour, the larger one."""
    still: bool | None
    """True: it is as the picture before; False: something moved; None: noise alone tells them apart, a camera's or an
    encoder's, or there was none before."""
    noise: float | None = None
    """By how much the samples of most of the picture differ from the picture before, levels of 255."""


@dataclass(frozen=True, slots=True)
class WayMeasure:
    """The way from the sender to here, over the time since the measure before."""

    at_ms: int
    lost: float = 0.0
    """The share of packets that did not come by themselves, 0 to 1."""
    jitter_ms: float = 0.0
    queued_ms: float = 0.0
    """The wait of each packet on the way, beside the quickest of the last half a minute."""
    round_trip_ms: float | None = None
    video_kbps: float | None = None
    asked_kbps: float | None = None
    """The least video that the sender was asked for; None: it was not asked."""
    frame_rate: float | None = None
    broken: int = 0
    """The frames that could not be decoded."""
    keyframe_s: float | None = None
    """The time since the last key frame, or between the last two, whichever is longer; None: nobody asked for any."""
