"""Participants' identities: an id that cannot be guessed and the time of its making, signed, in a cookie. No account,
and no row in the database before the participant says something."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

COOKIE = "streamer_participant"
SECRET_NAME = "audience_key"  # noqa: S105 - the name of the row, not the secret
_MAC_BYTES = 16
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class ParticipantIdentity:
    """``since_ms``: UTC milliseconds."""

    id: str
    since_ms: int


class Identities:
    """``key``: at least 32 random bytes that the instance keeps."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, now_ms: int) -> tuple[ParticipantIdentity, str]:
        identity = ParticipantIdentity(f"p{secrets.token_hex(8)}", now_ms)
        return identity, self.token(identity)

    def token(self, identity: ParticipantIdentity) -> str:
        body = f"{identity.id}.{identity.since_ms}"
        return f"{body}.{self._mac(body)}"

    def read(self, token: str) -> ParticipantIdentity | None:
        """None for a token that this instance has not made."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        body, _, mac = token.rpartition(".")
        name, _, since = body.partition(".")
        if not hmac.compare_digest(mac, self._mac(body)) or not since.isdigit():
            return None
        return ParticipantIdentity(name, int(since))

    def _mac(self, body: str) -> str:
        digest = hmac.new(self._key, body.encode(), hashlib.sha256).digest()[:_MAC_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
