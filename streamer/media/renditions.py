"""Plans the renditions of a broadcast, which are fixed when the room opens. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.broadcast.programme import Rendition
from streamer.formats.types import RungSpec

if TYPE_CHECKING:
    # The processes that level sound read no settings.
    from streamer.settings import MediaSettings

AAC_CODECS = "mp4a.40.2"
PEAK_PERCENT = 150
"""VBV peak over the average rate of an encoded rendition."""
CONTAINER_OVERHEAD_BPS = 12_000
LEVELS = ((396, "0d"), (792, "15"), (1620, "1e"), (3600, "1f"), (8192, "28"), (22_080, "32"))
"""Macroblocks of a frame and the lowest level_idc that holds them at 30 frames a second (H.264, table A-1)."""


@dataclass(frozen=True, slots=True)
class RenditionPlan:
    """The renditions of a broadcast, best first, sounds last, and how to encode each."""

    renditions: tuple[Rendition, ...]
    rungs: tuple[RungSpec, ...]
    """One for each picture rendition; the first is the top, encoded only if the source does not fit."""
    sounds: dict[str, int]
    """Bits per second of each sound rendition."""

    @property
    def top(self) -> str:
        return self.rungs[0].name


def plan_renditions(width: int, height: int, frame_rate: float, codecs: str, settings: MediaSettings) -> RenditionPlan:
    """The plan for a source of ``width`` x ``height`` pixels; ``codecs`` is the top's if it is passed through."""
    width, height = fit(width, height, settings.max_height)
    portrait = height > width
    short = min(width, height)
    rate = min(frame_rate or settings.max_frame_rate, settings.max_frame_rate)
    top_bitrate = max(300_000, settings.top_bitrate_kbps * 1000 * width * height // (1920 * 1080))
    specs = [_spec(width, height, rate, top_bitrate)]
    for rung in settings.rungs:
        if rung.height >= short:
            continue
        scaled = even(max(width, height) * rung.height / short)
        size = (rung.height, scaled) if portrait else (scaled, rung.height)
        specs.append(_spec(*size, rate, rung.bitrate_kbps * 1000))
    kbps = sorted({settings.audio_bitrate_kbps, settings.poor_link_audio_kbps} - {0}, reverse=True)
    sounds = [sound_rendition(each * 1000) for each in kbps]
    return RenditionPlan((*_declare(specs, codecs), *sounds), tuple(specs), _bitrates(sounds))


def plan_resumed(renditions: Sequence[Rendition]) -> RenditionPlan:
    """The plan of a broadcast that goes on after a crash: declared renditions stay."""
    specs = [
        RungSpec(r.name, r.width, r.height, r.average_bandwidth, r.bandwidth, r.frame_rate, r.codecs)
        for r in renditions
        if r.kind == "video"
    ]
    return RenditionPlan(tuple(renditions), tuple(specs), _bitrates(r for r in renditions if r.kind == "audio"))


def fit(width: int, height: int, max_height: int) -> tuple[int, int]:
    """Scale down, never up, so that the shorter side is at most ``max_height``; both sides even."""
    short = min(width, height)
    if short <= max_height:
        return even(width), even(height)
    return even(width * max_height / short), even(height * max_height / short)


def even(value: float) -> int:
    return max(2, round(value / 2) * 2)


def sound_rendition(bitrate: int) -> Rendition:
    """``bitrate`` in bits per second, of the AAC alone."""
    rate = bitrate + CONTAINER_OVERHEAD_BPS
    name = f"a{bitrate // 1000}"
    return Rendition(name, "audio", AAC_CODECS, bandwidth=rate * 11 // 10, average_bandwidth=rate, channels=2)


def _bitrates(sounds: Iterable[Rendition]) -> dict[str, int]:
    return {sound.name: sound.average_bandwidth - CONTAINER_OVERHEAD_BPS for sound in sounds}


def _spec(width: int, height: int, frame_rate: float, bitrate: int) -> RungSpec:
    macroblocks = -(-width // 16) * -(-height // 16)
    level = next((code for most, code in LEVELS if macroblocks <= most), "33")
    return RungSpec(
        name=f"v{min(width, height)}",
        width=width,
        height=height,
        bitrate=bitrate,
        max_bitrate=bitrate * PEAK_PERCENT // 100,
        frame_rate=frame_rate,
        codecs=f"avc1.6400{level}",
    )


def _declare(specs: Sequence[RungSpec], top_codecs: str) -> list[Rendition]:
    return [
        Rendition(
            spec.name,
            "video",
            top_codecs if top_codecs and spec is specs[0] else spec.codecs,
            bandwidth=spec.max_bitrate + CONTAINER_OVERHEAD_BPS,
            average_bandwidth=spec.bitrate + CONTAINER_OVERHEAD_BPS,
            width=spec.width,
            height=spec.height,
            frame_rate=spec.frame_rate,
        )
        for spec in specs
    ]
