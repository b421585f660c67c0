"""H.264 encoders of the rungs: software or hardware, one parameter set for a whole broadcast.

An encoder belongs to one thread at a time (its worker's). PyAV gives up the GIL while it encodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import structlog
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from streamer.broadcast.programme import TICKS_PER_S
from streamer.errors import StreamerError
from streamer.formats import h264
from streamer.formats.types import RungSpec, Sample, TrackConfig
from streamer.settings import MediaSettings

log = structlog.get_logger(__name__)

TIME_BASE = Fraction(1, TICKS_PER_S)
SOFTWARE = "libx264"
BT709 = 1
"""colour_primaries, transfer_characteristics and matrix_coefficients of ITU-R BT.709 (H.264, tables E-3 to E-5)."""
LIMITED_RANGE = 1
NEVER = 1 << 30
"""A GOP length that x264 takes for infinite: IDRs come only when they are asked for."""
PROFILES = {0x42: "baseline", 0x4D: "main", 0x64: "high"}

_COMMON_HARDWARE: dict[str, dict[str, str]] = {
    # Low latency without reordering; a requested key frame must be an IDR; no lookahead that holds frames back.
    "h264_nvenc": {
        "preset": "p4",
        "tune": "ull",
        "zerolatency": "1",
        "delay": "0",
        "rc": "vbr",
        "forced-idr": "1",
        "no-scenecut": "1",
        "rc-lookahead": "0",
        "bf": "0",
    },
    "h264_qsv": {
        "preset": "veryfast",
        "async_depth": "1",
        "look_ahead": "0",
        "forced_idr": "1",
        "adaptive_i": "0",
        "bf": "0",
    },
    "h264_v4l2m2m": {"num_output_buffers": "4", "num_capture_buffers": "4", "bf": "0"},
}


class EncoderUnavailable(StreamerError):
    code, status = "encoder_unavailable", 503


@dataclass(slots=True)
class _Opened:
    name: str
    context: VideoCodecContext
    pixel_format: str


def why_not(settings: MediaSettings) -> str | None:
    """Why the encoder of the settings makes no picture here; None: it makes one. Takes some 20 ms."""
    height = settings.rungs[0].height if settings.rungs else settings.max_height
    size = (height * 16 // 9 // 2 * 2, height // 2 * 2)
    spec = RungSpec(f"{height}p", *size, 1_000_000, 1_500_000, float(settings.max_frame_rate))
    try:
        encoder = RungEncoder(spec, settings, or_software=False)
        encoder.encode(VideoFrame(*size, "yuv420p"), 0)
    except (av.FFmpegError, ValueError, OSError, EncoderUnavailable) as error:
        return str(error).partition(": 'avcodec_open2")[0]
    return None


class RungEncoder:
    """Encodes the frames of one rung. IDRs by order only, no B-frames, output in input order.

    Frames are yuv420p of the rung's size, BT.709, limited range. Not thread-safe.
    Raises :class:`EncoderUnavailable` where not even the software encoder opens.
    """

    def __init__(self, spec: RungSpec, settings: MediaSettings, *, or_software: bool = True) -> None:
        """``or_software`` false: nothing replaces an encoder that does not open."""
        self.spec = spec
        self._settings = settings
        self._or_software = or_software
        self.fell_back = False
        """Whether the hardware encoder of the settings did not open, and libx264 is used instead."""
        self._held = 0
        self._config: TrackConfig | None = None
        self._opened = self._open()
        self._next_is_idr = True

    @property
    def name(self) -> str:
        """FFmpeg's name of the encoder in use."""
        return self._opened.name

    @property
    def config(self) -> TrackConfig | None:
        """None before the first packet of a hardware encoder that sends its parameter sets in band only."""
        return self._config

    def encode(self, frame: VideoFrame, start: int, *, idr: bool = False) -> list[Sample]:
        """Encode ``frame`` for tick ``start``, which must grow. After av.FFmpegError call :meth:`reopen`."""
        frame.pts = start
        frame.time_base = TIME_BASE
        frame.pict_type = PictureType.I if idr or self._next_is_idr else PictureType.NONE
        self._next_is_idr = False
        if self._opened.pixel_format != "yuv420p":
            frame = frame.reformat(format=self._opened.pixel_format, threads=1)
        self._held += 1
        return self._samples(self._opened.context.encode(frame))

    def drain(self) -> list[Sample]:
        """The samples that the encoder still holds. The next frame is an IDR; the parameter sets stay the same."""
        if self._held <= 0:
            return []
        samples = self._samples(self._opened.context.encode(None))
        self.reopen()
        return samples

    def expect_idr(self) -> None:
        """The next frame is an IDR, even if none is asked for."""
        self._next_is_idr = True

    def reopen(self) -> None:
        """Begin anew, after an error or a flush, with the same parameters."""
        self._opened = self._open()
        self._held = 0
        self._next_is_idr = True

    def _samples(self, packets: list[av.Packet[Any]]) -> list[Sample]:
        samples = []
        for packet in packets:
            self._held -= 1
            unit = h264.parse_access_unit(bytes(packet))
            if unit.sps and unit.pps:
                self._learn(unit.sps, unit.pps)
            if unit.data and packet.pts is not None:
                samples.append(Sample(unit.data, packet.pts, unit.idr))
        return samples

    def _open(self) -> _Opened:
        wanted = self._settings.encoder
        if not self._or_software:
            return self._try(wanted)
        names = [SOFTWARE] if self.fell_back or wanted == SOFTWARE else [wanted, SOFTWARE]
        for name in names:
            try:
                opened = self._try(name)
            except (av.FFmpegError, ValueError, OSError) as error:
                log.warning("encoder_did_not_open", encoder=name, rung=self.spec.name, error=str(error))
                continue
            self.fell_back = name != wanted
            return opened
        raise EncoderUnavailable(f"No H.264 encoder opens for {self.spec.width}x{self.spec.height}.")

    def _try(self, name: str) -> _Opened:
        spec = self.spec
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        pixel_format = "nv12" if name == "h264_qsv" else "yuv420p"
        context.width, context.height, context.pix_fmt = spec.width, spec.height, pixel_format
        context.time_base = TIME_BASE
        context.framerate = Fraction(spec.frame_rate).limit_denominator(1001)
        context.bit_rate = spec.bitrate
        context.gop_size = NEVER
        context.max_b_frames = 0
        context.thread_count = self._settings.encoder_threads
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        # Parameter sets go into the init section, not into the samples ("avc1", 14496-15, 5.3.2).
        context.flags |= av.codec.context.Flags.global_header
        context.options = self._options(name)
        context.open()
        extradata = context.extradata
        if extradata:
            self._learn(*h264.parameter_sets(extradata))
        return _Opened(name, context, pixel_format)

    def _options(self, name: str) -> dict[str, str]:
        spec = self.spec
        options: dict[str, str] = {
            "maxrate": str(spec.max_bitrate),
            # One second of the average: an IDR every two seconds has enough bits, and a part does not exceed a link's
            # capacity.
            "bufsize": str(max(spec.bitrate, spec.max_bitrate // 2)),
            **profile_and_level(spec.codecs),
        }
        if name == SOFTWARE:
            options |= {
                "preset": self._settings.preset,
                "tune": "zerolatency",
                "bf": "0",
                "forced-idr": "1",
                # Scene cuts would put IDRs inside segments, and looking for them costs a tenth of all work.
                "sc_threshold": "0",
                "a53cc": "0",
                # Sources have 0. With another id a replay names one init section for both (``cmaf.joined_init``).
                "x264-params": "sps-id=1",
            }
        else:
            options |= _COMMON_HARDWARE.get(name, {})
        return options | spec.options

    def _learn(self, sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> None:
        config = video_config(sps, pps)
        if self._config is not None and config != self._config:
            log.warning("encoder_parameters_changed", rung=self.spec.name, encoder=self._settings.encoder)
        self._config = config


def video_config(sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> TrackConfig:
    """The track of H.264 parameter sets given without start codes. Raises ValueError."""
    parsed = h264.parse_sps(sps[0])
    return TrackConfig("video", parsed.codecs, TICKS_PER_S, parsed.width, parsed.height, sps=sps, pps=pps)


def profile_and_level(codecs: str) -> Mapping[str, str]:
    """Encoder options for an RFC 6381 string such as ``avc1.640028``; none for an empty or unknown one.

    The multivariant playlist declares the string before a frame is encoded, so the encoder must keep to it.
    """
    family, _, code = codecs.partition(".")
    if family not in ("avc1", "avc3") or len(code) != 6:
        return {}
    profile = PROFILES.get(int(code[:2], 16))
    level = int(code[4:], 16)
    options = {"level": f"{level // 10}.{level % 10}"}
    if profile:
        options["profile"] = profile
    return options
