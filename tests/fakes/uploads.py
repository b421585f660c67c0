"""A data folder with files of recordings that are copied to a bucket."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from streamer.archive.uploading import Uploads
from streamer.formats.erasures import RecordingErasure
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from tests.fakes.s3_store import BUCKET, S3Server

OLD_S = 3600
"""The age of a file that is finished."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Archive:
    folder: Path
    address: str
    database: Database
    erasing: Erasing

    def __post_init__(self) -> None:
        self.uploads = self.again()

    def again(self) -> Uploads:
        """As another process finds it."""
        self.uploads = Uploads(self.folder, self.address, self.database, self.erasing, clock=now_ms)
        self.erasing.copies = self.uploads
        return self.uploads

    def path(self, session: str, file: str) -> Path:
        return self.folder / "recordings" / session / "media" / file

    def record(self, session: str, file: str, content: bytes | Path, age_s: float = OLD_S) -> Path:
        path = self.path(session, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.hardlink_to(content)
        else:
            path.write_bytes(content)
            os.utime(path, (time.time() - age_s,) * 2)
        return path

    async def delete(self, session: str) -> None:
        async def do() -> None:
            shutil.rmtree(self.folder / "recordings" / session, ignore_errors=True)

        await self.erasing.carry_out(RecordingErasure(now_ms(), session), do)

    def objects(self, server: S3Server) -> list[bytes]:
        found = server.objects(self.address.removeprefix(f"s3://{BUCKET}/"))
        return sorted(data for name, data in found.items() if not name.endswith(("/probe", "/owner")))
