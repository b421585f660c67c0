"""``/api/v1/replays``: the archive. Published replays of public sessions, the newest first, found by their words and by
what was said in them. It is the same for everybody."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from streamer.api.models import LazyModel, ListQuery, Slug
from streamer.api.routing import Call, Route
from streamer.api.session_models import SessionView
from streamer.api.sessions import context_of
from streamer.api.summaries import edition_of
from streamer.archive.material import Span, minus
from streamer.conference.captions import Cue
from streamer.conference.sessions import Session
from streamer.conference.visibility import ANYBODY, told
from streamer.store.paging import Page, page_of_shown
from streamer.store.replays import Replays

LEAST_LETTERS = 3
"""A shorter text is looked for in titles, speakers and tags only."""


class ReplayQuery(ListQuery):
    q: str = Field("", max_length=100)
    """Words that must all be in title, subtitle, abstract, speakers and tags, or in one line of the captions."""
    event: Slug | None = None
    venue: Slug | None = None
    tag: str | None = Field(None, max_length=100)


class FoundLine(LazyModel):
    """A line of captions with the words."""

    at_s: int
    """From the start of the replay: ``?t=`` of the session's page."""
    text: str


class ReplayView(LazyModel):
    session: SessionView
    still_url: str
    duration_ms: int
    found: FoundLine | None
    """The place of the words, unless the session's own description has them."""


class ReplayList(LazyModel):
    items: list[ReplayView]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    words: tuple[str, ...]
    tag: str | None
    said: Mapping[str, Sequence[Cue]]
    """Session -> lines of its captions with all the words."""

    def described(self, session: Session) -> bool:
        own = (session.title, session.subtitle, session.abstract, *session.speakers, *session.tags)
        text = folded(" ".join(own))
        return all(word in text for word in self.words)

    def tagged(self, session: Session) -> bool:
        return self.tag is None or self.tag in {folded(tag) for tag in (*session.tags, session.track)}


async def list_replays(call: Call) -> ReplayList:
    query, services = call.query(ReplayQuery), call.services
    services.exports.take(services.proxies.client_household(call.request))
    words = tuple(folded(query.q).split())
    wanted = _Wanted(words, None if query.tag is None else folded(query.tag), await _said(call, words))

    async def fetch(limit: int, after: str | None) -> Page[Session]:
        async with services.database.read() as connection:
            return await Replays(connection).page(max(limit, 50), after, event=query.event, venue=query.venue)

    async def show(found: Sequence[Session]) -> list[ReplayView | None]:
        # The director's copy may be newer than the row.
        return [await _view(call, services.director.find(session.id) or session, wanted) for session in found]

    items, place = await page_of_shown(query.limit, await call.after(query), fetch, show)
    return ReplayList(items=items, cursor=await call.cursor(query, place))


async def _said(call: Call, words: Sequence[str]) -> dict[str, list[Cue]]:
    """The lines with all the words, by session. The longest word finds them in the database."""
    longest = max(words, key=len, default="")
    if len(longest) < LEAST_LETTERS:
        return {}
    async with call.services.database.read() as connection:
        lines = await Replays(connection).lines_with(longest)
    found: dict[str, list[Cue]] = {}
    for line in lines:
        text = folded(line.text)
        if line.session is not None and all(word in text for word in words):
            found.setdefault(line.session, []).append(line)
    return found


async def _view(call: Call, session: Session, wanted: _Wanted) -> ReplayView | None:
    """None: it is not found, or not to be seen by everybody."""
    services = call.services
    if not told(ANYBODY, session, None).anything or not wanted.tagged(session):
        return None
    described = wanted.described(session)
    lines = wanted.said.get(session.id, ())
    if not described and not lines:
        return None
    edition = await edition_of(services, session)
    if edition is None or edition.length_ms is None:
        return None
    assert edition.end_ms is not None
    spans = minus(Span(edition.start_ms, edition.end_ms), edition.skips)
    found = None if described else _line(lines, spans)
    if not described and found is None:
        # It was said in a part that is cut away.
        return None
    return ReplayView(
        session=SessionView.of(session, context_of(services, session)),
        still_url=f"{services.public_url}/replay/{session.id}/still.jpg",
        duration_ms=edition.length_ms,
        found=found,
    )


def _line(lines: Sequence[Cue], spans: Sequence[Span]) -> FoundLine | None:
    """The first line that the replay shows."""
    for line in sorted(lines, key=lambda one: one.at_ms):
        before_ms = 0
        for span in spans:
            if span.from_ms <= line.at_ms < span.to_ms:
                return FoundLine(at_s=(before_ms + line.at_ms - span.from_ms) // 1000, text=line.text)
            before_ms += span.to_ms - span.from_ms
    return None


def folded(text: str) -> str:
    """Without case and accents: ``Été`` -> ``ete``."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


ROUTES = (
    Route(
        "GET",
        "/replays",
        list_replays,
        "The archive: published replays of public sessions, the newest first, by words, event, venue and tag",
        "recordings",
        query=ReplayQuery,
        answers=(ReplayList,),
    ),
)
