"""The bodies of the REST interface. The OpenAPI document is made from these."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, overload
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from streamer.conference.grants import Grant, Role
from streamer.conference.looks import COLOUR_PATTERN, Look, Typeface, stylesheet
from streamer.conference.rooms import DEFAULT_ZONE, SLUG_PATTERN, Venue


def _one_line(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("must be one line without control characters")
    return text


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be an IANA time zone such as Europe/Paris")
    return name


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_one_line)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Language = Annotated[str, StringConstraints(pattern=r"^(en|fr)$")]
Address = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(https?://[^\s]+|/logos/[A-Za-z0-9._-]+)$")]
Logos = Annotated[tuple[Address, ...], Field(max_length=12)]
"""Partners' logos: addresses elsewhere, or of files that were uploaded here."""
Colour = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    StringConstraints(pattern=COLOUR_PATTERN),
]
OwnLogo = Annotated[str, StringConstraints(pattern=r"^(/logos/[0-9a-f]{24}\.png)?$")]
Cover = Annotated[str, StringConstraints(pattern=r"^(/covers/[0-9a-f]{24}\.jpg)?$")]
Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""RFC 3339 with an offset."""


@overload
def to_ms(moment: datetime) -> int: ...
@overload
def to_ms(moment: None) -> None: ...
def to_ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


@overload
def to_moment(ms: int) -> datetime: ...
@overload
def to_moment(ms: None) -> None: ...
def to_moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


class LazyModel(BaseModel):
    """Built when it is first used: a process that starts has no time for the hundred of them."""

    model_config = ConfigDict(defer_build=True)


class Body(LazyModel):
    """A client's request body. Unknown fields are refused, so that a misspelt field is not ignored."""

    model_config = ConfigDict(extra="forbid")


class PartialBody(Body):
    """A body whose fields may be left out, but are not null except for ``NULLABLE``."""

    NULLABLE: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        for name in self.model_fields_set.difference(self.NULLABLE):
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self


class LinkQuery(LazyModel):
    key: str | None = Field(None, max_length=256)
    """The key of an unlisted session's shared link."""


class ListQuery(LazyModel):
    NO_FILTERS: ClassVar[set[str]] = {"limit", "cursor", "key", "format"}
    """Parameters that do not change which items a list has."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=256)
    """From the answer before; it works for the same list with the same filters."""


class ErrorDetail(LazyModel):
    code: str
    message: str
    details: Any = None


class ErrorBody(LazyModel):
    """The shape of every error."""

    error: ErrorDetail


# --- venues -----------------------------------------------------------------------------------------


class LookCreate(Body):
    """The look of a venue or event. An event's comes before its venue's, field by field."""

    colour: Colour = ""
    """``#rrggbb``; the colours of the pages are derived from it, with enough contrast."""
    typeface: Typeface = Typeface.SHIPPED
    """Of headings and names."""
    logo: OwnLogo = ""
    """An address that ``POST /logos`` answered with."""
    cover: Cover = ""
    """An address that ``POST /covers`` answered with."""


class LookChange(PartialBody):
    colour: Colour | None = None
    typeface: Typeface | None = None
    logo: OwnLogo | None = None
    cover: Cover | None = None


class LookView(LazyModel):
    colour: str
    typeface: Typeface
    logo: str
    cover: str
    stylesheet: str
    """The look as CSS for a page, with the derived colours. An event's goes behind its venue's."""

    @staticmethod
    def fields(look: Look) -> dict[str, Any]:
        return {
            "colour": look.colour,
            "typeface": look.typeface,
            "logo": look.logo,
            "cover": look.cover,
            "stylesheet": stylesheet(look),
        }


class VenueCreate(LookCreate):
    id: Slug | None = None
    name: Line
    timezone: Timezone = DEFAULT_ZONE
    language: Language = "en"
    logos: Logos = ()


class VenueChange(LookChange):
    name: Line | None = None
    timezone: Timezone | None = None
    language: Language | None = None
    logos: Logos | None = None


class VenueView(LookView):
    id: str
    name: str
    timezone: str
    language: str
    logos: list[str]

    @classmethod
    def of(cls, venue: Venue) -> Self:
        return cls(
            id=venue.id,
            name=venue.name,
            timezone=venue.timezone,
            language=venue.language,
            logos=list(venue.logos),
            **LookView.fields(venue.look),
        )


class VenueList(LazyModel):
    items: list[VenueView]
    cursor: str | None


# --- grants -----------------------------------------------------------------------------------------


class GrantCreate(Body):
    role: Role
    room: Slug | None = None
    venue: Slug | None = None
    event: Slug | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    label: Label = ""
    not_before: Moment | None = None
    expires: Moment | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if sum(scope is not None for scope in (self.room, self.venue, self.event, self.session)) > 1:
            raise ValueError("a grant has one scope: room, venue, event or session")
        if self.not_before and self.expires and self.expires <= self.not_before:
            raise ValueError("expires must come after not_before")
        return self


class GrantChange(PartialBody):
    NULLABLE = ("not_before", "expires")

    label: Label | None = None
    not_before: Moment | None = None
    """null: from now on."""
    expires: Moment | None = None
    """null: never."""


class GrantView(LazyModel):
    """A grant without its token, which is shown once only."""

    id: str
    role: Role
    room: str | None
    venue: str | None
    event: str | None
    session: str | None
    label: str
    not_before: Moment | None
    expires: Moment | None
    ends: Moment | None
    """From this time the grant opens nothing: ``expires``, or half an hour after its session ended; null: no end."""
    in_force: bool
    created: Moment
    session_title: str = ""
    """In a list: the title of the session that it is for."""

    @classmethod
    def of(cls, grant: Grant, now_ms: int) -> Self:
        return cls(
            id=grant.id,
            role=grant.role,
            room=grant.room,
            venue=grant.venue,
            event=grant.event,
            session=grant.session,
            label=grant.label,
            not_before=to_moment(grant.not_before_ms),
            expires=to_moment(grant.expires_ms),
            ends=to_moment(grant.ends_ms),
            in_force=grant.in_force(now_ms),
            created=to_moment(grant.created_ms),
        )


class GrantCreateQuery(LazyModel):
    qr: bool = False
    """Whether the answer has the link as a QR code too."""


class GrantCreated(GrantView):
    token: str
    link: str
    qr: str | None = None
    """The link as a ``data:image/svg+xml`` address; null if it was not asked for."""


class GrantQuery(ListQuery):
    """Lists the grants that name these, not the grants that reach them."""

    room: Slug | None = None
    venue: Slug | None = None
    event: Slug | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if sum(scope is not None for scope in (self.room, self.venue, self.event, self.session)) > 1:
            raise ValueError("one of room, venue, event and session")
        return self


class GrantList(LazyModel):
    items: list[GrantView]
    cursor: str | None
