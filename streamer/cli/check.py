"""``streamer check``: checks before a broadcast. Blocking; a few seconds at most."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import http.client
import os
import resource
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import ifaddr
from cryptography import x509

from streamer import data_folder
from streamer.api.assets import default_folder
from streamer.api.edges import PATH, SCOPE_HEADER
from streamer.archive.bucket import MediaBucket
from streamer.backup.saving import backup_age_s, last_backup
from streamer.certificate import Certificate
from streamer.control import process_files
from streamer.descriptors import LITTLE, budget, raise_limit
from streamer.errors import StreamerError
from streamer.links import public_url
from streamer.media.capabilities import missing_codecs, versions
from streamer.media.encoders import SOFTWARE, why_not
from streamer.rtc.ice import binding_from
from streamer.s3 import BucketFailed
from streamer.sections import BusSettings
from streamer.serve import is_serving
from streamer.settings import MediaSettings, Settings
from streamer.store.database import Database, StoreUnavailable, database_url

_LITTLE_DISK_H, _LEAST_DISK_H = 24, 1
PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
"""Those of libx264."""
_OLD_BACKUP_H = 36
"""One night may fail."""
_SOON_DAYS = 14
"""A certificate that ends within this time is told."""
_EDGE_S = 3
_CLOCKS_S = 5
_TIME_ERROR = 5
"""adjtimex: the clock is not synchronised."""


Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``bad`` prevents a broadcast; ``warn`` will cause trouble."""

    level: Level
    subject: str
    text: str


def check(settings: Settings) -> Iterator[Finding]:
    """The findings one after the other, as they are made."""
    yield Finding("ok", "settings", "read and valid")
    yield from _codecs(settings)
    yield from _disk(settings)
    yield from _data(settings)
    yield from _ports(settings)
    yield from _clock()
    yield from _addresses(settings)
    yield from _buffers(settings)
    yield from _descriptors(settings)
    yield from _access(settings)
    yield from _pages(settings)
    yield _backup(settings)
    if settings.store.url:
        yield from _database(settings)
    for address in settings.edges.addresses:
        yield edge(address, settings.edges.secret)
    if settings.archive.bucket:
        yield _bucket(settings.archive.bucket)
    if settings.bus.url:
        yield bus(settings.bus)


def edge(address: str, secret: str) -> Finding:
    """Whether an edge would hear that it must not serve something any more."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_EDGE_S)
    headers = {"Authorization": f"Bearer {secret}", SCOPE_HEADER: "nothing"}
    try:
        connection.request("POST", parts.path.rstrip("/") + PATH, headers=headers)
        response = connection.getresponse()
        status, date = response.status, response.getheader("Date")
    except (OSError, http.client.HTTPException) as error:
        return Finding("bad", "edge", f"{address} is not reached ({error}): whatever is erased stays there for 30 s")
    finally:
        connection.close()
    if status == 400:
        text = f"{address} hears what is erased"
        apart_s = abs(parsedate_to_datetime(date).timestamp() - time.time()) if date else 0
        if apart_s > _CLOCKS_S:
            return Finding("warn", "edge", f"{text}, but its clock and this one are {apart_s:.0f} s apart")
        return Finding("ok", "edge", text)
    if status == 403:
        return Finding("bad", "edge", f"{address} has another secret in /etc/varnish/streamer.secret")
    return Finding("bad", "edge", f"{address} answers {status}: it is none with the files of configs/edge")


def _backup(settings: Settings) -> Finding:
    if not (settings.data / "run").exists():
        return Finding("ok", "backup", "nothing is kept yet")
    last = last_backup(settings.data)
    if last is None:
        return Finding("warn", "backup", "none yet: streamer backup TARGET, and every night by streamer unit --backup")
    hours = (backup_age_s(settings.data) or 0) / 3600
    text = f"{hours:.0f} hours old, in {last.target}"
    return Finding("ok", "backup", text) if hours < _OLD_BACKUP_H else Finding("warn", "backup", f"{text}: too old")


def _database(settings: Settings) -> Iterator[Finding]:
    """Of a database server: whether it answers, and what time it has."""
    database = Database(database_url(settings.store.url, settings.data))
    if database.is_sqlite:
        return
    name = database.url.set(password=None).render_as_string()

    async def ahead_s() -> float:
        await database.open()
        try:
            return await database.clock_ahead_s()
        finally:
            await database.close()

    try:
        apart_s = abs(asyncio.run(ahead_s()))
    except StoreUnavailable as error:
        yield Finding("bad", "database", f"{name}: {error.message}")
        return
    if apart_s > _CLOCKS_S:
        text = f"its clock and this one are {apart_s:.0f} s apart: one is wrong, and sessions start by this one"
        yield Finding("warn", "database", f"{name} answers, but {text}")
    else:
        yield Finding("ok", "database", f"{name} answers, and has the time of this machine")


def _bucket(address: str) -> Finding:
    try:
        asyncio.run(MediaBucket(address, "check").try_out())
    except BucketFailed as error:
        return Finding("bad", "bucket", error.message)
    return Finding("ok", "bucket", f"{address} takes objects and keeps no versions")


def bus(settings: BusSettings) -> Finding:
    try:
        from streamer.bus.nats_trial import tried

        loose = asyncio.run(tried(settings))
    except StreamerError as error:
        return Finding("bad", "bus", error.message)
    if loose:
        return Finding("warn", "bus", f"{settings.url} lets a front {loose}: use the rules of configs/bus/nats.conf")
    return Finding("ok", "bus", f"{settings.url} carries messages between the core and fronts, and nothing else")


def _codecs(settings: Settings) -> Iterator[Finding]:
    missing = missing_codecs(settings.media.encoder)
    if missing:
        yield Finding("bad", "codecs", f"missing: {', '.join(missing)} ({versions()})")
    else:
        yield Finding("ok", "codecs", f"all there ({versions()})")
    if settings.media.encoder not in missing:
        yield _encoder(settings.media)


def _encoder(media: MediaSettings) -> Finding:
    name = f"{media.encoder}, preset {media.preset}" if media.encoder == SOFTWARE else media.encoder
    if (why := why_not(media)) is None:
        return Finding("ok", "encoder", f"{name} encodes")
    text = f"{name} does not open ({why})"
    if media.encoder != SOFTWARE:
        text += f": its hardware or driver is not there; media.encoder = {SOFTWARE!r} needs none"
    elif media.preset not in PRESETS:
        near = get_close_matches(media.preset, PRESETS, 1)
        text += f": did you mean {near[0]}?" if near else f": a preset is one of {', '.join(PRESETS)}"
    return Finding("bad", "encoder", text)


def bytes_per_hour(settings: Settings) -> int:
    """The bytes that one room writes in an hour on air, with all renditions."""
    media = settings.media
    kbps = media.top_bitrate_kbps + sum(rung.bitrate_kbps for rung in media.rungs) + media.audio_bitrate_kbps
    return kbps * 1000 // 8 * 3600


def _nearest(folder: Path) -> Path:
    """The folder itself, or where it would be made: the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _disk(settings: Settings) -> Iterator[Finding]:
    usage = shutil.disk_usage(_nearest(settings.data))
    hours = usage.free / bytes_per_hour(settings)
    text = f"{usage.free / 1e9:.3g} GB free: about {hours:.{0 if hours >= 10 else 1}f} room hours of recording"
    level: Level = "ok" if hours >= _LITTLE_DISK_H else "warn"
    if hours < _LEAST_DISK_H:
        level, text = "bad", f"{text}; one room fills it in less than an hour"
    yield Finding(level, "disk", text)


def _data(settings: Settings) -> Iterator[Finding]:
    folder = _nearest(settings.data)
    try:
        # It has no name even for a moment where the file system can do that.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        who = f"user {os.geteuid()}"
        what = (
            f"{settings.data} cannot be written by {who}"
            if folder == settings.data
            else (f"{settings.data} is not there, and {who} cannot make it in {folder}")
        )
        yield Finding("bad", "data folder", f"{what} ({error.strerror})")
        return
    found = list(data_folder.loose(settings.data))
    open_to_all = [one for one in found if one.exposed]
    if open_to_all:
        one = open_to_all[0]
        text = f"{one.path} is another user's (number {one.owner}) and open to everybody: serve refuses it"
        yield Finding("bad", "data folder", text)
    elif found:
        names = ", ".join(f"{one.path} ({one.mode:04o}, user {one.owner})" for one in found[:3])
        what = "not ours alone" if any(one.foreign for one in found) else "open to others; serve closes it"
        yield Finding("warn", "data folder", f"{what}: {names}{', ...' if len(found) > 3 else ''}")
    else:
        yield Finding("ok", "data folder", f"{settings.data} is closed to others")
    if settings.data.is_dir() and (why := data_folder.apart(settings.data)) is not None:
        yield Finding("bad", "recordings", f"{why}; serve refuses it")


def _ports(settings: Settings) -> Iterator[Finding]:
    server, ice = settings.server, settings.ice
    running = is_serving(settings.data)
    if running:
        pid = process_files.read_pid(settings.run_dir / process_files.WEB_PID)
        yield Finding("ok", "port", f"a streamer serves this folder now (web process {pid})")
    elif server.port and not _free(server.host, server.port, socket.SOCK_STREAM):
        yield Finding("bad", "port", f"TCP {server.port} on {server.host or '*'} is taken, or not ours to use")
    else:
        yield Finding("ok", "port", f"TCP {server.port or 'any'} on {server.host or '*'} is free")
    if bool(ice.port_min) != bool(ice.port_max) or ice.port_max < ice.port_min:
        yield Finding("bad", "media ports", "ice.port_min and ice.port_max must both be set, in order, or both be 0")
    elif ice.port_min:
        ports = range(ice.port_min, ice.port_max + 1)
        free = sum(_free("", port, socket.SOCK_DGRAM) for port in ports)
        # A publication or viewer takes one port, because everything is bundled.
        text = f"UDP {ice.port_min}-{ice.port_max}: {free} of {len(ports)} free, one for each camera or WHEP viewer"
        yield Finding("ok" if free == len(ports) or running else "warn", "media ports", text)
    else:
        yield Finding("ok", "media ports", "any UDP port; set ice.port_min and port_max behind a firewall")


def _free(host: str, port: int, kind: socket.SocketKind) -> bool:
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if kind == socket.SOCK_STREAM else 0)
            sock.bind(address)
    except OSError:
        return False
    return True


def _clock() -> Iterator[Finding]:
    # struct timex begins with ``modes``; 0 only asks. It is smaller than 256 bytes everywhere.
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256))
    if state == _TIME_ERROR:
        yield Finding("warn", "clock", "not synchronised, or not visible in a container: sessions start by this clock")
    elif state < 0:
        yield Finding("warn", "clock", "cannot be asked here; make sure that it is synchronised")
    else:
        yield Finding("ok", "clock", "synchronised")


def _addresses(settings: Settings) -> Iterator[Finding]:
    binding = binding_from(settings)
    addresses = list(binding.addresses) or [
        str(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for adapter in ifaddr.get_adapters() for ip in adapter.ips
    ]
    announced = f", announced as {', '.join(binding.announce)}" if binding.announce else ""
    text = f"media goes to {', '.join(addresses)}{announced}"
    only_here = all(address.startswith("127.") or address == "::1" for address in addresses)
    if only_here and not binding.announce:
        yield Finding("warn", "addresses", f"{text}: cameras on other machines do not reach that")
    else:
        yield Finding("ok", "addresses", text)


def _buffers(settings: Settings) -> Iterator[Finding]:
    wanted = settings.ice.socket_buffer_bytes
    try:
        most = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return
    if most < wanted:
        text = f"net.core.rmem_max is {most}: large key frames lose packets; sysctl -w net.core.rmem_max={wanted}"
        yield Finding("warn", "buffers", text)
    else:
        yield Finding("ok", "buffers", f"net.core.rmem_max is {most}")


def _descriptors(settings: Settings) -> Iterator[Finding]:
    limit = raise_limit()
    pid = process_files.read_pid(settings.run_dir / process_files.WEB_PID) if is_serving(settings.data) else None
    if pid is not None:
        # A service's limit (LimitNOFILE) differs from the limit of the shell that asks.
        with contextlib.suppress(OSError):
            limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
    found = budget(limit, settings.server.max_connections)
    text = f"{limit} (RLIMIT_NOFILE): {found.connections} connections, and {found.crew} more for the crew"
    if limit < LITTLE:
        text += f"; a hall of 300 phones needs a limit of {LITTLE}: LimitNOFILE= or ulimits"
    yield Finding("warn" if limit < LITTLE else "ok", "descriptors", text)


def _access(settings: Settings) -> Iterator[Finding]:
    url = public_url(settings)
    parts = urlsplit(url)
    server = settings.server
    if (server.tls_cert is None) != (server.tls_key is None):
        yield Finding("bad", "TLS", "tls_cert and tls_key go together")
        return
    if server.tls_cert is not None and server.tls_key is not None:
        try:
            Certificate(server.tls_cert, server.tls_key)
            served = x509.load_pem_x509_certificate(server.tls_cert.read_bytes())
        except (OSError, ValueError) as error:
            yield Finding("bad", "TLS", f"the certificate cannot be read: {error}")
            return
        yield from _certificate(served, parts.hostname or "")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield Finding("warn", "TLS", f"{url} is plain HTTP: browsers give no camera to the studio page there")
    else:
        yield Finding("ok", "TLS", f"people come to {url}")


def _certificate(served: x509.Certificate, host: str) -> Iterator[Finding]:
    left = served.not_valid_after_utc - datetime.now(UTC)
    if left <= timedelta():
        yield Finding("bad", "certificate", f"it ended on {served.not_valid_after_utc:%Y-%m-%d}: browsers refuse it")
    elif left < timedelta(days=_SOON_DAYS):
        yield Finding("warn", "certificate", f"it ends in {left.days} days; a new file in its place is taken by itself")
    try:
        names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        named: list[str] = []
    else:
        named = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    # RFC 6125, 6.4.3: a star stands for one label, the first.
    if not any(
        host.lower() in (name.lower(), name.lower().replace("*", host.lower().partition(".")[0], 1)) for name in named
    ):
        yield Finding("warn", "certificate", f"it is for {', '.join(named) or 'nobody'}, and people come to {host}")


def _pages(settings: Settings) -> Iterator[Finding]:
    folder = settings.web_dist or default_folder()
    if folder is None or not (folder / "index.html").is_file():
        yield Finding("bad", "pages", "web/dist is missing: run make setup")
    else:
        yield Finding("ok", "pages", str(folder))
