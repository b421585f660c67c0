"""One edition in memory: its pieces, its playlists, and the places of its bytes. On the loop, reads in threads.

During its session an edition grows from the mirror of the room's ``programme`` output. After the end it takes the rest
from the recording's own material and is finished; pieces that were listed stay as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamer.archive import files
from streamer.archive.catalogue import EditionRef, ReplayState
from streamer.archive.editions import Cutter, Edition, EditionSegment, Frames, FramesUnknown, spans_of
from streamer.archive.material import Material, Reel, Span, collect, minus
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.programme import Chunk, MediaKind
from streamer.broadcast.view import BroadcastView, OutputView
from streamer.control.media_plane import RoomLink
from streamer.control.part_cache import Place
from streamer.delivery import captions
from streamer.delivery.parts import MediaBytes, RecentParts
from streamer.delivery.rendering import Playlist
from streamer.delivery.replay_playlists import REELS, TrackWriter, join_inits
from streamer.errors import NotFound, Unavailable
from streamer.formats import fragments

OPEN_END_MS = 1 << 52
MAX_LAG_SEGMENTS = 3
"""A rendition that is this far behind the others gets a gap instead."""


class OpenEdition:
    """``advance`` is called by one task at a time."""

    def __init__(self, state: ReplayState, ref: EditionRef, room_dir: Path, media_bytes: MediaBytes) -> None:
        self.room = state.room
        self.finished = False
        self.edition = Edition((), {}, (), 3, ())
        self._session = state.session
        self._folder = state.folder
        self._room_dir = room_dir
        self._bytes = media_bytes
        self._event = ref.event
        self._sound = ref.sound
        self._cutter: Cutter | None = None
        self._reels: list[Reel] = []
        """The reels that pieces refer to, in order, without their segments."""
        self._gone: tuple[Span, ...] = ()
        self._writers: dict[str, TrackWriter] = {}
        self._joined: dict[str, tuple[dict[int, int], dict[int, bytes]]] = {}
        """By rendition of a finished edition: see :func:`join_inits`."""
        self._seen: tuple[object, ...] = ()

    @property
    def pieces(self) -> int:
        return self._cutter.pieces if self._cutter is not None else 0

    def kind(self, rendition: str) -> MediaKind | None:
        return next((r.kind for r in self.edition.renditions if r.name == rendition), None)

    def piece(self, rendition: str, number: int) -> EditionSegment | None:
        pieces = self.edition.tracks.get(rendition, ())
        return pieces[number] if number < len(pieces) else None

    def init(self, rendition: str, reel: int, number: int) -> bytes | None:
        """An init section that a piece of the rendition needs. ``number`` and ``reel`` as in addresses."""
        if (joined := self._join(rendition)[1].get(reel * REELS + number)) is not None:
            return joined
        if reel >= len(self._reels):
            return None
        pieces = self.edition.tracks.get(rendition, ())
        if not any(piece.init == number and piece.reel == reel and not piece.gap for piece in pieces):
            return None
        init = self._reels[reel].init(number)
        return init.data if init is not None else None

    def language(self, rendition: str) -> str | None:
        """The language of a subtitle rendition; None for others."""
        return captions.language_of(rendition, self.edition.caption_languages)

    @property
    def lead(self) -> str:
        """The rendition that captions follow."""
        best = max(self.edition.renditions, key=lambda r: (r.kind == "video", r.bandwidth), default=None)
        return best.name if best is not None else ""

    def playlist(self, rendition: str) -> Playlist | None:
        captioned = self.language(rendition) is not None
        pieces = self.edition.tracks.get(self.lead if captioned else rendition)
        if pieces is None:
            return None
        if not pieces:
            raise Unavailable("There is nothing to play yet.", code="not_in_time", headers={"Retry-After": "1"})
        writer = self._writers.get(rendition)
        if writer is None:
            joined = {} if captioned else self._join(rendition)[0]
            writer = self._writers[rendition] = TrackWriter(rendition, self._event, captioned, joined)
        return writer.playlist(self.edition, pieces, ended=self.finished)

    def _join(self, rendition: str) -> tuple[dict[int, int], dict[int, bytes]]:
        """Empty for an EVENT playlist, which names what comes as it comes."""
        if self._event or not self.finished:
            return {}, {}
        made = self._joined.get(rendition)
        if made is None:
            made = self._joined[rendition] = join_inits(self.edition.tracks.get(rendition, ()), self._init_of)
        return made

    def _init_of(self, piece: EditionSegment) -> bytes | None:
        init = self._reels[piece.reel].init(piece.init)
        return init.data if init is not None else None

    # --- growing ------------------------------------------------------------------------------------

    def is_current(self, ref: EditionRef, room: RoomLink | None) -> bool:
        """Whether there is nothing new to list."""
        return self.finished or (self.edition.renditions != () and self._seen == self._sight(ref, room))

    async def advance(self, ref: EditionRef, room: RoomLink | None) -> None:
        """Take in all new material. Raises Unavailable while the recording's files are missing."""
        if self.is_current(ref, room):
            return
        if ref.end_ms is not None:
            await self._finish(ref, ref.end_ms, room)
            return
        sight = self._sight(ref, room)
        if room is not None:
            await self._grow(ref, room)
        self._seen = sight

    def _sight(self, ref: EditionRef, room: RoomLink | None) -> tuple[object, ...]:
        """Values that change when there may be something new."""
        output = room.view.outputs.get(PROGRAMME_OUTPUT) if room is not None else None
        limit = _listable(output) if output is not None else -1
        broadcast = room.view.broadcast.id if room is not None and room.view.broadcast is not None else ""
        return ref.end_ms, ref.skips, broadcast, limit

    async def _grow(self, ref: EditionRef, room: RoomLink) -> None:
        fresh = await self._from_mirror(ref, room.view)
        if fresh is None:
            return
        spans = minus(Span(ref.start_ms, OPEN_END_MS), (*ref.skips, *self._gone))
        await self._cut(Material(self._session, self.room, tuple(fresh), self._gone), spans, room)

    async def _from_mirror(self, ref: EditionRef, view: BroadcastView) -> list[Reel] | None:
        """The known reels; the newest with its material after the newest piece. None if there is no material."""
        broadcast, output = view.broadcast, view.outputs.get(PROGRAMME_OUTPUT)
        if broadcast is None or output is None:
            return None
        reels = list(self._reels)
        if not any(reel.broadcast.id == broadcast.id for reel in reels):
            # The room was closed and opened again meanwhile, or this process has just begun.
            material = await self._material()
            if material is not None:
                self._gone = material.gone
                known = {reel.broadcast.id for reel in reels}
                reels += [r for r in material.reels if r.broadcast.id not in known and r.broadcast.id != broadcast.id]
            reels.append(Reel(broadcast, (), {}))
        index = next(n for n, reel in enumerate(reels) if reel.broadcast.id == broadcast.id)
        after = self._cutter.newest[1] if self._cutter is not None and self._cutter.newest[0] == index else -1
        # From the newest piece's own segment on, because it may have to continue behind an incident inside it.
        oldest = min((track.first.msn for track in output.tracks.values() if track.first is not None), default=0)
        numbers = range(max(after, oldest), _listable(output) + 1)
        found = collect(view, PROGRAMME_OUTPUT, Span(ref.start_ms, OPEN_END_MS), self._gone, numbers=numbers)
        tracks = found.tracks if found is not None else {}
        reels[index] = Reel(broadcast, tuple(view.inits.values()), tracks)
        return reels

    async def _finish(self, ref: EditionRef, end_ms: int, room: RoomLink | None) -> None:
        material = await self._material()
        if material is None:
            raise Unavailable("The recording is being written.", code="not_in_time", headers={"Retry-After": "1"})
        order = [reel.broadcast.id for reel in self._reels]
        reels = [r for b in order for r in material.reels if r.broadcast.id == b]
        if len(reels) < len(order):
            # Listed pieces are no longer in the material, so begin again with the present material.
            self._cutter, reels = None, []
        known = {reel.broadcast.id for reel in reels}
        reels += [reel for reel in material.reels if reel.broadcast.id not in known]
        material = msgspec.structs.replace(material, reels=tuple(reels))
        if self._cutter is not None:
            self._cutter.relabel(_in_recording)
        await self._cut(material, spans_of(material, ref.start_ms, end_ms, ref.skips), room)
        self.finished = True

    async def _cut(self, material: Material, spans: Sequence[Span], room: RoomLink | None) -> None:
        if self._cutter is None:
            self._cutter = Cutter(material)
        cutter = self._cutter
        while True:
            try:
                if len(material.reels) and sum(map(len, material.reels[-1].tracks.values())) > 2000:
                    await asyncio.to_thread(cutter.advance, material, spans)
                else:
                    cutter.advance(material, spans)
                break
            except FramesUnknown as wanted:
                cutter.know(wanted.place, await self._frames(material, wanted, room))
        self._reels = [msgspec.structs.replace(reel, tracks={}) for reel in material.reels]
        self.edition = cutter.edition

    async def _frames(self, material: Material, wanted: FramesUnknown, room: RoomLink | None) -> Frames:
        reel = next(reel for reel in material.reels if reel.broadcast.id == wanted.place[0])
        init = reel.init(wanted.init)
        if init is None:
            return (), 1
        try:
            data = await self.read(wanted.chunks, room)
            return fragments.frames_of(data), fragments.timescale_of(init.data)
        except (NotFound, ValueError):
            return (), 1

    async def _material(self) -> Material | None:
        try:
            return await asyncio.to_thread(files.read_material, self._folder, self._sound)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Unavailable("The recording cannot be read.", code="disk_failed") from error

    # --- bytes --------------------------------------------------------------------------------------

    async def read(self, chunks: Sequence[Chunk], room: RoomLink | None) -> bytes:
        """Raises as :meth:`MediaBytes.get` does."""
        own = chunks[0].file.startswith(f"{files.MEDIA_FOLDER}/")
        folder, space = (self._folder, f"replay/{self._session}") if own else (self._room_dir, self.room)
        return await self._bytes.get(space, folder, _recent_parts(room), chunks)


def _recent_parts(room: RoomLink | None) -> RecentParts:
    """The room's part cache, also under the names that the recording has for its files."""
    if room is None:
        return lambda _place: None
    broadcast = room.view.broadcast.id if room.view.broadcast is not None else ""
    prefix, parts = f"{files.MEDIA_FOLDER}/{broadcast}-", room.bytes

    def get(place: Place) -> bytes | None:
        file, offset = place
        return parts.get((f"{broadcast}/{file.removeprefix(prefix)}" if file.startswith(prefix) else file, offset))

    return get


def _in_recording(file: str) -> str:
    return file if not file or file.startswith(f"{files.MEDIA_FOLDER}/") else files.link_name(file)


def _listable(output: OutputView) -> int:
    """The newest segment that every rendition has complete, except renditions that are far behind."""
    complete = [track.last_complete_msn for track in output.tracks.values()]
    return max(min(complete), max(complete) - MAX_LAG_SEGMENTS) if complete else -1
