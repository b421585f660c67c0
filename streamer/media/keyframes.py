"""Requests for key frames from the programme to its sources, limited in rate."""

from __future__ import annotations

from typing import Protocol

from streamer.media.switch import NS

ASK_NS = 3 * NS // 10


class Publishers(Protocol):
    """The connections that send the sources."""

    def request_keyframe(self, source: str) -> None: ...


class KeyframeRequests:
    """Times are monotonic, in nanoseconds."""

    def __init__(self, publishers: Publishers) -> None:
        self._publishers = publishers
        self._asked_ns: dict[str, int] = {}

    def want(self, source: str, now_ns: int) -> None:
        """Send a request, unless one was sent a moment ago."""
        if now_ns - self._asked_ns.get(source, 0) >= ASK_NS:
            self.ask(source, now_ns)

    def ask(self, source: str, now_ns: int) -> None:
        self._asked_ns[source] = now_ns
        self._publishers.request_keyframe(source)

    def clear(self) -> None:
        """Forget the last requests, so that the next one is sent at once."""
        self._asked_ns.clear()
