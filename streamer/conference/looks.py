"""The look of a venue or an event: colours that are derived from one, a typeface, a cover. Pure.

An organiser gives one colour. Everything that is written or pressed in it is derived here, for dark and for light, so
that text holds WCAG 2.2 AA (4.5:1) on each surface that it stands on, whatever the colour is. Lightness is moved in
OKLCH (Ottosson, 2020), where hue and chroma stay what people see.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache
from typing import Literal

TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA), for text of any size."""
CONTROL_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11 (AA), for lines of fields and buttons."""
COLOUR_PATTERN = r"^(#[0-9a-f]{6})?$"
_SHADES = 0.04
"""The least distance of a colour from grey at which its surfaces are tinted; below it they stay grey."""

Rgb = tuple[float, float, float]
Scheme = Literal["dark", "light"]


class Typeface(StrEnum):
    """The typeface of headings and names. ``branding`` is the one that the program ships; the others are families that
    devices have, so nobody waits for them. Running text and figures stay in the shipped one."""

    SHIPPED = ""
    SYSTEM = "system"
    SERIF = "serif"
    SLAB = "slab"
    ROUNDED = "rounded"
    MONO = "mono"


FAMILIES: Mapping[Typeface, str] = {
    Typeface.SYSTEM: "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif",
    Typeface.SERIF: "Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,'Noto Serif',serif",
    Typeface.SLAB: "Rockwell,'Rockwell Nova','Roboto Slab','DejaVu Serif','Sitka Small',serif",
    Typeface.ROUNDED: "ui-rounded,Quicksand,Comfortaa,Manjari,'Arial Rounded MT Bold',sans-serif",
    Typeface.MONO: "ui-monospace,'Cascadia Mono','Source Code Pro',Menlo,'DejaVu Sans Mono',monospace",
}


@dataclass(frozen=True, slots=True)
class Look:
    """``logo`` and ``cover`` are addresses of pictures of this server, or empty."""

    colour: str = ""
    """``#rrggbb``; empty: the program's own colours."""
    typeface: Typeface = Typeface.SHIPPED
    logo: str = ""
    cover: str = ""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one scheme, ``#rrggbb``, under the names of ``web/src/lib/styles/tokens.css``."""

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
    """The given colour itself, for areas."""
    on_band: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """The given colour's contrast in one scheme."""

    given: float
    """As text on the least favourable surface."""
    accent: float
    """The derived one, there."""

    @property
    def kept(self) -> bool:
        return self.given >= TEXT_CONTRAST


@dataclass(frozen=True, slots=True)
class Theme:
    dark: Palette
    light: Palette
    dark_contrast: Contrast
    light_contrast: Contrast


_NEUTRAL: Mapping[Scheme, Mapping[str, str]] = {
    "dark": {
        "page": "#0c0f15",
        "surface": "#151a23",
        "raised": "#1f2633",
        "sunken": "#07090d",
        "line": "#303949",
        "control_line": "#7d8899",
        "text": "#f3f5f9",
        "muted": "#abb5c5",
    },
    "light": {
        "page": "#f4f6f9",
        "surface": "#ffffff",
        "raised": "#ffffff",
        "sunken": "#e8ecf2",
        "line": "#d3dae4",
        "control_line": "#6b7585",
        "text": "#131821",
        "muted": "#505b6b",
    },
}
"""The program's own surfaces and inks (``tokens.css``): a look keeps their lightness and takes its own hue."""
_TINT = {"dark": 0.013, "light": 0.007}
_SURFACES = ("page", "surface", "raised", "sunken")


@lru_cache(256)
def theme_of(colour: str) -> Theme:
    """``colour``: ``#rrggbb``. Raises ValueError."""
    given = _rgb(colour)
    dark, dark_contrast = _palette("dark", given)
    light, light_contrast = _palette("light", given)
    return Theme(dark, light, dark_contrast, light_contrast)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours ``#rrggbb``, 1 to 21."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(256)
def stylesheet(look: Look) -> str:
    """CSS rules for a page; empty if the look changes nothing. Made of checked values only, so that it may stand in a
    page. The rules of a later sheet win, so a venue's comes before its event's."""
    rules = ""
    if look.colour:
        theme = theme_of(look.colour)
        player = f"--color-player-accent:{theme.dark.accent};--color-player-glow:{_glow(theme.dark.band)};"
        # Screens have the scheme that their address names, and surfaces of their own (``stage.css``).
        page = ":root:not([data-theme])"
        rules += f"{page}{{{player}{_properties(theme.dark)}}}"
        rules += f"@media(prefers-color-scheme:light){{{page}{{{_properties(theme.light)}}}}}"
        for scheme, palette in (("dark", theme.dark), ("light", theme.light)):
            accent = f"--color-accent:{palette.accent};--color-on-accent:{palette.on_accent}"
            rules += f":root:root[data-theme={scheme}]{{{accent}}}"
    if look.typeface is not Typeface.SHIPPED:
        rules += f":root:root{{--font-title:{FAMILIES[look.typeface]}}}"
    if look.cover:
        # White words in its middle can be read on any picture, which keeps its colours around them.
        haze = "radial-gradient(75% 85% at 50% 50%,rgb(10 13 19/.82) 55%,rgb(10 13 19/.25))"
        rules += f':root:root{{--backdrop:url("{look.cover}");--haze:{haze}}}'
    return rules


def slate_colours(look: Look) -> tuple[str, ...]:
    """Accent, top and foot of a slate, which is dark; empty if the look has no colour."""
    if not look.colour:
        return ()
    dark = theme_of(look.colour).dark
    return dark.accent, dark.surface, dark.sunken


def over(event: Look | None, venue: Look | None) -> Look:
    """The look of an event in a venue: what the event leaves open is the venue's."""
    if event is None or venue is None:
        return event or venue or Look()
    return Look(*(getattr(event, field.name) or getattr(venue, field.name) for field in fields(Look)))


def _properties(palette: Palette) -> str:
    return "".join(
        f"--color-{field.name.replace('_', '-')}:{getattr(palette, field.name)};" for field in fields(palette)
    )


def _palette(scheme: Scheme, given: Rgb) -> tuple[Palette, Contrast]:
    _, chroma, hue = _lch(given)
    tint = _TINT[scheme] if chroma >= _SHADES else 0.0
    neutral = {name: _tinted(value, tint, hue) for name, value in _NEUTRAL[scheme].items()}
    surfaces = [neutral[name] for name in _SURFACES]
    for name, least in (("text", 2 * TEXT_CONTRAST), ("muted", TEXT_CONTRAST), ("control_line", CONTROL_CONTRAST)):
        neutral[name] = _readable(neutral[name], surfaces, scheme, least)
    colour = _hex(given)
    accent = _readable(colour, surfaces, scheme, TEXT_CONTRAST)
    palette = Palette(**neutral, accent=accent, on_accent=_ink_on(accent), band=colour, on_band=_ink_on(colour))
    return palette, Contrast(_least(colour, surfaces), _least(accent, surfaces))


def _readable(colour: str, surfaces: Sequence[str], scheme: Scheme, least: float) -> str:
    """The colour, or the nearest lighter (on dark) or darker (on light) one of its hue that reads on all surfaces."""
    lightness, chroma, hue = _lch(_rgb(colour))
    end = 1.0 if scheme == "dark" else 0.0
    found = colour
    for step in range(201):
        found = _hex(_from_lch(lightness + (end - lightness) * step / 200, chroma, hue)) if step else colour
        if _least(found, surfaces) >= least:
            break
    return found


def _ink_on(colour: str) -> str:
    """Black or white: one of the two has 4.58:1 on any colour."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def _least(colour: str, surfaces: Sequence[str]) -> float:
    return min(contrast(colour, surface) for surface in surfaces)


def _tinted(neutral: str, tint: float, hue: float) -> str:
    return _hex(_from_lch(_lch(_rgb(neutral))[0], tint, hue))


def _glow(colour: str) -> str:
    """A dark shade of the colour for areas behind white text: 7:1 at least."""
    lightness, chroma, hue = _lch(_rgb(colour))
    return _hex(_from_lch(min(lightness, 0.3), min(chroma, 0.09), hue))


# --- colour spaces ----------------------------------------------------------------------------------


def _rgb(colour: str) -> Rgb:
    """sRGB, 0 to 1."""
    if re.fullmatch(r"#[0-9a-f]{6}", colour) is None:
        raise ValueError("a colour is written #rrggbb")
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{min(255, max(0, round(channel * 255))):02x}" for channel in rgb)


def _each(function: Callable[[float], float], rgb: Rgb) -> Rgb:
    red, green, blue = rgb
    return function(red), function(green), function(blue)


def _linear(channel: float) -> float:
    """IEC 61966-2-1, the decoding of sRGB."""
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _coded(channel: float) -> float:
    return channel * 12.92 if channel <= 0.0031308 else float(1.055 * channel ** (1 / 2.4) - 0.055)


def _luminance(rgb: Rgb) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = _each(_linear, rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _lch(rgb: Rgb) -> tuple[float, float, float]:
    """(lightness, chroma, hue in radians) of OKLCH."""
    r, g, b = _each(_linear, rgb)
    l, m, s = (  # noqa: E741
        math.cbrt(value)
        for value in (
            0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
            0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
            0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
        )
    )
    lightness = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s
    a = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s
    b = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
    return lightness, math.hypot(a, b), math.atan2(b, a)


def _from_lch(lightness: float, chroma: float, hue: float) -> Rgb:
    """Less colourful where sRGB has no such colour."""
    lightness = min(1.0, max(0.0, lightness))
    for step in range(21):
        rgb = _unbounded(lightness, chroma * (1 - step / 20), hue)
        if all(-0.0005 <= channel <= 1.0005 for channel in rgb):
            break
    return _each(lambda channel: _coded(min(1.0, max(0.0, channel))), rgb)


def _unbounded(lightness: float, chroma: float, hue: float) -> Rgb:
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )
