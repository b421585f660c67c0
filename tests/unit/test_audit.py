"""The audit of locked packages: an answer is told from none."""

from __future__ import annotations

import json

from tests.audit import read_npm_audit, read_pip_audit
from tests.checks import audited


def test_known_weaknesses_are_named() -> None:
    weak = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}
    answer = {
        "dependencies": [{"name": "a", "version": "1.0", "vulns": [weak]}, {"name": "b", "version": "2", "vulns": []}]
    }
    found = read_pip_audit(json.dumps(answer), "")
    assert (found.weaknesses, found.unknown) == (["a 1.0: PYSEC-1, mended in 1.1"], "")
    pages = read_npm_audit(json.dumps({"vulnerabilities": {"c": {"severity": "high"}}}), "")
    assert (pages.weaknesses, pages.unknown) == (["c: high"], "")
    assert [audited(one).failed for one in (found, pages)] == [1, 1]


def test_nothing_known_has_passed_where_the_service_answered() -> None:
    good = read_pip_audit(json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}), "")
    pages = read_npm_audit(json.dumps({"vulnerabilities": {}}), "")
    assert [(audited(one).passed, audited(one).skipped) for one in (good, pages)] == [(1, 0), (1, 0)]


def test_an_audit_that_could_not_be_made_is_skipped_and_says_why() -> None:
    reason = "Dependency not found on PyPI and could not be audited: a (1)"
    answers = [
        read_pip_audit(json.dumps({"dependencies": [{"name": "a", "skip_reason": reason}]}), ""),
        read_pip_audit("", "ConnectionError: no route"),
        read_npm_audit(json.dumps({"message": "405 Method Not Allowed", "statusCode": 405}), ""),
        read_npm_audit("", "npm error offline"),
    ]
    for one, words in zip(answers, (reason, "no route", "405 Method Not Allowed", "offline"), strict=True):
        assert words in str(one)
        assert (audited(one).passed, audited(one).failed, audited(one).skipped) == (0, 0, 1)
