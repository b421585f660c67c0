"""Web processes that are killed while their archivist records, people edit and files are sent to a bucket: all that was
acknowledged is there in the next one."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av

from streamer.broadcast.view import BroadcastView
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session, SessionState
from streamer.formats.index import HEADER, encode_event
from streamer.store.bucket_objects import BucketObjects, ObjectState
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from tests.fakes.erasable import BEARER, ROOM, Erasable, Web, serving
from tests.fakes.killed_erasing import CHILDREN, LIMIT_S
from tests.fakes.killed_forgetting import quick_uploads
from tests.fakes.packaging import broadcast
from tests.fakes.s3_store import BUCKET, S3Server
from tests.fakes.stores import sqlite_store
from tests.fakes.studio import Studio
from tests.fakes.waiting import until_answered

PREFIX = "archivist"
TALK_S, EACH_MS = 4, 5_000
PUBLIC_URL = "http://streamer.test"
PART_S = 0.35
"""Sound and picture of a broadcast that ends may end a part apart."""
LONGEST_LIFE_S = 1.5

Cut = tuple[int, int, bool, bool]
"""Start and end in media time, whether it is published and pinned."""


@dataclass
class Archive:
    """One talk after the other in one room, in broadcasts of their own."""

    made: Erasable
    cuts: dict[str, list[Cut]] = field(default_factory=dict)
    """By session: what was acknowledged last, and what was asked for since."""
    kept: set[str] = field(default_factory=set)
    """Files that were acknowledged to be in the bucket."""
    edits: int = 0

    @classmethod
    async def prepared(cls, folder: Path, talks: int) -> Archive:
        made = Erasable(folder, epoch_ms=time.time_ns() // 1_000_000 - (talks + 1) * EACH_MS)
        database = sqlite_store(folder)
        await database.start()
        async with database.write() as connection:
            await Venues(connection).add(Venue("v", "Maison"))
            await Rooms(connection).add(Room(ROOM, "Salle", "v"))
        await database.close()
        return cls(made)

    async def ends(self, number: int) -> None:
        """Another talk has ended, in a broadcast of its own: the next life records it and sends its files."""
        view, room_dir = BroadcastView(), self.made.settings().room_dir(ROOM)
        name, epoch_ms = f"talk{number}", self.made.epoch_ms + number * EACH_MS
        studio = Studio(room_dir, view.apply, of=broadcast(id=f"b-{number}", room=ROOM, epoch_ms=epoch_ms))
        studio.run(TALK_S)
        record = encode_event(view.snapshot())
        assert record is not None
        (room_dir / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
        times = {"start_ms": studio.at(0), "end_ms": studio.at(TALK_S)}
        done = {"state": SessionState.ENDED, "started_ms": studio.at(0), "ended_ms": studio.at(TALK_S)}
        database = sqlite_store(self.made.folder)
        await database.start()
        async with database.write() as connection:
            await Sessions(connection).add(Session(name, ROOM, name, **times, **done))  # type: ignore[arg-type]
        await database.close()

    def lives(self, server: S3Server, chance: random.Random) -> None:
        """One life and its end."""
        ours, theirs = CHILDREN.Pipe(duplex=False)
        environment = server.environment | {"STREAMER_ARCHIVE__BUCKET": f"s3://{BUCKET}/{PREFIX}"}
        known = sorted(self.cuts)
        child = CHILDREN.Process(
            target=life, args=(self.made, environment, known, chance.random(), theirs), daemon=True
        )
        child.start()
        theirs.close()
        try:
            told = ours.recv() if ours.poll(LIMIT_S) else None
            assert told == ("began",), told
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        finally:
            child.kill()
            child.join()
        for kind, *what in _heard(ours):
            if kind == "asked":
                session, cut = what
                self.cuts[session].append(cut)
            elif kind == "edited":
                session, cut = what
                self.edits += 1
                self.cuts[session] = [cut]
            elif kind == "kept":
                self.kept |= what[0]
        ours.close()

    async def looks(self, server: S3Server, web: Web, talks: int) -> list[str]:
        """In words: acknowledged and not there, or not as it was. Waits until the talks up to now are recorded."""
        wrong = []
        sessions = [f"talk{number}" for number in range(talks)]
        for session in sessions:
            await until_answered(lambda session=session: _recorded(web, session))  # type: ignore[misc]
            now = cut_of(await web.api("GET", f"/recordings/{session}"))
            if now not in self.cuts.setdefault(session, [now]):
                wrong.append(f"{session} is {now}, not one of {self.cuts[session]}")
            self.cuts[session] = [now]
        objects = {name.split("/")[2]: data for name, data in server.objects(PREFIX).items() if name.count("/") == 3}
        async with web.services.database.read() as connection:
            rows = {one.file: one for one in await BucketObjects(connection).all() if one.state is ObjectState.KEPT}
        wrong += [f"{file} was kept" for file in self.kept - rows.keys()]
        for file in rows:
            (path, *_) = self.made.folder.glob(f"recordings/*/media/{file}")
            if objects.get(file) != path.read_bytes():
                wrong.append(f"{file} is another in the bucket")
        return wrong

    async def plays(self, web: Web) -> list[str]:
        """Recordings that do not play, or whose file does not decode or lasts longer or shorter than the replay."""
        wrong = []
        for session in self.cuts:
            edition = (await web.api("GET", f"/recordings/{session}"))["editions"][-1]
            played_s = await _played_s(web, edition["url"].removeprefix(PUBLIC_URL))
            with av.open(io.BytesIO(await _got(web, edition["download_url"].removeprefix(PUBLIC_URL)))) as file:
                seconds = (file.duration or 0) / 1e6
                if not any(file.decode(video=0)) or abs(seconds - played_s) > PART_S:
                    wrong.append(f"{session} lasts {seconds:.2f} s, its replay {played_s:.2f} s")
        return wrong


async def _got(web: Web, address: str) -> bytes:
    async with web.client.get(address) as answer:
        assert answer.status == 200, (address, answer.status)
        return await answer.read()


async def _played_s(web: Web, address: str) -> float:
    """The length of all segments of the first rendition, each of which is read."""
    index = (await _got(web, address)).decode()
    place = f"{address.rpartition('/')[0]}/{re.findall(r'^[^#].*', index, re.M)[0]}"
    playlist = (await _got(web, place)).decode()
    for name in re.findall(r"^[^#].*", playlist, re.M):
        assert await _got(web, f"{place.rpartition('/')[0]}/{name}")
    return sum(map(float, re.findall(r"^#EXTINF:([\d.]+)", playlist, re.M)))


def cut_of(told: dict[str, Any]) -> Cut:
    edition = told["editions"][-1]
    return edition["start_ms"], edition["end_ms"], told["published"], told["pinned"]


async def _recorded(web: Web, session: str) -> bool:
    async with web.client.get(f"/api/v1/recordings/{session}", headers=BEARER) as answer:
        told = await answer.json()
    return answer.status == 200 and bool(told["editions"]) and told["editions"][-1]["end_ms"] is not None


def _heard(told: Connection) -> Iterator[tuple[Any, ...]]:
    """All that one who is dead has told."""
    try:
        while told.poll():
            yield told.recv()
    except EOFError:
        return


def life(made: Erasable, environment: dict[str, str], known: list[str], seed: float, told: Connection) -> None:
    """A web process that records a new talk by itself, while the known ones are edited and all are sent."""
    os.environ.update(environment)
    chance = random.Random(seed)

    async def edit(web: Web) -> None:
        for session in _endless(chance, known):
            start_ms, end_ms, published, pinned = cut_of(await web.api("GET", f"/recordings/{session}"))
            # Some of these lead out of what was recorded, and are refused.
            start_ms, end_ms = start_ms + chance.randint(-200, 200), end_ms + chance.randint(-200, 200)
            cut = (start_ms, end_ms, not published, not pinned)
            body = dict(zip(("start_ms", "end_ms", "published", "pinned"), cut, strict=True))
            told.send(("asked", session, cut))
            answer = await web.client.patch(f"/api/v1/recordings/{session}", json=body, headers=BEARER)
            if answer.status == 200:
                told.send(("edited", session, cut_of(await answer.json())))

    async def watch_uploads(web: Web) -> None:
        uploads, before = web.services.uploads, set[str]()
        uploads._closed_s = -1.0
        while True:
            kept = {one.file for one in (uploads._objects or {}).values() if one.state is ObjectState.KEPT}
            if kept != before:
                told.send(("kept", before := kept))
            await asyncio.sleep(0.01)

    async def live() -> None:
        async with serving(made) as web:
            told.send(("began",))
            await asyncio.gather(edit(web), watch_uploads(web))

    with quick_uploads():
        asyncio.run(live())


def _endless(chance: random.Random, known: list[str]) -> Iterator[str]:
    if known:
        yield from (chance.choice(known) for _ in itertools.count())
