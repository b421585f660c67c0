"""RTP payload formats: H.264 (RFC 6184), VP8 (RFC 7741), and audio as it is.

Pure functions of bytes. They raise only ValueError, for any input.
"""

from __future__ import annotations

from typing import NamedTuple

from streamer.formats.h264 import NAL_AUD, NAL_IDR, NAL_SEI, NAL_SPS, START_CODE, split_annexb

PAYLOAD_MAX = 1180
"""Largest payload that is sent, bytes: with RTP, SRTP, UDP and IPv6 headers it fits 1280, the least MTU of IPv6."""

STAP_A, FU_A = 24, 28


class PayloadPiece(NamedTuple):
    """The contribution of one packet to a frame."""

    data: bytes
    begins: bool
    """Whether the packet certainly is the first of its frame."""
    key: bool
    """Whether the frame is a key frame, as far as this packet tells."""


def depayload(codec: str, payload: bytes) -> PayloadPiece:
    """Take one RTP payload apart. ``codec`` in lower case: ``h264``, ``vp8`` or an audio codec."""
    if codec == "h264":
        return depayload_h264(payload)
    if codec == "vp8":
        return depayload_vp8(payload)
    return PayloadPiece(payload, True, True)


def depayload_h264(payload: bytes) -> PayloadPiece:
    """Packets of RFC 6184 modes 0 and 1 to Annex B with 4-byte start codes."""
    if len(payload) < 2:
        raise ValueError("H.264 payload too short")
    nal_type = payload[0] & 0x1F
    if nal_type == FU_A:
        header = payload[1]
        inner = header & 0x1F
        if header & 0x80:
            begins = inner in (1, NAL_IDR) and len(payload) > 2 and bool(payload[2] & 0x80)
            data = START_CODE + bytes((payload[0] & 0xE0 | inner,)) + payload[2:]
            return PayloadPiece(data, begins, inner == NAL_IDR)
        return PayloadPiece(payload[2:], False, inner == NAL_IDR)
    if 1 <= nal_type <= 23:
        return PayloadPiece(START_CODE + payload, _begins(payload), nal_type == NAL_IDR)
    if nal_type == STAP_A:
        out = bytearray()
        begins = key = False
        position = 1
        while position + 2 <= len(payload):
            size = payload[position] << 8 | payload[position + 1]
            nal = payload[position + 2 : position + 2 + size]
            if len(nal) != size:
                raise ValueError("STAP-A is cut short")
            position += 2 + size
            if not size:
                continue
            begins = begins or (not out and _begins(nal))
            key = key or nal[0] & 0x1F == NAL_IDR
            out += START_CODE
            out += nal
        return PayloadPiece(bytes(out), begins, key)
    raise ValueError(f"H.264 packet type {nal_type} is not of mode 0 or 1")


def _begins(nal: bytes) -> bool:
    """Whether a NAL unit can only be the first of its access unit.

    7.4.1.2.3 of H.264: delimiters, parameter sets and SEI come before the primary coded picture, and the first of
    them begins the unit; a slice whose first_mb_in_slice is 0 (a single 1 bit in Exp-Golomb) begins the picture where
    there are none. A PPS is not counted: it practically always follows an SPS.
    """
    nal_type = nal[0] & 0x1F
    if nal_type in (NAL_AUD, NAL_SPS, NAL_SEI):
        return True
    return nal_type in (1, NAL_IDR) and len(nal) > 1 and bool(nal[1] & 0x80)


def depayload_vp8(payload: bytes) -> PayloadPiece:
    """Strip the payload descriptor (RFC 7741, section 4.2)."""
    if not payload:
        raise ValueError("VP8 payload too short")
    first = payload[0]
    position = 1
    if first & 0x80:
        if len(payload) < 2:
            raise ValueError("VP8 descriptor is cut short")
        extension = payload[1]
        position = 2
        if extension & 0x80:
            if len(payload) <= position:
                raise ValueError("VP8 descriptor is cut short")
            position += 2 if payload[position] & 0x80 else 1
        if extension & 0x40:
            position += 1
        if extension & 0x30:
            position += 1
    if len(payload) <= position:
        raise ValueError("VP8 descriptor is cut short")
    begins = bool(first & 0x10) and not first & 0x0F
    return PayloadPiece(payload[position:], begins, begins and not payload[position] & 0x01)


def payload(codec: str, frame: bytes, picture_id: int = 0) -> list[bytes]:
    """Cut one frame into RTP payloads of at most :data:`PAYLOAD_MAX` bytes. ``picture_id`` is for VP8."""
    if codec == "h264":
        return payload_h264(frame)
    if codec == "vp8":
        return payload_vp8(frame, picture_id)
    return [frame]


def payload_h264(frame: bytes) -> list[bytes]:
    """Mode 1: small units are aggregated, large ones fragmented; delimiters are left out."""
    out: list[bytes] = []
    small: list[bytes] = []
    size = 1

    def flush() -> None:
        nonlocal size
        if len(small) == 1:
            out.append(small[0])
        elif small:
            # "The value of NRI MUST be the maximum of all the NAL units carried" (RFC 6184, section 5.7).
            nri = max(nal[0] & 0x60 for nal in small)
            out.append(bytes((nri | STAP_A,)) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in small))
        small.clear()
        size = 1

    for nal in split_annexb(frame):
        if nal[0] & 0x1F == NAL_AUD:
            continue
        if len(nal) > PAYLOAD_MAX:
            flush()
            out.extend(_fragments(nal))
            continue
        if size + 2 + len(nal) > PAYLOAD_MAX:
            flush()
        small.append(nal)
        size += 2 + len(nal)
    flush()
    return out


def _fragments(nal: bytes) -> list[bytes]:
    body = nal[1:]
    count = -(-len(body) // (PAYLOAD_MAX - 2))
    step = -(-len(body) // count)
    indicator, inner = nal[0] & 0xE0 | FU_A, nal[0] & 0x1F
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    last = len(pieces) - 1
    return [
        bytes((indicator, inner | (0x80 if i == 0 else 0) | (0x40 if i == last else 0))) + piece
        for i, piece in enumerate(pieces)
    ]


def payload_vp8(frame: bytes, picture_id: int) -> list[bytes]:
    step = PAYLOAD_MAX - 4
    tail = bytes((0x80, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF))
    return [
        bytes((0x90 if at == 0 else 0x80,)) + tail + frame[at : at + step] for at in range(0, max(len(frame), 1), step)
    ]
