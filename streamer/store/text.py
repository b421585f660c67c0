"""Text as both databases hold it: PostgreSQL has no NUL, and lone surrogates are no UTF-8.

Columns of these types take any ``str``, to store as to look for: what nobody could store is found nowhere, and a
schedule with an odd character is stored without it. Neither is an error of the database's.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.types import TypeDecorator


def storable(text: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class String(TypeDecorator[str]):
    """Of limited length."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class UnboundedText(TypeDecorator[str]):
    """Of any length."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)
