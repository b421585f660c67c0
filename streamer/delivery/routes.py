"""Delivery in an aiohttp application: LL-HLS under ``/live/{room}/``, replays under ``/replay/{session}/``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from functools import partial

from aiohttp import web

from streamer.archive.catalogue import ReplayCatalogue
from streamer.control.media_plane import MediaPlane
from streamer.delivery import steering
from streamer.delivery.access import AccessKeys, MediaAccess
from streamer.delivery.captions import CaptionSource
from streamer.delivery.downloads import Downloads, IsCrew
from streamer.delivery.hold import ACCESS, Revoked
from streamer.delivery.media import ClientAddress, ClientGone, LiveDelivery, client_gone, not_on_air
from streamer.delivery.pictures import ReplayPictures
from streamer.delivery.replay import ReplayDelivery, ReplayStats
from streamer.delivery.responses import error_response, preflight
from streamer.delivery.state import PublicState, public_state
from streamer.delivery.stats import DeliveryStats
from streamer.errors import NotFound, StreamerError
from streamer.settings import Settings

__all__ = ["REPLAY_STATS", "STATS", "DeliveryStats", "PublicState", "public_state", "setup"]

STATS: web.AppKey[DeliveryStats] = web.AppKey("delivery_stats", DeliveryStats)
REPLAY_STATS: web.AppKey[ReplayStats] = web.AppKey("replay_stats", ReplayStats)
LIVE: web.AppKey[LiveDelivery] = web.AppKey("live_delivery", LiveDelivery)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def setup(
    app: web.Application,
    plane: MediaPlane,
    settings: Settings,
    client_address: ClientAddress,
    keys: AccessKeys,
    catalogue: ReplayCatalogue | None = None,
    captions: CaptionSource | None = None,
    is_crew: IsCrew | None = None,
) -> None:
    """Add the routes. ``client_address`` gives a request's household, ``keys`` the accesses, ``is_crew`` tells whether
    a request is the crew's. Without a catalogue there are no replays, without ``captions`` declared captions stay
    empty, without ``is_crew`` there is no crew.

    Held requests are answered with 503 when the application shuts down.
    """
    live = LiveDelivery(plane, settings, client_address, DeliveryStats(), keys, captions)
    app[STATS] = live.stats
    app[LIVE] = live
    keyed = partial(_opened, live.open)
    paths: list[tuple[str, _Handler]] = [
        (steering.PATH, partial(steering.answer, settings.edges.names)),
        # A closed session's routes come first: "~" begins no broadcast's id.
        ("/live/{room}/~{secret}/index.m3u8", keyed(live.multivariant)),
        ("/live/{room}/~{secret}/still.jpg", keyed(live.still)),
        ("/live/{room}/~{secret}/{broadcast}/{rendition}.m3u8", keyed(live.playlist)),
        ("/live/{room}/~{secret}/{broadcast}/{key}/{rendition}/{name}", keyed(live.media)),
        ("/live/{room}/~{tail:.*}", _no_such_key),
        ("/live/{room}/index.m3u8", live.multivariant),
        ("/live/{room}/still.jpg", live.still),
        ("/live/{room}/{broadcast}/{rendition}.m3u8", live.playlist),
        ("/live/{room}/{broadcast}/{key}/{rendition}/{name}", live.media),
        ("/live/{tail:.*}", _nothing),
    ]
    downloads: Downloads | None = None
    if catalogue is not None:
        replay = ReplayDelivery(
            plane, settings, catalogue, client_address, live.holds, live.media_bytes, keys, captions
        )
        most = settings.archive.max_downloads
        downloads = Downloads(replay, catalogue, client_address, is_crew or _nobody, most, captions)
        app[REPLAY_STATS] = replay.stats
        opened = partial(_opened, replay.open)
        pictures = ReplayPictures(catalogue)
        paths += [
            # "~" begins no edition's id either.
            (f"/replay/{{session}}/{key}{path}", opened(handler))
            for key in ("~{secret}/", "")
            for path, handler in (
                ("index.m3u8", replay.index),
                ("still.jpg", pictures.still),
                ("sheet.jpg", pictures.sheet),
                ("{edition}/index.m3u8", replay.edition_index),
                ("{edition}/download.mp4", downloads.download),
                ("{edition}/{rendition}.m3u8", replay.playlist),
                ("{edition}/{rendition}/{name}", replay.media),
            )
        ]
        paths.append(("/replay/{tail:.*}", _nothing))
    _add(app, paths)
    _end_with(app, live, downloads)


def _end_with(app: web.Application, live: LiveDelivery, downloads: Downloads | None = None) -> None:
    async def release(_app: web.Application) -> None:
        live.holds.close()

    async def reading(_app: web.Application) -> AsyncIterator[None]:
        yield
        if downloads is not None:
            await downloads.close()
        await live.close()

    app.on_shutdown.append(release)
    app.cleanup_ctx.append(reading)


def setup_public(
    app: web.Application,
    plane: MediaPlane,
    settings: Settings,
    client_address: ClientAddress,
    catalogue: ReplayCatalogue,
    elsewhere: _Handler,
) -> LiveDelivery:
    """Add only the routes of the public outputs and of the replays that ``catalogue`` has, without captions' texts.
    Keys open nothing here: what else stands below ``/live`` and ``/replay`` is left to the caller's own routes, and
    what is not to be had of a replay, to ``elsewhere``."""
    live = LiveDelivery(plane, settings, client_address, DeliveryStats(), _NoKeys())
    replay = ReplayDelivery(plane, settings, catalogue, client_address, live.holds, live.media_bytes, _NoKeys())
    app[REPLAY_STATS] = replay.stats
    own = partial(_published, catalogue, elsewhere)
    broadcast, edition = "{broadcast:[^/~][^/]*}", "/replay/{session}/{edition:[^/~][^/]*}"
    media = "{rendition}/{name:[^/]+[.](?:m4s|mp4)}"
    _add(
        app,
        [
            (steering.PATH, partial(steering.answer, settings.edges.names)),
            ("/live/{room}/index.m3u8", live.multivariant),
            ("/live/{room}/still.jpg", live.still),
            (f"/live/{{room}}/{broadcast}/{{rendition}}.m3u8", live.playlist),
            (f"/live/{{room}}/{broadcast}/{{key}}/{media}", live.media),
            ("/replay/{session}/index.m3u8", own(replay.index)),
            (f"{edition}/index.m3u8", own(replay.edition_index)),
            (f"{edition}/{{rendition}}.m3u8", own(replay.playlist)),
            (f"{edition}/{media}", own(replay.media)),
        ],
    )
    _end_with(app, live)
    return live


def _add(app: web.Application, paths: Iterable[tuple[str, _Handler]]) -> None:
    for path, handler in paths:
        resource = app.router.add_resource(path)
        at_edge = _edge(handler)
        resource.add_route("GET", at_edge)
        resource.add_route("HEAD", at_edge)
        resource.add_route("OPTIONS", preflight)


class _NoKeys:
    """Keys of closed sessions where none opens anything."""

    async def open_live(self, _room: str, _outputs: Collection[str], _key: str, /) -> MediaAccess | None:
        return None

    async def open_replay(self, _session: str, _key: str | None, /) -> MediaAccess | None:
        return None


class _Everybody:
    """The access of whoever has no key to what is published and finished."""

    output, unpublished, finished_only, cuts, holds = "", False, True, False, True

    def on_end(self, _callback: Callable[[], None], /) -> Callable[[], None]:
        return lambda: None


def _published(catalogue: ReplayCatalogue, elsewhere: _Handler, handler: _Handler) -> _Handler:
    """``handler`` for what the catalogue has, before and after; ``elsewhere`` says why there is nothing."""

    async def served(request: web.Request) -> web.StreamResponse:
        session = request.match_info["session"]
        state = await catalogue.find(session)
        if state is None:
            return await elsewhere(request)
        request[ACCESS] = _Everybody()
        try:
            response = await handler(request)
        except StreamerError:
            return await elsewhere(request)
        return response if await catalogue.find(session) == state else await elsewhere(request)

    return served


def _opened(open_: Callable[[web.Request], Awaitable[MediaAccess]], handler: _Handler) -> _Handler:
    """``handler`` for requests that ``open_`` lets in. The access is checked before and after, so that a key that was
    revoked meanwhile gets no answer."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        opened = await open_(request)
        request[ACCESS] = opened
        try:
            response: web.StreamResponse | None = await handler(request)
        except Revoked:
            response = None
        if response is None or not (opened.holds or response.prepared):
            # The same words as for a key that never opened anything.
            await open_(request)
            raise NotFound("Nothing is listed under this address.", code="not_listed")
        return response

    return guarded


def _edge(handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Gives errors our shape, with the CORS headers that let another site's player read them."""

    async def at_edge(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StreamerError as error:
            return error_response(error)
        except ClientGone:
            return client_gone()

    return at_edge


async def _nobody(_request: web.Request) -> bool:
    return False


async def _no_such_key(_request: web.Request) -> web.StreamResponse:
    raise not_on_air()


async def _nothing(_request: web.Request) -> web.StreamResponse:
    raise NotFound("There is nothing under this address.")
