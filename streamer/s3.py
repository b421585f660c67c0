"""A bucket of an S3 store, by ``obstore``, as backups and the archive open it.

``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL``, ``AWS_REGION`` and, for a store without TLS,
``AWS_ALLOW_HTTP`` come from the environment, as for other programs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from streamer.errors import StreamerError

if TYPE_CHECKING:
    from obstore.store import S3Store

SCHEME = "s3://"
DOWN_S = 5.0
_KEPT_VERSIONS = re.compile(r"(?!null$).+")
_TELLING = re.compile(r"<Code>(?P<code>.*?)</Code>(?:.*?<Message>(?P<message>.*?)</Message>)?", re.DOTALL)


class BucketFailed(StreamerError):
    code, status = "bucket_failed", 503


def opened(address: str, *, tries: int, try_for: timedelta, client: Mapping[str, Any] | None = None) -> S3Store:
    """The bucket of ``s3://bucket/prefix``; nothing is connected to. ``client``: obstore's ``client_options``. Raises
    BucketFailed."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as error:
        raise BucketFailed("obstore is not installed: pipx inject streamer obstore") from error
    retries: Any = {"max_retries": tries, "retry_timeout": try_for}
    # Options that are given here put those of the environment out of force.
    allow_http = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "on", "yes", "y")
    options: Any = {} if client is None else {"client_options": {"allow_http": allow_http, **client}}
    try:
        return S3Store.from_url(address, retry_config=retries, **options)
    except (BaseError, ValueError) as error:
        raise BucketFailed(f"{address} is no address of a bucket: {words_of(error)}.") from error


class BucketReader:
    """Reads ranges of objects. In threads."""

    def __init__(self, address: str) -> None:
        client = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=10)}
        self._store = opened(address, tries=1, try_for=timedelta(seconds=5), client=client)
        self._down_until = 0.0

    def read(self, key: str, offset: int, size: int) -> bytes:
        """Raises FileNotFoundError if there is no such object, else OSError. After a failure, others fail at once for
        some seconds: an outage holds few threads."""
        import obstore
        from obstore.exceptions import BaseError

        if time.monotonic() < self._down_until:
            raise OSError("The bucket does not answer.")
        try:
            return bytes(obstore.get_range(self._store, key, start=offset, length=size))
        except FileNotFoundError:
            raise
        except BaseError as error:
            self._down_until = time.monotonic() + DOWN_S
            raise OSError(words_of(error)) from error


@cache
def reader(address: str) -> BucketReader:
    """Raises BucketFailed."""
    return BucketReader(address)


def keeps_versions(made: Mapping[str, Any]) -> bool:
    """Whether the answer to a put shows that the bucket keeps what is deleted: it has versions, or Object Lock, which
    needs them."""
    return _KEPT_VERSIONS.match(made["version"] or "null") is not None


def words_of(error: Exception) -> str:
    """The store's own words, or the beginning of what was tried; without the tried addresses and sources of errors."""
    text = str(error)
    if found := _TELLING.search(text):
        return ", ".join(filter(None, (found["code"], (found["message"] or "").rstrip("."))))
    return text.partition("\n")[0].strip().rstrip(".")
