"""Login sessions behind cookies, and the instance's few secrets (the admin password's hash)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_hex

from sqlalchemy import delete, select, update

from streamer.passwords import SECRET_NAME as PASSWORD
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.tables import FIRST_ADMIN, logins, secrets
from streamer.store.writing import add_rows, put_row

SESSION_KEYS = "session_keys"
"""The name of the secret behind closed sessions' keys."""


@dataclass(frozen=True, slots=True)
class Login:
    """``secret_sha256`` is the digest of the cookie's secret; ``grant`` None: the admin, by password."""

    secret_sha256: bytes
    grant: str | None
    created_ms: int
    last_seen_ms: int
    expires_ms: int
    agent: str = ""
    """The browser's name for itself."""


_MAPPING = RowMapping(Login, logins)


class Logins(Repository):
    """One transaction's view of the login sessions. The deletion of a grant deletes its logins."""

    async def find(self, secret_sha256: bytes) -> Login | None:
        """Also finds expired ones: the caller has the clock."""
        query = select(logins).where(logins.c.secret_sha256 == secret_sha256)
        return await self._first(_MAPPING, query)

    async def by_prefixes(self, prefixes: Iterable[bytes]) -> dict[bytes, Login]:
        """Logins by the beginnings of their digests; a beginning of 12 bytes belongs to one login only."""
        found = {}
        for prefix in prefixes:
            query = select(logins).where(logins.c.secret_sha256 > prefix).order_by(logins.c.secret_sha256).limit(1)
            row = (await self._connection.execute(query)).first()
            if row is not None and row.secret_sha256.startswith(prefix):
                found[prefix] = _MAPPING.item(row)
        return found

    async def existing(self, digests: Iterable[bytes]) -> set[bytes]:
        """The digests among these that belong to a login."""
        asked = list(digests)
        if not asked:
            return set()
        query = select(logins.c.secret_sha256).where(logins.c.secret_sha256.in_(asked))
        return {row.secret_sha256 for row in await self._connection.execute(query)}

    async def of_grant(self, grant: str | None) -> list[Login]:
        """The logins of a grant, or the admin's; newest first."""
        query = select(logins).where(logins.c.grant_id == grant).order_by(logins.c.created_ms.desc())
        return await self._all(_MAPPING, query)

    async def add(self, login: Login) -> None:
        """Raises Unprocessable ``unknown_reference`` if the grant was revoked."""
        await add_rows(
            self._connection,
            logins,
            (_MAPPING.values(login),),
            taken="The login exists.",
            unknown="The grant has been revoked.",
        )

    async def touch(self, secret_sha256: bytes, last_seen_ms: int, expires_ms: int) -> None:
        await self._connection.execute(
            update(logins)
            .where(logins.c.secret_sha256 == secret_sha256)
            .values(last_seen_ms=last_seen_ms, expires_ms=expires_ms)
        )

    async def remove(self, secret_sha256: bytes) -> None:
        await self._connection.execute(delete(logins).where(logins.c.secret_sha256 == secret_sha256))

    async def remove_of_grant(self, grant: str | None, *, besides: bytes = b"") -> int:
        """Removes the logins of a grant or (None) the admin's, except the caller's own. Returns how many."""
        gone = await self._connection.execute(
            delete(logins).where(logins.c.grant_id == grant, logins.c.secret_sha256 != besides)
        )
        return gone.rowcount

    async def sweep(self, now_ms: int) -> int:
        """Removes expired logins. Returns how many."""
        return (await self._connection.execute(delete(logins).where(logins.c.expires_ms <= now_ms))).rowcount


class Secrets(Repository):
    """One transaction's view of the secrets, by name."""

    async def find(self, name: str) -> str | None:
        value: str | None = await self._connection.scalar(select(secrets.c.value).where(secrets.c.name == name))
        return value

    async def kept_key(self, name: str) -> bytes:
        """32 random bytes under ``name``, made at the first call. In a write transaction."""
        value = await self.find(name)
        if value is None:
            value = token_hex(32)
            await self.put(name, value)
        return bytes.fromhex(value)

    async def put(self, name: str, value: str) -> None:
        await put_row(self._connection, secrets, {"name": name}, {"value": value}, unknown="")

    async def put_password(self, hashed: str) -> None:
        """Set the admin's password: from now on there is an admin."""
        await self.put(PASSWORD, hashed)
        await self.remove(FIRST_ADMIN)

    async def remove(self, name: str) -> None:
        await self.take(name)

    async def take(self, name: str) -> bool:
        """Removes the secret. Of several that try only one is told True."""
        return bool((await self._connection.execute(delete(secrets).where(secrets.c.name == name))).rowcount)
