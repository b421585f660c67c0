"""A strict LL-HLS follower: plays a multivariant playlist as a demanding player would, and notes every broken rule.

    async with HlsFollower(url) as follower:
        await follower.open()
        await follower.follow(until=lambda f: f.edge("v720") >= (10, 0), limit_s=30)
        data = await follower.segment_bytes("v720", 3)      # init section and segment
        assert not follower.violations

Each rendition is followed by blocking reloads, delta updates in between full ones; hinted parts are asked for
before they are there when ``prefetch`` is on. :mod:`tests.fakes.hls_rules` holds the text to RFC 8216bis, this
module the HTTP side: content types, cache headers, CORS, gzip, times of answers, and that parts joined are the segment.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector

from tests.fakes.hls_playlist import ListedSegment, MediaPlaylist, attributes
from tests.fakes.hls_rules import TrackReader, check_alignment
from tests.fakes.waiting import LIMIT_S, SLOW_ANSWERS

PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "audio/mpegurl")
_MAX_AGE = re.compile(r"max-age=(\d+)")


@dataclass
class Track:
    """One followed rendition."""

    name: str
    url: str
    kind: str
    """``video`` or ``audio``."""
    reader: TrackReader
    parts: dict[str, bytes] = field(default_factory=dict)
    """Fetched parts by address (prefetch)."""
    hints_404: int = 0
    waits_s: list[float] = field(default_factory=list)
    """The time for which each blocking reload was held."""
    loaded_at: float = 0.0
    """When the newest playlist was asked for, by the monotonic clock."""

    @property
    def playlist(self) -> MediaPlaylist | None:
        return self.reader.last


@dataclass
class Variant:
    uri: str
    attributes: dict[str, str]


class HlsFollower:
    """``retry_s``: how long failed requests are tried again before they are a violation (restarts); 0: not at all."""

    def __init__(
        self,
        url: str,
        *,
        session: ClientSession | None = None,
        skip: bool = True,
        prefetch: bool = False,
        retry_s: float = 0.0,
    ) -> None:
        self.url = url
        self.variants: list[Variant] = []
        self.media: list[dict[str, str]] = []
        self.tracks: dict[str, Track] = {}
        self.retried = 0
        self.unheld_s = 0.0
        """The time of the slowest answer that does not have to wait: on a busy machine the others take that much
        longer, too."""
        self._violations: list[str] = []
        self._own_session = session is None
        self._session = session
        self._skip = skip
        self._prefetch = prefetch
        self._retry_s = retry_s
        self._inits: dict[str, bytes] = {}

    async def __aenter__(self) -> HlsFollower:
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=LIMIT_S), connector=TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own_session and self._session is not None:
            await self._session.close()

    @property
    def violations(self) -> list[str]:
        """Everything that was wrong so far, in words."""
        found = list(self._violations)
        for track in self.tracks.values():
            found += track.reader.violations
        return found + check_alignment(track.reader for track in self.tracks.values())

    def edge(self, name: str) -> tuple[int, int]:
        """``(msn, part)`` of the newest part of a rendition; (-1, -1) before the first."""
        playlist = self.tracks[name].playlist
        return playlist.edge if playlist is not None else (-1, -1)

    @property
    def ended(self) -> bool:
        return bool(self.tracks) and all(t.playlist is not None and t.playlist.ended for t in self.tracks.values())

    # --- following ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the multivariant playlist and every rendition's playlist once, in full."""
        async with self._http.get(self.url) as r:
            if r.status != 200:
                raise ClientError(f"{self.url} answered {r.status}")
            text = await r.text()
            self._check_playlist_headers(r, blocking=False)
        self._parse_multivariant(text)
        await self.reload()

    async def reload(self) -> None:
        """Load every rendition's playlist as it is now, in full."""
        for track in self.tracks.values():
            await self._load(track, blocking=None, skip=False)

    async def follow(self, *, until: Callable[[HlsFollower], bool], limit_s: float = LIMIT_S) -> None:
        """Follow all renditions until the condition holds, the broadcast ends, or TimeoutError."""
        done = asyncio.Event()

        async def one(track: Track) -> None:
            turn = 0
            while not done.is_set():
                turn += 1
                await self._step(track, skip=self._skip and turn % 4 != 0)
                if until(self) or self.ended:
                    done.set()
                if track.playlist is not None and track.playlist.ended:
                    return

        async with asyncio.timeout(limit_s):
            tasks = [asyncio.create_task(one(track), name=f"follow {name}") for name, track in self.tracks.items()]
            stop = asyncio.create_task(done.wait(), name="follow until")
            try:
                pending: set[asyncio.Task[Any]] = {*tasks, stop}
                while not done.is_set() and any(not task.done() for task in tasks):
                    finished, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        task.result()
            finally:
                for task in (*tasks, stop):
                    task.cancel()
                await asyncio.gather(*tasks, stop, return_exceptions=True)

    async def _step(self, track: Track, *, skip: bool) -> None:
        playlist = track.playlist
        if playlist is None:
            await self._load(track, blocking=None, skip=False)
            return
        msn, part = playlist.edge
        last = playlist.segments[-1] if playlist.segments else None
        wanted = (msn + 1, 0) if last is None or last.complete else (msn, part + 1)
        if self._prefetch and playlist.hint is not None:
            await asyncio.gather(self._load(track, blocking=wanted, skip=skip), self._fetch_hint(track, playlist.hint))
        else:
            await self._load(track, blocking=wanted, skip=skip)

    async def _load(self, track: Track, *, blocking: tuple[int, int] | None, skip: bool) -> None:
        query = [] if blocking is None else [f"_HLS_msn={blocking[0]}", f"_HLS_part={blocking[1]}"]
        answer = await self._text(track, query, skip=skip, blocking=blocking is not None)
        if answer is None:
            return
        text, skipped, took = answer
        if skipped and took > _half_boundary_s(track.playlist):
            # It waited for a process to come back: what it skips may have come in the meantime.
            await self._load(track, blocking=None, skip=False)
            return
        fresh = track.reader.read(text, wanted=blocking, delta_allowed=skipped)
        if blocking is None:
            self.unheld_s = max(self.unheld_s, took)
            return
        track.waits_s.append(took)
        target = fresh.target if fresh is not None else 3
        # While there is no web process, requests wait in the listening socket for the next.
        if took > 3 * target + 0.2 + SLOW_ANSWERS * self.unheld_s + self._retry_s:
            track.reader.fault(f"a blocking reload took {took:.2f} s")

    async def _text(
        self, track: Track, query: list[str], *, skip: bool, blocking: bool
    ) -> tuple[str, bool, float] | None:
        """The playlist, whether a delta update was allowed, and the answer's seconds; failed requests again for
        ``retry_s``. None: not to be had, and noted."""
        give_up = time.monotonic() + self._retry_s
        while True:
            began = time.monotonic()
            skipping = skip and began - track.loaded_at < _half_boundary_s(track.playlist)
            asked = [*query, "_HLS_skip=YES"] if skipping else query
            url = track.url + (("&" if "?" in track.url else "?") + "&".join(asked) if asked else "")
            try:
                async with self._http.get(url) as r:
                    if r.status == 200:
                        self._check_playlist_headers(r, blocking=blocking)
                        text, track.loaded_at = await r.text(), began
                        return text, skipping, time.monotonic() - began
                    problem = f"{url} answered {r.status}"
                    retryable = r.status >= 500
            except (ClientError, TimeoutError) as error:
                problem, retryable = f"{url}: {error!r}", True
            if not retryable or time.monotonic() >= give_up:
                track.reader.fault(problem)
                await asyncio.sleep(0.1)
                return None
            self.retried += 1
            await asyncio.sleep(0.1)

    # --- media --------------------------------------------------------------------------------------

    def segment(self, name: str, msn: int) -> ListedSegment:
        return self.tracks[name].reader.known[msn]

    async def init_bytes(self, name: str, msn: int) -> bytes:
        """The init section that a segment needs."""
        track, uri = self.tracks[name], self.segment(name, msn).map
        if uri is None:
            raise KeyError(f"segment {msn} of {name} has no init section")
        url = urljoin(track.url, uri)
        if url not in self._inits:
            self._inits[url] = await self._media(track, url)
        return self._inits[url]

    async def part_bytes(self, name: str, msn: int, index: int) -> bytes:
        track = self.tracks[name]
        return await self._media(track, urljoin(track.url, self.segment(name, msn).parts[index].uri))

    async def segment_bytes(self, name: str, msn: int, *, init: bool = True) -> bytes:
        """A complete segment after its init section; compared with its parts if they are listed."""
        track, segment = self.tracks[name], self.segment(name, msn)
        if not segment.complete:
            raise ValueError(f"segment {msn} of {name} was not complete when the playlist was last read")
        data = await self._media(track, urljoin(track.url, segment.uri))
        playlist = track.playlist
        # Parts go from the playlist, and from the server, when they are three target durations old.
        fresh = playlist is not None and time.monotonic() - track.loaded_at < playlist.target
        listed = playlist.segment(msn) if playlist is not None and fresh else None
        if listed is not None and listed.parts:
            parts = [await self._media(track, urljoin(track.url, part.uri)) for part in listed.parts]
            if b"".join(parts) != data:
                track.reader.fault(f"segment {msn}: its parts joined are not its bytes")
        return (await self.init_bytes(name, msn) if init else b"") + data

    def stretches(self, name: str, first: int, last: int) -> list[tuple[int, int]]:
        """``first`` to ``last`` in runs behind one init section each: a slate stands between where a camera paused."""
        runs: list[tuple[int, int]] = []
        for msn in range(first, last + 1):
            if runs and self.segment(name, msn).map == self.segment(name, runs[-1][0]).map:
                runs[-1] = (runs[-1][0], msn)
            else:
                runs.append((msn, msn))
        return runs

    async def run_bytes(self, name: str, first: int, last: int) -> bytes:
        """Segments ``first`` to ``last`` behind one init section. They must share it."""
        out = [await self.init_bytes(name, first)]
        for msn in range(first, last + 1):
            if self.segment(name, msn).map != self.segment(name, first).map:
                raise ValueError(f"segment {msn} of {name} needs another init section")
            out.append(await self.segment_bytes(name, msn, init=False))
        return b"".join(out)

    async def _media(self, track: Track, url: str) -> bytes:
        began = time.monotonic()
        async with self._http.get(url) as r:
            data = await r.read()
            self.unheld_s = max(self.unheld_s, time.monotonic() - began)
            if r.status != 200:
                track.reader.fault(f"{url} is listed and answered {r.status}")
                return b""
            self._check_media_headers(track, r)
            return data

    async def _fetch_hint(self, track: Track, hint: str) -> None:
        url = urljoin(track.url, hint)
        if url in track.parts:
            return
        try:
            async with self._http.get(url) as r:
                data = await r.read()
                if r.status == 200:
                    track.parts[url] = data
                elif r.status == 404:
                    track.hints_404 += 1
                elif not self._retry_s:
                    track.reader.fault(f"hinted {url} answered {r.status}")
        except (ClientError, TimeoutError) as error:
            if not self._retry_s:
                track.reader.fault(f"hinted {url}: {error!r}")

    # --- rules of HTTP ------------------------------------------------------------------------------

    @property
    def _http(self) -> ClientSession:
        assert self._session is not None, "use it as a context manager"
        return self._session

    def _fault(self, text: str) -> None:
        if text not in self._violations:
            self._violations.append(text)

    def _check_playlist_headers(self, r: ClientResponse, *, blocking: bool) -> None:
        what = urlsplit(str(r.url)).path
        if r.content_type not in PLAYLIST_TYPES:
            self._fault(f"{what} is sent as {r.content_type}")
        if r.headers.get("Content-Encoding") != "gzip":
            self._fault(f"{what} is not gzipped")
        if r.headers.get("Access-Control-Allow-Origin") != "*":
            self._fault(f"{what} has no CORS header")
        cache = r.headers.get("Cache-Control", "")
        age = _MAX_AGE.search(cache)
        # Appendix B: half a target duration for a plain reload, six of them at most for a blocking one.
        if "no-cache" not in cache and "no-store" not in cache and (not age or int(age[1]) > (18 if blocking else 2)):
            self._fault(f"{what} has Cache-Control {cache!r}")

    def _check_media_headers(self, track: Track, r: ClientResponse) -> None:
        what = urlsplit(str(r.url)).path
        if r.content_type != f"{track.kind}/mp4":
            self._fault(f"{what} is sent as {r.content_type}")
        if r.headers.get("Access-Control-Allow-Origin") != "*":
            self._fault(f"{what} has no CORS header")
        if r.headers.get("Content-Encoding") not in (None, "identity"):
            self._fault(f"{what} is compressed again")
        cache = r.headers.get("Cache-Control", "")
        if "immutable" not in cache or not _MAX_AGE.search(cache):
            self._fault(f"{what} has Cache-Control {cache!r}")

    def _parse_multivariant(self, text: str) -> None:
        lines = text.splitlines()
        if not lines or lines[0] != "#EXTM3U":
            self._fault("the multivariant playlist does not begin with #EXTM3U")
        pending: dict[str, str] | None = None
        for line in lines[1:]:
            if line.startswith("#EXT-X-MEDIA:"):
                self.media.append(attributes(line.partition(":")[2]))
            elif line.startswith("#EXT-X-STREAM-INF:"):
                pending = attributes(line.partition(":")[2])
            elif line and not line.startswith("#"):
                if pending is None:
                    self._fault(f"{line} without EXT-X-STREAM-INF")
                self.variants.append(Variant(line, pending or {}))
                pending = None
        self._check_multivariant()
        # A sound's variant spells the address of the audio group otherwise: it is one playlist.
        kinds = {v.uri: ("video" if "RESOLUTION" in v.attributes else "audio") for v in self.variants}
        uris = {uri.removeprefix("./"): kind for uri, kind in kinds.items()}
        uris.update({m["URI"]: "audio" for m in self.media if m.get("TYPE") == "AUDIO" and "URI" in m})
        dvr = parse_qs(urlsplit(self.url).query).get("dvr") == ["1"]
        for uri, kind in uris.items():
            name = urlsplit(uri).path.rpartition("/")[2].removesuffix(".m3u8")
            others = [u.rpartition("/")[2] for u in uris if u != uri]
            if dvr and "dvr=1" not in uri:
                self._fault(f"{uri} lost dvr=1")
            self.tracks[name] = Track(name, urljoin(self.url, uri), kind, TrackReader(name, others))

    def _check_multivariant(self) -> None:
        groups = {m.get("GROUP-ID") for m in self.media if m.get("TYPE") == "AUDIO"}
        if not self.variants:
            self._fault("no variants")
        if groups and not any("RESOLUTION" not in v.attributes for v in self.variants):
            self._fault("no variant of sound alone")
        for v in self.variants:
            a = v.attributes
            for wanted in ("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"):
                if wanted not in a:
                    self._fault(f"variant {v.uri} has no {wanted}")
            if int(a.get("AVERAGE-BANDWIDTH", 0)) > int(a.get("BANDWIDTH", 0)):
                self._fault(f"variant {v.uri}: average above peak")
            if "AUDIO" in a and a["AUDIO"] not in groups:
                self._fault(f"variant {v.uri} names an audio group that is not there")
            codecs = a.get("CODECS", "")
            if "RESOLUTION" in a and ("FRAME-RATE" not in a or "avc1" not in codecs):
                self._fault(f"variant {v.uri}: FRAME-RATE or video codec missing")
            if "AUDIO" in a and "mp4a" not in codecs:
                self._fault(f"variant {v.uri}: audio codec missing")


def _half_boundary_s(playlist: MediaPlaylist | None) -> float:
    """The age of a playlist up to which a delta update is asked for (6.3.7): half of the skip boundary."""
    return 0.0 if playlist is None else float(playlist.control.get("CAN-SKIP-UNTIL", "0")) / 2
