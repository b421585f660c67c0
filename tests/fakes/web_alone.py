"""A web process whose media plane is the stand-in (tests/fakes/lively_plane.py): for pages that need no media.

All else is as in ``streamer serve``: the process, its restarts, its database and its sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from streamer.control import process_files
from streamer.serve import WEB_SETTINGS, Child, WatchedProcess, prepare_data
from streamer.settings import load_settings
from streamer.supervision import start_kept
from tests.fakes.running import ADMIN_TOKEN, START_LIMIT_S, Running
from tests.fakes.stores import with_tables
from tests.fakes.waiting import until_answered

ROOT = Path(__file__).resolve().parents[2]
DRAIN_S = 30.0


@contextlib.asynccontextmanager
async def web_alone(settings: Mapping[str, Any]) -> AsyncIterator[Running]:
    """``settings``: sections (``{"realtime": {"newcomer_s": 0}}``). A process that is killed is started again."""
    folder = Path(tempfile.mkdtemp(prefix="streamer-"))
    log = folder.with_suffix(".log")
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    port = listening.getsockname()[1]
    given = load_settings(
        None,
        data=folder,
        admin_token=ADMIN_TOKEN,
        **{"server": {"port": port}, "log": {"format": "console"}, **settings},
    )
    prepare_data(given)
    with_tables(folder)
    file = given.run_dir / WEB_SETTINGS
    process_files.write_atomically(file, given.model_dump_json(exclude={"admin_token"}).encode())
    command = [sys.executable, "-m", "tests.fakes.lively_web", "--settings", str(file), "--parent", str(os.getpid())]
    command += ["--listen-fd", str(listening.fileno())]
    environment = {**process_files.child_environment(), "STREAMER_ADMIN_TOKEN": ADMIN_TOKEN}

    async def start() -> WatchedProcess:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[listening.fileno()],
            )
        return WatchedProcess(child.pid, child)

    child = Child("web", start, drain_s=DRAIN_S)
    keeper = start_kept("keep-web", child.keep)
    try:
        async with aiohttp.ClientSession() as session:
            running = Running(f"http://127.0.0.1:{port}", folder, None, session, log)
            await until_answered(
                running.ready, limit_s=START_LIMIT_S, what=lambda: f"ready: {running.logged()[-2000:]}"
            )
            yield running
    finally:
        await child.drain()
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        listening.close()
        shutil.rmtree(folder, ignore_errors=True)
        log.unlink(missing_ok=True)
