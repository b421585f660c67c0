"""Checks locked packages for known weaknesses: ``requirements.txt`` by pip-audit, ``web/package-lock.json`` by npm.

Both ask the registries' advisory services. If these do not answer (no network, a mirror without them) the result is
unknown and reported as such: an audit that could not be made has not passed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 180.0
PYTHON = "audit of requirements.txt"
PAGES = "audit of package-lock.json"


@dataclass(frozen=True)
class Audit:
    """Outcome of one lock file. ``unknown``: why it could not be made; empty: it was."""

    name: str
    weaknesses: Sequence[str] = field(default_factory=tuple)
    unknown: str = ""

    def __str__(self) -> str:
        if self.unknown:
            return f"SKIPPED {self.name}: {self.unknown}"
        return "\n".join([f"{self.name}: {len(self.weaknesses)} known weaknesses", *self.weaknesses])


def read_pip_audit(output: str, complaint: str) -> Audit:
    """``pip-audit --format json``: a package that its service does not know has a ``skip_reason``."""
    answer = _object(output)
    packages = answer.get("dependencies")
    if not isinstance(packages, list) or not packages:
        return Audit(PYTHON, unknown=f"the advisory service did not answer: {_last(complaint)}")
    unknown = [package for package in packages if "skip_reason" in package]
    if unknown:
        why = f"{len(unknown)} of {len(packages)} packages could not be audited: {unknown[0]['skip_reason']}"
        return Audit(PYTHON, unknown=why)
    found = [
        f"{package['name']} {package['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions'])}"
        for package in packages
        for weakness in package["vulns"]
    ]
    return Audit(PYTHON, found)


def read_npm_audit(output: str, complaint: str) -> Audit:
    """``npm audit --json``: an answer without ``vulnerabilities`` is an error of the service's."""
    answer = _object(output)
    if not isinstance(answer.get("vulnerabilities"), dict):
        why = answer.get("message") or _last(complaint)
        return Audit(PAGES, unknown=f"the advisory service did not answer: {why}")
    found = [f"{name}: {one.get('severity', '')}" for name, one in answer["vulnerabilities"].items()]
    return Audit(PAGES, found)


def audits() -> list[Audit]:
    """Both, with the ordinary clients."""
    pip_audit = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    made = _run([*pip_audit, "--format", "json", "-r", "requirements.txt"], ROOT)
    # The pages' packages and their build tools: both reach the visitor.
    built = _run(["npm", "audit", "--json"], ROOT / "web")
    return [read_pip_audit(*made), read_npm_audit(*built)]


def _run(command: Sequence[str], folder: Path) -> tuple[str, str]:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return done.stdout, done.stderr


def _object(output: str) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "nothing was said"
