"""The data folder and the database as they were recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from streamer import passwords
from streamer.api.cursors import KEY_NAME, Cursors
from streamer.audience import images
from streamer.audience.identity import Identities, ParticipantIdentity
from streamer.audience.state import Put
from streamer.backup.bucket import BackupHolder
from streamer.backup.saving import LastBackup
from streamer.backup.target import Manifest
from streamer.conference.grants import hash_secret
from streamer.conference.session_keys import LINK, admin_holder, holder_of, key_of
from streamer.conference.sessions import Session, Visibility
from streamer.conference.spans import output_name
from streamer.conference.undo import Effect
from streamer.control import process_files
from streamer.control.messages import RoomConfig
from streamer.settings import Settings, load_settings
from streamer.store import (
    actions,
    approvals,
    audit,
    bucket_objects,
    captions,
    chat,
    directors,
    events,
    grants,
    hall_codes,
    logins,
    marks,
    moderation,
    modes,
    participants,
    polls,
    questions,
    recordings,
    room_states,
    rooms,
    schedule_sources,
    sessions,
    tables,
    venues,
)
from streamer.store.database import Database, database_url
from streamer.store.logins import Secrets
from streamer.store.mapping import RowMapping
from tests.golden.filled import by_name, filled
from tests.golden.recorded import DATA, recording, same_bytes, same_json

SECRET = bytes(range(32))
NOON_MS = 1_780_308_000_000
MAPPINGS: dict[str, RowMapping[Any]] = {
    "actions": actions._MAPPING,
    "audit": audit._MAPPING,
    "approvals": approvals._MAPPING,
    "bucket_objects": bucket_objects._OBJECTS,
    "captions": captions._MAPPING,
    "messages": chat._MAPPING,
    "directors": directors._MAPPING,
    "events": events._MAPPING,
    "grants": grants._MAPPING,
    "hall_codes": hall_codes._MAPPING,
    "logins": logins._MAPPING,
    "marks": marks._MAPPING,
    "sanctions": moderation._SANCTIONS,
    "address_holds": moderation._HOLDS,
    "moderation_actions": moderation._ACTIONS,
    "reports": moderation._REPORTS,
    "crew_lines": moderation._CREW_MESSAGES,
    "room_modes": modes._MODES,
    "notices": modes._NOTICES,
    "participants": participants._MAPPING,
    "polls": polls._MAPPING,
    "questions": questions._MAPPING,
    "recordings": recordings._RECORDINGS,
    "editions": recordings._EDITIONS,
    "alarm_acknowledgements": room_states._ACKNOWLEDGEMENTS,
    "rehearsals": room_states._REHEARSALS,
    "rooms": rooms._MAPPING,
    "schedule_sources": schedule_sources._SOURCES,
    "import_previews": schedule_sources._PREVIEWS,
    "sessions": sessions._MAPPING,
    "venues": venues._MAPPING,
}


def test_rows_of_the_database() -> None:
    """Every column's form: enumerations by value, tuples and mappings as JSON."""
    found = {}
    for table, mapping in MAPPINGS.items():
        values = mapping.values(filled(mapping._kind, table))
        found[table] = {"row": _texts(values), "item": by_name(mapping.of_values(values))}
    same_json("rows.json", found)
    before = json.loads((DATA / "rows.json").read_text("utf-8"))
    for table, mapping in MAPPINGS.items():
        assert by_name(mapping.of_values(_untexted(before[table]["row"]))) == before[table]["item"], table


def test_the_tables_themselves() -> None:
    described = {
        table.name: {
            "columns": {column.name: f"{column.type} {'null' if column.nullable else ''}" for column in table.columns},
            "key": [column.name for column in table.primary_key],
            "foreign": sorted(f"{key.parent.name} {key.target_fullname} {key.ondelete}" for key in table.foreign_keys),
            "indexes": sorted(f"{index.name} {[str(e) for e in index.expressions]}" for index in table.indexes),
        }
        for table in tables.metadata.sorted_tables
    }
    same_json("tables.json", described)


def test_images_of_what_moderators_changed() -> None:
    made = {name: filled(kind, f"image.{name}") for name, kind in images.KINDS.items()}
    found = {name: images.image(Put(None, item)) for name, item in made.items()}
    same_json("moderation_changes.json", json.loads(msgspec.json.encode(found)))
    before = json.loads((DATA / "moderation_changes.json").read_text("utf-8"))
    for name, item in made.items():
        assert images.read(before[name])[1] == item


def test_images_of_what_a_command_changed() -> None:
    effect = filled(Effect, "effect")
    same_json("effect.json", json.loads(msgspec.json.encode(msgspec.to_builtins(effect))))
    assert msgspec.convert(json.loads((DATA / "effect.json").read_text("utf-8")), Effect) == effect


def test_what_a_restarted_room_reads(tmp_path: Path) -> None:
    settings = load_settings(None, data=tmp_path)
    config = filled(RoomConfig, "room.json")
    process_files.save_room(settings, config)
    process_files.save_epoch(settings, config.id, 41)
    same_bytes("room.json", (settings.room_dir(config.id) / "room.json").read_bytes())
    same_bytes("epoch", (settings.room_dir(config.id) / process_files.EPOCH_FILE).read_bytes())
    process_files.write_atomically(settings.room_dir(config.id) / "room.json", (DATA / "room.json").read_bytes())
    process_files.write_atomically(
        settings.room_dir(config.id) / process_files.EPOCH_FILE, (DATA / "epoch").read_bytes()
    )
    assert process_files.load_room(settings, config.id) == config
    assert (process_files.load_epoch(settings, config.id), process_files.highest_epoch(settings)) == (41, 41)


def test_the_settings_that_processes_are_started_with(tmp_path: Path) -> None:
    settings = load_settings(None, data=tmp_path, admin_token="x" * 40, server={"public_url": "https://s.test"})
    text = process_files.write_settings(settings).read_text("utf-8")
    assert "x" * 40 not in text
    same_json("run_settings.json", json.loads(text.replace(str(tmp_path), "DIR")))
    kept = tmp_path / "kept.json"
    kept.write_text((DATA / "run_settings.json").read_text("utf-8").replace("DIR", str(tmp_path)), "utf-8")
    assert process_files.read_settings(kept) == Settings.model_validate({**settings.model_dump(), "admin_token": ""})


async def test_cursors_keep_their_meaning(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()
    try:
        async with database.write() as connection:
            await Secrets(connection).put(KEY_NAME, SECRET.hex())
        cursors = Cursors(database)
        places = {"sessions room=a": "1780308000000.abc", "audit": "17", "é": "plaçe"}
        same_json("cursors.json", {about: await cursors.seal(about, place) for about, place in places.items()})
        before = json.loads((DATA / "cursors.json").read_text("utf-8"))
        assert {about: await cursors.open(about, before[about]) for about in before} == places
    finally:
        await database.close()


def test_keys_and_secrets() -> None:
    """Secrets in links, cookies and tokens."""
    session = Session("s-1", "a", "T", 0, 1, visibility=Visibility.UNLISTED, generation=3)
    identity = ParticipantIdentity("p0011223344556677", NOON_MS)
    keys = {
        "link": key_of(SECRET, session, LINK),
        "grant": key_of(SECRET, session, "g-1"),
        "next generation": key_of(SECRET, replace(session, generation=4), LINK),
        "admin": admin_holder(SECRET, "t" * 40),
        "participant": Identities(SECRET).token(identity),
        "output": output_name(session),
        "secret": hash_secret("secret-é").hex(),
    }
    same_json("keys.json", keys)
    before = json.loads((DATA / "keys.json").read_text("utf-8"))
    assert holder_of(SECRET, session, before["link"]) == LINK
    assert holder_of(SECRET, session, before["grant"]) == "g-1"
    assert holder_of(SECRET, session, before["next generation"]) is None
    assert Identities(SECRET).read(before["participant"]) == identity


def test_a_password_that_was_set_before_is_the_password_still() -> None:
    path = DATA / "password.json"
    if recording():
        # With a salt: another one each time.
        path.write_text(json.dumps({"stored": passwords.hash_password("correct horse é")}) + "\n", "utf-8")
    stored = json.loads(path.read_text("utf-8"))["stored"]
    assert passwords.password_matches("correct horse é", stored)
    assert not passwords.password_matches("correct horse e", stored)


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"hex:{value.hex()}" if isinstance(value, bytes) else value for name, value in row.items()}


def _untexted(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: bytes.fromhex(value[4:]) if isinstance(value, str) and value.startswith("hex:") else value
        for name, value in row.items()
    }


def test_files_of_a_backup() -> None:
    made = {kind.__name__: filled(kind, kind.__name__) for kind in (Manifest, LastBackup, BackupHolder)}
    same_json("backup.json", {name: json.loads(msgspec.json.encode(one)) for name, one in made.items()})
    for name, one in json.loads((DATA / "backup.json").read_text("utf-8")).items():
        assert msgspec.convert(one, type(made[name])) == made[name]
