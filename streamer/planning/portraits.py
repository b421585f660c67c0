"""Speakers' portraits in the data folder: those that a schedule has elsewhere are fetched under the rules for schedules
and served from here, so that no visitor's browser asks another site."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from streamer.control.decoders import NotDecoded, decode
from streamer.control.process_files import write_atomically
from streamer.errors import StreamerError
from streamer.outgoing import Resolve
from streamer.planning.fetch import NotFetched, fetch
from streamer.settings import ScheduleSettings
from streamer.store.database import Database
from streamer.store.sessions import Sessions

DECODER = "streamer.media.pictures"
LOOK_EVERY_S = 15.0
MOST_BYTES = 8_000_000
"""A photograph as a camera makes it."""
AGAIN_S = 3600.0
"""A picture that could not be fetched is tried again after this time."""
RENEW_S = 7 * 86_400.0
"""A picture that could be fetched is fetched again after this time: its owner may have changed it."""
UNUSED_S = 86_400.0
"""A picture that no session names is deleted after this time: its form may still be open."""
UPLOADED = "/portraits/"
_NAME = re.compile(r"[0-9a-f]{24}\.jpg")

log = structlog.get_logger(__name__)


class Portraits:
    """``folder``: of the pictures. The application owns it; on the loop only.

    ``clock``: seconds, as files' times are. ``decoding`` is held while another process decodes.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        settings: ScheduleSettings,
        decoding: asyncio.Semaphore,
        *,
        clock: Callable[[], float] = time.time,
        resolve: Resolve | None = None,
    ) -> None:
        self._folder = folder
        self._database = database
        self._settings = settings.model_copy(update={"max_bytes": MOST_BYTES})
        self._decoding = decoding
        self._clock = clock
        self._resolve = resolve
        self._kept: dict[str, float] = {}
        """Name -> when its file was written."""
        self._failed: dict[str, float] = {}
        """Address -> when it was asked last."""

    def name_of(self, address: str) -> str | None:
        """The name of the picture that stands for an address; None: it is not here (yet)."""
        name = _name_of(address)
        return name if name in self._kept else None

    async def read(self, name: str) -> bytes | None:
        """The JPEG."""
        if name not in self._kept:
            return None
        try:
            return await asyncio.to_thread((self._folder / name).read_bytes)
        except OSError:
            return None

    async def take(self, data: bytes) -> str:
        """Keep an uploaded picture; its address. Raises NotDecoded."""
        name = f"{secrets.token_hex(12)}.jpg"
        await self._keep(name, data)
        return f"{UPLOADED}{name}"

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                await self.look()
            except (StreamerError, OSError) as error:
                log.warning("portraits_not_looked_at", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Fetch the pictures that are missing or old, delete those that no session names. Raises StoreUnavailable,
        OSError."""
        self._kept = await asyncio.to_thread(_files, self._folder)
        async with self._database.read() as connection:
            addresses = await Sessions(connection).portrait_addresses()
        now = self._clock()
        await asyncio.to_thread(self._clean, addresses, now)
        self._failed = {address: at for address, at in self._failed.items() if address in addresses}
        for address in sorted(addresses):
            if address.startswith(UPLOADED) or now - self._failed.get(address, -AGAIN_S) < AGAIN_S:
                continue
            if now - self._kept.get(_name_of(address), -RENEW_S) >= RENEW_S:
                await self._fetch(address)

    async def _fetch(self, address: str) -> None:
        try:
            got = await fetch(address, self._settings, resolve=self._resolve)
            await self._keep(_name_of(address), got.body)
        except (NotFetched, NotDecoded) as error:
            self._failed[address] = self._clock()
            log.info("portrait_not_fetched", reason=getattr(error, "code", "no_picture"))

    async def _keep(self, name: str, data: bytes) -> None:
        async with self._decoding:
            told = await decode(DECODER, "portrait", data=data)
        await asyncio.to_thread(write_atomically, self._folder / name, told[8:])
        self._kept[name] = self._clock()

    def _clean(self, addresses: Iterable[str], now: float) -> None:
        used = {_name_of(address) for address in addresses}
        for name in [name for name, at in self._kept.items() if name not in used and now - at >= UNUSED_S]:
            (self._folder / name).unlink(missing_ok=True)
            del self._kept[name]


def _name_of(address: str) -> str:
    if address.startswith(UPLOADED):
        return address.removeprefix(UPLOADED)
    return f"{hashlib.sha256(address.encode()).hexdigest()[:24]}.jpg"


def _files(folder: Path) -> dict[str, float]:
    if not folder.is_dir():
        return {}
    return {file.name: file.stat().st_mtime for file in folder.iterdir() if _NAME.fullmatch(file.name)}
