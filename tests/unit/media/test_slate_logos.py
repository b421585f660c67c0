"""Partners' logos on the slate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from streamer.media.slate import render_slate

RED = (220, 20, 40)


def logo(folder: Path, name: str, size: tuple[int, int] = (300, 100), colour: tuple[int, int, int] = RED) -> str:
    path = folder / name
    Image.new("RGBA", size, (*colour, 255)).save(path)
    return str(path)


def share_of(image: Image.Image, colour: tuple[int, int, int]) -> float:
    pixels = np.asarray(image.convert("RGB")).astype(int)
    return float((np.abs(pixels - np.array(colour)).sum(axis=2) < 30).mean())


def test_a_logo_stands_at_the_foot_in_its_own_colours_and_shape(tmp_path: Path) -> None:
    picture = render_slate(1280, 720, room="Salle", logos=[logo(tmp_path, "a.png")])
    pixels = np.asarray(picture).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - np.array(RED)).sum(axis=2) < 30)
    assert rows.min() > 720 * 0.75
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert 2.8 < width / height < 3.2


def test_a_photograph_that_lies_on_its_side_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (100, 300), RED).save(tmp_path / "a.png", exif=exif)
    picture = render_slate(1280, 720, room="Salle", logos=[str(tmp_path / "a.png")])
    rows, columns = np.nonzero(np.abs(np.asarray(picture).astype(int) - np.array(RED)).sum(axis=2) < 30)
    assert 2.8 < (np.ptp(columns) + 1) / (np.ptp(rows) + 1) < 3.2


def test_what_cannot_be_read_is_left_out_and_the_row_does_not_run_over(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    alone = render_slate(640, 360, room="Salle", logos=[logo(tmp_path, "a.png")])
    with_broken = render_slate(
        640, 360, room="Salle", logos=[str(broken), str(tmp_path / "gone.png"), logo(tmp_path, "a.png")]
    )
    assert share_of(with_broken, RED) == share_of(alone, RED)
    many = render_slate(640, 360, room="Salle", logos=[logo(tmp_path, f"{n}.png") for n in range(12)])
    edge = np.asarray(many.crop((600, 0, 640, 360))).astype(int)
    assert not (np.abs(edge - np.array(RED)).sum(axis=2) < 30).any()


def test_texts_stay_above_the_logos(tmp_path: Path) -> None:
    long = "Une assemblée générale extraordinaire dont le titre ne finit pas " * 3
    plain = render_slate(426, 240, room=long, venue="Maison", title=long, text=long)
    with_logos = render_slate(
        426, 240, room=long, venue="Maison", title=long, text=long, logos=[logo(tmp_path, "a.png")]
    )
    assert share_of(with_logos, RED) > 0.001
    assert plain.size == with_logos.size


def test_a_slate_has_the_colours_of_its_venue() -> None:
    """Accent, top and foot, as ``slate_colours`` gives them."""
    picture = render_slate(640, 360, room="Salle", venue="Maison", colours=("#ff463c", "#1b1412", "#0c0807"))
    assert share_of(picture, (255, 70, 60)) > 0.001
    assert picture.getpixel((0, 0)) in ((27, 20, 18), (28, 21, 19))
    own = render_slate(640, 360, room="Salle", venue="Maison")
    assert share_of(own, (255, 70, 60)) == 0
