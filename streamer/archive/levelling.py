"""Brings replays to one loudness: a short-lived process measures each edition's sound and, where it is too quiet or too
loud, encodes the sound alone again. The edition that has this sound is a new one.

What is measured stands in the edition's row, so that a process which was killed meanwhile begins that edition again and
no other. The old edition plays until the new one is there. Runs in the background, one edition at a time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import structlog

from streamer.archive import exporting, files
from streamer.archive.archivist import Archivist
from streamer.archive.editions import Edition, spans_of
from streamer.archive.material import Material, Span
from streamer.archive.repository import RecordingEntry, Who, new_edition, with_edition, with_saved
from streamer.broadcast.programme import Chunk, Rendition
from streamer.control.decoders import NotDecoded, decode
from streamer.control.sound_order import SoundAnswer, SoundOrder, SoundRun, SoundTrackOrder
from streamer.errors import StreamerError
from streamer.observe.disk import LOW_S, disk_of
from streamer.store.recordings import SILENCE_LUFS, StoredEdition

log = structlog.get_logger(__name__)

MODULE = "streamer.media.replay_sound"
LEVELLING = Who("levelling", "levelling")
WAIT_MS = 120_000
"""An edition rests this long first: right after a session its cut is often moved."""
EVERY_S = 30.0
PAUSE_S = 1.0
"""Between two editions, after an upgrade for example, when many wait."""
RETRY_S = 24 * 3600.0
"""The wait after sound that could not be read or written."""
CPU_SHARE = 0.5
"""The processor time that the work may take, as a share of the sound's duration: several times what it takes."""
LEAST_CPU_S = 60
SPARE = 20
"""On a busy machine the work, which gives way to all other, takes so many times longer at most."""


@dataclass(frozen=True, slots=True)
class _Track:
    """The sound of one rendition of an edition. ``chunks``: of all runs, each once."""

    rendition: Rendition
    runs: list[SoundRun]

    @property
    def chunks(self) -> list[Chunk]:
        return [chunk for run in self.runs for chunk in run.chunks]


class Levelling:
    def __init__(self, archivist: Archivist) -> None:
        self._archivist = archivist
        self._later: dict[str, int] = {}
        """Edition -> the time before which it is not tried again, UTC milliseconds."""

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            done = await self.once()
            await asyncio.sleep(PAUSE_S if done else EVERY_S)

    async def once(self) -> bool:
        """Look after one edition. Returns whether one is done."""
        now_ms = self._archivist.clock()
        edition: StoredEdition | None = None
        disk = await asyncio.to_thread(disk_of, self._archivist.dir.parent, 1)
        if disk is None or disk.left_s < LOW_S:
            return False  # recordings need it
        try:
            waiting = await self._archivist.repository.unmeasured(now_ms - WAIT_MS)
            self._later = {one.id: self._later[one.id] for one in waiting if self._later.get(one.id, 0) > now_ms}
            edition = next((one for one in waiting if one.id not in self._later), None)
            if edition is None:
                return False
            return await self._level(edition)
        except (StreamerError, OSError, ValueError, EOFError, NotDecoded, msgspec.MsgspecError) as error:
            log.warning("sound_not_levelled", session=edition.session if edition else "", error=str(error))
            if edition is not None:
                self._later[edition.id] = now_ms + round(RETRY_S * 1000)
            return False

    async def _level(self, edition: StoredEdition) -> bool:
        """Raises StreamerError, OSError, ValueError, EOFError, NotDecoded."""
        archivist, session = self._archivist, edition.session
        entry = await archivist.repository.entry(session, around=False)
        if entry is None or entry.recording is None:
            return False
        folder = archivist.repository.folder(session)
        material = await archivist.shown(session, entry.recording.room)
        tracks, duration_s = await asyncio.to_thread(_tracks, folder, material, edition)
        sound = secrets.token_hex(8)
        try:
            answer = await self._answer(folder, tracks, sound, duration_s, session)
            if answer is None:
                return False
            async with archivist.alone(session):
                known = await archivist.repository.entry(session, around=False)
                if known is None or known.current != edition:
                    return False
                await self._take_in(known, edition, tracks, sound if answer.sizes else "", answer)
                return True
        finally:
            await self._clean(session)

    async def _answer(
        self, folder: Path, tracks: Sequence[_Track], sound: str, duration_s: float, session: str
    ) -> SoundAnswer | None:
        """None: it was interrupted."""
        if not tracks:
            return SoundAnswer(SILENCE_LUFS)
        cpu_s = LEAST_CPU_S + round(CPU_SHARE * duration_s * len(tracks))
        orders = [
            SoundTrackOrder(
                track.rendition.average_bandwidth, files.levelled_name(sound, track.rendition.name), track.runs
            )
            for track in tracks
        ]
        data = await asyncio.to_thread(msgspec.msgpack.encode, SoundOrder(str(folder), orders, cpu_s))
        work = asyncio.create_task(decode(MODULE, data=data, limit_s=SPARE * cpu_s), name=f"levelling {session}")
        self._archivist.levelling[session] = work
        try:
            await asyncio.wait((work,))
        finally:
            del self._archivist.levelling[session]
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        return None if work.cancelled() else msgspec.msgpack.decode(work.result(), type=SoundAnswer)

    async def _take_in(
        self, entry: RecordingEntry, edition: StoredEdition, tracks: Sequence[_Track], sound: str, answer: SoundAnswer
    ) -> None:
        """The caller holds the session's lock."""
        archivist, recording = self._archivist, entry.recording
        assert recording is not None
        if not sound:
            saved = replace(edition, loudness=answer.loudness)
            await archivist.repository.write(recording, saved=saved)
            await archivist.copy_entry(with_saved(entry, recording, saved))
            return
        folder = archivist.repository.folder(entry.session.id)
        await asyncio.to_thread(_write, folder, sound, tracks, answer)
        skips = [Span(a, b) for a, b in edition.skips]
        now_ms = archivist.clock()
        fresh = new_edition(entry, edition.start_ms, edition.end_ms, skips, now_ms)
        fresh = replace(fresh, sound=sound, loudness=answer.loudness)
        await archivist.repository.write(
            recording,
            edition=fresh,
            approved_as=edition.id,
            who=LEVELLING,
            action="recording.level",
            at_ms=now_ms,
            details={"loudness_lufs": round(answer.loudness, 1), "gain_db": round(answer.gain_db, 1)},
        )
        entry = with_edition(entry, recording, fresh, fresh.created_ms)
        archivist.publish(entry)
        await archivist.copy_entry(entry)
        log.info("sound_levelled", session=entry.session.id, loudness=answer.loudness, gain_db=answer.gain_db)

    async def _clean(self, session: str) -> None:
        """Delete all levelled sound that the present edition does not have."""
        archivist = self._archivist
        async with archivist.alone(session):
            entry = await archivist.repository.entry(session, around=False)
            kept = entry.current.sound if entry is not None and entry.current is not None else ""
            await asyncio.to_thread(files.drop_sounds, archivist.repository.folder(session), kept)


def _write(folder: Path, sound: str, tracks: Sequence[_Track], answer: SoundAnswer) -> None:
    """Raises ValueError if the answer has not one size for each chunk, OSError also if a file is gone."""
    chunks: list[tuple[Chunk, Chunk]] = []
    for track, sizes in zip(tracks, answer.sizes, strict=True):
        file, at = files.levelled_name(sound, track.rendition.name), 0
        for chunk, size in zip(track.chunks, sizes, strict=True):
            chunks.append((chunk, Chunk(file, at, size)))
            at += size
        if (folder / file).stat().st_size != at:
            raise ValueError("a file of levelled sound has another size")
    files.write(files.sound_file(folder, sound), files.LevelledSound(tuple(chunks)))


def _tracks(folder: Path, material: Material, stored: StoredEdition) -> tuple[list[_Track], float]:
    """The sounds of the edition, the best first, and their duration in seconds. Reads files."""
    assert stored.end_ms is not None
    skips = [Span(a, b) for a, b in stored.skips]
    edition = exporting.edition_of(folder, material, spans_of(material, stored.start_ms, stored.end_ms, skips))
    sounds = sorted((r for r in edition.renditions if r.kind == "audio"), key=lambda r: -r.bandwidth)
    found = [_Track(rendition, _runs(material, edition, rendition.name)) for rendition in sounds]
    return [track for track in found if track.chunks], edition.duration_ms / 1000


def _runs(material: Material, edition: Edition, rendition: str) -> list[SoundRun]:
    """One for each reel and init section. A chunk that is cut in the middle belongs to two pieces."""
    runs: list[SoundRun] = []
    last: tuple[int, int] | None = None
    seen: set[tuple[str, int]] = set()
    for piece in edition.tracks.get(rendition, ()):
        init = material.reels[piece.reel].init(piece.init)
        if piece.gap or init is None:
            continue
        if (piece.reel, piece.init) != last:
            runs.append(SoundRun(init.data, [], []))
            last = piece.reel, piece.init
        run = runs[-1]
        run.chunks.extend(chunk for chunk in piece.chunks if (chunk.file, chunk.offset) not in seen)
        seen.update((chunk.file, chunk.offset) for chunk in piece.chunks)
        if run.shown and run.shown[-1][1] == piece.start:
            run.shown[-1] = run.shown[-1][0], piece.end
        else:
            run.shown.append((piece.start, piece.end))
    return runs
