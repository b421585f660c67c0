"""What is to be erased is erased: written down first, done, done again where it failed, and done again at each start
with what a database that was put back does not know of.

The database remembers how far it has followed ``DIR/erasures.log`` (:mod:`streamer.formats.erasures`): a length and the
digest of the bytes before it. One that is older than the file, or that followed another file, is brought up to date
before anybody is served.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from streamer.errors import StreamerError
from streamer.formats.erasures import HEADER, Erasure, ErasureLog, Noted, RecordingErasure, StretchErasure
from streamer.store.database import Database, StoreUnavailable
from streamer.store.logins import Secrets

log = structlog.get_logger(__name__)

RETRY_S = 10.0
MARK_NAME = "erasures_followed"

T = TypeVar("T")
Doer = Callable[[Sequence[Any]], Awaitable[None]]
"""Erases what these records name, as far as it is there. Doing it again changes nothing."""


class NotErased(StreamerError):
    """What was asked has begun, nobody is served it any more as far as that could be helped, and it is tried again."""

    code, status = "not_erased_yet", 503


@dataclass(slots=True, eq=False)
class Unfinished:
    """An erasure that has not come to its end."""

    erasure: Erasure
    since_ms: int
    noted: Noted | None = None
    """None: not written down either."""
    problem: str = ""
    """Empty: it is being done for the first time."""


class Erasing:
    """Over one data folder and database. ``clock``: UTC milliseconds. Loop only."""

    def __init__(self, folder: Path, database: Database, *, clock: Callable[[], int]) -> None:
        self.log = ErasureLog(folder)
        self.clock = clock
        self.faults = 0
        """Erasures, and tries of one, that failed; each is logged and done again."""
        self._database = database
        self._doers: dict[type[Any], Doer] = {}
        self._unfinished: dict[Erasure, Unfinished] = {}
        self._opened = False
        self._opening = asyncio.Lock()
        self._followed = len(HEADER)
        self._done: dict[int, int] = {}
        """Records that are done: where each begins and ends. Those before another's that is not are waited for."""

    def does(self, kind: type[Any], do: Doer) -> None:
        """Have records of this kind done by ``do``."""
        self._doers[kind] = do

    # --- what is told ---------------------------------------------------------------------------------

    def unfinished(self, room: str | None = None) -> list[Unfinished]:
        """Those that have failed and are tried again, oldest first; those of a room, where one is named, and those that
        are no room's."""
        found = [one for one in self._unfinished.values() if one.problem]
        return [one for one in found if room is None or getattr(one.erasure, "room", "") in ("", room)]

    def stretches(self, room: str) -> list[StretchErasure]:
        """What is on its way out of a room's media."""
        found = (one.erasure for one in self._unfinished.values())
        return [one for one in found if isinstance(one, StretchErasure) and one.room == room]

    def recordings(self) -> list[RecordingErasure]:
        """Those whose files are on their way out."""
        return [one.erasure for one in self._unfinished.values() if isinstance(one.erasure, RecordingErasure)]

    async def hashed(self, kind: str, name: str) -> bytes:
        """An id as it stands in the file. Raises StoreUnavailable where there is no key."""
        await self._open()
        return self.log.hashed(kind, name)

    # --- erasing ----------------------------------------------------------------------------------------

    async def carry_out(self, erasure: Erasure, do: Callable[[], Awaitable[T]]) -> T:
        """Write it down, do it, and answer what ``do`` answers.

        Where it cannot be written down (the disk is full) it is done all the same, and written then: privacy does not
        wait for a disk. Raises :class:`NotErased` where either failed; both are tried again until they are done, by a
        later process too.
        """
        one = self._unfinished.setdefault(erasure, Unfinished(erasure, self.clock()))
        await self._note(one)
        try:
            result = await do()
        except (StreamerError, OSError) as error:
            raise self._failed(one, error) from error
        except BaseException:
            one.problem = "it was broken off"
            raise
        if one.noted is None and not await self._note(one):
            raise self._failed(one, None)
        await self._finished([one])
        return result

    async def follow(self) -> None:
        """Do what the database has not followed yet, before anybody is served. Cheap where there is nothing new.

        What a disk refuses is tried again later: nobody is served it. Raises StoreUnavailable.
        """
        await self._open()
        async with self._database.read() as connection:
            mark = await Secrets(connection).find(MARK_NAME)
        try:
            content = await asyncio.to_thread(self.log.read)
            self._followed = await asyncio.to_thread(self._read_mark, mark or "", content.good_bytes)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"The list of erasures cannot be read: {error}") from error
        if content.torn_bytes:
            log.warning("erasures_torn", bytes=content.torn_bytes)
        new = [noted for noted in content.records if noted.begin >= self._followed]
        if not new:
            return
        waiting = [Unfinished(noted.erasure, self.clock(), noted) for noted in new]
        self._unfinished.update({one.erasure: one for one in waiting})
        for kind in self._doers:
            await self._do_again([one for one in waiting if type(one.erasure) is kind], starting=True)
        log.info("erasures_followed", records=len(new))

    async def run(self) -> None:
        """Until it is cancelled: try again what failed."""
        while True:
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(StreamerError):
                await self.again()

    async def again(self) -> None:
        """Try once more what failed."""
        for kind in self._doers:
            failed = [one for one in self.unfinished() if type(one.erasure) is kind]
            # One by one: a folder that the disk keeps must not hold up the others.
            for one in failed:
                if one.noted is None and not await self._note(one):
                    self._failed(one, None)
                    continue
                await self._do_again([one])

    def add_unfinished(self, erasure: Erasure, problem: str) -> None:
        """Something that is found undone. It is written down and tried with the others."""
        self._unfinished.setdefault(erasure, Unfinished(erasure, self.clock(), problem=problem))

    # --- inside -----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        async with self._opening:
            if self._opened:
                return
            try:
                await asyncio.to_thread(self.log.open)
            except (OSError, ValueError) as error:
                raise StoreUnavailable(f"The list of erasures cannot be used: {error}") from error
            self._opened = True

    def _read_mark(self, mark: str, size: int) -> int:
        """From where on to follow: from the beginning where the mark is another file's."""
        length, _, digest = mark.partition(":")
        end = int(length) if length.isdigit() else 0
        return end if len(HEADER) <= end <= size and self.log.digest(end) == digest else len(HEADER)

    async def _note(self, one: Unfinished) -> bool:
        """Write it down, unless it is. Whether it stands in the file."""
        if one.noted is not None:
            return True
        try:
            await self._open()
            one.noted = await asyncio.to_thread(self.log.add, one.erasure)
        except (OSError, ValueError, StreamerError) as error:
            self.faults += 1
            log.error("erasure_not_noted", kind=type(one.erasure).__name__, error=str(error))
            return False
        return True

    def _failed(self, one: Unfinished, error: Exception | None) -> NotErased:
        self.faults += 1
        one.problem = str(error) if error is not None else "it cannot be written down"
        log.error("not_erased", kind=type(one.erasure).__name__, problem=one.problem)
        return NotErased("It is not all gone yet; it is tried again.", headers={"Retry-After": str(round(RETRY_S))})

    async def _do_again(self, waiting: Sequence[Unfinished], *, starting: bool = False) -> None:
        if not waiting:
            return
        try:
            await self._doers[type(waiting[0].erasure)]([one.erasure for one in waiting])
        except StoreUnavailable as error:
            for one in waiting:
                self._failed(one, error)
            if starting:
                raise
        except (StreamerError, OSError) as error:
            if len(waiting) > 1:
                for one in waiting:
                    await self._do_again([one], starting=starting)
                return
            self._failed(waiting[0], error)
        else:
            await self._finished(waiting)

    async def _finished(self, ended: Sequence[Unfinished]) -> None:
        for one in ended:
            self._unfinished.pop(one.erasure, None)
            assert one.noted is not None
            self._done[one.noted.begin] = one.noted.end
        before = self._followed
        while self._followed in self._done:
            self._followed = self._done.pop(self._followed)
        if self._followed == before:
            return
        try:
            digest = await asyncio.to_thread(self.log.digest, self._followed)
            async with self._database.write() as connection:
                await Secrets(connection).put(MARK_NAME, f"{self._followed}:{digest}")
        except (OSError, StreamerError) as error:
            # It is done again at the next start, which changes nothing.
            log.warning("erasures_mark_not_written", error=str(error))
