"""``/api/v1/templates``: organisers' defaults for new sessions of a kind, at a venue or everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from streamer.api.audit import record
from streamer.api.models import Body, LazyModel, ListQuery, Slug
from streamer.api.routing import Call, Route
from streamer.api.session_models import FlagWord
from streamer.conference.grants import Action, Target
from streamer.conference.participation import ChatMode, QuestionMode
from streamer.conference.sessions import Flag, Kind, ReplayPolicy, SessionTemplate, Visibility
from streamer.store.paging import page_of
from streamer.store.session_templates import SessionTemplates

Minutes = Annotated[int, Field(ge=1, le=24 * 60)]


class TemplateChange(Body):
    """Null takes a default back: the kind's own holds again."""

    visibility: Visibility | None = None
    do_not_record: FlagWord | None = None
    do_not_stream: FlagWord | None = None
    replay: ReplayPolicy | None = None
    minutes: Minutes | None = None
    """The length that a form proposes."""
    chat: ChatMode | None = None
    """The mode of the audience's chat from the session's beginning on."""
    questions: QuestionMode | None = None


class TemplateCreate(TemplateChange):
    kind: Kind
    venue: Slug | None = None
    """Null: everywhere. A venue's own outranks it, field by field."""


class TemplateView(LazyModel):
    id: str
    kind: Kind
    venue: str | None
    visibility: Visibility | None
    do_not_record: Flag | None
    do_not_stream: Flag | None
    replay: ReplayPolicy | None
    minutes: int | None
    chat: ChatMode | None
    questions: QuestionMode | None

    @classmethod
    def of(cls, template: SessionTemplate) -> Self:
        return cls(**{name: getattr(template, name) for name in cls.model_fields})


class TemplateList(LazyModel):
    items: list[TemplateView]
    cursor: str | None


async def list_templates(call: Call) -> TemplateList:
    """All of them: who plans sessions at a venue goes by those of everywhere, too."""
    query = call.query(ListQuery)
    call.require(call.holder.scope)
    after = await call.after(query) or ""
    async with call.services.database.read() as connection:
        found = [one for one in await SessionTemplates(connection).all() if one.id > after]
    page = page_of([(one.id, one) for one in found[: query.limit + 1]], query.limit)
    return TemplateList(
        items=[TemplateView.of(one) for one in page.items], cursor=await call.cursor(query, page.cursor)
    )


async def create_template(call: Call) -> TemplateView:
    body = call.body(TemplateCreate)
    holder = call.require(Target(venue=body.venue))
    name = body.kind.value if body.venue is None else f"{body.venue}.{body.kind.value}"
    template = SessionTemplate(name, **body.model_dump())
    async with call.services.database.write() as connection:
        await SessionTemplates(connection).add(template)
        target = Target(venue=body.venue)
        await record(connection, holder, Action.VENUE_CHANGE, target, "template", name, body.model_dump(mode="json"))
    call.headers["Location"] = f"/api/v1/templates/{name}"
    return TemplateView.of(template)


async def change_template(call: Call) -> TemplateView:
    body = call.body(TemplateChange)
    async with call.services.database.write() as connection:
        before = await SessionTemplates(connection).get(call.path("id"))
        holder = call.require(Target(venue=before.venue))
        said: dict[str, Any] = body.model_dump(include=body.model_fields_set)
        after = replace(before, **said)
        await SessionTemplates(connection).save(after)
        told = body.model_dump(mode="json", include=body.model_fields_set)
        await record(connection, holder, Action.VENUE_CHANGE, Target(venue=before.venue), "template", before.id, told)
    return TemplateView.of(after)


async def get_template(call: Call) -> TemplateView:
    async with call.services.database.read() as connection:
        template = await SessionTemplates(connection).get(call.path("id"))
    call.require(Target(venue=template.venue))
    return TemplateView.of(template)


async def delete_template(call: Call) -> None:
    async with call.services.database.write() as connection:
        before = await SessionTemplates(connection).get(call.path("id"))
        holder = call.require(Target(venue=before.venue))
        await SessionTemplates(connection).remove(before.id)
        await record(connection, holder, Action.VENUE_CHANGE, Target(venue=before.venue), "template", before.id, {})


def _one(method: str, handler: Any, summary: str, body: type[BaseModel] | None = None) -> Route:
    answers = () if method == "DELETE" else (TemplateView,)
    return Route(
        method,
        "/templates/{id}",
        handler,
        summary,
        "templates",
        action=Action.VENUE_CHANGE,
        body=body,
        answers=answers,
        status=204 if method == "DELETE" else 200,
    )


ROUTES = (
    Route(
        "GET",
        "/templates",
        list_templates,
        "The organisers' defaults for new sessions of each kind",
        "templates",
        action=Action.SESSION_CREATE,
        query=ListQuery,
        answers=(TemplateList,),
    ),
    Route(
        "POST",
        "/templates",
        create_template,
        "Set defaults for new sessions of a kind, at a venue or everywhere",
        "templates",
        action=Action.VENUE_CHANGE,
        body=TemplateCreate,
        answers=(TemplateView,),
        status=201,
    ),
    _one("GET", get_template, "One template"),
    _one("PATCH", change_template, "Change a template", TemplateChange),
    _one("DELETE", delete_template, "Remove a template: the kind's own defaults hold again"),
)
