"""Waveforms of recordings, and the silences that are offered as cuts."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.archive import files
from streamer.archive.editing import _write_without
from streamer.archive.material import Material, Span, collect
from streamer.archive.material_sources import combined
from streamer.archive.silences import LEFT_MS, silences, threshold
from streamer.archive.waveforms import NoWaveform, waveform_of
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.view import BroadcastView
from streamer.formats.waveform import BIN_MS
from streamer.media import peaks
from tests.fakes.studio import Studio

SILENT = peaks.encoded(0)
TONE = peaks.encoded(0.3)


class Shelf:
    """One recording, with the parts of an archivist that a waveform needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.decoding = asyncio.Lock()
        self.repository: Any = self
        self._lock = asyncio.Lock()
        self.meanwhile: Any = None

    def alone(self, _session: str) -> asyncio.Lock:
        if self.meanwhile is not None:
            self.meanwhile()
        return self._lock

    async def shown(self, _session: str, _room: str) -> Material:
        return files.read_material(self.folder)


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def folder(self, _session: str) -> Path:
        return self._path


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    view = BroadcastView()
    studio = Studio(tmp_path / "room", view.apply)
    studio.silences = [(6.0, 14.0), (20.0, 22.0)]
    studio.run(24)
    reel = collect(view, PROGRAMME_OUTPUT, Span(0, 1 << 52))
    assert reel is not None
    files.keep(tmp_path / "recording", tmp_path / "room", Material("talk", "salle", (reel,)))
    return studio


@pytest.fixture
def shelf(studio: Studio, tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "recording")
    shelf.repository = _Folder(shelf.folder)
    return shelf


async def waveform(shelf: Shelf) -> Any:
    return await waveform_of(shelf, "talk", "salle")  # type: ignore[arg-type]


async def test_the_sound_is_where_it_was_recorded(studio: Studio, shelf: Shelf) -> None:
    made = await waveform(shelf)
    assert (made.complete, made.from_ms) == (True, studio.at(0))
    assert len(made.peaks) == pytest.approx(24_000 // BIN_MS, abs=3)

    def at(seconds: float) -> int:
        return int(made.peaks[round(seconds * 1000) // BIN_MS])

    # Two frames of 21 ms may ring on after a change.
    for second in (0.5, 3.0, 5.9, 14.2, 19.9, 23.8):
        assert at(second) == pytest.approx(TONE, abs=12), second
    for second in (6.2, 10.0, 13.9, 20.2, 21.9):
        assert at(second) == SILENT, second
    assert made.key_frames_ms == tuple(studio.at(second) for second in range(0, 24, 2))
    (found,) = made.silences
    assert found.from_ms == pytest.approx(studio.at(6) + LEFT_MS, abs=2 * BIN_MS)
    assert found.to_ms == pytest.approx(studio.at(14) - LEFT_MS, abs=2 * BIN_MS)


async def test_it_is_measured_in_pieces_and_kept(studio: Studio, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await waveform(shelf)
    (shelf.folder / files.WAVEFORM_FILE).unlink()
    monkeypatch.setattr("streamer.archive.waveforms.BATCH_TICKS", 10 * 90_000)
    answers = [await waveform(shelf) for _ in range(3)]
    assert [one.complete for one in answers] == [False, False, True]
    assert (answers[0].silences, answers[0].peaks[-1]) == ((), 0)
    # At the join of two pieces one frame begins without the one before.
    joins = {round(second * 1000) // BIN_MS + n for second in (10, 20) for n in (-1, 0, 1)}
    same = [
        abs(a - b) <= 1 for n, (a, b) in enumerate(zip(whole.peaks, answers[2].peaks, strict=True)) if n not in joins
    ]
    assert all(same)
    assert answers[2].silences == whole.silences

    async def never(*_: object, **__: object) -> bytes:
        raise AssertionError("it is kept")

    monkeypatch.setattr("streamer.archive.waveforms.decode", never)
    assert await waveform(shelf) == answers[2]


async def test_nothing_that_was_forgotten_is_in_it(studio: Studio, shelf: Shelf) -> None:
    await waveform(shelf)
    forgotten = Span(studio.at(2.5), studio.at(3.5))

    def forget() -> None:
        material = files.read_material(shelf.folder)
        _write_without(shelf.folder, combined(material, (), (forgotten,)), ())

    forget()
    assert not (shelf.folder / files.WAVEFORM_FILE).exists()
    made = await waveform(shelf)
    bins = made.peaks[2500 // BIN_MS + 1 : 3500 // BIN_MS - 1]
    assert set(bins) == {0}
    assert made.peaks[2000 // BIN_MS + 3] == pytest.approx(TONE, abs=12)
    # While it is measured.
    forgotten = Span(studio.at(16.5), studio.at(17.5))
    (shelf.folder / files.WAVEFORM_FILE).unlink()
    shelf.meanwhile = forget
    made = await waveform(shelf)
    assert set(made.peaks[16_500 // BIN_MS + 1 : 17_500 // BIN_MS - 1]) == {0}
    kept = (shelf.folder / files.WAVEFORM_FILE).stat()
    assert kept.st_mode & 0o077 == 0


async def test_damaged_sound_ends_in_no_waveform_there(studio: Studio, shelf: Shelf) -> None:
    (file,) = shelf.folder.glob("media/*a128*")
    size = file.stat().st_size
    with file.open("r+b") as out:
        out.seek(size // 2)
        out.write(os.urandom(size // 2))
    made = await waveform(shelf)
    assert made.complete
    assert made.peaks[1000 // BIN_MS] == pytest.approx(TONE, abs=12)
    file.unlink()
    (shelf.folder / files.WAVEFORM_FILE).unlink()
    with pytest.raises(NoWaveform):
        await waveform(shelf)


def test_bytes_are_quarters_of_a_decibel() -> None:
    assert [peaks.encoded(x) for x in (1.0, 2.0, 0.5, 0.1, 1e-6, 0.0)] == [255, 255, 231, 175, 1, 1]
    assert peaks.measured(b"no film") == (0, b"")


def db(value: float) -> int:
    return peaks.encoded(10 ** (value / 20))


@pytest.mark.parametrize(
    ("speech", "noise", "silent"),
    [(-20, -60, True), (-20, -36, True), (-20, -28, False), (-38, -64, True), (-56, -64, False)],
)
def test_silence_is_measured_against_the_recording(speech: float, noise: float, silent: bool) -> None:
    levels = [db(speech)] * 500 + [db(noise)] * 250 + [db(speech)] * 500
    assert silences(levels, 0, 40) == ((Span(20_500, 29_500),) if silent else ())


def test_a_click_ends_no_silence_and_a_word_does() -> None:
    speech, quiet = [db(-20)] * 500, [db(-60)] * 100
    clicked = [*speech, *quiet, *[db(-20)] * 3, *quiet, *speech]
    assert silences(clicked, 0, 40) == (Span(20_500, 27_620),)
    said = [*speech, *quiet, *[db(-20)] * 5, *quiet, *speech]
    assert silences(said, 0, 40) == ()
    # A hole in the recording is no silence.
    assert silences([*speech, *[0] * 300, *speech], 0, 40) == ()
    assert threshold([]) is None


def test_half_a_day_is_searched_in_a_moment() -> None:
    random = np.random.default_rng(1)
    levels = random.integers(150, 230, 12 * 3600 * 25).tolist()
    assert len(silences(levels, 0, 40)) == 0
