"""The bytes of recent parts in a web process. Bounded in bytes; used on the loop."""

from __future__ import annotations

from collections import OrderedDict

from streamer.broadcast.chunks import ChunkSet

Place = tuple[str, int]
"""(file, offset) of a :class:`streamer.broadcast.programme.Chunk`. It names the same bytes for ever."""


class PartCache:
    """The least recently used bytes leave first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._items: OrderedDict[Place, bytes] = OrderedDict()
        self.size = 0
        """The number of bytes in the cache."""
        self.hits = 0
        self.misses = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._items)

    def get(self, place: Place) -> bytes | None:
        data = self._items.get(place)
        if data is None:
            self.misses += 1
            return None
        self.hits += 1
        self._items.move_to_end(place)
        return data

    def put(self, place: Place, data: bytes) -> None:
        """Keep the bytes, and drop those that were unused longest for them. Data larger than the whole cache is not
        kept."""
        old = self._items.pop(place, None)
        if old is not None:
            self.size -= len(old)
        if len(data) > self._max_bytes:
            return
        self._items[place] = data
        self.size += len(data)
        while self.size > self._max_bytes:
            _, gone = self._items.popitem(last=False)
            self.size -= len(gone)
            self.evicted += 1

    def drop(self, chunks: ChunkSet) -> None:
        """Drop the bytes of these chunks."""
        for place in [place for place in self._items if place in chunks]:
            self.size -= len(self._items.pop(place))

    def clear(self) -> None:
        self._items.clear()
        self.size = 0
