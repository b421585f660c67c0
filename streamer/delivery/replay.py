"""The addresses below ``/replay/{session}/``. On the loop, except reads.

Published replays of public sessions play for everybody. All others are below ``/replay/{session}/~{key}/``, and each
request checks the key again (:class:`~streamer.delivery.access.AccessKeys`). An edition's id alone opens nothing.
``index.m3u8`` has the id of the current edition; playlists' addresses are relative, so the key stays in the path.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from streamer.archive.catalogue import EditionRef, ReplayCatalogue, ReplayState
from streamer.archive.editions import Edition, EditionSegment
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.view import BroadcastView
from streamer.control.media_plane import MediaPlane
from streamer.delivery import captions, steering
from streamer.delivery.access import AccessKeys, MediaAccess
from streamer.delivery.captions import CaptionSource, NoCaptions
from streamer.delivery.hold import ACCESS, Holds
from streamer.delivery.media import MEDIA_SHARED_S, ClientAddress
from streamer.delivery.parts import MediaBytes
from streamer.delivery.replay_editions import OpenEdition
from streamer.delivery.replay_playlists import REELS, multivariant
from streamer.delivery.responses import (
    AUDIO_TYPE,
    PRIVATE,
    VIDEO_TYPE,
    head_response,
    media_headers,
    media_response,
    not_modified,
    playlist_response,
)
from streamer.delivery.stats import DeliveryStats
from streamer.errors import NotFound, StreamerError, Unavailable
from streamer.formats import fragments
from streamer.settings import Settings

MAX_OPEN = 24
"""Editions whose pieces are kept in memory: a few MB each."""
MEDIA_MAX_AGE_S = 3600
"""A viewer's own cache may show a replaced edition for this long, a shared one for :data:`.media.MEDIA_SHARED_S`."""
CAPTIONS_MAX_AGE_S = 10
"""They may still be corrected."""
INDEX_MAX_AGE_S = 1
VOD_MAX_AGE_S = 10
FIRST_PIECE_S = 8.0
_NAME = re.compile(
    r"(?:(?P<number>[0-9]{1,9})\.m4s|init-(?P<init>[0-9]{1,15})\.mp4|(?P<vtt>[0-9]{1,9})\.vtt)", re.ASCII
)


class Gone(StreamerError):
    code, status = "replaced", 410


@dataclass(frozen=True, slots=True)
class FirstPiece:
    """The room's programme has a whole segment that ends after a media time."""

    after_ms: int

    def met(self, view: BroadcastView) -> bool:
        output, broadcast = view.outputs.get(PROGRAMME_OUTPUT), view.broadcast
        if output is None or broadcast is None or view.closed:
            return True
        wholes = [track.newest_whole for track in output.tracks.values()]
        return all(
            w is not None and broadcast.media_time_ms(w.start + w.duration) > self.after_ms + 100 for w in wholes
        )


@dataclass(slots=True)
class ReplayStats:
    """Plain counters. Exported by ``streamer.observe``."""

    index_total: int = 0
    playlists_total: int = 0
    segments_total: int = 0
    inits_total: int = 0
    captions_total: int = 0
    opened_total: int = 0
    """Editions that were read from disk or begun."""
    replaced_total: int = 0
    """Requests for an edition that has been replaced."""
    media_bytes_total: int = 0
    downloads_now: int = 0
    """Running downloads (a gauge)."""
    downloads_total: int = 0
    downloads_refused_total: int = 0
    download_bytes_total: int = 0


@dataclass(slots=True)
class _Slot:
    edition: OpenEdition
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ReplayDelivery:
    """Handlers for all recordings. They raise StreamerErrors; :mod:`.routes` maps them."""

    def __init__(
        self,
        plane: MediaPlane,
        settings: Settings,
        catalogue: ReplayCatalogue,
        client_address: ClientAddress,
        holds: Holds,
        media_bytes: MediaBytes,
        keys: AccessKeys,
        caption_source: CaptionSource | None = None,
    ) -> None:
        self.stats = ReplayStats()
        self._keys = keys
        self._plane = plane
        self._settings = settings
        self._catalogue = catalogue
        self._client_address = client_address
        self._holds = holds
        self._bytes = media_bytes
        self._captions = caption_source or NoCaptions()
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()

    # --- handlers -----------------------------------------------------------------------------------

    async def open(self, request: web.Request) -> MediaAccess:
        """The present access of the address's key, or of no key. Raises NotFound without one."""
        opened = await self._keys.open_replay(request.match_info["session"], request.match_info.get("secret"))
        if opened is None:
            raise _not_listed() if "edition" in request.match_info else _not_published()
        return opened

    async def index(self, request: web.Request) -> web.StreamResponse:
        state = await self._catalogue.find(request.match_info["session"])
        if state is None or not may_watch(request, state):
            raise _not_published()
        ref = state.current
        if ref is None or (ref.end_ms is None and request[ACCESS].finished_only):
            raise _not_published()
        return await self._multivariant(request, state, ref, ref.id)

    async def edition_index(self, request: web.Request) -> web.StreamResponse:
        """An edition under its own address, for reviewers and for links that must not change."""
        state, ref = await self.edition(request)
        return await self._multivariant(request, state, ref, ".")

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        state, ref = await self.edition(request)
        opened = await self._opened(state, ref)
        if not opened.pieces and ref.end_ms is None and (room := self._plane.rooms.get(state.room)) is not None:
            address = self._client_address(request)
            await self._holds.until(room, FirstPiece(ref.start_ms), request, address, FIRST_PIECE_S)
            opened = await self._opened(state, ref)
        made = opened.playlist(request.match_info["rendition"])
        if made is None:
            raise _not_listed()
        self.stats.playlists_total += 1
        max_age = VOD_MAX_AGE_S if opened.finished else INDEX_MAX_AGE_S
        return playlist_response(request, made, cache_control(request, state, max_age))

    async def media(self, request: web.Request) -> web.StreamResponse:
        match = _NAME.fullmatch(request.match_info["name"])
        if match is None:
            raise _not_listed()
        state, ref = await self.edition(request)
        opened = await self._opened(state, ref)
        rendition = request.match_info["rendition"]
        if match["vtt"] is not None:
            return await self._caption_segment(request, state, ref, opened, int(match["vtt"]))
        kind = opened.kind(rendition)
        if kind is None:
            raise _not_listed()
        name = match["number"] or f"i{match['init']}"
        headers = media_headers(
            VIDEO_TYPE if kind == "video" else AUDIO_TYPE,
            cache_control(request, state, MEDIA_MAX_AGE_S, immutable=True),
            f'"{ref.id}-{rendition}-{name}"',
        )
        if match["init"] is not None:
            reel, number = divmod(int(match["init"]), REELS)
            data = opened.init(rendition, reel, number)
            if data is None:
                raise _not_listed()
            self.stats.inits_total += 1
            return not_modified(request, headers) or media_response(request, data, headers)
        piece = opened.piece(rendition, int(match["number"]))
        if piece is None or piece.gap:
            raise _not_listed()
        if (unchanged := not_modified(request, headers)) is not None:
            return unchanged
        if request.method == hdrs.METH_HEAD and piece.trim is None:
            return head_response(sum(chunk.size for chunk in piece.chunks), headers)
        data = await self._piece_bytes(opened, piece)
        self.stats.segments_total += 1
        response = media_response(request, data, headers)
        self.stats.media_bytes_total += response.content_length or 0
        return response

    async def _caption_segment(
        self, request: web.Request, state: ReplayState, ref: EditionRef, opened: OpenEdition, number: int
    ) -> web.StreamResponse:
        language = opened.language(request.match_info["rendition"])
        piece = opened.piece(opened.lead, number)
        if language is None or piece is None:
            raise _not_listed()
        edition = opened.edition
        epoch_ms = edition.epochs_ms[piece.reel]
        begin, end = captions.to_ms(epoch_ms, piece.start), captions.to_ms(epoch_ms, piece.end)
        end_of_all = ref.end_ms if ref.end_ms is not None else self._growing_end(edition, opened.lead)
        said = await self._captions.said(state.room, language, ref.start_ms, end_of_all)
        data = captions.webvtt(captions.cut(said, edition.spans, begin, end), epoch_ms)
        self.stats.captions_total += 1
        cache = cache_control(request, state, CAPTIONS_MAX_AGE_S)
        headers = media_headers(captions.VTT_TYPE, cache, f'"{ref.id}-{number}-{zlib.crc32(data):08x}"')
        return not_modified(request, headers) or media_response(request, data, headers)

    @staticmethod
    def _growing_end(edition: Edition, lead: str) -> int:
        last = edition.tracks[lead][-1]
        return captions.to_ms(edition.epochs_ms[last.reel], last.end)

    # --- looking up ---------------------------------------------------------------------------------

    async def edition(self, request: web.Request) -> tuple[ReplayState, EditionRef]:
        """Raises NotFound for an id that the session never had or that the caller may not have, Gone ``replaced`` for
        one that was replaced."""
        state = await self._catalogue.find(request.match_info["session"])
        ref = state.edition(request.match_info["edition"]) if state is not None else None
        if state is None or ref is None:
            raise _not_listed()
        if ref.replaced:
            self.stats.replaced_total += 1
            self._slots.pop((state.session, ref.id), None)
            raise Gone("This edition has been replaced by another one.")
        access = request[ACCESS]
        hidden = (ref is state.whole and not access.cuts) or (ref.end_ms is None and access.finished_only)
        if not may_watch(request, state) or hidden:
            raise _not_listed()
        return state, ref

    async def languages(self, state: ReplayState, ref: EditionRef) -> tuple[str, ...]:
        """The languages of the captions that an edition declares."""
        return (await self._opened(state, ref)).edition.caption_languages

    async def _multivariant(
        self, request: web.Request, state: ReplayState, ref: EditionRef, folder: str
    ) -> web.StreamResponse:
        opened = await self._opened(state, ref)
        if not opened.edition.renditions:
            raise Unavailable("There is nothing to play yet.", code="not_in_time", headers={"Retry-After": "1"})
        self.stats.index_total += 1
        made = multivariant(opened.edition, folder, event=ref.event, extra=steering.lines(self._settings))
        return playlist_response(request, made, cache_control(request, state, INDEX_MAX_AGE_S))

    async def _opened(self, state: ReplayState, ref: EditionRef) -> OpenEdition:
        """The edition with all its present pieces. Raises Unavailable while its files cannot be read."""
        key = (state.session, ref.id)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot(OpenEdition(state, ref, self._settings.room_dir(state.room), self._bytes))
            self.stats.opened_total += 1
            while len(self._slots) > MAX_OPEN:
                self._slots.popitem(last=False)
        else:
            self._slots.move_to_end(key)
        opened = slot.edition
        room = self._plane.rooms.get(state.room)
        if not opened.is_current(ref, room):
            async with slot.lock:
                await opened.advance(ref, room)
        return opened

    async def _piece_bytes(self, opened: OpenEdition, piece: EditionSegment) -> bytes:
        data = await opened.read(piece.chunks, self._plane.rooms.get(opened.room))
        if (trim := piece.trim) is None:
            return data
        try:
            if trim.held and trim.start is not None and trim.end is not None:
                return await asyncio.to_thread(fragments.stilled, data, trim.start, trim.end)
            return await asyncio.to_thread(fragments.trimmed, data, trim.start, trim.end)
        except ValueError:
            raise NotFound("This piece of media is damaged.", code="gone") from None


def may_watch(request: web.Request, state: ReplayState) -> bool:
    """Whether the request's access opens the recording in its present state: published or not."""
    opened = request[ACCESS]
    return opened.holds and (state.published or opened.unpublished)


def cache_control(request: web.Request, state: ReplayState, max_age_s: int, *, immutable: bool = False) -> str:
    if "secret" in request.match_info or state.closed or not state.published:
        return PRIVATE
    return f"public, max-age={max_age_s}{f', s-maxage={MEDIA_SHARED_S}, immutable' if immutable else ''}"


def _not_published() -> NotFound:
    return NotFound("There is no replay of this session.", code="not_published")


def _not_listed() -> NotFound:
    return NotFound("Nothing is listed under this address.", code="not_listed")


__all__ = ["DeliveryStats", "ReplayDelivery", "ReplayStats"]
