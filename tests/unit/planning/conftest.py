"""Imports run with SQLite and, where it is installed, with PostgreSQL."""

from tests.fakes.stores import postgres, postgres_with_tables, store, store_url

__all__ = ["postgres", "postgres_with_tables", "store", "store_url"]
