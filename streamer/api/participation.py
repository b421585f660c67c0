"""``/api/v1/questions``, ``/polls``, a session's ``audience``, and a participant's own data.

Everybody may read the items that everybody saw; moderators read all of them, with names.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from aiohttp import hdrs, web
from pydantic import ConfigDict, Field

from streamer.api.context import Services
from streamer.api.cookies import participant_cookie
from streamer.api.documents import Document, matches
from streamer.api.models import LazyModel, LinkQuery, ListQuery, Slug
from streamer.api.routing import Call, Route, Text
from streamer.api.sessions import any_session, find_session, target_of, venue_of
from streamer.audience import views
from streamer.audience.command import no_such
from streamer.audience.identity import COOKIE, ParticipantIdentity
from streamer.audience.question_order import tally
from streamer.conference.grants import Action
from streamer.conference.participation import Poll, Question
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, Reading, said_in, said_told
from streamer.errors import Unauthorized
from streamer.store import revision
from streamer.store.paging import Page, page_of_shown
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.sessions import Sessions

PARTICIPANT_HEADER = "Streamer-Participant"
"""For pages without our cookie: the token that Socket.IO sent as ``you.key``."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet reads a cell that begins with one of these characters as a formula; the full-width ones count, too."""
CSV_LIMIT = 10_000
CSV_PAGE = 200
CSV_AGE_S = 5.0


class ItemsQuery(ListQuery, LinkQuery):
    room: Slug | None = None
    session: str | None = Field(None, max_length=128)
    format: Literal["json", "csv"] = "json"
    """``csv``: all items, up to ten thousand."""


class ItemList(LazyModel):
    """Objects as in the events of Socket.IO."""

    items: list[dict[str, Any]]
    cursor: str | None


class Item(LazyModel):
    """An object as in the events of Socket.IO, and in lists."""

    model_config = ConfigDict(extra="allow")

    id: str


class Watched(LazyModel):
    session: str
    minutes: int
    """The minutes that all viewers together watched."""
    peak: int
    average: float


class OwnData(LazyModel):
    """Rows by kind; times in UTC milliseconds."""

    participant: str
    data: dict[str, Any]


class Erased(LazyModel):
    participant: str
    removed: dict[str, int]


# --- questions and polls ----------------------------------------------------------------------------


async def list_questions(call: Call) -> ItemList | Text:
    query, services = call.query(ItemsQuery), call.services
    caller = await _caller(call, query.session)

    async def fetch(limit: int, after: str | None) -> Page[Question]:
        async with services.database.read() as connection:
            return await Questions(connection).page(limit, after, room=query.room, session=query.session, caller=caller)

    counted: dict[str, int] = {}

    async def listed() -> tuple[list[dict[str, Any]], str | None]:
        return await _listed(call, query, fetch, lambda items: _question_views(services, caller, items, counted))

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
        return await _table(call, "questions.csv", columns, listed)
    found, cursor = await listed()
    return ItemList(items=found, cursor=cursor)


async def list_polls(call: Call) -> ItemList | Text:
    query, services = call.query(ItemsQuery), call.services
    caller = await _caller(call, query.session)

    async def fetch(limit: int, after: str | None) -> Page[Poll]:
        async with services.database.read() as connection:
            return await Polls(connection).page(limit, after, room=query.room, session=query.session, caller=caller)

    async def listed() -> tuple[list[dict[str, Any]], str | None]:
        return await _listed(call, query, fetch, lambda items: _poll_views(services, caller, items))

    if query.format == "csv":
        columns = ("id", "session", "state", "kind", "question", "option", "votes", "voters", "at", "closed_at")
        return await _table(call, "polls.csv", columns, listed, _by_option)
    found, cursor = await listed()
    return ItemList(items=found, cursor=cursor)


def _by_option(polls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**poll, "option": option["text"], "votes": option["votes"]} for poll in polls for option in poll["options"]
    ]


async def get_question(call: Call) -> Item:
    """Raises NotFound ``no_such_question``, also for a question that the caller may not see."""
    async with call.services.database.read() as connection:
        found = await Questions(connection).find(call.path("id"))
    view = None
    if found is not None:
        (view,) = await _question_views(call.services, await _caller(call, said_in(found)), [found], {})
    if view is None:
        raise no_such("question")
    return Item.model_validate(view)


async def get_poll(call: Call) -> Item:
    """Raises NotFound ``no_such_poll``, also for a poll that the caller may not see."""
    async with call.services.database.read() as connection:
        found = await Polls(connection).find(call.path("id"))
    view = None
    if found is not None and found.public:
        (view,) = await _poll_views(call.services, await _caller(call, said_in(found)), [found])
    if view is None:
        raise no_such("poll")
    return Item.model_validate(view)


_Shown = Callable[[Any], Awaitable[list[dict[str, Any] | None]]]
_Fetch = Callable[[int, str | None], Awaitable[Page[Any]]]


async def _listed(
    call: Call, query: ItemsQuery, fetch: _Fetch, show: _Shown
) -> tuple[list[dict[str, Any]], str | None]:
    if query.format == "csv":
        found, _ = await page_of_shown(CSV_LIMIT, None, lambda limit, after: fetch(min(limit, CSV_PAGE), after), show)
        return found, None
    found, place = await page_of_shown(query.limit, await call.after(query), fetch, show)
    return found, await call.cursor(query, place)


async def _caller(call: Call, session_id: str | None) -> Caller:
    """The caller, with the link to the session that the list is about."""
    session = None if session_id is None else await any_session(call.services, session_id)
    return call.caller(session)


async def _question_views(
    services: Services, caller: Caller, questions: Sequence[Question], counted: dict[str, int]
) -> list[dict[str, Any] | None]:
    """The questions as the caller sees them; None for each that they may not see. ``counted``: question -> its votes,
    kept for the next page of an answer."""
    sessions = await _sessions(services, questions)
    async with services.database.read() as connection:
        stored = Questions(connection)
        new = [question for question in questions if question.id not in counted]
        every = {question.id: question for question in new}
        for session in {question.session for question in new if question.session is not None}:
            every |= {question.id: question for question in await stored.of_session(session)}
        for room in {question.room for question in new if question.session is None}:
            every |= {part.id: part for part in await stored.parts_in_room(room)}
        if every:
            counted |= await asyncio.to_thread(tally, every, await stored.votes_of(list(every)))
    items: list[dict[str, Any] | None] = []
    for question in questions:
        reading = _reading(services, caller, question, sessions, Action.QUESTION_MODERATE)
        if reading is Reading.NOTHING:
            items.append(None)
            continue
        view = views.question_known_to_moderators if reading is Reading.MODERATOR else views.question_view
        items.append(view(question, counted[question.id]))
    return items


async def _poll_views(services: Services, caller: Caller, found: Sequence[Poll]) -> list[dict[str, Any] | None]:
    """The polls as the caller sees them; None for each that they may not see."""
    sessions = await _sessions(services, found)
    async with services.database.read() as connection:
        ballots = await Polls(connection).votes_of([poll.id for poll in found])
    items: list[dict[str, Any] | None] = []
    for poll in found:
        reading = _reading(services, caller, poll, sessions, Action.POLL_RUN)
        view = views.poll_view(poll, ballots.get(poll.id, {}), crew=reading is Reading.MODERATOR)
        items.append(None if reading is Reading.NOTHING else view)
    return items


async def _sessions(services: Services, items: Sequence[Question | Poll]) -> Mapping[str, Session]:
    """The sessions as the director knows them, which may be newer than the row."""
    named = sorted({session for item in items if (session := said_in(item)) is not None})
    async with services.database.read() as connection:
        rows = await Sessions(connection).find_many(named)
    return {name: services.director.find(name) or row for name, row in rows.items()}


def _reading(
    services: Services, caller: Caller, item: Question | Poll, sessions: Mapping[str, Session], action: Action
) -> Reading:
    session = sessions.get(said_in(item) or "")
    return said_told(caller, item, session, venue_of(services, session.room if session else item.room), action)


# --- tables -----------------------------------------------------------------------------------------


async def _table(
    call: Call,
    name: str,
    columns: Sequence[str],
    listed: Callable[[], Awaitable[tuple[list[dict[str, Any]], str | None]]],
    rows_of: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> Text:
    """A CSV table. It is kept for some seconds for callers with the same rights, because new messages do not change the
    revision."""
    services, grant = call.services, call.grant
    if grant is None:
        services.exports.take(services.proxies.client_household(call.request))
    async with services.database.read() as connection:
        known = await revision.current(connection)

    async def make() -> Document:
        found, _ = await listed()

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
    # Spreadsheets ignore spaces and isolates before the character.
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


def participant_of(request: web.Request, services: Services) -> ParticipantIdentity | None:
    """The participant of the request's cookie or token."""
    for token in (request.headers.get(PARTICIPANT_HEADER), request.cookies.get(COOKIE)):
        identity = services.audience.identity(token) if token else None
        if identity is not None:
            return identity
    return None


def _me(call: Call) -> str:
    identity = participant_of(call.request, call.services)
    if identity is None:
        raise Unauthorized("The request names no participant.", code="no_participant")
    return identity.id


async def export(call: Call) -> OwnData:
    participant = _me(call)
    data = dict(await call.services.audience.export(participant))
    data.pop("participant", None)
    call.headers[hdrs.CONTENT_DISPOSITION] = 'attachment; filename="my-data.json"'
    return OwnData(participant=participant, data=data)


async def erase(call: Call) -> Erased:
    """Deletes the participant's texts, names and votes for good, and the cookie."""
    participant = _me(call)
    try:
        removed = dict(await call.services.audience.erase(participant))
    finally:
        call.services.tables.forget()
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
        texts=("text/csv",),
    ),
    Route(
        "GET",
        "/polls",
        list_polls,
        "Polls, oldest first; format=csv for a table",
        "audience",
        query=ItemsQuery,
        answers=(ItemList,),
        texts=("text/csv",),
    ),
    Route("GET", "/questions/{id}", get_question, "A question", "audience", query=LinkQuery, answers=(Item,)),
    Route("GET", "/polls/{id}", get_poll, "A poll with its counts", "audience", query=LinkQuery, answers=(Item,)),
    Route(
        "GET",
        "/sessions/{id}/audience",
        watched,
        "The number of viewers, and the minutes that they watched",
        "audience",
        action=Action.AUDIT_READ,
        answers=(Watched,),
    ),
    Route("GET", "/me/data", export, "Everything that is stored about the participant", "audience", answers=(OwnData,)),
    Route(
        "DELETE", "/me/data", erase, "Delete everything about the participant for good", "audience", answers=(Erased,)
    ),
)
