"""The admin password: how it is judged, hashed and checked. Blocking: argon2 takes its time and 64 MiB on purpose."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from streamer.errors import Unprocessable

SECRET_NAME = "admin_password"  # noqa: S105
"""Under which the store keeps the hash."""
MIN_LENGTH = 12
MAX_BYTES = 1024
"""Longer input is refused before it is hashed."""

_HASHER = PasswordHasher()


@cache
def _nobodys() -> str:
    """Compared with where no password is set, so that both take as long."""
    return _HASHER.hash("nobody's password")


def check_strength(password: str) -> None:
    """Raises Unprocessable ``weak_password``. Length is what counts; rules for signs make people write it down."""
    if len(password) < MIN_LENGTH or len(set(password)) < 5:
        raise Unprocessable(
            f"A password has at least {MIN_LENGTH} characters, not all alike.",
            code="weak_password",
            details={"min_length": MIN_LENGTH},
        )
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        raise Unprocessable("The password is too long.", code="weak_password", details={"max_bytes": MAX_BYTES})


def hash_password(password: str) -> str:
    """An argon2id hash with its parameters, as PHC string."""
    return _HASHER.hash(password)


def password_matches(password: str, stored: str | None) -> bool:
    """Whether it is the password. ``stored`` None: none is set, nothing matches."""
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        return False
    try:
        return _HASHER.verify(stored if stored is not None else _nobodys(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)
