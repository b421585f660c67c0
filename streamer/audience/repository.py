"""Loads a scope's state from the database after a restart, and writes the changes of many scopes together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.audience.images import read
from streamer.audience.scope import Scope
from streamer.audience.state import (
    MOST_ACTIONS,
    MOST_CREW_MESSAGES,
    MOST_POLLS,
    MOST_QUESTIONS,
    MOST_REPORTS,
    Ballot,
    Change,
    Put,
    RecordingChapter,
    ScopeState,
    Vote,
)
from streamer.conference.day import DAY_MS
from streamer.conference.participation import (
    AddressHold,
    CrewMessage,
    Message,
    Mode,
    ModerationAction,
    Notice,
    Person,
    Poll,
    Question,
    Report,
    Sanction,
)
from streamer.conference.sessions import Mark
from streamer.errors import StreamerError, Unavailable
from streamer.store import revision
from streamer.store.answers import CommandAnswer, CommandAnswers
from streamer.store.bulk import put_rows, remove_keys
from streamer.store.chat import ChatMessages
from streamer.store.database import Database, StoreUnavailable
from streamer.store.mapping import RowMapping
from streamer.store.moderation import Moderation
from streamer.store.modes import Modes
from streamer.store.participants import Participants
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.tables import marks
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

MOST_WAITING = 4000
"""Commands that wait to be written, in all; further commands are refused."""
MOST_AT_ONCE = 500
"""Commands in one transaction."""
_MARKS = RowMapping(Mark, marks)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Unit:
    """The changes of one command: all of them are written, or none."""

    changes: tuple[Change, ...]
    written: asyncio.Future[None]
    settle: Callable[[StreamerError | None], None] = lambda _error: None
    """Called in the order of the commands, before any of them is answered."""
    answer: CommandAnswer | None = None
    """The command's answer, if its client may ask for it again."""


class AudienceRepository:
    """Works on one database. After a failed write the waiting commands are void: their ``settle`` gets the error."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Unit] = []
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.transactions_total = 0
        self.units_total = 0
        self.faults_total = 0

    def start(self) -> None:
        self._task = start_kept("audience book", self._run)

    async def close(self) -> None:
        """Returns when all waiting changes are written."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def check_capacity(self) -> None:
        """Raises Unavailable ``busy`` if too many commands wait; called before a command is decided."""
        if self._closing or len(self._waiting) >= MOST_WAITING:
            raise Unavailable("Too many commands at once.", code="busy", headers={"Retry-After": "1"})

    def write(
        self,
        changes: Sequence[Change],
        settle: Callable[[StreamerError | None], None],
        answer: CommandAnswer | None = None,
    ) -> asyncio.Future[None]:
        """Write the changes with the next transaction. The future raises StoreUnavailable if it failed."""
        unit = Unit(tuple(changes), asyncio.get_running_loop().create_future(), settle, answer)
        self._waiting.append(unit)
        self._woken.set()
        return unit.written

    async def flushed(self) -> None:
        """Returns when all changes that wait now are written. Raises StoreUnavailable."""
        await asyncio.shield(self.write((), lambda _error: None))

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._woken.clear()
                await self._woken.wait()
                continue
            units, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                await self._write_together(units)
            except Exception as error:
                self.faults_total += 1
                log.exception("audience_cannot_write", commands=len(units))
                problem = (
                    error if isinstance(error, StreamerError) else StoreUnavailable("The change could not be stored.")
                )
                # Later decisions rest on changes that were not written.
                later, self._waiting = self._waiting, []
                for unit in (*units, *later):
                    _settle(unit, problem)

    async def _write_together(self, units: list[Unit]) -> None:
        try:
            await self._write(units)
        except StoreUnavailable:
            raise
        except Exception:
            # A room was deleted meanwhile, or the database refuses a value. The other commands are not at fault.
            for index, unit in enumerate(units):
                try:
                    await self._write([unit])
                except StoreUnavailable:
                    del units[:index]
                    raise
                except Exception:
                    self.faults_total += 1
                    log.warning("audience_refused_by_database", exc_info=True)
                    _settle(unit, StoreUnavailable("The change could not be stored."))
                else:
                    _settle(unit, None)
            return
        for unit in units:
            _settle(unit, None)

    async def _write(self, units: list[Unit]) -> None:
        rows = _Rows()
        for unit in units:
            rows.add(unit.changes)
            if unit.answer is not None:
                rows.answers.append(unit.answer)
        if rows.empty:
            return
        async with self._database.write() as connection:
            await rows.write(connection)
        self.transactions_total += 1
        self.units_total += len(units)

    # --- reading ------------------------------------------------------------------------------------

    async def load(self, scope: Scope, now_ms: int, keep: int, keep_days: int) -> ScopeState:
        """Raises StoreUnavailable."""
        key = scope.key
        async with self._database.read() as connection:
            modes = Modes(connection)
            mode = await modes.find(key)
            if mode is None and scope.session is not None:
                # A closed session's own audience begins with the words and networks of the room.
                of_room = await modes.find(scope.room)
                mode = (
                    None
                    if of_room is None
                    else Mode(
                        scope.room,
                        key,
                        words=of_room.words,
                        networks=of_room.networks,
                        word_lists=of_room.word_lists,
                    )
                )
            state = ScopeState(mode or Mode(scope.room, key), keep=keep)
            state.messages = {m.id: m for m in await ChatMessages(connection).newest(key, keep)}
            stored = Questions(connection)
            since_ms = now_ms - keep_days * DAY_MS if scope.session is not None else now_ms - 2 * DAY_MS
            state.questions = {q.id: q for q in await stored.newest(key, since_ms, MOST_QUESTIONS)}
            state.votes = await stored.votes_of(list(state.questions))
            asked = Polls(connection)
            state.polls = {poll.id: poll for poll in await asked.newest(key, MOST_POLLS)}
            state.ballots = await asked.votes_of(list(state.polls))
            moderation = Moderation(connection)
            state.sanctions = {s.participant: s for s in await moderation.sanctions(key, now_ms)}
            state.holds = {hold.prefix: hold for hold in await moderation.holds(key, now_ms)}
            state.reports = {r.id: r for r in (await moderation.open_reports(key, MOST_REPORTS))[::-1]}
            state.crew_messages = {
                message.id: message for message in await moderation.crew_messages(key, MOST_CREW_MESSAGES)
            }
            state.actions = {a.id: a for a in (await moderation.actions(key, MOST_ACTIONS))[::-1]}
            state.notice = await modes.notice(key)
        return state

    async def fetch(self, scope: Scope, ids: Iterable[str], action: str | None) -> list[Any]:
        """Messages by id, and an action with everything that it changed, if memory does not have them any more."""
        found: list[Any] = []
        wanted = list(ids)
        async with self._database.read() as connection:
            if action is not None:
                stored = await Moderation(connection).action(action)
                if stored is None or stored.scope != scope.key:
                    return []
                found.append(stored)
                wanted += [after.id for _, after in map(read, stored.changes) if isinstance(after, Message | Question)]
            found += [m for m in await ChatMessages(connection).find_many(wanted) if m.scope == scope.key]
            for one in wanted if action is not None else ():
                question = await Questions(connection).find(one)
                if question is not None and question.scope == scope.key:
                    found.append(question)
        return found


@dataclass(slots=True)
class _Rows:
    """The rows of one transaction, the last image of each. ``None``: the row is deleted."""

    items: dict[type[Any], dict[Any, Any]] = field(default_factory=dict)
    votes: dict[tuple[str, str], bool] = field(default_factory=dict)
    ballots: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    chapters: dict[str, Mark | None] = field(default_factory=dict)
    answers: list[CommandAnswer] = field(default_factory=list)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if isinstance(change, Put):
                item = change.after
                self.items.setdefault(type(item), {})[_key(item)] = item
            elif isinstance(change, Vote):
                self.votes[change.question, change.participant] = change.on
            elif isinstance(change, Ballot):
                self.ballots[change.poll, change.participant] = change.options
            elif isinstance(change, RecordingChapter):
                self.chapters[change.id] = change.mark

    @property
    def empty(self) -> bool:
        return not (self.items or self.votes or self.ballots or self.chapters or self.answers)

    async def write(self, connection: AsyncConnection) -> None:
        await Participants(connection).put_many(self._of(Person))
        await ChatMessages(connection).put_many(self._of(Message))
        questions = Questions(connection)
        await questions.put_many(self._of(Question))
        await questions.put_votes([key for key, on in self.votes.items() if on])
        await questions.remove_votes([key for key, on in self.votes.items() if not on])
        polls = Polls(connection)
        await polls.put_many(self._of(Poll))
        await polls.put_votes([(poll, who, options) for (poll, who), options in self.ballots.items() if options])
        await polls.remove_votes([key for key, options in self.ballots.items() if not options])
        modes = Modes(connection)
        await modes.put_many(self._of(Mode))
        await modes.put_notices(self._of(Notice))
        moderation = Moderation(connection)
        await moderation.put_sanctions(self._of(Sanction))
        await moderation.put_holds(self._of(AddressHold))
        await moderation.put_actions(self._of(ModerationAction))
        await moderation.put_reports(self._of(Report))
        await moderation.put_crew_messages(self._of(CrewMessage))
        await CommandAnswers(connection).put_many(self.answers)
        if self.chapters:
            await revision.bump(connection)
            await put_rows(connection, marks, [_MARKS.values(mark) for mark in self.chapters.values() if mark])
            await remove_keys(connection, marks, [(key,) for key, mark in self.chapters.items() if mark is None])

    def _of(self, kind: type[T]) -> list[T]:
        return list(self.items.get(kind, {}).values())


def _key(item: Any) -> Any:
    match item:
        case Mode():
            return item.scope
        case Sanction():
            return item.scope, item.participant
        case AddressHold():
            return item.scope, item.prefix
        case _:
            return item.id


def _settle(unit: Unit, error: StreamerError | None) -> None:
    unit.settle(error)
    if unit.written.done():
        # The client has gone; the written changes hold all the same.
        return
    if error is None:
        unit.written.set_result(None)
    else:
        unit.written.set_exception(error)
        # The exception is read here because nobody else may; it has been logged.
        unit.written.exception()
