"""``/api/v1/questions``, ``/polls``, a session's ``audience``, and a participant's own data.

Everybody may read what everybody was shown; who moderates reads everything, with names.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.context import Services
from streamer.api.cookies import participant_cookie
from streamer.api.documents import Document, matches
from streamer.api.models import ListQuery, Slug
from streamer.api.routing import Call, Route, Text
from streamer.api.sessions import find_session, may_see, target_of
from streamer.audience import views
from streamer.audience.deciding import no_such
from streamer.audience.identity import COOKIE, Identity
from streamer.audience.questions import tally
from streamer.audience.scope import closed_session
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.participation import Poll, Question
from streamer.conference.sessions import Session, Visibility
from streamer.errors import Unauthorized
from streamer.store import revision
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.sessions import Sessions

PARTICIPANT_HEADER = "Streamer-Participant"
"""For pages without our cookie: the token that Socket.IO gave as ``you.key``."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Spreadsheets take a cell that begins with one of these for a formula, full-width ones included."""
CSV_LIMIT = 10_000
CSV_AGE_S = 5.0


class ItemsQuery(ListQuery):
    room: Slug | None = None
    session: str | None = Field(None, max_length=128)
    format: Literal["json", "csv"] = "json"
    """``csv``: all of them, up to ten thousand."""


class ItemList(BaseModel):
    """Objects as in the events of Socket.IO; a page may hold fewer than ``limit``."""

    items: list[dict[str, Any]]
    cursor: str | None


class Item(BaseModel):
    """An object as in the events of Socket.IO, and in lists."""

    model_config = ConfigDict(extra="allow")

    id: str


class OneQuery(BaseModel):
    session: str | None = Field(None, max_length=128)
    """Of an unlisted session: what it belongs to, for who has no grant."""


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
        return await _table(call, query, "questions.csv", columns, _questions)
    found, cursor = await _questions(call, query, query.cursor, query.limit, {})
    return ItemList(items=found, cursor=cursor)


async def list_polls(call: Call) -> ItemList | Text:
    query = call.query(ItemsQuery)
    if query.format == "csv":
        columns = ("id", "session", "state", "kind", "question", "option", "votes", "voters", "at", "closed_at")
        return await _table(call, query, "polls.csv", columns, _polls, _by_option)
    found, cursor = await _polls(call, query, query.cursor, query.limit, {})
    return ItemList(items=found, cursor=cursor)


def _by_option(polls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**poll, "option": option["text"], "votes": option["votes"]} for poll in polls for option in poll["options"]
    ]


async def get_question(call: Call) -> Item:
    """Raises NotFound ``no_such_question``, also for one that is not shown to whoever asks."""
    async with call.services.database.read() as connection:
        found = await Questions(connection).find(call.path("id"))
        seen = [] if found is None else await _question_views(call, connection, [found], {})
    if not seen:
        raise no_such("question")
    return Item.model_validate(seen[0])


async def get_poll(call: Call) -> Item:
    """Raises NotFound ``no_such_poll``, also for one that is not shown to whoever asks."""
    async with call.services.database.read() as connection:
        found = await Polls(connection).find(call.path("id"))
        seen = [] if found is None or found.removed else await _poll_views(call, connection, [found])
    if not seen:
        raise no_such("poll")
    return Item.model_validate(seen[0])


_Counted = dict[str, int]
"""Question -> its votes, of those that have been counted for an answer. A page's sessions are counted whole."""
_Gather = Callable[[Call, ItemsQuery, str | None, int, _Counted], Any]


async def _gathered(call: Call, query: ItemsQuery, gather: _Gather) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    counted: _Counted = {}
    cursor = None
    while True:
        items, cursor = await gather(call, query, cursor, 200, counted)
        found += items
        if cursor is None or len(found) >= CSV_LIMIT:
            return found[:CSV_LIMIT]


async def _questions(
    call: Call, query: ItemsQuery, cursor: str | None, limit: int, counted: _Counted
) -> tuple[list[dict[str, Any]], str | None]:
    async with call.services.database.read() as connection:
        page = await Questions(connection).page(limit, cursor, room=query.room, session=query.session)
        return await _question_views(call, connection, page.items, counted), page.cursor


async def _question_views(
    call: Call, connection: AsyncConnection, questions: Sequence[Question], counted: _Counted
) -> list[dict[str, Any]]:
    """Of those that may be seen."""
    stored = Questions(connection)
    sessions = await _sessions(call, Sessions(connection), questions)
    new = [question for question in questions if question.id not in counted]
    every = {question.id: question for question in new}
    for session in {question.session for question in new if question.session is not None}:
        every |= {question.id: question for question in await stored.of_session(session)}
    for room in {question.room for question in new if question.session is None}:
        every |= {part.id: part for part in await stored.parts_in_room(room)}
    if every:
        counted |= await asyncio.to_thread(tally, every, await stored.votes_of(list(every)))
    items = []
    for question in questions:
        crew = _reads(call, question, sessions, Action.QUESTION_MODERATE)
        if crew is None or not (crew or question.public):
            continue
        view = views.question_view(question, counted[question.id])
        items.append({**view, **_for_moderators(question)} if crew else view)
    return items


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
    call: Call, query: ItemsQuery, cursor: str | None, limit: int, _counted: _Counted
) -> tuple[list[dict[str, Any]], str | None]:
    async with call.services.database.read() as connection:
        page = await Polls(connection).page(limit, cursor, room=query.room, session=query.session)
        return await _poll_views(call, connection, page.items), page.cursor


async def _poll_views(call: Call, connection: AsyncConnection, found: Sequence[Poll]) -> list[dict[str, Any]]:
    """Of those that may be seen."""
    sessions = await _sessions(call, Sessions(connection), found)
    ballots = await Polls(connection).votes_of([poll.id for poll in found])
    items = []
    for poll in found:
        crew = _reads(call, poll, sessions, Action.POLL_RUN)
        if crew is not None:
            items.append(views.poll_view(poll, ballots.get(poll.id, {}), crew=crew))
    return items


async def _sessions(call: Call, stored: Sessions, items: Sequence[Question | Poll]) -> Mapping[str, Session]:
    named = {session for item in items for session in (item.session, _closed(item)) if session is not None}
    return await stored.find_many(sorted(named))


def _closed(item: Question | Poll) -> str | None:
    return closed_session(item.scope)


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
        named = call.request.query.get("session")
        return session.visibility is Visibility.UNLISTED and named == session.id
    return may_see(call.services, call.grant, session)


def _room_target(services: Services, room: str) -> Target:
    venue = services.director.venue_of(room)
    return Target(room=room, venue=venue.id if venue is not None else None)


def _allows(grant: Grant | None, action: Action, target: Target) -> bool:
    return grant is not None and grant.allows(action, target)


# --- tables -----------------------------------------------------------------------------------------


async def _table(
    call: Call,
    query: ItemsQuery,
    name: str,
    columns: Sequence[str],
    gather: _Gather,
    rows_of: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> Text:
    """Kept for some seconds, for whoever may see the same: what people say bumps no revision."""
    services, grant = call.services, call.grant
    if grant is None:
        services.exports.take(services.proxies.client_household(call.request))
    async with services.database.read() as connection:
        known = await revision.current(connection)

    async def make() -> Document:
        found = await _gathered(call, query, gather)

        def write() -> Document:
            body = csv_of(columns, rows_of(found)).encode("utf-8")
            return Document.of(body, f'W/"{hashlib.sha256(body).hexdigest()[:24]}"')

        return await asyncio.to_thread(write)

    asked = tuple(sorted(call.request.query.items()))
    key = (name, asked, None if grant is None else grant.id, known)
    document = await services.tables.get(key, make, max_age_s=CSV_AGE_S)
    call.headers[hdrs.ETAG] = document.tag
    if matches(call.request, document.tag):
        return Text("", "text/csv", status=304)
    call.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    return Text(document.body, "text/csv; charset=utf-8; header=present")


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
    Route("GET", "/questions/{id}", get_question, "A question", "audience", query=OneQuery, answers=(Item,)),
    Route("GET", "/polls/{id}", get_poll, "A poll with its counts", "audience", query=OneQuery, answers=(Item,)),
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
