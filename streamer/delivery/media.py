"""The addresses below ``/live/{room}/``: finds their media and checks that the output lists them. On the loop.

The same handlers serve the public output and, below ``/live/{room}/~{key}/``, a closed session's. Each request checks
the key again (:class:`~streamer.delivery.access.AccessKeys`); a key that opens nothing is answered like a room that
does not exist. Playlists' addresses are relative, so that one rendered body serves all keys.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import hdrs, web
from multidict import CIMultiDict

from streamer.broadcast.media_events import PRIVATE_PREFIX, PUBLIC
from streamer.broadcast.programme import TICKS_PER_MS, Broadcast, Interval, Segment
from streamer.broadcast.view import BroadcastView, OutputView, RenditionView
from streamer.control.media_plane import MediaPlane, RoomLink
from streamer.delivery import captions, steering
from streamer.delivery.access import AccessKeys, MediaAccess
from streamer.delivery.captions import CaptionSource, NoCaptions
from streamer.delivery.hold import (
    ACCESS,
    AnyBroadcast,
    ClientGone,
    Directives,
    HoldLimits,
    Holds,
    Want,
    check_reachable,
    hold_limit_s,
    parse_directives,
    parse_dvr,
)
from streamer.delivery.parts import MediaBytes
from streamer.delivery.rendering import Renderers
from streamer.delivery.responses import (
    AUDIO_TYPE,
    CORS,
    PRIVATE,
    VIDEO_TYPE,
    head_response,
    media_headers,
    media_response,
    not_modified,
    playlist_response,
)
from streamer.delivery.stats import DeliveryStats
from streamer.delivery.viewers import Viewers
from streamer.errors import BadRequest, NotFound, NotOnAir, Unavailable
from streamer.settings import Settings

ClientAddress = Callable[[web.BaseRequest], str]

PLAYLIST_CACHE = "max-age=1, s-maxage=1"
"""For held playlists too: all who wait for a part get the same answer, and a cache in front asks once for them."""
MEDIA_SHARED_S = 30
"""A shared cache asks again after this time whether media are still listed: a window that is not kept is as short, and
a cache that is told nothing gives up erased media by then."""
INTERVAL_SLACK_TICKS = TICKS_PER_MS
"""Media times are whole milliseconds."""
START_WAIT_S = 2.0
"""The wait for the room's snapshot after a restart of the web process."""
_NAME = re.compile(
    r"(?:(?P<msn>[0-9]{1,15})(?:\.(?P<part>[0-9]{1,6}))?\.m4s|init-(?P<init>[0-9]{1,15})\.mp4"
    r"|(?P<vtt>[0-9]{1,15})\.vtt)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The place in a broadcast that a media address names."""

    room_id: str
    room: RoomLink
    broadcast: Broadcast
    output: OutputView
    track: RenditionView
    interval: Interval
    language: str | None
    """The language of captions; ``track`` is then the rendition that they follow."""


class LiveDelivery:
    """Handlers for the outputs of all rooms. They raise StreamerErrors; :mod:`.routes` maps them."""

    def __init__(
        self,
        plane: MediaPlane,
        settings: Settings,
        client_address: ClientAddress,
        stats: DeliveryStats,
        keys: AccessKeys,
        caption_source: CaptionSource | None = None,
    ) -> None:
        hls = settings.hls
        self._plane = plane
        self._settings = settings
        self._client_address = client_address
        self._keys = keys
        self._captions = caption_source or NoCaptions()
        self.stats = stats
        self.holds = Holds(
            HoldLimits(hls.max_held_total, hls.max_held_per_address, hls.max_held_per_connection), self.stats
        )
        self.media_bytes = MediaBytes(self.stats)
        self.viewers = Viewers()
        self._renderers: dict[str, tuple[BroadcastView, Renderers]] = {}

    # --- handlers -----------------------------------------------------------------------------------

    async def open(self, request: web.Request) -> MediaAccess:
        """The present access of the address's key. Raises NotOnAir without one."""
        room_id, room = await self._room(request)
        opened = await self._keys.open_live(room_id, room.view.outputs, request.match_info["secret"])
        if opened is None:
            raise not_on_air()
        return opened

    async def multivariant(self, request: web.Request) -> web.StreamResponse:
        room_id, room = await self._room(request)
        if room.view.closed:
            raise not_on_air()
        broadcast = _broadcast(room)
        # A private output that has ended is not on air, though the room is.
        _output_name(request, room)
        self.stats.multivariant_total += 1
        dvr = parse_dvr(request.query)
        playlist = self._renderers_of(room_id, room).multivariant(broadcast, dvr=dvr)
        return playlist_response(request, playlist, _cache_control(request, PLAYLIST_CACHE))

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = parse_directives(request.query)
        except BadRequest:
            self.stats.bad_directives_total += 1
            raise
        room_id, room = await self._room(request)
        await self._hold_opening(request, room)
        broadcast, output, track, language = self._track(request, room)
        if language is not None:
            wanted = replace(wanted, part=None)  # there are no parts: the request waits for the next whole segment
        await self._hold_playlist(request, room, output, track, wanted)
        # During the wait the broadcast may have ended or been replaced, so look again.
        broadcast, output, track, language = self._track(request, room)
        if track.edge is None or (language is not None and track.last_complete_msn < 0):
            raise Unavailable("There is nothing to play yet.", code="not_in_time", headers={"Retry-After": "1"})
        renderers = self._renderers_of(room_id, room)
        if language is None:
            self.viewers.asked(room_id, output.name, track.rendition.kind, wanted.part)
            renderer = renderers.track(broadcast, output, track)
        else:
            renderer = renderers.captions(broadcast, output, track, captions.rendition_name(language))
        renders = renderer.renders
        playlist = renderer.playlist(dvr=wanted.dvr, skip=wanted.skip, closed=room.view.closed)
        self.stats.renders_total += renderer.renders - renders
        self.stats.playlists_total += 1
        self.stats.playlists_delta_total += wanted.skip
        response = playlist_response(request, playlist, _cache_control(request, PLAYLIST_CACHE))
        self.stats.not_modified_total += response.status == 304
        return response

    async def media(self, request: web.Request) -> web.StreamResponse:
        match = _NAME.fullmatch(request.match_info["name"])
        if match is None:
            raise self._not_listed()
        room_id, room = await self._room(request)
        listed = self._listed(request, room_id, room)
        if (match["vtt"] is not None) != (listed.language is not None):
            raise self._not_listed()
        if match["vtt"] is not None:
            return await self._caption_segment(request, listed, int(match["vtt"]))
        if match["init"] is not None:
            return self._init(request, listed, int(match["init"]))
        msn = int(match["msn"])
        if match["part"] is None:
            return await self._segment(request, listed, msn)
        return await self._part(request, listed, msn, int(match["part"]))

    async def still(self, request: web.Request) -> web.StreamResponse:
        _, room = await self._room(request)
        if room.view.closed:
            raise not_on_air()
        _broadcast(room)
        output = room.view.outputs.get(_output_name(request, room))
        still = output.still if output is not None else None
        if still is None:
            raise NotFound("There is no picture yet.", code="no_still")
        self.stats.stills_total += 1
        max_age = max(1, int(self._settings.media.still_interval_s))
        headers = media_headers("image/jpeg", _cache_control(request, f"max-age={max_age}"), f'"{still.at_ms}"')
        return not_modified(request, headers) or media_response(request, still.jpeg, headers)

    async def close(self) -> None:
        await self.media_bytes.close()

    # --- looking up ---------------------------------------------------------------------------------

    async def _room(self, request: web.Request) -> tuple[str, RoomLink]:
        """The room and its link. Raises NotOnAir if the room is not open, Unavailable while a fresh web process does
        not know yet: players give up on a 404, and come again after a 503."""
        room_id = request.match_info["room"]
        room = self._plane.rooms.get(room_id)
        if room is None:
            raise not_on_air()
        if room.view.broadcast is None and (room.status is None or room.status.broadcast is not None):
            await self.holds.until(room, AnyBroadcast(), request, self._client_address(request), START_WAIT_S)
        return room_id, room

    def _track(self, request: web.Request, room: RoomLink) -> tuple[Broadcast, OutputView, RenditionView, str | None]:
        """With the language if the address names captions: the track is then the one that they follow."""
        broadcast = _broadcast(room)
        output = room.view.outputs.get(_output_name(request, room))
        if request.match_info["broadcast"] != broadcast.id or output is None:
            raise self._not_listed()
        name, language = _rendition(request, broadcast)
        track = output.tracks.get(name)
        if track is None:
            raise self._not_listed()
        return broadcast, output, track, language

    def _listed(self, request: web.Request, room_id: str, room: RoomLink) -> _Listed:
        broadcast, output, track, language = self._track(request, room)
        interval = output.interval_by_key(request.match_info["key"])
        # An interval that is not public is never served without its session's key.
        if interval is None or not (interval.public or output.name.startswith(PRIVATE_PREFIX)):
            raise self._not_listed()
        return _Listed(room_id, room, broadcast, output, track, interval, language)

    def _renderers_of(self, room_id: str, room: RoomLink) -> Renderers:
        kept = self._renderers.get(room_id)
        if kept is None or kept[0] is not room.view:
            for gone in [r for r in self._renderers if r not in self._plane.rooms]:
                del self._renderers[gone]
            kept = (room.view, Renderers(self._settings.hls.live_window_s, extra=steering.lines(self._settings)))
            self._renderers[room_id] = kept
        kept[1].keep_only(room.view.outputs)
        return kept[1]

    # --- playlists ----------------------------------------------------------------------------------

    async def _hold_playlist(
        self, request: web.Request, room: RoomLink, output: OutputView, track: RenditionView, wanted: Directives
    ) -> None:
        """Wait for the part or segment that the directives name, and in any case for something to list."""
        broadcast = _broadcast(room)
        if room.view.closed:
            return  # 6.2.5.2: directives mean nothing once the playlist has its EXT-X-ENDLIST
        name = track.rendition.name
        try:
            check_reachable(wanted, broadcast, output, name)
        except BadRequest:
            self.stats.bad_directives_total += 1
            raise
        if wanted.msn is not None:
            want = Want(broadcast.id, output.name, name, wanted.msn, wanted.part)
        elif track.newest_whole is None:
            want = Want(broadcast.id, output.name, name, anything=True)
        else:
            return
        await self._hold(request, room, want, broadcast)

    async def _hold_opening(self, request: web.Request, room: RoomLink) -> None:
        """Wait until all renditions have their first bytes, because the multivariant playlist names all of them at
        once."""
        broadcast = _broadcast(room)
        name, _ = _rendition(request, broadcast)
        output_name = _output_name(request, room)
        output = room.view.outputs.get(output_name)
        if request.match_info["broadcast"] != broadcast.id or (output is not None and name in output.tracks):
            return
        if any(rendition.name == name for rendition in broadcast.renditions):
            await self._hold(request, room, Want(broadcast.id, output_name, name, anything=True), broadcast)

    async def _hold(self, request: web.Request, room: RoomLink, want: Want, broadcast: Broadcast) -> None:
        await self.holds.until(room, want, request, self._client_address(request), hold_limit_s(broadcast))

    # --- media --------------------------------------------------------------------------------------

    def _init(self, request: web.Request, listed: _Listed, init_id: int) -> web.StreamResponse:
        init = listed.room.view.inits.get(init_id)
        if init is None or not listed.track.lists_init(listed.interval.index, init_id):
            raise self._not_listed()
        self.stats.inits_total += 1
        headers = self._media_headers(request, listed, f"i{init_id}")
        return not_modified(request, headers) or media_response(request, init.data, headers)

    async def _segment(self, request: web.Request, listed: _Listed, msn: int) -> web.StreamResponse:
        segment = self._segment_of(listed, msn)
        if segment is None or not segment.complete or not segment.parts:
            raise self._not_listed()
        self.stats.segments_total += 1
        return await self._send(request, listed, segment, f"{msn}", slice(None))

    async def _part(self, request: web.Request, listed: _Listed, msn: int, part: int) -> web.StreamResponse:
        if self._is_hinted(listed, msn, part):
            want = Want(
                listed.broadcast.id, listed.output.name, listed.track.rendition.name, msn, part, listed.interval.key
            )
            await self._hold(request, listed.room, want, listed.broadcast)
            # 6.2.6 allows 404 for a hinted part that was not made: its segment ended before it.
            listed = self._listed(request, listed.room_id, listed.room)
        segment = self._segment_of(listed, msn)
        # Parts of an old segment may have been merged: the address of the first must not give other bytes then.
        if segment is None or part >= len(segment.parts) or not listed.track.keeps_parts(segment):
            raise self._not_listed()
        self.stats.parts_total += 1
        return await self._send(request, listed, segment, f"{msn}.{part}", slice(part, part + 1))

    async def _caption_segment(self, request: web.Request, listed: _Listed, msn: int) -> web.StreamResponse:
        segment = self._segment_of(listed, msn)
        if segment is None or not segment.complete:
            raise self._not_listed()
        assert listed.language is not None
        broadcast, cues = listed.broadcast, []
        if listed.interval.aired and not segment.gap:
            begin, end = (
                captions.to_ms(broadcast.epoch_ms, tick) for tick in (segment.start, segment.start + segment.duration)
            )
            shown = await self._captions.live(listed.room_id, listed.language, begin, end)
            cues = [cue for at_ms, cue in shown if _was_shown(listed.output, broadcast, at_ms)]
        self.stats.captions_total += 1
        data = captions.webvtt(cues, broadcast.epoch_ms)
        cache_control = _cache_control(request, f"max-age={broadcast.target_duration_s}")
        headers = media_headers(captions.VTT_TYPE, cache_control, f'"{msn}-{zlib.crc32(data):08x}"')
        return not_modified(request, headers) or media_response(request, data, headers)

    async def _send(
        self, request: web.Request, listed: _Listed, segment: Segment, name: str, parts: slice
    ) -> web.StreamResponse:
        chunks = [part.chunk for part in segment.parts[parts]]
        headers = self._media_headers(request, listed, name)
        if (unchanged := not_modified(request, headers)) is not None:
            self.stats.not_modified_total += 1
            return unchanged
        if request.method == hdrs.METH_HEAD:
            return head_response(sum(chunk.size for chunk in chunks), headers)
        room_dir = self._settings.room_dir(listed.room_id)
        data = await self.media_bytes.get(listed.room_id, room_dir, listed.room.bytes.get, chunks)
        response = media_response(request, data, headers)
        self.stats.media_bytes_total += response.content_length or 0
        return response

    def _media_headers(self, request: web.Request, listed: _Listed, name: str) -> CIMultiDict[str]:
        content_type = VIDEO_TYPE if listed.track.rendition.kind == "video" else AUDIO_TYPE
        # The name is never used for other bytes, and is listed no longer than the DVR window.
        max_age = f"max-age={listed.broadcast.dvr_s}, s-maxage={MEDIA_SHARED_S}, immutable"
        cache_control = _cache_control(request, max_age)
        etag = f'"{listed.interval.key}-{listed.track.rendition.name}-{name}"'
        return media_headers(content_type, cache_control, etag)

    def _segment_of(self, listed: _Listed, msn: int) -> Segment | None:
        segment = listed.track.get(msn)
        return segment if segment is not None and segment.interval == listed.interval.index else None

    def _is_hinted(self, listed: _Listed, msn: int, part: int) -> bool:
        """Whether the playlist's preload hint names this part now."""
        if listed.room.view.closed:
            return False
        last = listed.track.last
        if last is None or last.complete:
            expected = last.msn + 1 if last is not None else listed.output.first_msn
            interval = listed.output.interval_of(expected)
            return (msn, part) == (expected, 0) and interval is not None and interval.index == listed.interval.index
        return (msn, part) == (last.msn, len(last.parts)) and last.interval == listed.interval.index

    def _not_listed(self) -> NotFound:
        self.stats.not_listed_total += 1
        return NotFound("Nothing is listed under this address.", code="not_listed")


def client_gone() -> web.Response:
    """A response for the log only, because nobody can read it."""
    return web.Response(status=499, reason="Client Closed Request", headers=CORS)


def _output_name(request: web.Request, room: RoomLink) -> str:
    """The output of the address. Raises NotOnAir if the room does not have it any more."""
    opened: MediaAccess | None = request.get(ACCESS)
    if opened is None:
        return PUBLIC
    if not opened.output.startswith(PRIVATE_PREFIX) or opened.output not in room.view.outputs:
        raise not_on_air()
    return opened.output


def _rendition(request: web.Request, broadcast: Broadcast) -> tuple[str, str | None]:
    """The rendition of an address; for captions the one that they follow, and their language."""
    name = request.match_info["rendition"]
    language = captions.language_of(name, broadcast.caption_languages)
    if language is None:
        return name, None
    return broadcast.lead.name, language


def _was_shown(output: OutputView, broadcast: Broadcast, at_ms: int) -> bool:
    """Whether the output showed the programme at a media time, as far as its window tells. Captions of a closed session
    must not appear in the first seconds of the next one."""
    tick = (at_ms - broadcast.epoch_ms) * TICKS_PER_MS
    interval = None
    for each in output.intervals.values():
        if each.start > tick + INTERVAL_SLACK_TICKS:
            break
        interval = each
    return interval is not None and interval.aired and (interval.public or output.name.startswith(PRIVATE_PREFIX))


def _cache_control(request: web.Request, public: str) -> str:
    return PRIVATE if "secret" in request.match_info else f"public, {public}"


def _broadcast(room: RoomLink) -> Broadcast:
    broadcast = room.view.broadcast
    if broadcast is None:
        raise not_on_air()
    return broadcast


def not_on_air() -> NotOnAir:
    return NotOnAir("This room is not on air.")


__all__ = ["ClientAddress", "ClientGone", "LiveDelivery", "client_gone", "not_on_air"]
