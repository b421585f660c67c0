"""Everything that a replay shows in step with its picture: chat, questions, polls, captions and chapters by media time.

Media times do not change. Times that the replay does not show (before and after its marks, skipped stretches) are left
out. The caller checks who may see the session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.audience import views
from streamer.audience.chapters import question_of
from streamer.audience.question_order import tally
from streamer.conference.captions import Cue
from streamer.conference.participation import Message, Poll, Question, QuestionState, closed_session
from streamer.conference.sessions import MarkKind, Session
from streamer.store.captions import Captions
from streamer.store.chat import ChatMessages
from streamer.store.database import Database
from streamer.store.marks import Marks
from streamer.store.polls import Polls
from streamer.store.questions import Questions

KINDS = ("chat", "questions", "polls", "captions", "chapters")
MOST = 2000
"""The most items of each kind in one answer; ``more`` tells where to continue."""
MOST_AT_ONCE = 10_000
"""The most items of one kind in one millisecond."""
FOREVER_MS = 2**53 - 1

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """The media times that a replay shows: from ``start_ms`` to before ``end_ms``, without the ``skips``.

    ``skips`` are sorted and do not overlap; ``end_ms`` None: it grows. ``closed``: with the messages of the session's
    own audience while it was unlisted or private.
    """

    start_ms: int
    end_ms: int | None
    skips: tuple[tuple[int, int], ...] = ()
    closed: bool = True

    def tells(self, item: Message | Question | Poll) -> bool:
        return self.closed or closed_session(item.scope) is None

    def has(self, at_ms: int | None) -> bool:
        if at_ms is None or at_ms < self.start_ms or (self.end_ms is not None and at_ms >= self.end_ms):
            return False
        return not any(from_ms <= at_ms < to_ms for from_ms, to_ms in self.skips)

    def after(self, at_ms: int | None) -> int | None:
        """The time from which the replay shows something that holds from ``at_ms`` on; None: never."""
        if at_ms is None:
            return None
        for from_ms, to_ms in self.skips:
            if from_ms <= at_ms < to_ms:
                at_ms = to_ms
        return at_ms if self.has(at_ms) else None

    def view(self) -> Object:
        end_ms = FOREVER_MS if self.end_ms is None else self.end_ms
        inside = [(max(a, self.start_ms), min(b, end_ms)) for a, b in self.skips]
        return {
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "skips": [span for span in inside if span[0] < span[1]],
        }


NOTHING = Shown(0, 0)


async def timeline(
    database: Database,
    session: Session,
    shown: Shown,
    from_ms: int = 0,
    to_ms: int = FOREVER_MS,
    *,
    kinds: Collection[str] = KINDS,
    most: int = MOST,
) -> Object:
    """Items by media time, the first time included, the last not: only public ones, and only those that the replay
    shows. A question comes with all its times if any of them is in the stretch, a poll if it was open in it.

    ``more``: the media time to continue from, if there is too much for one answer.
    """
    from_ms = max(from_ms, shown.start_ms)
    to_ms = to_ms if shown.end_ms is None else min(to_ms, shown.end_ms)
    found: Object = {"session": session.id, **shown.view(), **_empty(), "more": None}
    if from_ms >= to_ms:
        return found
    limits = _Limits(from_ms, to_ms, most)
    async with database.read() as connection:
        if "chat" in kinds:
            chat = ChatMessages(connection)
            messages = await chat.between(session.id, from_ms, to_ms, most + 1)
            if limits.take([message.media_at_ms for message in messages]):
                messages = await chat.between(session.id, from_ms, limits.to_ms, MOST_AT_ONCE)
            found["chat"] = [views.message_view(m) for m in messages if shown.has(m.media_at_ms) and shown.tells(m)]
        if "captions" in kinds:
            stored = Captions(connection)
            lines = await stored.of_session(session.room, session.id, from_ms, to_ms, most + 1)
            if limits.take([line.at_ms for line in lines]):
                lines = await stored.of_session(session.room, session.id, from_ms, limits.to_ms, MOST_AT_ONCE)
            found["captions"] = _by_language(line for line in lines if shown.has(line.at_ms))
        if "questions" in kinds:
            found["questions"] = await _questions(connection, session.id, shown, limits)
        if "polls" in kinds:
            found["polls"] = await _polls(connection, session.id, shown, limits)
        if "chapters" in kinds:
            found["chapters"] = await _chapters(connection, session.id, shown, limits)
    if limits.to_ms < to_ms:
        # These kinds were read before a later kind turned out to have too many items.
        found["more"] = limits.to_ms
        found["chat"] = [m for m in found["chat"] if m["media_at"] < limits.to_ms]
        found["captions"] = {
            lang: kept
            for lang, items in found["captions"].items()
            if (kept := [item for item in items if item["media_at"] < limits.to_ms])
        }
    return found


@dataclass(slots=True)
class _Limits:
    """The stretch of one answer. It becomes shorter if a kind has too many items in it."""

    from_ms: int
    to_ms: int
    most: int

    def take(self, times: Sequence[int]) -> bool:
        """``times`` of one kind, sorted. Returns whether they are too many and must be read again up to a new end."""
        if len(times) <= self.most:
            return False
        self.to_ms = min(self.to_ms, max(times[self.most], self.from_ms + 1))
        return True

    def has(self, at_ms: int | None) -> bool:
        return at_ms is not None and self.from_ms <= at_ms < self.to_ms


def _empty() -> Object:
    return {"chat": [], "questions": [], "polls": [], "captions": {}, "chapters": []}


def _by_language(lines: Iterable[Cue]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for line in lines:
        found.setdefault(line.lang, []).append({"id": line.id, "media_at": line.at_ms, "text": line.text})
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as far as a replay shows it. ``asked_ms`` None: it was asked before the start and appears with its
    stage."""

    question: Question
    asked_ms: int | None

    @property
    def times_ms(self) -> tuple[int, ...]:
        times = (self.asked_ms, self.question.staged_ms, self.question.answered_ms)
        return tuple(at_ms for at_ms in times if at_ms is not None)


def as_shown(question: Question, shown: Shown) -> Asked | None:
    """The question as the replay shows it. A question from a skipped stretch is left out; a change in a skipped stretch
    is left out of the others.

    None if the replay shows nothing of it.
    """
    asked = shown.has(question.media_at_ms)
    if not question.public or not shown.tells(question) or (question.media_at_ms >= shown.start_ms and not asked):
        return None
    state = question.state
    staged = state in (QuestionState.ON_STAGE, QuestionState.ANSWERED) and shown.has(question.staged_ms)
    answered = state is QuestionState.ANSWERED and shown.has(question.answered_ms)
    if not (asked or staged or answered):
        return None
    if not answered:
        state = QuestionState.ON_STAGE if staged else QuestionState.APPROVED
    told = replace(
        question,
        state=state,
        staged_ms=question.staged_ms if staged else None,
        answered_ms=question.answered_ms if answered else None,
    )
    return Asked(told, question.media_at_ms if asked else None)


async def _questions(connection: AsyncConnection, session: str, shown: Shown, limits: _Limits) -> list[Object]:
    stored = Questions(connection)
    every = {question.id: question for question in await stored.of_session(session)}
    told = [asked for one in every.values() if (asked := as_shown(one, shown)) is not None]
    first = {id(one): min(filter(limits.has, one.times_ms), default=None) for one in told}
    limits.take(sorted(at_ms for at_ms in first.values() if at_ms is not None))
    inside = [one for one in told if limits.has(first[id(one)])]
    votes = await stored.votes_of(list(every)) if inside else {}
    counted = tally(every, votes)
    found = []
    for one in inside:
        view = views.question_view(one.question, counted[one.question.id])
        found.append({**view, "media_at": one.asked_ms})
    return found


async def _polls(connection: AsyncConnection, session: str, shown: Shown, limits: _Limits) -> list[Object]:
    stored = Polls(connection)
    opened = await stored.between(session, limits.from_ms, limits.to_ms, MOST)
    polls = [poll for poll in opened if shown.has(poll.media_at_ms) and shown.tells(poll)]
    ballots = await stored.votes_of([poll.id for poll in polls])
    found = []
    for poll in polls:
        # A poll that was closed after the end stays open, and its results stay hidden as they were.
        closed_ms = shown.after(poll.closed_ms)
        view = views.poll_view(replace(poll, closed_ms=closed_ms), ballots.get(poll.id, {}))
        found.append({**view, "closed_media_at": closed_ms})
    return found


async def _chapters(connection: AsyncConnection, session: str, shown: Shown, limits: _Limits) -> list[Object]:
    marks = await Marks(connection).of_session(session)
    return [
        {"id": mark.id, "media_at": mark.at_ms, "label": mark.label, "question": question_of(mark)}
        for mark in marks
        if mark.kind is MarkKind.CHAPTER
        and mark.label
        and shown.has(mark.at_ms)
        and limits.has(mark.at_ms)
        and (shown.closed or not mark.said_closed)
    ]
