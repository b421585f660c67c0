"""Texts that attack browsers, tables and logs, for every field that people fill in. Pages show them as text.

Each script would set ``window.__xss``, and each element would be named ``hostile``: a page that has taken one for
markup shows it by either.
"""

from __future__ import annotations

from typing import Any

HOSTILE: tuple[tuple[str, str], ...] = (
    ("script", "<script>window.__xss=1</script>"),
    ("image", "<img class=hostile src=x onerror=window.__xss=1>"),
    ("svg", "<svg class=hostile onload=window.__xss=1>"),
    ("end of a quoted attribute", '" class=hostile onmouseover=window.__xss=1 autofocus onfocus=window.__xss=1 x="'),
    ("end of an apostrophed attribute", "' class='hostile' onfocus='window.__xss=1' autofocus='"),
    ("end of a tag", "</li></div></script><b class=hostile>bold</b>"),
    ("end of a text field", "</textarea></title><i class=hostile>x</i>"),
    ("script of the page's data", "</script><script>window.__xss=1</script>"),
    ("javascript link", "javascript:window.__xss=1"),
    ("link in markup", "<a class=hostile href=javascript:window.__xss=1>press</a>"),
    ("link in Markdown", "[press](javascript:window.__xss=1) ![x](x)"),
    ("data link", "data:text/html,<script>window.__xss=1</script>"),
    ("frame", "<iframe class=hostile srcdoc='<script>parent.__xss=1</script>'></iframe>"),
    ("template", "{{constructor.constructor('window.__xss=1')()}} ${window.__xss=1} {@html '<b class=hostile>'}"),
    ("entities", "&lt;img class=hostile src=x onerror=window.__xss=1&gt; &#60;b&#62;"),
    ("mutation", "<math><mtext><table><mglyph><style><img class=hostile src=x onerror=window.__xss=1>"),
    ("comment", "<!--><img class=hostile src=x onerror=window.__xss=1>-->"),
    ("style", "<style>*{display:none}</style><b class=hostile style=position:fixed;inset:0>x</b>"),
    ("form", "<form class=hostile action=/api/v1/login><button>x</button></form>"),
    ("formula", '=HYPERLINK("http://attack.test","x")'),
    ("formula with a call", "@SUM(1+1)*cmd|' /C calc'!A0"),
    ("lines of a log", "x\r\nSet-Cookie: a=b\r\n\r\n\u001b[31mERROR forged"),
    ("turned direction", "a\u202egnp.exe\u202c b\u2066"),
    ("stacked marks", "z" + "\u0334\u0335\u0336\u0337\u0338" * 12),
    ("prototype", "__proto__"),
    ("member", "constructor"),
    ("placeholder", "{name} {count} %s %(x)s %n"),
)
"""The thing that the text should break -> the text; each fits into a chat message."""

NAMES: tuple[str, ...] = tuple(text[:40] for _, text in HOSTILE if len(text.strip()) > 1)
"""The same for fields of 40 characters; cut, they are attacks still, or none."""

LOOK = """() => ({
    ran: window.__xss !== undefined,
    elements: [...document.querySelectorAll('.hostile')].map((one) => one.outerHTML.slice(0, 100)),
    links: [...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))
        .filter((href) => /^\\s*(javascript|data|vbscript):/i.test(href)),
    handlers: [...document.querySelectorAll('[onerror],[onload],[onfocus],[onmouseover]')].length,
})"""
"""For ``page.evaluate``: the hostile texts that a page has taken for markup."""

HARMLESS: dict[str, Any] = {"ran": False, "elements": [], "links": [], "handlers": 0}
"""The page's answer if nothing broke."""
