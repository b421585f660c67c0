"""A server with replays of a studio's programme, and a player of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urljoin

from aiohttp import ClientSession, web

from streamer.api.middlewares import errors
from streamer.archive import files
from streamer.archive.catalogue import Details, EditionRef, ReplayState
from streamer.archive.editions import common_end
from streamer.archive.material import HANDLE_MS, Material, Span, collect
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.control import run_folder
from streamer.delivery import routes
from streamer.delivery.captions import CaptionSource
from streamer.settings import Settings
from streamer.web.core import Core
from streamer.web.front import front_application
from streamer.web.replays import add_route
from tests.fakes.delivery_server import client_address
from tests.fakes.hls_playlist import MediaPlaylist, attributes, parse_media
from tests.fakes.hls_rules import JUMPS, check_replay
from tests.fakes.keys import FakeKeys
from tests.fakes.media_plane import FakePlane, FakeRoom, on_air
from tests.fakes.packaging import broadcast
from tests.fakes.shared import LOW
from tests.fakes.studio import Studio


@dataclass
class FakeCatalogue:
    states: dict[str, ReplayState] = field(default_factory=dict)

    async def find(self, session: str) -> ReplayState | None:
        return self.states.get(session)

    async def details(self, session: str) -> Details:
        return Details(title="Été à Nantes", speakers=("Zoé Dupont",), date="2026-11-24")


@dataclass
class Replays:
    http: ClientSession
    link: FakeRoom
    studio: Studio
    catalogue: FakeCatalogue
    settings: Settings
    keys: FakeKeys
    core: web.Application
    app: web.Application
    """That ``http`` asks: a front process's, or the core's."""
    core_runner: web.AppRunner

    @property
    def folder(self) -> Path:
        return self.settings.data / "recordings" / "talk"

    @property
    def state(self) -> ReplayState:
        return self.catalogue.states["talk"]

    def begin(self, start_s: float) -> None:
        """The session goes on air."""
        ref = EditionRef("live-edition", self.studio.at(start_s), None, created_ms=self.studio.at(start_s))
        self.catalogue.states["talk"] = ReplayState("talk", "salle", self.folder, (ref,), published=True)

    def change(self, **changes: object) -> None:
        self.catalogue.states["talk"] = replace(self.state, **changes)  # type: ignore[arg-type]

    def material(self, start_s: float, end_s: float, gone: tuple[Span, ...] = ()) -> Material:
        span = Span(self.studio.at(start_s) - HANDLE_MS, self.studio.at(end_s) + HANDLE_MS)
        reel = collect(self.link.view, PROGRAMME_OUTPUT, span, gone)
        assert reel is not None
        return files.keep(self.folder, self.settings.room_dir("salle"), Material("talk", "salle", (reel,), gone))

    def end(self, end_s: float, *, edition: str = "vod", skips: tuple[Span, ...] = ()) -> Material:
        """The session ends: what an archivist does."""
        live = self.state.editions[0]
        start_s = (live.start_ms - self.studio.broadcast.epoch_ms) / 1000
        material = self.material(start_s, end_s)
        end_ms = common_end(material, self.studio.at(end_s))
        ended = replace(live, end_ms=end_ms)
        vod = EditionRef(edition, live.start_ms, end_ms, skips, created_ms=end_ms + 1)
        self.change(editions=(ended, vod))
        return material

    async def player(self, address: str = "/replay/talk/index.m3u8") -> Player:
        player = Player(self.http, address)
        await player.open()
        return player


class Player:
    """Reads a replay as a player does, strictly."""

    def __init__(self, http: ClientSession, address: str) -> None:
        self._http = http
        self.address = address
        self.renditions: dict[str, str] = {}
        """Name -> address of its playlist."""
        self.playlists: dict[str, MediaPlaylist] = {}

    async def open(self) -> None:
        text = (await self.fetch(self.address)).decode()
        for line in text.splitlines():
            uri = attributes(line.partition(":")[2])["URI"].strip('"') if line.startswith("#EXT-X-MEDIA:") else line
            if uri and not uri.startswith("#"):
                self.renditions[uri.rpartition("/")[2].removesuffix(".m3u8")] = urljoin(self.address, uri)

    async def reload(self) -> None:
        for name, address in self.renditions.items():
            text = (await self.fetch(address)).decode()
            fresh = parse_media(text)
            # A busy machine may lose frames of what it encodes; what only passes through has no hole.
            bad = [text for text in check_replay(fresh) if name != LOW or not text.endswith(JUMPS)]
            assert bad == [], f"{name}: {bad}\n{text}"
            before = self.playlists.get(name)
            if before is not None:
                assert [s.uri for s in before.segments] == [s.uri for s in fresh.segments[: len(before.segments)]]
                assert [s.duration for s in before.segments] == [
                    s.duration for s in fresh.segments[: len(before.segments)]
                ]
            self.playlists[name] = fresh
        # One may have been asked for a moment later than another.
        least = min(len(p.segments) for p in self.playlists.values())
        numbers = {tuple(s.discontinuity for s in p.segments[:least]) for p in self.playlists.values()}
        assert len(numbers) == 1, "renditions differ in numbers or discontinuities"

    async def run(self, rendition: str, first: int = 0, end: int | None = None) -> bytes:
        """An init section and the segments behind it, up to the next discontinuity or ``end``."""
        playlist, address = self.playlists[rendition], self.renditions[rendition]
        out = [await self.fetch(urljoin(address, playlist.segments[first].map or ""))]
        for segment in playlist.segments[first:end]:
            if segment.discontinuity and segment.msn > first:
                break
            out.append(await self.fetch(urljoin(address, segment.uri)))
        return b"".join(out)

    async def fetch(self, address: str) -> bytes:
        async with self._http.get(address) as response:
            assert response.status == 200, (address, response.status, await response.text())
            return await response.read()


@asynccontextmanager
async def replays(
    data: Path,
    *,
    captions: CaptionSource | None = None,
    languages: tuple[str, ...] = (),
    archive: dict[str, int] | None = None,
    crew: str = "",
    front: bool = False,
) -> AsyncIterator[Replays]:
    """``crew``: who names that as X-Test-Role works here. ``front``: ``http`` leads through a front process."""
    server = {"web_processes": int(front)}
    settings = Settings.model_validate({"data": data, "archive": archive or {}, "server": server})

    async def is_crew(request: web.Request) -> bool:
        return bool(crew) and request.headers.get("X-Test-Role") == crew

    link, catalogue = on_air(), FakeCatalogue()
    app = web.Application(middlewares=[errors])
    keys = FakeKeys(catalogue)
    routes.setup(app, FakePlane(link), settings, client_address, keys, catalogue, captions, is_crew)
    async with AsyncExitStack() as stack:
        core = app
        if front:
            add_route(core, catalogue, keys)
        runner = core_runner = await _runner(stack, core)
        if front:
            run_folder.make_run_dir(settings.run_dir)
            await web.SockSite(runner, run_folder.listen(settings.run_dir, run_folder.CORE_SOCKET)).start()
            app = front_application(settings, FakePlane(link), Core(settings.run_dir))
            runner = await _runner(stack, app)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        of = broadcast(room="salle", caption_languages=languages)
        studio = Studio(settings.room_dir("salle"), link.feed, of=of)
        async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            yield Replays(http, link, studio, catalogue, settings, keys, core, app, core_runner)


async def _runner(stack: AsyncExitStack, app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    return runner
