"""CMAF bytes: init sections and fragments of one track (ISO/IEC 14496-12, 14496-14, 14496-15, 23000-19).

Pure; callable from any thread. There are no edit lists: a sample stands in its fragment at the time it has on the
broadcast's timeline, so that a fragment can be cut, listed again or joined with others without being rewritten.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats import h264
from streamer.formats.types import Sample, TrackConfig

AAC_LC = 2
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""ISO/IEC 14496-3, table 1.18; index is samplingFrequencyIndex."""

_TRACK_ID = 1

SYNC_SAMPLE = 0x0200_0000
"""sample_depends_on = 2: needs no other sample (14496-12, 8.8.3.1)."""
OTHER_SAMPLE = 0x0101_0000
"""sample_depends_on = 1, sample_is_non_sync_sample = 1."""

_TFHD_DEFAULT_DURATION = 0x08
_TFHD_DEFAULT_FLAGS = 0x20
_TFHD_DEFAULT_BASE_IS_MOOF = 0x02_0000
_TRUN_DATA_OFFSET = 0x001
_TRUN_FIRST_FLAGS = 0x004
_TRUN_DURATION = 0x100
_TRUN_SIZE = 0x200
_TRUN_FLAGS = 0x400

_UNITY_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_SEQUENCE_TICKS = 300


def video_config(sps: Sequence[bytes], pps: Sequence[bytes]) -> TrackConfig:
    """The config of an H.264 track with these parameter sets. Raises ValueError if they cannot be read."""
    first = h264.parse_sps(sps[0]) if sps else None
    if first is None or not pps:
        raise ValueError("a video track needs an SPS and a PPS")
    return TrackConfig(
        kind="video",
        codecs=first.codecs,
        timescale=TICKS_PER_S,
        width=first.width,
        height=first.height,
        sps=tuple(sps),
        pps=tuple(pps),
    )


def aac_config(sample_rate: int = 48_000, channels: int = 2, audio_specific_config: bytes = b"") -> TrackConfig:
    """The config of an AAC-LC track. Raises ValueError for a sampling rate that AAC does not have."""
    if not audio_specific_config:
        if sample_rate not in _AAC_RATES or not 1 <= channels <= 7:
            raise ValueError("no AAC-LC with this sampling rate and channel count")
        # ISO/IEC 14496-3, 1.6.2.1: 5 bits object type, 4 bits frequency index, 4 bits channels, 3 bits GASpecificConfig
        bits = AAC_LC << 11 | _AAC_RATES.index(sample_rate) << 7 | channels << 3
        audio_specific_config = bits.to_bytes(2, "big")
    return TrackConfig(
        kind="audio",
        codecs=f"mp4a.40.{audio_specific_config[0] >> 3}",
        timescale=sample_rate,
        audio_specific_config=audio_specific_config,
        channels=channels,
        sample_rate=sample_rate,
    )


def to_timescale(ticks: int, timescale: int) -> int:
    """Ticks of 1/90000 s in a track's own units: exact if possible (AAC frames at 48 kHz), else rounded down.

    Durations are differences of such times, so nothing accumulates.
    """
    return ticks if timescale == TICKS_PER_S else ticks * timescale // TICKS_PER_S


def sequence_number(start: int) -> int:
    """mfhd's sequence_number, made from the time on the timeline. It grows from fragment to fragment (14496-12, 8.8.5),
    also when programme and slate alternate and after a restart of the room process."""
    return start // _SEQUENCE_TICKS + 1 & 0xFFFF_FFFF


def init_section(config: TrackConfig) -> bytes:
    """ftyp and moov. Equal configs give equal bytes. Raises ValueError for parameter sets that cannot be read."""
    video = config.kind == "video"
    brands = b"iso6" + struct.pack(">I", 0) + b"iso6" + b"cmfc" + (b"avc1" if video else b"mp41")
    mvhd = struct.pack(">IIIIIHHII", 0, 0, 1000, 0, 0x10000, 0x100, 0, 0, 0) + _UNITY_MATRIX + bytes(24)
    mvhd += struct.pack(">I", _TRACK_ID + 1)
    # Flags: track enabled, in movie. The size is the presentation's, in 16.16.
    tkhd = struct.pack(">IIIII", 0, 0, _TRACK_ID, 0, 0) + bytes(8)
    tkhd += struct.pack(">hhhH", 0, 0, 0 if video else 0x100, 0) + _UNITY_MATRIX
    display_width = _display_width(config) if video else 0
    tkhd += struct.pack(">II", display_width << 16, config.height << 16)
    mdhd = struct.pack(">IIIIHH", 0, 0, config.timescale, 0, 0x55C4, 0)  # 0x55C4: language "und"
    hdlr = struct.pack(">I", 0) + (b"vide" if video else b"soun") + bytes(12) + b"Streamer\0"
    media_header = _full(b"vmhd", 0, 1, bytes(8)) if video else _full(b"smhd", 0, 0, bytes(4))
    data_information = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1) + _full(b"url ", 0, 1, b"")))
    entry = _avc1(config) if video else _mp4a(config)
    sample_table = _box(
        b"stbl",
        _full(b"stsd", 0, 0, struct.pack(">I", 1) + entry)
        + _full(b"stts", 0, 0, bytes(4))
        + _full(b"stsc", 0, 0, bytes(4))
        + _full(b"stsz", 0, 0, bytes(8))
        + _full(b"stco", 0, 0, bytes(4)),
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, 0, mdhd)
        + _full(b"hdlr", 0, 0, hdlr)
        + _box(b"minf", media_header + data_information + sample_table),
    )
    trex = struct.pack(">IIIII", _TRACK_ID, 1, 0, 0, 0)
    movie = _box(
        b"moov",
        _full(b"mvhd", 0, 0, mvhd)
        + _box(b"trak", _full(b"tkhd", 0, 3, tkhd) + media)
        + _box(b"mvex", _full(b"trex", 0, 0, trex)),
    )
    return _box(b"ftyp", brands) + movie


def joined_init(first: bytes, other: bytes) -> bytes | None:
    """One init section for the samples of both, pictures of one size whose parameter sets have ids of their own. None
    where there can be none."""
    if first == other:
        return first
    try:
        sets = [_parameter_sets(init) for init in (first, other)]
        sps, pps = (tuple(dict.fromkeys((*sets[0][kind], *sets[1][kind]))) for kind in (0, 1))
        shapes = {(s.width, s.height, s.sample_aspect, s.chroma_format, s.bit_depth) for s in map(h264.parse_sps, sps)}
        if len(shapes) > 1 or any(len({h264.set_id(nal) for nal in nals}) < len(nals) for nals in (sps, pps)):
            return None
        return init_section(video_config(sps, pps))
    except ValueError:
        return None


def _parameter_sets(init: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    at = init.find(b"avcC")
    if at < 4:
        raise ValueError("no avcC")
    return h264.parse_avc_configuration(init[at + 4 : at - 4 + int.from_bytes(init[at - 4 : at], "big")])


def fragment(config: TrackConfig, sequence: int, samples: Sequence[Sample], end: int) -> bytes:
    """moof and mdat of the samples, which must be in order; the last one ends at ``end``, in ticks.

    Pictures where decoding may begin carry the parameter sets, too. For "avc1" the init section's would be enough
    (14496-15, 5.3.2), but FFmpeg's players skip all init sections of a playlist except the first, and would decode with
    old sets after a change.

    Raises ValueError without samples, or for a sample without a duration.
    """
    if not samples:
        raise ValueError("a fragment needs a sample")
    scale = config.timescale
    times = [to_timescale(sample.start, scale) for sample in samples]
    times.append(to_timescale(end, scale))
    durations = [after - before for before, after in pairwise(times)]
    if min(durations) <= 0:
        raise ValueError("samples must follow one another in time")
    sets = b"".join(len(nal).to_bytes(4, "big") + nal for nal in (*config.sps, *config.pps))
    payloads = [sets + sample.data if sample.sync else sample.data for sample in samples]
    sizes = [len(payload) for payload in payloads]

    tfhd_flags = _TFHD_DEFAULT_BASE_IS_MOOF | _TFHD_DEFAULT_FLAGS
    trun_flags = _TRUN_DATA_OFFSET | _TRUN_SIZE
    columns: list[Sequence[int]] = []
    if min(durations) == max(durations):
        tfhd_flags |= _TFHD_DEFAULT_DURATION
    else:
        trun_flags |= _TRUN_DURATION
        columns.append(durations)
    columns.append(sizes)
    default_flags = SYNC_SAMPLE if samples[-1].sync else OTHER_SAMPLE
    first_flags = SYNC_SAMPLE if samples[0].sync else OTHER_SAMPLE
    if any(sample.sync != samples[-1].sync for sample in samples[1:]):
        trun_flags |= _TRUN_FLAGS
        columns.append([SYNC_SAMPLE if sample.sync else OTHER_SAMPLE for sample in samples])
    elif first_flags != default_flags:
        trun_flags |= _TRUN_FIRST_FLAGS

    tfhd = struct.pack(">I", _TRACK_ID)
    if tfhd_flags & _TFHD_DEFAULT_DURATION:
        tfhd += struct.pack(">I", durations[0])
    tfhd += struct.pack(">I", default_flags)
    table = [value for row in zip(*columns, strict=True) for value in row]
    trun_tail = struct.pack(">I", first_flags) if trun_flags & _TRUN_FIRST_FLAGS else b""
    trun_tail += struct.pack(f">{len(table)}I", *table)
    mfhd_box = _full(b"mfhd", 0, 0, struct.pack(">I", sequence))
    track_head = _full(b"tfhd", 0, tfhd_flags, tfhd) + _full(b"tfdt", 1, 0, struct.pack(">Q", times[0]))
    trun_size = 12 + 8 + len(trun_tail)
    moof_size = 8 + len(mfhd_box) + 8 + len(track_head) + trun_size
    # default-base-is-moof: data_offset counts from the first byte of this moof.
    trun = _full(b"trun", 0, trun_flags, struct.pack(">Ii", len(samples), moof_size + 8) + trun_tail)
    moof = _box(b"moof", mfhd_box + _box(b"traf", track_head + trun))
    mdat_head = struct.pack(">I", 8 + sum(sizes)) + b"mdat"
    return b"".join((moof, mdat_head, *payloads))


def _avc1(config: TrackConfig) -> bytes:
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16)
    entry += struct.pack(">HHIIIH", config.width, config.height, 0x48_0000, 0x48_0000, 0, 1)
    entry += bytes(32) + struct.pack(">Hh", 0x18, -1)
    entry += _box(b"avcC", h264.avc_configuration(config.sps, config.pps))
    aspect = h264.parse_sps(config.sps[0]).sample_aspect
    if aspect != (1, 1):
        entry += _box(b"pasp", struct.pack(">II", *aspect))
    return _box(b"avc1", entry)


def _mp4a(config: TrackConfig) -> bytes:
    entry = bytes(6) + struct.pack(">H", 1) + bytes(8)
    entry += struct.pack(">HHHHI", config.channels, 16, 0, 0, config.sample_rate << 16 & 0xFFFF_FFFF)
    specific = _descriptor(0x05, config.audio_specific_config)
    # objectTypeIndication 0x40 (MPEG-4 audio), streamType 5 (audio) with the reserved bit set
    decoder = _descriptor(0x04, bytes((0x40, 0x15)) + bytes(3) + bytes(8) + specific)
    sync_layer = _descriptor(0x06, b"\x02")
    esds = _descriptor(0x03, struct.pack(">HB", 0, 0) + decoder + sync_layer)
    return _box(b"mp4a", entry + _full(b"esds", 0, 0, esds))


def _display_width(config: TrackConfig) -> int:
    width, height = h264.parse_sps(config.sps[0]).sample_aspect
    return min(0xFFFF, round(Fraction(config.width * width, height)))


def _descriptor(tag: int, payload: bytes) -> bytes:
    """ISO/IEC 14496-1, 8.3.3, with a one-byte size."""
    if len(payload) > 0x7F:
        raise ValueError("a descriptor is too long")
    return bytes((tag, len(payload))) + payload


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def _full(kind: bytes, version: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">I", 12 + len(payload)) + kind + struct.pack(">I", version << 24 | flags) + payload
