"""``streamer demo``: a room that is on air by itself, and links to look around with."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from rich.console import Console

from streamer import __version__
from streamer.cli import demo_schedule
from streamer.cli.demo_schedule import ROOM, VENUE
from streamer.cli.granting import MadeGrant, add_grant, opened
from streamer.conference.grants import Role
from streamer.conference.hall_codes import HALL, HallCode, new_code
from streamer.control import process_files
from streamer.serve import Child, WatchedProcess
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.grants import Grants
from streamer.store.hall_codes import HallCodes

LABEL = "demo"
ROLES = (
    (Role.TECHNICIAN, ROOM.id, None),
    (Role.PUBLISHER, ROOM.id, None),
    (Role.MODERATOR, ROOM.id, None),
    (Role.CAPTIONER, ROOM.id, None),
    (Role.SPEAKER, ROOM.id, None),
    (Role.ORGANISER, None, VENUE.id),
    (Role.ADMIN, None, None),
)
"""Role, room, venue of the links that are printed."""
_DRAIN_S = 5.0


async def ready(url: str, settings: Settings) -> list[Child]:
    """Set the room up, print the links and return the publisher of the test card."""
    async with opened(settings) as database:
        granted = await _set_up(database, settings)
        code = await _hall_code(database)
    _print_links(url, granted, code)

    async def start() -> WatchedProcess:
        return _start_publisher(settings, granted[Role.PUBLISHER].token)

    return [Child("publisher", start, drain_s=_DRAIN_S)]


async def _set_up(database: Database, settings: Settings) -> dict[Role, MadeGrant]:
    """The demo's rooms and day, and a grant of each role."""
    async with database.write() as connection:
        await demo_schedule.plan(connection, time.time_ns() // 1_000_000)
        grants = Grants(connection)
        # Tokens are not stored, so those of the last run cannot be printed again.
        for grant_id in await grants.ids_labelled(LABEL):
            await grants.remove(grant_id)
    return {
        role: await add_grant(database, settings, role, room=room, venue=venue, label=LABEL)
        for role, room, venue in ROLES
    }


async def _hall_code(database: Database) -> HallCode:
    """The hall code of the demo room: the same in each run."""
    async with database.write() as connection:
        codes = HallCodes(connection)
        for code in await codes.of_room(ROOM.id):
            return code
        code = HallCode(new_code(), ROOM.id, HALL, time.time_ns() // 1_000_000)
        await codes.add(code)
        return code


def _start_publisher(settings: Settings, token: str) -> WatchedProcess:
    server = settings.server
    scheme = "https" if server.tls_cert is not None else "http"
    host = "127.0.0.1" if server.host in ("", "0.0.0.0", "::") else server.host
    host = f"[{host}]" if ":" in host else host
    command = [sys.executable, "-m", "streamer.cli", "publish", "--parent", str(os.getpid())]
    command += ["--url", f"{scheme}://{host}:{server.port}/whip/{ROOM.id}", "--give-way"]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        stdin=subprocess.DEVNULL,
        # Not on the command line, where every user of the machine could read it.
        env={**process_files.child_environment(), "STREAMER_PUBLISH_TOKEN": token},
        process_group=0,
    )
    return WatchedProcess(child.pid, child)


def _print_links(url: str, granted: dict[Role, MadeGrant], code: HallCode) -> None:
    """One link a line, never wrapped or cut: people copy them, and terminals make them clickable."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"Streamer {__version__} serves on {url}; the demo room goes on air in a moment.\n", style="bold")
    for name, link in (
        ("Audience", f"{url}/watch/{ROOM.id}"),
        ("In the hall", f"{url}/join/{code.code}"),
        ("Its screen", f"{url}/stage/{ROOM.id}?view=hall&code={code.code}"),
        *((role.capitalize(), made.link) for role, made in granted.items() if role is not Role.PUBLISHER),
        ("OBS (WHIP)", f"{url}/whip/{ROOM.id}"),
        ("  its token", granted[Role.PUBLISHER].token),
        ("Interface", f"{url}/api/v1/docs"),
    ):
        console.print(f"{name:14}{link}")
    console.print("\nCtrl-C ends it.")
    console.file.flush()
