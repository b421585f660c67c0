"""The bytes of the newest parts, in memory. Used on the room process's loop only."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.programme import TICKS_PER_S, Chunk


class Ring:
    """Bytes by ``(file, offset)``, the oldest first; bounded by ``seconds`` of media time and by ``max_bytes``."""

    def __init__(self, seconds: float, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._ticks = int(seconds * TICKS_PER_S)
        self._max_bytes = max_bytes
        self._held: dict[tuple[str, int], tuple[int, Chunk, bytes]] = {}
        self._newest = 0
        self.bytes = 0

    def put(self, chunk: Chunk, start: int, data: bytes) -> None:
        """Keep the bytes of a part that begins at ``start`` ticks; the oldest make room."""
        self._newest = max(self._newest, start)
        self._held[(chunk.file, chunk.offset)] = (start, chunk, data)
        self.bytes += len(data)
        while self._held:
            key, (oldest, _, old) = next(iter(self._held.items()))
            # Tracks lag behind one another, so the order is only nearly that of time.
            if self.bytes <= self._max_bytes and oldest >= self._newest - self._ticks:
                return
            del self._held[key]
            self.bytes -= len(old)

    def drop(self, chunks: ChunkSet) -> None:
        """Drop the bytes of these chunks."""
        for key in [key for key in self._held if key in chunks]:
            self.bytes -= len(self._held.pop(key)[2])

    def get(self, file: str, offset: int) -> bytes | None:
        found = self._held.get((file, offset))
        return found[2] if found is not None else None

    def items(self) -> Iterator[tuple[Chunk, bytes]]:
        """Oldest first."""
        for _, chunk, data in self._held.values():
            yield chunk, data

    def __len__(self) -> int:
        return len(self._held)
