"""Keys of closed sessions: ``{holder}.{mac}``, made and checked with a stored secret. Pure.

A key names its holder, so that it ends with the holder's rights: the web plane checks at each request whether the
holder may still see the session (:mod:`streamer.api.session_keys`). Keys are not stored, and no other process knows
them.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256

from streamer.conference.sessions import Session, Visibility

LINK = "link"
"""The holder of an unlisted session's shared link: everybody who has it. No grant's id is as short."""
MAC_BYTES = 18
MAX_KEY = 120
"""Characters. Our keys are never longer."""
_OPENNESS = {Visibility.PUBLIC: 2, Visibility.UNLISTED: 1, Visibility.PRIVATE: 0}


def key_of(secret: bytes, session: Session, holder: str) -> str:
    """The key that opens ``session`` to ``holder`` (a grant's id, a login's, or :data:`LINK`)."""
    return f"{holder}.{_mac(secret, session, holder)}"


def holder_of(secret: bytes, session: Session, key: str) -> str | None:
    """The holder of a key of ``session``; None if it was not made here, or for an older generation."""
    holder, dot, mac = key.rpartition(".")
    if not (dot and holder and len(key) <= MAX_KEY and key.isascii()):
        return None
    return holder if hmac.compare_digest(mac, _mac(secret, session, holder)) else None


def admin_holder(secret: bytes, admin_token: str) -> str:
    """The holder for the environment's admin token: another token is another holder."""
    return f"admin-{_text(hmac.digest(secret, f'admin token {admin_token}'.encode(), sha256)[:9])}"


def with_generation(before: Session, after: Session) -> Session:
    """``after`` with its generation: one more than ``before`` if fewer people may see it, else the same.

    A generation never goes back, so an old key never opens the session again.
    """
    tightened = _OPENNESS[after.visibility] < _OPENNESS[before.visibility]
    return replace(after, generation=before.generation + tightened)


def _mac(secret: bytes, session: Session, holder: str) -> str:
    said = f"{session.id}\n{session.generation}\n{holder}".encode()
    return _text(hmac.digest(secret, said, sha256)[:MAC_BYTES])


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
