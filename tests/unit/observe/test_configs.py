"""The alert rules and dashboards of ``configs/observe``: each metric and label is the program's, each rule rings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
OBSERVE = ROOT / "configs" / "observe"
RULES = OBSERVE / "rules.yml"
ALERTS = Path(__file__).with_name("alerts.yml")
DASHBOARDS = sorted((OBSERVE / "grafana").glob("*.json"))

OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds to all that it fetches."""
SELECTED = re.compile(r"\b(streamer_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|on|without) \(([\w, ]*)\)")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def shown(path: Path) -> Iterator[tuple[str, str]]:
    """Each expression, and the labels' template beside it."""
    for panel in dashboard(path)["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Metric -> its labels."""
    data = ROOT / "tests" / "golden" / "data"
    recorded = json.loads((data / "metrics.json").read_text("utf-8"))["labels"]
    counters = json.loads((data / "codes.json").read_text("utf-8"))["counters"]
    rooms = {f"streamer_room_{name.removeprefix('room_')}": {"room"} for name in counters}
    return {**rooms, **{name: set(labels) for name, labels in recorded.items()}}


def unknown(expression: str, texts: str, known: dict[str, set[str]]) -> set[str]:
    """The metrics and labels of an expression, and the labels that ``texts`` show, which the program does not have."""
    found: set[str] = set()
    labels: set[str] = set(OF_PROMETHEUS)
    for name, selectors in SELECTED.findall(expression):
        has = known.get(name)
        if has is None:
            found.add(name)
            continue
        labels |= has
        found |= set(re.findall(r"(\w+)\s*[=!]", selectors)) - has - OF_PROMETHEUS
    for group in GROUPED.findall(expression):
        found |= set(re.findall(r"\w+", group)) - labels
    return found | set(re.findall(r"{{ ?(?:\$labels\.)?(\w+) ?}}", texts)) - labels


def test_rules_use_what_the_program_tells(known: dict[str, set[str]]) -> None:
    for rule in rules():
        assert unknown(rule["expr"], " ".join(rule["annotations"].values()), known) == set(), rule["alert"]
    assert unknown("sum by (room) (streamer_rooms{hall='a'}) > streamer_roms", "{{source}}", known) == {
        "room",
        "hall",
        "streamer_roms",
        "source",
    }


def test_each_rule_has_a_severity_a_summary_and_a_remedy() -> None:
    named = ALERTS.read_text("utf-8")
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "remedy"}, rule["alert"]
        assert all(text.endswith(".") for text in rule["annotations"].values()), rule["alert"]
        assert f'alertname="{rule["alert"]}"' in named, "it is tried with figures"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_use_what_the_program_tells_and_any_data_source(path: Path, known: dict[str, set[str]]) -> None:
    found = dashboard(path)
    variables = {one["name"]: one for one in found["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert set(re.findall(r"\$\{?(\w+)", path.read_text("utf-8"))) <= set(variables)
    assert set(re.findall(r'"uid": "([^"]*)"', path.read_text("utf-8"))) == {found["uid"], "${datasource}"}
    assert "id" not in found, "Grafana gives it one of its own"
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = {
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    }
    assert len(cells) == sum(at["w"] * at["h"] for at in places), "panels lie on each other"
    assert max(x for x, _ in cells) < 24
    for expression, legend in shown(path):
        assert unknown(expression, legend, known) == set(), expression


@needs_promtool
def test_prometheus_understands_each_rule_and_panel_and_the_rules_ring(tmp_path: Path) -> None:
    shown_too = [
        {"record": f"panel:{number}", "expr": expression.replace("$room", ".*")}
        for number, expression in enumerate(expression for path in DASHBOARDS for expression, _ in shown(path))
    ]
    panels = tmp_path / "panels.yml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": shown_too}]}))
    for command in (["check", "rules", str(RULES), str(panels)], ["test", "rules", str(ALERTS)]):
        result = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr
