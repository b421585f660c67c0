"""Wiring: the only place that connects the parts of the web plane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web

from streamer.api import forgetting
from streamer.api.auth import is_crew
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.grants import revoke_again
from streamer.api.lapses import LapseWatch
from streamer.api.monitoring import MetricsAccess
from streamer.api.routes import make_application
from streamer.archive.archivist import Archivist
from streamer.archive.material_sources import FOREVER_MS
from streamer.archive.material import HANDLE_MS
from streamer.archive.retention import Retention
from streamer.audience.news import AudienceEvent
from streamer.conference.day import current
from streamer.conference.grants import Action
from streamer.conference.notices import Notices
from streamer.conference.participation import closed_session
from streamer.web.connections import ConnectionStats
from streamer.delivery import routes as delivery
from streamer.director.room_alarms import RoomAlarms, free_bytes
from streamer.director.director import Director
from streamer.director.directorship import Directorship
from streamer.director.day_repository import DayRepository
from streamer.director.news import IncidentChanged, News, SessionChanged
from streamer.errors import Unavailable
from streamer.formats import erasures
from streamer.observe import health
from streamer.observe.metrics import WebMetrics
from streamer.control.client import MediaPlane
from streamer.control.server import wait_cancelled
from streamer.settings import Settings
from streamer.web.realtime import REALTIME, add_realtime, count_viewers
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.people import Periods
from streamer.supervision import TASKS, Work, start_kept

CONNECTIONS = web.AppKey("connections", ConnectionStats)
LAPSES = web.AppKey("lapses", LapseWatch)


def make_app(settings: Settings, database: Database, directorship: Directorship, *, public_url: str) -> web.Application:
    """The web process's application, over an open database that this process directs. Its link to the media plane lives
    as long as it runs."""
    plane = MediaPlane(settings, order_epoch=directorship.order_epoch, doubt=directorship.doubt)
    app = assemble(settings, database, plane, public_url=public_url)

    async def connections(_app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await plane.start()
            stack.push_async_callback(plane.close)
            await _start_day(app, stack)
            yield

    app.cleanup_ctx.append(connections)
    return app


async def _start_day(app: web.Application, stack: AsyncExitStack) -> None:
    """Starts everything that follows the clock, after the database and the media plane."""
    services = app[SERVICES]

    def run(work: Work, name: str) -> None:
        stack.push_async_callback(wait_cancelled, start_kept(name, work))

    await services.keys.start()
    # Erased data is gone before anybody is served, also after a restored database.
    await services.archivist.restore()
    await services.archivist.erasing.follow()
    run(services.archivist.erasing.run, "erasures")
    await services.archivist.start()
    stack.push_async_callback(services.archivist.close)
    archive = services.settings.archive
    retention = Retention(
        services.archivist,
        services.database,
        default_days=archive.retention_days or None,
        periods=Periods(services.settings.audience.keep_days, archive.audit_days, archive.speakers_days or None),
    )
    # A restored database has data that became too old since.
    await retention.sweep()
    run(retention.run, "retention")
    await services.director.start()
    stack.push_async_callback(services.director.close)
    await services.audience.start()
    stack.push_async_callback(services.audience.close)
    await app[REALTIME].start()
    stack.push_async_callback(app[REALTIME].close)
    run(partial(count_viewers, app), "viewers")
    run(app[LAPSES].run, "lapsed grants")
    run(services.schedules.run, "schedule poller")


def make_director(settings: Settings, database: Database, plane: MediaPlane, notices: Notices) -> Director:
    """A director over these parts; ``start`` it after the database and the media plane."""
    room_alarms = RoomAlarms(notices, free_bytes(settings.data))
    return Director(DayRepository(database), plane, clock=now_ms, room_alarms=room_alarms, logos=settings.data / "logos")


def make_archivist(settings: Settings, database: Database, plane: MediaPlane, director: Director) -> Archivist:
    """An archivist that gets sessions and incidents from the director."""
    erasing = Erasing(settings.data, database, clock=now_ms)
    archivist = Archivist(settings.data, database, plane, clock=now_ms, room_dir=settings.room_dir, erasing=erasing)

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
    """Troubles that several viewers report become an alarm for the technician."""
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
    """Sessions whose recordings may contain, as handles, minutes that now belong to another session alone."""
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
    """The application over a database and a media plane that the caller starts and closes."""
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
    services.erasing.does(erasures.Grant, partial(revoke_again, services))
    services.erasing.does(erasures.Stretch, partial(forgetting.again, services))
    app = make_application(services, metrics.observe)
    app[CONNECTIONS] = ConnectionStats()
    app[LAPSES] = LapseWatch(services)
    director.room_alarms.lapsed = app[LAPSES].labels
    director.room_alarms.unerased = lambda room: bool(services.erasing.unfinished(room))
    services.audience.listen(partial(_hear_trouble, director, notices))
    delivery.setup(
        app,
        plane,
        settings,
        services.proxies.client_household,
        services.keys,
        services.archivist,
        services.captions,
        partial(is_crew, action=Action.RECORDING_READ),
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
    metrics.watch_tasks(TASKS)
    metrics.watch_values("streamer_delivery", app[delivery.STATS])
    metrics.watch_values("streamer_connections", app[CONNECTIONS])
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
        ("hashing", services.hashing),
        ("guessed_admin_tokens", services.admin_token.guesses),
        ("exports", services.exports),
        ("wrong_hall_codes", services.hall_code_lookup.wrong),
    ):
        metrics.watch_counter(
            f"streamer_refused_{name}", "Requests over the limit of an address.", partial(getattr, limit, "refused")
        )
    erasing = services.erasing
    for name, what in (("director", services.director), ("archivist", services.archivist), ("erasing", erasing)):
        metrics.watch_counter(
            f"streamer_{name}_faults", "Internal failures that were tried again.", partial(getattr, what, "faults")
        )
