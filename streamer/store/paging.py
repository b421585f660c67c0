"""Cursors: where the next page of a list begins, opaque to clients."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, and_, or_

from streamer.errors import BadRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``cursor`` is None on the last page."""

    items: list[T]
    cursor: str | None


def encode_cursor(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode("utf-8")).decode("ascii").rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The id after which the page begins. Raises BadRequest ``bad_cursor``."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("utf-8")
    except (UnicodeError, binascii.Error, ValueError) as error:
        raise BadRequest("The cursor is not one that this list gave.", code="bad_cursor") from error


def page_of(rows: list[tuple[str, T]], limit: int) -> Page[T]:
    """``rows`` are ``(id, item)``, one more than ``limit`` where there is a next page."""
    items = [item for _, item in rows[:limit]]
    return Page(items, encode_cursor(rows[limit - 1][0]) if len(rows) > limit else None)


def pair_cursor(at: int, row_id: str) -> str:
    """For a list in the order of a number and, where it is the same, an id."""
    return f"{at}.{row_id}"


def after_pair(at: Column[Any], row_id: Column[Any], cursor: str, *, descending: bool = False) -> ColumnElement[bool]:
    """What stands behind ``cursor`` (decoded, of :func:`pair_cursor`). Raises BadRequest ``bad_cursor``."""
    number, dot, last_id = cursor.partition(".")
    digits = number.removeprefix("-")
    if not dot or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise BadRequest("The cursor is not one that this list gave.", code="bad_cursor")
    last = int(number)
    if descending:
        return or_(at < last, and_(at == last, row_id < last_id))
    return or_(at > last, and_(at == last, row_id > last_id))
