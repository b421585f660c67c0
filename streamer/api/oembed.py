"""``/oembed``: how another site shows a room or a session (oEmbed 1.0, https://oembed.com).

It answers of public content only. An address of a closed session is answered like one that does not exist.
"""

from __future__ import annotations

from html import escape
from typing import Any
from xml.sax.saxutils import escape as escape_xml

from aiohttp import hdrs, web

from streamer.api import summaries
from streamer.api.context import SERVICES
from streamer.api.summaries import SITE, PageSummary, absolute
from streamer.errors import BadRequest, NotFound, StreamerError

WIDTH, HEIGHT = 960, 540
AGE_S = 60
"""A session begins, ends and becomes private: no cache keeps an answer for long."""


class UnknownFormat(StreamerError):
    """2.3.4: "the provider cannot return a response in the requested format"."""

    code, status = "unknown_format", 501


async def oembed(request: web.Request) -> web.Response:
    """Raises BadRequest, NotFound, UnknownFormat."""
    services = request.app[SERVICES]
    kind = request.query.get("format", "json")
    if kind not in ("json", "xml"):
        raise UnknownFormat("There are json and xml.")
    address = request.query.get("url", "")
    if not address:
        raise BadRequest("Name the page: url=…", code="no_url")
    width, height = size(_bound(request, "maxwidth"), _bound(request, "maxheight"))
    summary = await summaries.of_address(services, address)
    if summary is None:
        raise NotFound("There is no such page.", code="no_such_page")
    told = answer(summary, services.public_url, width, height)
    if summary.picture:
        # 2.3.4.1: the size may be told only together with the address. A still is as large as the player asks for.
        told |= {
            "thumbnail_url": absolute(services, summary.picture),
            "thumbnail_width": width,
            "thumbnail_height": height,
        }
    headers = {hdrs.CACHE_CONTROL: f"public, max-age={AGE_S}", hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}
    if kind == "json":
        return web.json_response(told, headers=headers)
    items = "".join(f"<{name}>{escape_xml(str(value))}</{name}>" for name, value in told.items())
    body = f'<?xml version="1.0" encoding="utf-8" standalone="yes"?><oembed>{items}</oembed>'
    return web.Response(text=body, content_type="text/xml", charset="utf-8", headers=headers)


def answer(summary: PageSummary, public_url: str, width: int, height: int) -> dict[str, Any]:
    """The page's own player as a frame; without one, a link."""
    title = summary.title or SITE
    told: dict[str, Any] = {
        "version": "1.0",
        "type": "video" if summary.embed else "link",
        "title": title,
        "provider_name": SITE,
        "provider_url": f"{public_url}/",
        "cache_age": AGE_S,
    }
    facts = summary.main
    if facts is not None and facts.session.speakers:
        told["author_name"] = ", ".join(facts.session.speakers)
    if summary.embed:
        frame = (
            f'<iframe src="{escape(public_url + summary.embed)}" width="{width}" height="{height}" '
            f'title="{escape(title)}" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen '
            'style="border:0"></iframe>'
        )
        told |= {"html": frame, "width": width, "height": height}
    return told


def size(most_width: int | None, most_height: int | None) -> tuple[int, int]:
    """The largest 16:9 frame up to our usual one that fits, pixels."""
    width = min(WIDTH, most_width or WIDTH)
    if most_height is not None:
        width = min(width, most_height * 16 // 9)
    return width, max(1, width * 9 // 16)


def _bound(request: web.Request, name: str) -> int | None:
    value = request.query.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= 100_000:
        raise BadRequest(f"{name} is a number of pixels.", code="bad_size")
    return int(value)


def add_routes(app: web.Application) -> None:
    app.router.add_get("/oembed", oembed)
