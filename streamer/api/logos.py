"""Partners' logos for pages and the slate: uploaded once, checked and kept in the data folder."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from pathlib import Path

from aiohttp import hdrs, web
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel

from streamer.api.context import SERVICES
from streamer.api.routing import Call, Route, read_file
from streamer.conference.grants import Action, Target
from streamer.control.process_files import write_atomically
from streamer.errors import NotFound, Unprocessable

MAX_BYTES = 900_000
MAX_SIDE = 4000
KEPT_SIDE = 800
"""On a slate of 1080 lines a logo is a few hundred pixels wide."""
FORMATS = ("PNG", "JPEG", "WEBP")
_NAME = re.compile(r"[0-9a-f]{24}\.png", re.ASCII)


class LogoView(BaseModel):
    address: str
    """For a venue's or an event's ``logos``."""
    width: int
    height: int


async def upload(call: Call) -> LogoView:
    """The body is the picture itself: PNG, JPEG or WebP."""
    assert call.grant is not None
    call.require(Target(venue=call.grant.venue, event=call.grant.event))
    data = await read_file(call.request, MAX_BYTES)
    picture, size = await asyncio.to_thread(_checked, data)
    name = f"{hashlib.sha256(picture).hexdigest()[:24]}.png"
    folder = call.services.settings.data / "logos"
    await asyncio.to_thread(write_atomically, folder / name, picture)
    return LogoView(address=f"/logos/{name}", width=size[0], height=size[1])


def _checked(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """The picture as a PNG of bounded size, without the file's other contents. Raises Unprocessable."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if max(opened.size) > MAX_SIDE or min(opened.size) < 1:
                raise Unprocessable(f"A logo has at most {MAX_SIDE} pixels a side.", code="bad_picture")
            # The kept picture has no EXIF, which says how a photograph is to be turned.
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise Unprocessable("This is no PNG, JPEG or WebP picture.", code="bad_picture") from error
    picture.thumbnail((KEPT_SIDE, KEPT_SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue(), picture.size


async def show(request: web.Request) -> web.StreamResponse:
    """A logo's name is made from its content, so a cache may keep it for ever."""
    name = request.match_info["name"]
    path: Path = request.app[SERVICES].settings.data / "logos" / name
    if _NAME.fullmatch(name) is None or not await asyncio.to_thread(path.is_file):
        raise NotFound("There is no such logo.")
    headers = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable", hdrs.CONTENT_TYPE: "image/png"}
    return web.FileResponse(path, headers=headers)


def add_routes(app: web.Application) -> None:
    app.router.add_get("/logos/{name}", show)


ROUTES = (
    Route(
        "POST",
        "/logos",
        upload,
        "Upload a partner's logo (PNG, JPEG or WebP as the body) for venues and events",
        "logos",
        action=Action.EVENT_CHANGE,
        answers=(LogoView,),
        status=201,
    ),
)
