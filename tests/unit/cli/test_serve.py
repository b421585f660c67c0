"""``streamer serve`` with real processes: restarts, adoption, draining."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from streamer import serve
from streamer.control import process_files
from streamer.settings import load_settings
from tests.fakes.certificates import write_certificate
from tests.fakes.ports import free_port
from tests.fakes.running import standby_of
from tests.fakes.waiting import until

STREAMER = [sys.executable, "-m", "streamer.cli"]
LIMIT_S = 40.0


def wait_for(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


class Serve:
    """One ``streamer serve`` and what it left in its data folder."""

    def __init__(self, data: Path, port: int, *arguments: str, spare: bool = False) -> None:
        self.data, self.port = data, port
        environment = {**os.environ, "STREAMER_ROOM__WARM_SPARE": str(spare).lower()}
        self.url = f"http://127.0.0.1:{port}"
        self.log = data.with_name(f"{data.name}-{time.monotonic_ns()}.log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*STREAMER, "serve", "--port", str(port), "--data", str(data), *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def pid(self, name: str) -> int | None:
        return process_files.read_pid(self.data / "run" / f"{name}.pid")

    def standby(self) -> int:
        """The web process that waits for the end of the one that acts."""
        found: list[int] = []

        def waits() -> bool:
            # One look: the kernel's list may lack it in the next.
            found[:] = [pid for pid in [standby_of(self.process.pid)] if pid is not None]
            return bool(found)

        wait_for(waits, "another web process waits")
        return found[0]

    def get(self, path: str, context: ssl.SSLContext | None = None) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=LIMIT_S, context=context) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return self.get("/readyz") == 200
        return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S + 10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    with starting(tmp_path / "data") as begin:
        yield begin


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One that runs already: for tests that leave it as it was, and one that ends it."""
    with starting(tmp_path_factory.mktemp("shared") / "data") as begin:
        yield begin("--standby", spare=True)


@contextlib.contextmanager
def starting(data: Path) -> Iterator[Callable[..., Serve]]:
    """Start instances on one data folder; whatever they left is ended at the end."""
    started: list[Serve] = []

    def begin(*arguments: str, port: int | None = None, wait: bool = True, spare: bool = False) -> Serve:
        instance = Serve(data, port or free_port(), *arguments, spare=spare)
        started.append(instance)
        if wait:
            wait_for(instance.ready, "serve is ready")
        return instance

    yield begin
    for instance in started:
        if instance.process.poll() is None:
            instance.stop()
    for instance in started:
        for name in ("web", "media"):
            pid = instance.pid(name)
            if pid is not None and alive(pid):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_standby_acts_when_the_web_process_dies_or_ends(shared: Serve) -> None:
    media = shared.pid("media")
    for number in (signal.SIGKILL, signal.SIGTERM):
        acting, standby = shared.pid("web"), shared.standby()
        assert acting is not None
        os.kill(acting, number)
        # The listening socket is the supervisor's: who comes now waits in it.
        assert shared.get("/livez") == 200
        wait_for(lambda standby=standby: shared.pid("web") == standby, "it acts")
    # A signal that renews certificates is nothing for one that has read none.
    waiting = shared.standby()
    shared.process.send_signal(signal.SIGHUP)
    assert shared.get("/livez") == 200
    assert shared.standby() == waiting
    assert shared.pid("media") == media


def test_a_killed_media_host_comes_back_alone(shared: Serve) -> None:
    instance = shared
    wait_for(instance.ready, "ready")
    web, media = instance.pid("web"), instance.pid("media")
    assert media is not None
    os.kill(media, signal.SIGKILL)
    wait_for(lambda: instance.pid("media") not in (None, media), "a new media host")
    wait_for(instance.ready, "ready again")
    assert instance.pid("web") == web


def test_a_killed_serve_takes_its_web_process_along_and_leaves_the_media_host_to_the_next(
    start: Callable[..., Serve],
) -> None:
    first = start()
    web, media = first.pid("web"), first.pid("media")
    assert web is not None
    assert media is not None
    first.process.kill()
    first.process.wait()
    wait_for(lambda: not alive(web), "the web process ends")
    assert alive(media)
    second = start(port=first.port)
    assert second.pid("media") == media
    assert second.stop() == 0
    wait_for(lambda: not alive(media), "the adopted media host ends")


def test_a_second_serve_on_one_folder_is_refused_in_words(shared: Serve) -> None:
    second = Serve(shared.data, free_port())
    assert second.process.wait(LIMIT_S) == 1
    assert "Another streamer serves the data folder" in second.log.read_text()
    assert shared.ready()


# The last one of these: it ends the one that they share.
def test_it_serves_and_ends_without_leaving_anything(shared: Serve) -> None:
    wait_for(shared.ready, "ready")
    web, media, standby = shared.pid("web"), shared.pid("media"), shared.standby()
    assert web is not None
    assert media is not None
    wait_for(lambda: children(media), "the fork server")
    (forks,) = children(media)
    assert shared.get("/livez") == 200
    assert shared.get("/metrics") == 200
    assert shared.get("/api/v1/rooms") == 200
    assert shared.get("/live/nothing/index.m3u8") == 404
    assert shared.data.stat().st_mode & 0o777 == 0o700
    wait_for(lambda: f"serves on {shared.url}" in shared.log.read_text(), "it says where")
    started = shared.log.read_text().count("web_started")
    assert shared.stop() == 0
    assert not alive(web)
    assert not alive(media)
    assert not alive(forks)
    assert not alive(standby)
    assert shared.log.read_text().count("web_started") == started, "nobody took over from a serve that ended"
    assert list((shared.data / "run").glob("*.pid")) == []


def test_a_port_that_is_taken_is_said_and_starts_nothing(start: Callable[..., Serve]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        instance = start(port=sock.getsockname()[1], wait=False)
        assert instance.process.wait(LIMIT_S) == 1
    assert "Cannot listen on 127.0.0.1" in instance.log.read_text()
    assert not process_files.host_is_running(instance.data / "run")


def test_the_two_planes_run_apart(start: Callable[..., Serve]) -> None:
    media = start("--role", "media", wait=False)
    wait_for(lambda: media.pid("media"), "the media host")
    web = start("--role", "web")
    host = media.pid("media")
    assert web.stop() == 0
    assert host is not None
    assert alive(host)
    assert media.stop() == 0
    assert not alive(host)


def test_tls_by_files_and_a_new_certificate_without_a_restart(start: Callable[..., Serve], tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key, serial=1111)
    instance = start("--tls-cert", str(certificate), "--tls-key", str(key), wait=False)
    wait_for(lambda: instance.pid("web"), "the web process")
    assert _serial(instance.port) == 1111
    write_certificate(certificate, key, serial=2222)
    instance.process.send_signal(signal.SIGHUP)
    wait_for(lambda: _serial(instance.port) == 2222, "the new certificate")
    instance.url = f"https://127.0.0.1:{instance.port}"
    assert instance.get("/livez", ssl._create_unverified_context()) == 200


async def test_a_web_process_that_cannot_start_ends_serve(start: Callable[..., Serve], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "streamer.sqlite3").write_bytes(b"no database" * 500)
    instance = start(wait=False)
    assert await asyncio.to_thread(instance.process.wait, LIMIT_S) == 1
    text = instance.log.read_text()
    assert "cannot be used" in text
    assert "cannot start" in text


def _serial(port: int) -> int:
    context = ssl._create_unverified_context()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as sock,
        context.wrap_socket(sock) as secure,
    ):
        binary = secure.getpeercert(binary_form=True)
    assert binary is not None
    return x509.load_der_x509_certificate(binary).serial_number


async def test_several_processes_listen_on_one_port_each_gets_its_share_and_nobody_else_listens_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(None, data=tmp_path, server={"host": "127.0.0.1", "port": 0})
    groups = serve.listen_apart(await serve.bind(settings), 3)
    (address,) = {sock.getsockname() for group in groups for sock in group}
    monkeypatch.setattr(serve, "_BIND_LIMIT_S", 0.0)
    taken = settings.model_copy(update={"server": settings.server.model_copy(update={"port": address[1]})})
    with pytest.raises(serve.ServeError):
        await serve.bind(taken)
    clients = [socket.create_connection(address) for _ in range(90)]
    accepted: list[list[socket.socket]] = [[] for _ in groups]

    def all_came() -> bool:
        # A busy kernel puts a connection into its queue some time after the client has it.
        for (listening,), came in zip(groups, accepted, strict=True):
            with contextlib.suppress(BlockingIOError):
                while True:
                    came.append(listening.accept()[0])
        return sum(map(len, accepted)) == len(clients)

    await until(all_came)
    for sock in (*clients, *(sock for came in accepted for sock in came), *(one for (one,) in groups)):
        sock.close()
    # (2 / 3) ** 90 is the chance that all miss one of them.
    assert min(map(len, accepted)) > 0
