"""The captions of all rooms: it places, stores and sends typed texts; live outputs and replays read them here. Used on
the loop.

A text that is not final replaces the one before it and goes to listeners only. A final text is stored, and live outputs
show it from the first segment that they do not list yet.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from streamer.audience.captions import (
    LATEST_MS,
    MAX_TEXT,
    LiveTrack,
    PlacedCue,
    cues,
    live_place,
    replay_cues,
    tidy,
)
from streamer.broadcast.view import BroadcastView
from streamer.conference.captions import Cue
from streamer.control.media_plane import MediaPlane
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.store.captions import Captions
from streamer.store.database import Database

AHEAD_MS = 2_000
"""A media time up to this far ahead of the programme counts as now."""
MAX_PARTIALS = 64
"""The most unfinished texts of a room."""
MAX_KEPT = 32
"""The most replays whose cues are in memory."""
KEEP_MS = 10_000
"""Cues stay in memory for this long; another web process may get a correction."""
LEAD_MS = 20_000
"""A line that was said up to this long before a stretch may still be on the screen in it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CaptionEvent:
    """A text was typed, made final or corrected. A text with the same ``id`` replaces the one before; an empty text
    removes it. ``session``: the session that was on air at ``at_ms``, whose audience gets it."""

    room: str
    session: str | None
    id: str
    lang: str
    text: str
    at_ms: int
    final: bool


Listener = Callable[[CaptionEvent], None]
"""Must be quick and not raise."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A captioner's message. ``line``: the id of a final text that this one corrects; an empty text removes it."""

    lang: str
    text: str
    at_ms: int | None = None
    final: bool = True
    line: str | None = None


@dataclass(slots=True)
class _Partial:
    id: str
    at_ms: int


@dataclass(slots=True)
class _Room:
    broadcast: str
    tracks: dict[str, LiveTrack] = field(default_factory=dict)
    partials: OrderedDict[tuple[str, str], _Partial] = field(default_factory=OrderedDict)
    """By (language, grant)."""
    version: int = 0


class Captioning:
    """``session_at(room, media time)``: the session that was on air then. ``clock``: UTC milliseconds."""

    def __init__(
        self,
        database: Database,
        plane: MediaPlane,
        *,
        clock: Callable[[], int],
        session_at: Callable[[str, int], str | None] = lambda _room, _at: None,
    ) -> None:
        self._database = database
        self._plane = plane
        self._clock = clock
        self._session_at = session_at
        self._rooms: dict[str, _Room] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._kept: OrderedDict[tuple[str, str, int, int], tuple[int, int, list[PlacedCue]]] = OrderedDict()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Send every text of every room to ``listener``. Returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- writing ------------------------------------------------------------------------------------

    async def write(self, room: str, typed: Typed, grant: str) -> CaptionEvent:
        """Take in a typed text; a final one is stored when this returns.

        Raises Conflict ``not_on_air`` if the room has no broadcast, Unprocessable ``unknown_language`` (the broadcast
        does not declare it), ``empty_text``, ``too_long``, ``too_late``; NotFound ``no_such_caption``.
        """
        text = tidy(typed.text)
        if len(text) > MAX_TEXT:
            raise Unprocessable("A caption is at most 500 letters long.", code="too_long")
        if typed.line is not None:
            return await self._correct(room, typed.line, text)
        if not text and typed.final:
            raise Unprocessable("There is no text.", code="empty_text")
        view = self._view(room)
        broadcast = view.broadcast
        assert broadcast is not None
        if typed.lang not in broadcast.caption_languages:
            raise Unprocessable(
                "This broadcast has no captions in that language.",
                code="unknown_language",
                details={"languages": list(broadcast.caption_languages)},
            )
        async with self._lock(room):
            known = await self._open(room)
            event, line = self._placed(room, known, view, typed, text, grant)
            if line is not None:
                await self._store(known, line)
        self._tell(event)
        return event

    def _placed(
        self, room: str, known: _Room, view: BroadcastView, typed: Typed, text: str, grant: str
    ) -> tuple[CaptionEvent, Cue | None]:
        now_ms, (listed_ms, edge_ms) = self._clock(), _edges(view)
        key = (typed.lang, grant)
        partial = known.partials.get(key)
        if partial is None:
            at_ms = edge_ms if typed.at_ms is None else typed.at_ms
            if at_ms > edge_ms + AHEAD_MS + max(0, now_ms - edge_ms) or at_ms < edge_ms - LATEST_MS:
                raise Unprocessable("This time is too long ago or in the future.", code="too_late")
            partial = _Partial(secrets.token_urlsafe(9), min(at_ms, edge_ms))
        event = CaptionEvent(
            room, self._session_at(room, partial.at_ms), partial.id, typed.lang, text, partial.at_ms, typed.final
        )
        if not typed.final:
            # This text was wiped out, so the next one begins at a time of its own.
            known.partials.pop(key, None)
            if text:
                known.partials[key] = partial
            while len(known.partials) > MAX_PARTIALS:
                known.partials.popitem(last=False)
            return event, None
        known.partials.pop(key, None)
        track = known.tracks.setdefault(typed.lang, LiveTrack())
        begin, end = live_place(text, partial.at_ms, listed_ms, track.busy_ms)
        line = Cue(partial.id, room, typed.lang, text, partial.at_ms, begin, end, now_ms, grant, session=event.session)
        return event, line

    async def _store(self, known: _Room, line: Cue) -> None:
        """The line gets its place before it is stored, so that every segment that is listed meanwhile has it."""
        track = known.tracks[line.lang]
        track.add(line)
        broadcast = self._view(line.room).broadcast
        track.trim(line.live_from_ms - (broadcast.dvr_s if broadcast else 0) * 1000 - LATEST_MS)
        known.version += 1
        try:
            async with self._database.write() as connection:
                await Captions(connection).add(line)
        except BaseException:
            track.remove(line.id)
            raise

    async def _correct(self, room: str, line_id: str, text: str) -> CaptionEvent:
        async with self._lock(room):
            known = await self._open(room) if room in self._plane.rooms else None
            async with self._database.write() as connection:
                lines = Captions(connection)
                line = await lines.get(line_id)
                if line.room != room:
                    raise NotFound("There is no such caption.", code="no_such_caption")
                changed = self._corrected(line, text)
                if text:
                    await lines.save(changed)
                else:
                    await lines.remove(line_id)
            if known is not None:
                track = known.tracks.setdefault(line.lang, LiveTrack())
                # A listed line stays as long as the window has it.
                if text or changed.live_text is not None:
                    track.replace(changed)
                else:
                    track.remove(line_id)
                known.version += 1
            self._forget_kept(room)
        event = CaptionEvent(room, line.session, line.id, line.lang, text, line.at_ms, True)
        self._tell(event)
        return event

    def _corrected(self, line: Cue, text: str) -> Cue:
        link = self._plane.rooms.get(line.room)
        listed_ms = (
            _edges(link.view)[0] if link is not None and link.view.broadcast is not None else line.live_from_ms + 1
        )
        return replace(line, text=text, live_text=line.shown_live if line.live_from_ms < listed_ms else None)

    async def forget(self, room: str, from_ms: int, to_ms: int) -> int:
        """Delete the lines between two media times for good. Returns how many there were."""
        async with self._lock(room):
            known = self._rooms.get(room)
            if known is not None:
                for track in known.tracks.values():
                    track.lines = [line for line in track.lines if not from_ms <= line.at_ms < to_ms]
                known.version += 1
            self._forget_kept(room)
            async with self._database.write() as connection:
                return await Captions(connection).forget(room, from_ms, to_ms)

    # --- reading ------------------------------------------------------------------------------------

    async def live(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, PlacedCue]]:
        """The cues of live outputs in a stretch, each with the media time of its line."""
        known = self._rooms.get(room)
        if known is None or known.broadcast != self._broadcast_id(room):
            async with self._lock(room):
                known = await self._open(room)
        track = known.tracks.get(lang)
        if track is None:
            return []
        return [
            (line.at_ms, cue)
            for line in track.between(from_ms, to_ms)
            for cue in cues(line.id, line.shown_live, line.live_from_ms, line.live_until_ms)
            if cue.from_ms < to_ms and cue.to_ms > from_ms
        ]

    async def said(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[PlacedCue]:
        """The cues of a stretch at their own times, in order."""
        key, now_ms = (room, lang, from_ms, to_ms), self._clock()
        known = self._rooms.get(room)
        version = known.version if known is not None else 0
        kept = self._kept.get(key)
        if kept is not None and kept[0] == version and now_ms - kept[1] < KEEP_MS:
            self._kept.move_to_end(key)
            return kept[2]
        async with self._database.read() as connection:
            lines = await Captions(connection).said(room, lang, from_ms - LEAD_MS, to_ms)
        found = [cue for cue in replay_cues(lines) if cue.to_ms > from_ms and cue.from_ms < to_ms]
        self._kept[key] = (version, now_ms, found)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found

    async def lines(self, room: str, from_ms: int, to_ms: int) -> list[Cue]:
        """The typed lines of a stretch in order of time, in all languages."""
        async with self._database.read() as connection:
            return await Captions(connection).said(room, None, from_ms, to_ms)

    # --- inside -------------------------------------------------------------------------------------

    def _lock(self, room: str) -> asyncio.Lock:
        return self._locks.setdefault(room, asyncio.Lock())

    def _view(self, room: str) -> BroadcastView:
        link = self._plane.rooms.get(room)
        if link is None or link.view.broadcast is None or link.view.closed:
            raise Conflict("This room is not on air.", code="not_on_air")
        return link.view

    async def _open(self, room: str) -> _Room:
        """The room's lines in memory, loaded when its broadcast is first asked for."""
        name = self._broadcast_id(room)
        broadcast = self._plane.rooms[room].view.broadcast if name else None
        known = self._rooms.get(room)
        if known is not None and known.broadcast == name:
            return known
        fresh = _Room(name, version=known.version + 1 if known is not None else 1)
        if broadcast is not None:
            since_ms = max(broadcast.epoch_ms, self._clock() - broadcast.dvr_s * 1000 - LATEST_MS)
            async with self._database.read() as connection:
                for line in await Captions(connection).shown(room, since_ms):
                    fresh.tracks.setdefault(line.lang, LiveTrack()).add(line)
        for gone in [other for other in self._rooms if other not in self._plane.rooms]:
            del self._rooms[gone]
        self._rooms[room] = fresh
        return fresh

    def _broadcast_id(self, room: str) -> str:
        """Empty while the room has no broadcast."""
        link = self._plane.rooms.get(room)
        broadcast = link.view.broadcast if link is not None else None
        return broadcast.id if broadcast is not None else ""

    def _forget_kept(self, room: str) -> None:
        for key in [key for key in self._kept if key[0] == room]:
            del self._kept[key]

    def _tell(self, event: CaptionEvent) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                _log.exception("caption_listener_failed", room=event.room)


def _edges(view: BroadcastView) -> tuple[int, int]:
    """Media times: the end of the captions that any output lists by now, and the end of all media."""
    broadcast = view.broadcast
    assert broadcast is not None
    listed = ends = 0
    for output in view.outputs.values():
        track = output.tracks[broadcast.lead.name]
        ends = max(ends, track.end)
        whole = track.get(track.last_complete_msn)
        if whole is not None:
            listed = max(listed, whole.start + whole.duration)
    # Times in segments are rounded: the next millisecond is in no listed segment.
    return broadcast.media_time_ms(listed) + 1, broadcast.media_time_ms(ends)
