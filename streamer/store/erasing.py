"""Erasures: each is recorded first and then done, repeated after failures, and repeated at each start if a restored
database does not know of it.

The database remembers how far it has followed ``DIR/erasures.log`` (:mod:`streamer.formats.erasures`): a length and the
digest of the bytes before it. A database that is older than the file, or followed another file, is brought up to date
before anybody is served.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

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
"""Erases the things that these records name, as far as they exist. A second call changes nothing."""


class NotErased(StreamerError):
    """The erasure has begun, the data is served to nobody as far as possible, and the rest is tried again."""

    code, status = "not_erased_yet", 503


class Copies(Protocol):
    """Copies of media files elsewhere. Both raise StreamerError, OSError."""

    async def settle(self) -> None:
        """Erase there what was erased here. Called after each erasure of media, before it is acknowledged."""

    async def bring_back(self, names: Collection[str]) -> None:
        """Called before bytes of these media files are erased: those that lie elsewhere alone are here then."""


@dataclass(slots=True, eq=False)
class Unfinished:
    """An erasure that is not finished."""

    erasure: Erasure
    since_ms: int
    noted: Noted | None = None
    """None: it is not recorded either."""
    problem: str = ""
    """Empty: it is being done for the first time."""


class Erasing:
    """Works on one data folder and database. ``clock``: UTC milliseconds. On the loop only."""

    def __init__(self, folder: Path, database: Database, *, clock: Callable[[], int]) -> None:
        self.log = ErasureLog(folder)
        self.clock = clock
        self.faults = 0
        """Failed erasures and attempts; each is logged and repeated."""
        self._database = database
        self._doers: dict[type[Any], Doer] = {}
        self.copies: Copies | None = None
        self._unfinished: dict[Erasure, Unfinished] = {}
        self._opened = False
        self._opening = asyncio.Lock()
        self._followed = len(HEADER)
        self._done: dict[int, int] = {}
        """Begin -> end of the finished records. Earlier unfinished ones delay the mark."""

    def does(self, kind: type[Any], do: Doer) -> None:
        """Records of this kind are done by ``do``."""
        self._doers[kind] = do

    # --- status ---------------------------------------------------------------------------------------

    def unfinished(self, room: str | None = None) -> list[Unfinished]:
        """The failed erasures that are tried again, oldest first; with ``room`` those of the room and those of no
        room."""
        found = [one for one in self._unfinished.values() if one.problem]
        return [one for one in found if room is None or getattr(one.erasure, "room", "") in ("", room)]

    def stretches(self, room: str) -> list[StretchErasure]:
        """The stretches that are being deleted from a room's media."""
        found = (one.erasure for one in self._unfinished.values())
        return [one for one in found if isinstance(one, StretchErasure) and one.room == room]

    @property
    def going(self) -> bool:
        """Whether something is being erased, or waits to be."""
        return bool(self._unfinished)

    def recordings(self) -> list[RecordingErasure]:
        """The recordings whose files are being deleted."""
        return [one.erasure for one in self._unfinished.values() if isinstance(one.erasure, RecordingErasure)]

    async def hashed(self, kind: str, name: str) -> bytes:
        """The keyed hash of an id, as the file of erasures contains it. Raises StoreUnavailable without a key."""
        await self._open()
        return self.log.hashed(kind, name)

    # --- erasing ----------------------------------------------------------------------------------------

    async def carry_out(self, erasure: Erasure, do: Callable[[], Awaitable[T]]) -> T:
        """Record the erasure, do it, and return the result of ``do``.

        If it cannot be recorded (the disk is full) it is done all the same, and recorded later: privacy does not wait
        for a disk. Raises :class:`NotErased` if either failed; both are tried again until they are done, by a later
        process too.
        """
        one = self._unfinished.setdefault(erasure, Unfinished(erasure, self.clock()))
        await self._note(one)
        try:
            result = await self._with_copies(type(erasure), do)
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
        """Do the erasures that the database has not followed, before anybody is served. Cheap if there are none.

        Files that a disk does not delete are tried again later, and served to nobody. Raises StoreUnavailable.
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
        """Runs until it is cancelled: repeats failed erasures."""
        while True:
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(StreamerError):
                await self.again()

    async def again(self) -> None:
        """Repeat the failed erasures once."""
        for kind in self._doers:
            failed = [one for one in self.unfinished() if type(one.erasure) is kind]
            # One by one: a folder that cannot be deleted must not delay the others.
            for one in failed:
                if one.noted is None and not await self._note(one):
                    self._failed(one, None)
                    continue
                await self._do_again([one])

    def add_unfinished(self, erasure: Erasure, problem: str) -> None:
        """An erasure that was found undone. It is recorded and tried with the others."""
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
        """The place from which to follow: the beginning if the mark belongs to another file."""
        length, _, digest = mark.partition(":")
        end = int(length) if length.isdigit() else 0
        return end if len(HEADER) <= end <= size and self.log.digest(end) == digest else len(HEADER)

    async def _note(self, one: Unfinished) -> bool:
        """Record the erasure if it is not recorded. Returns whether it is in the file."""
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
        return NotErased(
            "Some data is not erased yet; the erasure is tried again.", headers={"Retry-After": str(round(RETRY_S))}
        )

    async def _do_again(self, waiting: Sequence[Unfinished], *, starting: bool = False) -> None:
        if not waiting:
            return
        kind = type(waiting[0].erasure)
        try:
            await self._with_copies(kind, lambda: self._doers[kind]([one.erasure for one in waiting]))
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

    async def _with_copies(self, kind: type[Any], do: Callable[[], Awaitable[T]]) -> T:
        """The copies follow also if a part of the erasure failed."""
        if self.copies is None or kind not in (RecordingErasure, StretchErasure):
            return await do()
        try:
            result = await do()
        except (StreamerError, OSError):
            await self.copies.settle()
            raise
        await self.copies.settle()
        return result

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
            # The erasure is repeated at the next start, which changes nothing.
            log.warning("erasures_mark_not_written", error=str(error))
