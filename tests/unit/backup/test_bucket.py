"""Backups in a bucket, against a real S3 store: all comes back, nothing erased stays, and what is wrong is said."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest

from streamer.backup import bucket
from streamer.backup.restoring import restore, verify
from streamer.backup.saving import Saved, backup, last_backup
from streamer.backup.target import BackupFailed
from streamer.cli.units import backup_unit
from streamer.store.database import database_url
from tests.fakes.erasable import Erasable, erase, serving
from tests.fakes.s3_store import BUCKET, S3Server, running_s3_server
from tests.unit.backup.test_backup import tree


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def made(once: Erasable, tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Erasable:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return once.copied(tmp_path / "data")


def saved(made: Erasable, target: str) -> Saved:
    return backup(made.folder, database_url("", made.folder), target)


async def test_all_comes_back_and_what_was_erased_is_in_no_object(
    made: Erasable, server: S3Server, tmp_path: Path
) -> None:
    target, other = "s3://venues/whole", tmp_path / "other"
    first = await asyncio.to_thread(saved, made, target)
    assert first.files == len(tree(made.folder))
    second = await asyncio.to_thread(saved, made, target)
    assert second.copied < first.copied
    assert second.deleted == 0
    last = last_backup(made.folder)
    assert last is not None
    assert last.target == target
    forgotten = [Path(path).read_bytes() for path in made.on_disk()]
    assert forgotten
    assert set(forgotten) <= set(server.objects("whole").values())
    async with serving(made) as web:
        await erase(made, web, "stretch")
    third = await asyncio.to_thread(saved, made, target)
    assert third.deleted > 0
    assert not set(forgotten) & set(server.objects("whole").values())
    assert await asyncio.to_thread(verify, target, tmp_path)
    await asyncio.to_thread(restore, target, other, database_url("", other))
    assert tree(other) == tree(made.folder)
    assert not list(made.folder.glob(".backup-*"))
    assert "whole/lock" not in server.objects("whole")


def test_a_store_that_dies_costs_no_backup_that_there_was(
    made: Erasable, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next backup goes on; one that is told too late fails, and the one before is whole."""
    target = "s3://venues/dying"
    before = saved(made, target)
    sent = 0
    put_file = bucket.BackupBucket._put_file

    def dies(self: bucket.BackupBucket, *arguments: object) -> None:
        nonlocal sent
        sent += 1
        if sent == 1:
            server.kill_gate()
            if back is not None:
                back.start()
        put_file(self, *arguments)  # type: ignore[arg-type]

    (made.folder / "rooms/salle/new-1.m4s").write_bytes(b"1" * 3_000_000)
    monkeypatch.setattr(bucket.BackupBucket, "_put_file", dies)
    monkeypatch.setattr(bucket, "_TRIES", 0)
    back: threading.Timer | None = None
    with pytest.raises(BackupFailed, match=r"^s3://venues/dying: "):
        saved(made, target)
    server.open_gate()
    assert verify(target, tmp_path).files == before.files
    sent = 0
    monkeypatch.setattr(bucket, "_TRIES", 20)
    back = threading.Timer(1.0, server.open_gate)
    assert saved(made, target).files == before.files + 1
    back.join()
    assert verify(target, tmp_path).files == before.files + 1


def test_a_backup_that_is_killed_leaves_no_part_of_a_file_unseen(
    made: Erasable, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that is killed between two parts leaves the first in the store, where no list names it."""
    whole: list[bool] = []
    put = obstore.put

    def heard(store: Any, key: str, data: Any, **options: Any) -> Any:
        whole.append(isinstance(data, bytes) or options.get("use_multipart") is False)
        return put(store, key, data, **options)

    (made.folder / "rooms/salle/large-1.m4s").write_bytes(b"1" * 12_000_000)
    monkeypatch.setattr(obstore, "put", heard)
    saved(made, "s3://venues/killed")
    assert whole
    assert all(whole)


def test_what_is_wrong_with_a_bucket_is_said_in_words(
    made: Erasable, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupFailed, match="gs://bucket is neither a folder nor"):
        saved(made, "gs://bucket")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "obstore.store", None)
        with pytest.raises(BackupFailed, match="pipx inject streamer obstore"):
            saved(made, "s3://venues/whole")
    with pytest.raises(BackupFailed, match="There is no whole backup in s3://venues/empty"):
        verify("s3://venues/empty")
    obstore.put(server.store(BUCKET), "full/holiday.jpg", b"1")
    with pytest.raises(BackupFailed, match=r"holds other things \(holiday\.jpg\)"):
        saved(made, "s3://venues/full")
    assert set(server.objects("full")) == {"full/holiday.jpg"}
    server.keep_versions("versions")
    with pytest.raises(BackupFailed, match="keeps versions of what is deleted: an erased minute would stay"):
        saved(made, "s3://versions")
    monkeypatch.setattr(bucket, "_TRIES", 0)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BackupFailed, match="s3://venues/whole: SignatureDoesNotMatch"):
        saved(made, "s3://venues/whole")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BackupFailed, match=r"s3://venues/whole: .*127\.0\.0\.1:9/venues"):
        saved(made, "s3://venues/whole")


def test_one_backup_at_a_time_and_one_that_was_killed_blocks_nobody(
    made: Erasable, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(made, "s3://venues/alone")
    held = bucket.BackupBucket("s3://venues/alone", None)
    with (
        held.alone(made.folder),
        pytest.raises(BackupFailed, match="Another backup is being written to s3://venues/alone"),
    ):
        saved(made, "s3://venues/alone")
    killed = bucket.BackupHolder(f"{bucket._machine()}:{made.folder}", time.time_ns() // 1_000_000)
    obstore.put(server.store(BUCKET), "alone/lock", msgspec.json.encode(killed))
    saved(made, "s3://venues/alone")
    other = bucket.BackupHolder("nantes:/var/lib/streamer", 0)
    obstore.put(server.store(BUCKET), "alone/lock", msgspec.json.encode(other))
    with pytest.raises(
        BackupFailed, match=r"nantes:/var/lib/streamer writes a backup .* delete s3://venues/alone/lock"
    ):
        saved(made, "s3://venues/alone")


def test_the_unit_of_a_backup_to_a_bucket_writes_to_no_other_folder() -> None:
    text = backup_unit("s3://venues/paris", Path("/opt/streamer/bin/streamer"), None, None)
    assert "backup s3://venues/paris " in text
    assert "ReadWritePaths=/var/lib/streamer\n" in text
    assert "AWS_ACCESS_KEY_ID" in text.partition("[Unit]")[0]
