"""A camera's worth of H.264, made on the spot: 1080p30, about 4.5 Mbit/s, an IDR every 2 s, no B-frames, Opus.

The picture costs an encoder about as much as a talk's camera: a textured ground that drifts like a hand-held camera,
things that move across it, a page that is turned now and then, and grain.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

WIDTH, HEIGHT, FRAME_RATE = 1920, 1080, 30
BITRATE = 4_500_000
SAMPLE_RATE = 48_000
BLOCK = 960
VERSION = 1
"""Part of the file's name: another content is another file."""

Plane = NDArray[np.uint8]


def source_file(seconds: int) -> Path:
    """The file, made once a machine in its folder for temporary files."""
    path = Path(tempfile.gettempdir()) / f"streamer-bench-v{VERSION}-{seconds}s.mkv"
    if not path.exists():
        fresh = path.with_suffix(".part")
        _write(fresh, seconds)
        fresh.rename(path)
    return path


def texture(rng: np.random.Generator, height: int, width: int, mean: float, spread: float) -> Plane:
    """Noise whose spectrum falls with the frequency, as that of pictures of the world does."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None, :]
    radius = np.sqrt(rows**2 + columns**2)
    radius[0, 0] = 1.0
    phase = np.exp(2j * np.pi * rng.random(radius.shape))
    field = np.fft.irfft2(phase / radius**1.3, s=(height, width))
    field = (field - field.mean()) / field.std()
    plane: Plane = np.clip(mean + spread * field, 16, 235).astype(np.uint8)
    return plane


class _Scene:
    """Draws frame after frame; 4:2:0 planes."""

    def __init__(self, seed: int = 11) -> None:
        rng = np.random.default_rng(seed)
        margin = 96
        self._margin = margin
        self._ground = [
            texture(rng, HEIGHT + 2 * margin, WIDTH + 2 * margin, 110, 38),
            texture(rng, HEIGHT // 2 + margin, WIDTH // 2 + margin, 122, 10),
            texture(rng, HEIGHT // 2 + margin, WIDTH // 2 + margin, 132, 10),
        ]
        self._things = [
            (texture(rng, h, w, mean, 45), speed) for h, w, mean, speed in ((420, 300, 90, 1.0), (260, 460, 150, -0.6))
        ]
        self._pages = [texture(rng, 500, 800, 200, 20) for _ in range(3)]
        for page in self._pages:
            for line in range(40, 460, 36):
                page[line : line + 14, 60 : int(rng.integers(400, 760))] = 40
        self._grain = rng.integers(-3, 4, (HEIGHT + 64, WIDTH + 64), dtype=np.int16)
        self._rng = rng

    def frame(self, number: int) -> VideoFrame:
        t = number / FRAME_RATE
        dx = self._margin + round(60 * np.sin(t * 0.7) + 4 * np.sin(t * 9.1)) // 2 * 2
        dy = self._margin + round(40 * np.sin(t * 0.45 + 1) + 3 * np.sin(t * 7.3)) // 2 * 2
        luma = self._ground[0][dy : dy + HEIGHT, dx : dx + WIDTH].astype(np.int16)
        page = self._pages[int(t / 7) % len(self._pages)]
        luma[140 : 140 + page.shape[0], 1000 : 1000 + page.shape[1]] = page
        for thing, speed in self._things:
            x = int((t * 160 * speed) % (WIDTH - thing.shape[1]))
            y = int(520 + 90 * np.sin(t * 1.7 * speed))
            luma[y : y + thing.shape[0], x : x + thing.shape[1]] = thing[: HEIGHT - y]
        gx, gy = (int(v) for v in self._rng.integers(0, 64, 2))
        luma += self._grain[gy : gy + HEIGHT, gx : gx + WIDTH]
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        planes = [np.clip(luma, 16, 235).astype(np.uint8)]
        planes += [g[dy // 2 : dy // 2 + HEIGHT // 2, dx // 2 : dx // 2 + WIDTH // 2] for g in self._ground[1:]]
        for target, plane in zip(frame.planes, planes, strict=True):
            buffer = np.zeros((target.height, target.line_size), np.uint8)
            buffer[:, : target.width] = plane
            target.update(buffer.tobytes())
        return frame


def _write(path: Path, seconds: int) -> None:
    scene = _Scene()
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = BITRATE
        video.gop_size = 2 * FRAME_RATE
        video.max_b_frames = 0
        video.options = {
            "preset": "superfast",
            "profile": "high",
            "bf": "0",
            "sc_threshold": "0",
            "keyint_min": str(2 * FRAME_RATE),
            "maxrate": str(BITRATE * 6 // 5),
            "bufsize": str(BITRATE),
        }
        audio = container.add_stream("libopus", rate=SAMPLE_RATE)
        audio.layout = "stereo"
        audio.bit_rate = 128_000
        rng = np.random.default_rng(5)
        block = 0
        for number in range(seconds * FRAME_RATE):
            frame = scene.frame(number)
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(video.encode(frame))
            while block * BLOCK * FRAME_RATE < (number + 1) * SAMPLE_RATE:
                at = (np.arange(BLOCK) + block * BLOCK) / SAMPLE_RATE
                voice = 0.2 * np.sin(2 * np.pi * (180 + 60 * np.sin(at * 2)) * at) * (0.6 + 0.4 * np.sin(at * 5))
                samples = voice + 0.02 * rng.standard_normal(BLOCK)
                data = np.repeat((samples * 32767).astype(np.int16), 2).reshape(1, -1)
                sound = av.AudioFrame.from_ndarray(data, format="s16", layout="stereo")
                sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, block * BLOCK, Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(sound))
                block += 1
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
