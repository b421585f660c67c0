"""The slate: the picture between sessions, while a camera is silent, and for a source without a picture.

Rendering and encoding block for some tenths of a second: they belong into a worker thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image, ImageColor, ImageDraw, ImageFont

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats.types import RungSpec, Sample, TrackConfig
from streamer.media.encoders import RungEncoder
from streamer.media.slate_logos import HEIGHT, draw_logos
from streamer.settings import MediaSettings

FONTS = Path(__file__).parent / "fonts"
REGULAR = (FONTS / "Inter-Regular.ttf", FONTS / "DejaVuSans.ttf")
"""The pages' typeface, and one for texts with letters that it does not have."""
BOLD = (FONTS / "Inter-Bold.ttf", FONTS / "DejaVuSans-Bold.ttf")

SLATE_KIND = "slate"
SOUND_ONLY_KIND = "sound_only"
KINDS = (SLATE_KIND, SOUND_ONLY_KIND)

_SAYINGS = {
    ("en", SLATE_KIND): "Back in a moment",
    ("en", SOUND_ONLY_KIND): "Sound only",
    ("fr", SLATE_KIND): "Bientôt de retour",
    ("fr", SOUND_ONLY_KIND): "Son seul",
}

COUNTDOWN_MS = 60 * 60_000
_COUNTDOWN = {
    "en": ("in a moment", "in one minute", "in {} minutes"),
    "fr": ("dans un instant", "dans une minute", "dans {} minutes"),
}

_Colour = tuple[int, ...]
_TOP, _BOTTOM = (17, 24, 39), (10, 14, 24)
_ACCENT = (94, 168, 255)
_WHITE, _MUTED = (244, 247, 252), (172, 184, 204)
_SPARE_FRAMES = 1.2
"""The group of pictures is a little longer than a segment, because segments end at the nearest frame."""
_WARM_UP_FRAMES = 12
"""The rate control begins cautiously. After some frames of the same picture it encodes it well, and the picture does
not pulse."""


@dataclass(frozen=True, slots=True)
class SlateText:
    """The words of a slate. Empty fields are left out."""

    room: str
    venue: str = ""
    title: str = ""
    """The session's title, or a text of the room's crew."""
    text: str = ""
    """A second, smaller line; empty: *Back in a moment* or *Sound only* in ``language``."""
    language: str = "en"
    logos: tuple[str, ...] = ()
    """Files of partners' logos."""
    colours: tuple[str, ...] = ()
    """``#rrggbb``: of the accent, and of the background at the top and at the foot; empty: the slate's own."""


def saying(language: str, kind: str) -> str:
    """The small line of a slate of ``kind``, in French for ``fr`` and its regions, else in English."""
    return _SAYINGS["fr" if language.lower().split("-")[0] == "fr" else "en", kind]


def countdown(language: str, left_ms: int) -> str:
    """The time until something begins, in a slate's words; empty if it is far away or past."""
    if not 0 <= left_ms <= COUNTDOWN_MS:
        return ""
    minutes = round(left_ms / 60_000)
    now, one, several = _COUNTDOWN["fr" if language.lower().split("-")[0] == "fr" else "en"]
    return now if minutes == 0 else one if minutes == 1 else several.format(minutes)


def render_slate(
    width: int,
    height: int,
    *,
    room: str,
    venue: str = "",
    title: str = "",
    text: str = "",
    language: str = "en",
    kind: str = SLATE_KIND,
    logos: Sequence[str] = (),
    colours: Sequence[str] = (),
) -> Image.Image:
    """An RGB picture of the size, legible from 426x240 on. Long texts wrap, and shrink before they are cut off."""
    accent, top, bottom = (ImageColor.getrgb(one) for one in colours) if len(colours) == 3 else (_ACCENT, _TOP, _BOTTOM)
    image = _background(width, height, top, bottom)
    draw = ImageDraw.Draw(image)
    unit = min(width, height * 16 / 9) / 100
    margin = round(width / 2 - 50 * unit + 8 * unit)
    inner = width - 2 * margin - (round(13 * unit) if kind == SOUND_ONLY_KIND else 0)
    lines: list[tuple[str, ImageFont.FreeTypeFont, _Colour, int]] = []
    if venue:
        lines += [(line, f, accent, round(1.2 * unit)) for line, f in _fitted(venue, REGULAR, 2.9 * unit, inner, 1)]
    lines += [(line, f, _WHITE, round(1.4 * unit)) for line, f in _fitted(room, BOLD, 7.2 * unit, inner, 2)]
    if title:
        lines += [(line, f, _WHITE, round(0.8 * unit)) for line, f in _fitted(title, REGULAR, 3.8 * unit, inner, 2)]
    rule_after = len(lines)
    small = text if text and kind == SLATE_KIND else saying(language, kind)
    lines += [(line, f, _MUTED, round(0.6 * unit)) for line, f in _fitted(small, REGULAR, 3.3 * unit, inner, 2)]
    rule = round(5 * unit)
    total = rule + sum(_line_height(font) + gap for _, font, _, gap in lines)
    # Logos at the foot move the texts up a little.
    foot = round((HEIGHT + 4) * unit) if logos else 0
    y = max(round(2 * unit), (height - total - foot) // 2)
    for index, (line, font, colour, gap) in enumerate(lines):
        if index == rule_after:
            at = y + rule // 2 - round(0.4 * unit)
            draw.rectangle((margin, at, margin + round(9 * unit), at + max(1, round(0.45 * unit))), fill=accent)
            y += rule
        draw.text((margin, y), line, font=font, fill=colour)
        y += _line_height(font) + gap
    if kind == SOUND_ONLY_KIND:
        _draw_waves(draw, width - margin, round(height / 2), unit, accent)
    draw_logos(image, logos, margin=margin, unit=unit)
    return image


def slate_image(width: int, height: int, text: SlateText, kind: str) -> Image.Image:
    return render_slate(
        width,
        height,
        room=text.room,
        venue=text.venue,
        title=text.title,
        text=text.text,
        language=text.language,
        kind=kind,
        logos=text.logos,
        colours=text.colours,
    )


def picture_of(image: Image.Image) -> VideoFrame:
    """A yuv420p picture, BT.709, limited range. Its size must be even."""
    return VideoReformatter().reformat(
        VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
        threads=1,
    )


@dataclass(frozen=True, slots=True)
class SlateClip:
    """A slate in one rendition: a group of pictures, encoded once and repeated on the timeline."""

    config: TrackConfig
    frame_ticks: int
    frames: tuple[Sample, ...]
    """They begin with an IDR; their starts are relative to it."""

    def samples(self, start: int, end: int) -> Iterator[Sample]:
        """Frames at ``start`` and every ``frame_ticks`` before ``end``. The first of each round is an IDR."""
        for index, at in enumerate(range(start, end, self.frame_ticks)):
            frame = self.frames[index % len(self.frames)]
            yield Sample(frame.data, at, frame.sync)


def encode_clip(
    image: Image.Image,
    spec: RungSpec,
    settings: MediaSettings,
    *,
    length_s: float = 2.0,
    stop: threading.Event | None = None,
) -> SlateClip | None:
    """Encode ``image`` with the encoder of the rung, so that the rung's parameter sets stay the same.

    Blocks for about 0.4 s for 720p; with ``length_s`` 0 for about 0.02 s, and the clip is two IDRs in turn, which
    takes more of a viewer's link. None if ``stop`` was set meanwhile. Raises
    :class:`~streamer.media.encoders.EncoderUnavailable` and av.FFmpegError.
    """
    encoder = RungEncoder(spec, settings)
    picture = picture_of(image.resize((spec.width, spec.height)) if image.size != (spec.width, spec.height) else image)
    frame_ticks = TICKS_PER_S // settings.slate_frame_rate
    # "If two consecutive access units in decoding order are both IDR, idr_pic_id shall differ" (7.4.3): two at least.
    count = round(settings.slate_frame_rate * length_s * _SPARE_FRAMES) or 2
    warm_up = _WARM_UP_FRAMES if length_s else 0
    frames: list[Sample] = []
    for index in range(-warm_up, count):
        if stop is not None and stop.is_set():
            return None
        frames += encoder.encode(picture, (index + warm_up) * frame_ticks, idr=index == 0 or not length_s)
    frames = [*frames, *encoder.drain()][warm_up:]
    assert encoder.config is not None
    return SlateClip(encoder.config, frame_ticks, tuple(frames))


def encode_clips(
    text: SlateText,
    kind: str,
    rungs: Sequence[RungSpec],
    settings: MediaSettings,
    *,
    length_s: float = 2.0,
    stop: threading.Event | None = None,
) -> dict[str, SlateClip] | None:
    """The slate in every rendition, each drawn for its own size so that small ones stay legible."""
    clips: dict[str, SlateClip] = {}
    for spec in rungs:
        image = slate_image(spec.width, spec.height, text, kind)
        clip = encode_clip(image, spec, settings, length_s=length_s, stop=stop)
        if clip is None:
            return None
        clips[spec.name] = clip
    return clips


# --- drawing ------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    # The basic layout needs no Raqm, which is not installed everywhere.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _has(path: Path, letter: str) -> bool:
    """A letter that a typeface does not have is drawn like one that nothing has."""
    font = _font(path, 16)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _fitted(
    text: str, faces: tuple[Path, Path], size: float, width: int, most: int
) -> Iterable[tuple[str, ImageFont.FreeTypeFont]]:
    """``text`` in at most ``most`` lines: as large as possible down to six tenths of ``size``, then cut off."""
    text = " ".join(text.split())
    path = faces[0] if all(_has(faces[0], letter) for letter in set(text)) else faces[1]
    lines: list[str] = []
    font = _font(path, max(9, round(size)))
    for scale in (1.0, 0.85, 0.72, 0.6):
        font = _font(path, max(9, round(size * scale)))
        lines = _wrap(text, font, width)
        if len(lines) <= most:
            break
    else:
        lines = lines[:most]
        last = lines[-1]
        while last and font.getlength(last + "…") > width:
            last = last[:-1]
        lines[-1] = last.rstrip() + "…"
    return [(line, font) for line in lines]


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        joined = f"{current} {word}" if current else word
        if font.getlength(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        current = word
        while font.getlength(current) > width and len(current) > 1:
            cut = next(n for n in range(len(current) - 1, 0, -1) if n == 1 or font.getlength(current[:n]) <= width)
            lines.append(current[:cut])
            current = current[cut:]
    return [*lines, current] if current else lines


def _line_height(font: ImageFont.FreeTypeFont) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent


def _background(width: int, height: int, top: _Colour, bottom: _Colour) -> Image.Image:
    """A calm gradient. Dithered by a fixed pattern: flat 8-bit steps of a dark gradient show as bands."""
    ramp = np.linspace(0, 1, height)[:, None, None]
    colours = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    dither = np.array([[0.125, 0.625], [0.875, 0.375]])
    pattern = np.tile(dither, (height // 2 + 1, 1))[:height, :, None]
    columns = np.floor(colours + pattern).astype(np.uint8)
    pixels = np.tile(columns, (1, width // 2 + 1, 1))[:, :width]
    return Image.fromarray(pixels)


def _draw_waves(draw: ImageDraw.ImageDraw, right: int, middle: int, unit: float, accent: _Colour) -> None:
    """A few bars, like a sound meter at rest."""
    bar, gap = max(2, round(0.9 * unit)), max(2, round(0.8 * unit))
    for index, share in enumerate((0.35, 0.7, 1.0, 0.55, 0.8, 0.4)):
        x = right - (6 - index) * (bar + gap)
        half = max(1, round(4 * unit * share))
        draw.rounded_rectangle((x, middle - half, x + bar, middle + half), radius=bar // 2, fill=accent)
