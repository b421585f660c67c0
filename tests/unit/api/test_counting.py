"""The year's count over the API, for organisers."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

from streamer.conference.sessions import Session, SessionState
from streamer.store.database import Database
from streamer.store.sessions import Sessions
from tests.unit.api.conftest import Api, Client, bearer

JUNE_MS = round(datetime(2025, 6, 1, 10, tzinfo=UTC).timestamp() * 1000)


async def two_venues(api: Api, database: Database) -> None:
    for venue, name in (("v", "=Maison, à Nantes"), ("w", "Halle")):
        await api("POST", "/venues", {"id": venue, "name": name})
        await api("POST", "/rooms", {"id": f"room-{venue}", "name": "R", "venue": venue})
    async with database.write() as connection:
        await Sessions(connection).add_many(
            [
                Session(
                    id=f"s{number}",
                    room="room-v",
                    title="T",
                    start_ms=JUNE_MS,
                    end_ms=JUNE_MS + 3_600_000,
                    state=SessionState.ENDED,
                    started_ms=JUNE_MS,
                    ended_ms=JUNE_MS + 5_400_000,
                )
                for number in range(3)
            ]
        )


async def test_the_count_is_a_table_and_a_file(api: Api, client: Client, database: Database) -> None:
    await two_venues(api, database)
    rows: list[dict[str, Any]] = (await api("GET", "/count?year=2025"))["items"]
    assert [(row["venue"], row["count"], row["wanted"], row["hours"]) for row in rows] == [
        ("v", 3, 200, 4.5),
        ("w", 0, 200, 0.0),
    ]
    assert rows[0]["kinds"]["conference"] == 3
    async with client.get("/api/v1/count?year=2025&format=csv", headers=bearer(api.token)) as response:
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert response.headers["Content-Disposition"] == 'attachment; filename="public-events-2025.csv"'
        assert response.headers["Cache-Control"] == "no-store"
        text = await response.text()
    assert text.count("\r\n") == 3
    table = list(csv.DictReader(io.StringIO(text)))
    # A spreadsheet must not take a name for a formula.
    assert (table[0]["name"], table[0]["count"], table[0]["hours"]) == ("'=Maison, à Nantes", "3", "4.5")
    assert (await api("GET", "/count?year=2024"))["items"][0]["count"] == 0
    assert (await api("GET", "/count"))["items"][0]["year"] == datetime.now(UTC).year
    await api("GET", "/count?year=1", expect=422)


async def test_organisers_see_their_own_venue_and_others_nothing(api: Api, database: Database) -> None:
    await two_venues(api, database)
    organiser = api.as_(await api.grant("organiser", venue="w"))
    assert [row["venue"] for row in (await organiser("GET", "/count?year=2025"))["items"]] == ["w"]
    await organiser("GET", "/count?year=2025&venue=v", expect=403)
    assert [row["venue"] for row in (await api("GET", "/count?year=2025&venue=v"))["items"]] == ["v"]
    in_room = api.as_(await api.grant("organiser", room="room-w"))
    await in_room("GET", "/count?year=2025", expect=403)
    technician = api.as_(await api.grant("technician"))
    await technician("GET", "/count?year=2025", expect=403)
    await api.as_("")("GET", "/count?year=2025", expect=401)
