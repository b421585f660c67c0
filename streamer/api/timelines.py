"""``/api/v1/sessions/{id}/timeline``: everything that a replay shows in step with its picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from streamer.api.auth import require
from streamer.api.context import Services
from streamer.api.models import LazyModel, LinkQuery
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.sessions import find_session, target_of, venue_of
from streamer.archive.material import Span, union
from streamer.archive.repository import RecordingEntry
from streamer.audience.timelines import FOREVER_MS, KINDS, NOTHING, Shown
from streamer.conference.grants import Action
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, recording_told, told
from streamer.errors import NotFound
from streamer.store.recordings import RecordingState


class TimelineQuery(LinkQuery):
    from_ms: int = Field(0, ge=0, le=FOREVER_MS)
    to_ms: int = Field(FOREVER_MS, ge=0, le=FOREVER_MS)
    """Media times; the first is included, the second is not."""
    kinds: str = Field(",".join(KINDS), max_length=64, pattern="^[a-z]+(,[a-z]+)*$")
    """``chat``, ``questions``, ``polls``, ``captions``, ``chapters``, separated by commas."""
    whole: bool = False
    """For the crew: with the parts that are cut away or hidden."""


class CaptionItem(LazyModel):
    id: str
    media_at: int
    text: str


class ChapterItem(LazyModel):
    id: str
    media_at: int
    label: str
    question: str | None
    """The question that was answered at this chapter."""


class Timeline(LazyModel):
    """Media times are those of the replay's PROGRAM-DATE-TIME. Times that the replay does not show are left out."""

    session: str
    start_ms: int
    end_ms: int | None
    """null while it grows."""
    skips: list[tuple[int, int]]
    """Stretches between them that the replay leaves out."""
    chat: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    """``media_at``, ``staged_at``, ``answered_at`` are null if the replay does not show that time."""
    polls: list[dict[str, Any]]
    captions: dict[str, list[CaptionItem]]
    """By language."""
    chapters: list[ChapterItem]
    more: int | None
    """The media time to continue from, if there was too much for one answer."""


async def timeline(call: Call) -> Timeline:
    """Everything that a replay shows in step. Where the recording is cut, hidden or not published, this is too."""
    session, services, query = await find_session(call), call.services, call.query(TimelineQuery)
    target = target_of(services, session)
    if unknown := set(query.kinds.split(",")) - set(KINDS):
        raise invalid_field("kinds", f"there is no {min(unknown)}")
    if query.whole:
        require(call.grant, Action.RECORDING_READ, target)
        shown = Shown(0, None)
    else:
        told_to = await shown_to(services, call.caller(session), session)
        if told_to is None:
            raise NotFound("There is no replay of this session.", code="no_replay")
        shown = told_to
    # Messages of a closed session stay closed, even if the session became public since.
    closed = told(call.caller(session), session, venue_of(services, session.room), as_closed=True).anything
    shown = replace(shown, closed=closed)
    found = await services.audience.timeline(session, shown, query.from_ms, query.to_ms, query.kinds.split(","))
    return Timeline.model_validate(found)


async def shown_to(services: Services, caller: Caller, session: Session) -> Shown | None:
    """The media times that the caller may be told of; None: the session neither is on air nor has a replay for them."""
    entry = await services.archivist.repository.entry(session.id, around=False)
    if entry is None or not (session.running or _may_watch(services, caller, entry)):
        return None
    return _shown(entry, session)


def _may_watch(services: Services, caller: Caller, entry: RecordingEntry) -> bool:
    session, recording = entry.session, entry.recording
    if recording is None or recording.state is RecordingState.DELETED or entry.current is None:
        return False
    venue = venue_of(services, session.room)
    return recording_told(caller, session, venue, published=recording.published, current=True)


def _shown(entry: RecordingEntry, session: Session) -> Shown:
    """The parts that the replay shows. While the session is on air it has no end; an incident is hidden at once, before
    the cut has it."""
    edition = entry.current
    start_ms, end_ms = session.started_ms, session.ended_ms
    skips = list(entry.hidden())
    if edition is not None:
        start_ms, end_ms = edition.start_ms, edition.end_ms or end_ms
        skips += [Span(a, b) for a, b in edition.skips]
    if start_ms is None:
        return NOTHING
    spans = tuple((span.from_ms, span.to_ms) for span in union(skips))
    return Shown(start_ms, None if session.running else end_ms, spans)


ROUTES = (
    Route(
        "GET",
        "/sessions/{id}/timeline",
        timeline,
        "Chat, questions, polls, captions and chapters by media time, as the replay shows them",
        "audience",
        query=TimelineQuery,
        answers=(Timeline,),
    ),
)
