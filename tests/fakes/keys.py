"""Keys of closed sessions that a test gives and takes back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class FakeOpened:
    output: str
    unpublished: bool
    cuts: bool = False
    finished_only: bool = False
    holds: bool = True
    ends: list[Callable[[], None]] = field(default_factory=list)

    def on_end(self, callback: Callable[[], None], /) -> Callable[[], None]:
        self.ends.append(callback)
        return lambda: self.ends.remove(callback)


class FakeKeys:
    """A key in ``known`` opens its output or session; no key opens public ones."""

    def __init__(self, catalogue: Any = None) -> None:
        self.known: dict[str, str] = {}
        self.links: set[str] = set()
        """Keys of shared links, which open nothing before it is published."""
        self.crew: set[str] = set()
        """Keys of people who may see what is cut away."""
        self.opened: list[tuple[str | None, FakeOpened]] = []
        self._catalogue = catalogue

    async def open_live(self, room: str, outputs: Collection[str], key: str, /) -> FakeOpened | None:
        output = self.known.get(key)
        return self._open(key, output) if output is not None and output in outputs else None

    async def open_replay(self, session: str, key: str | None, /) -> FakeOpened | None:
        if key is not None:
            return self._open(key, "") if self.known.get(key) == session else None
        state = await self._catalogue.find(session)
        return self._open(None, "") if state is not None and not state.closed else None

    def revoke(self, key: str | None) -> None:
        """At once, also for open accesses. None: public ones are closed."""
        if key is not None:
            del self.known[key]
        for by, opened in self.opened:
            if by == key:
                opened.holds = False
                for callback in list(opened.ends):
                    callback()

    def _open(self, key: str | None, output: str) -> FakeOpened:
        opened = FakeOpened(output, key is not None and key not in self.links, key in self.crew)
        self.opened.append((key, opened))
        return opened
