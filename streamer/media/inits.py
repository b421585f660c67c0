"""The init sections of a broadcast. On the loop."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.broadcast.programme import InitSection
from streamer.formats import cmaf
from streamer.formats.types import TrackConfig


class Inits:
    """The init sections of a broadcast, shared by its outputs: one id for each different one of a rendition."""

    def __init__(self, known: Iterable[InitSection] = ()) -> None:
        self._ids: dict[tuple[str, bytes], int] = {(init.rendition, init.data): init.id for init in known}
        self._by_config: dict[tuple[str, TrackConfig], int] = {}
        self._next = max(self._ids.values(), default=0) + 1

    def find(self, rendition: str, config: TrackConfig) -> tuple[int, InitSection | None]:
        """The id of the init section for ``config``, and the section itself if it is new.

        Raises ValueError for parameter sets that cannot be read.
        """
        known = self._by_config.get((rendition, config))
        if known is not None:
            return known, None
        data = cmaf.init_section(config)
        made: InitSection | None = None
        number = self._ids.get((rendition, data))
        if number is None:
            number, self._next = self._next, self._next + 1
            self._ids[(rendition, data)] = number
            made = InitSection(number, rendition, config.codecs, data)
        self._by_config[(rendition, config)] = number
        return number, made
