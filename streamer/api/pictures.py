"""Pictures that people upload: partners' logos for pages and the slate, the organisers' own logo, covers. Each is
checked, made small and kept in the data folder."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

from aiohttp import hdrs, web
from pydantic import StringConstraints

from streamer.api.context import SERVICES, Services
from streamer.api.models import LazyModel
from streamer.api.routing import Call, Route, read_file
from streamer.conference.grants import Action, Target
from streamer.conference.looks import FAMILIES, Contrast, Palette, theme_of
from streamer.control.decoders import NotDecoded, decode
from streamer.control.process_files import write_atomically
from streamer.errors import NotFound, Unprocessable

DECODER = "streamer.media.pictures"
LOGO_BYTES = 900_000
COVER_BYTES = 8_000_000
_NAMES = {"logos": re.compile(r"[0-9a-f]{24}\.png", re.ASCII), "covers": re.compile(r"[0-9a-f]{24}\.jpg", re.ASCII)}


class LogoView(LazyModel):
    address: str
    """For a venue's or an event's ``logos`` and ``logo``."""
    width: int
    height: int


class CoverView(LazyModel):
    address: str
    """For a venue's or an event's ``cover``."""
    width: int
    height: int


async def upload(call: Call) -> LogoView:
    """The body is the picture itself: PNG, JPEG or WebP."""
    return LogoView(**await _upload(call, "logo", LOGO_BYTES, "png"))


async def upload_cover(call: Call) -> CoverView:
    """The body is the picture itself: PNG, JPEG or WebP."""
    return CoverView(**await _upload(call, "cover", COVER_BYTES, "jpg"))


async def _upload(call: Call, kind: str, most: int, ending: str) -> dict[str, Any]:
    call.require(Target(venue=call.holder.venue, event=call.holder.event))
    picture, (width, height) = await checked(call.services, await read_file(call.request, most), kind)
    name = f"{hashlib.sha256(picture).hexdigest()[:24]}.{ending}"
    await asyncio.to_thread(write_atomically, call.services.settings.data / f"{kind}s" / name, picture)
    return {"address": f"/{kind}s/{name}", "width": width, "height": height}


async def checked(services: Services, data: bytes, kind: str) -> tuple[bytes, tuple[int, int]]:
    """The picture as it may be served, and its size in pixels. Another process decodes it. Raises Unprocessable
    ``bad_picture``."""
    try:
        async with services.decoding:
            told = await decode(DECODER, kind, data=data)
    except NotDecoded as error:
        raise no_picture() from error
    return told[8:], (int.from_bytes(told[:4], "big"), int.from_bytes(told[4:8], "big"))


def no_picture() -> Unprocessable:
    return Unprocessable("This is no PNG, JPEG or WebP picture, or one of too many pixels.", code="bad_picture")


async def show(request: web.Request) -> web.StreamResponse:
    """Its name is made from its content, so a cache may keep it for ever."""
    folder, name = request.path.split("/")[1], request.match_info["name"]
    path: Path = request.app[SERVICES].settings.data / folder / name
    if _NAMES[folder].fullmatch(name) is None or not await asyncio.to_thread(path.is_file):
        raise NotFound("There is no such picture.")
    content_type = "image/png" if folder == "logos" else "image/jpeg"
    headers = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable", hdrs.CONTENT_TYPE: content_type}
    return web.FileResponse(path, headers=headers)


# --- colours ----------------------------------------------------------------------------------------


class ThemeQuery(LazyModel):
    colour: Annotated[str, StringConstraints(to_lower=True, pattern=r"^#[0-9A-Fa-f]{6}$")]


class PaletteView(LazyModel):
    """Colours, ``#rrggbb``."""

    page: str
    surface: str
    raised: str
    sunken: str
    line: str
    control_line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    band: str
    on_band: str
    given_contrast: float
    """Of the given colour as text on these surfaces, where it is least. Below 4.5 it is not used as such."""
    contrast: float
    """Of ``accent``, which is used instead."""

    @classmethod
    def of(cls, palette: Palette, contrast: Contrast) -> PaletteView:
        colours = {name: getattr(palette, name) for name in Palette.__dataclass_fields__}
        return cls(**colours, given_contrast=round(contrast.given, 2), contrast=round(contrast.accent, 2))


class ThemeView(LazyModel):
    dark: PaletteView
    light: PaletteView
    families: dict[str, str]
    """CSS families of the typefaces, except the shipped one."""


async def theme(call: Call) -> ThemeView:
    derived = theme_of(call.query(ThemeQuery).colour)
    return ThemeView(
        dark=PaletteView.of(derived.dark, derived.dark_contrast),
        light=PaletteView.of(derived.light, derived.light_contrast),
        families={typeface.value: family for typeface, family in FAMILIES.items()},
    )


def add_routes(app: web.Application) -> None:
    for folder in _NAMES:
        app.router.add_get(f"/{folder}/{{name}}", show)


ROUTES = (
    Route(
        "POST",
        "/logos",
        upload,
        "Upload a partner's or an own logo (PNG, JPEG or WebP as the body) for venues and events",
        "logos",
        action=Action.EVENT_CHANGE,
        answers=(LogoView,),
        status=201,
    ),
    Route(
        "POST",
        "/covers",
        upload_cover,
        "Upload a cover (PNG, JPEG or WebP as the body) for venues and events",
        "looks",
        action=Action.EVENT_CHANGE,
        answers=(CoverView,),
        status=201,
    ),
    Route(
        "GET",
        "/theme",
        theme,
        "The colours that follow from one, with WCAG's contrast, for dark and light pages",
        "looks",
        query=ThemeQuery,
        answers=(ThemeView,),
    ),
)
