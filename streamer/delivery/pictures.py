"""Pictures of replays: a still, and a sheet of small pictures for the player's bar. On the loop; a process decodes.

They are made when somebody first asks, one at a time, and kept in memory by edition: another cut has another id.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from streamer.archive import files
from streamer.archive.catalogue import EditionRef, ReplayCatalogue, ReplayState
from streamer.archive.material import Material, Span, minus
from streamer.archive.stills import NoPicture, sheet_of, still_at
from streamer.delivery.replay import VOD_MAX_AGE_S, cache_control, may_watch
from streamer.delivery.responses import media_headers, media_response, not_modified
from streamer.errors import NotFound, Unavailable

MOST_BYTES = 24 * 1024 * 1024
MOST_WAITING = 32
STILL_SHARE, STILL_MS = 0.15, 90_000
"""The place of the still: people are in the picture by then, and the title has gone."""
TILE_MS, MOST_TILES = 10_000, 100
JPEG = "image/jpeg"


class ReplayPictures:
    """Handlers. They raise StreamerErrors; :mod:`.routes` maps them."""

    def __init__(self, catalogue: ReplayCatalogue) -> None:
        self._catalogue = catalogue
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def still(self, request: web.Request) -> web.StreamResponse:
        """A picture of the session's present replay."""
        state, ref, end_ms = await self._current(request)

        async def make(material: Material) -> bytes:
            spans = _spans(ref, material, end_ms)
            at_ms = _at(spans, min(STILL_MS, _length_ms(spans) * STILL_SHARE))
            return (await still_at(state.folder, material, at_ms)).jpeg

        return _answer(request, state, f'"{ref.id}-still"', await self._made(state, (ref.id, "still"), make))

    async def sheet(self, request: web.Request) -> web.StreamResponse:
        """Small pictures at equal distances over the length of the present replay; their number is in ``X-Tiles``."""
        state, ref, end_ms = await self._current(request)
        shown_ms = end_ms - ref.start_ms - sum(skip.to_ms - skip.from_ms for skip in ref.skips)
        tiles = max(1, min(MOST_TILES, round(shown_ms / TILE_MS)))

        async def make(material: Material) -> bytes:
            spans = _spans(ref, material, end_ms)
            length_ms = _length_ms(spans)
            times = [_at(spans, length_ms * (tile + 0.5) / tiles) for tile in range(tiles)]
            return await sheet_of(state.folder, material, times, spans)

        made = _answer(request, state, f'"{ref.id}-sheet"', await self._made(state, (ref.id, "sheet"), make))
        made.headers["X-Tiles"] = str(tiles)
        made.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] += ", X-Tiles"
        return made

    async def _current(self, request: web.Request) -> tuple[ReplayState, EditionRef, int]:
        """The finished edition that the request may see, with its end. Raises NotFound."""
        state = await self._catalogue.find(request.match_info["session"])
        ref = None if state is None or not may_watch(request, state) else state.current
        if state is None or ref is None or ref.end_ms is None:
            raise _no_picture()
        return state, ref, ref.end_ms

    async def _made(
        self, state: ReplayState, key: tuple[str, str], make: Callable[[Material], Awaitable[bytes]]
    ) -> bytes:
        """The picture of this key; made if it is not kept. Raises NotFound, Unavailable ``busy``."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many pictures are being made.", code="busy", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._turn:
                found = self._kept.get(key)
                if found is None:
                    material = await asyncio.to_thread(files.read_material, state.folder)
                    found = self._kept[key] = await make(material)
                    self._size += len(found)
                while self._size > MOST_BYTES:
                    self._size -= len(self._kept.popitem(last=False)[1])
                return found
        except (NoPicture, OSError, ValueError):
            raise _no_picture() from None
        finally:
            self._waiting -= 1


def _answer(request: web.Request, state: ReplayState, tag: str, data: bytes) -> web.Response:
    headers = media_headers(JPEG, cache_control(request, state, VOD_MAX_AGE_S), tag)
    return not_modified(request, headers) or media_response(request, data, headers)


def _length_ms(spans: tuple[Span, ...]) -> int:
    return sum(span.to_ms - span.from_ms for span in spans)


def _spans(ref: EditionRef, material: Material, end_ms: int) -> tuple[Span, ...]:
    return minus(Span(ref.start_ms, end_ms), (*ref.skips, *material.gone))


def _at(spans: tuple[Span, ...], position_ms: float) -> int:
    """The media time at a position of what is shown. Raises ValueError if nothing is."""
    left = round(position_ms)
    for span in spans:
        if left < span.to_ms - span.from_ms:
            return span.from_ms + left
        left -= span.to_ms - span.from_ms
    if not spans:
        raise ValueError("nothing is shown")
    return spans[-1].to_ms - 1


def _no_picture() -> NotFound:
    return NotFound("There is no picture of this.", code="no_still")
