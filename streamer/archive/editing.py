"""People's changes of recordings: move the cut, hide and show stretches, publish, pin, delete, forget.

Each change of the visible parts makes a new edition under a new address; the old address answers 410.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from streamer.archive import away, deleting, files
from streamer.archive.archivist import Archivist
from streamer.archive.editions import can_begin
from streamer.archive.material import Material, Span, chunks_of, minus, union
from streamer.archive.material_sources import combined
from streamer.archive.repository import RecordingEntry, Who, new_edition, with_edition
from streamer.broadcast.programme import Chunk
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.formats.hole_punch import punch
from streamer.s3 import BucketFailed
from streamer.store.audit import changed_fields
from streamer.store.recordings import Recording, RecordingState, StoredEdition

log = structlog.get_logger(__name__)

SHORTEST_MS = 1000
MAX_SKIPS = 100
FILE_MS = 11 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Edit:
    """The fields to change; None: the field stays."""

    start_ms: int | None = None
    end_ms: int | None = None
    skips: tuple[Span, ...] | None = None
    published: bool | None = None
    pinned: bool | None = None

    @property
    def cuts(self) -> bool:
        return self.start_ms is not None or self.end_ms is not None or self.skips is not None


async def edit(archivist: Archivist, session: str, change: Edit, who: Who) -> RecordingEntry:
    """Change a recording. Returns its new entry.

    Raises NotFound, Conflict ``still_growing`` for a cut during the session, Conflict ``not_recorded`` for publishing a
    session that must not be recorded, and Unprocessable ``bad_cut`` with the possible times in ``details``.
    """
    async with archivist.alone(session):
        entry, recording = await _there(archivist, session)
        current = entry.current
        now_ms = archivist.clock()
        fresh = None
        changed = recording
        if change.pinned is not None:
            changed = replace(changed, pinned=change.pinned)
        if change.published is not None and (change.published != recording.published or not recording.reviewed):
            if change.published and not entry.session.recorded:
                raise Conflict("This session must not be recorded.", code="not_recorded")
            changed = replace(changed, published=change.published, reviewed=True)
        withdrawn = recording.published and not changed.published
        if change.cuts:
            if recording.state is RecordingState.GROWING or current is None or current.end_ms is None:
                raise Conflict("The session is still on air.", code="still_growing")
            start_ms = current.start_ms if change.start_ms is None else change.start_ms
            end_ms = current.end_ms if change.end_ms is None else change.end_ms
            skips = tuple(Span(a, b) for a, b in current.skips) if change.skips is None else change.skips
            skips = _checked(await archivist.material(session, recording.room), start_ms, end_ms, skips)
            before = (current.start_ms, current.end_ms, current.skips)
            if before != (start_ms, end_ms, tuple((s.from_ms, s.to_ms) for s in skips)):
                fresh = new_edition(entry, start_ms, end_ms, skips, now_ms)
                changed = replace(changed, reviewed=True)
        if fresh is None and withdrawn and current is not None:
            # People who know the old address must not be able to go on with it.
            fresh = _again(entry, current, now_ms)
        if fresh is None and changed == recording:
            return entry
        await archivist.repository.write(
            changed,
            edition=fresh,
            who=who,
            action=_action(change),
            at_ms=now_ms,
            details=changed_fields(recording, changed, {"published", "pinned"})
            | changed_fields(current, fresh or current, {"start_ms", "end_ms", "skips"}),
        )
        if fresh is not None:
            entry = with_edition(entry, changed, fresh, fresh.created_ms)
        else:
            entry = replace(entry, recording=changed)
        archivist.publish(entry)
        await archivist.copy_entry(entry)
        return entry


async def delete(archivist: Archivist, session: str, who: Who) -> None:
    """Delete a recording's files. Raises NotFound, Conflict ``pinned`` or ``still_growing``, and NotErased if the disk
    keeps some of them; a second call tries again."""
    async with archivist.alone(session):
        if any(one.session == session for one in archivist.erasing.recordings()):
            await deleting.remove_left(archivist, session)
            return
        entry, recording = await _there(archivist, session)
        if recording.pinned:
            raise Conflict("The recording is pinned.", code="pinned")
        if recording.state is RecordingState.GROWING:
            raise Conflict("The session is still on air.", code="still_growing")
        await archivist.erase(entry, recording, who=who, action="recording.delete")


async def forget(archivist: Archivist, room: str, from_ms: int, to_ms: int) -> list[str]:
    """Remove a stretch of a room from all recordings, for good. Returns the changed sessions.

    A recording that cannot be changed because of the disk or the bucket is served to nobody until it can. Raises
    OSError or BucketFailed at the end if there was one.
    """
    span = Span(from_ms, to_ms)
    touched: list[str] = []
    refused: OSError | BucketFailed | None = None
    for session in await archivist.repository.of_room(room, span):
        async with archivist.alone(session):
            entry = await archivist.repository.entry(session)
            if entry is None or entry.recording is None:
                continue
            try:
                if await _forget(archivist, entry, span):
                    touched.append(session)
            except (OSError, BucketFailed) as error:
                refused = error
                await archivist.withhold(entry, entry.recording)
        # A recording that was withdrawn for the change is cut again.
        archivist.look_at(session)
    try:
        # A file holds ten minutes: recordings that end shortly before may have a part of the stretch.
        near = await archivist.repository.of_room(room, Span(from_ms - FILE_MS, to_ms + FILE_MS))
        await asyncio.to_thread(away.clear_unnamed, archivist.dir, near)
    except OSError as error:
        refused = refused or error
    if refused is not None:
        raise refused
    return touched


async def _forget(archivist: Archivist, entry: RecordingEntry, span: Span) -> bool:
    session, recording = entry.session.id, entry.recording
    assert recording is not None
    folder = archivist.repository.folder(session)
    material = await archivist.material(session, recording.room)
    left = await asyncio.to_thread(combined, material, (), (span,))
    lost = await asyncio.to_thread(_difference, material, left)
    current, now_ms = entry.current, archivist.clock()
    known = current.sound if current is not None else ""
    sound = await asyncio.to_thread(files.kept_sound, folder, known, left)
    await archivist.interrupt(session)
    # Also if there is no material yet: later collections leave the stretch out.
    await asyncio.to_thread(_write_without, folder, left, lost, sound)
    await _erase_away(archivist, folder, left)
    await asyncio.to_thread(files.drop_unused, folder, left)
    changed = replace(recording, size_bytes=left.bytes)
    if current is None or (
        sound == known and (current.start_ms >= span.to_ms or (current.end_ms or now_ms + 1) <= span.from_ms)
    ):
        if lost and recording.state is RecordingState.READY:
            await archivist.repository.write(changed)
            archivist.publish(replace(entry, recording=changed))
        return bool(lost)
    fresh = _again(entry, current, now_ms)
    if lost or sound != known:
        # The rest is measured anew.
        fresh = replace(fresh, sound=sound, loudness=None)
    await archivist.repository.write(changed, edition=fresh)
    entry = with_edition(entry, changed, fresh, fresh.created_ms)
    archivist.publish(entry)
    await archivist.copy_entry(entry)
    return True


async def _there(archivist: Archivist, session: str) -> tuple[RecordingEntry, Recording]:
    entry = await archivist.repository.entry(session)
    if entry is None or entry.recording is None or entry.recording.state is RecordingState.DELETED:
        raise NotFound("There is no recording of this session.", code="no_recording")
    return entry, entry.recording


def _again(entry: RecordingEntry, current: StoredEdition, now_ms: int) -> StoredEdition:
    """The same cut under a new address."""
    skips = [Span(a, b) for a, b in current.skips]
    return new_edition(entry, current.start_ms, current.end_ms, skips, now_ms)


def _checked(material: Material, start_ms: int, end_ms: int, skips: Sequence[Span]) -> tuple[Span, ...]:
    whole = material.span
    if whole is None:
        raise Unprocessable("There is nothing to cut.", code="bad_cut")
    details = {"from_ms": whole.from_ms, "to_ms": whole.to_ms}
    if end_ms - start_ms < SHORTEST_MS:
        raise Unprocessable("The end must be at least a second after the start.", code="bad_cut", details=details)
    if start_ms < whole.from_ms or end_ms > whole.to_ms:
        raise Unprocessable("There is no material at this time.", code="bad_cut", details=details)
    if len(skips) > MAX_SKIPS or any(s.to_ms <= s.from_ms for s in skips):
        raise Unprocessable("A skipped stretch must end after it begins.", code="bad_cut", details=details)
    inside = union(Span(max(s.from_ms, start_ms), min(s.to_ms, end_ms)) for s in skips)
    if sum(s.to_ms - s.from_ms for s in inside) > end_ms - start_ms - SHORTEST_MS:
        raise Unprocessable("The cut would leave nothing.", code="bad_cut", details=details)
    if not can_begin(material, minus(Span(start_ms, end_ms), inside)):
        raise Unprocessable("There is no key frame in the cut: make it longer.", code="bad_cut", details=details)
    return inside


def _action(change: Edit) -> str:
    if change.cuts:
        return "recording.change"
    if change.published is not None:
        return "recording.publish" if change.published else "recording.unpublish"
    return "recording.change"


def _difference(before: Material, after: Material) -> list[Chunk]:
    """The bytes that the second material does not name any more."""
    kept: dict[str, list[tuple[int, int]]] = {}
    for chunk in chunks_of(after.reels):
        kept.setdefault(chunk.file, []).append((chunk.offset, chunk.offset + chunk.size))
    return [
        chunk
        for chunk in chunks_of(before.reels)
        if not any(a < chunk.offset + chunk.size and b > chunk.offset for a, b in kept.get(chunk.file, ()))
    ]


async def _erase_away(archivist: Archivist, folder: Path, material: Material) -> None:
    """Erase what the material does not name any more in files that lie, or lay, in the bucket alone."""
    try:
        lost = await asyncio.to_thread(away.unnamed, folder, material)
    except ValueError as error:
        raise OSError(str(error)) from error
    if lost and archivist.erasing.copies is not None:
        await archivist.erasing.copies.bring_back({Path(chunk.file).name for chunk in lost})
        await asyncio.to_thread(_punch, folder, lost)
        await asyncio.to_thread(away.drop_heads, folder)


def _write_without(folder: Path, material: Material, lost: Iterable[Chunk], sound: str = "") -> None:
    """Write the material, then overwrite the bytes that it does not name any more, under all names of their file. Of
    levelled sound only ``sound`` stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.drop_sounds(folder, sound)
    (folder / files.WAVEFORM_FILE).unlink(missing_ok=True)
    files.write(folder / files.MATERIAL_FILE, material)
    _punch(folder, lost)


def _punch(folder: Path, lost: Iterable[Chunk]) -> None:
    by_file: dict[str, list[Chunk]] = {}
    for chunk in lost:
        by_file.setdefault(chunk.file, []).append(chunk)
    for file, chunks in by_file.items():
        try:
            descriptor = os.open(folder / file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for chunk in chunks:
                punch(descriptor, chunk.offset, chunk.size)
        finally:
            os.close(descriptor)
