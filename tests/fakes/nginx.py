"""The real nginx with ``configs/nginx.conf`` or the edge's, in front of a server on the loopback: TLS and HTTP/2 for
tests."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def nginx_program() -> str | None:
    """Debian puts it where users' PATH does not look."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


def nginx_config(
    folder: Path,
    *,
    upstream: int,
    port: int,
    certificate: Path,
    key: Path,
    name: str,
    cache: int | None = None,
    from_cache: int | None = None,
    address: str = "127.0.0.1",
) -> Path:
    """Our configuration with its addresses and files replaced, whole enough for a process of its own.

    The server that redirects to TLS is left out; the one for viewers listens at ``address``. With ``cache``, the port
    of Varnish, it is the edge's, which takes Varnish's requests at ``from_cache``.
    """
    text = (CONFIGS / ("nginx.conf" if cache is None else "edge/nginx.conf")).read_text("utf-8")
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{upstream}").replace("stream.example.org", name)
    text = text.replace("origin.example.org:443", f"127.0.0.1:{upstream}").replace(
        "https://streamer_origin", "http://streamer_origin"
    )
    text = text.replace("127.0.0.1:6081", f"127.0.0.1:{cache}").replace("127.0.0.1:6083", f"127.0.0.1:{from_cache}")
    text = re.sub(r"listen 443 (ssl|quic)", rf"listen {address}:{port} \1", text)
    text = re.sub(r"listen \[::\]:443 .*;", "", text)
    text = re.sub(r"server \{\s+listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"ssl_certificate .*;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {key};", text)
    text = text.replace("/var/cache/nginx/streamer", str(folder / "cache"))
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off;\nmaster_process off;\npid {folder / 'nginx.pid'};\nerror_log {folder / 'error.log'} warn;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n"
    )
    return whole


@contextlib.contextmanager
def nginx(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the end of the block. The caller waits for its port."""
    program = nginx_program()
    assert program is not None
    with subprocess.Popen([program, "-c", str(config), "-p", str(config.parent)]) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)
