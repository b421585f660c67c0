"""``make dev``: the demo's server, begun anew when the program changes, and the pages from their sources.

Vite serves the pages, and the links that are printed lead there; what is no page it hands on to the server. A change of
what only the web process uses replaces that one: links stay good and the room on air. Any other begins all of it anew.
Ctrl-C ends everything.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from streamer.control import process_files

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.5
DRAIN_S = 30.0
"""The seconds that a server has to end its rooms; then it is told to hurry."""
WEB_ONLY = frozenset({"web", "api", "realtime", "delivery", "director", "audience", "archive", "planning"})
WEB_ONLY |= {"store", "schedules", "conference"}
"""Packages that no process of the media plane imports."""


def stamps(folder: Path) -> dict[Path, int]:
    """Of all of the program's files, when each was changed."""
    found: dict[Path, int] = {}
    for file in folder.rglob("*.py"):
        try:
            found[file] = file.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # Editors write a file anew under another name.
    return found


class Program:
    """A process that Ctrl-C in the terminal does not reach: it is for us."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path = ROOT) -> None:
        self._command = [str(part) for part in command]
        self._environment = {**os.environ, **environment}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, process_group=0
        )

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.ended:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(DRAIN_S)
            except subprocess.TimeoutExpired:
                continue
        self._process = None


def replace_web(data: Path) -> bool:
    """End the web process; its supervisor starts the next. False: there is none yet that could be ended."""
    pid = process_files.read_pid(data / "run" / process_files.WEB_PID)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def keep(
    server: Program, pages: Program, source: Path, ending: threading.Event, replace: Callable[[], bool] = lambda: False
) -> int:
    """Run both until ``ending`` is set. For a change below ``source`` the server begins anew, or ``replace`` is called
    until it says that it has replaced what serves. Returns the exit code."""
    before = stamps(source)
    told = waits = False
    pages.start()
    server.start()
    try:
        while not ending.wait(LOOK_S):
            if pages.ended:
                return 1
            now = stamps(source)
            changed = sorted({path.relative_to(source) for path, _ in before.items() ^ now.items()})
            before = now
            if changed:
                waits = all(path.parts[0] in WEB_ONLY for path in changed) and not server.ended
                what = "the web process is replaced" if waits else "the server begins anew"
                print(f"\ndev: {', '.join(map(str, changed))}: {what}", flush=True)
                if not waits:
                    told = False
                    server.stop()
                    server.start()
            elif server.ended and not told:
                told = True
                print("\ndev: the server has ended; it begins anew with the next change", flush=True)
            if waits:
                waits = not replace()
        return 0
    finally:
        server.stop()
        pages.stop()


def demo(host: str, port: int, data: Path, public_url: str) -> Program:
    """A server whose links lead to ``public_url``."""
    command = [sys.executable, "-m", "streamer.cli", "demo", "--host", host, "--port", str(port)]
    # Pages that wait for news are not waited for.
    return Program([*command, "--data", data, "--public-url", public_url], {"STREAMER_SERVER__SHUTDOWN_S": "1"})


def vite(host: str, port: int, server_url: str) -> Program:
    """Pages from their sources; what is no page comes from ``server_url``."""
    command = ["node", "node_modules/vite/bin/vite.js", "--host", host, "--port", str(port)]
    return Program([*command, "--strictPort", "--clearScreen", "false"], {"STREAMER_URL": server_url}, ROOT / "web")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dev", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="the server's")
    parser.add_argument("--pages-port", type=int, default=5173, help="Vite's")
    parser.add_argument("--data", type=Path, default=Path("data"))
    options = parser.parse_args()
    server = demo(options.host, options.port, options.data, f"http://{options.host}:{options.pages_port}")
    pages = vite(options.host, options.pages_port, f"http://{options.host}:{options.port}")
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return keep(server, pages, ROOT / "streamer", ending, partial(replace_web, options.data))


if __name__ == "__main__":
    sys.exit(main())
