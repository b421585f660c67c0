"""Pictures of the material by media time, stepped through frame by frame."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from streamer.archive import files
from streamer.archive.material import Material, Span, collect
from streamer.archive.stills import NoPicture, still_at
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.view import BroadcastView
from tests.fakes.encoded import GREYS
from tests.fakes.studio import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    view = BroadcastView()
    studio = Studio(tmp_path / "room", view.apply)
    studio.run(9)
    reel = collect(view, PROGRAMME_OUTPUT, Span(0, 1 << 52))
    assert reel is not None
    files.keep(tmp_path / "recording", tmp_path / "room", Material("talk", "salle", (reel,)))
    return studio


def grey(jpeg: bytes) -> float:
    with Image.open(io.BytesIO(jpeg)) as picture:
        return float(ImageStat.Stat(picture.convert("L")).mean[0])


@pytest.mark.parametrize("at", [0.0, 1.99, 2.0, 3.999, 4.01, 7.5])
async def test_the_picture_that_is_shown_then(studio: Studio, tmp_path: Path, at: float) -> None:
    folder = tmp_path / "recording"
    made = await still_at(folder, files.read_material(folder), studio.at(at))
    assert 0 <= studio.at(at) - made.at_ms < 34 or (at == 0 and made.at_ms == studio.at(0))
    assert grey(made.jpeg) == pytest.approx((GREYS[int(at) % 5] - 16) * 255 / 219, abs=8)


async def test_frame_by_frame_over_segments(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    material = files.read_material(folder)
    at, seen = studio.at(1.94), []
    for _ in range(4):
        made = await still_at(folder, material, at)
        seen.append(made.at_ms - studio.at(0))
        assert made.after_ms is not None
        at = made.after_ms
    assert seen == pytest.approx([1933 + n * 1000 / 30 for n in range(4)], abs=1)
    for expected in reversed(seen[:-1]):
        assert made.before_ms is not None
        made = await still_at(folder, material, made.before_ms)
        assert made.at_ms - studio.at(0) == expected
    assert (await still_at(folder, material, studio.at(0))).before_ms is None


async def test_no_picture_there(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    material = files.read_material(folder)
    for at in (-1.0, 60.0):
        with pytest.raises(NoPicture):
            await still_at(folder, material, studio.at(at))
    for file in folder.glob("media/*"):
        file.unlink()
    with pytest.raises(NoPicture):
        await still_at(folder, material, studio.at(3))
