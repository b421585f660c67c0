"""The order to ``streamer.media.replay_sound`` and its answer, in msgpack."""

from __future__ import annotations

import msgspec

from streamer.broadcast.programme import Chunk


class SoundRun(msgspec.Struct, frozen=True, array_like=True):
    """Sound of one broadcast, in order."""

    init: bytes
    chunks: list[Chunk]
    shown: list[tuple[int, int]]
    """The stretches that are heard, and therefore measured: from one tick of the broadcast to before another."""


class SoundTrackOrder(msgspec.Struct, frozen=True, array_like=True):
    bandwidth: int
    """The average one of its rendition, bits per second."""
    out: str
    """The file that is written if the sound is encoded again."""
    runs: list[SoundRun]


class SoundOrder(msgspec.Struct, frozen=True):
    """One edition's sound. Files are relative to ``folder``. The first track is measured."""

    folder: str
    tracks: list[SoundTrackOrder]
    cpu_s: int


class SoundAnswer(msgspec.Struct, frozen=True):
    """``loudness``: of the sound as it was recorded, LUFS; ``gain_db``: by how much it was changed."""

    loudness: float
    gain_db: float = 0.0
    sizes: list[list[int]] = []
    """For each track the sizes of its chunks in the new file, one after the other. Empty: the sound stays."""
