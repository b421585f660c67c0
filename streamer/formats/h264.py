"""H.264 bitstreams as bytes: NAL units, parameter sets, access units (ITU-T H.264, ISO/IEC 14496-15).

Pure; callable from any thread. On malformed input every function raises ValueError and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NAL_SLICE = 1
NAL_PARTITION_A = 2
NAL_IDR = 5
NAL_SEI = 6
NAL_SPS = 7
NAL_PPS = 8
NAL_AUD = 9

START_CODE = b"\x00\x00\x00\x01"

_KEPT = frozenset({NAL_SLICE, NAL_PARTITION_A, 3, 4, NAL_IDR, NAL_SEI, 19})
"""NAL types in a sample of an ``avc1`` track. Parameter sets are in the sample entry (14496-15, 5.3.2); delimiters,
filler and end-of-sequence repeat the container; 14, 15 and 20 belong to SVC and MVC."""

_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244})
"""profile_idc values whose SPS carries chroma_format_idc and bit depths (7.3.2.1.1)."""

_SAMPLE_ASPECT_RATIOS = (
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
)
"""Table E-1; index is aspect_ratio_idc."""
_EXTENDED_SAR = 255

_MAX_DIMENSION = 16_384
_MAX_SPS_BYTES = 1024
"""Longer than any SPS with every scaling list written out; bounds the work on garbage."""
MAX_NALS = 4096
"""NAL units of one access unit: 4K has 135 rows of macroblocks, and a key frame of 2 MB in packet-sized slices has
1,500."""
_SLICE_HEADER_BYTES = 24
"""Enough of a slice for first_mb_in_slice and slice_type, with emulation prevention."""


@dataclass(slots=True, frozen=True)
class Sps:
    """The facts of a sequence parameter set that players and encoders need."""

    profile: int
    constraints: int
    """The byte of constraint_set flags between profile_idc and level_idc."""
    level: int
    """level_idc: ten times the level."""
    sps_id: int
    width: int
    """Pixels after cropping."""
    height: int
    chroma_format: int
    """chroma_format_idc; 1 is 4:2:0."""
    bit_depth: int
    """Bits of a luma sample."""
    progressive: bool
    """frame_mbs_only_flag: no field or MBAFF coding."""
    max_ref_frames: int
    max_reorder_frames: int | None
    """Frames that may precede another in decoding order and follow it in output order; None if the VUI does not tell
    and the profile allows reordering."""
    frame_rate: float | None
    """From num_units_in_tick and time_scale; None if the VUI does not tell, or tells nonsense."""
    sample_aspect: tuple[int, int]
    """Width and height of a pixel; (1, 1) if the stream does not tell."""
    macroblocks: int
    """Macroblocks of a decoded frame before cropping: 256 pixels each."""

    @property
    def codecs(self) -> str:
        """RFC 6381 string, ``avc1.PPCCLL``."""
        return f"avc1.{self.profile:02x}{self.constraints:02x}{self.level:02x}"


@dataclass(slots=True, frozen=True)
class AvcAccessUnit:
    """One access unit in the form of an ``avc1`` sample."""

    data: bytes
    """NAL units, each after its length in 4 bytes; no parameter sets, delimiters or filler. Empty without a picture."""
    sps: tuple[bytes, ...]
    """The parameter sets in it, in order, without start codes."""
    pps: tuple[bytes, ...]
    idr: bool
    has_b: bool
    """A B slice was seen: output order may differ from decoding order."""


def split_annexb(data: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream (annex B), without start codes and trailing zeros. Bytes before the first start
    code are no NAL unit and are left out."""
    begin = data.find(b"\x00\x00\x01")
    while begin >= 0:
        begin += 3
        end = data.find(b"\x00\x00\x01", begin)
        # A NAL unit never ends in a zero byte (7.4.1): zeros there are trailing_zero_8bits, or the first byte of a
        # 4-byte start code.
        nal = (data[begin:end] if end >= 0 else data[begin:]).rstrip(b"\x00")
        if nal:
            yield nal
        begin = end


def split_avcc(data: bytes) -> Iterator[bytes]:
    """The NAL units of a sample, each behind its length of 4 bytes. Raises ValueError if a length does not fit."""
    at, total = 0, len(data)
    while at < total:
        if at + 4 > total:
            raise ValueError("a NAL unit's length is cut off")
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if at + size > total:
            raise ValueError("a NAL unit is longer than its sample")
        if size:
            yield data[at : at + size]
        at += size


def to_annexb(nals: Sequence[bytes]) -> bytes:
    """Byte stream with 4-byte start codes."""
    return b"".join(part for nal in nals for part in (START_CODE, nal))


def avcc_to_annexb(data: bytes, sps: Sequence[bytes] = (), pps: Sequence[bytes] = ()) -> bytes:
    """A sample as a byte stream, the given parameter sets in front. Raises ValueError on a malformed sample."""
    return to_annexb([*sps, *pps, *split_avcc(data)])


def parse_access_unit(data: bytes) -> AvcAccessUnit:
    """Take an access unit in annex B form apart. Raises ValueError if a slice is cut off within its header, or if there
    are more than :data:`MAX_NALS` units."""
    kept: list[bytes] = []
    sps: list[bytes] = []
    pps: list[bytes] = []
    idr = has_b = picture = False
    for index, nal in enumerate(split_annexb(data)):
        if index == MAX_NALS:
            raise ValueError("too many NAL units")
        kind = nal[0] & 0x1F
        if kind == NAL_SPS:
            sps.append(nal)
        elif kind == NAL_PPS:
            pps.append(nal)
        elif kind in _KEPT:
            if kind in (NAL_SLICE, NAL_PARTITION_A, NAL_IDR):
                picture = True
                idr = idr or kind == NAL_IDR
                has_b = has_b or (kind != NAL_IDR and slice_type(nal) == 1)
            kept.append(len(nal).to_bytes(4, "big"))
            kept.append(nal)
    return AvcAccessUnit(b"".join(kept) if picture else b"", tuple(sps), tuple(pps), idr, has_b)


def slice_type(nal: bytes) -> int:
    """slice_type modulo 5 of a slice: 0 P, 1 B, 2 I, 3 SP, 4 SI. Raises ValueError."""
    bits = BitReader(_unescape(nal[1 : 1 + _SLICE_HEADER_BYTES]))
    bits.ue()  # first_mb_in_slice
    value = bits.ue()
    if value > 9:
        raise ValueError("slice_type out of range")
    return value % 5


def parse_sps(nal: bytes) -> Sps:
    """Read a sequence parameter set (7.3.2.1.1) given without start code. Raises ValueError."""
    if len(nal) < 4 or nal[0] & 0x1F != NAL_SPS:
        raise ValueError("not a sequence parameter set")
    bits = BitReader(_unescape(nal[1:_MAX_SPS_BYTES]))
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    sps_id = _at_most(bits.ue(), 31, "seq_parameter_set_id")
    chroma_format, bit_depth, separate_planes = 1, 8, False
    if profile in _HIGH_PROFILES:
        chroma_format = _at_most(bits.ue(), 3, "chroma_format_idc")
        if chroma_format == 3:
            separate_planes = bool(bits.u(1))
        bit_depth = 8 + _at_most(bits.ue(), 6, "bit_depth_luma_minus8")
        _at_most(bits.ue(), 6, "bit_depth_chroma_minus8")
        bits.u(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.u(1):  # seq_scaling_matrix_present_flag
            for index in range(8 if chroma_format != 3 else 12):
                if bits.u(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    _at_most(bits.ue(), 12, "log2_max_frame_num_minus4")
    order_type = _at_most(bits.ue(), 2, "pic_order_cnt_type")
    if order_type == 0:
        _at_most(bits.ue(), 12, "log2_max_pic_order_cnt_lsb_minus4")
    elif order_type == 1:
        bits.u(1)  # delta_pic_order_always_zero_flag
        bits.ue()  # offset_for_non_ref_pic, read as unsigned: only its length matters here
        bits.ue()  # offset_for_top_to_bottom_field
        for _ in range(_at_most(bits.ue(), 255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.ue()
    max_ref_frames = _at_most(bits.ue(), 16, "max_num_ref_frames")
    bits.u(1)  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (_at_most(bits.ue(), _MAX_DIMENSION // 16, "pic_width_in_mbs_minus1") + 1)
    map_units = _at_most(bits.ue(), _MAX_DIMENSION // 16, "pic_height_in_map_units_minus1") + 1
    progressive = bool(bits.u(1))
    height = 16 * map_units * (1 if progressive else 2)
    macroblocks = width * height // 256
    if not progressive:
        bits.u(1)  # mb_adaptive_frame_field_flag
    bits.u(1)  # direct_8x8_inference_flag
    if bits.u(1):  # frame_cropping_flag
        # CropUnitX and CropUnitY (7-19 to 7-22)
        array_type = 0 if separate_planes else chroma_format
        unit_x = 2 if array_type in (1, 2) else 1
        unit_y = (2 if array_type == 1 else 1) * (1 if progressive else 2)
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
        if width <= 0 or height <= 0:
            raise ValueError("cropping leaves no picture")
    vui = _parse_vui(bits) if bits.u(1) else _Vui()
    reorder = vui.max_reorder_frames
    if reorder is None and (order_type == 2 or profile == 66 or max_ref_frames == 0):
        # pic_order_cnt_type 2 means output order is decoding order (8.2.1.3); Baseline has no B slices (A.2.1).
        reorder = 0
    return Sps(
        profile=profile,
        constraints=constraints,
        level=level,
        sps_id=sps_id,
        width=width,
        height=height,
        chroma_format=chroma_format,
        bit_depth=bit_depth,
        progressive=progressive,
        max_ref_frames=max_ref_frames,
        max_reorder_frames=reorder,
        frame_rate=vui.frame_rate,
        sample_aspect=vui.sample_aspect,
        macroblocks=macroblocks,
    )


def avc_configuration(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (14496-15, 5.3.3.1), 4-byte lengths. Raises ValueError."""
    if not sps or not pps or len(sps) > 31 or len(pps) > 255:
        raise ValueError("an avcC takes 1 to 31 SPS and 1 to 255 PPS")
    if any(len(nal) > 0xFFFF for nal in (*sps, *pps)):
        raise ValueError("a parameter set is too long")
    first, *others = (parse_sps(nal) for nal in sps)
    # A decoder must be able to do all of them.
    profile, level = max(s.profile for s in (first, *others)), max(s.level for s in (first, *others))
    constraints = first.constraints
    for other in others:
        constraints &= other.constraints
    out = [bytes((1, profile, constraints, level, 0xFF, 0xE0 | len(sps)))]
    for nal in sps:
        out += (len(nal).to_bytes(2, "big"), nal)
    out.append(bytes((len(pps),)))
    for nal in pps:
        out += (len(nal).to_bytes(2, "big"), nal)
    if profile in (100, 110, 122, 144):
        depth = 0xF8 | (first.bit_depth - 8)
        out.append(bytes((0xFC | first.chroma_format, depth, depth, 0)))
    return b"".join(out)


def parse_avc_configuration(record: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """SPS and PPS of an avcC, such as an encoder's extradata. Raises ValueError."""
    if len(record) < 7 or record[0] != 1:
        raise ValueError("not an avcC")
    at = 5
    sets: list[tuple[bytes, ...]] = []
    for mask in (0x1F, 0xFF):
        if at >= len(record):
            raise ValueError("an avcC is cut off")
        count = record[at] & mask
        at += 1
        nals = []
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            nal = record[at + 2 : at + 2 + size]
            if len(nal) != size or not nal:
                raise ValueError("an avcC is cut off")
            nals.append(nal)
            at += 2 + size
        sets.append(tuple(nals))
    return sets[0], sets[1]


def set_id(nal: bytes) -> int:
    """The id of an SPS or PPS. Raises ValueError."""
    # seq_parameter_set_id follows profile, constraints and level (7.3.2.1.1), pic_parameter_set_id nothing.
    return BitReader(_unescape(nal[4 if nal[0] & 0x1F == NAL_SPS else 1 :])).ue()


def parameter_sets(extradata: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """SPS and PPS of an encoder's extradata, which is an avcC or annex B. Raises ValueError if either is missing."""
    if extradata[:3] == b"\x00\x00\x01" or extradata[:4] == START_CODE:
        nals = list(split_annexb(extradata))
        sps = tuple(nal for nal in nals if nal[0] & 0x1F == NAL_SPS)
        pps = tuple(nal for nal in nals if nal[0] & 0x1F == NAL_PPS)
    else:
        sps, pps = parse_avc_configuration(extradata)
    if not sps or not pps:
        raise ValueError("no parameter sets")
    return sps, pps


class BitReader:
    """Bits of an RBSP, most significant first. Reading past the end raises ValueError."""

    __slots__ = ("_left", "_value")

    def __init__(self, rbsp: bytes) -> None:
        self._value = int.from_bytes(rbsp, "big")
        self._left = 8 * len(rbsp)

    def u(self, count: int) -> int:
        """Unsigned integer of ``count`` bits."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the bitstream is cut off")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb code (9.1), at most 32 leading zeros."""
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > 32:
            raise ValueError("an Exp-Golomb code is too long")
        self.u(zeros + 1)
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Signed Exp-Golomb code (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


@dataclass(slots=True)
class _Vui:
    max_reorder_frames: int | None = None
    frame_rate: float | None = None
    sample_aspect: tuple[int, int] = (1, 1)


def _parse_vui(bits: BitReader) -> _Vui:
    """Annex E.1.1. Some encoders cut the VUI short; the fields before the cut count."""
    vui = _Vui()
    try:
        _read_vui(bits, vui)
    except ValueError:
        vui.max_reorder_frames = None
    return vui


def _read_vui(bits: BitReader, vui: _Vui) -> None:
    if bits.u(1):  # aspect_ratio_info_present_flag
        idc = bits.u(8)
        if idc == _EXTENDED_SAR:
            aspect = (bits.u(16), bits.u(16))
        else:
            aspect = _SAMPLE_ASPECT_RATIOS[idc] if idc < len(_SAMPLE_ASPECT_RATIOS) else (0, 0)
        if all(aspect):
            vui.sample_aspect = aspect
    if bits.u(1):  # overscan_info_present_flag
        bits.u(1)
    if bits.u(1):  # video_signal_type_present_flag
        bits.u(4)
        if bits.u(1):  # colour_description_present_flag
            bits.u(24)
    if bits.u(1):  # chroma_loc_info_present_flag
        bits.ue()
        bits.ue()
    if bits.u(1):  # timing_info_present_flag
        units, scale = bits.u(32), bits.u(32)
        bits.u(1)  # fixed_frame_rate_flag
        # A frame lasts two ticks, as a tick is a field's (E.2.1).
        rate = scale / (2 * units) if units else 0.0
        vui.frame_rate = rate if 0.1 <= rate <= 300 else None
    nal_hrd = bits.u(1)
    if nal_hrd:
        _skip_hrd(bits)
    vcl_hrd = bits.u(1)
    if vcl_hrd:
        _skip_hrd(bits)
    if nal_hrd or vcl_hrd:
        bits.u(1)  # low_delay_hrd_flag
    bits.u(1)  # pic_struct_present_flag
    if bits.u(1):  # bitstream_restriction_flag
        bits.u(1)  # motion_vectors_over_pic_boundaries_flag
        for _ in range(4):  # max_bytes_per_pic_denom ... log2_max_mv_length_vertical
            bits.ue()
        vui.max_reorder_frames = _at_most(bits.ue(), 16, "max_num_reorder_frames")


def _skip_hrd(bits: BitReader) -> None:
    """Annex E.1.2."""
    count = _at_most(bits.ue(), 31, "cpb_cnt_minus1") + 1
    bits.u(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.u(1)
    bits.u(20)  # delay lengths and time_offset_length


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """7.3.2.1.1.1: the list ends where a delta makes the next scale zero."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _at_most(value: int, limit: int, name: str) -> int:
    if value > limit:
        raise ValueError(f"{name} out of range")
    return value


def _unescape(payload: bytes) -> bytes:
    """NAL unit payload without emulation_prevention_three_byte (7.3.1)."""
    if b"\x00\x00\x03" not in payload:
        return payload
    out = bytearray()
    at = 0
    while (found := payload.find(b"\x00\x00\x03", at)) >= 0:
        out += payload[at : found + 2]
        at = found + 3
    out += payload[at:]
    return bytes(out)
