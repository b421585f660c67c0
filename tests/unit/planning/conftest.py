"""Imports run with SQLite and, where it is installed, with PostgreSQL."""

from tests.fakes.stores import postgres, store, store_url

__all__ = ["postgres", "store", "store_url"]
