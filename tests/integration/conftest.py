"""One PostgreSQL for all modules of a worker."""

from __future__ import annotations

from tests.fakes.stores import postgres, store_url

__all__ = ["postgres", "store_url"]
