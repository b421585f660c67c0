"""Bytes of media: memory first, then the files; shared reads, bounded and limited in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.broadcast.programme import Chunk
from streamer.delivery import parts
from streamer.delivery.parts import MediaBytes
from streamer.delivery.stats import DeliveryStats
from streamer.errors import NotFound, Unavailable
from tests.fakes.waiting import until


@pytest.fixture
def stats() -> DeliveryStats:
    return DeliveryStats()


@pytest.fixture
async def media(stats: DeliveryStats) -> AsyncIterator[MediaBytes]:
    made = MediaBytes(stats, recent_bytes=1000)
    yield made
    await made.close()


async def test_chunks_side_by_side_are_one_read_and_others_their_own(
    media: MediaBytes, stats: DeliveryStats, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(bytes(range(100)))
    (tmp_path / "b").write_bytes(b"x" * 10)
    chunks = [Chunk("a", 10, 5), Chunk("a", 15, 5), Chunk("b", 0, 10), Chunk("a", 0, 2)]
    got = await media.get("r", tmp_path, {}.get, chunks)
    assert got == bytes(range(10, 20)) + b"x" * 10 + bytes(range(2))
    assert stats.disk_reads_total == 1
    assert stats.disk_read_bytes_total == 22


async def test_memory_and_disk_in_one_segment(media: MediaBytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    memory = {("a", 2): b"cd", ("", -5): b"live"}
    got = await media.get("r", tmp_path, memory.get, [Chunk("a", 0, 2), Chunk("a", 2, 2), Chunk("", -5, 4)])
    assert got == b"01cdlive"


async def test_a_cached_part_is_not_taken_for_the_larger_one_at_its_place(media: MediaBytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert await media.get("r", tmp_path, {("a", 0): b"01"}.get, [Chunk("a", 0, 10)]) == b"0123456789"


async def test_a_larger_part_is_not_taken_for_the_cached_one_at_its_place(media: MediaBytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert await media.get("r", tmp_path, {("a", 0): b"0123456789"}.get, [Chunk("a", 0, 4)]) == b"0123"


async def test_memory_only_bytes_that_left_the_cache_are_gone(media: MediaBytes, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        await media.get("r", tmp_path, {}.get, [Chunk("", -1, 5)])
    assert caught.value.code == "gone"


@pytest.mark.parametrize("chunk", [Chunk("a", 5, 10), Chunk("none", 0, 1)])
async def test_bytes_that_are_not_in_the_file_are_gone(media: MediaBytes, tmp_path: Path, chunk: Chunk) -> None:
    """Deleted, or not written yet by a disk that is behind: never a short answer under an immutable address."""
    (tmp_path / "a").write_bytes(b"0123456789")
    with pytest.raises(NotFound):
        await media.get("r", tmp_path, {}.get, [chunk])


async def test_a_failing_disk_is_503(media: MediaBytes, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(Unavailable) as caught:
        await media.get("r", tmp_path, {}.get, [Chunk("a", 0, 1)])
    assert caught.value.code == "disk_failed"


async def test_viewers_of_the_same_bytes_share_a_read(
    media: MediaBytes, stats: DeliveryStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    begun, hold, inner = threading.Event(), threading.Event(), parts._read_pieces

    def slowly(*args: object) -> bytes:
        begun.set()
        hold.wait(5)
        return inner(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(parts, "_read_pieces", slowly)
    readers = [asyncio.create_task(media.get("r", tmp_path, {}.get, [Chunk("a", 0, 4)])) for _ in range(50)]
    await until(begun.is_set)
    readers[0].cancel()
    hold.set()
    done = await asyncio.gather(*readers, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert done[1:] == [b"0123"] * 49
    assert stats.disk_reads_total == 1
    assert await media.get("r", tmp_path, {}.get, [Chunk("a", 0, 4)]) == b"0123"
    assert stats.disk_reads_total == 1, "and stay in memory for a while"


async def test_another_rooms_file_of_the_same_name_is_another_file(media: MediaBytes, tmp_path: Path) -> None:
    for room in ("r", "s"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a").write_bytes(room.encode() * 4)
    for room in ("r", "s"):
        assert await media.get(room, tmp_path / room, {}.get, [Chunk("a", 0, 4)]) == room.encode() * 4


async def test_a_disk_that_hangs_is_503_in_time(
    media: MediaBytes, stats: DeliveryStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    monkeypatch.setattr(media, "_limit_s", 0.3)
    monkeypatch.setattr(parts, "_read_pieces", lambda *_: hold.wait(5) and b"")
    monkeypatch.setattr(parts, "MAX_READS", 3)
    readers = [asyncio.create_task(media.get("r", tmp_path, {}.get, [Chunk("a", n, 4)])) for n in range(4)]
    try:
        results = await asyncio.wait_for(asyncio.gather(*readers, return_exceptions=True), 2)
        assert all(isinstance(result, Unavailable) for result in results)
        assert stats.disk_refused_total == 4
    finally:
        hold.set()


async def test_what_is_kept_is_bounded(media: MediaBytes, stats: DeliveryStats, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(5000))
    for n in range(10):
        await media.get("r", tmp_path, {}.get, [Chunk("a", n * 300, 300)])
    assert media._recent_size <= 1000
    await media.get("r", tmp_path, {}.get, [Chunk("a", 0, 5000)])
    assert media._recent_size <= 1000
    await media.get("r", tmp_path, {}.get, [Chunk("a", 9 * 300, 300)])
    assert stats.disk_reads_total == 11
