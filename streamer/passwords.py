"""The admin password: its strength, its hash, its check. Blocking: argon2 needs time and 64 MiB on purpose."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from streamer.errors import Unprocessable

SECRET_NAME = "admin_password"  # noqa: S105
"""The name of the hash in the store."""
MIN_LENGTH = 12
MAX_BYTES = 1024
"""Longer input is refused before it is hashed."""

_HASHER = PasswordHasher()


@cache
def _nobodys() -> str:
    """The hash for the comparison if no password is set, so that both cases take the same time."""
    return _HASHER.hash("nobody's password")


def check_strength(password: str) -> None:
    """Raises Unprocessable ``weak_password``. Only the length counts; rules about characters make people write it
    down."""
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
    """Whether it is the password. ``stored`` None: none is set, so no password matches."""
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        return False
    try:
        return _HASHER.verify(stored if stored is not None else _nobodys(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)
