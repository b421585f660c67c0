"""The pages' types are those of the server's documents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streamer.realtime.schemas import EVENTS, socket_document

SCRIPT = Path(__file__).parents[3] / "web" / "scripts" / "generate_types.py"


def test_the_committed_types_are_what_the_documents_give() -> None:
    made = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_the_sockets_document_has_every_event() -> None:
    schemas = socket_document()["components"]["schemas"]
    assert set(schemas["Events"]["properties"]) == set(EVENTS)
    assert schemas["Events"]["properties"]["claim"] == {"$ref": "#/components/schemas/Claimed"}
