"""Makes the pages' types from the server's own documents: `python web/scripts/generate_types.py`.

With `--check` it fails where they differ.

REST: `src/lib/api/schema.d.ts`, from the OpenAPI document. Socket.IO's events: `src/lib/api/events.d.ts`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WEB = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(WEB.parent))

from streamer.api.openapi import openapi_document  # noqa: E402
from streamer.api.routes import ROUTES  # noqa: E402
from streamer.realtime.schemas import socket_document  # noqa: E402

FOLDER = WEB / "src/lib/api"


def rest_document() -> dict[str, Any]:
    """The OpenAPI document's components: the pages name no operations."""
    return {**openapi_document(ROUTES), "paths": {}}


def _short(match: re.Match[str]) -> str:
    """``streamer__planning__poll__SourceView``, where two have a name, is called by its module: ``PollSourceView``."""
    *_, module, name = match[0].split("__")
    return "".join(part.title() for part in module.split("_")) + name


def generated(document: dict[str, Any]) -> str:
    """The document's types as TypeScript."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "document.json"
        source.write_text(re.sub(r"streamer__\w+__\w+", _short, json.dumps(document)), "utf-8")
        command = [str(WEB / "node_modules/.bin/openapi-typescript"), str(source), "--default-non-nullable", "false"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise SystemExit(made.stderr)
    return made.stdout


def main() -> int:
    wanted = {"schema.d.ts": rest_document(), "events.d.ts": socket_document()}
    differing = []
    for name, document in wanted.items():
        target = FOLDER / name
        text = generated(document)
        if target.is_file() and target.read_text("utf-8") == text:
            continue
        differing.append(name)
        if "--check" not in sys.argv[1:]:
            target.write_text(text, "utf-8")
    if differing and "--check" in sys.argv[1:]:
        print(
            f"{', '.join(differing)}: not what the server says. Run: python web/scripts/generate_types.py",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
