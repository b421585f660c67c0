"""The OpenAPI document against the application: schemathesis makes requests of it, and judges the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LEFT_OUT = {
    # Hashing takes 50 ms of a core each time; the tests of logins try its bodies.
    "PUT /api/v1/password",
    "POST /api/v1/login",
    # It would take the searching login's rights away, and everything else with them.
    "POST /api/v1/logout",
}


def search(
    url: str, document: Mapping[str, Any], headers: Mapping[str, str], examples: int, *, fixed: bool
) -> list[str]:
    """The findings, at most one of each operation. Blocking: for a thread. ``fixed``: the same requests each time."""
    found = []
    for result in schemathesis.openapi.from_dict(dict(document)).get_all_operations():
        operation = result.ok()
        if operation.label in LEFT_OUT:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=fixed,
            database=None,
            phases=[Phase.explicit, Phase.generate] + ([] if fixed else [Phase.shrink]),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def attempt(case: Any) -> None:
            response = case.call(base_url=url, headers=dict(headers), timeout=20)
            if response.status_code == 503:
                # No media host: it is a fake.
                return
            case.validate_response(response, checks=CHECKS)

        try:
            attempt()
        except BaseExceptionGroup as group:
            found.append(f"{operation.label}: {group.exceptions[0]}")
        except Exception as error:
            found.append(f"{operation.label}: {error}")
    return found
