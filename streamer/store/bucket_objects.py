"""Objects of the archive in a bucket. A row is written before its object is, and goes after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, insert, select, update

from streamer.store.archive_tables import bucket_objects
from streamer.store.bulk import batches
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository


class ObjectState(StrEnum):
    SENDING = "sending"
    """It may be there: it is being sent, or that was broken off."""
    KEPT = "kept"
    """It is there, and was compared with its file."""
    GOING = "going"
    """It is to be deleted."""


@dataclass(frozen=True, slots=True)
class BucketObject:
    key: str
    """With a part that cannot be guessed, and that no other object ever had."""
    address: str
    """The bucket: ``s3://bucket/prefix``."""
    file: str
    """The name of the media file in recordings' folders."""
    state: ObjectState
    at_ms: int
    """When it was first sent."""
    size_bytes: int = 0
    changed_ns: int = 0
    """The time of the file's last change when it was sent. A file that was changed since, was erased in part."""
    digest: str = ""
    """SHA-256 of the bytes, in hexadecimal."""

    @property
    def form(self) -> tuple[int, int]:
        """Size and time of the last change of the file that it is a copy of."""
        return self.size_bytes, self.changed_ns


_OBJECTS = RowMapping(BucketObject, bucket_objects)


class BucketObjects(Repository):
    async def all(self) -> list[BucketObject]:
        return await self._all(_OBJECTS, select(bucket_objects))

    async def add(self, *objects: BucketObject) -> None:
        await self._connection.execute(insert(bucket_objects), [_OBJECTS.values(one) for one in objects])

    async def save(self, one: BucketObject) -> None:
        values = _OBJECTS.values(one)
        await self._connection.execute(update(bucket_objects).where(bucket_objects.c.key == one.key).values(values))

    async def remove(self, keys: Collection[str]) -> None:
        for some in batches(sorted(keys)):
            await self._connection.execute(delete(bucket_objects).where(bucket_objects.c.key.in_(some)))
