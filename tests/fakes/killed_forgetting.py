"""Web processes that are killed at each step of a *forget* whose files lie in a bucket alone, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import obstore

from streamer.archive import away, editing, uploading
from streamer.archive.bucket import MediaBucket
from streamer.archive.files import AWAY
from streamer.store.bucket_objects import BucketObjects, ObjectState
from tests.fakes.erasable import Erasable, Web, erase, serving
from tests.fakes.killed_erasing import CHILDREN, LIMIT_S, _heard
from tests.fakes.s3_store import BUCKET, S3Server
from tests.fakes.waiting import until

PREFIX = "forgotten"
STEPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (MediaBucket, ("fetch", "remove", "send", "size_of")),
    (BucketObjects, ("add", "save", "remove")),
    (uploading, ("_put_back",)),
    (editing, ("_write_without", "_punch")),
    (away, ("leave", "drop_heads", "clear_unnamed")),
)


@dataclass
class Forgetting:
    """A data folder whose pictures lie in a bucket alone, and that bucket, as they are before each life."""

    made: Erasable
    server: S3Server
    objects: dict[str, bytes] = field(default_factory=dict)
    secrets: list[bytes] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    """The replay's segments."""

    @classmethod
    async def prepared(cls, made: Erasable, server: S3Server) -> Forgetting:
        room = made.folder / "rooms/salle"
        forgetting = cls(made, server)
        forgetting.secrets = [(room / file).read_bytes()[offset:][:size] for file, offset, size in made.places]
        for path in room.rglob("*.m4s"):
            path.unlink()
        with quick_uploads():
            async with serving(made) as web:
                await _all_away(web, made)
                forgetting.before = await segments(web)
        forgetting.objects = server.objects(PREFIX)
        assert forgetting.told()
        return forgetting

    def told(self) -> int:
        """The number of secrets that are in objects."""
        objects = self.server.objects(PREFIX).values()
        return sum(any(secret in data for data in objects) for secret in self.secrets)

    def again(self, folder: Path) -> Erasable:
        """A copy of the folder, and the bucket as it was."""
        store = self.server.store(BUCKET)
        obstore.delete(store, list(self.server.objects(PREFIX)))
        for name, data in self.objects.items():
            obstore.put(store, name, data)
        subprocess.run(["cp", "-a", str(self.made.folder), str(folder)], check=True)
        values = {name: getattr(self.made, name) for name in self.made.__dataclass_fields__ if name != "folder"}
        return Erasable(folder, **values)


@dataclass
class Ended:
    """After one life, and one more that nobody killed."""

    acknowledged: bool
    left: list[str]
    """Of the secrets, when it was acknowledged and at the end."""
    segments: list[bytes]
    objects: list[bytes]


async def lived(forgetting: Forgetting, folder: Path, step: int | None) -> tuple[Ended, list[str]]:
    """One life that is killed at a step (None: at none), and the next one. Returns also the steps of the first."""
    made = forgetting.again(folder)
    acknowledged, steps = await asyncio.to_thread(_one_life, forgetting, made, step)
    left = _left(forgetting, made) if acknowledged else []
    with quick_uploads():
        async with serving(made) as web:
            await until(lambda: not web.services.erasing.going)
            await _all_away(web, made)
            found = await segments(web)
    left += _left(forgetting, made)
    objects = sorted(
        data for name, data in forgetting.server.objects(PREFIX).items() if not name.endswith(("/probe", "/owner"))
    )
    return Ended(acknowledged, left, found, objects), steps


def _left(forgetting: Forgetting, made: Erasable) -> list[str]:
    return made.on_disk() + [f"{told} in the bucket" for told in [forgetting.told()] if told]


def _one_life(forgetting: Forgetting, made: Erasable, step: int | None) -> tuple[bool, list[str]]:
    ours, theirs = CHILDREN.Pipe(duplex=False)
    environment = forgetting.server.environment | {"STREAMER_ARCHIVE__BUCKET": f"s3://{BUCKET}/{PREFIX}"}
    child = CHILDREN.Process(target=life, args=(made, environment, step, theirs), daemon=True)
    child.start()
    theirs.close()
    steps, acknowledged = [], False
    try:
        with contextlib.suppress(EOFError):
            while (told := _heard(ours, LIMIT_S)) != "end":
                assert told, f"silent after {steps}"
                if told == "done":
                    acknowledged = True
                else:
                    steps.append(told)
    finally:
        child.kill()
        child.join()
        ours.close()
    return acknowledged, steps


def life(made: Erasable, environment: dict[str, str], step: int | None, told: Connection) -> None:
    """A web process that forgets, tells each step and is killed at one of them."""
    os.environ.update(environment)
    count = 0
    begun = False

    def at(name: str) -> None:
        nonlocal count
        if begun:
            told.send(name)
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    for owner, names in STEPS:
        for name in names:
            setattr(owner, name, _told(getattr(owner, name), name, at))

    async def live() -> None:
        nonlocal begun
        async with serving(made) as web:
            await web.services.uploads.settle()
            begun = True
            await erase(made, web, "stretch")
            told.send("done")
            await _all_away(web, made)
            told.send("end")
            await asyncio.sleep(60)

    with quick_uploads():
        asyncio.run(live())


def _told(do: Callable[..., Any], name: str, at: Callable[[str], None]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(do):

        @functools.wraps(do)
        async def waiting(*arguments: Any) -> Any:
            at(f"before {name}")
            result = await do(*arguments)
            at(f"after {name}")
            return result

        return waiting

    @functools.wraps(do)
    def whole(*arguments: Any, **more: Any) -> Any:
        at(f"before {name}")
        result = do(*arguments, **more)
        at(f"after {name}")
        return result

    return whole


@contextlib.contextmanager
def quick_uploads() -> Iterator[None]:
    """Uploads look again and again, and one that was broken off may arrive for no time at all."""
    quick = {"QUIET_S": 0.0, "HOLD_S": 0.0, "EVERY_S": 0.05, "RETRY_S": (0.05,)}
    before = {name: getattr(uploading, name) for name in quick}
    try:
        for name, value in quick.items():
            setattr(uploading, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(uploading, name, value)


async def _all_away(web: Web, made: Erasable) -> None:
    """All files are in the bucket, and pictures nowhere else."""
    uploads = web.services.uploads
    uploads._closed_s, uploads._local_days = -1.0, 1e-9
    await web.recorded("talk", "other")

    def done() -> bool:
        here = {path.name for path in made.folder.glob("recordings/*/media/b-*.m4s")}
        away = {path.name.removesuffix(AWAY) for path in made.folder.glob(f"recordings/*/media/b-*{AWAY}")}
        kept = {one.file for one in (uploads._objects or {}).values() if one.state is ObjectState.KEPT}
        return bool(away) and kept == here | away and not any("-v" in name for name in here)

    await until(done)


async def segments(web: Web) -> list[bytes]:
    """Of the replay's best rendition."""

    async def get(address: str) -> bytes:
        async with web.client.get(address) as answer:
            assert answer.status == 200, (address, answer.status)
            return await answer.read()

    await web.recorded("talk")
    index = (await get("/replay/talk/index.m3u8")).decode()
    place = next(line for line in index.splitlines() if line.endswith(".m3u8"))
    lines = (await get(f"/replay/talk/{place}")).decode().splitlines()
    return [await get(f"/replay/talk/{place.rpartition('/')[0]}/{line}") for line in lines if line.endswith(".m4s")]
