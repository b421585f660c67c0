"""Keys of closed sessions. A key is made for one holder and checked at each request. Used on the loop.

A player asks several times a second, so answers come from memory. The facts about a holder in use are read again twice
a second, and at once when a grant is revoked, a login ends or a session changes here. Requests that wait or last (held
requests, downloads) learn at once when their key opens nothing any more.
"""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from streamer.api.revocations import Ended, Opener
from streamer.conference.grants import ADMIN, Action, Grant, Target
from streamer.conference.session_keys import LINK, admin_holder, holder_of, key_of
from streamer.conference.sessions import Session, Visibility
from streamer.conference.spans import output_name
from streamer.conference.visibility import target_of
from streamer.control.process_files import write_atomically
from streamer.data_folder import KEYS_REVISION
from streamer.director.director import Director
from streamer.director.news import News, SessionChanged
from streamer.errors import Unavailable
from streamer.store import revision
from streamer.store.database import Database
from streamer.store.grants import Grants
from streamer.store.logins import SESSION_KEYS, Logins, Secrets
from streamer.store.reach import with_ends
from streamer.store.sessions import Sessions

EVERYBODY = ""
"""The holder of public things."""
FRESH_S = 0.8
"""Facts that were read longer ago are read again before they are used."""
IN_USE_S = 5.0
"""Facts that nobody has asked for during this time are not read again."""
TRUSTED_S = 60.0
"""While the database does not answer, old facts hold for this long, so that viewers can go on."""
DATABASE_S = 0.5
FIRST_S = 3.0
"""The longest waits for the database: for facts that are known already, and for facts that are not."""
RETRY_S = 1.0
_LOGIN = "login-"
_LOGIN_BYTES = 12

log = structlog.get_logger(__name__)


def login_holder(digest: bytes) -> str:
    """A login's public name: the start of its secret's digest, long enough to be unique."""
    return _LOGIN + urlsafe_b64encode(digest[:_LOGIN_BYTES]).decode("ascii")


@dataclass(slots=True)
class _Holder:
    """``grant`` None: the grant or login does not exist any more."""

    grant: Grant | None
    login: bytes | None = None
    ends_ms: int | None = None
    """The end of the login."""
    read_at: float = 0.0
    asked_at: float = 0.0


@dataclass(slots=True)
class _Old:
    """A session that the director does not keep in memory."""

    session: Session | None
    read_at: float
    asked_at: float


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """The key and session by which a request was let in. Two of the same are equal."""

    keys: SessionKeys
    session: str
    generation: int
    holder: str
    output: str
    """The session's output in its room."""
    live: bool = False
    """Whether it was let in to what is live."""

    @property
    def holds(self) -> bool:
        """Whether the same caller would still get this access now, as far as this process knows."""
        return self.keys.holds(self)

    @property
    def unpublished(self) -> bool:
        """Whether it opens a recording that is not published: people's own keys do, a shared link does not."""
        return self.holder not in (EVERYBODY, LINK)

    @property
    def finished_only(self) -> bool:
        """Whether it opens nothing of a session that goes on."""
        return self.keys.only_approves(self)

    @property
    def cuts(self) -> bool:
        """Whether it opens what the cut leaves out, too."""
        return self.keys.cuts(self)

    def on_end(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called once when the key opens nothing any more. Returns the function that cancels this."""
        return self.keys.on_end(self, callback)


class SessionKeys:
    """There is one in each web process. ``start`` it before anybody is served."""

    def __init__(
        self, database: Database, director: Director, admin_token: str, clock: Callable[[], int], folder: Path
    ) -> None:
        self._database = database
        self._newest = folder / KEYS_REVISION
        self._tightened = False
        """Since the file was last written."""
        self._director = director
        self._admin_token = admin_token
        self._clock = clock
        self._secret = b""
        self._holders: dict[str, _Holder] = {}
        self._old: dict[str, _Old] = {}
        self._waiting: dict[KeyAccess, dict[object, Callable[[], None]]] = {}
        self._reading = asyncio.Lock()
        self._failed_at: float | None = None
        director.listen(self._hear)

    async def start(self) -> None:
        newest = await asyncio.to_thread(_revision_in, self._newest)
        async with self._database.write() as connection:
            if await revision.current(connection) < newest:
                log.warning("session_keys_renewed", reason="the database is older than the data folder knows it")
                await Secrets(connection).remove(SESSION_KEYS)
                self._tightened = True
            self._secret = await Secrets(connection).kept_key(SESSION_KEYS)
        await self._note_revision()

    # --- making ---------------------------------------------------------------------------------------

    def holder(self, grant: Grant, login: bytes | None) -> str:
        """The holder for a login (its digest) or else for a grant's token."""
        if login is not None:
            return login_holder(login)
        return admin_holder(self._secret, self._admin_token) if grant.id == ADMIN.id else grant.id

    def key(self, session: Session, holder: str) -> str:
        """The holder's key to a session; empty without a holder."""
        return key_of(self._secret, session, holder) if holder else ""

    def link_key(self, session: Session) -> str:
        """The key of an unlisted session's shared link; empty for any other session."""
        return key_of(self._secret, session, LINK) if session.visibility is Visibility.UNLISTED else ""

    def is_link(self, session: Session, key: str) -> bool:
        """Whether ``key`` is the present key of the session's shared link."""
        return session.visibility is Visibility.UNLISTED and holder_of(self._secret, session, key) == LINK

    # --- checking -------------------------------------------------------------------------------------

    async def open_live(self, room: str, outputs: Collection[str], key: str) -> KeyAccess | None:
        """The access of a key to one of the room's outputs. Raises Unavailable."""
        if room not in self._director.rooms:
            return None
        for session in self._director.day(room).sessions:
            if session.closed and output_name(session) in outputs:
                holder = holder_of(self._secret, session, key)
                if holder is not None:
                    return await self._opened(session, holder, live=True)
        return None

    async def open_replay(self, session_id: str, key: str | None) -> KeyAccess | None:
        """The access of a key, or of no key, to a session's recording. Raises Unavailable."""
        session = await self._session(session_id)
        if session is None:
            return None
        holder = EVERYBODY if key is None else holder_of(self._secret, session, key)
        return None if holder is None else await self._opened(session, holder)

    def holds(self, opened: KeyAccess) -> bool:
        session = self._known(opened.session)
        if session is None or session.generation != opened.generation:
            return False
        return self._admits(session, opened.holder, live=opened.live)

    def cuts(self, opened: KeyAccess) -> bool:
        return self._allows(opened, Action.RECORDING_READ)

    def only_approves(self, opened: KeyAccess) -> bool:
        own = opened.holder not in (EVERYBODY, LINK)
        return own and not self._allows(opened, Action.SESSION_VIEW_CLOSED)

    def _allows(self, opened: KeyAccess, action: Action) -> bool:
        session, known = self._known(opened.session), self._holders.get(opened.holder)
        if session is None or known is None or known.grant is None:
            return False
        return known.grant.allows(action, self._target(session))

    def on_end(self, opened: KeyAccess, callback: Callable[[], None]) -> Callable[[], None]:
        ticket = object()
        self._waiting.setdefault(opened, {})[ticket] = callback

        def leave() -> None:
            waiting = self._waiting.get(opened, {})
            waiting.pop(ticket, None)
            if not waiting:
                self._waiting.pop(opened, None)

        return leave

    async def _opened(self, session: Session, holder: str, *, live: bool = False) -> KeyAccess | None:
        if holder not in (EVERYBODY, LINK):
            await self._know(holder)
        if not self._admits(session, holder, live=live):
            return None
        return KeyAccess(self, session.id, session.generation, holder, output_name(session), live)

    def _admits(self, session: Session, holder: str, *, live: bool) -> bool:
        """Answered from memory."""
        if holder == EVERYBODY:
            return not session.closed
        if holder == LINK:
            return session.visibility is Visibility.UNLISTED
        known, now_ms = self._holders.get(holder), self._clock()
        if known is None or known.grant is None or (known.ends_ms is not None and now_ms >= known.ends_ms):
            return False
        known.asked_at = time.monotonic()
        target, grant = self._target(session), known.grant
        watches = grant.allows(Action.SESSION_VIEW_CLOSED, target)
        return grant.in_force(now_ms) and (watches or (not live and grant.allows(Action.RECORDING_APPROVE, target)))

    def _known(self, session_id: str) -> Session | None:
        """The session as it is in memory."""
        session = self._director.find(session_id)
        old = self._old.get(session_id) if session is None else None
        return session if old is None else old.session

    def _target(self, session: Session) -> Target:
        venue = self._director.venue_of(session.room)
        return target_of(session, venue.id if venue else None)

    @property
    def held_now(self) -> int:
        """The number of requests that wait or last and want to hear of an end."""
        return sum(len(callbacks) for callbacks in self._waiting.values())

    # --- facts ----------------------------------------------------------------------------------------

    def openers(self) -> Iterable[Opener]:
        """The grants and logins that hold something open here, for the check whether another process has ended them."""
        for known in self._holders.values():
            if known.grant is not None:
                yield Opener(known.grant.id, known.login)

    async def ended(self, what: Ended) -> None:
        """A grant was revoked or a login ended."""
        for known in self._holders.values():
            if known.grant is not None and known.grant.id == what.grant and what.login in (None, known.login):
                known.grant = None
        self._look()

    async def look(self) -> None:
        """Read again what is in use, and end the accesses that are not allowed any more. Called twice a second."""
        oldest = time.monotonic() - IN_USE_S
        waiting = {opened.holder for opened in self._waiting}, {opened.session for opened in self._waiting}
        self._holders = {h: k for h, k in self._holders.items() if k.asked_at >= oldest or h in waiting[0]}
        self._old = {s: o for s, o in self._old.items() if o.asked_at >= oldest or s in waiting[1]}
        if self._holders or self._old:
            try:
                async with self._reading:
                    await self._read(self._holders, self._old)
            except Unavailable:
                log.warning("session_keys_not_looked_at")
        self._look()
        await self._note_revision()

    async def _note_revision(self) -> None:
        if not self._tightened:
            return
        self._tightened = False
        try:
            async with self._database.read() as connection:
                now = await revision.current(connection)
            await asyncio.to_thread(write_atomically, self._newest, str(now).encode())
        except (OSError, Unavailable) as error:
            self._tightened = True
            log.warning("session_keys_revision_not_noted", error=str(error))

    def changed(self, session: Session) -> None:
        """A session has changed, in the director's memory or outside of it."""
        # The former state of a session outside of the director's memory is not known.
        if self._director.find(session.id) is None and session.generation > 1:
            self._tightened = True
        if session.id in self._old:
            now = time.monotonic()
            self._old[session.id] = _Old(session, now, now)
        self._look()

    def _hear(self, news: News) -> None:
        if isinstance(news, SessionChanged):
            if news.after is not None:
                if news.before is not None and news.before.generation != news.after.generation:
                    self._tightened = True
                self.changed(news.after)
            elif news.before is not None:
                self._old.pop(news.before.id, None)
                self._look()

    def _look(self) -> None:
        for opened in [opened for opened in self._waiting if not opened.holds]:
            for callback in self._waiting.pop(opened).values():
                callback()

    async def _session(self, session_id: str) -> Session | None:
        session = self._director.find(session_id)
        if session is not None:
            return session
        now = time.monotonic()
        known = self._old.get(session_id)
        if known is None or now - known.read_at > FRESH_S:
            async with self._reading:
                known = self._old.get(session_id)
                if known is None or now - known.read_at > FRESH_S:
                    await self._read((), (session_id,))
            known = self._old.get(session_id)
        if known is None:
            return None
        known.asked_at = now
        return known.session

    async def _know(self, holder: str) -> None:
        """Make sure that the facts about a holder are not older than a second."""
        now = time.monotonic()
        known = self._holders.get(holder)
        if known is not None and now - known.read_at <= FRESH_S:
            return
        async with self._reading:
            known = self._holders.get(holder)
            if known is None or now - known.read_at > FRESH_S:
                await self._read((holder,), ())

    async def _read(self, holders: Collection[str], sessions: Collection[str]) -> None:
        """Raises Unavailable if the database does not answer and the known facts are too old."""
        now = time.monotonic()
        known = (*(self._holders.get(h) for h in holders), *(self._old.get(s) for s in sessions))
        if None in known or self._failed_at is None or now - self._failed_at >= RETRY_S:
            try:
                async with asyncio.timeout(FIRST_S if None in known else DATABASE_S):
                    await self._read_now(tuple(holders), tuple(sessions), now)
            except (Unavailable, TimeoutError) as error:
                self._failed_at = time.monotonic()
                log.warning("session_keys_unread", error=repr(error))
            else:
                self._failed_at = None
                return
        if any(one is None or now - one.read_at > TRUSTED_S for one in known):
            raise Unavailable("The database does not answer.", code="unavailable", headers={"Retry-After": "1"})

    async def _read_now(self, holders: tuple[str, ...], sessions: tuple[str, ...], now: float) -> None:
        prefixes = {h: found for h in holders if (found := _prefix(h)) is not None}
        async with self._database.read() as connection:
            logins = await Logins(connection).by_prefixes(prefixes.values())
            by_grant = {h for h in holders if h not in prefixes} | {one.grant for one in logins.values() if one.grant}
            of_ids = await Grants(connection).find_many(by_grant)
            grants = {one.id: one for one in await with_ends(connection, tuple(of_ids.values()), self._clock())}
            stored = await Sessions(connection).find_many(sessions) if sessions else {}
        for holder in holders:
            before = self._holders.get(holder)
            fresh = _Holder(grants.get(holder), read_at=now, asked_at=now if before is None else before.asked_at)
            if holder in prefixes:
                login = logins.get(prefixes[holder])
                if login is not None:
                    fresh.grant = ADMIN if login.grant is None else grants.get(login.grant)
                    fresh.login, fresh.ends_ms = login.secret_sha256, login.expires_ms
            elif self._admin_token and holder == admin_holder(self._secret, self._admin_token):
                fresh.grant = ADMIN
            self._holders[holder] = fresh
        for session_id in sessions:
            old = self._old.get(session_id)
            self._old[session_id] = _Old(stored.get(session_id), now, now if old is None else old.asked_at)


def _revision_in(path: Path) -> int:
    """0 if the file is missing or cannot be read."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _prefix(holder: str) -> bytes | None:
    """The start of a login's digest, if the holder is a login."""
    if not holder.startswith(_LOGIN):
        return None
    try:
        found = urlsafe_b64decode(holder.removeprefix(_LOGIN))
    except ValueError:
        return None
    return found if len(found) == _LOGIN_BYTES else None
