"""PostgreSQL, where it is installed."""

from tests.fakes.stores import postgres

__all__ = ["postgres"]
