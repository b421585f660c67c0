"""The audience service: one :class:`AudienceScope` per scope. Commands run one after the other and are stored before
they are acknowledged.

A command is decided at once, on the scope's working state, and written with everything else that waits (of all scopes,
in one transaction). Only then it is shown, sent and acknowledged, in the order of the decisions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog

from streamer.audience import records, showing, ticking, timelines
from streamer.audience.audience_scope import AudienceScope
from streamer.audience.command import ClientMessage, CountedCommand, Decision, ReadCommand, Situation, StoredCommand
from streamer.audience.command_table import definition_of
from streamer.audience.crew import Undo
from streamer.audience.identity import SECRET_NAME, Identities, ParticipantIdentity
from streamer.audience.names import numbered_of
from streamer.audience.news import AudienceEvent, Listener, Viewpoint
from streamer.audience.people import Crew, Participant, Who
from streamer.audience.repository import AudienceRepository
from streamer.audience.scope import Scope
from streamer.audience.state import Ballot, Change, RecordingChapter, Refocus, Vote
from streamer.audience.timelines import FOREVER_MS, KINDS, Shown
from streamer.audience.views import moment
from streamer.conference.sessions import Session
from streamer.errors import Forbidden, StreamerError
from streamer.formats import erasures
from streamer.settings import AudienceSettings
from streamer.store.answers import CommandAnswer, FirstAnswers, Once
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.logins import Secrets
from streamer.supervision import TASKS, start_kept

log = structlog.get_logger(__name__)

TICK_S = 0.25
IDLE_MS = 30 * 60_000
"""A scope that nobody has used for this long leaves the memory."""


class SessionSource(Protocol):
    """The rooms' days. ``streamer.director.Director`` knows all of them; an adapter is a few lines."""

    def sessions(self, room: str) -> Sequence[Session]:
        """The sessions of the room in memory, closed ones too. Raises NotFound ``no_such_room``."""

    def find(self, session_id: str) -> Session | None: ...

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call ``listener`` with a room's id when one of its sessions has changed. Returns the function that ends
        it."""


class Audience:
    """``clock``: UTC milliseconds. ``start`` it first, ``close`` it last; everything else in between, on the loop.

    ``marks_changed`` is called with a session's id when one of its chapters was made or removed.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        sessions: SessionSource,
        settings: AudienceSettings,
        erasing: Erasing,
        marks_changed: Callable[[str], None] = lambda _session: None,
    ) -> None:
        self._database = database
        self._erasing = erasing
        erasing.does(erasures.PersonErasure, self._erase_again)
        self._clock = clock
        self._sessions = sessions
        self._settings = settings
        self._marks_changed = marks_changed
        self.repository = AudienceRepository(database)
        self._answers = FirstAnswers(database, clock)
        self._audiences: dict[str, AudienceScope] = {}
        self._loading: dict[str, asyncio.Task[AudienceScope]] = {}
        self._listeners: list[Listener] = []
        self._identities: Identities | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unlisten: Callable[[], None] | None = None
        self._last_id = (0, 0)
        self._minute = 0
        self.faults_total = 0

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises StoreUnavailable."""
        async with self._database.write() as connection:
            key = await Secrets(connection).kept_key(SECRET_NAME)
        self._identities = Identities(key)
        self.repository.start()
        self._unlisten = self._sessions.listen(self._on_sessions)
        self._tasks = [start_kept("audience tick", self._tick)]

    async def close(self) -> None:
        """Returns when all earlier commands are stored and answered."""
        if self._unlisten is not None:
            self._unlisten()
        tasks = [*self._tasks, *self._loading.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.repository.close()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Send every event of every scope to ``listener``, for all viewpoints. Returns the function that ends it."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    # --- who ----------------------------------------------------------------------------------------

    def new_identity(self) -> tuple[ParticipantIdentity, str]:
        """A new participant's identity, and the token for the cookie and ``you.key``."""
        assert self._identities is not None, "start it first"
        return self._identities.issue(self._clock())

    def identity(self, token: str) -> ParticipantIdentity | None:
        """The identity of the token; None if this instance has not made it."""
        assert self._identities is not None, "start it first"
        return self._identities.read(token)

    # --- taking part --------------------------------------------------------------------------------

    async def join(self, scope: Scope, participant: Participant, address: str) -> None:
        """Somebody has connected; called once for each connection. Raises Forbidden ``banned``, StoreUnavailable."""
        audience = await self._audience(scope)
        sanction = None if participant.crew else audience.shown.sanctions.get(participant.id)
        if sanction is not None and sanction.banned:
            raise Forbidden("You have been banned from here.", code="banned")
        if participant.name:
            # The connection's name and place count until the participant sets them again.
            for state in (audience.working, audience.shown):
                known = state.people.get(participant.id)
                if (
                    known is not None
                    and known.name != participant.name
                    and not numbered_of(known.name, participant.name)
                ):
                    del state.people[participant.id]
        audience.crowd.join(participant, address)

    def leave(self, scope: Scope, participant: str) -> None:
        """One connection of the participant has ended."""
        audience = self._audiences.get(scope.key)
        if audience is not None:
            audience.crowd.leave(participant, self._clock())

    async def run(self, scope: Scope, who: Who, command: ClientMessage, once: Once | None = None) -> dict[str, Any]:
        """Run the command. It is stored when this returns. Moderators' answers have the id for undo as ``action``, or
        None. ``once``: a command that has been run gives its first answer, unless it is only counted.

        Raises StreamerError: ``banned``, ``muted``, ``chat_closed``, ``read_only``, ``questions_only``,
        ``questions_closed``, ``anonymous_not_allowed``, ``slow_mode``, ``flood``, ``repeated``, ``empty_text``,
        ``too_long``, ``too_many_questions``, ``name_reserved``, ``name_refused``, ``no_such_message`` (``_question``,
        ``_poll``, ``_action``, ``_participant``), ``poll_closed``, ``wrong_state``, ``claimed``, ``not_undoable``,
        ``superseded``, ``forbidden``, ``invalid``, ``id_reused``, ``busy``, ``store_unavailable``; then nothing has
        changed. Errors that pass with time have ``Retry-After``.
        """
        definition, crew = definition_of(command), isinstance(who, Crew)
        if crew != (definition.action is not None):
            raise Forbidden("This is for moderators." if not crew else "This is for participants.", code="forbidden")
        audience, decision = await self._audience(scope), Decision()
        match definition:
            case ReadCommand():
                return await definition.read(self._database, audience, command, self._clock())
            case CountedCommand():
                decision = definition.count(audience, who, command, self._clock())
            case StoredCommand() if once is not None:
                return await self._answers.answer(once, lambda: self._store(audience, definition, who, command, once))
            case StoredCommand():
                return await self._store(audience, definition, who, command)
        if decision.event is not None:
            kind, data = decision.event
            self._tell(AudienceEvent(audience.scope.key, Viewpoint.MODERATION, kind, data, self._clock()))
        return _answer(who, decision)

    async def _store(
        self,
        audience: AudienceScope,
        definition: StoredCommand[Any],
        who: Who,
        command: ClientMessage,
        once: Once | None = None,
    ) -> dict[str, Any]:
        await self._fetch(audience, definition, command)
        self.repository.check_capacity()
        decision = definition.decide(audience.working, who, command, self.situation(audience, who))
        answer = _answer(who, decision)
        await self.put(audience, decision.changes, None if once is None else once.answered(answer, self._clock()))
        return answer

    async def snapshot(self, scope: Scope, viewpoint: Viewpoint, participant: str | None = None) -> Mapping[str, Any]:
        """The present state for a viewpoint. ``own`` needs the ``participant`` and holds only their own items."""
        audience = await self._audience(scope)
        state, now_ms = audience.shown, self._clock()
        match viewpoint:
            case Viewpoint.PUBLIC:
                return {**showing.public_snapshot(state, now_ms), "presence": audience.crowd.counts()}
            case Viewpoint.MODERATION:
                claims = [
                    {"id": item, "by": label, "until": moment(until_ms)}
                    for item, (_, label, until_ms) in audience.tallies.claims.items()
                    if until_ms > now_ms
                ]
                told = {"presence": audience.crowd.counts(), "claims": claims}
                return {**showing.moderation_snapshot(state, now_ms), **told}
            case Viewpoint.STAGE:
                return showing.stage_snapshot(state, now_ms)
            case Viewpoint.OWN:
                assert participant is not None
                return showing.own_snapshot(state, participant, now_ms)

    async def crew_messages(self, scope: Scope) -> list[dict[str, Any]]:
        """The crew's private chat, oldest first, as in ``crew.line``."""
        return showing.crew_messages((await self._audience(scope)).shown)

    def set_viewers(self, scope: Scope, *, hls: int, whep: int) -> None:
        """The number of viewers over HLS and over WHEP, besides those who are connected; called whenever it is
        known."""
        audience = self._audiences.get(scope.key)
        if audience is not None:
            audience.crowd.hls, audience.crowd.whep = hls, whep

    def viewers(self, scope: Scope) -> int:
        """The number of viewers, as far as it is known; 0 for an audience that is not in memory."""
        audience = self._audiences.get(scope.key)
        return 0 if audience is None else audience.crowd.viewers

    # --- records ------------------------------------------------------------------------------------

    async def export(self, participant: str) -> Mapping[str, Any]:
        """Everything that is stored of a participant, for themselves."""
        return await records.export(self._database, participant)

    async def erase(self, participant: str) -> Mapping[str, int]:
        """Delete a participant's texts, names and votes for good, and tell the viewers. Returns how many.

        Raises NotErased if the database does not answer, or if the request cannot be recorded outside of it; then it is
        tried again.
        """
        record = erasures.PersonErasure(self._clock(), await self._erasing.hashed(records.PERSON, participant))

        async def gone() -> Mapping[str, int]:
            await self.repository.flushed()
            found = await records.erase(self._database, participant)
            self._forget(participant)
            return found

        return await self._erasing.carry_out(record, gone)

    async def _erase_again(self, asked: Sequence[erasures.PersonErasure]) -> None:
        for participant in await records.erase_again(self._database, self._erasing, asked):
            self._forget(participant)

    def _forget(self, participant: str) -> None:
        for audience in self._audiences.values():
            for event in records.forget(audience, participant, self._clock()):
                self._tell(event)

    async def timeline(
        self, session: Session, shown: Shown, from_ms: int = 0, to_ms: int = FOREVER_MS, kinds: Collection[str] = KINDS
    ) -> Mapping[str, Any]:
        """Everything that a replay shows in step, see :mod:`.timelines`."""
        return await timelines.timeline(self._database, session, shown, from_ms, to_ms, kinds=kinds)

    async def watched(self, session_id: str) -> Mapping[str, Any]:
        """``peak``, ``average`` viewers and ``minutes`` watched in all."""
        return await records.watched(self._database, session_id)

    # --- deciding and storing -----------------------------------------------------------------------

    def situation(self, audience: AudienceScope, who: Who | None = None) -> Situation:
        networks = (*self._settings.exempt_networks, *audience.working.mode.networks)
        crowd = audience.crowd
        own = crowd.prefixes(who.id, networks) if isinstance(who, Participant) else ()
        return Situation(
            scope=audience.scope,
            now_ms=self._clock(),
            sessions=self._sessions.sessions(audience.scope.room),
            settings=self._settings,
            new_id=self._new_id,
            activities=audience.activities,
            prefixes=own,
            connected=frozenset(crowd.here) if isinstance(who, Crew) else frozenset(),
            crew_names=tuple(
                name
                for one, came_as in crowd.trusted.items()
                if (name := audience.working.name_in_use(one) or came_as) and one != getattr(who, "id", "")
            ),
            crew_ids=crowd.crew if isinstance(who, Crew) else frozenset(),
            prefixes_of=lambda participant: crowd.prefixes(participant, networks),
        )

    async def put(
        self, audience: AudienceScope, changes: Sequence[Change], answer: CommandAnswer | None = None
    ) -> None:
        """Write the changes, then show and send them. Raises StoreUnavailable; then they do not hold."""
        if not changes and answer is None:
            if audience.unstored:
                # The answer rests on changes that are still being written.
                await self.repository.flushed()
            return
        audience.working.apply(changes)
        audience.unstored += 1
        written = self.repository.write(changes, lambda error: self._settled(audience, changes, error), answer)
        await asyncio.shield(written)

    def _settled(self, audience: AudienceScope, changes: Sequence[Change], error: StreamerError | None) -> None:
        audience.unstored -= 1
        if error is not None:
            audience.working = audience.shown.copy()
            audience.behind = audience.unstored
            return
        before = audience.shown.focus
        audience.shown.apply(changes)
        if audience.behind:
            audience.behind -= 1
            audience.working.apply(changes)
        now_ms = self._clock()
        for change in changes:
            if isinstance(change, Vote):
                audience.voted[change.question] = None
            elif isinstance(change, Ballot):
                audience.polled[change.poll] = None
            elif isinstance(change, RecordingChapter):
                self._marks_changed(change.session)
            else:
                for event in showing.events_of(audience.scope.key, change, before, audience.shown, now_ms):
                    self._tell(event)
            if isinstance(change, Refocus):
                before = audience.shown.focus

    async def _fetch(self, audience: AudienceScope, definition: StoredCommand[Any], command: ClientMessage) -> None:
        """Load the items of the command that are not in memory any more."""
        wanted: list[str] = []
        action = command.action if isinstance(command, Undo) else None
        if action is None:
            wanted = [one for one in definition.messages(command) if one not in audience.working.messages]
            if not wanted:
                return
        found = await self.repository.fetch(audience.scope, wanted, action)
        for state in (audience.working, audience.shown):
            records.take_back(state, found)

    # --- audiences ----------------------------------------------------------------------------------

    async def _audience(self, scope: Scope) -> AudienceScope:
        audience = self._audiences.get(scope.key)
        if audience is None:
            loading = self._loading.get(scope.key)
            if loading is None:
                loading = asyncio.create_task(self._load(scope), name=f"audience load {scope.key}")
                self._loading[scope.key] = loading
                loading.add_done_callback(lambda _task: self._loading.pop(scope.key, None))
            audience = await asyncio.shield(loading)
        audience.used_ms = self._clock()
        return audience

    async def _load(self, scope: Scope) -> AudienceScope:
        now_ms = self._clock()
        sessions = self._sessions.sessions(scope.room)
        settings = self._settings
        state = await self.repository.load(scope, now_ms, settings.messages_in_memory, settings.keep_days)
        state.focus, state.previous = ticking.first_focus(scope, sessions, now_ms)
        # As if the scope had been in memory all the time.
        state.trim_questions()
        modes = ticking.first_modes(state, sessions)
        # The first to come sees them already.
        state.apply(modes)
        audience = AudienceScope(scope, state, state.copy(), used_ms=now_ms)
        self._audiences[scope.key] = audience
        if modes:
            self._put_later(audience, modes)
        return audience

    def _on_sessions(self, room: str) -> None:
        for audience in list(self._audiences.values()):
            if audience.scope.room == room:
                self._refocus(audience)

    def _refocus(self, audience: AudienceScope) -> None:
        """Questions and polls follow the sessions."""
        try:
            at = self.situation(audience)
        except StreamerError:
            # The room was deleted; nobody asks any more.
            return
        to = ticking.focus_now(audience.scope, at.sessions, at.now_ms)
        if to.session == audience.working.focus.session:
            return
        changes = ticking.rolled_over(audience.working, to, at.now_ms)
        changes += ticking.modes_of(audience.working, to, at.sessions)
        self._put_later(audience, changes)

    def _put_later(self, audience: AudienceScope, changes: Sequence[Change]) -> None:
        """Changes that follow by themselves. The repository writes them later and logs failures."""
        audience.working.apply(changes)
        audience.unstored += 1
        self.repository.write(changes, lambda error: self._settled(audience, changes, error))

    # --- by itself ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except Exception:
                self.faults_total += 1
                TASKS.note("audience tick")
                log.exception("audience_tick_failed")

    async def tick(self) -> None:
        """Bring everything to the present: sessions, delayed messages, votes, reactions, presence, minutes watched."""
        now_ms = self._clock()
        for audience in list(self._audiences.values()):
            self._refocus(audience)
            due = ticking.due(audience.working, now_ms)
            if due:
                self._put_later(audience, due)
            for event in ticking.told(audience, now_ms):
                self._tell(event)
            for state in (audience.working, audience.shown):
                state.forget_over(now_ms)
            if not audience.crowd.here and not audience.unstored and now_ms - audience.used_ms > IDLE_MS:
                del self._audiences[audience.scope.key]
        minute = now_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            await records.note_minute(self._database, self._watching(), minute * 60_000)
        if not self._answers.complete:
            await self._answers.load()

    def _watching(self) -> list[tuple[str, int]]:
        """(session, viewers) of the sessions that are on."""
        found = []
        for audience in self._audiences.values():
            session = audience.shown.focus.session
            running = None if session is None else self._sessions.find(session)
            if running is not None and running.running and audience.crowd.viewers:
                found.append((running.id, audience.crowd.viewers))
        return found

    def _tell(self, event: AudienceEvent) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                self.faults_total += 1
                log.exception("audience_listener_failed", event_type=event.type)

    def _new_id(self) -> str:
        """Ids sort in the order of their making, also within a millisecond, and cannot be guessed."""
        now_ms = self._clock()
        last_ms, count = self._last_id
        self._last_id = (now_ms, 0) if now_ms > last_ms else (last_ms, count + 1)
        at_ms, count = self._last_id
        return f"{at_ms:011x}{count:04x}{secrets.token_hex(6)}"


def _answer(who: Who, decision: Decision) -> dict[str, Any]:
    if isinstance(who, Crew):
        return {"action": None if decision.action is None else decision.action.id, **decision.answer}
    return decision.answer
