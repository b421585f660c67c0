"""Prints the state of an open room: ``python -m streamer.control [--follow] DATA ROOM``.

It prints the status as JSON; with ``--follow`` a line for each status, the first at once, and for each reading of the
meters, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from streamer.control.channel import Channel
from streamer.control.messages import ControlEvent
from streamer.control.run_folder import control_socket
from streamer.errors import EXIT_DONE, EXIT_FAILED, StreamerError


def _print(value: Any, indent: int = -1) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=indent).decode(), flush=True)


def _on_event(event: ControlEvent) -> None:
    _print({event.kind: event.data})


async def _attach(run_dir: Path, room: str, follow: bool) -> int:
    try:
        channel = await Channel.open(run_dir, control_socket(room), _on_event if follow else lambda _event: None)
    except OSError as error:
        print(f"The room {room} does not answer in {run_dir}: {error.strerror}.", file=sys.stderr)
        return EXIT_FAILED
    try:
        if follow:
            await channel.wait_closed()
        else:
            _print(await channel.request("status"), indent=1)
    finally:
        await channel.close()
    return EXIT_DONE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m streamer.control", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="the data folder")
    parser.add_argument("room", metavar="ROOM")
    parser.add_argument("--follow", action="store_true")
    options = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            return asyncio.run(_attach(options.data / "run", options.room, options.follow))
    except StreamerError as error:
        print(error.message, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
