"""The few facts about VP8 that are needed (RFC 6386, section 9.1). Pure."""

from __future__ import annotations

START_CODE = b"\x9d\x01\x2a"


def is_keyframe(frame: bytes) -> bool:
    """ "A 1-bit frame type (0 for key frames, 1 for interframes)", the lowest of the first octet."""
    return bool(frame) and not frame[0] & 1


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a key frame in pixels; None if the frame is no key frame or is damaged."""
    if len(frame) < 10 or not is_keyframe(frame) or frame[3:6] != START_CODE:
        return None
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    return (width, height) if width and height else None
