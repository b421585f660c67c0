"""Web Push: the server's key (VAPID, RFC 8292) and the encryption of a message for one browser (RFC 8291)."""

from __future__ import annotations

import os
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streamer.control.process_files import write_atomically
from streamer.data_folder import PUSH_KEY
from streamer.errors import Unprocessable

RECORD_BYTES = 4096
"""RFC 8291, 4: a push service need not take more; the whole message is one record."""
MOST_BYTES = RECORD_BYTES - 103
"""Of a message before encryption: header (86), tag (16) and delimiter (1) come with it."""
TOKEN_S = 12 * 3600
_POINT_BYTES, _AUTH_BYTES, _SALT_BYTES = 65, 16, 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's keys, base64url, as its ``PushSubscription`` tells them."""

    p256dh: str
    auth: str


class ServerKey:
    """The server's key pair. A browser's subscription belongs to it: another one would end all of them."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private

    @property
    def public(self) -> str:
        """The ``applicationServerKey`` of subscriptions, base64url."""
        return encoded(_point(self._private.public_key()))

    def authorization(self, endpoint: str, contact: str) -> str:
        """The Authorization header for a push service. ``contact``: a mailto: or https: address."""
        # Here: most servers push nothing, and it takes long to import.
        import jwt

        parts = urlsplit(endpoint)
        # RFC 8292, 2: "aud" is the origin of the push resource; "exp" is 24 hours away at most.
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(time.time()) + TOKEN_S, "sub": contact}
        return f"vapid t={jwt.encode(claims, self._private, algorithm='ES256')}, k={self.public}"


def kept_key(data: Path) -> ServerKey:
    """The key in the data folder; the first call makes it. Blocking. Raises OSError, ValueError."""
    path = data / PUSH_KEY
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(path, pem)
        return ServerKey(made)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} has no key for Web Push")
    return ServerKey(private)


@dataclass(frozen=True, slots=True)
class Chance:
    """The random parts of a message."""

    private: ec.EllipticCurvePrivateKey
    salt: bytes


def encrypt(message: bytes, subscription: Subscription, chance: Chance | None = None) -> bytes:
    """The body of a push, ``Content-Encoding: aes128gcm``. Raises Unprocessable ``bad_subscription``; ValueError for
    more than :data:`MOST_BYTES`."""
    if len(message) > MOST_BYTES:
        raise ValueError("too long for a push")
    chance = chance or Chance(ec.generate_private_key(ec.SECP256R1()), os.urandom(_SALT_BYTES))
    their_point, auth = check_subscription(subscription)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), their_point)
    own_point = _point(chance.private.public_key())
    shared = chance.private.exchange(ec.ECDH(), theirs)
    # RFC 8291, 3.4
    key = _derived(shared, auth, b"WebPush: info\0" + their_point + own_point, 32)
    # RFC 8188, 2.2 and 2.3
    content_key = _derived(key, chance.salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(key, chance.salt, b"Content-Encoding: nonce\0", 12)
    header = chance.salt + struct.pack("!IB", RECORD_BYTES, len(own_point)) + own_point
    # RFC 8188, 2: the delimiter of the last record is 2.
    return header + AESGCM(content_key).encrypt(nonce, message + b"\x02", None)


def check_subscription(subscription: Subscription) -> tuple[bytes, bytes]:
    """The browser's public point and secret. Raises Unprocessable ``bad_subscription``."""
    try:
        point, auth = decoded(subscription.p256dh), decoded(subscription.auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise _bad() from error
    if len(point) != _POINT_BYTES or len(auth) != _AUTH_BYTES:
        raise _bad()
    return point, auth


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """Raises ValueError."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def _bad() -> Unprocessable:
    return Unprocessable("The subscription's keys are not those of a browser.", code="bad_subscription")


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _derived(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, info).derive(secret)
