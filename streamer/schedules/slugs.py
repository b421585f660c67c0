"""Slugs of sessions in the form of the official schemas, unique in a document. Pure."""

from __future__ import annotations

import re

_XML = re.compile(r"[a-z0-9_]{4,}-[a-z0-9\-_]{4,}")
_JSON = re.compile(r"[a-z0-9_-]+[a-z0-9]")


class Slugs:
    """The slugs of one document."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def xml(self, slug: str) -> str:
        """The item's own, or empty: the XSD has it only if it does not follow from the title."""
        return self._take(slug) if _XML.fullmatch(slug) and slug not in self._taken else ""

    def json(self, slug: str, otherwise: str) -> str:
        """The item's own, else ``otherwise``, which must be unique: the schema needs one."""
        return self._take(slug if _JSON.fullmatch(slug) and slug not in self._taken else otherwise)

    def _take(self, slug: str) -> str:
        self._taken.add(slug)
        return slug
