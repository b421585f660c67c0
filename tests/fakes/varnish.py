"""The real Varnish with ``configs/edge/streamer.vcl``, in front of a server on the loopback."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from aiohttp import ClientSession, DummyCookieJar
from yarl import URL

from tests.fakes.edges import SECRET
from tests.fakes.ports import free_port
from tests.fakes.waiting import until_answered

EDGE = Path(__file__).resolve().parents[2] / "configs" / "edge"


def varnish_program() -> str | None:
    """Debian puts it where users' PATH does not look."""
    return shutil.which("varnishd") or shutil.which("varnishd", path="/usr/sbin:/sbin")


@contextlib.contextmanager
def varnish(folder: Path, *, port: int, origin: int, plain: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the end of the block; ``origin``: the port that it asks; ``plain``: with Varnish's own rules instead
    of ours. The caller waits for its port."""
    program = varnish_program()
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "streamer.vcl"
    text = (EDGE / "streamer.vcl").read_text("utf-8").replace('"6083"', f'"{origin}"')
    if plain:
        text = f'vcl 4.1;\nbackend origin {{ .host = "127.0.0.1"; .port = "{origin}"; }}\n'
    config.write_text(text.replace("/etc/varnish/streamer.secret", str(folder / "secret")))
    (folder / "secret").write_text(f"{SECRET}\n")
    options = re.findall(r"-p \S+", (EDGE / "varnish.conf").read_text("utf-8"))
    command = [program, "-F", "-j", "none", "-n", str(folder / "work"), "-a", f"127.0.0.1:{port}", "-f", str(config)]
    command += ["-s", "malloc,64m", *" ".join(options).split()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


@contextlib.asynccontextmanager
async def at_edge(folder: Path, server: str) -> AsyncIterator[ClientSession]:
    """Without cookies, of an edge before the server at the address, once the edge knows that it lives."""
    port, origin = free_port(), URL(server).port
    assert origin is not None
    with varnish(folder, port=port, origin=origin):
        async with ClientSession(f"http://127.0.0.1:{port}", cookie_jar=DummyCookieJar()) as edge:

            async def up() -> bool:
                with contextlib.suppress(OSError):
                    async with edge.get("/live/nowhere/index.m3u8") as response:
                        return response.status == 404
                return False

            await until_answered(up)
            yield edge
