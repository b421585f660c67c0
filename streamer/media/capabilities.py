"""Capabilities of this machine's FFmpeg libraries, for ``streamer check``."""

from __future__ import annotations

import av
from av.codec import Codec

NEEDED = (("h264", "r"), ("vp8", "r"), ("opus", "r"), ("libx264", "w"), ("aac", "w"), ("libopus", "w"))
"""Codec and direction: r decodes, w encodes."""


def missing_codecs(encoder: str) -> list[str]:
    """Needed codecs that are missing; ``encoder`` is the video encoder of the settings."""
    wanted = dict.fromkeys((*NEEDED, (encoder, "w")))
    return [name for name, mode in wanted if not _has(name, mode)]


def versions() -> str:
    """PyAV's and libavcodec's versions, for the operator."""
    codec = ".".join(str(number) for number in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, libavcodec {codec}"


def _has(name: str, mode: str) -> bool:
    try:
        Codec(name, "w" if mode == "w" else "r")
    except ValueError:
        return False
    return True
