"""Several runs of bytes as one, as decoders are given them (:mod:`streamer.control.decoders`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def joined(runs: Iterable[bytes]) -> bytes:
    """Runs of bytes as one, each with its size before it (4 bytes, big-endian)."""
    return b"".join(len(run).to_bytes(4, "big") + run for run in runs)


def runs_in(data: bytes) -> Iterator[bytes]:
    """The runs that :func:`joined` made one."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size
