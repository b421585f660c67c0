"""``POST /api/v1/first-admin``: somebody with the one-time link of a new server becomes its admin."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from streamer.api.audit import record
from streamer.api.context import now_ms
from streamer.api.models import Body, GrantCreated, GrantView
from streamer.api.qr import qr_data_uri
from streamer.api.routing import Call, Route
from streamer.conference.grants import EVERYTHING, Action, Grant, Role, new_token
from streamer.errors import Forbidden
from streamer.links import grant_link
from streamer.store.grants import Grants
from streamer.store.logins import Secrets
from streamer.store.tables import FIRST_ADMIN

_LABEL = "first admin"


class FirstAdminBody(Body):
    secret: Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _spent() -> Forbidden:
    return Forbidden("This link opens nothing, or nothing any more.", code="link_spent")


async def look_at_link(call: Call) -> None:
    """The link is as good after this as before. 403 ``link_spent`` where becoming admin by it would be refused."""
    services = call.services
    if not services.first_admin.opens(call.body(FirstAdminBody).secret):
        services.failed_tokens.take(services.proxies.client_household(call.request))
        raise _spent()
    async with services.database.read() as connection:
        if await Secrets(connection).find(FIRST_ADMIN) is None:
            raise _spent()


async def become_admin(call: Call) -> GrantCreated:
    """403 ``link_spent`` for a link that is wrong, too old or used, or where an admin has been made in any way."""
    await look_at_link(call)
    services = call.services
    made = new_token()
    grant = Grant(id=made.grant_id, role=Role.ADMIN, label=_LABEL, created_ms=now_ms())
    async with services.database.write() as connection:
        # Of two at once the second finds no row.
        if not await Secrets(connection).take(FIRST_ADMIN):
            raise _spent()
        await Grants(connection).add(grant, made.secret_sha256)
        details = {"role": grant.role.value, "label": grant.label}
        await record(connection, grant, Action.GRANT_CREATE, EVERYTHING, "grant", grant.id, details)
    services.first_admin.withdraw()
    link = grant_link(services.public_url, grant, made.token)
    view = GrantView.of(grant, now_ms()).model_dump()
    return GrantCreated(**view, token=made.token, link=link, qr=qr_data_uri(link))


ROUTES = (
    Route(
        "POST",
        "/first-admin/look",
        look_at_link,
        "Whether the one-time link of a new server is still good; it is not used up",
        "login",
        body=FirstAdminBody,
        status=204,
    ),
    Route(
        "POST",
        "/first-admin",
        become_admin,
        "Become the first admin, by the one-time link in the data folder of a new server",
        "login",
        body=FirstAdminBody,
        answers=(GrantCreated,),
        status=201,
    ),
)
