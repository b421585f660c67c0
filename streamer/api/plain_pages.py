"""Pages of one sentence, for people who would otherwise read JSON. They need nothing but the request."""

from __future__ import annotations

from html import escape

from aiohttp import hdrs, web

from streamer.api.languages import locale_of

_AGAIN = '<meta http-equiv="refresh" content="2">'
_TEXTS = {
    "en": {
        "missing": "There is nothing here",
        "missing_text": "There is no such page. The address may be mistyped, or the room may have been removed.",
        "closed": "This link opens nothing",
        "closed_text": "It may have been taken back, or it is of an older kind. Ask for a new link.",
        "away": "One moment, please",
        "away_text": "The server starts again. This page comes by itself in a few seconds.",
        "home": "To the list of rooms",
        "unbuilt": "The pages are not built yet",
        "unbuilt_text": "The server runs, but web/dist is missing. Run “make setup”.",
    },
    "fr": {
        "missing": "Il n’y a rien ici",
        "missing_text": "Cette page n’existe pas. L’adresse est peut-être mal tapée, ou la salle a été supprimée.",
        "closed": "Ce lien n’ouvre rien",
        "closed_text": "Il a peut-être été retiré, ou il est d’une forme ancienne. Demandez un nouveau lien.",
        "away": "Un instant, s’il vous plaît",
        "away_text": "Le serveur redémarre. Cette page arrive d’elle-même dans quelques secondes.",
        "home": "Vers la liste des salles",
        "unbuilt": "Les pages ne sont pas encore construites",
        "unbuilt_text": "Le serveur tourne, mais web/dist manque. Lancez « make setup ».",
    },
}

_PLAIN = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
{again}<title>{title} · Streamer</title><style>
:root{{color-scheme:light dark}}
body{{margin:0;min-height:100vh;display:grid;place-items:center;font:1.1rem/1.5 system-ui,sans-serif}}
main{{max-width:34rem;padding:2rem}}h1{{font-size:1.6rem;margin:0 0 1rem}}
</style></head><body><main><h1>{title}</h1><p>{text}</p>{link}</main></body></html>
"""


def plain_page(
    request: web.Request, status: int, title: str, text: str, link: str | None = None, *, again: bool = False
) -> web.Response:
    lang = locale_of(request)
    texts = _TEXTS[lang]
    anchor = f'<p><a href="/">{escape(texts[link])}</a></p>' if link else ""
    body = _PLAIN.format(
        lang=lang, again=_AGAIN if again else "", title=escape(texts[title]), text=escape(texts[text]), link=anchor
    )
    headers = {hdrs.CACHE_CONTROL: "no-store", hdrs.VARY: "Accept-Language"}
    return web.Response(status=status, text=body, content_type="text/html", headers=headers)
