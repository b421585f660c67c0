"""Continues a broadcast from its files after a room process was killed.

Blocks on the disk: call it before the loop has work to do, or in a thread.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import structlog

from streamer.broadcast.media_events import Snapshot
from streamer.broadcast.programme import Broadcast, InitSection, Part, Segment
from streamer.broadcast.view import BroadcastView, OutOfStep
from streamer.formats.index import INDEX_GLOB, IndexContent, read_index
from streamer.media.output_window import Listed, OutputState

log = structlog.get_logger(__name__)

_MEDIA_NAME = re.compile(r"(.+)-(\d{4,})\.m4s")
_INDEX_NAME = re.compile(r"index-(\d+)\.sx")


@dataclass(slots=True)
class Recovered:
    """A broadcast that goes on. ``snapshot`` is the first state of a :class:`BroadcastView`."""

    broadcast: Broadcast
    snapshot: Snapshot
    end: int
    """The end of the newest part on disk, ticks; 0 if there is none."""
    outputs: dict[str, OutputState] = field(default_factory=dict)
    next_files: dict[str, int] = field(default_factory=dict)
    """Stream -> number of its next media file."""
    next_index: int = 0
    lost_parts: int = 0
    """Parts that were listed but are not on disk: kept in memory only, or not written in time."""
    gaps: int = 0
    """Segments of a rendition of which nothing, or too little, is left."""
    torn_bytes: int = 0
    """Bytes of the index that are damaged or half written."""

    @property
    def inits(self) -> list[InitSection]:
        return self.snapshot.inits


def recover(room_dir: Path, *, now_ms: int, close_after_s: float) -> Recovered | None:
    """The room's newest broadcast, if it was not closed and its last data is at most ``close_after_s`` old.

    Damage costs the damaged data only and raises nothing. None: a new broadcast must be opened.
    """
    found = _newest_index(room_dir)
    if found is None:
        return None
    path, content = found
    view = BroadcastView()
    torn = content.torn_bytes
    for event in content.events:
        try:
            view.apply(event)
        except OutOfStep as error:
            log.warning("index_out_of_step", index=str(path), error=str(error))
            break
    if view.broadcast is None or view.closed:
        return None
    recovered = _mend(room_dir, view.snapshot(), view.broadcast)
    last_ms = view.broadcast.media_time_ms(recovered.end)
    if now_ms - last_ms > close_after_s * 1000:
        return None
    recovered.torn_bytes = torn
    number = _INDEX_NAME.fullmatch(path.name)
    recovered.next_index = int(number[1]) + 1 if number else 0
    recovered.next_files = _next_files(room_dir / view.broadcast.id)
    log.info(
        "broadcast_recovered",
        room=view.broadcast.room,
        lost_parts=recovered.lost_parts,
        gaps=recovered.gaps,
        torn_bytes=torn,
        end_ms=last_ms,
    )
    return recovered


def remove_old_broadcasts(
    room_dir: Path, *, keep: Iterable[str], now_ms: int, older_than_s: float, keep_from_ms: int | None = None
) -> list[str]:
    """Delete the folders of broadcasts whose files have not changed for ``older_than_s``, except ``keep`` (ids) and
    those that were still written at ``keep_from_ms``: a session claims the media from then on.

    Returns the deleted ids. Folders without an index are not ours and stay.
    """
    kept = set(keep)
    removed = []
    for folder in _broadcast_folders(room_dir):
        newest = max((file.stat().st_mtime for file in folder.iterdir()), default=0.0)
        claimed = keep_from_ms is not None and newest * 1000 >= keep_from_ms
        if folder.name not in kept and not claimed and now_ms / 1000 - newest > older_than_s:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed


def _broadcast_folders(room_dir: Path) -> list[Path]:
    if not room_dir.is_dir():
        return []
    return [folder for folder in room_dir.iterdir() if folder.is_dir() and any(folder.glob(INDEX_GLOB))]


def _newest_index(room_dir: Path) -> tuple[Path, IndexContent] | None:
    """The newest readable index of the broadcast that was written last."""
    folders = sorted(
        _broadcast_folders(room_dir), key=lambda f: max(i.stat().st_mtime_ns for i in f.glob(INDEX_GLOB)), reverse=True
    )
    for path in sorted(folders[0].glob(INDEX_GLOB), reverse=True) if folders else ():
        try:
            content = read_index(path)
        except (OSError, ValueError) as error:
            log.warning("index_unreadable", index=str(path), error=str(error))
            continue
        if content.events:
            return path, content
    return None


def _next_files(folder: Path) -> dict[str, int]:
    following: dict[str, int] = {}
    for file in folder.iterdir():
        if match := _MEDIA_NAME.fullmatch(file.name):
            following[match[1]] = max(following.get(match[1], 0), int(match[2]) + 1)
    return following


def _mend(room_dir: Path, snapshot: Snapshot, broadcast: Broadcast) -> Recovered:
    """Reduce the state to the data on disk, with the same last segment in every rendition."""
    sizes = _Sizes(room_dir)
    recovered = Recovered(broadcast, snapshot, 0)
    outputs: dict[str, dict[str, list[Segment]]] = {}
    for name, tracks in snapshot.outputs.items():
        first_msn = snapshot.window_start.get(name, 0)
        mended = {
            rendition.name: [
                segment
                for old in tracks.get(rendition.name, [])
                if old.msn >= first_msn and (segment := _mend_segment(old, sizes, recovered))
            ]
            for rendition in broadcast.renditions
        }
        outputs[name] = _align(mended, first_msn, recovered)
        recovered.outputs[name] = output_state(snapshot, name, outputs[name], first_msn)
        ends = [s.start + s.duration for segments in outputs[name].values() for s in segments if s.parts]
        recovered.end = max([recovered.end, *ends])
    recovered.snapshot = msgspec.structs.replace(snapshot, seq=0, outputs=outputs)
    return recovered


def _mend_segment(segment: Segment, sizes: _Sizes, recovered: Recovered) -> Segment | None:
    """The segment with its parts on disk, complete; a gap if a complete one has lost parts; None if an unfinished one
    has none."""
    if segment.gap:
        return segment
    good = sizes.leading(segment.parts)
    recovered.lost_parts += len(segment.parts) - len(good)
    if segment.complete and len(good) < len(segment.parts):
        recovered.gaps += 1
        return _gap(segment, max(1, segment.duration))
    if not good:
        return None
    return msgspec.structs.replace(segment, parts=good, complete=True)


def _gap(like: Segment, duration: int) -> Segment:
    return msgspec.structs.replace(like, parts=[], complete=True, gap=True, gap_duration=duration)


def _gap_beside(other: Segment, before: Segment | None) -> Segment:
    """A gap beside ``other`` of another rendition. Sound is cut at its own frames, so its gap begins at the end of
    ``before``."""
    end = other.start + max(1, other.duration)
    if before is not None and not other.discontinuity:
        other = msgspec.structs.replace(other, start=min(before.start + before.duration, end - 1))
    return _gap(other, end - other.start)


def _align(tracks: dict[str, list[Segment]], first_msn: int, recovered: Recovered) -> dict[str, list[Segment]]:
    """Every rendition from the same first to the same last segment, with gaps where one has nothing.

    The last segment is the last of which any rendition has bytes.
    """
    last = max((s.msn for segments in tracks.values() for s in segments if s.parts), default=first_msn - 1)
    by_msn: dict[int, list[Segment]] = {}
    for segments in tracks.values():
        for segment in segments:
            by_msn.setdefault(segment.msn, []).append(segment)
    begin = min(by_msn, default=first_msn)
    aligned: dict[str, list[Segment]] = {}
    for name, segments in tracks.items():
        own = {segment.msn: segment for segment in segments}
        row = aligned[name] = []
        for msn in range(begin, last + 1):
            if msn in own:
                row.append(own[msn])
            elif others := by_msn.get(msn):
                row.append(_gap_beside(max(others, key=lambda s: s.duration), row[-1] if row else None))
                recovered.gaps += 1
    return aligned


def output_state(snapshot: Snapshot, name: str, tracks: dict[str, list[Segment]], first_msn: int) -> OutputState:
    """The state in which an output with these segments goes on."""
    aired = {interval.index for interval in snapshot.intervals.get(name, []) if interval.aired}
    window: dict[int, Listed] = {}
    for segments in tracks.values():
        for segment in segments:
            end = segment.start + segment.duration
            known = window.get(segment.msn) or Listed(segment.msn, segment.start, end, programme=False)
            window[segment.msn] = replace(
                known,
                start=min(known.start, segment.start),
                end=max(known.end, end),
                discontinuity=known.discontinuity or segment.discontinuity,
                programme=known.programme or (segment.interval in aired and bool(segment.parts)),
            )
    return OutputState(
        next_msn=max(window, default=first_msn - 1) + 1,
        next_interval=max((interval.index for interval in snapshot.intervals.get(name, [])), default=-1) + 1,
        discontinuity_sequence=snapshot.discontinuity_sequence.get(name, 0),
        window=tuple(window[msn] for msn in sorted(window)),
    )


class _Sizes:
    """Sizes of media files, asked once."""

    def __init__(self, room_dir: Path) -> None:
        self._room_dir = room_dir
        self._known: dict[str, int] = {}

    def leading(self, parts: Sequence[Part]) -> list[Part]:
        """The parts before the first one whose bytes are missing."""
        good = []
        for part in parts:
            chunk = part.chunk
            if not chunk.file or chunk.offset < 0 or chunk.offset + chunk.size > self._size(chunk.file):
                break
            good.append(part)
        return good

    def _size(self, file: str) -> int:
        size = self._known.get(file)
        if size is None:
            try:
                size = (self._room_dir / file).stat().st_size
            except OSError:
                size = -1
            self._known[file] = size
        return size
