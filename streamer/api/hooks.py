"""``/api/v1/hooks``: one's own ways to be reached when an alarm rings, their log and a test."""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Annotated, Self
from urllib.parse import urlsplit

import msgspec
from pydantic import StringConstraints, model_validator

from streamer.api.audit import record
from streamer.api.context import now_ms
from streamer.api.models import Body, Label, Language, LazyModel, ListQuery, Moment, PartialBody, to_moment
from streamer.api.routing import Call, Route, invalid_field
from streamer.conference.duty import grant_of_person
from streamer.conference.grants import Action, Grant
from streamer.errors import Conflict, NotFound, Unavailable
from streamer.notify.messages import WEBHOOK_SECRET
from streamer.notify.senders import problem_text, topic_of
from streamer.notify.web_push import Subscription
from streamer.store.hooks import Hook, HookKind, HookMessage, HookMessages, Hooks

MOST_EACH = 20
"""One person's hooks."""
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}", re.ASCII)
_MAIL = r"^[^@\s<>\",;:\\]{1,64}@[^@\s<>\",;:\\]{1,255}$"

Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2000)]
Key = Annotated[str, StringConstraints(min_length=8, max_length=200, pattern=r"^[A-Za-z0-9_=+/-]+$")]


class PushKeys(LazyModel):
    p256dh: Key
    auth: Key


class PushSubscriptionBody(LazyModel):
    """A browser's ``PushSubscription`` as its ``toJSON()`` tells it; other fields of it are not looked at."""

    endpoint: Url
    keys: PushKeys


class HookCreate(Body):
    """``kind`` decides what goes with it: ``url`` (webhook, ntfy: the topic's address), ``mail``, ``subscription``
    (push)."""

    kind: HookKind
    label: Label = ""
    """For people: *Ann's phone*."""
    url: Url | None = None
    mail: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320, pattern=_MAIL)] | None = None
    subscription: PushSubscriptionBody | None = None
    secret: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Of a webhook: a secret of one's own (``whsec_`` and base64 of 24 to 64 bytes). Left out: one is made, and told
    once."""
    token: Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x21-\x7e]+$")] | None = None
    """Of ntfy: an access token, if the topic wants one."""
    language: Language = "en"
    always: bool = False
    """Whether it hears of every alarm, whoever is on duty."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        wanted = {HookKind.PUSH: "subscription", HookKind.MAIL: "mail"}.get(self.kind, "url")
        if self.kind is HookKind.APPRISE:
            raise ValueError("Apprise's addresses stand in the settings file (notify.apprise_urls)")
        for name in ("url", "mail", "subscription"):
            if (getattr(self, name) is not None) != (name == wanted):
                raise ValueError(f"{self.kind} goes with {wanted}, and with that alone")
        if self.secret is not None and (self.kind is not HookKind.WEBHOOK or not _is_secret(self.secret)):
            raise ValueError("a secret is a webhook's: whsec_ and base64 of 24 to 64 bytes")
        if self.token is not None and self.kind is not HookKind.NTFY:
            raise ValueError("a token is for ntfy")
        return self


class HookChange(PartialBody):
    label: Label | None = None
    language: Language | None = None
    always: bool | None = None


class HookProblem(LazyModel):
    code: str
    message: str
    since: Moment | None

    @classmethod
    def of(cls, code: str, since_ms: int | None = None) -> Self | None:
        """``code`` empty: none."""
        return cls(code=code, message=problem_text(code), since=to_moment(since_ms)) if code else None


class HookView(LazyModel):
    """A way to be reached, without its secrets."""

    id: str
    kind: HookKind
    label: str
    address: str
    """A mail address, a webhook's address without its query, Apprise's name of a service, else a host: what opens it is
    left out."""
    language: str
    always: bool
    created: Moment
    sent: Moment | None
    """The time of the last message that arrived."""
    problem: HookProblem | None
    """The reason why messages do not arrive; null: the last one did, or there was none yet."""

    @classmethod
    def of(cls, hook: Hook) -> Self:
        return cls(
            id=hook.id,
            kind=hook.kind,
            label=hook.label,
            address=_shown(hook),
            language=hook.language,
            always=hook.always,
            created=to_moment(hook.created_ms),
            sent=to_moment(hook.sent_ms),
            problem=HookProblem.of(hook.error, hook.failed_ms),
        )


class HookCreated(HookView):
    secret: str | None = None
    """Of a webhook: what its messages are signed with. It is told this once."""


class HookList(LazyModel):
    items: list[HookView]
    cursor: str | None


class HookQuery(ListQuery):
    pass


class HookMessageView(LazyModel):
    """A message in the log."""

    id: str
    kind: str
    """``began``, ``ended`` (an alarm's), ``offered`` (a duty), ``test``."""
    room: str | None
    cause: str
    created: Moment
    sent: Moment | None
    attempts: int
    next: Moment | None
    """The time of the next attempt; null: there is none."""
    problem: HookProblem | None

    @classmethod
    def of(cls, message: HookMessage) -> Self:
        return cls(
            id=message.id,
            kind=message.kind,
            room=message.facts.get("room"),
            cause=str(message.facts.get("cause", "")),
            created=to_moment(message.created_ms),
            sent=to_moment(message.sent_ms),
            attempts=message.attempts,
            next=to_moment(message.due_ms),
            problem=HookProblem.of(message.error),
        )


class HookMessageList(LazyModel):
    """Newest first; of the last seven days."""

    items: list[HookMessageView]
    cursor: str | None


class HookTest(LazyModel):
    """The result of a test message."""

    ok: bool
    problem: HookProblem | None


class PushKeyView(LazyModel):
    key: str
    """The ``applicationServerKey`` for a browser's subscription, base64url."""


def owner_of(grant: Grant) -> str | None:
    """The grant as an owner of hooks and shifts; None: the admin."""
    return grant_of_person(grant.id)


async def list_hooks(call: Call) -> HookList:
    query = call.query(HookQuery)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        page = await Hooks(connection).page(owner_of(call.holder), query.limit, after)
    return HookList(items=[HookView.of(hook) for hook in page.items], cursor=await call.cursor(query, page.cursor))


async def create_hook(call: Call) -> HookCreated:
    """A subscription of the same browser replaces the one before."""
    services, body, grant = call.services, call.body(HookCreate), call.holder
    hook = _made(body, owner_of(grant))
    await services.notifier.sender.check(hook)
    async with services.database.write() as connection:
        hooks = Hooks(connection)
        same = await hooks.of_address(hook.grant, hook.address)
        own, whole = await hooks.counts(hook.grant)
        if same is not None and hook.kind is HookKind.PUSH:
            await hooks.remove(same.id)
        elif own >= MOST_EACH:
            raise Conflict(f"You have {MOST_EACH} ways to be reached already.", code="too_many_hooks")
        elif whole >= services.settings.notify.max_hooks:
            raise Unavailable("There are too many ways to reach people.", code="too_many_hooks")
        await hooks.add(hook)
        await record(connection, grant, "hook.create", grant.scope, "hook", hook.id, _said(hook))
    services.notifier.changed()
    call.headers["Location"] = f"/api/v1/hooks/{hook.id}"
    return HookCreated(**HookView.of(hook).model_dump(), secret=hook.secret if hook.kind is HookKind.WEBHOOK else None)


async def get_hook(call: Call) -> HookView:
    return HookView.of(await _find(call))


async def change_hook(call: Call) -> HookView:
    body, grant = call.body(HookChange), call.holder
    before = await _find(call)
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    after = replace(before, **changes)
    async with call.services.database.write() as connection:
        await Hooks(connection).save(after)
        if after != before:
            details = {name: [getattr(before, name), value] for name, value in changes.items()}
            await record(connection, grant, "hook.change", grant.scope, "hook", after.id, details)
    call.services.notifier.changed()
    return HookView.of(after)


async def remove_hook(call: Call) -> None:
    grant = call.holder
    hook = await _find(call)
    if hook.kind is HookKind.APPRISE:
        raise Conflict("It stands in the settings file (notify.apprise_urls).", code="in_settings")
    async with call.services.database.write() as connection:
        await Hooks(connection).remove(hook.id)
        await record(connection, grant, "hook.delete", grant.scope, "hook", hook.id, _said(hook))
    call.services.notifier.changed()


async def try_hook(call: Call) -> HookTest:
    """Send a test message now, and say what became of it."""
    hook = await _find(call)
    code = await call.services.notifier.test(hook)
    return HookTest(ok=not code, problem=HookProblem.of(code))


async def list_messages(call: Call) -> HookMessageList:
    query = call.query(HookQuery)
    hook = await _find(call)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        page = await HookMessages(connection).page(hook.id, query.limit, after)
    items = [HookMessageView.of(message) for message in page.items]
    return HookMessageList(items=items, cursor=await call.cursor(query, page.cursor))


async def push_key(call: Call) -> PushKeyView:
    try:
        key = await call.services.notifier.sender.server_key()
    except (OSError, ValueError) as error:
        raise Unavailable("The key for Web Push cannot be read.", code="no_push_key") from error
    return PushKeyView(key=key.public)


async def _find(call: Call) -> Hook:
    """One's own. Another's is as good as none. Raises NotFound."""
    async with call.services.database.read() as connection:
        hook = await Hooks(connection).get(call.path("id"))
    if hook.grant != owner_of(call.holder):
        raise NotFound("There is no such way to be reached.", code="no_such_hook")
    return hook


def _made(body: HookCreate, grant: str | None) -> Hook:
    address, secret = body.url or body.mail or "", ""
    match body.kind:
        case HookKind.PUSH:
            assert body.subscription is not None
            address, keys = body.subscription.endpoint, body.subscription.keys
            secret = msgspec.json.encode(Subscription(keys.p256dh, keys.auth)).decode()
        case HookKind.WEBHOOK:
            secret = body.secret or WEBHOOK_SECRET + b64encode(secrets.token_bytes(32)).decode()
        case HookKind.NTFY:
            if not _TOPIC.fullmatch(topic_of(address)):
                raise invalid_field("url", "ends in the topic: https://ntfy.example.org/my-topic")
            secret = body.token or ""
    return Hook(
        id=f"hook_{secrets.token_urlsafe(9)}",
        grant=grant,
        kind=body.kind,
        label=body.label,
        address=address,
        language=body.language,
        created_ms=now_ms(),
        secret=secret,
        always=body.always,
    )


def _is_secret(text: str) -> bool:
    try:
        size = len(b64decode(text.removeprefix(WEBHOOK_SECRET), validate=True))
    except ValueError:
        return False
    return text.startswith(WEBHOOK_SECRET) and 24 <= size <= 64


def _said(hook: Hook) -> dict[str, str]:
    """For the audit log."""
    return {"kind": hook.kind.value, "label": hook.label}


def _shown(hook: Hook) -> str:
    if hook.kind in (HookKind.MAIL, HookKind.APPRISE):
        return hook.address
    parts = urlsplit(hook.address)
    # The name of a topic and the address of a subscription open them: whoever knows it may write, or read.
    return f"{parts.scheme}://{parts.netloc}{parts.path if hook.kind is HookKind.WEBHOOK else ''}"


ROUTES = (
    Route(
        "GET",
        "/hooks",
        list_hooks,
        "One's own ways to be reached when an alarm rings",
        "alarms",
        action=Action.ALARM_REACH,
        query=HookQuery,
        answers=(HookList,),
    ),
    Route(
        "POST",
        "/hooks",
        create_hook,
        "Add a way to be reached: this browser (Web Push), a webhook, an ntfy topic, a mail address",
        "alarms",
        action=Action.ALARM_REACH,
        body=HookCreate,
        answers=(HookCreated,),
        status=201,
    ),
    Route(
        "GET",
        "/hooks/{id}",
        get_hook,
        "One way to be reached",
        "alarms",
        action=Action.ALARM_REACH,
        answers=(HookView,),
    ),
    Route(
        "PATCH",
        "/hooks/{id}",
        change_hook,
        "Change its label, language, or whether it hears of everything",
        "alarms",
        action=Action.ALARM_REACH,
        body=HookChange,
        answers=(HookView,),
    ),
    Route(
        "DELETE",
        "/hooks/{id}",
        remove_hook,
        "Remove a way to be reached",
        "alarms",
        action=Action.ALARM_REACH,
        status=204,
    ),
    Route(
        "POST",
        "/hooks/{id}/test",
        try_hook,
        "Send a test message now",
        "alarms",
        action=Action.ALARM_REACH,
        answers=(HookTest,),
    ),
    Route(
        "GET",
        "/hooks/{id}/messages",
        list_messages,
        "What was sent, and what became of it",
        "alarms",
        action=Action.ALARM_REACH,
        query=HookQuery,
        answers=(HookMessageList,),
    ),
    Route(
        "GET",
        "/push-key",
        push_key,
        "The server's key for a browser's subscription to Web Push",
        "alarms",
        action=Action.ALARM_REACH,
        answers=(PushKeyView,),
    ),
)
