"""Receivers of messages about alarms, on loopback: webhooks, a push service, mail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LOCAL = {"allow_networks": ["127.0.0.0/8"]}
"""``schedules`` settings with which these may be reached."""


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class HttpReceiver:
    """Answers ``statuses`` one after the other, then 204. ``answer`` decides for itself."""

    server: TestServer = field(init=False)
    got: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answer: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
    hangs: bool = False

    def url(self, path: str = "/") -> str:
        return str(self.server.make_url(path))

    async def take(self, request: web.Request) -> web.StreamResponse:
        if self.hangs:
            await asyncio.Event().wait()
        own = self.answer(request)
        if own is not None:
            return own
        status = self.statuses.pop(0) if self.statuses else 204
        self.got.append(Received(request.path, dict(request.headers), await request.read()))
        return web.Response(status=status)


@asynccontextmanager
async def http_receiver(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    receiver.server = TestServer(app, host=host, port=port)
    await receiver.server.start_server()
    try:
        yield receiver
    finally:
        await receiver.server.close()


class Browser:
    """A browser's side of Web Push (RFC 8291): a subscription, and the decryption of what comes for it."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | None = None, auth: bytes = b"0123456789abcdef") -> None:
        self._private = private or ec.generate_private_key(ec.SECP256R1())
        self._auth = auth
        self._point = _point(self._private.public_key())

    def subscription(self, endpoint: str) -> dict[str, Any]:
        keys = {"p256dh": _text(self._point), "auth": _text(self._auth)}
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size <= 4096
        shared = self._private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        key = _derived(shared, self._auth, b"WebPush: info\0" + self._point + theirs, 32)
        content_key = _derived(key, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derived(key, salt, b"Content-Encoding: nonce\0", 12)
        plain = AESGCM(content_key).decrypt(nonce, sealed, None)
        assert plain.endswith(b"\x02")
        return plain[:-1]


def vapid_claims(authorization: str) -> dict[str, Any]:
    """The claims of the server's token, checked by the key beside it."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key = urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    claims: dict[str, Any] = jwt.decode(parts["t"], public, ["ES256"], options={"verify_aud": False})
    return claims


@dataclass
class MailReceiver:
    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RFC 5321, as much of it as a sender needs."""
        writer.write(b"220 receiver\r\n")
        try:
            while line := await reader.readline():
                verb = line.split(b" ")[0].strip().upper()
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    data = await reader.readuntil(b"\r\n.\r\n")
                    made = email.message_from_bytes(data[:-5].replace(b"\r\n..", b"\r\n."), policy=email.policy.default)
                    assert isinstance(made, EmailMessage)
                    self.got.append(made)
                elif verb == b"RCPT":
                    self.to.append(line.decode().strip())
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                writer.write(b"250 receiver\r\n" if verb in (b"EHLO", b"HELO") else b"250 ok\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def mail_receiver() -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _derived(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, info).derive(secret)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
