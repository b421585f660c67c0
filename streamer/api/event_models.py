"""The bodies of events. The OpenAPI document is made from these."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from streamer.api.models import (
    Label,
    LazyModel,
    Line,
    ListQuery,
    Logos,
    LookChange,
    LookCreate,
    LookView,
    Moment,
    Slug,
    to_moment,
    to_ms,
)
from streamer.api.session_models import LanguageTag, Time, Url
from streamer.conference.sessions import Event


class EventCreate(LookCreate):
    id: Slug | None = None
    name: Line
    venue: Slug | None = None
    start: Time | None = None
    end: Time | None = None
    language: LanguageTag = ""
    url: Url = ""
    acronym: Label = ""
    logos: Logos = ()
    source_url: Url = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.start and self.end and self.end <= self.start:
            raise ValueError("end must come after start")
        return self


class EventChange(LookChange):
    NULLABLE = ("venue", "start", "end")

    name: Line | None = None
    venue: Slug | None = None
    start: Time | None = None
    end: Time | None = None
    language: LanguageTag | None = None
    url: Url | None = None
    acronym: Label | None = None
    logos: Logos | None = None
    source_url: Url | None = None


def event_fields(body: EventCreate | EventChange) -> dict[str, Any]:
    """The fields that were sent, as fields of an :class:`Event`."""
    sent = body.model_dump(exclude_unset=True)
    for name in ("start", "end"):
        if name in sent:
            sent[f"{name}_ms"] = to_ms(sent.pop(name))
    return sent


class EventView(LookView):
    id: str
    name: str
    venue: str | None
    start: Moment | None
    end: Moment | None
    language: str
    url: str
    acronym: str
    logos: list[str]

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=event.id,
            name=event.name,
            venue=event.venue,
            start=to_moment(event.start_ms),
            end=to_moment(event.end_ms),
            language=event.language,
            url=event.url,
            acronym=event.acronym,
            logos=list(event.logos),
            **LookView.fields(event.look),
        )


class EventCrewView(EventView):
    source_url: str

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(**EventView.of(event).model_dump(), source_url=event.source_url)


class EventList(LazyModel):
    items: list[EventView]
    cursor: str | None


class EventQuery(ListQuery):
    venue: Slug | None = None
