"""Wiring: the only place where the web plane's parts meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.lapses import LapseWatch
from streamer.api.polling import SchedulePoller
from streamer.api.routes import make_application
from streamer.conference.notices import Notices
from streamer.delivery import routes as delivery
from streamer.director.bells import Bells, free_bytes
from streamer.director.director import Director
from streamer.director.ledger import Ledger
from streamer.errors import Unavailable
from streamer.observe import health
from streamer.observe.metrics import WebMetrics
from streamer.room.client import MediaPlane
from streamer.room.control import wait_cancelled
from streamer.settings import Settings
from streamer.store.database import Database, database_url

LAPSES = web.AppKey("lapses", LapseWatch)


def make_app(settings: Settings, *, public_url: str) -> web.Application:
    """The web process's application. Its database and its link to the media plane live as long as it runs."""
    plane = MediaPlane(settings)
    database = Database(database_url(settings.store.url, settings.data))
    app = assemble(settings, database, plane, public_url=public_url)
    director = app[SERVICES].director

    async def connections(_app: web.Application) -> AsyncIterator[None]:
        await database.start()
        try:
            await plane.start()
            try:
                await director.start()
                tasks = [
                    asyncio.create_task(app[LAPSES].run(), name="lapsed grants"),
                    asyncio.create_task(SchedulePoller(app[SERVICES]).run(), name="schedule poller"),
                ]
                yield
                for task in tasks:
                    await wait_cancelled(task)
            finally:
                await director.close()
                await plane.close()
        finally:
            await database.close()

    app.cleanup_ctx.append(connections)
    return app


def make_director(settings: Settings, database: Database, plane: MediaPlane, notices: Notices) -> Director:
    """A director over what is given; ``start`` it when the database and the media plane are."""
    bells = Bells(notices, free_bytes(settings.data))
    return Director(Ledger(database), plane, clock=now_ms, bells=bells, logos=settings.data / "logos")


def assemble(settings: Settings, database: Database, plane: MediaPlane, *, public_url: str) -> web.Application:
    """The application over a database and a media plane that somebody else starts and closes."""
    metrics = WebMetrics()
    notices = Notices()
    services = Services(
        settings=settings,
        database=database,
        plane=plane,
        director=make_director(settings, database, plane, notices),
        notices=notices,
        public_state=lambda link: delivery.public_state(link.view, link.status),
        public_url=public_url,
    )
    app = make_application(services, metrics.observe)
    app[LAPSES] = LapseWatch(services)
    services.director.bells.lapsed = app[LAPSES].labels
    delivery.setup(app, plane, settings, services.proxies.client_address)
    metrics.watch_rooms(lambda: plane.rooms)
    metrics.watch_values("streamer_delivery", app[delivery.STATS])
    metrics.watch_counter(
        "streamer_media_host_reconnects",
        "Connections to the media host lost.",
        partial(getattr, plane, "host_reconnects"),
    )
    for name, limit in (
        ("publish", services.publish_attempts),
        ("play", services.play_attempts),
        ("failed_tokens", services.failed_tokens),
    ):
        metrics.watch_counter(
            f"streamer_refused_{name}", "Requests over the limit of an address.", partial(getattr, limit, "refused")
        )

    async def media_host() -> None:
        if not app[SERVICES].plane.host_up:
            raise Unavailable("The media host does not answer.", code="media_host_unavailable")

    health.add_routes(app, metrics, {"database": database.ping, "media_host": media_host})
    return app
