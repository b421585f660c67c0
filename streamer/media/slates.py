"""The slates of a broadcast, made in advance in a thread, one of each kind in every rendition."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import av
import structlog

from streamer.broadcast.programme import TICKS_PER_S
from streamer.errors import StreamerError
from streamer.formats.types import RungSpec
from streamer.media.ordered_worker import OrderedWorker
from streamer.media.slate import KINDS, SLATE_KIND, SlateClip, SlateText, encode_clips, slate_image
from streamer.media.stills import MAX_WIDTH, encode_jpeg
from streamer.settings import MediaSettings

log = structlog.get_logger(__name__)

NICENESS = 10
"""When a room opens there are live pictures to encode and slates to make. The live pictures come first."""

LEAST_OLD_TICKS = TICKS_PER_S // 2
"""A new title ends a segment of the slate that is at least so long: players have a whole part of it."""
Clips = Mapping[str, SlateClip]


class SlateShelf:
    """Called on the loop. A new text needs a second or two; until then the old slate goes on. A new title (a hold's
    words are one) is there in some tenths of a second, as a short clip that takes more of a viewer's link until the
    long one is made.

    ``on_ready(kind)`` is called on the loop when the clips of a kind are new.
    """

    def __init__(
        self,
        rungs: Sequence[RungSpec],
        settings: MediaSettings,
        text: SlateText,
        loop: asyncio.AbstractEventLoop,
        *,
        segment_s: float = 2.0,
        on_ready: Callable[[str], None] | None = None,
    ) -> None:
        self._rungs = tuple(rungs)
        self._settings = settings
        self._loop = loop
        self._segment_s = segment_s
        self._on_ready = on_ready
        self._clips: dict[str, Clips] = {}
        self._stills: dict[str, bytes] = {}
        self._text = text
        self._title = text.title
        """That of the clips that are there."""
        self._made: dict[str, SlateText] = {}
        """Kind -> the words on its long clips."""
        self.titles = 0
        """Counts the new titles whose clips are ready: the slate then does not wait for its segment's end."""
        self._stop = threading.Event()
        self._worker = OrderedWorker("slate", niceness=NICENESS)
        self._prepare()

    def set_text(self, text: SlateText) -> None:
        """Make the slates anew if the text has changed. Slates with an earlier text that are being made are dropped."""
        if text != self._text:
            self._text = text
            self._prepare(soon=SLATE_KIND in self._clips and text.title != self._title)

    def clips(self, kind: str = SLATE_KIND) -> Clips:
        """The clip of each rendition. If the very first is not ready, a plain one is made at once, which blocks the
        caller for some tenths of a second; better wait for ``on_ready`` if there is time."""
        if kind not in self._clips:
            made = encode_clips(self._text, kind, self._rungs, self._settings, length_s=0)
            assert made is not None
            self._clips[kind] = made
        return self._clips[kind]

    def still(self, kind: str = SLATE_KIND) -> bytes | None:
        """A JPEG of the slate; None before the first is ready."""
        return self._stills.get(kind)

    def close(self) -> None:
        """Stop the thread without waiting."""
        self._stop.set()
        self._worker.close()

    def _prepare(self, *, soon: bool = False) -> None:
        self._stop.set()
        self._stop = threading.Event()
        # Only the newest text is made: older ones that have not begun are useless.
        self._worker.shed()
        if soon:
            self._worker.put(partial(self._make, self._text, SLATE_KIND, self._stop, 0.0), sheddable=True)
        for kind in KINDS:
            if self._made.get(kind) == _words(self._text, kind):
                continue
            self._worker.put(partial(self._make, self._text, kind, self._stop, self._segment_s), sheddable=True)

    def _make(self, text: SlateText, kind: str, stop: threading.Event, length_s: float) -> None:
        """Runs on the shelf's thread."""
        first = self._rungs[0]
        width = min(MAX_WIDTH, first.width)
        try:
            still = encode_jpeg(slate_image(width, first.height * width // first.width, text, kind))
            clips = encode_clips(text, kind, self._rungs, self._settings, length_s=length_s, stop=stop)
        except (av.FFmpegError, StreamerError, OSError) as error:
            log.warning("slate_not_made", kind=kind, error=str(error))
            return
        if clips is None or stop.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._ready, text, kind, clips, still, length_s == 0)
        except RuntimeError:
            # The loop is closed because the room process is about to end.
            stop.set()

    def _ready(self, text: SlateText, kind: str, clips: Clips, still: bytes, soon: bool) -> None:
        if text != self._text:
            return
        self.titles += soon
        if kind == SLATE_KIND:
            self._title = text.title
        self._clips[kind] = clips
        self._stills[kind] = still
        if soon:
            self._made.pop(kind, None)
        else:
            self._made[kind] = _words(text, kind)
        if self._on_ready is not None:
            self._on_ready(kind)


def _words(text: SlateText, kind: str) -> SlateText:
    """The words on a slate of ``kind``. A countdown's minutes do not stand on the one for sound alone."""
    return text if kind == SLATE_KIND else replace(text, text="")
