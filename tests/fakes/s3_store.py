"""A real S3 store on loopback, SeaweedFS, which a wheel carries. Its bucket is made by the first object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import obstore
from obstore.store import S3Store

from tests.fakes.ports import free_port

WEED = Path(sys.executable).parent / "weed"
KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
START_LIMIT_S = 40.0
BUCKET = "venues"


@dataclass
class S3Server:
    """The disk's process, and in front of it the gate that speaks S3."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(8)])
    _disk: subprocess.Popen[bytes] | None = None
    _gate: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def start(self) -> None:
        (self.folder / "data").mkdir()
        names = ("filer.port", "filer.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
        ports = zip(names, self.ports[2:], strict=True)
        socket = f"-filer.localSocket={self.folder / 'filer.sock'}"
        options = (
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-filer",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=16",
            "-volume.max=60",
            socket,
        )
        self._disk = self._run("server", f"-dir={self.folder / 'data'}", *options, *(f"-{n}={p}" for n, p in ports))
        self.open_gate()

    def open_gate(self) -> None:
        """Also after :meth:`kill_gate`; returns when the store takes objects."""
        account = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [account]}))
        filer = f"-filer=127.0.0.1:{self.ports[2]}.{self.ports[3]}"
        ports = (f"-port={self.ports[0]}", f"-port.grpc={self.ports[1]}", "-port.iceberg=0", "-port.lance=0")
        socket = f"-localSocket={self.folder / 's3.sock'}"
        self._gate = self._run("s3", "-ip.bind=127.0.0.1", filer, f"-config={config}", socket, *ports)
        until = time.monotonic() + START_LIMIT_S
        while not self._takes_objects():
            assert time.monotonic() < until, "no answer"
            assert self._gate.poll() is None, f"it ended: {self._gate.returncode}"
            time.sleep(0.05)

    def kill_gate(self) -> None:
        _kill(self._gate)

    def kill(self) -> None:
        _kill(self._gate)
        _kill(self._disk)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [WEED, f"-logdir={self.folder}", *command],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.folder)},
        )

    def keep_versions(self, bucket: str) -> None:
        self._shell(f"s3.bucket.create -name {bucket}\ns3.bucket.versioning -name {bucket} -enable\n")

    def fill(self, bucket: str, *, full: bool = True) -> None:
        """The bucket takes nothing more, or takes it again. This is how its quota is enforced, which by itself happens
        some time after it was reached."""
        self._shell(f"fs.configure -locationPrefix=/buckets/{bucket}/ -readOnly={str(full).lower()} -apply\n")

    def clean_up(self) -> None:
        """Take the bytes of deleted objects off the disk, as the store does from time to time."""
        self._shell("lock\nvolume.vacuum -garbageThreshold=0.00001\nunlock\n")

    def holds(self, pieces: Collection[bytes]) -> int:
        """The number of the pieces that stand in the files of the store's disk."""
        disk = [file.read_bytes() for file in (self.folder / "data").rglob("*") if file.is_file()]
        return sum(any(piece in data for data in disk) for piece in pieces)

    def _shell(self, commands: str) -> None:
        master = f"-master=127.0.0.1:{self.ports[4]}.{self.ports[5]}"
        subprocess.run([WEED, "shell", master], input=commands.encode(), capture_output=True, check=True, timeout=60)

    def store(self, bucket: str, tries: int = 5) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.url,
            access_key_id=KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": tries},
        )

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Names and bytes in :data:`BUCKET` below a prefix."""
        store = self.store(BUCKET)
        names = [one["path"] for some in obstore.list(store, prefix) for one in some]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}

    def _takes_objects(self) -> bool:
        """The gate is open before the disk behind it is there."""
        with suppress(obstore.exceptions.BaseError):
            obstore.put(self.store(BUCKET, tries=0), "ready", b"1")
            obstore.delete(self.store(BUCKET), "ready")
            return True
        return False


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


@contextmanager
def running_s3_server(folder: Path) -> Iterator[S3Server]:
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
