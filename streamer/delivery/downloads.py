"""An edition as an MP4 file: ``/replay/{session}/{edition}/download.mp4?rendition=``. On the loop, reads in threads.

There is no such file: the head is made once, the rest are ranges of the recording's media files. So a download begins
at once, continues after a break, and takes no space on the disk.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import quote

from aiohttp import hdrs, web

from streamer.archive import exporting, files
from streamer.archive.catalogue import Details, EditionRef, ReplayCatalogue, ReplayState
from streamer.archive.editions import spans_of
from streamer.archive.exporting import CaptionInterval, Movie, NothingToExport
from streamer.archive.material import Span, minus
from streamer.delivery.captions import CaptionSource, NoCaptions, cut
from streamer.delivery.hold import ACCESS
from streamer.delivery.media import ClientAddress
from streamer.delivery.replay import ReplayDelivery, cache_control, may_watch
from streamer.delivery.responses import byte_range, cut_off, head_response, media_headers, not_modified
from streamer.errors import Conflict, NotFound, StreamerError, TooMany, Unavailable
from streamer.shares import Shares

MAX_PLANS = 4
"""Heads that are kept in memory: some megabytes each for an hour."""
MAX_PLANNING = 16
"""Heads that are being made or wait for that; a household has one of them."""
READERS = 4
"""Separate threads: a disk that is slow, or hangs, delays downloads but no recording."""
BLOCK_BYTES = 256 * 1024
"""The bytes of one read. A download has two blocks in memory, and one on its way to the client."""
PLAN_LIMIT_S = 30.0
"""The time for making a head, including the wait for others."""
READ_LIMIT_S = 20.0
MAX_AGE_S = 3600

IsCrew = Callable[[web.Request], Awaitable[bool]]
_Key = tuple[str, str]


class Downloads:
    """Handlers. They raise StreamerErrors; :mod:`.routes` maps them.

    ``household`` gives the household of a request, ``is_crew`` tells whether it is the crew's: their downloads have
    places of their own. A client that reads too slowly is cut off with its connection
    (:mod:`streamer.web.connections`).
    """

    def __init__(
        self,
        replay: ReplayDelivery,
        catalogue: ReplayCatalogue,
        household: ClientAddress,
        is_crew: IsCrew,
        max_downloads: int,
        captions: CaptionSource | None = None,
    ) -> None:
        self._replay = replay
        self._catalogue = catalogue
        self._household = household
        self._is_crew = is_crew
        self._captions = captions or NoCaptions()
        self._plans: OrderedDict[_Key, Movie] = OrderedDict()
        self._planned: dict[_Key, tuple[str, asyncio.Task[Movie]]] = {}
        """The heads that are being made, with the household that asked first."""
        self._planning = asyncio.Lock()
        """One at a time: planning takes a processor, and players come first."""
        self._places = {False: Shares(max_downloads), True: Shares(max_downloads)}
        """By whether the crew downloads."""
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="download-read")

    async def close(self) -> None:
        tasks = [task for _, task in self._planned.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def download(self, request: web.Request) -> web.StreamResponse:
        state, ref = await self._replay.edition(request)
        if ref.end_ms is None:
            raise Conflict("The session is still on air.", code="still_growing", headers={"Retry-After": "60"})
        details = await self._catalogue.details(state.session)
        household = self._household(request)
        movie = await self._plan(state, ref, ref.end_ms, request.query.get("rendition", ""), details, household)
        headers = media_headers("video/mp4", cache_control(request, state, MAX_AGE_S), f'"{ref.id}-{movie.size:x}"')
        headers[hdrs.CONTENT_DISPOSITION] = disposition(details)
        if (unchanged := not_modified(request, headers)) is not None:
            return unchanged
        if request.method == hdrs.METH_HEAD:
            return head_response(movie.size, headers)
        start, end, status = 0, movie.size, 200
        wanted = request.headers.get(hdrs.RANGE)
        condition = request.headers.get(hdrs.IF_RANGE)
        if wanted is not None and condition in (None, headers[hdrs.ETAG]):
            found = byte_range(wanted, movie.size)
            if found is not None:
                start, end = found
                if start >= end:
                    headers[hdrs.CONTENT_RANGE] = f"bytes */{movie.size}"
                    headers[hdrs.CACHE_CONTROL] = "no-store"
                    return web.Response(status=416, headers=headers)
                headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{movie.size}"
                status = 206
        headers[hdrs.CONTENT_LENGTH] = str(end - start)
        async with self._admitted(request, household):
            self._replay.stats.downloads_total += 1
            response = web.StreamResponse(status=status, headers=headers)
            await response.prepare(request)
            await self._send(request, response, movie, start, end)
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, movie: Movie, start: int, end: int
    ) -> None:
        """Sends one block while the next is read. A slow client delays its own reads only.

        A client that may not have the file any more is cut off, even if a part of it waits to be sent.
        """
        reading: asyncio.Task[bytes] | None = None
        unwatch = request[ACCESS].on_end(partial(cut_off, request))
        try:
            reading = self._read(movie, start, end)
            while start < end:
                data = await reading
                start += len(data)
                reading = self._read(movie, start, end)
                state = await self._catalogue.find(request.match_info["session"])
                if state is None or not may_watch(request, state):
                    cut_off(request)
                await response.write(data)
                self._replay.stats.download_bytes_total += len(data)
            await response.write_eof()
        except (OSError, EOFError, TimeoutError, StreamerError):
            # The headers are sent, so breaking off is all that is left; the client asks for the rest again.
            if request.transport is not None:
                request.transport.close()
        finally:
            unwatch()
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    def _read(self, movie: Movie, start: int, end: int) -> asyncio.Task[bytes]:
        async def read() -> bytes:
            if start >= end:
                return b""
            async with asyncio.timeout(READ_LIMIT_S):
                size = min(BLOCK_BYTES, end - start)
                return await asyncio.get_running_loop().run_in_executor(self._threads, movie.read, start, size)

        return asyncio.create_task(read(), name="download read")

    async def _plan(
        self, state: ReplayState, ref: EditionRef, end_ms: int, rendition: str, details: Details, household: str
    ) -> Movie:
        said = await self._said(state, ref, end_ms)
        # The head contains the tags, so another title makes another file. Corrected captions do, too.
        key = (ref.id, f"{rendition} {hash((details, said))}")
        known = self._plans.get(key)
        if known is not None:
            self._plans.move_to_end(key)
            return known
        if key not in self._planned:
            if any(household == each for each, _ in self._planned.values()):
                raise TooMany("Another download is being prepared.", code="busy", headers={"Retry-After": "2"})
            if len(self._planned) >= MAX_PLANNING:
                raise Unavailable("Too many downloads are being prepared.", code="busy", headers={"Retry-After": "5"})
            work = self._make_plan(key, state, ref, end_ms, rendition, details, said)
            task = asyncio.create_task(work, name="download plan")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._planned[key] = (household, task)
        # Shielded: the client that asked first may go, and others wait for the same head.
        return await asyncio.shield(self._planned[key][1])

    async def _make_plan(
        self,
        key: _Key,
        state: ReplayState,
        ref: EditionRef,
        end_ms: int,
        rendition: str,
        details: Details,
        said: tuple[tuple[str, tuple[CaptionInterval, ...]], ...],
    ) -> Movie:
        try:
            work = partial(_planned, state, ref, end_ms, rendition, details, dict(said))
            async with asyncio.timeout(PLAN_LIMIT_S), self._planning:
                movie = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except NothingToExport:
            raise NotFound("There is nothing of this rendition.", code="not_listed") from None
        except (OSError, ValueError, EOFError, TimeoutError) as error:
            raise Unavailable("The recording cannot be read.", code="disk_failed") from error
        finally:
            del self._planned[key]
        self._plans[key] = movie
        while len(self._plans) > MAX_PLANS:
            self._plans.popitem(last=False)
        return movie

    async def _said(
        self, state: ReplayState, ref: EditionRef, end_ms: int
    ) -> tuple[tuple[str, tuple[CaptionInterval, ...]], ...]:
        """Language -> captions as the edition shows them."""
        spans = minus(Span(ref.start_ms, end_ms), ref.skips)
        found = []
        for language in await self._replay.languages(state, ref):
            cues = cut(
                await self._captions.said(state.room, language, ref.start_ms, end_ms), spans, ref.start_ms, end_ms
            )
            found.append((language, tuple(CaptionInterval(cue.from_ms, cue.to_ms, cue.text) for cue in cues)))
        return tuple(found)

    @asynccontextmanager
    async def _admitted(self, request: web.Request, household: str) -> AsyncIterator[None]:
        places = self._places[await self._is_crew(request)]
        if not places.take(household):
            self._replay.stats.downloads_refused_total += 1
            raise Unavailable("Too many downloads.", code="too_many_downloads", headers={"Retry-After": "60"})
        self._replay.stats.downloads_now += 1
        try:
            yield
        finally:
            self._replay.stats.downloads_now -= 1
            places.give_back(household)


def _planned(
    state: ReplayState,
    ref: EditionRef,
    end_ms: int,
    rendition: str,
    details: Details,
    captions: dict[str, tuple[CaptionInterval, ...]],
) -> Movie:
    """Runs in a thread."""
    material = files.read_material(state.folder, ref.sound)
    spans = spans_of(material, ref.start_ms, end_ms, ref.skips)
    edition = exporting.edition_of(state.folder, material, spans)
    if not rendition:
        best = max(edition.renditions, key=lambda r: (r.kind == "video", r.bandwidth), default=None)
        rendition = best.name if best is not None else ""
    return exporting.plan(state.folder, material, edition, rendition, details, captions)


def disposition(details: Details) -> str:
    """Content-Disposition with a name that people recognise (RFC 6266)."""
    name = " - ".join(part for part in (details.date, ", ".join(details.speakers[:3]), details.title) if part)
    name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', " ", name).strip()[:150].strip(" .") or "recording"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").strip() or "recording"
    return f"attachment; filename=\"{plain}.mp4\"; filename*=UTF-8''{quote(name, safe='')}.mp4"
