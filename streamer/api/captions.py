"""``/api/v1/rooms/{id}/captions``: captions that people or programs type."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from streamer.api.context import Services
from streamer.api.models import LazyModel, Moment, to_moment
from streamer.api.room_models import LanguageTag
from streamer.api.rooms import target_of
from streamer.api.routing import Call, Route
from streamer.api.sessions import any_session
from streamer.api.tap_models import AtBody
from streamer.audience.captioning import Typed
from streamer.audience.captions import MAX_TEXT
from streamer.conference.captions import Cue
from streamer.conference.grants import Action
from streamer.conference.rooms import Room
from streamer.conference.visibility import told_where
from streamer.errors import NotFound, Unprocessable

BACK_MS = 15 * 60 * 1000
"""A captioner's page is told the captions of this long before now."""
NEWEST = 50


class CaptionBody(AtBody):
    lang: LanguageTag
    text: Annotated[str, StringConstraints(max_length=2 * MAX_TEXT)]
    final: bool = True
    """False: still being typed. The next text of the same language replaces it."""
    id: str | None = Field(None, max_length=48)
    """The id of a final text that this one corrects; an empty text removes it."""


class CaptionAnswer(LazyModel):
    id: str
    lang: str
    text: str
    at: Moment
    """The media time at which it was said."""
    final: bool


class CaptionList(LazyModel):
    languages: list[str]
    """The languages of the broadcast that is on; without one, of the next broadcast."""
    next: list[str]
    """The room's languages from its next broadcast on."""
    on: bool
    """Whether there is a broadcast to caption."""
    items: list[CaptionAnswer]
    """The newest captions, in order of time."""


def _room(call: Call) -> Room:
    room = call.services.director.room(call.path("id"))
    if room is None:
        raise NotFound("There is no such room.")
    return room


async def write(call: Call) -> CaptionAnswer:
    body = call.body(CaptionBody)
    room = _room(call)
    grant = call.require(target_of(room))
    call.services.caption_posts.take(grant.id)
    typed = Typed(body.lang, body.text, body.at_ms, body.final, body.id)
    try:
        told = await call.services.captions.write(room.id, typed, grant.id)
    except Unprocessable as error:
        if error.code == "unknown_language":
            raise _undeclared(error, body.lang, room) from error
        raise
    return CaptionAnswer(id=told.id, lang=told.lang, text=told.text, at=to_moment(told.at_ms), final=told.final)


def _undeclared(error: Unprocessable, lang: str, room: Room) -> Unprocessable:
    """The error with advice: players learn of a language only when a broadcast begins."""
    declared = ", ".join(error.details["languages"]) or "none"
    remedy = (
        "It is one of the room's from the next broadcast on."
        if lang in room.caption_languages
        else "An organiser adds it to the room's caption languages; it is there from the next broadcast on."
    )
    details = {**error.details, "next": list(room.caption_languages)}
    message = f"This broadcast has no captions in {lang}, but in: {declared}. {remedy}"
    return Unprocessable(message, code=error.code, details=details)


async def read(call: Call) -> CaptionList:
    room = _room(call)
    call.require(target_of(room))
    services = call.services
    link = services.plane.rooms.get(room.id)
    broadcast = link.view.broadcast if link is not None and not link.view.closed else None
    lines: list[Cue] = []
    if broadcast is not None:
        edge_ms = max((broadcast.media_time_ms(end) for end in _ends(services, room.id)), default=broadcast.epoch_ms)
        lines = await services.captions.lines(room.id, edge_ms - BACK_MS, edge_ms + BACK_MS)
        lines = await _told(call, room, lines)
    return CaptionList(
        languages=list(broadcast.caption_languages if broadcast is not None else room.caption_languages),
        next=list(room.caption_languages),
        on=broadcast is not None,
        items=[_answer(line) for line in lines[-NEWEST:]],
    )


async def _told(call: Call, room: Room, lines: list[Cue]) -> list[Cue]:
    """The captions of sessions that the captioner may know of: a closed session may have been on just before."""
    said = {line.session for line in lines if line.session is not None}
    sessions = {session_id: await any_session(call.services, session_id) for session_id in said}
    known = {
        session_id
        for session_id, session in sessions.items()
        if told_where(call.caller(), session_id, session, room.id, room.venue).anything
    }
    return [line for line in lines if line.session is None or line.session in known]


def _ends(services: Services, room: str) -> list[int]:
    outputs = services.plane.rooms[room].view.outputs.values()
    return [track.end for output in outputs for track in output.tracks.values()]


def _answer(line: Cue) -> CaptionAnswer:
    return CaptionAnswer(id=line.id, lang=line.lang, text=line.text, at=to_moment(line.at_ms), final=True)


ROUTES = (
    Route(
        "GET",
        "/rooms/{id}/captions",
        read,
        "The newest captions of a room, and the languages that it has them in",
        "captions",
        action=Action.CAPTION_WRITE,
        answers=(CaptionList,),
    ),
    Route(
        "POST",
        "/rooms/{id}/captions",
        write,
        "Type captions: texts that are not final replace one another",
        "captions",
        action=Action.CAPTION_WRITE,
        body=CaptionBody,
        answers=(CaptionAnswer,),
    ),
)
