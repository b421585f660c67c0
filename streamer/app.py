"""Wiring: the only place where the web plane's parts meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from aiohttp import web

from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.lapses import LapseWatch
from streamer.api.monitoring import MetricsAccess
from streamer.api.polling import SchedulePoller
from streamer.api.routes import make_application
from streamer.archive.archivist import Archivist
from streamer.archive.gathering import FOREVER_MS
from streamer.archive.material import HANDLE_MS
from streamer.archive.retention import Retention
from streamer.audience.news import AudienceEvent
from streamer.conference.day import current
from streamer.conference.notices import Notices
from streamer.conference.participation import closed_session
from streamer.delivery import routes as delivery
from streamer.director.bells import Bells, free_bytes
from streamer.director.director import Director
from streamer.director.ledger import Ledger
from streamer.director.news import IncidentChanged, News, SessionChanged
from streamer.errors import Unavailable
from streamer.observe import health
from streamer.observe.metrics import WebMetrics
from streamer.room.client import MediaPlane
from streamer.room.control import wait_cancelled
from streamer.settings import Settings
from streamer.sockets import REALTIME, add_realtime, count_viewers
from streamer.store.database import Database, database_url

LAPSES = web.AppKey("lapses", LapseWatch)


def make_app(settings: Settings, *, public_url: str) -> web.Application:
    """The web process's application. Its database and its link to the media plane live as long as it runs."""
    plane = MediaPlane(settings)
    database = Database(database_url(settings.store.url, settings.data))
    app = assemble(settings, database, plane, public_url=public_url)

    async def connections(_app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await database.start()
            stack.push_async_callback(database.close)
            await plane.start()
            stack.push_async_callback(plane.close)
            await _start_day(app, stack)
            yield

    app.cleanup_ctx.append(connections)
    return app


async def _start_day(app: web.Application, stack: AsyncExitStack) -> None:
    """What follows the clock, once database and media plane are there."""
    services = app[SERVICES]

    def run(work: Coroutine[Any, Any, None], name: str) -> None:
        stack.push_async_callback(wait_cancelled, asyncio.create_task(work, name=name))

    await services.keys.start()
    await services.archivist.start()
    stack.push_async_callback(services.archivist.close)
    days = services.settings.archive.retention_days or None
    run(Retention(services.archivist, services.database, default_days=days).run(), "retention")
    await services.director.start()
    stack.push_async_callback(services.director.close)
    await services.audience.start()
    stack.push_async_callback(services.audience.close)
    await app[REALTIME].start()
    stack.push_async_callback(app[REALTIME].close)
    run(count_viewers(app), "viewers")
    run(app[LAPSES].run(), "lapsed grants")
    run(SchedulePoller(services).run(), "schedule poller")


def make_director(settings: Settings, database: Database, plane: MediaPlane, notices: Notices) -> Director:
    """A director over what is given; ``start`` it when the database and the media plane are."""
    bells = Bells(notices, free_bytes(settings.data))
    return Director(Ledger(database), plane, clock=now_ms, bells=bells, logos=settings.data / "logos")


def make_archivist(settings: Settings, database: Database, plane: MediaPlane, director: Director) -> Archivist:
    """An archivist that hears of sessions and incidents from the director."""
    archivist = Archivist(settings.data, database, plane, clock=now_ms, room_dir=settings.room_dir)

    def hear(news: News) -> None:
        match news:
            case SessionChanged():
                archivist.changed(news.before, news.after)
                for session in _beside(director, news):
                    archivist.look_at(session)
            case IncidentChanged():
                archivist.marks_changed(news.session)

    director.listen(hear)
    return archivist


def _hear_trouble(director: Director, notices: Notices, event: AudienceEvent) -> None:
    """What several viewers report is the technician's alarm."""
    if event.type != "trouble":
        return
    session = closed_session(event.scope)
    found = director.find(session) if session is not None else None
    room = found.room if found is not None else event.scope
    if director.room(room) is None:
        return
    running = current(director.day(room))
    session = session or (running.id if running is not None and not running.closed else None)
    data = event.data
    notices.complaint(
        room, str(data["kind"]), int(data["people"]), event.at_ms, session=session, enough=bool(data["alarm"])
    )


def _beside(director: Director, news: SessionChanged) -> list[str]:
    """Sessions whose recordings may have taken in, as handles, minutes that are now another's alone."""
    before, after = news.before, news.after
    if after is None or after.started_ms is None or not (after.closed or not after.recorded):
        return []
    if before is not None and (before.started_ms, before.ended_ms, before.closed, before.recorded) == (
        after.started_ms,
        after.ended_ms,
        after.closed,
        after.recorded,
    ):
        return []
    from_ms, to_ms = after.started_ms - HANDLE_MS, (after.ended_ms or FOREVER_MS) + HANDLE_MS
    return [
        session.id
        for session in director.day(news.room).sessions
        if session.id != after.id
        and session.started_ms is not None
        and session.started_ms < to_ms
        and (session.ended_ms is None or session.ended_ms > from_ms)
    ]


def assemble(settings: Settings, database: Database, plane: MediaPlane, *, public_url: str) -> web.Application:
    """The application over a database and a media plane that somebody else starts and closes."""
    metrics = WebMetrics()
    notices = Notices()
    director = make_director(settings, database, plane, notices)
    services = Services(
        settings=settings,
        database=database,
        plane=plane,
        director=director,
        archivist=make_archivist(settings, database, plane, director),
        notices=notices,
        public_state=lambda link: delivery.public_state(link.view, link.status),
        public_url=public_url,
    )
    app = make_application(services, metrics.observe)
    app[LAPSES] = LapseWatch(services)
    director.bells.lapsed = app[LAPSES].labels
    services.audience.listen(partial(_hear_trouble, director, notices))
    delivery.setup(
        app, plane, settings, services.proxies.client_household, services.keys, services.archivist, services.captions
    )
    add_realtime(app, metrics)
    _measure(app, metrics, plane)

    async def media_host() -> None:
        if not app[SERVICES].plane.host_up:
            raise Unavailable("The media host does not answer.", code="media_host_unavailable")

    checks = {"database": database.ping, "media_host": media_host}
    health.add_routes(app, metrics, checks, guard=MetricsAccess(services))
    return app


def _measure(app: web.Application, metrics: WebMetrics, plane: MediaPlane) -> None:
    services = app[SERVICES]
    metrics.watch_rooms(lambda: plane.rooms)
    metrics.watch_values("streamer_delivery", app[delivery.STATS])
    metrics.watch_values("streamer_replay", app[delivery.REPLAY_STATS])
    metrics.watch_counter(
        "streamer_media_host_reconnects",
        "Connections to the media host lost.",
        partial(getattr, plane, "host_reconnects"),
    )
    for name, limit in (
        ("publish", services.publish_attempts),
        ("play", services.play_attempts),
        ("failed_tokens", services.failed_tokens),
        ("failed_passwords", services.failed_passwords),
        ("guessed_admin_tokens", services.admin_token.guesses),
        ("wrong_hall_codes", services.hall_door.wrong),
    ):
        metrics.watch_counter(
            f"streamer_refused_{name}", "Requests over the limit of an address.", partial(getattr, limit, "refused")
        )
    for name, what in (("director", services.director), ("archivist", services.archivist)):
        metrics.watch_counter(
            f"streamer_{name}_faults", "What went wrong inside and was tried again.", partial(getattr, what, "faults")
        )
