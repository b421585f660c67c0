"""Wiring: the only place that makes, connects, starts and ends the parts of the web plane."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web

from streamer.api import forgetting
from streamer.api.addresses import Proxies
from streamer.api.admin_token import AdminToken
from streamer.api.audiences import DirectorSessions
from streamer.api.auth import is_crew
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.cursors import Cursors
from streamer.api.documents import Documents
from streamer.api.edges import Edges
from streamer.api.first_admin_link import FirstAdminLink
from streamer.api.grants import revoke_again
from streamer.api.hall_code_lookup import HallCodeLookup
from streamer.api.lapses import LapseWatch
from streamer.api.limits import RateLimit, Turnstile
from streamer.api.monitoring import MetricsAccess
from streamer.api.openapi import answered_with
from streamer.api.revocations import Ended, Opener, Revocations
from streamer.api.routes import make_application
from streamer.api.routing import PREFIX
from streamer.api.session_keys import SessionKeys
from streamer.api.waiting import StateWaiters
from streamer.archive.archivist import Archivist
from streamer.archive.levelling import Levelling
from streamer.archive.material_sources import neighbours
from streamer.archive.retention import Retention
from streamer.archive.uploading import Uploads
from streamer.audience.captioning import Captioning
from streamer.audience.news import AudienceEvent
from streamer.audience.service import Audience
from streamer.backup.saving import backup_age_s
from streamer.bus.adapters import core_bus
from streamer.certificate import left_s
from streamer.conference.alarm_words import words_of
from streamer.conference.day import current, on_air_at
from streamer.conference.grants import Action
from streamer.conference.notices import Notices
from streamer.conference.participation import closed_session
from streamer.conference.playback import PlaybackReports
from streamer.conference.sessions import Session
from streamer.control.client import MediaPlaneClient
from streamer.control.media_plane import MediaPlane, RoomLink
from streamer.control.server import wait_cancelled
from streamer.delivery import routes as delivery
from streamer.director.day_repository import DayRepository
from streamer.director.director import Director
from streamer.director.directorship import Directorship
from streamer.director.news import AlarmsChanged, IncidentChanged, News, SessionChanged
from streamer.director.room_alarms import RoomAlarms, free_bytes
from streamer.errors import Unavailable
from streamer.formats import erasures
from streamer.notify.notifier import Notifier
from streamer.observe import health
from streamer.observe.disk import disk_check, disk_of
from streamer.observe.memory import memory
from streamer.observe.metrics import WebMetrics
from streamer.planning.poll import SchedulePoller
from streamer.planning.portraits import Portraits
from streamer.realtime.caption_feed import CaptionFeed
from streamer.realtime.schemas import asyncapi_document
from streamer.realtime.service import Realtime
from streamer.sections import AlarmSettings
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.people import Periods
from streamer.store.sessions import Sessions
from streamer.supervision import TASKS, Work, start_kept
from streamer.web import replays
from streamer.web.access import RestAccess, RestViews
from streamer.web.connections import ConnectionStats
from streamer.web.fronts import Fronts
from streamer.web.heartbeat import Heartbeat
from streamer.web.viewers import count_viewers, viewers_now

CONNECTIONS = web.AppKey("connections", ConnectionStats)
FRONTS = web.AppKey("fronts", Fronts)
HEARTBEAT = web.AppKey("heartbeat", Heartbeat)
LAPSES = web.AppKey("lapses", LapseWatch)
REALTIME = web.AppKey("realtime", Realtime)

EXPORTS_PER_MINUTE, EXPORTS_AT_ONCE = 600, 300
"""Schedules and tables that a household fetches: when a talk ends, many phones of the hall add the next to their
calendars."""
FAILED_PASSWORDS_PER_MINUTE = 5
"""Per address. A password can be guessed, a token cannot."""
CAPTIONS_PER_MINUTE, CAPTIONS_AT_ONCE = 600, 60
"""Three people who type over one link, with a text every 300 ms each, stay within it."""


def make_app(settings: Settings, database: Database, directorship: Directorship, *, public_url: str) -> web.Application:
    """The web process's application, over an open database that this process directs. Its link to the media plane lives
    as long as it runs."""
    plane = MediaPlaneClient(settings, order_epoch=directorship.order_epoch, doubt=directorship.doubt)
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

    if services.edges:
        services.edges.follow(services.plane)
        run(services.edges.run, "edges")
    await services.keys.start()
    await services.first_admin.offer()
    stack.callback(services.first_admin.withdraw)
    # Erased data is gone before anybody is served, also after a restored database.
    await services.archivist.restore()
    await services.erasing.follow()
    run(services.erasing.run, "erasures")
    await services.archivist.start()
    stack.push_async_callback(services.archivist.close)
    archive = services.settings.archive
    retention = Retention(
        services.archivist,
        services.database,
        default_days=archive.retention_days or None,
        periods=Periods(services.settings.audience.keep_days, archive.audit_days, archive.speakers_days or None),
        data=services.settings.data,
    )
    # A restored database has data that became too old since.
    await retention.sweep()
    run(retention.run, "retention")
    if archive.level_replays:
        run(Levelling(services.archivist).run, "levelling")
    await services.notifier.start()
    await services.director.start()
    stack.push_async_callback(services.director.close)
    await services.audience.start()
    stack.push_async_callback(services.audience.close)
    await app[REALTIME].start()
    stack.push_async_callback(app[REALTIME].close)
    run(partial(count_viewers, services, app[delivery.LIVE].viewers), "viewers")
    run(app[LAPSES].run, "lapsed grants")
    run(services.schedules.run, "schedule poller")
    run(app[HEARTBEAT].run, "heartbeat")
    run(services.portraits.run, "portraits")
    run(services.notifier.run, "notifier")
    run(services.uploads.run, "uploads")


def assemble(settings: Settings, database: Database, plane: MediaPlane, *, public_url: str) -> web.Application:
    """The application over a database and a media plane that the caller starts and closes."""
    metrics = WebMetrics()
    services = make_services(settings, database, plane, public_url=public_url)
    app = make_application(services, metrics.observe)
    app[CONNECTIONS] = ConnectionStats()
    app[LAPSES] = LapseWatch(services)
    services.director.room_alarms.lapsed = app[LAPSES].labels
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
    app[REALTIME] = make_realtime(services, partial(viewers_now, services, app[delivery.LIVE].viewers))
    app[REALTIME].add_routes(app)
    if services.proxies.fronts:
        app[FRONTS] = Fronts()
        app[FRONTS].add_routes(app)
        replays.add_route(app, services.archivist, services.keys)
        app[delivery.LIVE].viewers.elsewhere = app[FRONTS].viewers
    app.router.add_get(f"{PREFIX}/asyncapi.json", answered_with(asyncapi_document))
    _measure(app, metrics)

    async def media_host() -> None:
        if not plane.host_up:
            raise Unavailable("The media host does not answer.", code="media_host_unavailable")

    look_at_disk = disk_check(settings.data, lambda: len(plane.rooms))

    async def disk() -> str:
        return look_at_disk()

    async def bucket() -> str:
        # An outage of the bucket costs nothing that is live.
        return "uploads_failing" if services.uploads.stats.failing else "ok"

    checks: dict[str, health.Check] = {"database": database.ping, "media_host": media_host, "disk": disk}
    if settings.archive.bucket:
        checks["bucket"] = bucket
    app[HEARTBEAT] = Heartbeat(settings, checks)
    health.add_routes(app, metrics, checks, guard=MetricsAccess(services))
    return app


def _public_state(link: RoomLink) -> str:
    return delivery.public_state(link.view, link.status)


def make_services(
    settings: Settings,
    database: Database,
    plane: MediaPlane,
    *,
    public_url: str,
    public_state: Callable[[RoomLink], str] = _public_state,
) -> Services:
    """The services that all handlers share, connected. ``public_state``: ``slate`` or ``live``, of an open room."""

    def state_of(room: str) -> str:
        link = plane.rooms.get(room)
        return "off" if link is None else public_state(link)

    def session_at(room: str, media_ms: int) -> str | None:
        found = None if director.room(room) is None else on_air_at(director.day(room), media_ms)
        return None if found is None else found.id

    notices = Notices()
    room_alarms = RoomAlarms(notices, free_bytes(settings.data), settings=settings.alarms)
    director = Director(
        DayRepository(database), plane, clock=now_ms, room_alarms=room_alarms, logos=settings.data / "logos"
    )
    erasing = Erasing(settings.data, database, clock=now_ms)
    uploads = Uploads(
        settings.data,
        settings.archive.bucket,
        database,
        erasing,
        clock=now_ms,
        busy=lambda: bool(plane.rooms) and not settings.archive.upload_while_open,
        local_days=settings.archive.local_days,
    )
    erasing.copies = uploads
    archivist = Archivist(settings.data, database, plane, clock=now_ms, room_dir=settings.room_dir, erasing=erasing)
    director.listen(partial(_hear_day, director, archivist))
    notifier = Notifier(
        database,
        settings,
        plane,
        director,
        public_url=public_url,
        clock=now_ms,
        words=words_of,
        let_go=director.alarm_actions.let_go,
    )
    director.listen(partial(_hear_alarms, notifier))
    audience = Audience(
        database,
        clock=now_ms,
        sessions=DirectorSessions(director),
        settings=settings.audience,
        erasing=erasing,
        marks_changed=archivist.marks_changed,
    )
    audience.listen(partial(_hear_trouble, director, notices, settings.alarms))
    edges = Edges(settings.edges)
    keys = SessionKeys(database, director, settings.admin_token, now_ms, settings.data)
    revocations = Revocations()
    revocations.listen(keys.ended)
    revocations.follow(keys.openers)
    room, hls = settings.room, settings.hls
    decoding = asyncio.Semaphore(2)
    services = Services(
        settings=settings,
        public_url=public_url,
        database=database,
        plane=plane,
        director=director,
        archivist=archivist,
        erasing=erasing,
        uploads=uploads,
        audience=audience,
        captions=Captioning(database, plane, clock=now_ms, session_at=session_at),
        edges=edges,
        keys=keys,
        schedules=SchedulePoller(database, settings.schedules, notices, clock=now_ms, applied=director.refresh),
        notices=notices,
        notifier=notifier,
        revocations=revocations,
        state_of=state_of,
        waiters=StateWaiters(state_of, limit=hls.max_held_total, per_household=hls.max_held_per_address),
        cursors=Cursors(database),
        tables=Documents(),
        proxies=Proxies(settings.server.trusted_proxies, fronts=settings.server.web_processes > 0),
        # Ten times as many as are answered: wrong tokens must not keep out a right one that comes for the first time.
        admin_token=AdminToken(settings.admin_token, RateLimit(10 * room.failed_attempts_per_minute)),
        first_admin=FirstAdminLink(database, settings.data, public_url, allowed=not settings.admin_token, clock=now_ms),
        hall_code_lookup=HallCodeLookup(database),
        hashing=Turnstile(),
        decoding=decoding,
        portraits=Portraits(settings.data / "portraits", database, settings.schedules, decoding),
        publish_attempts=RateLimit(room.attempts_per_minute),
        # A lecture hall is one address: as many people may try WHEP there as may wait for a playlist.
        play_attempts=RateLimit(hls.max_held_per_address),
        failed_tokens=RateLimit(room.failed_attempts_per_minute),
        failed_passwords=RateLimit(FAILED_PASSWORDS_PER_MINUTE),
        exports=RateLimit(EXPORTS_PER_MINUTE, burst=EXPORTS_AT_ONCE, message="Too many exports."),
        caption_posts=RateLimit(
            CAPTIONS_PER_MINUTE, burst=CAPTIONS_AT_ONCE, message="Captions come faster than anybody reads."
        ),
        playback=PlaybackReports(),
        # A household that is a full hall: two reports in half a minute of each of its players.
        playback_posts=RateLimit(4 * hls.max_held_per_address, burst=hls.max_held_per_address),
    )
    erasing.does(erasures.GrantErasure, partial(revoke_again, services))
    erasing.does(erasures.StretchErasure, partial(forgetting.again, services))
    room_alarms.unerased = lambda room: bool(erasing.unfinished(room)) or edges.owe(room)
    archivist.answers = edges.replay
    room_alarms.unkept = services.archivist.fails
    return services


def make_realtime(services: Services, viewers_of: Callable[[str], int] = lambda room: 0) -> Realtime:
    """The Socket.IO service; ``start`` it after the director, ``close`` it before."""

    async def find_session(session_id: str) -> Session | None:
        async with services.database.read() as connection:
            return await Sessions(connection).find(session_id)

    realtime = Realtime(
        services.settings.realtime,
        public_url=services.public_url,
        allowed_origins=services.settings.server.allowed_origins,
        director=services.director,
        plane=services.plane,
        access=RestAccess(services),
        views=RestViews(services),
        audience=services.audience,
        find_session=find_session,
        state_of=services.state_of,
        clock=now_ms,
        viewers_of=viewers_of,
        bus=core_bus(services.settings) if services.proxies.fronts else None,
    )

    async def ended(what: Ended) -> None:
        await realtime.close_grant(what.grant, what.login)

    services.revocations.listen(ended)
    services.revocations.follow(
        lambda: [Opener(who.grant.id, who.login) for one in realtime.hub.clients() if (who := one.caller) is not None]
    )
    services.captions.listen(
        lambda event: services.director.effects.rehearsals.captioned(event.room, now_ms()) if event.text else None
    )
    services.captions.listen(CaptionFeed(realtime.hub, services.director, services.state_of).hear)
    return realtime


def _hear_day(director: Director, archivist: Archivist, news: News) -> None:
    """Recordings follow the changes of sessions and incidents."""
    match news:
        case SessionChanged():
            archivist.changed(news.before, news.after)
            for session in neighbours(director.day(news.room).sessions, news.before, news.after):
                archivist.look_at(session.id)
        case IncidentChanged():
            archivist.marks_changed(news.session)


def _hear_alarms(notifier: Notifier, news: News) -> None:
    if isinstance(news, AlarmsChanged):
        notifier.hear(news.room, news.alarms)


def _hear_trouble(director: Director, notices: Notices, settings: AlarmSettings, event: AudienceEvent) -> None:
    """Troubles that several viewers report become an alarm for the technician, if they are not a few of many."""
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
    people, viewers = int(data["people"]), int(data["viewers"])
    enough = settings.enough_viewers(people, viewers)
    notices.complaint(room, str(data["kind"]), people, event.at_ms, session=session, enough=enough)


def _measure(app: web.Application, metrics: WebMetrics) -> None:
    services = app[SERVICES]
    metrics.watch_rooms(lambda: services.plane.rooms)
    metrics.watch_tasks(TASKS)
    metrics.watch_disk(lambda: disk_of(services.settings.data, len(services.plane.rooms)))
    metrics.watch_memory(memory)
    metrics.watch_gauge("streamer_backup_age_seconds", partial(backup_age_s, services.settings.data))
    if (served := services.settings.server.tls_cert) is not None:
        metrics.watch_gauge("streamer_certificate_left_seconds", partial(left_s, served))
    if FRONTS in app:
        # Connections from outside are theirs; here are only their own.
        metrics.watch_values("streamer_delivery", app[delivery.STATS], app[FRONTS].delivery)
        metrics.watch_values("streamer_connections", app[FRONTS].connections)
        metrics.watch_values("streamer_realtime", app[REALTIME].stats, app[FRONTS].realtime)
        metrics.watch_values("streamer_replay", app[delivery.REPLAY_STATS], app[FRONTS].replay)
    else:
        metrics.watch_values("streamer_delivery", app[delivery.STATS])
        metrics.watch_values("streamer_connections", app[CONNECTIONS])
        metrics.watch_values("streamer_realtime", app[REALTIME].stats)
        metrics.watch_values("streamer_replay", app[delivery.REPLAY_STATS])
    metrics.watch_values("streamer_uploads", services.uploads.stats)
    metrics.watch_values("streamer_playback", services.playback.stats)
    metrics.watch_values("streamer_notify", services.notifier.outbox.stats)
    metrics.watch_values("streamer_edges", services.edges.stats)
    metrics.watch_gauge("streamer_media_host_up", lambda: services.plane.host_up)
    metrics.watch_counter("streamer_media_host_reconnects", lambda: services.plane.host_reconnects)
    for name, limit in (
        ("publish", services.publish_attempts),
        ("play", services.play_attempts),
        ("failed_tokens", services.failed_tokens),
        ("failed_passwords", services.failed_passwords),
        ("hashing", services.hashing),
        ("guessed_admin_tokens", services.admin_token.guesses),
        ("exports", services.exports),
        ("playback", services.playback_posts),
        ("wrong_hall_codes", services.hall_code_lookup.wrong),
    ):
        metrics.watch_counter(f"streamer_refused_{name}", partial(getattr, limit, "refused"))
    metrics.watch_counter("streamer_audience_faults", lambda: services.audience.faults_total)
    for name, what in (
        ("director", services.director),
        ("archivist", services.archivist),
        ("erasing", services.erasing),
        ("notifier", services.notifier),
    ):
        metrics.watch_counter(f"streamer_{name}_faults", partial(getattr, what, "faults"))
