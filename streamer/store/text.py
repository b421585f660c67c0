"""Text that both databases can hold: PostgreSQL has no NUL, and lone surrogates are no UTF-8.

Columns of these types accept any ``str``, for storing and for searching: a text that cannot be stored is found nowhere,
and a schedule with an odd character is stored without it. Neither is an error of the database.
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
    """Text of limited length."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class UnboundedText(TypeDecorator[str]):
    """Text of any length."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)
