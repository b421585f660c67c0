"""One Chromium and one server of each kind for a worker: modules have rooms of their own in them.

``server`` is a whole server, ``pages_server`` a web process without media (tests/fakes/web_alone.py). Tests may kill
their processes if they wait until these are back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import OTHER_NAMES, chromium
from tests.fakes.certificates import Certificate
from tests.fakes.running import Running, serving
from tests.fakes.shared import close_rooms
from tests.fakes.web_alone import web_alone

SETTINGS = {
    # A source of 720 or 360 lines has this below it, a small one nothing.
    "STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]',
    # The quality of the pictures is no matter here.
    "STREAMER_MEDIA__PRESET": "ultrafast",
    "STREAMER_MEDIA__SLATE_FRAME_RATE": "12",
    # A camera that shares its process with a test on a busy machine pauses now and then.
    "STREAMER_MEDIA__SILENCE_BEFORE_SLATE_S": "3",
    "STREAMER_HLS__SEGMENT_S": "1",
    "STREAMER_HLS__TARGET_DURATION_S": "2",
    "STREAMER_WHEP__MAX_VIEWERS": "1",
    "STREAMER_WHEP__CONNECT_TIMEOUT_S": "20",
    "STREAMER_ROOM__CLOSE_AFTER_S": "9",
    # Everybody here is one household, and each batch of hostile texts has a new name.
    "STREAMER_REALTIME__NEWCOMERS_BURST": "200",
}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"), OTHER_NAMES)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(certificate: Certificate) -> AsyncIterator[Browser]:
    names = ",".join(f"MAP {name} 127.0.0.1" for name in OTHER_NAMES)
    async with chromium(
        f"--host-resolver-rules={names}",
        f"--ignore-certificate-errors-spki-list={certificate.pin}",
        "--auto-select-desktop-capture-source=Entire screen",
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def closed_rooms(server: Running) -> AsyncIterator[None]:
    """The rooms that a test opened end with it."""
    yield
    await close_rooms(server)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages_server() -> AsyncIterator[Running]:
    # Crowds that have just come from one address speak at once.
    async with web_alone({"realtime": {"newcomer_s": 0}}) as running:
        yield running
