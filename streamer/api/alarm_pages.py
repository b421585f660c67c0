"""``/alarm/{key}``: the page of a message about an alarm. Programs of chats fetch the links that they show, so only a
POST takes the alarm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web

from streamer.api.auth import find_grant_by_id
from streamer.api.context import SERVICES, Services, actor_of, now_ms
from streamer.api.languages import locale_of
from streamer.conference.alarms import Alarm
from streamer.conference.duty import is_confidential, person_of
from streamer.conference.grants import Action, Grant, Target
from streamer.errors import NotFound, StreamerError
from streamer.store.room_states import Acknowledgement
from streamer.store.shifts import LOOK, TAKE, AlarmKey

_TEXTS = {
    "en": {
        "take": "I take it",
        "yours": "You have it. If the trouble lasts for five minutes, it rings again.",
        "theirs": "{name} has it.",
        "over": "The trouble is over.",
        "since": "Since {time}.",
        "expired": "This link has expired",
        "expired_text": "A link for taking an alarm is good for 15 minutes. Open the studio.",
        "still": "The public picture at that time",
        "clip": "The seconds before",
        "studio": "Open the studio",
    },
    "fr": {
        "take": "Je m’en occupe",
        "yours": "C’est à vous. Si le problème dure cinq minutes, l’alarme sonne de nouveau.",
        "theirs": "{name} s’en occupe.",
        "over": "Le problème est terminé.",
        "since": "Depuis {time}.",
        "expired": "Ce lien a expiré",
        "expired_text": "Le lien pour prendre une alarme marche pendant 15 minutes. Ouvrez la régie.",
        "still": "L’image publique à ce moment",
        "clip": "Les secondes d’avant",
        "studio": "Ouvrir la régie",
    },
}

_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>{title} · Streamer</title><style>
:root{{color-scheme:light dark}}*{{box-sizing:border-box}}
body{{margin:0;font:1.1rem/1.5 system-ui,sans-serif}}
main{{max-width:34rem;margin:0 auto;padding:1.5rem 1rem;display:grid;gap:1rem}}
h1{{font-size:1.5rem;line-height:1.2;margin:0;overflow-wrap:anywhere}}p{{margin:0}}
img,video{{width:100%;height:auto;border-radius:.5rem;background:#000}}
button{{font:inherit;font-weight:700;width:100%;min-height:3.5rem;border:0;border-radius:.5rem;background:#0b57d0;
color:#fff;cursor:pointer}}button:focus-visible{{outline:3px solid;outline-offset:3px}}
</style></head><body><main><h1>{title}</h1>{body}<p><a href="{studio}">{to_studio}</a></p></main></body></html>
"""


async def page(request: web.Request) -> web.Response:
    """Tells of the alarm, and has the button that takes it."""
    services = request.app[SERVICES]
    key, look = await _keys(request)
    if key is None:
        return _expired(request)
    taken_by = None if (taken := _taken(services, key)) is None else taken.label or taken.who
    yours = taken is not None and taken.who == person_of(key.grant)
    return _told(request, services, key, look, taken_by, yours=yours)


async def take(request: web.Request) -> web.Response:
    """Take the alarm. Once more: the same answer."""
    services = request.app[SERVICES]
    key, look = await _keys(request)
    grant = None if key is None else await find_grant_by_id(person_of(key.grant), services)
    if key is None or grant is None or key.purpose != TAKE or not _may(services, grant, key.room):
        return _expired(request)
    try:
        await services.director.alarm_actions.acknowledge(key.room, key.alarm, actor_of(grant))
    except NotFound:
        return _told(request, services, key, look, None, yours=False)
    return _told(request, services, key, look, grant.label or grant.role.value, yours=True)


async def still(request: web.Request) -> web.Response:
    key = await _looking(request)
    jpeg = request.app[SERVICES].notifier.still(key)
    if jpeg is None:
        raise NotFound("There is no picture.", code="no_still")
    return _private(web.Response(body=jpeg, content_type="image/jpeg"))


async def clip(request: web.Request) -> web.Response:
    key = await _looking(request)
    movie = await request.app[SERVICES].notifier.clip(key)
    if movie is None:
        raise NotFound("There is no clip.", code="no_clip")
    return _private(web.Response(body=movie, content_type="video/mp4"))


# --- keys -----------------------------------------------------------------------------------------


async def _keys(request: web.Request) -> tuple[AlarmKey | None, str]:
    """The key that takes, or the one that only shows; and the text of the latter."""
    services, look = request.app[SERVICES], request.match_info.get("look", "")
    found = await services.notifier.key(request.match_info["key"], TAKE)
    seen = await services.notifier.key(look, LOOK) if look else None
    if found is None and seen is None:
        _count_miss(request, services)
        return None, ""
    return found or seen, look if seen is not None else ""


async def _looking(request: web.Request) -> AlarmKey:
    """Raises NotFound."""
    services = request.app[SERVICES]
    key = await services.notifier.key(request.match_info["key"], LOOK)
    grant = None if key is None else await find_grant_by_id(person_of(key.grant), services)
    if key is None or grant is None or not _may(services, grant, key.room):
        _count_miss(request, services)
        raise NotFound("This link has expired.", code="link_expired")
    return key


def _count_miss(request: web.Request, services: Services) -> None:
    """Raises TooMany for a household that guesses."""
    services.failed_tokens.take(services.proxies.client_household(request))


def _may(services: Services, grant: Grant, room_id: str) -> bool:
    room = services.director.room(room_id)
    if room is None or not grant.in_force(now_ms()):
        return False
    return grant.allows(Action.ALARM_ACKNOWLEDGE, Target(room=room.id, venue=room.venue))


def _taken(services: Services, key: AlarmKey) -> Acknowledgement | None:
    try:
        return services.director.acknowledged(key.room).get(key.alarm)
    except StreamerError:
        return None


# --- the page -------------------------------------------------------------------------------------


def _told(
    request: web.Request, services: Services, key: AlarmKey, look: str, taken_by: str | None, *, yours: bool
) -> web.Response:
    lang = locale_of(request)
    texts, alarm, room = _TEXTS[lang], services.notifier.present(key), services.director.room(key.room)
    if room is None:
        return _expired(request)
    if alarm is None:
        return _page(request, f"{room.name}: {texts['over']}", "", status=200)
    cause, remedy = services.notifier.words(alarm, lang, services.director.day(room.id).zone)
    parts = []
    confidential = is_confidential(alarm, services.director.day(room.id), now_ms())
    if not confidential:
        parts += [f"<p>{escape(text)}</p>" for text in (remedy, _since(services, alarm, room.id, texts)) if text]
    if taken_by is not None:
        sentence = texts["yours"] if yours else texts["theirs"].format(name=taken_by)
        parts.append(f'<p role="status">{escape(sentence)}</p>')
    if not yours and key.purpose == TAKE:
        parts.append(f'<form method="post"><button>{escape(texts["take"])}</button></form>')
    if look and not confidential:
        base = f"/alarm/{escape(look)}"
        parts.append(f'<img src="{base}/still.jpg" alt="{escape(texts["still"])}">')
        parts.append(
            f'<video src="{base}/clip.mp4" controls playsinline preload="none" aria-label="{escape(texts["clip"])}">'
            "</video>"
        )
    return _page(request, f"{room.name}: {cause}", "".join(parts), status=200)


def _since(services: Services, alarm: Alarm, room: str, texts: Mapping[str, str]) -> str:
    zone = ZoneInfo(services.director.day(room).zone)
    return texts["since"].format(time=f"{datetime.fromtimestamp(alarm.since_ms / 1000, zone):%H:%M}")


def _expired(request: web.Request) -> web.Response:
    texts = _TEXTS[locale_of(request)]
    return _page(request, texts["expired"], f"<p>{escape(texts['expired_text'])}</p>", status=404)


def _page(request: web.Request, title: str, body: str, *, status: int) -> web.Response:
    lang = locale_of(request)
    text = _PAGE.format(
        lang=lang, title=escape(title), body=body, studio="/studio", to_studio=escape(_TEXTS[lang]["studio"])
    )
    return _private(web.Response(status=status, text=text, content_type="text/html"))


def _private(response: web.Response) -> web.Response:
    """The address is the secret: no cache keeps it, no other site learns it, no search finds it."""
    response.headers[hdrs.CACHE_CONTROL] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def add_routes(app: web.Application) -> None:
    app.router.add_get("/alarm/{key}/still.jpg", still)
    app.router.add_get("/alarm/{key}/clip.mp4", clip)
    for path in ("/alarm/{key}", "/alarm/{key}/{look}"):
        app.router.add_get(path, page)
        app.router.add_post(path, take)
