"""SOPs as linked data: schema.org HowTo, PROV-O for where it comes from, Web Annotations for each quote in its post.

The context stands in the file: nothing is fetched to read it. Words of posts are literals of the type UNTRUSTED, so that
a program that reads them knows; ids that a stranger could word are hashes. The text is safe inside a script element.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from publish.skills import STANCES, Files, name_of
from publish.untrusted import MOST_NAME, MOST_QUOTE, MOST_STEP, MOST_TITLE, NOTE, address, flags, hosts, moment, seen, status, topics

UNTRUSTED = "urn:precipitate:UntrustedText"
CONTEXT = {
    "@version": 1.1,
    "@vocab": "https://schema.org/",
    "prov": "http://www.w3.org/ns/prov#",
    "oa": "http://www.w3.org/ns/oa#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "sop": "urn:precipitate:",
    "url": {"@id": "https://schema.org/url", "@type": "@id"},
    "wasDerivedFrom": {"@id": "prov:wasDerivedFrom", "@type": "@id"},
    "wasAttributedTo": {"@id": "prov:wasAttributedTo", "@type": "@id"},
    "wasQuotedFrom": {"@id": "prov:wasQuotedFrom", "@type": "@id"},
    "hasBody": {"@id": "oa:hasBody", "@type": "@id"},
    "hasSource": {"@id": "oa:hasSource", "@type": "@id"},
    "motivatedBy": {"@id": "oa:motivatedBy", "@type": "@id"},
}
MOTIVES = {"states": "oa:describing", "confirms": "oa:assessing", **dict.fromkeys(STANCES, "oa:assessing")}

Record = Mapping[str, Any]


def jsonld(records: Sequence[Record]) -> Files:
    return [(f"{name_of(record)}.jsonld", as_text(document(record))) for record in records]


def as_text(value: Any) -> str:
    """JSON without a sign that could end a script element or begin a tag."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}) + "\n"


def document(record: Record) -> dict[str, Any]:
    """One procedure: the HowTo, the posts it comes from with their authors, and an annotation for each quote."""
    cited = [(_step_iri(record, step), c["role"], c) for step in record["steps"] for c in step["citations"]]
    cited += [
        (f"{_iri(record)}-{int(stance['step'])}" if stance["step"] else _iri(record), stance["kind"], stance["citation"])
        for stance in record["stances"]
        if stance["kind"] in STANCES
    ]
    posts = {c["post"]: c for _, _, c in cited}
    authors = {c["author"]: c for c in posts.values()}
    graph = [
        _how_to(record, sorted(posts)),
        *(_post(citation) for _, citation in sorted(posts.items())),
        *(_author(citation) for _, citation in sorted(authors.items())),
        *(_annotation(record, place, *entry) for place, entry in enumerate(cited)),
    ]
    return {"@context": CONTEXT, "@graph": graph}


def _iri(record: Record) -> str:
    return f"sop:{name_of(record)}"


def _step_iri(record: Record, step: Record) -> str:
    return f"{_iri(record)}-{int(step['n'])}"


def _hashed(kind: str, identifier: str) -> str:
    return f"sop:{kind}-{hashlib.sha256(identifier.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _words(text: str, most: int) -> dict[str, str]:
    return {"@value": seen(text, most), "@type": UNTRUSTED}


def _how_to(record: Record, posts: Sequence[str]) -> dict[str, Any]:
    return {
        "@id": _iri(record),
        "@type": ["HowTo", "prov:Entity"],
        "identifier": name_of(record),
        "version": int(record["version"]),
        "creativeWorkStatus": status(record),
        "usageInfo": NOTE,
        "name": _words(record["title"], MOST_TITLE),
        "description": _words(record["goal"], MOST_TITLE),
        "keywords": topics(record),
        "sourceOrganization": [{"@type": "Organization", "identifier": host} for host in hosts(record)],
        "step": [_step(record, step) for step in record["steps"]],
        "tool": [{"@type": "HowToTool", "name": _words(tool, MOST_NAME)} for tool in record["tools"]],
        "wasDerivedFrom": [_hashed("post", post) for post in posts],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:wasAssociatedWith": {"@type": ["prov:SoftwareAgent", "SoftwareApplication"], "name": "precipitate"},
        },
    }


def _step(record: Record, step: Record) -> dict[str, Any]:
    return {
        "@id": _step_iri(record, step),
        "@type": ["HowToStep", "prov:Entity"],
        "position": int(step["n"]),
        "text": _words(step["text"], MOST_STEP),
        "keywords": flags(step),
        "upvoteCount": int(step["support"]),
        "downvoteCount": int(step["dissent"]),
        "wasDerivedFrom": sorted({_hashed("post", c["post"]) for c in step["citations"]}),
    }


def _post(citation: Record) -> dict[str, Any]:
    place = address(citation["permalink"])
    return {
        "@id": _hashed("post", citation["post"]),
        "@type": ["DiscussionForumPosting", "prov:Entity"],
        "identifier": _words(citation["post"], MOST_QUOTE),
        **({"url": place} if place.startswith("http") else {}),
        "dateCreated": moment(citation["created"]),
        "wasAttributedTo": _hashed("author", citation["author"]),
    }


def _author(citation: Record) -> dict[str, Any]:
    return {"@id": _hashed("author", citation["author"]), "@type": ["Person", "prov:Agent"], "name": _words(citation["handle"], MOST_NAME)}


def _annotation(record: Record, place: int, body: str, role: str, citation: Record) -> dict[str, Any]:
    post = _hashed("post", citation["post"])
    return {
        "@id": f"{_iri(record)}-quote-{place + 1}",
        "@type": ["oa:Annotation", "prov:Entity"],
        "motivatedBy": MOTIVES.get(role, "oa:commenting"),
        "additionalType": f"sop:{role}" if role in MOTIVES else "sop:other",
        "hasBody": body,
        "wasQuotedFrom": post,
        "oa:hasTarget": {
            "@type": "oa:SpecificResource",
            "hasSource": post,
            "oa:hasSelector": [
                {"@type": "oa:TextQuoteSelector", "oa:exact": _words(citation["exact"], MOST_STEP)},
                {"@type": "oa:TextPositionSelector", "oa:start": int(citation["start"]), "oa:end": int(citation["end"])},
            ],
        },
    }
