"""The web process that directs: one row, with an epoch that grows when another process takes over.

No machine's clock matters: a waiting process measures by its own clock how long the holder's ``sign`` has not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, text, update

from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.tables import directors

_ROW = 1


@dataclass(frozen=True, slots=True)
class DirectorHolder:
    """The row. ``holder``: a data folder's own id; empty: no process directs. The other fields are for people."""

    epoch: int = 0
    holder: str = ""
    sign: int = 0
    """Grows as long as the holder lives."""
    since_ms: int = 0
    host: str = ""
    pid: int = 0
    folder: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, data folder {self.folder}, epoch {self.epoch}"


_MAPPING = RowMapping(DirectorHolder, directors)
_HOLDER = select(directors).where(directors.c.id == _ROW)
_WITH_REVISION = select(directors, text("(SELECT version_num FROM alembic_version) AS revision")).where(
    directors.c.id == _ROW
)


class Directors(Repository):
    """One transaction's view. All changes compare and set: False means that another process was faster."""

    async def holder(self) -> DirectorHolder:
        return _MAPPING.item((await self._connection.execute(_HOLDER)).one())

    async def holder_and_revision(self) -> tuple[DirectorHolder, str]:
        """With the schema's revision: a newer program of another process may have changed it."""
        row = (await self._connection.execute(_WITH_REVISION)).one()
        return _MAPPING.item(row), str(row.revision)

    async def take(self, seen: DirectorHolder, by: DirectorHolder, *, idle: bool) -> bool:
        """Replace ``seen`` by ``by``, with a higher epoch. ``idle``: only while its sign has not changed."""
        unmoved = (directors.c.sign == seen.sign,) if idle else ()
        values = _MAPPING.values(by) | {"sign": directors.c.sign + 1}
        return await self._change(seen, values, *unmoved)

    async def sign(self, mine: DirectorHolder) -> bool:
        return await self._change(mine, {"sign": directors.c.sign + 1})

    async def release(self, mine: DirectorHolder) -> bool:
        """From now on no process directs; the next one need not wait."""
        return await self._change(mine, {"holder": ""})

    async def _change(self, of: DirectorHolder, values: dict[str, object], *more: object) -> bool:
        where = (directors.c.id == _ROW, directors.c.epoch == of.epoch, directors.c.holder == of.holder, *more)
        done = await self._connection.execute(update(directors).where(*where).values(values))  # type: ignore[arg-type]
        return bool(done.rowcount)
