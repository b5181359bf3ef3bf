"""An explanation as one HTML page: readable without scripts, without any request, with a keyboard and with a screen reader.

Everything that comes from posts is hostile: it is escaped, invisible and direction-changing characters are taken out, and each
piece stands in a <bdi>. A permalink becomes a link only if it is http or https. The page forbids everything but its own style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import urlsplit

from rewards.money import format_amount
from rewards.why import ROLE_WORDS, clean_words, head_lines, unit_of

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8886; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tfoot td, tfoot th { font-weight: 600; border-top: 2px solid currentColor; }
blockquote { margin: .3rem 0 .3rem 1rem; padding-left: .8rem; border-left: 3px solid #888; overflow-wrap: anywhere; }
section { margin: 2rem 0; }
a:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
.bar { display: block; height: .5rem; background: currentColor; opacity: .6; min-width: 1px; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(told: Mapping[str, Any]) -> str:
    """The page for what `why` told."""
    name = clean_words(told["handle"])
    title = f"Why {name}" + (f" in round {told['round']['name']}" if told["round"] else "")
    body = [f"<h1>{_words(title)}</h1>", *(f"<p>{_words(line)}</p>" for line in head_lines(told))]
    body += [*_waterfall(told), *_procedures(told), *_otherwise(told), *_nothing(told)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _words(text: str) -> str:
    """People's words: cleaned, escaped, and kept from turning what stands around them."""
    return f"<bdi>{escape(clean_words(text))}</bdi>"


def _link(address: str, text: str) -> str:
    """A link where the address is one of the web, else the words alone."""
    try:
        web = urlsplit(address).scheme in ("http", "https") and address.isprintable()
    except ValueError:
        web = False
    return f'<a href="{escape(address)}" rel="noopener noreferrer nofollow">{_words(text)}</a>' if web else _words(text)


def _amount(told: Mapping[str, Any], text: str | None) -> str:
    return format_amount(int(text), told["round"]["decimals"]) if text is not None and told["round"] else ""


def _table(caption: str, head: Iterable[tuple[str, str]], rows: Iterable[Iterable[tuple[str, str]]], foot: str = "") -> list[str]:
    """A table with a caption and headers that say what they head; cells come as (class, HTML), the first one heads its row."""
    lines = ["<table>", f"<caption>{caption}</caption>", "<thead><tr>"]
    lines += [f'<th scope="col" class="{kind}">{text}</th>' for kind, text in head]
    lines += ["</tr></thead>", "<tbody>"]
    for row in rows:
        (kind, first), *rest = row
        lines.append(
            f'<tr><th scope="row" class="{kind}">{first}</th>' + "".join(f'<td class="{k}">{text}</td>' for k, text in rest) + "</tr>"
        )
    return [*lines, "</tbody>", foot, "</table>"]


def _waterfall(told: Mapping[str, Any]) -> list[str]:
    """From the share by points to the amount, then down to procedures: two tables that each add up to the amount."""
    if told["money"] is None:
        return []
    unit, total = unit_of(told["round"]), told["money"]["amount"]
    foot = f'<tfoot><tr><th scope="row">amount</th><td class="n">{_amount(told, total)}</td></tr></tfoot>'
    head = [("", "What"), ("n", unit)]
    lines = ["<section>", "<h2>How the amount comes about</h2>"]
    rows = [[("", _words(line["what"])), ("n", _amount(told, line["amount"]))] for line in told["waterfall"]]
    lines += _table("From the share by points to the amount", head, rows, foot)
    sums = [(p, sum(int(c["amount"]) for step in p["steps"] for c in step["credits"])) for p in told["procedures"]]
    most = max((amount for _, amount in sums), default=0) or 1
    rows = [
        [
            ("", f'<a href="#p{place}">{_words(p["title"] or p["procedure"])}</a>'),
            ("n", _amount(told, str(amount))),
            ("", f'<span class="bar" style="width:{amount * 100 // most}%" aria-hidden="true"></span>'),
        ]
        for place, (p, amount) in enumerate(sums, 1)
    ]
    if rows:
        lines += _table("By SOP", [*head, ("", "Size")], rows, foot.replace("</td></tr>", "</td><td></td></tr>"))
    return [*lines, "</section>"]


def _procedures(told: Mapping[str, Any]) -> list[str]:
    lines = ["<section>", "<h2>What it was earned with</h2>"] if told["procedures"] else []
    for place, procedure in enumerate(told["procedures"], 1):
        lines.append(f'<h3 id="p{place}">{_words(procedure["title"] or procedure["procedure"])} ({procedure["points"]:,} points)</h3>')
        for step in procedure["steps"]:
            lines.append(f"<h4>Step {step['step']}: {_words(step['text'])}</h4>")
            for credit in step["credits"]:
                amount = _amount(told, credit["amount"])
                worth = f"{credit['points']:,} points" + (f" = {amount} {unit_of(told['round'])}" if amount else "")
                role = ROLE_WORDS.get(credit["role"], credit["role"])
                lines += [f"<p>{_words(role)}: {worth} ({_words(credit['why'])})</p>", *_quote(credit)]
    return [*lines, "</section>"] if lines else []


def _quote(record: Mapping[str, Any]) -> list[str]:
    quoted = _words(record["quote"]) if record["quote"] else "(taken back by its author)"
    return [
        f"<blockquote>{quoted}</blockquote>",
        f"<p>{escape(record['created'][:10])} {_link(record['permalink'], record['permalink'])}</p>",
    ]


def _otherwise(told: Mapping[str, Any]) -> list[str]:
    if not told["otherwise"]:
        return []
    rows = [
        [("", _words(entry["what"])), ("n", _amount(told, entry["amount"])), ("n", _signed(_amount(told, entry["difference"])))]
        for entry in told["otherwise"]
    ]
    head = [("", "What"), ("n", unit_of(told["round"])), ("n", "Difference")]
    return [
        "<section>",
        "<h2>What would have changed it</h2>",
        *_table("One thing otherwise, all else as it was", head, rows),
        "</section>",
    ]


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _nothing(told: Mapping[str, Any]) -> list[str]:
    if not told["nothing_for"]:
        return []
    lines = ["<section>", "<h2>What earned nothing</h2>"]
    for entry in told["nothing_for"]:
        lines += [f"<p>{_words(entry['procedure'])}, step {entry['step']}: {_words(entry['why'])}</p>", *_quote(entry)]
    return [*lines, "</section>"]
