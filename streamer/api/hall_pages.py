"""``/join/{code}``: the hall's page on phones, its QR code as a picture, and a poster to print. Also the QR code of a
room's public page, for screens that must not show a code."""

from __future__ import annotations

import functools
import io
from html import escape
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from streamer.api.branding import branding_of_room
from streamer.api.context import SERVICES
from streamer.api.hall_codes import link_of
from streamer.api.pages import missing_page, shell_page
from streamer.api.whip import room_of
from streamer.conference.hall_codes import HALL, HallCode
from streamer.errors import NotFound, TooMany
from streamer.store.hall_codes import no_such_code

if TYPE_CHECKING:
    import segno

_CONTENT_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
_FRESH = {hdrs.CACHE_CONTROL: "no-cache"}
"""A code may be revoked at any time."""
_KEPT = {hdrs.CACHE_CONTROL: "public, max-age=3600"}
"""The address of a room does not change."""

_POSTER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>{code} · {room}</title><style>
@page{{size:A4;margin:14mm}}
*{{box-sizing:border-box}}
body{{margin:0;background:#e9ecf1;color:#111;font:15pt/1.35 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}}
main{{width:210mm;max-width:100%;min-height:268mm;margin:0 auto;padding:12mm 14mm;background:#fff;display:flex;
flex-direction:column;align-items:center;justify-content:space-between;gap:8mm;text-align:center}}
p,h1{{margin:0;overflow-wrap:anywhere}}
header p{{font-size:17pt;color:#444}}
h1{{font-size:{room_pt}pt;line-height:1.1;text-wrap:balance}}
.ask{{font-size:25pt;line-height:1.2;font-weight:700}}
.ask+p{{font-size:16pt;color:#333;margin-top:2mm}}
.qr{{width:105mm;max-width:100%}}svg{{display:block;width:100%;height:auto}}
.address{{font-size:18pt}}
.code{{font:700 62pt/1.1 ui-monospace,"SF Mono",Menlo,Consolas,monospace;letter-spacing:.08em;margin-right:-.08em}}
.languages{{display:grid;grid-template-columns:1fr 1fr;gap:10mm;width:100%}}
aside{{padding:10px;text-align:center;font-size:11pt;color:#333}}
@media print{{body{{background:#fff}}main{{width:auto;padding:0;min-height:266mm}}aside{{display:none}}}}
@media (max-width:600px){{main{{padding:1rem}}.languages{{grid-template-columns:1fr}}.code{{font-size:36pt}}}}
</style></head><body>
<aside><span lang="en">Print this page: Ctrl+P or ⌘P.</span>
<span lang="fr">Imprimez cette page : Ctrl+P ou ⌘P.</span></aside>
<main><header><p>{above}</p><h1>{room}</h1></header>
<div class="languages"><div lang="fr"><p class="ask">Posez vos questions, votez</p>
<p>Scannez le code avec votre téléphone. Ni compte, ni application.</p></div>
<div lang="en"><p class="ask">Ask questions, vote</p>
<p>Scan the code with your phone. No account, no app.</p></div></div>
{qr}
<div><p class="address">{address}</p><p class="code">{code}</p></div>
</main></body></html>
"""


async def hall(request: web.Request) -> web.Response:
    """The hall's page. Without such a code it is the same page, where people can type another."""
    services = request.app[SERVICES]
    typed = request.match_info["code"]
    status, problem, retry_after = 404, "unknown", ""
    try:
        found = await _find(request)
        room, venue = await room_of(services.database, found.room)
    except NotFound:
        pass
    except TooMany as error:
        status, problem, retry_after = error.status, "too_many", error.headers.get(hdrs.RETRY_AFTER, "")
    else:
        told = {"code": found.code, "place": found.place, "problem": None}
        branding = branding_of_room(services, room, venue)
        return shell_page(request, "hall", "hall", room, venue, more={"hall": told}, branding=branding)
    told = {"code": typed[:64], "place": HALL, "problem": problem}
    answer = shell_page(request, "hall", "hall", None, None, more={"hall": told}, status=status)
    if retry_after:
        answer.headers[hdrs.RETRY_AFTER] = retry_after
    return answer


async def picture(request: web.Request) -> web.Response:
    """The link of the code as a QR code: SVG of any size, PNG of some 700 pixels."""
    kind = request.match_info["kind"]
    link = link_of(await _find(request), request.app[SERVICES].public_url)
    if kind == "svg":
        return web.Response(body=_svg(link), content_type=_CONTENT_TYPES[kind], headers=_FRESH)
    out = io.BytesIO()
    _qr(link).save(out, kind="png", border=4, scale=20)
    return web.Response(body=out.getvalue(), content_type=_CONTENT_TYPES[kind], headers=_FRESH)


async def watch_picture(request: web.Request) -> web.Response:
    """The address of a room's public page as a QR code: SVG of any size. Raises NotFound ``no_such_room``."""
    services = request.app[SERVICES]
    room, _ = await room_of(services.database, request.match_info["room"])
    body = _svg(f"{services.public_url}/watch/{room.id}")
    return web.Response(body=body, content_type=_CONTENT_TYPES["svg"], headers=_KEPT)


async def poster(request: web.Request) -> web.Response:
    """A4, in both languages, to print."""
    services = request.app[SERVICES]
    try:
        found = await _find(request)
        room, venue = await room_of(services.database, found.room)
    except NotFound:
        return missing_page(request)
    link = link_of(found, services.public_url)
    above = [venue.name] if venue is not None else []
    if found.place != HALL:
        above.append(found.place)
    qr = _qr(link).svg_inline(border=2, omitsize=True, svgclass=None, lineclass=None)
    text = _POSTER.format(
        room=escape(room.name),
        room_pt=44 if len(room.name) <= 24 else 32 if len(room.name) <= 60 else 22,
        above=escape(" · ".join(above)),
        qr=f'<div class="qr" role="img" aria-label="{escape(link)}">{qr}</div>',
        address=escape(link.partition("://")[2].rpartition("/")[0]),
        code=found.code,
    )
    return web.Response(text=text, content_type="text/html", headers=_FRESH)


async def _find(request: web.Request) -> HallCode:
    """Raises NotFound, TooMany."""
    services = request.app[SERVICES]
    household = services.proxies.client_household(request)
    found = await services.hall_code_lookup.find(request.match_info["code"], household)
    if found is None:
        raise no_such_code()
    return found


@functools.lru_cache(maxsize=256)
def _qr(link: str) -> segno.QRCode:
    # Here: a process that starts has no time for it.
    import segno

    # Level Q: people scan it from the last row, over other people's heads.
    return segno.make(link, error="q", micro=False)


@functools.lru_cache(maxsize=256)
def _svg(link: str) -> bytes:
    out = io.BytesIO()
    _qr(link).save(out, kind="svg", border=4, light="#fff", omitsize=True, xmldecl=False, svgclass=None, lineclass=None)
    return out.getvalue()


def add_routes(app: web.Application) -> None:
    app.router.add_get("/join/{code}", hall)
    app.router.add_get("/join/{code}/qr.{kind:svg|png}", picture)
    app.router.add_get("/join/{code}/poster", poster)
    app.router.add_get("/watch/{room}/qr.svg", watch_picture)
