"""``/api/v1/questions``, ``/polls``, a session's ``audience``, and a participant's own data.

Everybody may read what everybody was shown; who moderates reads everything, with names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

from streamer.api.context import Services
from streamer.api.cookies import participant_cookie
from streamer.api.models import ListQuery, Slug
from streamer.api.routing import Call, Route, Text
from streamer.api.sessions import find_session, may_see, target_of
from streamer.audience import views
from streamer.audience.identity import COOKIE, Identity
from streamer.audience.questions import voters
from streamer.audience.scope import CLOSED_PREFIX
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.participation import Poll, Question
from streamer.conference.sessions import Session, Visibility
from streamer.errors import Unauthorized
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.sessions import Sessions

PARTICIPANT_HEADER = "Streamer-Participant"
"""For pages without our cookie: the token that Socket.IO gave as ``you.key``."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Spreadsheets take a cell that begins with one of these for a formula, full-width ones included."""
CSV_LIMIT = 10_000


class ItemsQuery(ListQuery):
    room: Slug | None = None
    session: str | None = Field(None, max_length=128)
    format: Literal["json", "csv"] = "json"
    """``csv``: all of them, up to ten thousand."""


class ItemList(BaseModel):
    """Objects as in the events of Socket.IO; a page may hold fewer than ``limit``."""

    items: list[dict[str, Any]]
    cursor: str | None


class Watched(BaseModel):
    session: str
    minutes: int
    """Watched by all together."""
    peak: int
    average: float


class OwnData(BaseModel):
    """Rows by kind; times in UTC milliseconds."""

    participant: str
    data: dict[str, Any]


class Erased(BaseModel):
    participant: str
    removed: dict[str, int]


# --- questions and polls ----------------------------------------------------------------------------


async def list_questions(call: Call) -> ItemList | Text:
    query = call.query(ItemsQuery)
    found, cursor = await _gathered(call, query, _questions)
    if query.format == "csv":
        columns = (
            "id",
            "session",
            "state",
            "votes",
            "name",
            "place",
            "text",
            "at",
            "answered_at",
            "original",
            "reason",
        )
        return _table(call, "questions.csv", columns, found)
    return ItemList(items=found, cursor=cursor)


async def list_polls(call: Call) -> ItemList | Text:
    query = call.query(ItemsQuery)
    found, cursor = await _gathered(call, query, _polls)
    if query.format == "csv":
        rows = [
            {**poll, "option": option["text"], "votes": option["votes"]} for poll in found for option in poll["options"]
        ]
        columns = ("id", "session", "state", "kind", "question", "option", "votes", "voters", "at", "closed_at")
        return _table(call, "polls.csv", columns, rows)
    return ItemList(items=found, cursor=cursor)


_Gather = Callable[[Call, ItemsQuery, str | None, int], Any]


async def _gathered(call: Call, query: ItemsQuery, gather: _Gather) -> tuple[list[dict[str, Any]], str | None]:
    if query.format == "json":
        items, cursor = await gather(call, query, query.cursor, query.limit)
        return items, cursor
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        items, cursor = await gather(call, query, cursor, 200)
        found += items
        if cursor is None or len(found) >= CSV_LIMIT:
            return found[:CSV_LIMIT], cursor


async def _questions(
    call: Call, query: ItemsQuery, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    async with call.services.database.read() as connection:
        stored = Questions(connection)
        page = await stored.page(limit, cursor, room=query.room, session=query.session)
        sessions = await _sessions(call, Sessions(connection), page.items)
        every = {question.id: question for question in page.items}
        for session in {question.session for question in page.items if question.session is not None}:
            every |= {question.id: question for question in await stored.of_session(session)}
        votes = await stored.votes_of(list(every))
    items = []
    for question in page.items:
        crew = _reads(call, question, sessions, Action.QUESTION_MODERATE)
        if crew is None or not (crew or question.public):
            continue
        view = views.question_view(question, len(voters(question.id, every, votes)))
        items.append({**view, **_for_moderators(question)} if crew else view)
    return items, page.cursor


def _for_moderators(question: Question) -> dict[str, Any]:
    return {
        "participant": question.participant,
        "name": question.name,
        "role": question.role or None,
        "original": question.original,
        "reason": question.reason or None,
        "merged_into": question.merged_into,
        "withdrawn": question.withdrawn,
    }


async def _polls(
    call: Call, query: ItemsQuery, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    async with call.services.database.read() as connection:
        stored = Polls(connection)
        page = await stored.page(limit, cursor, room=query.room, session=query.session)
        sessions = await _sessions(call, Sessions(connection), page.items)
        ballots = await stored.votes_of([poll.id for poll in page.items])
    items = []
    for poll in page.items:
        crew = _reads(call, poll, sessions, Action.POLL_RUN)
        if crew is not None:
            items.append(views.poll_view(poll, ballots.get(poll.id, {}), crew=crew))
    return items, page.cursor


async def _sessions(call: Call, stored: Sessions, items: Sequence[Question | Poll]) -> Mapping[str, Session]:
    named = {session for item in items for session in (item.session, _closed(item)) if session is not None}
    return await stored.find_many(sorted(named))


def _closed(item: Question | Poll) -> str | None:
    return item.scope.removeprefix(CLOSED_PREFIX) if item.scope.startswith(CLOSED_PREFIX) else None


def _reads(call: Call, item: Question | Poll, sessions: Mapping[str, Session], action: Action) -> bool | None:
    """Whether as a moderator does; None: not at all. Closed sessions are for who may see them, then and now."""
    services, grant = call.services, call.grant
    session_id = _closed(item) or item.session
    if session_id is None:
        return _allows(grant, action, _room_target(services, item.room))
    session = sessions.get(session_id)
    if session is None:
        return None
    if (session.closed or _closed(item) is not None) and not _may_view(call, session):
        return None
    return _allows(grant, action, target_of(services, session))


def _may_view(call: Call, session: Session) -> bool:
    if call.grant is None:
        # An unlisted one wants no more than its id.
        query = call.query(ItemsQuery)
        return session.visibility is Visibility.UNLISTED and query.session == session.id
    return may_see(call.services, call.grant, session)


def _room_target(services: Services, room: str) -> Target:
    venue = services.director.venue_of(room)
    return Target(room=room, venue=venue.id if venue is not None else None)


def _allows(grant: Grant | None, action: Action, target: Target) -> bool:
    return grant is not None and grant.allows(action, target)


# --- tables -----------------------------------------------------------------------------------------


def _table(call: Call, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Text:
    call.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    return Text(csv_of(columns, rows), "text/csv; charset=utf-8; header=present")


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """RFC 4180, with a header line; no cell of a stranger's is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(column)) for column in columns])
    return out.getvalue()


def cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    # Spaces and isolates before it do not hide it from a spreadsheet.
    return (
        f"'{value}"
        if value.lstrip(" \u2066\u2067\u2068\u200b\ufeff").startswith(FORMULA) or value[:1] in FORMULA
        else value
    )


# --- a session's ------------------------------------------------------------------------------------


async def watched(call: Call) -> Watched:
    session = await find_session(call)
    call.require(target_of(call.services, session))
    return Watched.model_validate({"session": session.id, **await call.services.audience.watched(session.id)})


# --- one's own data ---------------------------------------------------------------------------------


def participant_of(request: web.Request, services: Services) -> Identity | None:
    """Whose cookie, or token, a request carries."""
    for token in (request.headers.get(PARTICIPANT_HEADER), request.cookies.get(COOKIE)):
        identity = services.audience.identity(token) if token else None
        if identity is not None:
            return identity
    return None


def _me(call: Call) -> str:
    identity = participant_of(call.request, call.services)
    if identity is None:
        raise Unauthorized("Nobody is known by this request.", code="no_participant")
    return identity.id


async def export(call: Call) -> OwnData:
    participant = _me(call)
    data = dict(await call.services.audience.export(participant))
    data.pop("participant", None)
    call.headers[hdrs.CONTENT_DISPOSITION] = 'attachment; filename="my-data.json"'
    return OwnData(participant=participant, data=data)


async def erase(call: Call) -> Erased:
    """Texts, names and votes, for good; the cookie with them."""
    participant = _me(call)
    removed = dict(await call.services.audience.erase(participant))
    call.headers[hdrs.SET_COOKIE] = participant_cookie(call.request, call.services, "")
    return Erased(participant=participant, removed=removed)


ROUTES = (
    Route(
        "GET",
        "/questions",
        list_questions,
        "Questions, oldest first; format=csv for a table",
        "audience",
        query=ItemsQuery,
        answers=(ItemList,),
    ),
    Route(
        "GET",
        "/polls",
        list_polls,
        "Polls, oldest first; format=csv for a table",
        "audience",
        query=ItemsQuery,
        answers=(ItemList,),
    ),
    Route(
        "GET",
        "/sessions/{id}/audience",
        watched,
        "How many watched, and how long",
        "audience",
        action=Action.AUDIT_READ,
        answers=(Watched,),
    ),
    Route("GET", "/me/data", export, "All that is stored of the participant who asks", "audience", answers=(OwnData,)),
    Route("DELETE", "/me/data", erase, "Remove it for good", "audience", answers=(Erased,)),
)
