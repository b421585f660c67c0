"""Connections that ended by themselves, whose clients may still send a DELETE."""

from __future__ import annotations

MAX = 256


class EndedConnections:
    """The latest of them, by their resources."""

    def __init__(self) -> None:
        self._resources: dict[str, None] = {}

    def add(self, resource: str) -> None:
        self._resources[resource] = None
        while len(self._resources) > MAX:
            del self._resources[next(iter(self._resources))]

    def has(self, resource: str) -> bool:
        return resource in self._resources

    def settle(self, resource: str) -> bool:
        """Whether it is one of them. It is forgotten then: its DELETE has come."""
        known = resource in self._resources
        self._resources.pop(resource, None)
        return known
