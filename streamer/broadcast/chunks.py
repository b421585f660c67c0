"""Looks up places of media bytes among many. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from streamer.broadcast.programme import Chunk


class ChunkSet:
    """Answers whether the bytes at ``(file, offset)`` lie in one of the chunks, which may overlap."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        by_file: dict[str, list[tuple[int, int]]] = {}
        for chunk in chunks:
            # In memory an offset is only a name: no other bytes lie beside it.
            end = chunk.offset + (chunk.size if chunk.file else 1)
            by_file.setdefault(chunk.file, []).append((chunk.offset, end))
        self.runs: dict[str, list[tuple[int, int]]] = {file: _joined(spans) for file, spans in by_file.items()}
        """File -> ``(offset, end)`` of each run of bytes, in order; runs that touch are joined."""

    def __contains__(self, place: tuple[str, int]) -> bool:
        file, offset = place
        runs = self.runs.get(file)
        if runs is None:
            return False
        index = bisect_right(runs, (offset, 1 << 62)) - 1
        return index >= 0 and offset < runs[index][1]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out
