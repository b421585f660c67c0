"""Imports run with SQLite and, where it is installed, with PostgreSQL."""

from tests.fakes.loops import _function_scoped_runner
from tests.fakes.stores import postgres, postgres_with_tables, store, store_url

__all__ = ["_function_scoped_runner", "postgres", "postgres_with_tables", "store", "store_url"]
