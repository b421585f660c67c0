"""One connection to a NATS server, and in words why there is none. On the loop.

All use of nats-py's private parts stands here; its release is pinned.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamer.errors import StreamerError
from streamer.sections import BusSettings

try:
    from nats import errors
    from nats.aio.client import Client
    from nats.errors import Error, SlowConsumerError
except ImportError as missing:  # an optional package
    raise StreamerError(
        "nats-py is not installed: pipx inject streamer nats-py", code="bus_failed", status=503
    ) from missing

__all__ = [
    "Access",
    "BusFailed",
    "Error",
    "NatsConnection",
    "SlowConsumerError",
    "connected",
    "is_refusal",
    "not_allowed",
]

Role = Literal["core", "front"]

CONNECT_S = 3
"""For all of it: the name, TCP, TLS, and that the server knows us."""
SHUT_S = 1.0
LEAST_PAYLOAD = 4 * 1024 * 1024
"""Bytes. What a person gets who joins a lively audience fits in; NATS's own default of 1 MB is too small."""
UNSENT_BYTES = 2 * 1024 * 1024
"""With more of them, sending waits until the server takes some."""

_DEFAULT_PORT = 4222
_JWT = re.compile(r"BEGIN NATS USER JWT-+\s+(\S+)")
_SEED = re.compile(r"BEGIN USER NKEY SEED-+\s+(\S+)")
_REFUSAL = "permissions violation"


class BusFailed(StreamerError):
    """There is no connection; the message says why, in words for the operator."""

    code, status = "bus_failed", 503


@dataclass(frozen=True, slots=True)
class Access:
    """The server's address, and that by which it knows this process."""

    url: str
    role: Role
    credentials: Path | None = None
    ca: Path | None = None

    @classmethod
    def of(cls, settings: BusSettings, role: Role) -> Access:
        credentials = settings.core_credentials if role == "core" else settings.front_credentials
        return cls(settings.url, role, credentials, settings.ca)

    @property
    def _wants_tls(self) -> bool:
        return self.url.startswith("tls:")

    def options(self) -> dict[str, Any]:
        """Of nats-py's connect. Reads the files. Raises BusFailed where they cannot work."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        made: dict[str, Any] = {
            "servers": f"{parts.scheme}://{host}:{parts.port or _DEFAULT_PORT}",
            "name": f"streamer {self.role}",
        }
        if self._wants_tls:
            try:
                made["tls"] = ssl.create_default_context(cafile=self.ca)
            except (OSError, ssl.SSLError) as error:
                raise BusFailed(f"bus.ca, {self.ca}, holds no certificate that can be read ({error})") from error
        if self.credentials is not None:
            made |= self._known_by(self.credentials)
        return made

    def _known_by(self, file: Path) -> dict[str, Any]:
        setting = f"bus.{self.role}_credentials"
        try:
            text = file.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise BusFailed(f"{setting}, {file}, cannot be read ({error})") from error
        if _JWT.search(text):
            return _signing(text, f"{setting}, {file},")
        user, _, password = text.strip().partition(":")
        if not user or not password or "\n" in password:
            raise BusFailed(f"{setting}, {file}, has neither a line user:password nor credentials as nsc writes them")
        return {"user": user, "password": password}

    def words(self, error: BaseException) -> str:
        """Why there is no connection, from what nats-py raised."""
        text = str(error).removeprefix("nats: ").strip("'\" .")
        known = text.lower()
        match error:
            case BusFailed():
                return error.message
            case ssl.SSLCertVerificationError():
                why = error.verify_message.rstrip(".")
                return f"{self.url}: its certificate is not valid here ({why}); bus.ca names who signed it"
            case ssl.SSLError():
                return f"{self.url}: TLS fails ({error.reason or text})"
            case socket.gaierror():
                return f"{self.url}: there is no such name ({error.strerror})"
            case TimeoutError() | asyncio.TimeoutError():
                return f"{self.url} does not answer within {CONNECT_S} s"
            case OSError():
                # asyncio tells of several addresses in one text.
                number = error.errno or int((re.findall(r"Errno (\d+)", text) or [0])[0])
                return f"{self.url} is not reached ({os.strerror(number) if number else text})"
        if "authorization violation" in known or "authentication" in known:
            if self.credentials is None:
                return f"{self.url} wants to know who connects: bus.{self.role}_credentials is not set"
            return f"{self.url} does not know the user in {self.credentials}, or its password is wrong"
        if "expecting info" in known or "json parse" in known:
            return f"{self.url}: what answers there is no NATS server"
        return f"{self.url}: {text or type(error).__name__}"


def _signing(text: str, where: str) -> dict[str, Any]:
    """Credentials as nsc writes them: a token that names the user, and the key that signs what the server asks. nats-py
    wants two more libraries for that."""
    token, seed = _JWT.search(text), _SEED.search(text)
    try:
        assert token is not None
        # Two bytes say whose key it is, 32 are the key, two its checksum.
        raw = base64.b32decode(seed[1] + "=" * (-len(seed[1]) % 8)) if seed else b""
        key = Ed25519PrivateKey.from_private_bytes(raw[2:34])
    except ValueError as error:
        raise BusFailed(f"{where} has no key that can be read") from error
    return {
        "user_jwt_cb": token[1].encode,
        "signature_cb": lambda nonce: base64.b64encode(key.sign(nonce.encode())),
    }


def is_refusal(error: Exception) -> str | None:
    """The server's words of what the user may not do, such as *publish to "front.1"*; None for another error."""
    _, found, what = str(error).lower().partition(f"{_REFUSAL} for ")
    return what.strip("' ").replace("subscription", "subscribe") if found else None


def not_allowed(access: Access, refused: Iterable[str]) -> BusFailed:
    what = " or ".join(sorted(set(refused)))
    return BusFailed(f"{access.url} does not let the {access.role} {what}: use the rules of configs/bus/nats.conf")


class NatsConnection(Client):
    """nats-py's client without its reconnections: it hangs where a server is silent, and ends for good at an error that
    passes. Each attempt is a new client, so that nothing of a former one is left."""

    def __init__(self, access: Access) -> None:
        """Raises BusFailed."""
        super().__init__()
        self.ended = asyncio.Event()
        self._access, self._options = access, access.options()
        self._told: Exception | None = None

    async def begin(self, on_error: Callable[[Exception], None]) -> None:
        """``on_error`` is told what the server or nats-py complains of. Raises BusFailed."""

        async def complained(error: Exception) -> None:
            self._told = error
            on_error(error)

        async def closed() -> None:
            self.ended.set()

        try:
            async with asyncio.timeout(CONNECT_S):
                await self.connect(
                    **self._options,
                    error_cb=complained,
                    closed_cb=closed,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_S,
                    pending_size=UNSENT_BYTES,
                    flush_timeout=CONNECT_S,
                )
        except (OSError, Error, ValueError, TimeoutError) as error:
            # NoServersError says only that all have failed.
            cause = self._told if isinstance(error, errors.NoServersError) and self._told is not None else error
            raise BusFailed(self._access.words(cause)) from error
        if self.max_payload < LEAST_PAYLOAD:
            raise BusFailed(
                f"{self._access.url} takes messages of {self.max_payload} bytes at most: max_payload must be "
                f"{LEAST_PAYLOAD} or more, as in configs/bus/nats.conf"
            )

    async def settled(self) -> None:
        """Returns when the server has all that was sent before, and its complaints have been told. Raises nats-py's
        errors."""
        # The first one overtakes what is sent.
        for _ in range(2):
            await self.flush(CONNECT_S)

    async def end(self) -> None:
        """Also where the server is silent: then what waits to be sent is given up."""
        with contextlib.suppress(TimeoutError, OSError, Error):
            async with asyncio.timeout(SHUT_S):
                await self.close()
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
        self.ended.set()

    def _connect_command(self) -> bytes:
        # nats-py would send the password in clear to whoever says that it has no TLS.
        if self._access.url.startswith("tls:") and not self._server_info.get("tls_required"):
            raise BusFailed(f"{self._access.url} offers no TLS: nats:// goes without it")
        if not self._server_info.get("headers"):
            raise BusFailed(f"{self._access.url} runs NATS {self._server_info.get('version')}: 2.2 or later is needed")
        command: bytes = super()._connect_command()
        return command


@contextlib.asynccontextmanager
async def connected(access: Access, on_error: Callable[[Exception], None]) -> AsyncIterator[NatsConnection]:
    """Raises BusFailed."""
    connection = NatsConnection(access)
    try:
        await connection.begin(on_error)
        yield connection
    finally:
        await connection.end()
