"""First answers to commands, for clients that send a command again because its answer was lost.

A client makes an id for each command. The answer is stored in the transaction of the command's effect, so both are
there or neither is; a repeat gets the stored answer and has no effect. Refusals are not stored: a repeat is decided
anew. An answer names ids, states and times, and no words of people beyond the caller's own name.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Delete, delete, func, select, tuple_

from streamer.errors import Unprocessable
from streamer.store.audience_tables import command_answers as table
from streamer.store.bulk import put_rows
from streamer.store.database import Database
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository

MOST_ID = 128
"""Characters of a command's id."""
KEPT_MS = 3_600_000
"""Answers are kept for this time."""
MOST_OF_A_CALLER = 2000
"""Answers. Older ones go with the next deletion of what is too old; until then the rate of commands is their limit."""
_AT_A_TIME = 2000
_FILTER_BITS = 1 << 21
_MASK = _FILTER_BITS - 1

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Once:
    """A command with its id. ``caller``: a participant's or a grant's id. ``fingerprint``: a digest of the command, by
    which another command with the same id is known. ``part``: of a command that is done in several transactions."""

    caller: str
    id: str
    fingerprint: str
    part: str = ""

    def of(self, part: str) -> Once:
        return replace(self, part=part)

    def answered(self, answer: Answer, at_ms: int) -> CommandAnswer:
        return CommandAnswer(self.caller, self.id, self.part, self.fingerprint, answer, at_ms)


@dataclass(frozen=True, slots=True)
class CommandId:
    """The id that a caller's client made for a command."""

    caller: str
    id: str

    def once(self, *said: Any) -> Once:
        """``said``: the command as JSON-able values, the same ones for each way on which it may come."""
        encoded = msgspec.json.encode(said, order="deterministic")
        return Once(self.caller, self.id, hashlib.blake2b(encoded, digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """``answer``: a JSON object."""

    caller: str
    id: str
    part: str
    fingerprint: str
    answer: Answer
    at_ms: int


_MAPPING = RowMapping(CommandAnswer, table)


class CommandAnswers(Repository):
    """One transaction's view of the answers."""

    async def find(self, once: Once) -> Answer | None:
        """The first answer to the command. Raises Unprocessable ``id_reused`` if the id is that of another command."""
        rows = await self.all_of(once)
        if any(row.fingerprint != once.fingerprint for row in rows):
            raise Unprocessable("This id belongs to another command.", code="id_reused")
        return next((row.answer for row in rows if row.part == once.part), None)

    async def all_of(self, command: CommandId | Once) -> list[CommandAnswer]:
        """The answers to all parts of the command, whatever it says."""
        mine = table.c.caller == command.caller, table.c.id == command.id
        return await self._all(_MAPPING, select(table).where(*mine))

    async def put_many(self, answers: Sequence[CommandAnswer]) -> None:
        await put_rows(self._connection, table, [_MAPPING.values(answer) for answer in answers])

    async def some_names(self, since_ms: int, after: tuple[str, str] | None) -> list[tuple[str, str]]:
        """(caller, id) of answers since then, in order, from after that one on."""
        query = select(table.c.caller, table.c.id).where(table.c.at_ms >= since_ms)
        if after is not None:
            caller, name = after
            query = query.where((table.c.caller > caller) | ((table.c.caller == caller) & (table.c.id > name)))
        rows = await self._connection.execute(query.order_by(table.c.caller, table.c.id).limit(_AT_A_TIME))
        return [(row.caller, row.id) for row in rows]


def too_old(now_ms: int) -> list[Delete]:
    """Deletes old answers, and all but the newest of a caller who has many."""
    key = [table.c.caller, table.c.id, table.c.part]
    place = func.row_number().over(partition_by=table.c.caller, order_by=table.c.at_ms.desc()).label("place")
    placed = select(*key, place).subquery()
    many = select(placed.c.caller, placed.c.id, placed.c.part).where(placed.c.place > MOST_OF_A_CALLER)
    return [delete(table).where(table.c.at_ms < now_ms - KEPT_MS), delete(table).where(tuple_(*key).in_(many))]


class _Filter:
    """A Bloom filter: whether a name may have been added. ``no`` is certain; 256 KiB, whatever is added."""

    def __init__(self) -> None:
        self._bits = bytearray(_FILTER_BITS // 8)

    def add(self, name: tuple[str, str]) -> None:
        for bit in _bits_of(name):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, name: tuple[str, str]) -> bool:
        return all(self._bits[bit >> 3] >> (bit & 7) & 1 for bit in _bits_of(name))


def _bits_of(name: tuple[str, str]) -> tuple[int, int, int]:
    hashed = hash(name)
    return hashed & _MASK, hashed >> 21 & _MASK, hashed >> 42 & _MASK


class FirstAnswers:
    """Finds first answers without a look into the database for each new command: a filter knows the ids of the last
    hour. Commands with one id are done one after the other. ``clock``: UTC milliseconds. On the loop."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._at_work: dict[tuple[str, str], asyncio.Event] = {}
        self._new, self._old = _Filter(), _Filter()
        self._since_ms = clock()
        self.complete = False
        """Whether the ids of before this process's start are in the filter."""
        self.lookups = 0
        """Looks into the database."""

    async def load(self) -> None:
        """Take in the ids of before the start; until then each command looks into the database. Raises
        StoreUnavailable."""
        after: tuple[str, str] | None = None
        since_ms = self._clock() - KEPT_MS
        while True:
            async with self._database.read() as connection:
                names = await CommandAnswers(connection).some_names(since_ms, after)
            for name in names:
                self._new.add(name)
            if len(names) < _AT_A_TIME:
                self.complete = True
                return
            after = names[-1]

    async def answer(self, once: Once, do: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The first answer, or that of ``do``, which stores it. Raises as ``do``, StoreUnavailable, Unprocessable
        ``id_reused``."""
        name = once.caller, once.id
        while (other := self._at_work.get(name)) is not None:
            await other.wait()
        ended = self._at_work[name] = asyncio.Event()
        try:
            if self._may_be_stored(name):
                self.lookups += 1
                async with self._database.read() as connection:
                    found = await CommandAnswers(connection).find(once)
                if found is not None:
                    return dict(found)
            return await do()
        finally:
            del self._at_work[name]
            ended.set()

    def _may_be_stored(self, name: tuple[str, str]) -> bool:
        """Whether an answer may be stored. The next time it may."""
        if self._clock() - self._since_ms > KEPT_MS:
            self._new, self._old, self._since_ms = _Filter(), self._new, self._clock()
        if name in self._new or name in self._old:
            return True
        self._new.add(name)
        return not self.complete
