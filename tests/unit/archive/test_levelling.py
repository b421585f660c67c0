"""Replays that are too quiet or too loud are brought to one loudness, in their sound alone."""

from __future__ import annotations

import asyncio
import io
import os
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.archive import files, levelling
from streamer.archive.catalogue import Details, EditionRef
from streamer.archive.editing import Edit, delete, edit, forget
from streamer.archive.editions import Edition, spans_of
from streamer.archive.exporting import edition_of, plan
from streamer.archive.levelling import WAIT_MS, Levelling
from streamer.archive.material import Span
from streamer.archive.repository import Who
from streamer.media.aac import AacEncoder
from streamer.media.meters import LoudnessMeter
from streamer.store.approvals import Approval, Approvals, ApprovalState
from streamer.store.audit import AuditLog
from streamer.store.recordings import StoredEdition
from tests.fakes.archived import Archive

Pcm = NDArray[np.float32]
RATE = 48_000
SECONDS = 14
ORGANISER = Who("grant-1", "Anne")


@cache
def noise(level: float, peaks: float = 0.0) -> tuple[bytes, ...]:
    """Frames of noise of that loudness, LUFS, with a click of height ``peaks`` each second."""
    random = np.random.default_rng(7)
    # AAC leaves the highest frequencies out: there is nothing of it.
    pcm = np.cumsum(random.normal(0, 0.05, (2, SECONDS * RATE + 8)), axis=1)
    pcm = (pcm[:, 8:] - pcm[:, :-8]).astype(np.float32)
    pcm *= np.float32(10 ** ((level - heard(pcm).integrated) / 20))
    pcm[:, :: RATE - 7] += np.float32(peaks)
    encoder = AacEncoder(128_000, 0)
    blocks = [pcm[:, at : at + 1024] for at in range(0, pcm.shape[1] - 1024, 1024)]
    return tuple(sample.data for block in blocks for sample in encoder.encode(block))


def heard(pcm: Pcm) -> Any:
    meter = LoudnessMeter()
    meter.push(pcm, 0)
    return meter.reading


async def recorded(kept: Archive, frames: tuple[bytes, ...] = (), *, end_s: float = 11) -> StoredEdition:
    """A talk from the third second on. Long enough ago to be looked after."""
    kept.studio.frames = frames or noise(-30)
    kept.studio.run(SECONDS - 1)
    await kept.on_air(3)
    await kept.ended(end_s)
    kept.later_ms += WAIT_MS + 1000
    return (await kept.editions())[-1]


def folder(kept: Archive) -> Path:
    return kept.archivist.repository.folder("talk")


def cut(kept: Archive, edition: StoredEdition) -> Edition:
    assert edition.end_ms is not None
    material = files.read_material(folder(kept), edition.sound)
    skips = [Span(*skip) for skip in edition.skips]
    return edition_of(folder(kept), material, spans_of(material, edition.start_ms, edition.end_ms, skips))


def sound_of(kept: Archive, edition: StoredEdition) -> tuple[Pcm, list[int]]:
    """The sound of the edition's MP4 file, and the times of its frames."""
    material = files.read_material(folder(kept), edition.sound)
    movie = plan(folder(kept), material, cut(kept, edition), "v180", Details())
    with av.open(io.BytesIO(movie.read(0, movie.size)), format="mp4") as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), [frame.pts for frame in frames]


def of_sound(kept: Archive) -> list[str]:
    return sorted(path.name for path in folder(kept).rglob("levelled-*"))


async def test_a_quiet_recording_is_brought_to_the_loudness_of_a_room(kept: Archive) -> None:
    before = await recorded(kept, noise(-30, peaks=0.9))
    async with kept.database.write() as connection:
        answer = Approval("talk", "g1", "Ann", False, 1, ApprovalState.APPROVED, before.id)
        await Approvals(connection).put(answer)
    work = Levelling(kept.archivist)
    assert await work.once()
    old, new = (await kept.editions())[-2:]
    assert (old.id, old.replaced_ms, old.sound) == (before.id, new.created_ms, "")
    assert (new.start_ms, new.end_ms, new.skips) == (old.start_ms, old.end_ms, old.skips)
    assert new.loudness == pytest.approx(-30, abs=0.5)
    assert not await work.once(), "it is done"
    # Delivery has it, under its own address, and the speaker's answer holds for it.
    state = await kept.archivist.find("talk")
    assert state is not None
    assert state.current is not None
    assert (state.current.id, state.current.sound) == (new.id, new.sound)
    assert state.edition(old.id) == EditionRef(
        old.id, old.start_ms, old.end_ms, created_ms=old.created_ms, replaced=True
    )
    async with kept.database.read() as connection:
        asked = await Approvals(connection).find("talk")
        told = [entry for entry in (await AuditLog(connection).page(10, None)).items if entry.who == "levelling"]
    assert asked is not None
    assert asked.state_for(new.id) is ApprovalState.APPROVED
    assert [entry.action for entry in told] == ["recording.level"]
    assert told[0].details["loudness_lufs"] == pytest.approx(-30, abs=0.5)
    assert 12 < told[0].details["gain_db"] < 18, "the limiter takes some of it from the clicks"
    # The cut is the same, number by number, and to the sample.
    one, other = cut(kept, old), cut(kept, new)
    assert one.tracks.keys() == other.tracks.keys()
    for name, pieces in one.tracks.items():
        for piece, again in zip(pieces, other.tracks[name], strict=True):
            values = ("number", "msn", "start", "duration", "init", "discontinuity", "trim")
            assert [getattr(piece, value) for value in values] == [getattr(again, value) for value in values]
            assert (piece.chunks == again.chunks) == (name != "a128")
    (quiet, times), (loud, same_times) = sound_of(kept, old), sound_of(kept, new)
    assert times == same_times
    assert heard(quiet).integrated == pytest.approx(-30, abs=0.5)
    assert heard(loud).integrated == pytest.approx(-18, abs=1)
    peak = max(heard(loud[:, at : at + 4800]).true_peak for at in range(0, loud.shape[1] - 4800, 4800))
    assert peak <= -1
    assert lag(quiet, loud) == 0
    assert {path.stat().st_mode & 0o077 for path in folder(kept).rglob("levelled-*")} == {0}
    # Another address for the same cut has the same sound; another cut is measured again.
    await edit(kept.archivist, "talk", Edit(published=False), ORGANISER)
    assert (await kept.editions())[-1].sound == new.sound
    await edit(kept.archivist, "talk", Edit(start_ms=kept.studio.at(4)), ORGANISER)
    moved = (await kept.editions())[-1]
    assert (moved.sound, moved.loudness) == ("", None)


def lag(one: Pcm, other: Pcm) -> int:
    """Samples by which the second is later."""
    size = min(one.shape[1], other.shape[1])
    a, b = (np.fft.rfft(pcm[0, :size], 2 * size) for pcm in (one, other))
    found = int(np.fft.irfft(b * a.conj()).argmax())
    return found if found < size else found - 2 * size


@pytest.mark.parametrize("level", [-19, -60])
async def test_sound_that_is_right_or_has_no_voice_stays(kept: Archive, level: float) -> None:
    before = await recorded(kept, noise(level))
    assert await Levelling(kept.archivist).once()
    now = (await kept.editions())[-1]
    assert (now.id, now.sound, now.loudness) == (before.id, "", pytest.approx(level, abs=0.5))
    assert of_sound(kept) == []


async def test_what_is_forgotten_is_not_in_the_levelled_sound(kept: Archive) -> None:
    await recorded(kept)
    work = Levelling(kept.archivist)
    assert await work.once()
    levelled = (await kept.editions())[-1]
    names = of_sound(kept)
    assert len(names) == 2
    # A stretch behind the cut concerns it not.
    await forget(kept.archivist, "salle", kept.studio.at(12.2), kept.studio.at(12.6))
    assert (await kept.editions())[-1] == levelled
    assert of_sound(kept) == names
    opened = os.open(folder(kept) / "media" / names[0], os.O_RDONLY)
    try:
        assert any(os.pread(opened, 1 << 24, 0))
        await forget(kept.archivist, "salle", kept.studio.at(6), kept.studio.at(8))
        assert not any(os.pread(opened, 1 << 24, 0)), "also for a download that has it open"
    finally:
        os.close(opened)
    assert of_sound(kept) == []
    without = (await kept.editions())[-1]
    assert (without.sound, without.loudness) == ("", None)
    # The rest is levelled again: two stretches of sound.
    kept.later_ms += 2 * WAIT_MS
    assert await work.once()
    again = (await kept.editions())[-1]
    (quiet, times), (loud, same_times) = sound_of(kept, without), sound_of(kept, again)
    assert times == same_times
    assert heard(loud).integrated == pytest.approx(-18, abs=1)
    assert lag(quiet, loud) == 0
    file = files.read(files.sound_file(folder(kept), again.sound), files.LevelledSound)
    assert file.within(files.read_material(folder(kept)))


async def test_work_that_was_broken_off_begins_again(kept: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await recorded(kept)
    begun = asyncio.Event()

    async def hangs(*_: object, **__: object) -> bytes:
        (folder(kept) / "media/levelled-half-a128.m4s").write_bytes(b"half of the sound")
        begun.set()
        return await asyncio.Future()

    work = Levelling(kept.archivist)
    with monkeypatch.context() as patch:
        patch.setattr(levelling, "decode", hangs)
        # A stretch is forgotten meanwhile: the work ends at once and leaves nothing.
        task = asyncio.create_task(work.once())
        await begun.wait()
        await forget(kept.archivist, "salle", kept.studio.at(12.2), kept.studio.at(12.6))
        assert not await task
        assert of_sound(kept) == []
        # There is little room on the disk.
        patch.setattr(levelling, "LOW_S", float("inf"))
        assert not await work.once()
        patch.setattr(levelling, "LOW_S", 0)
        # The process is killed meanwhile.
        begun.clear()
        task = asyncio.create_task(work.once())
        await begun.wait()
        task.cancel()
        await asyncio.wait((task,))
    (folder(kept) / "media/levelled-half-a128.m4s").write_bytes(b"half of the sound")
    assert (await kept.editions())[-1] == before
    assert await Levelling(kept.archivist).once()
    now = (await kept.editions())[-1]
    assert of_sound(kept) == [f"levelled-{now.sound}-a128.m4s", f"levelled-{now.sound}.bin"]
    # The recording is deleted meanwhile.
    await edit(kept.archivist, "talk", Edit(start_ms=kept.studio.at(4)), ORGANISER)
    kept.later_ms += 2 * WAIT_MS
    monkeypatch.setattr(levelling, "decode", hangs)
    begun.clear()
    task = asyncio.create_task(work.once())
    await begun.wait()
    await delete(kept.archivist, "talk", ORGANISER)
    assert not await task
    assert not folder(kept).exists()


async def test_damaged_sound_stays_as_it_is(kept: Archive) -> None:
    before = await recorded(kept)
    (file,) = folder(kept).glob("media/*a128*")
    with file.open("r+b") as out:
        out.truncate(file.stat().st_size // 2)
    work = Levelling(kept.archivist)
    assert not await work.once()
    assert not await work.once(), "not again today"
    assert (await kept.editions())[-1] == before
    assert of_sound(kept) == []
