"""Copies of recordings in a bucket, against a real S3 store: they come by themselves, and nothing erased stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import obstore
import pytest
import pytest_asyncio

from streamer.archive import bucket, uploading
from streamer.archive.away import read_at
from streamer.archive.files import LEVELLED, write
from streamer.archive.material import Material, Reel
from streamer.broadcast.programme import Chunk, Part, Segment
from streamer.cli.check import _bucket
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.control.server import wait_cancelled
from streamer.data_folder import BUCKET_OWNER
from streamer.formats.erasures import RecordingErasure, StretchErasure
from streamer.formats.hole_punch import punch
from streamer.s3 import BucketFailed
from streamer.store.bucket_objects import BucketObjects
from streamer.store.erasing import Erasing, NotErased
from streamer.store.recordings import Recording, Recordings, RecordingState
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.erasable import BEARER, ROOM, Web, prepare, serving
from tests.fakes.packaging import broadcast
from tests.fakes.s3_store import BUCKET, S3Server, running_s3_server
from tests.fakes.stores import sqlite_store
from tests.fakes.uploads import OLD_S, Archive, now_ms
from tests.fakes.waiting import LIMIT_S, until

FIRST, SECOND = "b-720-0000.m4s", "b-audio-0000.m4s"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(autouse=True)
def _keys(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


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
    archive.record("next", f"{LEVELLED}s-a128.m4s", b"it is made again")
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
    monkeypatch.setattr(uploading, "QUIET_S", 60.0)
    monkeypatch.setattr(uploading, "HOLD_S", 0.0)
    path = archive.record("talk", FIRST, os.urandom(1_000_000))

    async def forget() -> None:
        with path.open("r+b") as file:
            punch(file.fileno(), 1000, 2000)

    async def again() -> None:
        async with asyncio.timeout(60):
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
    monkeypatch.setattr(uploading, "QUIET_S", 0.5)
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
        monkeypatch.setattr(uploading, "QUIET_S", 60.0)
        with pytest.raises(NotErased):
            await archive.erasing.carry_out(StretchErasure(now_ms(), "salle", 0, 1), forget)
        await sending
        assert archive.objects(server) == []
        late = list(archive.uploads._objects or {})[-1]
        obstore.put(server.store(BUCKET), f"{archive.address.rpartition('/')[2]}/{late}", b"late")
        monkeypatch.setattr(uploading, "QUIET_S", 0.5)
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
    (archive.folder / BUCKET_OWNER).unlink()
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


def fragment(filling: bytes, size: int = 10_000) -> bytes:
    """A box of a head, and one of samples."""
    head = struct.pack(">I4s", 24, b"moof") + filling * 16
    return head + struct.pack(">I4s", size - len(head), b"mdat") + filling * (size - len(head) - 8)


def name_parts(archive: Archive, session: str, *parts: int) -> None:
    """Write the material of a recording that has these parts of its file."""
    chunks = [Part(n * 90_000, 90_000, True, Chunk(f"media/{FIRST}", n * 10_000, 10_000)) for n in parts]
    segments = tuple(Segment(n, part.start, 1, False, 0, [part], True) for n, part in zip(parts, chunks, strict=True))
    reel = Reel(broadcast(), (), {"v180": segments})
    write(archive.folder / "recordings" / session / "material.bin", Material(session, "salle", (reel,)))


async def test_a_file_that_is_in_the_bucket_alone_holds_nothing_that_no_recording_names(
    archive: Archive, server: S3Server
) -> None:
    whole = b"".join(fragment(filling) for filling in (b"1", b"2", b"3"))
    paths = [archive.record("talk", FIRST, whole)]
    paths.append(archive.record("next", FIRST, paths[0]))
    name_parts(archive, "talk", 0)
    name_parts(archive, "next", 1)
    uploads = archive.uploads

    async def away() -> bytes:
        for path in paths:
            if path.exists():
                os.utime(path, (time.time() - OLD_S,) * 2)
        uploads._local_days = OLD_S / 2 / 86_400
        await uploads.send_all()
        await uploads.let_go()
        (found,) = archive.objects(server)
        return found

    assert await away() == whole
    # Its third part is in none: it is gone first, then the file.
    assert all(path.exists() for path in paths)
    cleared = whole[:20_000] + bytes(10_000)
    assert await away() == cleared
    assert not any(path.exists() for path in paths)
    assert read_at(paths[0], 10_000, 10_000) == whole[10_000:20_000]
    # One recording is deleted, and with it what it alone had.
    await archive.delete("talk")
    paths.pop(0)
    await uploads.let_go()
    assert paths[0].read_bytes() == bytes(10_000) + whole[10_000:20_000] + bytes(10_000)
    assert await away() == bytes(10_000) + whole[10_000:20_000] + bytes(10_000)
    assert not paths[0].exists()
    await archive.delete("next")
    assert archive.objects(server) == []


async def test_a_restored_folder_finds_the_newest_object_of_a_file_that_is_away(
    archive: Archive, server: S3Server
) -> None:
    path = archive.record("talk", FIRST, fragment(b"1"))
    name_parts(archive, "talk", 0)
    archive.uploads._local_days = OLD_S / 2 / 86_400
    await archive.uploads.send_all()
    await archive.uploads.let_go()
    assert not path.exists()
    (old,) = archive.uploads._objects or {}
    store, prefix = server.store(BUCKET), archive.address.rpartition("/")[2]
    # Meanwhile it was forgotten in part, and went again.
    obstore.delete(store, f"{prefix}/{old}")
    obstore.put(store, f"{prefix}/{old}-newer", fragment(b"2"))
    await archive.again().settle()
    assert read_at(path, 0, 10_000) == fragment(b"2")
    assert archive.objects(server) == [fragment(b"2")]
    # The database knows nothing at all.
    async with archive.database.write() as connection:
        rows = BucketObjects(connection)
        assert [one.key for one in await rows.all()] == [f"{old}-newer"]
        await rows.remove([f"{old}-newer"])
    await archive.again().settle()
    assert archive.objects(server) == [fragment(b"2")]
    await archive.uploads.bring_back({FIRST})
    assert path.read_bytes() == fragment(b"2")
    # Another store of the same name is not taken for it.
    obstore.delete(store, [name for name in server.objects(prefix) if name.endswith("/owner")])
    with pytest.raises(BucketFailed, match="is not the bucket that files were copied to"):
        await archive.again().settle()


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


async def test_a_full_bucket_is_said_and_gives_what_is_erased_and_all_is_sent_when_there_is_room(
    archive: Archive, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "RETRY_S", (0.05,))
    monkeypatch.setattr(uploading, "QUIET_S", 0.0)
    monkeypatch.setattr(uploading, "HOLD_S", 0.0)
    for session, letter in (("talk", b"1"), ("third", b"3")):
        archive.record(session, f"{session}.m4s", letter * 70_000)
    await archive.uploads.send_all()
    path = archive.record("next", SECOND, b"2" * 3_000)
    await asyncio.to_thread(server.fill, BUCKET)
    sending = asyncio.create_task(archive.uploads.run())
    try:
        await until(lambda: archive.uploads.stats.failing > 1)
        assert (archive.uploads.stats.waiting, archive.uploads.stats.waiting_bytes) == (1, 3_000)
        told = await asyncio.to_thread(_bucket, archive.address)
        assert (told.level, told.text) == ("bad", archive.uploads.trouble)
        assert told.text.startswith(f"{archive.address}: InternalError, ")  # SeaweedFS says no more than that
        # Whether it keeps what was deleted is seen when it takes something again: until then nothing is called erased.
        with pytest.raises(NotErased):
            await archive.delete("talk")
        assert archive.objects(server) == [b"3" * 70_000]
        await wait_cancelled(sending)
        archive.again()
        with pytest.raises(NotErased):
            await archive.delete("third")
        assert archive.objects(server) == []
        assert path.read_bytes() == b"2" * 3_000
    finally:
        await asyncio.to_thread(server.fill, BUCKET, full=False)
        await wait_cancelled(sending)

    async def done(_records: object) -> None:
        pass

    archive.erasing.does(RecordingErasure, done)
    await archive.erasing.again()
    assert archive.erasing.unfinished() == []
    await archive.uploads.send_all()
    assert archive.objects(server) == [b"2" * 3_000]


async def replayed(web: Web) -> tuple[list[bytes], bytes]:
    """The segments of a replay's best rendition, and its file."""

    async def get(address: str) -> bytes:
        async with web.client.get(address) as answer:
            assert answer.status == 200, (address, answer.status)
            return await answer.read()

    index = (await get("/replay/talk/index.m3u8")).decode()
    place = next(line for line in index.splitlines() if line.endswith(".m3u8"))
    edition, _, rendition = place.removesuffix(".m3u8").rpartition("/")
    lines = (await get(f"/replay/talk/{place}")).decode().splitlines()
    folder = f"/replay/talk/{place.rpartition('/')[0]}"
    media = [await get(f"{folder}/{line}") for line in lines if line.endswith(".m4s")]
    return media, await get(f"/replay/talk/{edition}/download.mp4?rendition={rendition}")


async def test_a_forgotten_stretch_is_in_no_file_of_the_store(
    tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the whole web process, and looked for in the store's own folder. Its files lie in the bucket alone."""
    made = await prepare(tmp_path / "data")
    monkeypatch.setenv("STREAMER_ARCHIVE__BUCKET", f"s3://{BUCKET}/whole")
    media = list(made.folder.glob("recordings/*/media/*"))
    for path in media:
        os.utime(path, (time.time() - OLD_S,) * 2)
    room = made.folder / "rooms/salle"
    secrets = [(room / file).read_bytes()[offset:][:size] for file, offset, size in made.places]
    async with serving(made) as web:
        uploads = web.services.uploads
        await until(lambda: uploads.stats.kept >= len({path.name for path in media}))
        assert all(any(secret in data for data in server.objects("whole").values()) for secret in secrets)
        assert server.holds(secrets) == len(secrets)
        before = await replayed(web)
        uploads._local_days = OLD_S / 2 / 86_400
        await uploads.let_go()
        assert all(path.exists() for path in media)  # the room has them
        for path in room.rglob("*.m4s"):
            path.unlink()
        await uploads.let_go()
        pictures = [path for path in media if "-v" in path.name]
        assert not any(path.exists() for path in pictures)
        assert all(path.exists() for path in media if path not in pictures)  # sound
        for session in ("talk", "other"):
            await web.services.archivist.look(session)
        await uploads.send_all()
        assert len(server.objects("whole")) == len({path.name for path in media}) + 2
    async with serving(made) as web:
        assert await replayed(web) == before
        await web.services.uploads.settle()
        assert web.services.uploads.stats.away == len({path.name for path in pictures})
        await asyncio.to_thread(server.kill_gate)
        try:
            with pytest.raises(OSError, match=r"error sending request|does not answer"):
                await asyncio.to_thread(read_at, pictures[0], 0, 10)
            minutes = (time.time_ns() // 1_000_000 - made.stretch[0]) / 60_000
            forgetting = web.status("POST", f"/api/v1/rooms/{ROOM}/forget", headers=BEARER, json={"minutes": minutes})
            assert await forgetting == 503
        finally:
            await asyncio.to_thread(server.open_gate)
        web.services.uploads._hold_until = 0.0
        await web.services.erasing.again()
        assert web.services.erasing.unfinished() == []
        assert made.on_disk() == []
        assert (made.folder / "recordings/talk/media").exists()
        assert not any(secret in data for data in server.objects("whole").values() for secret in secrets)
        async with web.client.get("/readyz") as answer:
            assert (await answer.json())["error"]["details"]["bucket"] == "ok"
        await web.recorded("talk")
        assert 0 < len((await replayed(web))[0]) < len(before[0])
    async with asyncio.timeout(LIMIT_S):
        while server.holds(secrets):
            await asyncio.to_thread(server.clean_up)
