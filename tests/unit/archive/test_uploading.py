"""Copies of recordings in a bucket, against a real S3 store: they come by themselves, and nothing erased stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import obstore
import pytest
import pytest_asyncio

from streamer.archive import bucket, uploading
from streamer.archive.uploading import Uploads
from streamer.cli.check import _bucket
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.formats.erasures import RecordingErasure, StretchErasure
from streamer.formats.hole_punch import punch
from streamer.s3 import BucketFailed
from streamer.store.bucket_objects import BucketObjects
from streamer.store.database import Database
from streamer.store.erasing import Erasing, NotErased
from streamer.store.recordings import Recording, Recordings, RecordingState
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.erasable import erase, prepare, serving
from tests.fakes.s3_store import BUCKET, S3Server, running_s3_server
from tests.fakes.stores import sqlite_store

OLD_S = 3600
FIRST, SECOND = "b-720-0000.m4s", "b-audio-0000.m4s"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(autouse=True)
def _keys(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Archive:
    folder: Path
    address: str
    database: Database
    erasing: Erasing

    def __post_init__(self) -> None:
        self.uploads = self.again()

    def again(self) -> Uploads:
        """As another process finds it."""
        self.uploads = Uploads(self.folder, self.address, self.database, self.erasing, clock=now_ms)
        self.erasing.in_copies = self.uploads.settle
        return self.uploads

    def path(self, session: str, file: str) -> Path:
        return self.folder / "recordings" / session / "media" / file

    def record(self, session: str, file: str, content: bytes | Path, age_s: float = OLD_S) -> Path:
        path = self.path(session, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.hardlink_to(content)
        else:
            path.write_bytes(content)
            os.utime(path, (time.time() - age_s,) * 2)
        return path

    async def delete(self, session: str) -> None:
        async def do() -> None:
            shutil.rmtree(self.folder / "recordings" / session, ignore_errors=True)

        await self.erasing.carry_out(RecordingErasure(now_ms(), session), do)

    def objects(self, server: S3Server) -> list[bytes]:
        found = server.objects(self.address.removeprefix(f"s3://{BUCKET}/"))
        return sorted(data for name, data in found.items() if not name.endswith(("/probe", "/owner")))


@pytest_asyncio.fixture
async def archive(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    database = sqlite_store(tmp_path)
    await database.start()
    erasing = Erasing(tmp_path, database, clock=now_ms)
    yield Archive(tmp_path, f"s3://{BUCKET}/{request.node.name}", database, erasing)
    await database.close()


async def test_finished_files_are_copied_once_and_go_with_the_last_recording(
    archive: Archive, server: S3Server
) -> None:
    shared = archive.record("talk", FIRST, b"1" * 70_000)
    archive.record("next", FIRST, shared)
    archive.record("next", SECOND, b"2" * 3_000)
    archive.record("next", "b-720-0001.m4s", b"it is written", age_s=60)
    archive.record("next", "b-720-0002.m4s", b"")
    await archive.uploads.send_all()
    assert archive.objects(server) == [b"1" * 70_000, b"2" * 3_000]
    assert (archive.uploads.stats.kept, archive.uploads.stats.kept_bytes) == (2, 73_000)
    assert archive.uploads.stats.waiting == 0
    await archive.again().send_all()
    assert archive.uploads.stats.sent_total == 0
    await archive.delete("next")
    assert archive.objects(server) == [b"1" * 70_000]
    await archive.delete("talk")
    assert archive.objects(server) == []
    assert archive.uploads.stats.deleted_total == 2


async def test_bytes_that_are_erased_while_they_are_sent_stay_nowhere(
    archive: Archive, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "QUIET_S", 0.5)
    monkeypatch.setattr(uploading, "HOLD_S", 0.0)
    path = archive.record("talk", FIRST, os.urandom(1_000_000))

    async def forget() -> None:
        with path.open("r+b") as file:
            punch(file.fileno(), 1000, 2000)

    async def again() -> None:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(BucketFailed):
                    await archive.uploads.settle()
                    break
                await asyncio.sleep(0.05)
        await archive.erasing.again()
        assert archive.erasing.unfinished() == []
        assert archive.objects(server) == []

    async def done(_records: object) -> None:
        pass

    archive.erasing.does(StretchErasure, done)
    digest = bucket.MediaBucket._digest

    async def erased_now(self: bucket.MediaBucket, key: str) -> str:
        found = await digest(self, key)
        await forget()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(bucket.MediaBucket, "_digest", erased_now)
        await archive.uploads.send_all()
    # The erasure is not called done before the object of a broken upload had time to arrive, and was deleted again.
    assert len(archive.objects(server)) == 1
    with pytest.raises(BucketFailed, match="may still arrive"):
        await archive.uploads.settle()
    await again()
    # Erased while it is in the store already, and compared.
    os.utime(path, (time.time() - OLD_S,) * 2)
    arrived = asyncio.Event()

    async def slow(self: bucket.MediaBucket, key: str) -> str:
        arrived.set()
        await asyncio.sleep(60)
        return ""

    with monkeypatch.context() as patched:
        patched.setattr(bucket.MediaBucket, "_digest", slow)
        sending = asyncio.create_task(archive.uploads.send_all())
        await arrived.wait()
        archive.record("other", SECOND, b"2" * 3_000)
        await archive.delete("other")
        assert not sending.done()
        with pytest.raises(NotErased):
            await archive.erasing.carry_out(StretchErasure(now_ms(), "salle", 0, 1), forget)
        await sending
        assert archive.objects(server) == []
        late = list(archive.uploads._objects or {})[-1]
        obstore.put(server.store(BUCKET), f"{archive.address.rpartition('/')[2]}/{late}", b"late")
        await again()
    os.utime(path, (time.time() - OLD_S,) * 2)
    await archive.uploads.send_all()
    assert archive.objects(server) == [path.read_bytes()]
    assert path.read_bytes()[1000:3000] == bytes(2000)


async def test_an_outage_delays_the_word_that_something_is_erased_and_costs_nothing_else(
    archive: Archive, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "QUIET_S", 0.0)
    archive.record("talk", FIRST, b"1" * 70_000)
    await archive.uploads.send_all()
    archive.record("next", SECOND, b"2" * 3_000)
    server.kill_gate()
    try:
        with pytest.raises(BucketFailed, match=archive.address):
            await archive.uploads.send_all()
        with pytest.raises(NotErased):
            await archive.delete("talk")
        assert not archive.path("talk", FIRST).exists()
        assert [type(one.erasure) for one in archive.erasing.unfinished()] == [RecordingErasure]
    finally:
        await asyncio.to_thread(server.open_gate)
    assert archive.objects(server) == [b"1" * 70_000]

    async def done(_records: object) -> None:
        pass

    # A later process finds that it is not there yet.
    archive.again()
    archive.erasing.does(RecordingErasure, done)
    await archive.erasing.again()
    assert archive.erasing.unfinished() == []
    assert archive.objects(server) == []
    await archive.uploads.send_all()
    assert archive.objects(server) == [b"2" * 3_000]


async def test_objects_of_which_a_restored_database_knows_nothing_are_deleted(
    archive: Archive, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.record("talk", FIRST, b"1" * 70_000)
    await archive.uploads.send_all()
    async with archive.database.write() as connection:
        rows = BucketObjects(connection)
        await rows.remove([one.key for one in await rows.all()])
    obstore.put(server.store(BUCKET), f"{archive.address.rpartition('/')[2]}/holiday.jpg", b"3")
    await archive.again().settle()
    assert archive.objects(server) == [b"3"]
    await archive.uploads.send_all()
    assert archive.objects(server) == [b"1" * 70_000, b"3"]
    # A copy of this data folder, which has other files, deletes nothing of its.
    (archive.folder / uploading.OWNER_FILE).unlink()
    with pytest.raises(BucketFailed, match="Another copy of this data folder keeps its files in"):
        await archive.again().settle()
    assert archive.objects(server) == [b"1" * 70_000, b"3"]


async def test_a_disk_that_is_not_mounted_empties_no_bucket(archive: Archive, server: S3Server) -> None:
    archive.record("talk", FIRST, b"1" * 70_000)
    archive.record("next", SECOND, b"2" * 3_000)
    async with archive.database.write() as connection:
        await Rooms(connection).add(Room("salle", "Salle"))
        await Sessions(connection).add(Session("talk", "salle", "Talk", start_ms=0, end_ms=1))
        recording = Recording("talk", "salle", "b", "recordings/talk", 0, 1, state=RecordingState.READY)
        await Recordings(connection).add(recording)
    await archive.uploads.send_all()
    away = archive.folder / "recordings"
    away.rename(archive.folder / "elsewhere")
    with pytest.raises(BucketFailed, match="The folders of 1 recordings are missing, such as recordings/talk"):
        await archive.uploads.settle()
    assert archive.objects(server) == [b"1" * 70_000, b"2" * 3_000]
    (archive.folder / "elsewhere").rename(away)
    await archive.again().send_all()
    assert archive.uploads.stats.sent_total == 0
    async with archive.database.write() as connection:
        await Recordings(connection).put(replace(recording, state=RecordingState.DELETED))
    await archive.delete("talk")
    assert archive.objects(server) == [b"2" * 3_000]


async def test_uploads_wait_while_a_room_is_open(archive: Archive, server: S3Server) -> None:
    archive.record("talk", FIRST, b"1" * 70_000)
    archive.uploads._busy = lambda: True
    await archive.uploads.send_all()
    assert archive.objects(server) == []
    assert archive.uploads.stats.waiting_bytes == 70_000
    archive.uploads._busy = lambda: False
    await archive.uploads.send_all()
    assert archive.objects(server) == [b"1" * 70_000]


async def test_what_is_wrong_with_a_bucket_is_said_and_nothing_is_sent(
    archive: Archive, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.record("talk", FIRST, b"1" * 70_000)
    server.keep_versions("versions")
    archive.address = "s3://versions/media"
    with pytest.raises(BucketFailed, match=r"keeps versions of what is deleted \(versioning or Object Lock\)"):
        await archive.again().send_all()
    found = [one["path"] for some in obstore.list(server.store("versions")) for one in some]
    assert [name.rpartition("/")[2] for name in found] == ["probe"]
    # The same by streamer check, which runs no loop.
    versions = await asyncio.to_thread(_bucket, "s3://versions/media")
    assert (versions.level, "keeps versions" in versions.text) == ("bad", True)
    good = await asyncio.to_thread(_bucket, f"s3://{BUCKET}/checked")
    assert good.level == "ok"
    assert server.objects("checked") == {}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert (await asyncio.to_thread(_bucket, f"s3://{BUCKET}/checked")).text == (
        f"s3://{BUCKET}/checked: SignatureDoesNotMatch, The request signature we calculated does not match the "
        "signature you provided. Check your key and signing method."
    )
    archive.address = f"s3://{BUCKET}/wrong"
    with pytest.raises(BucketFailed, match="SignatureDoesNotMatch"):
        await archive.again().send_all()


async def test_a_forgotten_stretch_is_in_no_file_of_the_store(
    tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the whole web process, and looked for in the store's own folder."""
    made = await prepare(tmp_path / "data")
    monkeypatch.setenv("STREAMER_ARCHIVE__BUCKET", f"s3://{BUCKET}/whole")
    media = list(made.folder.glob("recordings/*/media/*"))
    for path in media:
        os.utime(path, (time.time() - OLD_S,) * 2)
    room = made.folder / "rooms/salle"
    secrets = [(room / file).read_bytes()[offset:][:size] for file, offset, size in made.places]
    async with serving(made) as web:
        uploads = web.services.uploads
        async with asyncio.timeout(20):
            while uploads.stats.kept < len({path.name for path in media}):
                await asyncio.sleep(0.02)
        assert all(any(secret in data for data in server.objects("whole").values()) for secret in secrets)
        assert server.holds(secrets) == len(secrets)
        await erase(made, web, "stretch")
        assert not any(secret in data for data in server.objects("whole").values() for secret in secrets)
        async with web.client.get("/readyz") as answer:
            assert (await answer.json())["error"]["details"]["bucket"] == "ok"
    async with asyncio.timeout(30):
        while server.holds(secrets):
            await asyncio.to_thread(server.clean_up)
