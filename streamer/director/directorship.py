"""Decides which of several web processes on one database directs: the epoch in the one row of ``store/directors.py``.

The holder changes the row's sign regularly. Another process takes over when the sign has not changed for ``absent_s``
by its own clock, or at once when the holder has released it, or when the holder was of the same data folder: its lock
is free, so the holder is dead. Each write transaction checks the row, each order carries the epoch.

A database that does not answer takes nothing from the holder: nobody else can take over meanwhile, and the clock's
rules hold. A process that was stopped for a while does not know that, so it asks before its next order. Used on one
loop.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.control import process_files
from streamer.errors import StreamerError
from streamer.store.database import Database, NotTheDirector, head
from streamer.store.directors import DirectorHolder, Directors

log = structlog.get_logger(__name__)

ID_FILE = "director.id"
SIGN_PART, PROBE_PART, FRESH_PART = 5, 15, 2
"""The sign changes every fifth of ``absent_s``, the row is read every fifteenth, and an answer is valid for half: a
holder that was stopped asks again before another can have taken its place."""
LONGEST_PROBE_S, LONGEST_ANSWER_S = 1.0, 2.0
STEPS = 10
"""A time limit for the database is counted in this many steps of the loop. A loop that was late spends one step,
however late it was, and still has the others to receive an answer that came long ago."""


def since_boot_s() -> float:
    """Seconds that also count while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Directorship:
    """``me``: this process; its ``holder`` is the data folder's own id. ``floor``: an epoch that this machine's rooms
    have obeyed, perhaps from another database or from before a restored copy. ``start`` the database first."""

    def __init__(
        self,
        database: Database,
        me: DirectorHolder,
        *,
        absent_s: float,
        floor: int = 0,
        clock: Callable[[], float] = since_boot_s,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.lost: DirectorHolder | None = None
        """The process that has taken over."""
        self.on_lost: Callable[[], None] = lambda: None
        self._database = database
        self._me = me
        self._floor = floor
        self._revision = head()
        self._held = self._halted = False
        self._absent_s = absent_s
        self._probe_s = min(LONGEST_PROBE_S, absent_s / PROBE_PART)
        self._answer_s = min(LONGEST_ANSWER_S, absent_s / SIGN_PART)
        self._clock = clock
        self._now_ms = now_ms
        self._known_at = self._signed_at = float("-inf")
        """The time when the row was last asked, answer or not; the time when the sign last changed."""
        self._looking = asyncio.Lock()
        self._doubted = asyncio.Event()

    @property
    def epoch(self) -> int:
        """0: this process does not direct."""
        return self._me.epoch if self._held and self.lost is None else 0

    # --- taking -------------------------------------------------------------------------------------

    async def take(self, waiting: Callable[[DirectorHolder], None] = lambda holder: None) -> None:
        """Return when this process directs. ``waiting`` is called at each look with the present holder."""
        # Before that none of this process's writes is allowed.
        self._database.guard = self._check
        watch = Watch(self._absent_s, 3 * self._probe_s + self._answer_s)
        while True:
            at = self._clock()
            seen = await self._ask()
            if seen is None:
                watch.forget()
            else:
                at_once = seen.holder in ("", self._me.holder)
                idle = watch.is_idle(seen, at, self._clock())
                if (at_once or idle) and await self._take(seen, idle=not at_once):
                    log.info("directs", epoch=self._me.epoch, before=str(seen) if seen.holder else "let go")
                    return
                if not at_once:
                    waiting(seen)
            await asyncio.sleep(self._probe_s)

    async def _take(self, seen: DirectorHolder, *, idle: bool) -> bool:
        at = self._clock()
        mine = replace(self._me, epoch=max(seen.epoch, self._floor) + 1, since_ms=self._now_ms())
        try:
            async with self._database.write(guarded=False) as connection:
                taken = await Directors(connection).take(seen, mine, idle=idle)
        except StreamerError as error:
            # The next look tells whether it was committed: then the row names this process.
            log.warning("directing_not_taken", error=str(error))
            return False
        if taken:
            self._me, self._held, self._known_at, self._signed_at = mine, True, at, at
        return taken

    # --- holding ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Renew the sign and watch for another holder, until it is lost or :meth:`halt` is called."""
        while self.lost is None and not self._halted:
            await self._look()
            self._doubted.clear()
            if self._halted:
                return
            try:
                async with asyncio.timeout(self._probe_s):
                    await self._doubted.wait()
            except TimeoutError:
                pass

    async def order_epoch(self) -> int:
        """The epoch for an order. Asks the database first if its last answer is old, because this process may have been
        stopped meanwhile. Raises NotTheDirector."""
        if self.epoch and self._clock() - self._known_at > self._absent_s / FRESH_PART:
            await self._look()
        if not self.epoch:
            raise self._replaced()
        return self._me.epoch

    def halt(self) -> None:
        """Renew the sign no more; running work ends soon by itself."""
        self._halted = True
        self._doubted.set()

    def doubt(self) -> None:
        """A room has obeyed a newer epoch."""
        self._known_at = float("-inf")
        self._doubted.set()

    async def release(self) -> None:
        """Give the directorship up, so that the next process need not wait. This is the last write of this process."""
        if not self.epoch:
            return
        self._held = False
        try:
            async with self._database.write(guarded=False) as connection:
                await Directors(connection).release(self._me)
        except StreamerError as error:
            log.warning("directing_not_released", error=str(error))

    async def _check(self, connection: AsyncConnection) -> None:
        """The guard of every write transaction."""
        if not self.epoch:
            raise self._replaced()
        seen, found = await Directors(connection).holder_and_revision()
        if not self._is_mine(seen):
            self._lose(seen)
            raise self._replaced()
        if found != self._revision:
            log.critical("database_of_another_program", revision=found, known=self._revision)
            self._lose(replace(seen, host="a program of another version", pid=0))
            raise self._replaced()

    async def _look(self) -> None:
        async with self._looking:
            at = self._clock()
            if at - self._known_at < self._probe_s / 2:
                return
            asking = asyncio.create_task(self._ask(), name="director row")
            try:
                for _ in range(STEPS):
                    if not asking.done():
                        await asyncio.wait((asking,), timeout=self._answer_s / STEPS)
                if not asking.done():
                    # Waiting calls fail now; closing the connection takes some more seconds.
                    self._database.note_away()
                seen = await asking
            finally:
                asking.cancel()
            if seen is None:
                self._database.note_away()
            else:
                self._database.note_back()
                if not self._is_mine(seen):
                    self._lose(seen)
                    return
            self._known_at = at
            if seen is not None and at - self._signed_at >= self._absent_s / SIGN_PART:
                await self._sign(at)

    async def _ask(self) -> DirectorHolder | None:
        """None: no answer in time."""
        for tries_left in (1, 0):
            try:
                async with _loop_time(self._answer_s), self._database.read(probe=True) as connection:
                    return await Directors(connection).holder()
            except (StreamerError, OSError, SQLAlchemyError) as error:
                log.warning("director_row_not_read", error=str(error) or type(error).__name__)
                if isinstance(error, TimeoutError) or not tries_left:
                    break
                # If the connection died meanwhile, one attempt is lost.
        return None

    async def _sign(self, at: float) -> None:
        try:
            async with _loop_time(self._answer_s), self._database.write_aside() as connection:
                if await Directors(connection).sign(self._me):
                    self._signed_at = at
        except (StreamerError, OSError, TimeoutError, SQLAlchemyError) as error:
            log.warning("director_sign_not_given", error=str(error) or type(error).__name__)

    def _is_mine(self, seen: DirectorHolder) -> bool:
        return (seen.epoch, seen.holder) == (self._me.epoch, self._me.holder)

    def _lose(self, seen: DirectorHolder) -> None:
        if self.lost is None:
            self.lost = seen
            log.critical("another_directs", by=str(seen), epoch=self._me.epoch)
            self.on_lost()

    def _replaced(self) -> NotTheDirector:
        by = f": {self.lost.host or 'nobody'}, process {self.lost.pid}" if self.lost is not None else "."
        return NotTheDirector(f"Another server directs{by}", headers={"Retry-After": "5"})


@asynccontextmanager
async def _loop_time(limit_s: float) -> AsyncIterator[None]:
    """As ``asyncio.timeout``, in :data:`STEPS`."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def step(left: int) -> None:
        nonlocal timer
        if left:
            timer = loop.call_later(limit_s / STEPS, step, left - 1)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        step(STEPS)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


class Watch:
    """Measures how long a holder's sign has not changed. Only consecutive looks count: while the watcher was stopped,
    or the database away, the holder could not be seen."""

    def __init__(self, absent_s: float, longest_gap_s: float) -> None:
        self._absent_s = absent_s
        self._longest_gap_s = longest_gap_s
        self._seen: DirectorHolder | None = None
        self._since = self._last = 0.0

    def is_idle(self, seen: DirectorHolder, asked_at: float, answered_at: float) -> bool:
        if seen != self._seen or asked_at - self._last > self._longest_gap_s:
            self._seen, self._since = seen, answered_at
        self._last = answered_at
        return asked_at - self._since >= self._absent_s

    def forget(self) -> None:
        self._seen = None


def folder_id(run_dir: Path) -> str:
    """The data folder's own id, made at the first call. A copy of the folder, or the same folder on another machine,
    has another id: its lock says nothing about the processes of this one. Raises OSError."""
    path = run_dir / ID_FILE
    place = f"{socket.gethostname()}:{run_dir.stat().st_ino}"
    try:
        known, _, where = path.read_text().strip().partition(" ")
    except FileNotFoundError:
        known = where = ""
    if not known or where != place:
        known = secrets.token_hex(16)
        process_files.write_atomically(path, f"{known} {place}\n".encode())
    return known


def this_process(data: Path, run_dir: Path) -> DirectorHolder:
    """The identity of this process as a candidate. Raises OSError."""
    return DirectorHolder(holder=folder_id(run_dir), host=socket.gethostname(), pid=os.getpid(), folder=str(data))
