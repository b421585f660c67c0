"""Reading a room's folder as one does who has nothing else: by its index."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streamer.broadcast.media_events import PUBLIC
from streamer.broadcast.programme import Segment
from streamer.broadcast.view import BroadcastView
from streamer.formats.index import read_index
from tests.fakes.decoding import pictures, sound


@dataclass
class Stored:
    """The newest broadcast of a room as its files tell it."""

    broadcast: str
    segments: dict[str, list[Segment]]
    """By rendition, those that are whole."""
    bytes_of: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """(rendition, msn): init section and segment."""
    kinds: dict[str, str] = field(default_factory=dict)

    def play_everything(self) -> int:
        """Decode each segment by itself. Returns how many; raises where one does not play."""
        for (rendition, msn), data in self.bytes_of.items():
            if self.kinds[rendition] == "video":
                shown = pictures(data)
                assert shown, f"{rendition} {msn} shows nothing"
                assert shown[0].key, f"{rendition} {msn} does not begin with a key frame"
            else:
                assert sound(data).samples.size, f"{rendition} {msn} is no sound"
        return len(self.bytes_of)


def read_stored(room_dir: Path, *, missing_tail: bool = False) -> Stored:
    """``missing_tail``: the process was killed just now, so unwritten data does not count."""
    indexes = sorted(room_dir.glob("*/index-*.sx"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    view = BroadcastView()
    for event in read_index(indexes[-1]).events:
        view.apply(event)
    assert view.broadcast is not None
    snapshot = view.snapshot()
    inits = {(init.rendition, init.id): init.data for init in snapshot.inits}
    by_id = {init.id: init.data for init in snapshot.inits}
    stored = Stored(view.broadcast.id, {}, kinds={r.name: r.kind for r in view.broadcast.renditions})
    for rendition, segments in snapshot.outputs[PUBLIC].items():
        whole = [s for s in segments if s.complete and not s.gap]
        if missing_tail:
            whole = [s for s in whole if _on_disk(room_dir, s)]
        stored.segments[rendition] = whole
        for segment in whole:
            media = b"".join(_read(room_dir, segment))
            init = inits.get((rendition, segment.init)) or by_id[segment.init]
            stored.bytes_of[rendition, segment.msn] = init + media
    return stored


def _on_disk(room_dir: Path, segment: Segment) -> bool:
    sizes = {part.chunk.file: _size(room_dir / part.chunk.file) for part in segment.parts}
    return all(part.chunk.offset + part.chunk.size <= sizes[part.chunk.file] for part in segment.parts)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read(room_dir: Path, segment: Segment) -> list[bytes]:
    out = []
    for part in segment.parts:
        with (room_dir / part.chunk.file).open("rb") as file:
            file.seek(part.chunk.offset)
            data = file.read(part.chunk.size)
            assert len(data) == part.chunk.size, f"segment {segment.msn} is not whole in {part.chunk.file}"
            out.append(data)
    return out
