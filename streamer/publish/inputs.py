"""The inputs of ``streamer publish``: the test card, a file in a loop, or any input that FFmpeg's libraries open.

A :class:`Feed` has its own thread. The thread reads, encodes if necessary, and calls ``emit`` with encoded frames in
real time. It never builds up delay, and opens its input again when that ends or fails.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import av
import structlog
from av.bitstream import BitStreamFilterContext
from av.video.frame import PictureType, VideoFrame

from streamer.publish.testcard import BLOCK, BLOCK_US, SAMPLE_RATE, TestCard, sound_frame
from streamer.publish.upright import UPRIGHT, lies, turn_of, upright

log = structlog.get_logger(__name__)

CLOCK = Fraction(1, 90_000)
OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
LATE_US = 300_000
"""Frames that are later than this are skipped. If they are early or late by JUMP_US, the clock is set anew."""
JUMP_US = 2_000_000
AHEAD_US = 1_500_000
"""Pictures and sound of the same moment may lie this far apart in a file: FFmpeg reads them up to a second apart."""
KEYFRAME_MIN_S = 0.3
STEADY_S = 5.0
SHORTEST_CLIP_S = 0.1
GOP_S = 2
MAX_KEYFRAME_GAP_S = 2.5
SCAN_PACKETS = 1500
"""Video packets of a file that are checked for regular key frames: a minute at 25 frames a second."""
MAX_WIDTH, MAX_HEIGHT = 1920, 1080
LIVE_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "udp://", "rtp://", "srt://", "tcp://")


class Encoded(NamedTuple):
    """``media_us``: the time of capture, UTC microseconds. H.264 is Annex B."""

    kind: Literal["audio", "video"]
    data: bytes
    media_us: int
    key: bool


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """The options of a feed. ``bitrate`` and ``audio_bitrate`` in bits per second; the sizes are the test card's.
    ``packet_blocks``: the blocks of 20 ms in a packet of the test card's sound, 1 to 3. Fewer packets cost less."""

    codec: Literal["h264", "vp8"] = "h264"
    width: int = 1280
    height: int = 720
    frame_rate: int = 30
    bitrate: int = 2_500_000
    audio_bitrate: int = 128_000
    packet_blocks: int = 1
    audio: bool = True
    video: bool = True
    loop: bool = True
    label: str = "Test card"


Emit = Callable[[Encoded], None]


class VideoEncoder:
    """H.264 (constrained baseline) or VP8 without delay: a frame in, its packet out. One thread."""

    def __init__(self, options: FeedOptions, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._codec: Any = av.CodecContext.create("libx264" if options.codec == "h264" else "libvpx", "w")
        codec = self._codec
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base = CLOCK
        codec.framerate = Fraction(options.frame_rate)
        codec.bit_rate = options.bitrate
        codec.gop_size = GOP_S * options.frame_rate
        codec.thread_count = 1
        if options.codec == "h264":
            codec.options = {
                "preset": "superfast",
                "tune": "zerolatency",
                "profile": "baseline",
                "maxrate": str(options.bitrate),
                "bufsize": str(options.bitrate),
                "forced-idr": "1",
            }
        else:
            codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}

    def encode(self, frame: VideoFrame, media_us: int, key: bool) -> tuple[bytes, bool]:
        """Data (may be empty) and whether it is a key frame."""
        frame.pts = media_us * 9 // 100
        frame.time_base = CLOCK
        frame.pict_type = PictureType.I if key else PictureType.NONE
        packets = self._codec.encode(frame)
        return b"".join(bytes(p) for p in packets), any(p.is_keyframe for p in packets)


class OpusEncoder:
    """Stereo frames at 48 kHz to Opus packets of 20 ms, or of more blocks. One thread."""

    def __init__(self, bitrate: int, blocks: int = 1) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate = SAMPLE_RATE
        self._codec.layout = "stereo"
        self._codec.format = "s16"
        self._codec.bit_rate = bitrate
        self._codec.time_base = Fraction(1, SAMPLE_RATE)
        self._codec.options = {"application": "audio", "frame_duration": str(20 * blocks)}

    def encode(self, frame: av.AudioFrame) -> Iterator[tuple[bytes, int]]:
        """Packets, each with its time in samples on the frames' clock, without the encoder's lookahead."""
        for packet in self._codec.encode(frame):
            yield bytes(packet), packet.pts


class Feed:
    """The thread and its life; see the module. ``wanted`` not set: nobody listens, so encoding can rest."""

    def __init__(self, emit: Emit, options: FeedOptions) -> None:
        self.options = options
        self.live = False
        """The input keeps its own time and may come back after its end."""
        self.wanted = threading.Event()
        self.error: str | None = None
        """The error of the last attempt to read the input."""
        self._emit = emit
        self._stop = threading.Event()
        self._key = threading.Event()
        self._key_at = 0.0
        self._thread = threading.Thread(target=self._run, name="publisher input", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_keyframe(self) -> None:
        """Callable from any thread. The next encoded frame is a key frame, unless the last one is less than 0.3 s
        old."""
        self._key.set()

    def stop(self, limit_s: float = READ_TIMEOUT_S + 1) -> bool:
        """Blocks until the thread has ended, at most ``limit_s``. Returns whether it has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _key_due(self) -> bool:
        if self._key.is_set() and time.monotonic() - self._key_at >= KEYFRAME_MIN_S:
            self._key.clear()
            self._key_at = time.monotonic()
            return True
        return False

    def _sleep_until(self, media_us: int) -> None:
        left = media_us / 1e6 - time.time()
        if left > 0:
            self._stop.wait(min(left, 1.0))

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            steady = STEADY_S
            try:
                self._play()
                self.error = None
                if not self.options.loop:
                    return
                # A file that was played to its end begins again at once; a camera that hung up is waited for.
                steady = STEADY_S if self.live else SHORTEST_CLIP_S
            except Exception as error:
                # The publisher tries again after any error of a library: the camera may be back.
                self.error = f"{type(error).__name__}: {error}"
                log.warning("input_failed", error=self.error)
            failures = 0 if time.monotonic() - began > steady else failures + 1
            if failures:
                self._stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1])

    def _play(self) -> None:
        raise NotImplementedError


class TestCardFeed(Feed):
    """The card and its beep, on UTC's grid."""

    __test__ = False

    def resize(self, width: int, height: int) -> None:
        """Go on in another size, like a camera that is turned. Callable from any thread."""
        self.options = replace(self.options, width=width, height=height)

    def _play(self) -> None:
        options = self.options
        card = TestCard(options.width, options.height, options.label)
        encoder = VideoEncoder(options, card.width, card.height)
        blocks = options.packet_blocks
        packet_us = blocks * BLOCK_US
        sound = OpusEncoder(options.audio_bitrate, blocks)
        start_us = time.time_ns() // 1000
        frame = start_us * options.frame_rate // 1_000_000 + 1
        packet = start_us // packet_us + 1
        while not self._stop.is_set():
            if not self.wanted.wait(0.5):
                continue
            now_us = time.time_ns() // 1000
            if now_us - frame * 1_000_000 // options.frame_rate > LATE_US:
                frame = now_us * options.frame_rate // 1_000_000
            if now_us - packet * packet_us > LATE_US:
                packet = now_us // packet_us
            frame_us = frame * 1_000_000 // options.frame_rate
            # Sound counts as captured when its last sample is.
            if options.audio and (not options.video or (packet + 1) * packet_us <= frame_us):
                self._sleep_until((packet + 1) * packet_us)
                heard = sound_frame(packet * packet_us, packet * blocks * BLOCK, blocks)
                for data, pts in sound.encode(heard):
                    self._emit(Encoded("audio", data, pts * 1_000_000 // SAMPLE_RATE, True))
                packet += 1
            elif options.video:
                self._sleep_until(frame_us)
                if (self.options.width, self.options.height) != (card.width, card.height):
                    card = TestCard(self.options.width, self.options.height, options.label)
                    encoder = VideoEncoder(options, card.width, card.height)
                data, key = encoder.encode(card.frame_at(frame_us), frame_us, self._key_due())
                if data:
                    self._emit(Encoded("video", data, frame_us, key))
                frame += 1
            else:
                return


class MediaFeed(Feed):
    """A file, camera or listener, opened with FFmpeg's libraries.

    H.264 without B-frames is sent as it is, if it lies as it is seen; all other video is decoded and encoded. Sound
    becomes Opus.
    """

    def __init__(self, url: str, emit: Emit, options: FeedOptions) -> None:
        super().__init__(emit, options)
        self.url = url
        self.live = url.startswith(LIVE_SCHEMES)
        self._base_us: int | None = None
        """UTC time of the input's time 0."""
        self._end_us = 0

    def _open(self) -> Any:
        options: dict[str, str] = {}
        if self.url.startswith("rtsp"):
            options = {"rtsp_transport": "tcp"}
        elif self.url.startswith("rtmp://"):
            options = {"listen": "1"}
        elif self.url.startswith("udp://"):
            options = {"fifo_size": "100000", "overrun_nonfatal": "1"}
        if self.live:
            options |= {"fflags": "nobuffer", "analyzeduration": "1000000"}
        return av.open(self.url, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))

    def _play(self) -> None:
        while not self.live and not self.wanted.wait(0.5):
            if self._stop.is_set():
                return
        with self._open() as container:
            video = next(iter(container.streams.video), None) if self.options.video else None
            audio = next(iter(container.streams.audio), None) if self.options.audio else None
            if video is None and audio is None:
                raise ValueError("the input has no usable picture or sound")
            log.info("input_opened", video=video and video.codec_context.name, audio=audio and audio.codec_context.name)
            if video is not None:
                video.thread_type = "AUTO"
            copies = video is not None and self._may_copy(video.codec_context)
            picture: _Copied | _Transcoded | None = None
            sound = _Sound(self.options.audio_bitrate) if audio is not None else None
            # The next round of a file goes on where this one ended.
            self._base_us = None
            origin_us = container.start_time if container.start_time is not None else None
            packets = container.demux([s for s in (video, audio) if s is not None])
            for at_us, packet in _in_order(packets, 0 if self.live else AHEAD_US):
                if self._stop.is_set():
                    return
                origin_us = at_us if origin_us is None else origin_us
                late_us = self._pace(at_us - origin_us)
                base_us = self._base_us or 0
                if packet.stream is video:
                    if picture is None:
                        if copies and not packet.is_keyframe:
                            continue
                        picture = self._picture(video, packet if copies else None)
                    for data, pts_us, key in picture.take(packet, late_us > LATE_US, self._key_due):
                        self._out(Encoded("video", data, base_us + pts_us - origin_us, key))
                elif sound is not None and late_us <= LATE_US:
                    for data, pts_us in sound.take(packet):
                        self._out(Encoded("audio", data, base_us + pts_us - origin_us, True))

    def _may_copy(self, context: Any) -> bool:
        return bool(
            self.options.codec == "h264"
            and context.name == "h264"
            and not context.has_b_frames
            and context.pix_fmt in ("yuv420p", "yuvj420p")
            and context.profile in ("Baseline", "Constrained Baseline", "Main", "High", "Constrained High")
            and (self.live or self._has_regular_keyframes())
        )

    def _picture(self, stream: Any, first: Any) -> _Copied | _Transcoded:
        """``first``: the first key frame of a stream that may be copied, else None."""
        context = stream.codec_context
        plain = first is not None and _is_upright(context, first)
        log.info("input_picture", passed_through=plain, codec=context.name, width=context.width, height=context.height)
        return _Copied(stream) if plain else _Transcoded(stream, self.options)

    def _has_regular_keyframes(self) -> bool:
        """Whether a file can be sent as it is: it cannot be asked for key frames, so they must come by themselves."""
        last: float | None = None
        with av.open(self.url, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)) as container:
            for count, packet in enumerate(container.demux(video=0)):
                if packet.dts is None:
                    continue
                at = float(packet.dts * packet.time_base)
                if packet.is_keyframe or last is None:
                    last = at
                if at - last > MAX_KEYFRAME_GAP_S:
                    return False
                if count > SCAN_PACKETS:
                    break
        return True

    def _pace(self, at_us: int) -> int:
        """Wait for real time if the input does not keep it. Returns the lateness, microseconds."""
        now_us = time.time_ns() // 1000
        if self._base_us is None:
            self._base_us = max(now_us, self._end_us) - at_us
        late_us = now_us - self._base_us - at_us
        if late_us > JUMP_US or late_us < -JUMP_US:
            # A gap in a camera's times, or a machine that slept: the clock is set anew, and the gap is not made up for.
            self._base_us = now_us - at_us
            return 0
        if late_us < 0 and not self.live:
            self._sleep_until(self._base_us + at_us)
        return late_us

    def _out(self, encoded: Encoded) -> None:
        self._end_us = max(self._end_us, encoded.media_us + BLOCK_US)
        if self.wanted.is_set():
            self._emit(encoded)


def _is_upright(context: Any, first: Any) -> bool:
    """Whether the first key frame is to be shown as it is stored. Nothing after it was decoded."""
    frames = [*context.decode(first), *context.decode(None)]
    context.flush_buffers()
    return all(turn_of(frame) == UPRIGHT for frame in frames)


class _Copied:
    """H.264 packets as they are, in Annex B, parameter sets before each key frame."""

    def __init__(self, stream: Any) -> None:
        extradata = bytes(stream.codec_context.extradata or b"")
        # An avcC record begins with its version, 1; Annex B with a start code.
        avcc = extradata[:1] == b"\x01"
        self._filter = BitStreamFilterContext("h264_mp4toannexb" if avcc else "dump_extra=freq=keyframe", stream)

    def take(self, packet: Any, late: bool, key_due: Callable[[], bool]) -> Iterator[tuple[bytes, int, bool]]:
        time_base = packet.time_base  # the filter keeps the numbers and forgets their unit
        for out in self._filter.filter(packet):
            if out.pts is not None:
                yield bytes(out), int(out.pts * time_base * 1_000_000), bool(out.is_keyframe)


class _Transcoded:
    """Other video: decoded, scaled down to 1080p if it is larger, encoded. Late frames are not encoded."""

    def __init__(self, stream: Any, options: FeedOptions) -> None:
        self._stream = stream
        self._options = options
        self._encoder: VideoEncoder | None = None
        self._step_us = 1_000_000 // options.frame_rate
        self._next_us: int | None = None

    def take(self, packet: Any, late: bool, key_due: Callable[[], bool]) -> Iterator[tuple[bytes, int, bool]]:
        for frame in packet.decode():
            if frame.pts is None or late:
                continue
            at_us = int(frame.pts * frame.time_base * 1_000_000)
            if self._next_us is not None and self._next_us - JUMP_US < at_us < self._next_us - self._step_us // 2:
                continue  # above the frame rate
            self._next_us = max(at_us, self._next_us or at_us) + self._step_us if self._near(at_us) else None
            turn = turn_of(frame)
            wide, high = (frame.height, frame.width) if lies(turn) else (frame.width, frame.height)
            scale = min(1.0, MAX_WIDTH / wide, MAX_HEIGHT / high)
            width, height = int(wide * scale) // 2 * 2, int(high * scale) // 2 * 2
            encoder = self._encoder
            if encoder is None or (encoder.width, encoder.height) != (width, height):
                encoder = self._encoder = VideoEncoder(self._options, width, height)
            stored = (height, width) if lies(turn) else (width, height)
            picture = frame.reformat(width=stored[0], height=stored[1], format="yuv420p")
            data, key = encoder.encode(upright(picture, turn), at_us, key_due())
            if data:
                yield data, at_us, key

    def _near(self, at_us: int) -> bool:
        return self._next_us is None or abs(at_us - self._next_us) < JUMP_US


class _Sound:
    """Any sound to Opus, 48 kHz stereo, 20 ms."""

    def __init__(self, bitrate: int) -> None:
        self._bitrate = bitrate
        self._reset()

    def _reset(self) -> None:
        self._encoder = OpusEncoder(self._bitrate)
        self._resampler = av.AudioResampler("s16", "stereo", SAMPLE_RATE, frame_size=BLOCK)
        self._anchor_us: int | None = None
        self._samples = 0
        self._blocks = 0

    def take(self, packet: Any) -> Iterator[tuple[bytes, int]]:
        for frame in packet.decode():
            if frame.pts is None:
                continue
            at_us = int(frame.pts * frame.time_base * 1_000_000)
            expected_us = (self._anchor_us or 0) + self._samples * 1_000_000 // SAMPLE_RATE
            if self._anchor_us is not None and abs(at_us - expected_us) > 100_000:
                self._reset()  # a gap in the input: the buffered sound belongs before it
            if self._anchor_us is None:
                self._anchor_us = at_us
            self._samples += frame.samples * SAMPLE_RATE // frame.sample_rate
            frame.pts = None
            for block in self._resampler.resample(frame):
                block.pts, block.time_base = self._blocks * BLOCK, Fraction(1, SAMPLE_RATE)
                self._blocks += 1
                for data, pts in self._encoder.encode(block):
                    yield data, self._anchor_us + pts * 1_000_000 // SAMPLE_RATE


def _in_order(packets: Iterable[Any], ahead_us: int) -> Iterator[tuple[int, Any]]:
    """Packets by their time in microseconds, as far as ``ahead_us`` reaches; without those that have no time.

    Recorders write a second of pictures, then its sound: that is not late.
    """
    waiting: list[tuple[int, int, Any]] = []
    newest_us = 0
    for number, packet in enumerate(packets):
        if packet.dts is None:
            continue  # the end's empty packet, or one without a time
        at_us = int(packet.dts * packet.time_base * 1_000_000)
        heapq.heappush(waiting, (at_us, number, packet))
        newest_us = max(newest_us, at_us)
        while waiting and waiting[0][0] <= newest_us - ahead_us:
            first_us, _, first = heapq.heappop(waiting)
            yield first_us, first
    for first_us, _, first in sorted(waiting, key=lambda one: one[:2]):
        yield first_us, first


def open_feed(source: str | None, emit: Emit, options: FeedOptions) -> Feed:
    """The feed for a command line's INPUT; None is the test card."""
    return TestCardFeed(emit, options) if source is None else MediaFeed(source, emit, options)
