"""The one-time link by which somebody becomes the first admin of a new server.

It stands in a file that only the service's user can read, is good for one POST and half an hour, and only while no
admin has ever been made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

import structlog

from streamer.conference.grants import hash_secret, secret_matches
from streamer.control import process_files
from streamer.data_folder import FIRST_ADMIN_LINK
from streamer.store.database import Database
from streamer.store.logins import Secrets
from streamer.store.tables import FIRST_ADMIN

LASTS_S = 30 * 60.0

_log = structlog.get_logger(__name__)


class FirstAdminLink:
    """The link, of which only a digest is kept in memory. Loop only."""

    def __init__(
        self, database: Database, folder: Path, public_url: str, *, allowed: bool, clock: Callable[[], int]
    ) -> None:
        """``allowed`` false: there is another way to be admin, so there is no link."""
        self._database = database
        self._file = folder / FIRST_ADMIN_LINK
        self._public_url = public_url
        self._allowed = allowed
        self._clock = clock
        self._digest: bytes | None = None
        self._until_ms = 0
        self._end: asyncio.TimerHandle | None = None

    async def offer(self) -> None:
        """Write a new link where no admin has ever been made; remove an old one in any case. Raises StoreUnavailable,
        OSError."""
        self.withdraw()
        if not self._allowed:
            return
        async with self._database.read() as connection:
            if await Secrets(connection).find(FIRST_ADMIN) is None:
                return
        secret = token_urlsafe(32)
        self._until_ms = self._clock() + round(LASTS_S * 1000)
        until = datetime.fromtimestamp(self._until_ms / 1000, UTC).astimezone().isoformat(" ", "minutes")
        text = (
            f"{self._public_url}/admin#first={secret}\n\nWhoever opens it first is admin. Good once, until {until}.\n"
        )
        process_files.write_atomically(self._file, text.encode())
        self._digest = hash_secret(secret)
        # The loop's clock goes on whatever happens to the machine's.
        self._end = asyncio.get_running_loop().call_later(LASTS_S, self.withdraw)
        _log.info("first_admin_link", path=str(self._file), until=until)

    def opens(self, secret: str) -> bool:
        """Whether ``secret`` is the link's, in constant time, and its time is not over."""
        return self._digest is not None and self._clock() < self._until_ms and secret_matches(secret, self._digest)

    def withdraw(self) -> None:
        """The link opens nothing from now on, and the file is gone."""
        self._digest = None
        if self._end is not None:
            self._end.cancel()
            self._end = None
        self._file.unlink(missing_ok=True)
