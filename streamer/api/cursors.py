"""Cursors mark places in lists. A client cannot read them, and they work for one list with the same filters only."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streamer.errors import BadRequest
from streamer.store.database import Database
from streamer.store.logins import Secrets

KEY_NAME = "cursor_key"


class Cursors:
    """Encrypts with a stored key, which is made at its first use. The same place gives the same cursor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cipher: AESSIV | None = None

    async def seal(self, about: str, place: str | None) -> str | None:
        """The cursor of a place. ``about`` names the list and its filters."""
        if place is None:
            return None
        sealed = (await self._keyed()).encrypt(place.encode(), [about.encode()])
        return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")

    async def open(self, about: str, cursor: str | None) -> str | None:
        """The place of a cursor. Raises BadRequest ``bad_cursor`` for a cursor of another list or of other filters."""
        if cursor is None:
            return None
        try:
            sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return (await self._keyed()).decrypt(sealed, [about.encode("utf-8", "surrogatepass")]).decode()
        except (InvalidTag, UnicodeError, binascii.Error, ValueError) as error:
            raise BadRequest("The cursor belongs to another list.", code="bad_cursor") from error

    async def _keyed(self) -> AESSIV:
        if self._cipher is None:
            async with self._database.write() as connection:
                self._cipher = AESSIV(await Secrets(connection).kept_key(KEY_NAME))
        return self._cipher
