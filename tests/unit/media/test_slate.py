"""The slate: legible, in the viewer's language, and playable wherever it is laid."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from streamer.formats import h264
from streamer.formats.types import RungSpec, Sample
from streamer.media.encoders import RungEncoder
from streamer.media.slate import BOLD, SlateClip, SlateText, _fitted, countdown, encode_clips, render_slate, saying
from streamer.media.slates import SlateShelf
from streamer.settings import MediaSettings
from tests.fakes.waiting import until, until_ended

RUNGS = (
    RungSpec("v360", 640, 360, 700_000, 1_050_000, 30.0, "avc1.64001e"),
    RungSpec("v240", 426, 240, 350_000, 525_000, 30.0, "avc1.640015"),
)
TEXT = SlateText("Salle Belle-Île", venue="Médiathèque", title="L’œuvre à venir", language="fr-FR")


def play(clip: SlateClip, samples: list[Sample]) -> list[np.ndarray]:
    context = av.CodecContext.create("h264", "r")
    pictures = []
    for sample in samples:
        sets = (clip.config.sps, clip.config.pps) if sample.sync else ((), ())
        packet = av.Packet(h264.avcc_to_annexb(sample.data, *sets))
        packet.pts = sample.start
        pictures += [frame.to_ndarray(format="rgb24") for frame in context.decode(packet)]
    return pictures + [frame.to_ndarray(format="rgb24") for frame in context.decode(None)]


def ink(image: Image.Image) -> int:
    """Bright pixels: those of the letters."""
    return int((np.asarray(image.convert("L")) > 110).sum())


def test_the_small_line_speaks_the_rooms_language() -> None:
    assert saying("fr", "slate") == "Bientôt de retour"
    assert saying("fr-FR", "sound_only") == "Son seul"
    assert saying("en", "slate") == "Back in a moment"
    assert saying("de", "sound_only") == "Sound only"


@pytest.mark.parametrize("size", [(1920, 1080), (426, 240), (480, 854)])
def test_french_letters_are_drawn(size: tuple[int, int]) -> None:
    """A letter without a glyph would come out as the same box whatever it is."""
    pictures = [render_slate(*size, room=letter, text=" ") for letter in "éèêëàâùûîïôçœÉÀÇŒ’«»…"]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert render_slate(*size, room="a", language="fr").tobytes() != render_slate(*size, room="a").tobytes()


def test_a_slate_writes_in_the_pages_typeface_and_letters_that_it_lacks_in_another() -> None:
    named = {
        text: {font.getname()[0] for _, font in _fitted(text, BOLD, 40, 2000, 1)}
        for text in ("Łódź, Athína", "ሰላም", "שלום Ann")
    }
    assert named == {"Łódź, Athína": {"Inter"}, "ሰላም": {"DejaVu Sans"}, "שלום Ann": {"DejaVu Sans"}}


def test_a_long_text_stays_inside_the_picture() -> None:
    for room in ("Une salle dont le nom ne finit jamais " * 6, "Anticonstitutionnellement" * 6):
        picture = np.asarray(render_slate(426, 240, room=room, venue=room, title=room, text=room).convert("L"))
        assert picture[:, -12:].max() < 60
        assert picture[-4:].max() < 60
        assert (picture > 110).sum() > 1000


def test_every_part_of_the_text_is_shown() -> None:
    base = ink(render_slate(640, 360, room="Salle"))
    for more in ({"venue": "Nantes"}, {"title": "Un titre"}, {"text": "De retour à 14 h 30, après la pause"}):
        assert ink(render_slate(640, 360, room="Salle", **more)) > base
    assert ink(render_slate(640, 360, room="Salle", kind="sound_only")) > base


def test_a_clip_plays_on_any_grid_and_looks_like_the_slate() -> None:
    settings = MediaSettings()
    clips = encode_clips(TEXT, "slate", RUNGS, settings)
    assert clips is not None
    for spec in RUNGS:
        clip = clips[spec.name]
        # The rung's own parameter sets: no new init section, no discontinuity for it.
        assert clip.config == RungEncoder(spec, settings).config
        start, end = 12_345, 12_345 + 5 * 90_000 + 1000
        samples = list(clip.samples(start, end))
        assert samples[0].sync
        assert [s.start for s in samples] == list(range(start, end, clip.frame_ticks))
        pictures = play(clip, samples)
        assert len(pictures) == len(samples)
        wanted = np.asarray(
            render_slate(spec.width, spec.height, room=TEXT.room, venue=TEXT.venue, title=TEXT.title, language="fr")
        )
        for picture in pictures:
            assert np.abs(picture.astype(int) - wanted).mean() < 4


async def test_the_shelf_has_a_slate_at_once_and_a_better_one_soon() -> None:
    ready: list[str] = []
    shelf = SlateShelf(RUNGS, MediaSettings(), TEXT, asyncio.get_running_loop(), segment_s=0.5, on_ready=ready.append)
    try:
        first = shelf.clips("sound_only")
        assert set(first) == {"v360", "v240"}
        assert len(play(first["v240"], list(first["v240"].samples(0, 60_000)))) == 20
        await until(lambda: len(ready) >= 2)
        second = shelf.clips("sound_only")
        assert second["v360"].config == first["v360"].config
        assert sum(f.sync for f in second["v360"].frames) == 1
        still = shelf.still()
        assert still is not None
        assert still[:2] == b"\xff\xd8"
        shelf.set_text(TEXT)
        assert shelf.clips("sound_only") is second
        shelf.set_text(SlateText("Autre salle"))
        shelf.set_text(SlateText("Encore une"))
        await until(lambda: shelf.clips("sound_only") is not second)
        assert shelf._text.room == "Encore une"
    finally:
        shelf.close()
        await until_ended(shelf._worker._thread)


async def test_a_new_title_is_there_before_its_long_clip_is_and_a_new_minute_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_be_long = threading.Event()
    may_be_long.set()

    def encoded(*what: Any, length_s: float, **how: Any) -> Any:
        assert length_s == 0 or may_be_long.wait(60)
        return encode_clips(*what, length_s=length_s, **how)

    monkeypatch.setattr("streamer.media.slates.encode_clips", encoded)
    shelf = SlateShelf(RUNGS, MediaSettings(), TEXT, asyncio.get_running_loop(), segment_s=0.5)

    try:
        await until(lambda: shelf.still("sound_only") is not None)
        before, lengths = shelf.clips(), [len(shelf.clips()["v360"].frames)]
        alone = shelf.clips("sound_only")
        # The countdown's minute goes by: the old slate is good enough until the new one is made.
        shelf.set_text(replace(TEXT, text="in 5 minutes"))
        await until(lambda: shelf.clips() is not before)
        lengths.append(len(shelf.clips()["v360"].frames))
        assert shelf.titles == 0
        # The minutes do not stand on the slate for sound alone, so it is not made anew.
        await until(lambda: shelf._worker.idle)
        await asyncio.sleep(0)
        assert shelf.clips("sound_only") is alone
        # Of two that come one upon the other the last one counts.
        may_be_long.clear()
        shelf.set_text(replace(TEXT, title="Alarme incendie"))
        shelf.set_text(replace(TEXT, title="Alarme incendie", text="Sortez"))
        await until(lambda: shelf.titles == 1)
        short = shelf.clips()
        lengths.append(len(short["v360"].frames))
        assert short["v360"].config == before["v360"].config
        shown = play(short["v360"], list(short["v360"].samples(0, 12_000)))[0]
        wanted = render_slate(
            640, 360, room=TEXT.room, venue=TEXT.venue, title="Alarme incendie", text="Sortez", language="fr"
        )
        assert np.abs(shown.astype(int) - np.asarray(wanted)).mean() < 4
        may_be_long.set()
        await until(lambda: shelf.clips() is not short)
        lengths.append(len(shelf.clips()["v360"].frames))
        assert lengths[0] == lengths[1] == lengths[3] > lengths[2] == 2
        await until(lambda: shelf.clips("sound_only") is not alone)
    finally:
        may_be_long.set()
        shelf.close()
        await until_ended(shelf._worker._thread)


def test_the_slate_counts_the_minutes_of_the_last_hour() -> None:
    minute = 60_000
    assert countdown("en", 12 * minute + 20_000) == "in 12 minutes"
    assert countdown("fr-FR", 70_000) == "dans une minute"
    assert countdown("en", 20_000) == "in a moment"
    assert countdown("de", 61 * minute) == ""
    assert countdown("en", -1) == ""
