"""The admin's token from the environment. It is compared only as often as a household may guess."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict

from streamer.api.limits import RateLimit
from streamer.settings import SHORTEST_ADMIN_TOKEN

MOST_OPENED = 10_000


class AdminToken:
    """A lecture hall is one household: a token that opened from there goes on opening while others there send wrong
    ones. Used on the loop only; bounded memory."""

    def __init__(self, token: str, guesses: RateLimit) -> None:
        """``token`` empty: there is no such token."""
        self._token = token.encode("utf-8")
        self.guesses = guesses
        self._opened: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        """(household, digest of the token); the one that was used last stands at the end."""

    def knows(self, sent: bytes, household: str) -> bool:
        """Whether this token has opened from this household before. Nothing is compared and nothing is counted."""
        key = (household, hashlib.sha256(sent).digest())
        if key not in self._opened:
            return False
        self._opened.move_to_end(key)
        return True

    def opens(self, sent: bytes, household: str) -> bool:
        """Compare the token. Raises TooMany for a household that guesses."""
        if not self._token or len(sent) < SHORTEST_ADMIN_TOKEN:
            return False
        # Counted before the comparison, so that past the limit a right guess looks like any other.
        self.guesses.take(household)
        if not hmac.compare_digest(sent, self._token):
            return False
        self.guesses.give_back(household)
        self._opened[(household, hashlib.sha256(sent).digest())] = None
        if len(self._opened) > MOST_OPENED:
            self._opened.popitem(last=False)
        return True
