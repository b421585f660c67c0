"""The waveform of a recording's material. A short-lived process measures the sound, a few minutes at a time.

Measured bins are kept by segment beside the media, in ``waveform.bin``. The answer has the bins of segments that the
material has now, so a part that was forgotten is in none. The file goes with the recording, and whenever a stretch is
forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamer.archive import away, files
from streamer.archive.archivist import Archivist
from streamer.archive.material import Material, Reel, Span
from streamer.archive.silences import silences
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Segment
from streamer.control.decoders import NotDecoded, decode
from streamer.control.runs import joined
from streamer.formats.waveform import BIN_MS, BIN_TICKS, RUN_HEAD

MEASURER = "streamer.media.peaks"
BATCH_TICKS = 300 * TICKS_PER_S
"""The sound that one process measures: a second or two of work."""


class NoWaveform(Exception):
    """The sound cannot be read or measured."""


class KeptWaveform(msgspec.Struct, frozen=True):
    """Segment -> two bytes a bin, peak and level, for the bins that begin in it."""

    segments: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Waveform:
    """``peaks``: a byte each :data:`BIN_MS` from ``from_ms`` on; 255 is full scale, each step less a quarter of a dB;
    0: nothing is recorded, or not measured yet."""

    from_ms: int
    peaks: bytes
    complete: bool
    silences: tuple[Span, ...] = ()
    """Found when it is complete."""
    key_frames_ms: tuple[int, ...] = ()
    """The times where segments of all renditions begin with a key frame: a cut that begins there moves at once."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """One segment of the sound that is measured."""

    key: str
    reel: Reel
    segment: Segment

    @property
    def bins(self) -> range:
        """The bins that begin in it, counted from the broadcast's tick 0."""
        end = self.segment.start + self.segment.duration
        return range(-(-self.segment.start // BIN_TICKS), -(-end // BIN_TICKS))


async def waveform_of(archivist: Archivist, session: str, room: str) -> Waveform:
    """The waveform as far as it is measured, a few minutes further than at the last call. Raises NoWaveform."""
    folder = archivist.repository.folder(session)
    async with archivist.decoding:
        material = await archivist.shown(session, room)
        known = await asyncio.to_thread(_kept, folder)
        missing = [sound for sound in _sounds(material) if sound.key not in known]
        fresh = await _measured(folder, missing) if missing else {}
    async with archivist.alone(session):
        # Something may have been forgotten meanwhile.
        material = await archivist.shown(session, room)
        return await asyncio.to_thread(_together, folder, material, known | fresh, bool(fresh))


def _together(folder: Path, material: Material, known: dict[str, bytes], write: bool) -> Waveform:
    sounds = _sounds(material)
    kept = {sound.key: known[sound.key] for sound in sounds if sound.key in known}
    if write:
        files.write(folder / files.WAVEFORM_FILE, KeptWaveform(kept))
    span = material.span
    if span is None:
        return Waveform(0, b"", True)
    bins = bytearray(2 * -(-(span.to_ms - span.from_ms) // BIN_MS))
    for sound in sounds:
        data = kept.get(sound.key, b"")
        if data:
            at_ms = sound.reel.ms(sound.bins.start * BIN_TICKS)
            place = max(0, 2 * round((at_ms - span.from_ms) / BIN_MS))
            data = data[: max(0, len(bins) - place)]
            bins[place : place + len(data)] = data
    complete = len(kept) == len(sounds)
    found = silences(bins[1::2], span.from_ms, BIN_MS) if complete else ()
    return Waveform(span.from_ms, bytes(bins[::2]), complete, found, _key_frames(material))


def _key_frames(material: Material) -> tuple[int, ...]:
    found: set[int] = set()
    for reel in material.reels:
        pictures = [r.name for r in reel.broadcast.renditions if r.kind == "video" and reel.tracks.get(r.name)]
        # Rounded up, so that a cut at this time is not before it.
        starts = [
            {-(-s.start // TICKS_PER_MS) for s in reel.tracks[name] if s.parts and s.parts[0].independent}
            for name in pictures
        ]
        if starts:
            found |= {reel.broadcast.epoch_ms + ms for ms in set.intersection(*starts)}
    return tuple(sorted(found))


def _sounds(material: Material) -> list[_Sound]:
    """The segments of the sound with the fewest bits, in order."""
    found = []
    for reel in material.reels:
        audible = [r for r in reel.broadcast.renditions if r.kind == "audio" and reel.tracks.get(r.name)]
        if not audible:
            continue
        name = min(audible, key=lambda r: r.bandwidth).name
        for segment in reel.tracks[name]:
            if segment.parts and not segment.gap:
                size = sum(part.chunk.size for part in segment.parts)
                key = f"{reel.broadcast.id}/{name}/{segment.msn}/{segment.start}/{size}"
                found.append(_Sound(key, reel, segment))
    return found


def _runs(sounds: Sequence[_Sound]) -> list[list[_Sound]]:
    """Uninterrupted segments with one init section, of a batch's length altogether."""
    runs: list[list[_Sound]] = []
    ticks = 0
    for sound in sounds:
        if ticks >= BATCH_TICKS:
            break
        ticks += sound.segment.duration
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and last.reel is sound.reel
            and last.segment.init == sound.segment.init
            and abs(last.segment.start + last.segment.duration - sound.segment.start) <= BIN_TICKS // 2
        ):
            runs[-1].append(sound)
        else:
            runs.append([sound])
    return runs


async def _measured(folder: Path, missing: Sequence[_Sound]) -> dict[str, bytes]:
    runs = _runs(missing)
    try:
        data = await asyncio.to_thread(_read, folder, runs)
        told = await decode(MEASURER, data=data)
    except (OSError, EOFError, ValueError, NotDecoded) as error:
        raise NoWaveform from error
    out: dict[str, bytes] = {}
    at = 0
    for run in runs:
        if len(told) < at + RUN_HEAD.size:
            raise NoWaveform
        first, count = RUN_HEAD.unpack_from(told, at)
        at += RUN_HEAD.size
        bins = told[at : at + 2 * count]
        if len(bins) != 2 * count:
            raise NoWaveform
        at += 2 * count
        for sound in run:
            # Bins before the first are cut off: a run may begin inside of one.
            begin, end = (max(0, bin_ - first) for bin_ in (sound.bins.start, sound.bins.stop))
            late = 2 * max(0, min(len(sound.bins), first - sound.bins.start))
            out[sound.key] = bytes(late) + bins[2 * begin : 2 * end]
    return out


def _read(folder: Path, runs: Sequence[Sequence[_Sound]]) -> bytes:
    out = []
    for run in runs:
        init = run[0].reel.init(run[0].segment.init)
        if init is None:
            raise ValueError("an init section is missing")
        parts = [part for sound in run for part in sound.segment.parts]
        out.append(init.data + away.read_parts(folder, parts))
    return joined(out)


def _kept(folder: Path) -> dict[str, bytes]:
    try:
        return files.read(folder / files.WAVEFORM_FILE, KeptWaveform).segments
    except (OSError, ValueError):
        return {}
