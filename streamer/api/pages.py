"""The shells of the pages. They contain the configuration that a page needs at once, and, for everybody, what is public
(:mod:`.summaries`); the API gives the rest."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from streamer import __version__
from streamer.api import summaries, summary_markup
from streamer.api.assets import FILES, FirstText, add_files, takes
from streamer.api.auth import authenticate, caller_of
from streamer.api.branding import Branding, branding_of, branding_of_event, branding_of_home, branding_of_room
from streamer.api.context import SERVICES
from streamer.api.cookies import participant_cookie
from streamer.api.languages import locale_of
from streamer.api.participation import participant_of
from streamer.api.plain_pages import plain_page
from streamer.api.routing import PREFIX
from streamer.api.sessions import any_session, told_of
from streamer.api.whip import room_of
from streamer.conference.rooms import Room, Venue
from streamer.errors import NotFound, StreamerError, Unavailable
from streamer.links import page_of

FOR_THE_AUDIENCE = frozenset({"watch", "session", "join", "hall", "stage"})
"""Pages that give a participant their cookie. In another site's frame the cookie would not come back, so ``embed`` gets
a key."""

BRANDED = frozenset({"embed", "stage"})
"""Pages of a room that look as its venue or event does. The crew's tools look the same everywhere."""

SECURITY_TXT_LASTS = timedelta(days=180)


async def home(request: web.Request) -> web.Response:
    services = request.app[SERVICES]
    summary = await summaries.of_home(services)
    branding = branding_of_home(services, request.query.get("venue"))
    told = _first_text(request, summary, branding)
    try:
        grant = await authenticate(request, services)
    except StreamerError:
        grant = None
    # A role with a page for each room chooses one here, unless its grant names one.
    chooses = grant is not None and page_of(grant) == "/"
    more = {"chooses": True} if chooses else None
    response = shell_page(request, "index", "home", None, None, more=more, told=told, branding=branding)
    if chooses:
        response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    return response


async def watch(request: web.Request) -> web.Response:
    services = request.app[SERVICES]
    try:
        room, venue = await room_of(services.database, request.match_info["room"])
    except NotFound:
        return missing_page(request)
    summary = await summaries.of_room(services, room, venue)
    now = None
    if (facts := summary.main) is not None:
        now = {name: getattr(facts.session, name) for name in ("title", "language", "speakers")}
    branding = branding_of_room(services, room, venue)
    told = _first_text(request, summary, branding)
    return shell_page(request, "watch", "watch", room, venue, more={"now": now}, told=told, branding=branding)


async def embed(request: web.Request) -> web.Response:
    """The only page that other sites may frame."""
    return await _room_page(request, "embed")


async def studio(request: web.Request) -> web.Response:
    if "room" in request.match_info:
        return await _room_page(request, "studio")
    return shell_page(request, "studio", "studio", None, None)


async def admin(request: web.Request) -> web.Response:
    """The page of organisers. It reads from its own address which part of it is open."""
    return shell_page(request, "admin", "admin", None, None)


async def moderate(request: web.Request) -> web.Response:
    """The moderators' page, for the chat and the questions."""
    if "room" in request.match_info:
        return await _room_page(request, "moderate")
    return shell_page(request, "moderate", "moderate", None, None)


async def caption(request: web.Request) -> web.Response:
    """The captioners' page."""
    return await _room_page(request, "caption")


async def stage(request: web.Request) -> web.Response:
    """The screen of the speaker and the hall. A token opens the part that only the speaker may see."""
    return await _room_page(request, "stage")


async def join(request: web.Request) -> web.Response:
    """The target of links to sessions and events. The page logs in with the token of the fragment and goes on to the
    role's page."""
    return shell_page(request, "join", "join", None, None)


async def approve(request: web.Request) -> web.Response:
    """The page of a speaker who is asked about the cut of their replay. It is the same for every session."""
    return shell_page(request, "approve", "approve", None, None)


async def archive(request: web.Request) -> web.Response:
    """Past sessions. The page reads from its own address what is looked for."""
    services, event = request.app[SERVICES], request.query.get("event")
    branding = branding_of_event(services, event)
    told = _first_text(request, await summaries.of_archive(services, event), branding)
    return shell_page(request, "archive", "archive", None, None, told=told, branding=branding)


async def docs(request: web.Request) -> web.Response:
    """The interface for readers, made from the documents for programs."""
    return shell_page(request, "docs", "docs", None, None)


async def session(request: web.Request) -> web.Response:
    """One page for every key. Without a key it is 404 for all who may not know of such a session. The page is the same
    for a closed one and one that does not exist: the API gives it to those who log in."""
    if "key" not in request.match_info:
        services, session_id = request.app[SERVICES], request.match_info["session"]
        try:
            summary = await summaries.of_session(services, session_id)
        except Unavailable:
            # The page asks by itself until the database answers.
            return shell_page(request, "session", "session", None, None, status=503)
        if summary is not None:
            facts = summary.session
            branding = None if facts is None else branding_of(facts.venue, facts.event)
            told = _first_text(request, summary, branding)
            return shell_page(request, "session", "session", None, None, told=told, branding=branding)
        return shell_page(request, "session", "session", None, None, status=await _status_for_crew(request, session_id))
    response = shell_page(request, "session", "session", None, None)
    # The address is the secret that opens the session. So no other site learns it, no cache keeps it and no search
    # finds it.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers[hdrs.CACHE_CONTROL] = "private, no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


async def _status_for_crew(request: web.Request, session_id: str) -> int:
    """200 for holders of a login that covers this closed session, else 404."""
    services = request.app[SERVICES]
    try:
        grant = await authenticate(request, services)
    except StreamerError:
        return 404
    known = None if grant is None else await any_session(services, session_id)
    if known is None or not told_of(services, caller_of(request, grant, known), known).anything:
        return 404
    return 200


def _first_text(request: web.Request, summary: summaries.PageSummary, branding: Branding | None) -> FirstText:
    lang = locale_of(request)
    reader = summary_markup.reader_of(lang, request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
    if branding is not None:
        summary = replace(summary, site=branding.name, picture=summary.picture or branding.look.cover)
    head = summary_markup.head(summary, reader, request.app[SERVICES].public_url)
    return FirstText(head, summary_markup.text(summary, reader))


async def security_txt(request: web.Request) -> web.Response:
    """RFC 9116: the contact for reports of weaknesses. 404 if the settings name none."""
    services = request.app[SERVICES]
    contact = services.settings.server.security_contact
    if not contact:
        raise NotFound("There is no security contact.")
    # 2.5.5: "less than a year into the future". Counted from today on, so nobody has to renew it.
    expires = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + SECURITY_TXT_LASTS
    lines = (
        f"Contact: {contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: fr, en",
        f"Canonical: {services.public_url}/.well-known/security.txt",
    )
    headers = {hdrs.CACHE_CONTROL: "public, max-age=86400"}
    text = "".join(f"{line}\n" for line in lines)
    return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=headers)


async def _room_page(request: web.Request, name: str) -> web.Response:
    services = request.app[SERVICES]
    try:
        room, venue = await room_of(services.database, request.match_info["room"])
    except NotFound:
        return missing_page(request)
    branding = branding_of_room(services, room, venue) if name in BRANDED else None
    return shell_page(request, name, name, room, venue, branding=branding)


def shell_page(
    request: web.Request,
    file: str,
    page: str,
    room: Room | None,
    venue: Venue | None,
    *,
    more: Mapping[str, object] | None = None,
    status: int = 200,
    told: FirstText | None = None,
    branding: Branding | None = None,
) -> web.Response:
    """A page's shell with its configuration in it. ``more`` is the configuration of this page alone, ``told`` its text
    before its program has loaded, ``branding`` what it looks like."""
    services = request.app[SERVICES]
    config = {
        "page": page,
        "room": None if room is None else _told(room, venue),
        "publicUrl": services.public_url,
        "version": __version__,
        "whep": services.settings.whep.max_viewers > 0,
        # TURN needs a password: publishers get it with the WHIP answer, after their token was checked.
        "iceServers": [{"urls": url} for url in services.settings.ice.stun_servers],
        "locale": locale_of(request),
        "branding": None if branding is None else branding.config,
        **(more or {}),
    }
    body = request.app[FILES].shell(file, config, told, "" if branding is None else branding.head)
    if body is None:
        return plain_page(request, 503, "unbuilt", "unbuilt_text")
    headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: "Accept-Encoding, Accept-Language"}
    if page in FOR_THE_AUDIENCE and participant_of(request, services) is None:
        # The cookie is for this browser only, so no cache may keep the answer.
        headers[hdrs.SET_COOKIE] = participant_cookie(request, services, services.audience.new_identity()[1])
        headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    if takes(request, "gzip"):
        # A few kilobytes take a fraction of a millisecond.
        body = gzip.compress(body, 5, mtime=0)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(status=status, body=body, content_type="text/html", charset="utf-8", headers=headers)


def _told(room: Room, venue: Venue | None) -> dict[str, object]:
    return {
        "id": room.id,
        "name": room.name,
        "venue": venue.name if venue else None,
        "timezone": venue.timezone if venue else None,
        "logos": list(venue.logos) if venue else [],
    }


@web.middleware
async def people(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A browser that opens an address that does not exist gets a page; programs get our JSON."""
    navigates = request.method in ("GET", "HEAD") and "text/html" in request.headers.get(hdrs.ACCEPT, "")
    try:
        response = await handler(request)
    except web.HTTPNotFound:
        if navigates:
            return missing_page(request)
        raise
    if response.status == 404 and navigates and request.path.startswith(("/live/", "/replay/")):
        return plain_page(request, 404, "closed", "closed_text", link="home")
    return response


def missing_page(request: web.Request) -> web.Response:
    """The 404 page for people, in their language."""
    return plain_page(request, 404, "missing", "missing_text", link="home")


def add_routes(app: web.Application) -> None:
    add_files(app, app[SERVICES].settings)
    app.router.add_get("/", home)
    app.router.add_get("/watch/{room}", watch)
    app.router.add_get("/embed/{room}", embed)
    app.router.add_get("/studio", studio)
    app.router.add_get("/studio/{room}", studio)
    app.router.add_get("/session/{session}", session)
    app.router.add_get("/session/{session}/{key}", session)
    app.router.add_get("/admin", admin)
    app.router.add_get("/admin/{tail:.*}", admin)
    app.router.add_get("/caption/{room}", caption)
    app.router.add_get("/moderate", moderate)
    app.router.add_get("/moderate/{room}", moderate)
    app.router.add_get("/stage/{room}", stage)
    app.router.add_get("/approve/{session}", approve)
    app.router.add_get("/archive", archive)
    app.router.add_get("/join", join)
    app.router.add_get(f"{PREFIX}/docs", docs)
    app.router.add_get("/.well-known/security.txt", security_txt)
