"""Speakers' portraits: fetched as schedules are, decoded elsewhere, kept while a session names them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from PIL import Image

from streamer.conference.rooms import Room
from streamer.planning.portraits import AGAIN_S, RENEW_S, UNUSED_S, Portraits
from streamer.settings import ScheduleSettings
from streamer.store.database import Database
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.planned import add_session
from tests.fakes.stores import sqlite_store
from tests.unit.planning.test_fetch import serving

LOCAL = ScheduleSettings(allow_networks=("127.0.0.1",), fetch_timeout_s=5)


def photograph(size: tuple[int, int] = (900, 1200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 120, 60)).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Elsewhere:
    """A site with pictures, and the clock of whoever asks it."""

    folder: Path
    database: Database
    pictures: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now_s: float = 0.0
    url: str = ""

    def portraits(self, settings: ScheduleSettings = LOCAL) -> Portraits:
        return Portraits(self.folder, self.database, settings, asyncio.Semaphore(1), clock=lambda: self.now_s)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path not in self.pictures:
            raise web.HTTPNotFound
        return web.Response(body=self.pictures[request.path])


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Elsewhere]:
    database = sqlite_store(tmp_path)
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
    made = Elsewhere(tmp_path / "portraits", database)
    async with serving(made.answer) as server:
        made.url = str(server.make_url("/")).rstrip("/")
        yield made
    await database.close()


async def test_a_schedules_picture_is_kept_here_small_and_square(elsewhere: Elsewhere) -> None:
    address = f"{elsewhere.url}/ada.jpg"
    elsewhere.pictures["/ada.jpg"] = photograph()
    await add_session(elsewhere.database, "s", "a", speakers=("Ada",), portraits=(("Ada", address),))
    portraits = elsewhere.portraits()
    assert portraits.name_of(address) is None
    await portraits.look()
    name = portraits.name_of(address)
    assert name is not None
    kept = await portraits.read(name)
    assert kept is not None
    assert Image.open(io.BytesIO(kept)).size == (320, 320)
    await portraits.look()
    assert elsewhere.asked == ["/ada.jpg"]
    # It is here again after a restart, and fetched anew some days later.
    again = elsewhere.portraits()
    elsewhere.now_s = (elsewhere.folder / name).stat().st_mtime + RENEW_S - 1
    await again.look()
    assert (again.name_of(address), len(elsewhere.asked)) == (name, 1)
    elsewhere.now_s += 2
    await again.look()
    assert len(elsewhere.asked) == 2


async def test_a_private_address_is_not_asked(elsewhere: Elsewhere) -> None:
    address = f"{elsewhere.url}/ada.jpg"
    elsewhere.pictures["/ada.jpg"] = photograph()
    await add_session(elsewhere.database, "s", "a", portraits=(("Ada", address),))
    portraits = elsewhere.portraits(ScheduleSettings())
    await portraits.look()
    assert (portraits.name_of(address), elsewhere.asked) == (None, [])


@pytest.mark.parametrize("answer", [b"<svg onload='alert(1)'/>", b"", photograph()[:200]])
async def test_what_is_no_picture_is_not_kept_and_asked_for_again_later(elsewhere: Elsewhere, answer: bytes) -> None:
    address = f"{elsewhere.url}/ada.jpg"
    elsewhere.pictures["/ada.jpg"] = answer
    await add_session(elsewhere.database, "s", "a", portraits=(("Ada", address), ("Bo", f"{elsewhere.url}/gone.jpg")))
    portraits = elsewhere.portraits()
    await portraits.look()
    await portraits.look()
    assert portraits.name_of(address) is None
    assert sorted(elsewhere.asked) == ["/ada.jpg", "/gone.jpg"]
    elsewhere.now_s += AGAIN_S
    elsewhere.pictures["/ada.jpg"] = photograph()
    await portraits.look()
    assert portraits.name_of(address) is not None


async def test_a_picture_that_no_session_names_is_deleted(elsewhere: Elsewhere) -> None:
    portraits = elsewhere.portraits()
    mine, theirs = await portraits.take(photograph()), await portraits.take(photograph((300, 200)))
    assert mine != theirs
    session = await add_session(elsewhere.database, "s", "a", speakers=("Ada",), portraits=(("Ada", mine),))
    elsewhere.now_s = max(file.stat().st_mtime for file in elsewhere.folder.iterdir())
    await portraits.look()
    assert portraits.name_of(theirs) is not None
    elsewhere.now_s += UNUSED_S + 1
    await portraits.look()
    assert (portraits.name_of(theirs), portraits.name_of(mine) is None) == (None, False)
    async with elsewhere.database.write() as connection:
        await Sessions(connection).remove_many((session.id,))
    await portraits.look()
    assert list(elsewhere.folder.iterdir()) == []
