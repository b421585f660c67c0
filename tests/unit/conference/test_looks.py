"""A colour that somebody gives becomes a theme that can be read, whatever it is."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from streamer.conference.looks import (
    CONTROL_CONTRAST,
    FAMILIES,
    TEXT_CONTRAST,
    Look,
    Palette,
    Typeface,
    contrast,
    over,
    slate_colours,
    stylesheet,
    theme_of,
)

WEB = Path(__file__).parents[3] / "web/src"
TOKENS = (WEB / "lib/styles/tokens.css").read_text("utf-8")
STAGE = (WEB / "pages/stage/stage.css").read_text("utf-8")
LEVELS = ("00", "33", "80", "cc", "ff")
EVERY = ["#" + "".join(channels) for channels in itertools.product(LEVELS, repeat=3)]
"""The corners, edges and middles of sRGB."""
SURFACES = ("page", "surface", "raised", "sunken")
STATES = ("live-text", "danger", "warning", "success")


def tokens(text: str, scheme: str) -> dict[str, str]:
    """The colours that a sheet has for a scheme; tokens.css names only those of the light one that differ."""
    parts = re.split(r"@media \(prefers-color-scheme: light\)|:root\[data-theme='light'\]", text)
    found = dict(re.findall(r"--color-([a-z-]+): (#[0-9a-f]{6})", parts[0]))
    if scheme == "light":
        found |= dict(re.findall(r"--color-([a-z-]+): (#[0-9a-f]{6})", parts[1]))
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_colour_reads_on_every_surface(scheme: str) -> None:
    known = tokens(TOKENS, scheme)
    for colour in EVERY:
        palette: Palette = getattr(theme_of(colour), scheme)
        for surface in (getattr(palette, name) for name in SURFACES):
            assert contrast(palette.accent, surface) >= TEXT_CONTRAST, colour
            assert contrast(palette.muted, surface) >= TEXT_CONTRAST, colour
            assert contrast(palette.text, surface) >= 7, colour
            assert contrast(palette.control_line, surface) >= CONTROL_CONTRAST, colour
            assert contrast(known["focus"], surface) >= CONTROL_CONTRAST, colour
            for state in STATES:
                assert contrast(known[state], surface) >= TEXT_CONTRAST, (colour, state)
        assert contrast(palette.on_accent, palette.accent) >= TEXT_CONTRAST, colour
        assert contrast(palette.on_band, palette.band) >= TEXT_CONTRAST, colour
        assert palette.band == colour


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_accent_reads_on_the_screens_of_the_hall(scheme: str) -> None:
    screen = tokens(STAGE, scheme)
    for colour in EVERY:
        accent = getattr(theme_of(colour), scheme).accent
        for name in ("page", "surface", "raised"):
            assert contrast(accent, screen[name]) >= TEXT_CONTRAST, (colour, name)


def test_white_text_reads_on_the_glow_behind_it() -> None:
    for colour in EVERY:
        glow = re.search(r"--color-player-glow:(#[0-9a-f]{6})", stylesheet(Look(colour)))
        assert glow is not None
        assert contrast("#c9d0db", glow[1]) >= TEXT_CONTRAST, colour


def test_a_slate_in_a_venues_colour_can_be_read() -> None:
    assert slate_colours(Look()) == ()
    for colour in EVERY:
        accent, top, bottom = slate_colours(Look(colour))
        for words in (accent, "#f4f7fc", "#acb8cc"):
            assert min(contrast(words, top), contrast(words, bottom)) >= TEXT_CONTRAST, (colour, words)


def test_every_emoji_that_pages_offer_is_drawn_where_the_system_has_none() -> None:
    face = re.search(r"font-family: 'Emoji';[^}]*unicode-range:([^;]*);", TOKENS)
    assert face is not None
    shipped: set[int] = set()
    for first, last in re.findall(r"U\+(\w+)(?:-(\w+))?", face[1]):
        shipped.update(range(int(first, 16), int(last or first, 16) + 1))
    offered = (WEB / "features/talk/model/emoji.ts").read_text("utf-8")
    assert {ord(letter) for letter in offered if ord(letter) > 0x2500} == shipped


def test_a_cover_keeps_its_colours_and_has_a_haze_for_the_words_on_it() -> None:
    assert stylesheet(Look(cover="/covers/x.jpg")).startswith(':root:root{--backdrop:url("/covers/x.jpg");--haze:')
    # White words on a white cover, in the haze's middle.
    behind = round(0.82 * 13 + 0.18 * 255)
    assert contrast("#ffffff", f"#{behind:02x}{behind:02x}{behind:02x}") > 7
    assert "rgb(10 13 19/.82) 55%" in stylesheet(Look(cover="/covers/x.jpg"))
    assert contrast("#c9d0db", f"#{behind:02x}{behind:02x}{behind:02x}") >= TEXT_CONTRAST
    assert "--color-player-muted: #c9d0db" in TOKENS


def test_a_colour_that_reads_is_left_as_it_is_and_another_keeps_its_hue() -> None:
    blue = theme_of("#0b4fd0")
    assert blue.light.accent == "#0b4fd0"
    assert blue.light_contrast.kept
    assert not blue.dark_contrast.kept
    red, green, high = (int(blue.dark.accent[at : at + 2], 16) for at in (1, 3, 5))
    assert red < green < high


def test_grey_stays_grey() -> None:
    for colour in ("#000000", "#7f7f7f", "#ffffff"):
        theme = theme_of(colour)
        for palette in (theme.dark, theme.light):
            for name in Palette.__dataclass_fields__:
                value = getattr(palette, name)
                assert value[1:3] == value[3:5] == value[5:7], (colour, name)


def test_the_neutral_surfaces_are_those_of_the_pages() -> None:
    from streamer.conference import looks

    for scheme in ("dark", "light"):
        known = tokens(TOKENS, scheme)
        for name, value in looks._NEUTRAL[scheme].items():
            assert known[name.replace("_", "-")] == value


def test_known_contrasts() -> None:
    assert round(contrast("#ffffff", "#000000"), 1) == 21
    # WCAG's own example of a grey that just fails, and one that just holds.
    assert contrast("#777777", "#ffffff") < TEXT_CONTRAST <= contrast("#767676", "#ffffff")


@pytest.mark.parametrize("colour", ["", "red", "#fff", "#GG0000", "#12345678", "#e30613;}"])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match="rrggbb"):
        theme_of(colour)


def test_an_event_stands_over_its_venue_field_by_field() -> None:
    venue = Look("#112233", Typeface.SERIF, "/logos/v.png", "/covers/v.jpg")
    assert over(Look(colour="#445566"), venue) == Look("#445566", Typeface.SERIF, "/logos/v.png", "/covers/v.jpg")
    assert over(None, venue) == venue
    assert over(None, None) == Look()


def test_only_what_a_look_has_becomes_rules() -> None:
    assert stylesheet(Look()) == ""
    assert stylesheet(Look(logo="/logos/x.png")) == ""
    for typeface, family in FAMILIES.items():
        assert f"--font-title:{family}" in stylesheet(Look(typeface=typeface))
    assert "<" not in stylesheet(Look("#445566", Typeface.SLAB, "", "/covers/x.jpg"))
