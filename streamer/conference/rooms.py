"""Rooms and venues as values, and the rules for their names. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from streamer.broadcast.media_events import PREVIEW, PROGRAMME_OUTPUT, PUBLIC
from streamer.broadcast.programme import SLATE, SOURCE_PATTERN
from streamer.conference.looks import Look, Typeface

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$"
"""A room's or venue's id. It is part of addresses, file names and encoder settings, so it needs no quoting anywhere."""
DEFAULT_ZONE = "Europe/Paris"
"""The time zone of a venue that names none, of rooms without a venue and of schedules that name none."""
RESERVED_SOURCES = frozenset({SLATE, PUBLIC, PREVIEW, PROGRAMME_OUTPUT})
"""Names that an address or an output already uses."""

_SLUG = re.compile(SLUG_PATTERN)
_SOURCE = re.compile(SOURCE_PATTERN)


class StartRule(StrEnum):
    """The way in which the room goes on air: only by a person, planned or not; or by clock and media."""

    TAP = "tap"
    AUTO = "auto"


class Between(StrEnum):
    """The content of the public output between two sessions."""

    SLATE = "slate"
    PICTURE_MUTED = "picture_muted"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Venue:
    """A place. ``timezone`` is an IANA name, ``language`` that of the slate and the door signs (``en``, ``fr``)."""

    id: str
    name: str
    timezone: str = DEFAULT_ZONE
    language: str = "en"
    logos: tuple[str, ...] = ()
    """Addresses of partners' logos, for the slate and the pages."""
    colour: str = ""
    """``#rrggbb`` or empty, as the next three a part of its look."""
    typeface: Typeface = Typeface.SHIPPED
    logo: str = ""
    """Its own one, beside its name at the top of pages."""
    cover: str = ""

    @property
    def look(self) -> Look:
        return Look(self.colour, self.typeface, self.logo, self.cover)


@dataclass(frozen=True, slots=True)
class Room:
    """A room with its permanent watch page and publish address."""

    id: str
    name: str
    venue: str | None = None
    start: StartRule = StartRule.TAP
    between: Between = Between.SLATE
    aliases: tuple[str, ...] = ()
    """Other names and guids of the room in schedules."""
    guid: str = ""
    """Globally unique, for schedules that we write; taken from the schedule that we read."""
    retention_days: int | None = None
    """Recordings of the room that are older are deleted unless pinned, days; None: the setting."""
    caption_languages: tuple[str, ...] = ()
    """BCP 47 tags of the room's captions. A broadcast keeps the languages that it was opened with."""
    levelling: bool = False
    """Voices are brought to -18 LUFS, slowly."""


def is_slug(text: str) -> bool:
    return _SLUG.match(text) is not None


def is_source_name(text: str) -> bool:
    """Whether a publication may feed a source of this name."""
    return _SOURCE.match(text) is not None and text not in RESERVED_SOURCES


def slug_of(name: str) -> str:
    """A slug that people recognise ``name`` in: ``Grande Salle d'Été`` -> ``grande-salle-d-ete``; may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-")
