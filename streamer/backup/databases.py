"""A database as one file: SQLite by one step of its backup API, PostgreSQL by its own ``pg_dump``. Blocking."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

from streamer.backup.target import BackupFailed
from streamer.data_folder import sync_folder

_LIMIT_S = 3600.0


def save(url: URL, target: Path) -> str:
    """Write one moment of the database to a new file, on the disk when this returns; writers are not held up.

    Returns the revision of its tables. Raises BackupFailed.
    """
    if url.get_backend_name() == "sqlite":
        return _save_sqlite(Path(url.database or ""), target)
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    os.chmod(target, 0o600)
    sync_folder(target.parent)
    return _run("psql", url, "--no-align", "--tuples-only", "--command=SELECT version_num FROM alembic_version").strip()


def put_back(url: URL, saved: Path) -> None:
    """Raises BackupFailed, also where the database is not empty."""
    if url.get_backend_name() == "sqlite":
        place = Path(url.database or "")
        shutil.copyfile(saved, place)
        os.chmod(place, 0o600)
        return
    count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
    if _run("psql", url, "--no-align", "--tuples-only", f"--command={count}").strip() != "0":
        raise BackupFailed("The database is not empty: name a new one in store.url.")
    _run("pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(saved))


def _save_sqlite(source: Path, target: Path) -> str:
    if not source.exists():
        raise BackupFailed(f"There is no database {source}.")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # In one step: a backup of many steps begins anew with each write beside it.
            reading.backup(writing, pages=-1)
            writing.execute("PRAGMA journal_mode = DELETE")
            (found,) = writing.execute("PRAGMA quick_check").fetchone()
            if found != "ok":
                raise BackupFailed(f"The database is damaged: {found}")
            ((schema,),) = writing.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error as error:
        raise BackupFailed(f"The database cannot be read: {error}.") from error
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(target.parent)
    return str(schema)


def _run(program: str, url: URL, *arguments: str) -> str:
    """One of PostgreSQL's own programs. The password is not on the command line, which everybody can read."""
    host = url.query.get("host", url.host)
    named = {"HOST": host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password, "DATABASE": url.database}
    environment = {**os.environ, **{f"PG{name}": str(value) for name, value in named.items() if value}}
    command = [program, *((f"--dbname={url.database}",) if program == "pg_restore" else ()), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - one of three names, with the operator's own settings
            command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except FileNotFoundError as error:
        raise BackupFailed(f"{program} is not installed: Debian has it in postgresql-client.") from error
    except subprocess.TimeoutExpired as error:
        raise BackupFailed(f"{program} did not end within an hour.") from error
    if done.returncode:
        raise BackupFailed(f"{program} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
