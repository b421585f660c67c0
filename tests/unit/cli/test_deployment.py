"""The files for containers, systemd and nginx: what of them can be tried on one machine."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from streamer.cli import units
from streamer.cli.units import CONFIG, DATA, PROGRAM, TEMPLATES, unit
from streamer.settings import load_settings
from tests.fakes.certificates import write_certificate
from tests.fakes.command import streamer
from tests.fakes.nginx import nginx, nginx_config, nginx_program
from tests.fakes.ports import free_port
from tests.fakes.waiting import LIMIT_S, until

ROOT = Path(__file__).resolve().parents[3]
NAME = "salle.example"
COMPOSE = "configs/compose.yaml"
ON_TOP = (
    "configs/compose.postgres.yaml",
    "configs/observe/compose.yaml",
    "configs/edge/origin.compose.yaml",
    "configs/bus/compose.yaml",
)
"""Each is laid over the first one, alone or with the others."""
EDGE = "configs/edge/compose.yaml"
RECIPES = ((COMPOSE,), *((COMPOSE, one) for one in ON_TOP), (COMPOSE, *ON_TOP), (EDGE,))
ASKED = {
    "DOMAIN": "a.example",
    "ANNOUNCE": "203.0.113.1",
    "POSTGRES_PASSWORD": "letters",
    "GRAFANA_PASSWORD": "letters",
    "PAGE_URL": "https://a.example/page",
    "TICKET_URL": "https://a.example/ticket",
    "PUBLIC": "b.example",
    "ORIGIN": "a.example",
    "EDGE_1": "192.0.2.1",
    "EDGE_2": "192.0.2.2",
    "EDGE_NAME_1": "c.example",
    "EDGE_NAME_2": "d.example",
    "EDGE_SECRET": "0123456789abcdef0123456789abcdef",
    "CORE_PASSWORD": "letters",
    "FRONT_PASSWORD": "letters",
}
"""The variables that the files ask the operator for."""

HTTP2_CLIENT = """
const [origin, path, certificate] = process.argv.slice(1)
const ca = require('node:fs').readFileSync(certificate)
const here = { address: '127.0.0.1', family: 4 }
const lookup = (_name, { all }, done) => (all ? done(null, [here]) : done(null, here.address, here.family))
const client = require('node:http2').connect(origin, { ca, lookup })
setTimeout(() => process.exit(1), 60_000).unref()
let status, size = 0
client
  .request({ ':path': path })
  .on('response', (headers) => (status = headers[':status']))
  .on('data', (data) => (size += data.length))
  .on('end', () => {
    console.log(status, client.alpnProtocol, size)
    client.close()
  })
"""

needs_nginx = pytest.mark.skipif(nginx_program() is None, reason="nginx is not installed")


@pytest.mark.parametrize("file", ["Dockerfile", COMPOSE, *ON_TOP])
def test_every_setting_that_a_container_is_given_exists(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / file).read_text("utf-8")
    found: Mapping[str, str] = dict(re.findall(r"(STREAMER_[A-Z_]+)(?:=|: *)['\"]?(.*?)['\"]?(?: \\)?$", text, re.M))
    assert found
    for name, value in found.items():
        if name == "STREAMER_ADMIN_TOKEN":
            continue
        value = re.sub(r"\$\{([A-Z_0-9]+)[^}]*\}", lambda name: ASKED[name[1]], value)
        monkeypatch.setenv(name, value)
    settings = load_settings()
    for name in set(found) - {"STREAMER_ADMIN_TOKEN", "STREAMER_DATA", "STREAMER_WEB_DIST"}:
        section, _, key = name.removeprefix("STREAMER_").lower().partition("__")
        assert key in type(getattr(settings, section)).model_fields, name
    if file == COMPOSE:
        assert settings.ice.announce_addresses == ("203.0.113.1",)
        assert len(settings.ice.announce_addresses) == len(settings.ice.host_addresses)
        published = (
            f"{settings.ice.port_min}-{settings.ice.port_max}:{settings.ice.port_min}-{settings.ice.port_max}/udp"
        )
        assert published in text


def test_no_proxy_that_is_shipped_hands_on_the_metrics() -> None:
    compose = (ROOT / "configs/compose.yaml").read_text("utf-8")
    assert "./Caddyfile:/etc/caddy/Caddyfile" in compose
    assert "command:" not in compose.partition("  proxy:")[2]
    for caddy in ("configs/Caddyfile", "configs/edge/Caddyfile"):
        assert "respond /metrics 404" in (ROOT / caddy).read_text("utf-8")
    assert re.search(r"location = /metrics \{\s+return 404;", (ROOT / "configs/nginx.conf").read_text("utf-8"))


def test_every_image_is_pinned_by_its_digest() -> None:
    made = (ROOT / "Dockerfile", ROOT / "configs/edge/Dockerfile", ROOT / "configs/bus/Dockerfile")
    images = [image for file in made for image in re.findall(r"^FROM (\S+)", file.read_text("utf-8"), re.M)]
    images += [
        image
        for text in ((ROOT / file).read_text("utf-8") for file in (COMPOSE, *ON_TOP, EDGE))
        for image in re.findall(r"^\s+image: (\S+)$", text, re.M)
        if image not in ("streamer", "streamer-edge", "streamer-nats")  # made here
    ]
    assert len(images) == 10
    for image in images:
        assert re.fullmatch(r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image
    pythons = {image for image in images if image.startswith("python:")}
    assert len(pythons) == 1, "what is built with one runs in the same"
    assert "# syntax=" not in (ROOT / "Dockerfile").read_text("utf-8"), "that is an image too"


def _services(recipe: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Each service, as each file of a recipe describes it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in recipe:
        for name, service in yaml.safe_load((ROOT / file).read_text("utf-8"))["services"].items():
            found.setdefault(name, []).append(service)
    return found


def test_an_edge_in_containers_is_the_edge_of_debian() -> None:
    (cache,), (proxy,) = _services((EDGE,)).values()
    unit = (ROOT / "configs/edge/varnish.conf").read_text("utf-8").replace("\\\n", " ")
    (started,) = re.findall(r"^ExecStart=/usr/sbin/(.+)$", unit, re.M)
    assert cache["command"] == started.split()
    assert cache["image"] == proxy["image"]
    assert cache["network_mode"] == proxy["network_mode"] == "host"
    made = (ROOT / "configs/edge/Dockerfile").read_text("utf-8")
    arguments = set(cache["build"]["args"])
    assert set(re.findall(r"/\$([A-Z]+)/g", made)) == set(re.findall(r"^ARG (.+)$", made, re.M)[0].split()) == arguments
    config = (ROOT / "configs/edge/nginx.conf").read_text("utf-8")
    assert all(name.replace("\\", "") in config for name in re.findall(r"s/([\w\\.]+example\\.org)/", made))
    for source in re.findall(r"^COPY (\S+)", made, re.M):
        assert (ROOT / "configs/edge" / source).exists()


def test_the_files_of_containers_fit_together() -> None:
    volumes: set[str] = set()
    secrets: set[str] = set()
    for file in (COMPOSE, *ON_TOP):
        text = (ROOT / file).read_text("utf-8")
        whole = yaml.safe_load(text)
        volumes |= set(whole.get("volumes", ()))
        secrets |= set(whole.get("secrets", ()))
        assert set(re.findall(r"\$\{([A-Z_0-9]+)", text)) <= {*ASKED, "STREAMER_ADMIN_TOKEN"}
        head = text.partition("services:")[0]
        for name in re.findall(r"\$\{([A-Z_0-9]+):\?", text):
            assert name in head, "its first lines say how it is called"
        named = re.findall(r"-f (\S+)", head)
        assert named in ([], [COMPOSE, file], [COMPOSE, COMPOSE]), file
    services = _services((COMPOSE, *ON_TOP))
    addresses = [
        one["networks"]["inside"]["ipv4_address"] for parts in services.values() for one in parts if _placed(one)
    ]
    assert len(addresses) == len(set(addresses)) == 2
    for name, parts in services.items():
        assert sum("image" in one for one in parts) == 1, "the other files only add to it"
        for one in parts:
            for mount in one.get("volumes", ()):
                source = mount.partition(":")[0]
                there = (ROOT / "configs" / source).exists() if source.startswith(".") else source in volumes
                assert there, f"{name}: {mount}"
            assert set(one.get("secrets", ())) <= secrets
            assert set(one.get("depends_on", ())) <= set(services)
            assert one.get("security_opt", ["no-new-privileges:true"]) == ["no-new-privileges:true"]
    streamer_port = re.search(r"^EXPOSE (\d+)/tcp$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    assert streamer_port is not None
    monitoring = (ROOT / "configs/observe/prometheus.yml").read_text("utf-8")
    targets = re.findall(r"targets: \[([a-z]+):(\d+)\]", monitoring)
    assert targets == [("streamer", streamer_port[1]), ("alertmanager", "9093")]
    assert {name for name, _ in targets} <= set(services)
    told = re.findall(r"url_file: /run/secrets/(\w+)", (ROOT / "configs/observe/alertmanager.yml").read_text("utf-8"))
    assert set(told) == secrets
    (seen,) = (one["environment"] for one in services["streamer"] if "STREAMER_METRICS__NETWORKS" in one["environment"])
    assert json.loads(seen["STREAMER_METRICS__NETWORKS"]) == [
        services["prometheus"][0]["networks"]["inside"]["ipv4_address"]
    ]


def _placed(service: dict[str, Any]) -> bool:
    return isinstance(service.get("networks"), dict)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="optional: docker-compose is not installed")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe[-1] if len(recipe) < 3 else "all")
def test_compose_understands_each_recipe(recipe: Sequence[str]) -> None:
    files = [word for file in recipe for word in ("-f", str(ROOT / file))]
    command = ["docker-compose", *files, "config", "--format", "json"]
    done = subprocess.run(command, env={**os.environ, **ASKED}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert set(made["services"]) == set(_services(recipe))
    for service in made["services"].values():
        for mount in service.get("volumes", ()):
            ours = mount["type"] == "bind" and not mount["source"].startswith("/etc/")
            assert not ours or Path(mount["source"]).exists(), "paths begin at the first file's"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_understands_its_settings() -> None:
    config = ROOT / "configs/observe/prometheus.yml"
    done = subprocess.run(["promtool", "check", "config", str(config)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bill_of_materials_names_each_locked_package(tmp_path: Path) -> None:
    venv = Path(sys.executable).parents[1]
    command = ["make", "--no-print-directory", "sbom", f"SBOM={tmp_path}", f"VENV={venv}"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, capture_output=True)
    program = _components(tmp_path / "program.cdx.json")
    locked = [line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert program == {(name, version) for name, version in locked}
    pages = _components(tmp_path / "pages.cdx.json")
    packages = json.loads((ROOT / "web/package-lock.json").read_text())["packages"]
    wanted = {
        (package.get("name") or path.rpartition("node_modules/")[2], package["version"])
        for path, package in packages.items()
        if path and not package.get("optional")
    }
    assert wanted - pages == set()
    image = (ROOT / "Dockerfile").read_text("utf-8")
    for name in ("program.cdx.json", "pages.cdx.json"):
        assert re.search(rf"^COPY --from=\w+ /src/{name} /usr/share/streamer/sbom/$", image, re.M)
    assert "node scripts/sbom.mjs > /src/pages.cdx.json" in image, "made by the same script as in make sbom"


def _components(path: Path) -> set[tuple[str, str]]:
    found = json.loads(path.read_text("utf-8"))
    assert found["bomFormat"] == "CycloneDX"
    return {
        (f"{one['group']}/{one['name']}" if one.get("group") else one["name"], one["version"])
        for one in found["components"]
    }


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == item or source.startswith(f"{item}/") or source == f"{item}/" for item in kept)


@pytest.mark.parametrize("name", ["streamer", "streamer-web", "streamer-media"])
def test_the_units_that_are_shipped_are_the_templates_of_the_command(name: str) -> None:
    shipped = (ROOT / "configs/systemd" / f"{name}.service").read_text("utf-8")
    assert (TEMPLATES / f"{name}.service").read_text("utf-8") == shipped
    assert f"ExecStart={PROGRAM} serve" in shipped
    assert f" --config {CONFIG} --data {DATA}\n" in shipped


def test_the_units_of_backups_are_shipped_and_fit_where_the_program_is_installed(tmp_path: Path) -> None:
    for name in ("streamer-backup.service", "streamer-backup.timer"):
        assert (TEMPLATES / name).read_text("utf-8") == (ROOT / "configs/systemd" / name).read_text("utf-8")
    target, data = tmp_path / "backup", tmp_path / "data"
    printed = streamer("unit", "--backup", str(target), "--data", str(data)).stdout
    program = Path(sys.prefix) / "bin" / "streamer"
    assert f"ExecStart={program} backup {target}" in printed
    assert f"--data {data}\n" in printed
    assert f"ReadWritePaths={data} {target}\n" in printed
    assert "OnCalendar=" in streamer("unit", "--timer").stdout


def test_a_unit_fits_where_the_program_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CONFIG", str(tmp_path / "none.toml"))
    usual = unit("all", Path("/opt/pipx/venvs/streamer/bin/streamer"), None, None)
    assert "ExecStart=/opt/pipx/venvs/streamer/bin/streamer serve" in usual
    assert "User=streamer\n" in usual
    assert "ProtectHome=yes" in usual
    monkeypatch.undo()
    program = tmp_path / "streamer"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setattr(units, "_HOMES", (f"{tmp_path}/",))
    home = unit("web", program, tmp_path / "100% data", tmp_path / "s.toml")
    owner = pwd.getpwuid(os.geteuid()).pw_name
    data = f'"{tmp_path}/100%% data"'
    assert f"ExecStart={program} serve --role web --config {tmp_path}/s.toml --data {data}\n" in home
    assert f"User={owner}\n" in home
    assert f"ReadWritePaths={data}\n" in home
    assert "StateDirectory" not in home
    assert "ProtectHome=read-only" in home
    printed = streamer("unit", "--role", "media")
    assert printed.returncode == 0
    assert f"ExecStart={Path(sys.prefix) / 'bin' / 'streamer'} serve --role media" in printed.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="optional: no systemd here")
@pytest.mark.parametrize("unit", sorted((ROOT / "configs/systemd").glob("*.service")), ids=lambda path: path.name)
def test_the_units_are_understood_by_systemd(unit: Path, tmp_path: Path) -> None:
    program = tmp_path / "streamer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = unit.read_text().replace("/opt/streamer/bin/streamer", str(program))
    copy = tmp_path / unit.name
    copy.write_text(text.replace("Documentation=file:///usr/share/doc/streamer/README.md\n", ""))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    complaints = [line for line in result.stderr.splitlines() if unit.name in line]
    assert complaints == []
    assert "NoNewPrivileges=yes" in text


@needs_nginx
async def test_the_front_proxy_speaks_http2_keeps_media_and_passes_on_what_is_held(tmp_path: Path) -> None:
    asked: list[str] = []
    go_on = asyncio.Event()

    async def playlist(request: web.Request) -> web.Response:
        asked.append(request.path)
        assert request.headers["X-Forwarded-Proto"] == "https"
        assert request.headers["Host"] == f"{NAME}:{port}"
        await go_on.wait()
        return web.Response(text="#EXTM3U\n", headers={"Cache-Control": "max-age=1"})

    async def media(request: web.Request) -> web.Response:
        asked.append(request.path)
        # A location that sets one header of its own would lose these.
        assert request.headers["X-Forwarded-For"] == "127.0.0.1"
        assert request.headers["Host"] == f"{NAME}:{port}"
        return web.Response(body=b"x" * 100_000, headers={"Cache-Control": "public, max-age=7200, immutable"})

    async def metrics(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="for the monitoring")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/live/a/b/v.m3u8", playlist)
    app.router.add_get("/live/a/b/key/v/{name}", media)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream, port = runner.addresses[0][1], free_port()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key, names=(NAME,))
    # Workers of a root-run nginx give up their rights and must still reach their folder.
    tmp_path.chmod(0o755)
    config = nginx_config(tmp_path, upstream=upstream, port=port, certificate=certificate, key=key, name=NAME)
    try:
        with nginx(config) as process:
            await _reachable(port, process)
            waiting = asyncio.create_task(_get(certificate, port, "/live/a/b/v.m3u8?_HLS_msn=5"))
            await until(lambda: asked)
            for _ in range(3):
                status, http, size = await _get(certificate, port, "/live/a/b/key/v/7.0.m4s")
                assert (status, http, size) == ("200", "h2", "100000")
            assert asked.count("/live/a/b/key/v/7.0.m4s") == 1
            assert (await _get(certificate, port, "/metrics"))[0] == "404"
            assert "/metrics" not in asked
            assert not waiting.done()
            go_on.set()
            assert await waiting == ("200", "h2", "8")
    finally:
        await runner.cleanup()


async def _reachable(port: int, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            assert process.poll() is None
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


async def _get(certificate: Path, port: int, path: str) -> tuple[str, str, str]:
    """Status, protocol and size of the answer, over verified TLS."""
    process = await asyncio.create_subprocess_exec(
        "node", "-e", HTTP2_CLIENT, f"https://{NAME}:{port}", path, str(certificate), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    status, protocol, size = output.decode().split()
    return status, protocol, size
