"""The test card: a picture and a sound that tell what time it is.

Pure but for :class:`TestCard`, which keeps one frame and belongs to one thread. Everything lies on UTC's own grid:
frame *n* of a second is captured at *n* / fps, a second begins with a white flash in :data:`FLASH_BOX` and a 1 kHz
beep, both :data:`MARK_MS` long. Boxes are fractions of the picture: (left, top, right, bottom).

**The strip** (:data:`STRIP_BOX`) tells the frame's UTC milliseconds to programs. It is a row of 56 cells of equal
width over the whole width of the picture, white (1) or black (0), from the left:

===== ======================================================================================
cells content
===== ======================================================================================
0-1   1 0, what white and black look like here
2-43  UTC milliseconds, 42 bits, most significant first
44-53 CRC-10 over those 42 bits (polynomial x^10+x^9+x^5+x^4+x+1, start 0, no reflection)
54-55 0 1
===== ======================================================================================

A cell is 22 pixels wide at 1280x720 and 7 at 426x240: it survives scaling and re-encoding. Read the middle of each
cell in the middle rows of the strip, against the mean of the four cells at the ends (:func:`decode_strip`).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Luma = NDArray[np.uint8]
Box = tuple[float, float, float, float]

BITS = 42
CRC_BITS = 10
CRC_POLYNOMIAL = 0x233
CELLS = 2 + BITS + CRC_BITS + 2
STRIP_BOX: Box = (0.0, 0.02, 1.0, 0.08)
FLASH_BOX: Box = (0.69, 0.16, 0.95, 0.54)
TEXT_BOX: Box = (0.05, 0.60, 0.95, 0.80)
MARK_MS = 100
LEAST_CONTRAST = 40
LEAST_CELL = 3
"""Pixels; narrower cells cannot be told apart."""
BLACK, WHITE = 16, 235
SAMPLE_RATE = 48_000
BLOCK = 960
BLOCK_US = 20_000
BEEP_HZ = 1000
BEEP_LEVEL = 0.25
FADE_S = 0.003
TEXT = "0000-00-00  00:00:00.000"


# --- the strip ----------------------------------------------------------------------------------------


def _crc(value: int) -> int:
    register = value << CRC_BITS
    for bit in range(BITS + CRC_BITS - 1, CRC_BITS - 1, -1):
        if register >> bit & 1:
            register ^= (1 << CRC_BITS | CRC_POLYNOMIAL) << (bit - CRC_BITS)
    return register


def encode_strip(ms: int) -> NDArray[np.bool_]:
    """The 56 cells for a time in UTC milliseconds, True for white. ValueError outside 1970..2109."""
    if not 0 <= ms < 1 << BITS:
        raise ValueError("the strip tells times from 1970 to 2109")
    word = ms << CRC_BITS | _crc(ms)
    bits = [word >> shift & 1 for shift in range(BITS + CRC_BITS - 1, -1, -1)]
    return np.array([1, 0, *bits, 0, 1], dtype=np.bool_)


def decode_strip(luma: Luma) -> int | None:
    """UTC milliseconds from a picture's luma (height x width), None if no strip can be read with certainty."""
    height, width = luma.shape
    _, top, _, bottom = STRIP_BOX
    margin = (bottom - top) * 0.3
    rows = luma[round((top + margin) * height) : max(round((bottom - margin) * height), round(top * height) + 1)]
    if width < LEAST_CELL * CELLS or not rows.size:
        return None
    columns = rows.mean(axis=0)
    cell = width / CELLS
    centres = (np.arange(CELLS) + 0.5) * cell
    reach = max(cell * 0.2, 0.5)
    # Pixels whose own middle is near the cell's: in narrow cells the next one may be the neighbour's.
    first, last = np.ceil(centres - reach - 0.5).astype(int), np.floor(centres + reach - 0.5).astype(int)
    sums = np.concatenate(([0.0], np.cumsum(columns)))
    levels = (sums[last + 1] - sums[first]) / (last + 1 - first)
    white, black = (levels[0] + levels[-1]) / 2, (levels[1] + levels[-2]) / 2
    if white - black < LEAST_CONTRAST:
        return None
    bits = levels > (white + black) / 2
    if not (bits[0] and bits[-1]) or bits[1] or bits[-2]:
        return None
    word = int("".join("1" if bit else "0" for bit in bits[2:-2]), 2)
    ms, crc = word >> CRC_BITS, word & (1 << CRC_BITS) - 1
    return ms if crc == _crc(ms) else None


def is_flash(luma: Luma) -> bool:
    """Whether the picture shows the flash that begins a second."""
    return bool(luma[_pixels(FLASH_BOX, luma.shape[1], luma.shape[0])].mean() > (BLACK + WHITE) / 2)


def _pixels(box: Box, width: int, height: int) -> tuple[slice, slice]:
    """Even coordinates, so that chroma has the same box at half of them."""
    left, top, right, bottom = box
    x = slice(round(left * width) // 2 * 2, round(right * width) // 2 * 2)
    y = slice(round(top * height) // 2 * 2, round(bottom * height) // 2 * 2)
    return y, x


# --- the picture --------------------------------------------------------------------------------------


def draw_card(width: int, height: int, label: str) -> Image.Image:
    """The parts of the card that do not move, as an RGB picture."""
    image = Image.new("RGB", (width, height), (14, 17, 22))
    draw = ImageDraw.Draw(image)
    unit = height / 720
    step = 40 * unit
    for index in range(math.ceil(width / step)):
        draw.line([(index * step, 0), (index * step, height)], fill=(26, 31, 40))
    for index in range(math.ceil(height / step)):
        draw.line([(0, index * step), (width, index * step)], fill=(26, 31, 40))

    # 75 % colour bars, and a ramp under them.
    bars = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
    left, right = 0.05 * width, 0.64 * width
    top, middle, bottom = 0.16 * height, 0.46 * height, 0.54 * height
    for index, colour in enumerate(bars):
        x0 = left + (right - left) * index / len(bars)
        draw.rectangle([x0, top, left + (right - left) * (index + 1) / len(bars), middle], fill=colour)
    for index in range(16):
        x0 = left + (right - left) * index / 16
        draw.rectangle([x0, middle, left + (right - left) * (index + 1) / 16, bottom], fill=(index * 17,) * 3)

    box = [FLASH_BOX[0] * width, FLASH_BOX[1] * height, FLASH_BOX[2] * width, FLASH_BOX[3] * height]
    draw.rectangle(box, fill=(0, 0, 0))
    frame = 4 * unit
    draw.rectangle([box[0] - frame, box[1] - frame, box[2] + frame, box[3] + frame], outline=(90, 104, 128))
    draw.rectangle(
        [TEXT_BOX[0] * width, TEXT_BOX[1] * height, TEXT_BOX[2] * width, TEXT_BOX[3] * height], fill=(0, 0, 0)
    )
    name = ImageFont.load_default(44 * unit)
    small = ImageFont.load_default(26 * unit)
    draw.text((left, 0.84 * height), "Streamer", font=name, fill=(240, 243, 248))
    note = f"{label}  ·  {width}x{height}  ·  UTC"
    draw.text((0.95 * width, 0.86 * height), note, font=small, fill=(160, 172, 192), anchor="ra")
    return image


class TestCard:
    """Stamps times on one card. ``frame_at`` returns the same frame object again and again."""

    __test__ = False

    def __init__(self, width: int, height: int, label: str = "Test card") -> None:
        if width < 160 or height < 90 or width % 2 or height % 2:
            raise ValueError("a test card is at least 160x90 and has even sides")
        self.width, self.height = width, height
        rgb = VideoFrame.from_ndarray(np.asarray(draw_card(width, height, label)), format="rgb24")
        self._frame: VideoFrame = rgb.reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", src_color_range="JPEG"
        )
        self._glyphs, self._advance = _glyphs(round((TEXT_BOX[3] - TEXT_BOX[1]) * height), width)
        self._cells = np.minimum((np.arange(width) * CELLS) // width, CELLS - 1)
        self._strip = _pixels(STRIP_BOX, width, height)
        for plane in (1, 2):
            chroma = _plane(self._frame, plane, width // 2, height // 2)
            y, x = self._strip
            chroma[y.start // 2 : y.stop // 2, x.start // 2 : x.stop // 2] = 128
        self._text = ""

    def frame_at(self, utc_us: int) -> VideoFrame:
        """The frame captured at ``utc_us`` (microseconds). Its buffer changes at the next call."""
        self._frame.make_writable()
        luma = _plane(self._frame, 0, self.width, self.height)
        ms = utc_us // 1000
        luma[self._strip] = np.where(encode_strip(ms)[self._cells], WHITE, BLACK)
        luma[_pixels(FLASH_BOX, self.width, self.height)] = WHITE if ms % 1000 < MARK_MS else BLACK
        self._write(luma, utc_text(ms))
        return self._frame

    def _write(self, luma: Luma, text: str) -> None:
        y, _ = _pixels(TEXT_BOX, self.width, self.height)
        left = (self.width - self._advance * len(text)) // 2
        for index, character in enumerate(text):
            if index < len(self._text) and self._text[index] == character:
                continue
            glyph = self._glyphs[character]
            x = left + index * self._advance
            luma[y.start : y.start + glyph.shape[0], x : x + glyph.shape[1]] = glyph
        self._text = text


def utc_text(ms: int) -> str:
    """``2026-11-24  18:30:00.033``."""
    return str(np.datetime64(ms, "ms")).replace("T", "  ")


def _plane(frame: VideoFrame, index: int, width: int, height: int) -> Luma:
    plane: Any = frame.planes[index]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]


def _glyphs(height: int, width: int) -> tuple[dict[str, Luma], int]:
    """Luma of each character in a cell of one width, and that width."""
    advance = int(0.88 * width / len(TEXT))
    size = min(height * 0.62, advance * 1.75)
    font = ImageFont.load_default(size)
    glyphs = {}
    for character in "0123456789:-. ":
        image = Image.new("L", (advance, height), 0)
        ImageDraw.Draw(image).text((advance / 2, height / 2), character, font=font, fill=255, anchor="mm")
        values = np.asarray(image, dtype=np.float32)
        glyphs[character] = (BLACK + values * (WHITE - BLACK) / 255).astype(np.uint8)
    return glyphs, advance


# --- the sound ----------------------------------------------------------------------------------------


def beep_block(utc_us: int) -> NDArray[np.int16]:
    """20 ms of sound (960 stereo samples, interleaved) captured from ``utc_us`` on."""
    into_ms = utc_us % 1_000_000 / 1000
    if into_ms >= MARK_MS:
        return np.zeros(2 * BLOCK, dtype=np.int16)
    t = into_ms / 1000 + np.arange(BLOCK) / SAMPLE_RATE
    envelope = np.clip(np.minimum(t, MARK_MS / 1000 - t) / FADE_S, 0, 1)
    mono = np.sin(2 * np.pi * BEEP_HZ * t) * envelope * BEEP_LEVEL
    return np.repeat((mono * 32767).astype(np.int16), 2)


def sound_frame(utc_us: int, pts: int, blocks: int = 1) -> av.AudioFrame:
    """The sound of :func:`beep_block`, one or more of them, as a frame; ``pts`` in samples."""
    samples = np.concatenate([beep_block(utc_us + number * BLOCK_US) for number in range(blocks)])
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = pts
    frame.time_base = Fraction(1, SAMPLE_RATE)
    return frame
