"""The output of ``streamer demo`` when it is ready."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamer.cli.demo import ready
from streamer.conference.grants import Role
from streamer.settings import load_settings
from streamer.store.database import Database, database_url
from streamer.store.grants import Grants

URL = "http://127.0.0.1:8080"


async def test_a_link_for_each_role_opens_that_roles_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(None, data=tmp_path)
    await ready(URL, settings)
    printed = capsys.readouterr().out
    links = dict(re.findall(r"^(\S.*?) {2,}(http\S+)$", printed, re.MULTILINE))
    pages = {name: link.removeprefix(URL).partition("#")[0] for name, link in links.items()}
    assert re.fullmatch(r"/join/[2-9A-Z]{6}", pages.pop("In the hall"))
    assert pages.pop("Its screen").startswith("/stage/demo?view=hall&code=")
    assert pages == {
        "Audience": "/watch/demo",
        "Technician": "/studio/demo",
        "Moderator": "/moderate/demo",
        "Captioner": "/caption/demo",
        "Speaker": "/stage/demo",
        "Organiser": "/admin",
        "Admin": "/admin",
        "OBS (WHIP)": "/whip/demo",
        "Interface": "/api/v1/docs",
    }
    token = re.search(r"^ +its token +(\S+)$", printed, re.MULTILINE)
    assert token is not None
    database = Database(database_url("", tmp_path))
    await database.start()
    try:
        async with database.read() as connection:
            for role in (Role.TECHNICIAN, Role.MODERATOR, Role.CAPTIONER, Role.SPEAKER, Role.ORGANISER, Role.ADMIN):
                grant = await Grants(connection).by_token(links[role.capitalize()].partition("#token=")[2])
                assert grant is not None
                assert grant.role is role
            encoder = await Grants(connection).by_token(token[1])
            assert encoder is not None
            assert encoder.role is Role.PUBLISHER
    finally:
        await database.close()


async def test_a_second_run_prints_the_same_code_and_ends_the_first_ones_links(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(None, data=tmp_path)
    printed = []
    for _ in range(2):
        await ready(URL, settings)
        printed.append(capsys.readouterr().out)
    codes, tokens = ([re.findall(pattern, text) for text in printed] for pattern in (r"/join/(\w+)", r"#token=(\S+)"))
    assert codes[0] == codes[1]
    assert not set(tokens[0]) & set(tokens[1])
    database = Database(database_url("", tmp_path))
    await database.start()
    try:
        async with database.read() as connection:
            assert [await Grants(connection).by_token(token) for token in tokens[0]] == [None] * len(tokens[0])
    finally:
        await database.close()
