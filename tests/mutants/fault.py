"""The form of a fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    module: str
    before: str
    after: str
    test: str
    """The id of a test that catches it; alone it takes a few seconds."""
    about: str
