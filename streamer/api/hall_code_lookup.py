"""Finds the room and place of a code that somebody typed or scanned."""

from __future__ import annotations

from collections import OrderedDict

from streamer.api.limits import RateLimit
from streamer.conference.hall_codes import HallCode, meant_code
from streamer.store.database import Database
from streamer.store.hall_codes import HallCodes

WRONG_PER_MINUTE = 60
"""Wrong codes of one household. At that rate it would take five years to try every code."""
MOST_OPENED = 10_000


class HallCodeLookup:
    """A lecture hall is one household: a code that opened from there goes on opening while others there try wrong
    ones."""

    def __init__(self, database: Database, *, wrong: RateLimit | None = None) -> None:
        self._database = database
        self.wrong = wrong or RateLimit(WRONG_PER_MINUTE)
        self._opened: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(household, code); the code that was asked for last stands at the end."""

    async def find(self, typed: str, household: str) -> HallCode | None:
        """The code with its room and place; None if there is no such code. Raises TooMany for a household that
        guesses."""
        code = meant_code(typed)
        if code is None:
            return None
        key = (household, code)
        opened = key in self._opened
        if not opened:
            # Counted before the lookup, so that a thousand guesses at once are counted too.
            self.wrong.take(household)
        async with self._database.read() as connection:
            found = await HallCodes(connection).find(code)
        if found is None:
            self._opened.pop(key, None)
            return None
        if not opened:
            self.wrong.give_back(household)
        self._opened[key] = None
        self._opened.move_to_end(key)
        if len(self._opened) > MOST_OPENED:
            self._opened.popitem(last=False)
        return found
