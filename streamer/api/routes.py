"""One application with all routes of the API."""

from __future__ import annotations

import functools

from aiohttp import web

from streamer.api import (
    alarm_pages,
    alarms,
    approvals,
    audit,
    captions,
    counting,
    crew,
    cutting,
    duty,
    events,
    exports,
    first_admin,
    grants,
    hall_codes,
    hall_pages,
    hooks,
    imports,
    login,
    malformed,
    oembed,
    pages,
    participation,
    pictures,
    playback,
    readiness,
    recordings,
    repeating,
    replays,
    room_pictures,
    rooms,
    schedule_sources,
    sessions,
    sources,
    taps,
    templates,
    timelines,
    venues,
    version,
    whep,
    whip,
)
from streamer.api.context import SERVICES, Services
from streamer.api.middlewares import (
    Observe,
    add_headers,
    csrf,
    errors,
    make_access_middleware,
)
from streamer.api.openapi import DOCUMENT_PATH, answered_with, openapi_document
from streamer.api.routing import add_routes

ROUTES = (
    *venues.ROUTES,
    *rooms.ROUTES,
    *room_pictures.ROUTES,
    *captions.ROUTES,
    *hall_codes.ROUTES,
    *events.ROUTES,
    *sessions.ROUTES,
    *repeating.ROUTES,
    *templates.ROUTES,
    *taps.ROUTES,
    *sources.ROUTES,
    *alarms.ROUTES,
    *readiness.ROUTES,
    *playback.ROUTES,
    *crew.ROUTES,
    *hooks.ROUTES,
    *duty.ROUTES,
    *recordings.ROUTES,
    *cutting.ROUTES,
    *approvals.ROUTES,
    *replays.ROUTES,
    *imports.ROUTES,
    *schedule_sources.ROUTES,
    *grants.ROUTES,
    *login.ROUTES,
    *first_admin.ROUTES,
    *audit.ROUTES,
    *counting.ROUTES,
    *pictures.ROUTES,
    *participation.ROUTES,
    *timelines.ROUTES,
    *version.ROUTES,
)
"""The REST interface."""


def make_application(services: Services, observe: Observe) -> web.Application:
    """An application with the API, the pages and the signalling. The caller adds delivery and health."""
    malformed.install()
    app = web.Application(
        client_max_size=services.settings.server.max_body_bytes,
        middlewares=[
            make_access_middleware(observe),
            errors,
            pages.people,
            csrf,
        ],
    )
    app[SERVICES] = services
    app.on_response_prepare.append(add_headers)

    async def release(_app: web.Application) -> None:
        await services.waiters.close()

    app.on_shutdown.append(release)
    app.router.add_get(DOCUMENT_PATH, answered_with(functools.partial(openapi_document, ROUTES)))
    add_routes(app, ROUTES)
    whip.add_routes(app)
    whep.add_routes(app)
    pictures.add_routes(app)
    exports.add_routes(app)
    oembed.add_routes(app)
    pages.add_routes(app)
    hall_pages.add_routes(app)
    alarm_pages.add_routes(app)
    return app
