"""Players that nobody here wrote, each through a loss of the camera: live and as a replay, two of them through nginx.

``.ci/setup.sh players`` installs them; where one is missing its test is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import av
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from streamer.publish.testcard import decode_strip
from tests.fakes.browser import OTHER_NAMES, Opened, chromium, needs_chromium, opened
from tests.fakes.certificates import Certificate
from tests.fakes.nginx import nginx, nginx_config, nginx_program
from tests.fakes.node_clients import CLIENTS
from tests.fakes.ports import free_port
from tests.fakes.publishing import Camera, tiny_camera
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALL
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

PLAYERS = Path(__file__).resolve().parent / "players"
ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build/players/bin"
WEB = ROOT / "web/node_modules"
NAME = OTHER_NAMES[0]
LOSS_S = 4.0

PAGES = {
    "hls.js": (
        WEB / "hls.js/dist/hls.min.js",
        """(url) => {
          const player = (globalThis.player = new Hls())
          player.on(Hls.Events.ERROR, (_, data) => data.fatal && (globalThis.fatal = data.details))
          player.loadSource(url)
          player.attachMedia(document.querySelector('video'))
        }""",
    ),
    "shaka": (
        PLAYERS / "node_modules/shaka-player/dist/shaka-player.compiled.js",
        """async (url) => {
          shaka.polyfill.installAll()
          const player = (globalThis.player = new shaka.Player())
          await player.attach(document.querySelector('video'))
          player.configure({ streaming: { lowLatencyMode: true } })
          await player.load(url)
        }""",
    ),
    "video.js": (
        PLAYERS / "node_modules/video.js/dist/video.js",
        """(url) => {
          const player = (globalThis.player = videojs(document.querySelector('video'), { muted: true, autoplay: true }))
          player.on('error', () => (globalThis.fatal = player.error()?.message))
          player.src({ src: url, type: 'application/x-mpegURL' })
        }""",
    ),
}
"""How each is begun in a page with one <video>.

Shaka reports a hinted part that is not made (404) as an error, and goes on.

video.js stops on a stream of many short takes: its sound waits until its picture crosses into the same take
(``shouldWaitForTimelineChange``), for ever if the picture has crossed two meanwhile. Neither asks for a segment then.
"""
STATE = """() => {
  const video = document.querySelector('video')
  const ranges = [...Array(video.buffered.length).keys()].map((i) => [video.buffered.start(i), video.buffered.end(i)])
  return { at: video.currentTime, ready: video.readyState, paused: video.paused, ranges, fatal: globalThis.fatal }
}"""


@dataclass
class Proxied:
    server: Running
    secure: str
    """The address through nginx."""
    certificate: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    if nginx_program() is None:
        pytest.skip("nginx is not installed")
    folder: Path = tmp_path_factory.mktemp("players")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    certificate = Certificate.make(folder, OTHER_NAMES)
    port, upstream = free_port(), free_port()
    config = nginx_config(
        folder, upstream=upstream, port=port, certificate=certificate.file, key=certificate.key, name=NAME
    )
    settings = SMALL | {"STREAMER_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'}
    async with serving(environment=settings, port=upstream) as server:
        with nginx(config):

            async def up() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with server.session.get(f"https://127.0.0.1:{port}/readyz", ssl=False) as response:
                        return response.status == 200
                return False

            await until_answered(up)
            yield Proxied(server, f"https://127.0.0.1:{port}", certificate.file)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium("--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required") as running:
        yield running


@contextlib.asynccontextmanager
async def page_at(browser: Browser, url: str) -> AsyncIterator[Opened]:
    """A page with one <video> at the address's origin: Chromium lets no page from elsewhere fetch from this machine."""
    parts = urlsplit(url)
    async with opened(browser, f"{parts.scheme}://{parts.netloc}/livez", bypass_csp=True, requests=True) as seen:
        await seen.page.set_content("<video muted autoplay playsinline width=320></video>")
        yield seen


@contextlib.asynccontextmanager
async def playing(browser: Browser, name: str, url: str) -> AsyncIterator[Opened]:
    script, begin = PAGES[name]
    if not script.exists():
        pytest.skip(f"{name} is not installed")
    async with page_at(browser, url) as seen:
        await seen.page.add_script_tag(path=script)
        await seen.page.evaluate(begin, url)
        try:
            yield seen
        finally:
            print(name, await seen.page.evaluate(STATE), [request.url[-60:] for request in seen.requests[-6:]])
        assert await seen.page.evaluate("globalThis.fatal ?? null") is None


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


# --- live ---


@pytest.mark.parametrize(("name", "proxy"), [("hls.js", True), ("shaka", False), ("video.js", False)])
@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_chromium, id="")])
async def test_a_page_goes_on_after_a_loss(browser: Browser, proxied: Proxied, name: str, proxy: bool, _: int) -> None:
    room = f"live-{name.replace('.', '')}"
    await proxied.server.room(room, start="auto")
    address = f"{proxied.secure if proxy else proxied.server.url}/live/{room}/index.m3u8"
    async with tiny_camera(proxied.server, room) as camera:
        await proxied.server.wait_state(room, "live")
        async with playing(browser, name, address) as seen:
            await seen.wait_moving()
            await lose(camera)
            await seen.wait_moving(beyond_ms=now_ms())


async def lose(camera: Camera) -> None:
    """For some seconds nothing comes of it."""
    camera.fall_silent()
    await asyncio.sleep(LOSS_S)
    camera.speak_again()


# --- replay ---


@dataclass
class Replay:
    session: str
    before_ms: int
    after_ms: int
    """A moment before the loss, and one after it."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replay(proxied: Proxied) -> Replay:
    server, room = proxied.server, "replayed-to-all"
    await server.room(room)
    start = datetime.now(UTC)
    body = {
        "room": room,
        "title": "Talk",
        "start": start.isoformat(),
        "end": (start + timedelta(hours=1)).isoformat(),
    }
    session = await server.api("POST", "/sessions", body, status=201)
    address = f"/sessions/{session['id']}"
    async with tiny_camera(server, room) as camera:
        await server.api("POST", f"{address}/start", {}, status=200)
        await server.wait_state(room, "live")
        await asyncio.sleep(6)
        before_ms = now_ms()
        await lose(camera)
        after_ms = now_ms()
        await asyncio.sleep(6)
        await server.api("POST", f"{address}/end", {}, status=200)
    return Replay(session["id"], before_ms, after_ms)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_chromium, id="")])
async def test_a_page_plays_a_replay_through_a_loss(
    browser: Browser, proxied: Proxied, replay: Replay, name: str, _: int
) -> None:
    """Camera and slate share an init section there."""
    async with playing(browser, name, f"{proxied.server.url}/replay/{replay.session}/index.m3u8") as seen:
        # A player that loads just now interrupts it, and plays by itself.
        await seen.page.evaluate("document.querySelector('video').play().catch(() => {})")
        assert await seen.wait_moving() < replay.before_ms
        await seen.wait_moving(beyond_ms=replay.after_ms + 2000)


async def run(*command: str | Path, limit_s: float = 120, user: str | None = None, **environment: str) -> str:
    """The output of the program, which must end with 0. ``user``: whose process it is, if not ours."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
        user=user,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), limit_s)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, out.decode(errors="replace")[-3000:]
    return out.decode(errors="replace")


def strips(path: Path) -> list[int]:
    """The times that the pictures of a file tell."""
    with av.open(str(path)) as container:
        shown = []
        for frame in container.decode(video=0):
            plane = frame.reformat(format="gray").planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
            shown.append(decode_strip(luma))
    return [ms for ms in shown if ms is not None]


def holds_both_sides(shown: list[int], replay: Replay) -> None:
    assert min(shown) < replay.before_ms
    assert max(shown) > replay.after_ms + 2000
    assert shown == sorted(shown)


@pytest.mark.parametrize("which", ["best", "worst"])
async def test_yt_dlp_keeps_a_replay_with_a_loss(proxied: Proxied, replay: Replay, tmp_path: Path, which: str) -> None:
    for kind in ("video", "audio"):
        await run(
            PROGRAMS / "yt-dlp",
            *("--no-check-certificates", "--no-progress", "--force-generic-extractor", "--no-part"),
            *("-f", f"{which}{kind}", "-o", tmp_path / f"{kind}.mp4"),
            f"{proxied.secure}/replay/{replay.session}/index.m3u8",
        )
    holds_both_sides(strips(tmp_path / "video.mp4"), replay)
    with av.open(str(tmp_path / "audio.mp4")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 14 * 48_000


async def test_streamlink_keeps_a_replay_with_a_loss(proxied: Proxied, replay: Replay, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    ffmpeg = __import__("imageio_ffmpeg").get_ffmpeg_exe()
    printed = await run(
        PROGRAMS / "streamlink",
        *("--ffmpeg-ffmpeg", ffmpeg, "--output", out),
        *(f"hls://{proxied.server.url}/replay/{replay.session}/index.m3u8", "best"),
    )
    assert "error" not in printed, printed
    holds_both_sides(strips(out), replay)


@pytest.mark.parametrize("live", [False, True], ids=["replay", "live"])
async def test_mpv_plays_through_a_loss(proxied: Proxied, replay: Replay, tmp_path: Path, live: bool) -> None:
    room = "mpv"
    options = ("--no-config", "--ao=null", "--vo=image", f"--vo-image-outdir={tmp_path}", "--vo-image-format=png")
    if not live:
        await run("mpv", *options, "--untimed", f"{proxied.server.url}/replay/{replay.session}/index.m3u8")
        shown = sorted(tmp_path.glob("*.png"))
        holds_both_sides([ms for path in shown for ms in strips(path)], replay)
        return
    await proxied.server.room(room, start="auto")
    async with tiny_camera(proxied.server, room) as camera:
        await proxied.server.wait_state(room, "live")
        watching = asyncio.create_task(
            run("mpv", *options, "--length=16", f"{proxied.server.url}/live/{room}/index.m3u8")
        )
        await asyncio.sleep(2)
        await lose(camera)
        back_ms = now_ms()
        await watching
    assert max(ms for path in sorted(tmp_path.glob("*.png"))[-60:] for ms in strips(path)) > back_ms


async def test_vlc_hears_the_good_sound_as_long_as_it_sees(proxied: Proxied, tmp_path: Path) -> None:
    """It begins with the least variant, a sound alone, and changes to a picture: the sound is the group's."""
    out = tmp_path / "out.ts"
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o777)
    await proxied.server.room("vlc", start="auto")
    async with tiny_camera(proxied.server, "vlc"):
        await proxied.server.wait_state("vlc", "live")
        await asyncio.sleep(10)
        await run(
            *("cvlc", "--intf", "dummy", "--no-color", "--run-time", "12"),
            *("--sout", f"#std{{access=file,mux=ts,dst={out}}}"),
            *(f"{proxied.server.url}/live/vlc/index.m3u8", "vlc://quit"),
            # It does not run as root.
            user="nobody" if os.geteuid() == 0 else None,
            HOME=str(tmp_path),
        )
    lasted = {}
    with av.open(str(out)) as container:
        for kind in ("audio", "video"):
            container.seek(0)
            times = [packet.dts for packet in container.demux(**{kind: 0}) if packet.dts is not None]
            lasted[kind] = (times[-1] - times[0]) / 90_000
    assert lasted["video"] > 6
    assert lasted["audio"] > lasted["video"] - 2


# --- a publisher that is a player's sibling ---


@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_chromium, id="")])
async def test_whip_whep_publishes_and_closes_before_its_delete(browser: Browser, proxied: Proxied, _: int) -> None:
    library = CLIENTS / "node_modules/whip-whep/whip.js"
    if not library.exists():
        pytest.skip("whip-whep is not installed")
    token = await proxied.server.room("whipwhep", start="auto")
    async with page_at(browser, proxied.server.url) as seen:
        await seen.page.evaluate(
            """async ([source, url, token]) => {
              const { WHIPClient } = await import(`data:text/javascript,${encodeURIComponent(source)}`)
              const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 })
              document.body.append(canvas)
              const context = canvas.getContext('2d')
              setInterval(() => {
                context.fillStyle = `hsl(${performance.now() / 20} 80% 50%)`
                context.fillRect(0, 0, 640, 360)
              }, 33)
              const pc = new RTCPeerConnection()
              const [track] = canvas.captureStream(30).getTracks()
              pc.addTransceiver(track, { direction: 'sendonly' })
              globalThis.whip = new WHIPClient()
              await globalThis.whip.publish(pc, url, token)
            }""",
            [library.read_text("utf-8"), f"{proxied.server.url}/whip/whipwhep", token],
        )
        await proxied.server.wait_state("whipwhep", "live")
        answers: list[int] = []
        seen.page.on("response", lambda answer: answer.request.method == "DELETE" and answers.append(answer.status))
        await seen.page.evaluate("globalThis.whip.stop()")
        assert answers == [200]
    await proxied.server.wait_state("whipwhep", "slate")
