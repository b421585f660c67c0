"""The built pages: shells that get the configuration put in, and hashed assets from memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from streamer.errors import NotFound
from streamer.settings import Settings

_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")
_MAX_CACHED_BYTES = 64 * 1024 * 1024
_WORKER = "service-worker.js"
_HASHED = "public, max-age=31536000, immutable"
_NO_SCRIPT = re.compile(rb"<noscript>.*?</noscript>", re.S)
"""The shell's own sentence: the text has one of its own."""
_STYLES = re.compile(rb'<link rel="stylesheet"[^>]*>')
_TITLE = re.compile(rb"<title>.*?</title>", re.S)
_THEME_COLOUR = re.compile(rb'<meta name="theme-color"[^>]*>')


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file ready to send. ``gzipped`` is None where compression gains nothing, ``brotli`` where the build made none
    (``name.br``)."""

    body: bytes
    gzipped: bytes | None
    brotli: bytes | None
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class FirstText:
    """HTML for a shell: elements of its head in place of its title, and the text that stands in the page's place until
    its program has loaded."""

    head: str
    text: str


class PageFiles:
    """Reads ``web/dist``. Files are kept in memory and read again when they change on disk.

    Blocking reads of small local files; each happens once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cache: dict[str, tuple[int, StaticFile]] = {}
        self._cached_bytes = 0

    def shell(
        self, name: str, config: dict[str, Any], told: FirstText | None = None, branding: str = ""
    ) -> bytes | None:
        """The page ``name`` with its configuration, and with ``told`` in its head and its place; None if the front end
        is not built. ``branding``: more elements of its head."""
        file = self._read(f"{name}.html")
        if file is None:
            return None
        # In a data block only "</" could end it early; "<!--" confuses parsers as well.
        text = json.dumps(config, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        block = f'<script type="application/json" id="streamer-config">{text}</script>'
        body = file.body
        if "theme-color" in branding:
            body = _THEME_COLOUR.sub(b"", body)
        body = body.replace(b"</head>", (branding + block).encode("utf-8") + b"</head>", 1)
        body = body.replace(b'<html lang="en">', f'<html lang="{config["locale"]}">'.encode(), 1)
        if told is None:
            return body
        head, first = told.head.encode("utf-8"), told.text.encode("utf-8")
        body = _TITLE.sub(lambda _: head, body, count=1)
        # Behind the text, the program's styles do not keep it from being painted; the program still waits for them.
        styles = b"".join(_STYLES.findall(body))
        body = _NO_SCRIPT.sub(b"", _STYLES.sub(b"", body))
        return body.replace(b'<div id="app"></div>', b'<div id="app">' + first + b"</div>" + styles, 1)

    def asset(self, path: str) -> StaticFile | None:
        """A file of ``assets/`` or the folder's root by its address below it; None if there is none."""
        if not path or path.endswith(".html") or any(part in ("", ".", "..") for part in path.split("/")):
            return None
        return self._read(path)

    def _read(self, path: str) -> StaticFile | None:
        full = self.folder / path
        try:
            changed = full.stat().st_mtime_ns
            cached = self._cache.get(path)
            if cached is not None and cached[0] == changed:
                return cached[1]
            # Symbolic links could lead out of the folder.
            if not full.resolve().is_relative_to(self.folder.resolve()) or not full.is_file():
                return None
            body = full.read_bytes()
            beside = full.with_name(f"{full.name}.br")
            brotli = beside.read_bytes() if beside.is_file() else None
        except (OSError, ValueError):
            return None
        content_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        if path.endswith(".webmanifest"):
            # Not known everywhere.
            content_type = "application/manifest+json"
        if content_type == "text/javascript":
            content_type = "application/javascript"
        packed = gzip.compress(body, 9, mtime=0) if content_type.startswith(_COMPRESSIBLE) else None
        file = StaticFile(
            body,
            packed if packed is not None and len(packed) < len(body) else None,
            brotli,
            content_type,
            f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        )
        if self._cached_bytes + len(body) <= _MAX_CACHED_BYTES:
            self._cached_bytes += len(body)
            self._cache[path] = (changed, file)
        return file


FILES = web.AppKey("page_files", PageFiles)


def default_folder() -> Path | None:
    """``web/dist`` beside the program: in a checkout, or installed with it."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "web_dist", here.parents[2] / "web" / "dist"):
        if (folder / "index.html").is_file():
            return folder
    return None


async def asset(request: web.Request) -> web.Response:
    """Hashed names never change their content; browsers ask again for the others (favicon)."""
    hashed = request.path.startswith("/assets/")
    name = request.path.removeprefix("/")
    file = request.app[FILES].asset(name)
    if file is None:
        raise NotFound("There is no such file.")
    headers = {
        hdrs.ETAG: file.etag,
        hdrs.CACHE_CONTROL: _HASHED if hashed else "no-cache" if name == _WORKER else "public, max-age=3600",
        hdrs.VARY: "Accept-Encoding",
        hdrs.CONTENT_TYPE: file.content_type + ("; charset=utf-8" if file.gzipped is not None else ""),
    }
    if request.headers.get(hdrs.IF_NONE_MATCH) == file.etag:
        return web.Response(status=304, headers=headers)
    for coding, packed in (("br", file.brotli), ("gzip", file.gzipped)):
        if packed is not None and takes(request, coding):
            return web.Response(body=packed, headers={**headers, hdrs.CONTENT_ENCODING: coding})
    return web.Response(body=file.body, headers=headers)


def takes(request: web.Request, coding: str) -> bool:
    return coding in re.split(r"[\s,;]+", request.headers.get(hdrs.ACCEPT_ENCODING, "").lower())


def add_files(app: web.Application, settings: Settings) -> None:
    """The built files that are the same for everybody."""
    app[FILES] = PageFiles(settings.web_dist or default_folder() or settings.data / "no-pages")
    app.router.add_get("/assets/{path:.+}", asset)
    root = "favicon[.](?:ico|svg)|robots[.]txt|site[.]webmanifest|service-worker[.]js|icons/[a-z0-9-]+[.]png"
    app.router.add_get(f"/{{path:{root}}}", asset)
