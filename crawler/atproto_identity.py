"""Who a DID or a handle is on AT Protocol: the server of their repository, their handle, the key that signs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from crawler.answers import Answer, complain, read_object
from crawler.atproto import DID, is_handle
from crawler.fields import line, mapping, mappings
from crawler.job import Ask, StoppedError
from crawler.probe import Probe
from index.errors import SourceError

PLC = "https://plc.directory"
APP_VIEW = "https://public.api.bsky.app"


@dataclass(frozen=True, slots=True)
class Person:
    did: str
    handle: str  # as the DID document says: one-way word until the domain agrees
    pds: str  # "https://pds.example.org"
    key: str  # multibase, of the key that signs commits


def find_person(text: str, probe: Probe) -> Person:
    """`handle` or `did:…`, either with `@https://…` behind it: the server to ask. Raises SourceError where there is none."""
    name, _, server = text.strip("/").partition("@")
    way_out = "write it like at://ann.example.org or at://did:plc:…"
    if not (DID.match(name) or is_handle(name.lower())):
        raise SourceError(f"at://{text} names no account", way_out)
    did = name if DID.match(name) else _resolve(name.lower(), server, probe)
    if server:
        return _described(did, server, read_object(probe.ask(f"{server}/xrpc/com.atproto.repo.describeRepo?repo={quote(did)}")))
    person = read_document(did, read_object(probe.ask(document_url(did))))
    if not person.pds:
        raise SourceError(f"{did} names no server that holds its repository", "its account may be gone")
    return person


def _resolve(handle: str, server: str, probe: Probe) -> str:
    """The DID of a handle: by its own domain, else by a server that knows names from the DNS, too."""
    if not server:
        answer = probe.reads(f"https://{handle}/.well-known/atproto-did")
        if answer is not None and answer.status == 200 and DID.match(found := answer.body[:300].decode("ascii", "replace").strip()):
            return found
    answer = probe.ask(f"{server or APP_VIEW}/xrpc/com.atproto.identity.resolveHandle?handle={quote(handle)}")
    complain(answer)
    did = read_object(answer).get("did")
    if not isinstance(did, str) or not DID.match(did):
        raise SourceError(f"{handle} is nobody's handle", "see that it is written right")
    return did


def document_url(did: str, plc: str = PLC) -> str:
    """Where a DID's document stands."""
    if did.startswith("did:web:"):
        return f"https://{unquote(did.removeprefix('did:web:'))}/.well-known/did.json"
    return f"{plc}/{did}"


def read_document(did: str, document: object) -> Person:
    """What a DID document says; "" for what it does not. One about somebody else says nothing."""
    told = mapping(document)
    if told.get("id") != did:
        return Person(did, "", "", "")
    names = [
        name for value in told.get("alsoKnownAs") or [] if isinstance(value, str) and is_handle(name := value.removeprefix("at://").lower())
    ]
    keys = [
        key
        for method in mappings(told.get("verificationMethod"))
        if str(method.get("id")).endswith("#atproto") and (key := line(method.get("publicKeyMultibase"), 100))
    ]
    servers = [
        url.rstrip("/")
        for service in mappings(told.get("service"))
        if str(service.get("id")).endswith("#atproto_pds")
        and (url := line(service.get("serviceEndpoint"), 300))
        and url.startswith(("https://", "http://"))
    ]
    return Person(did, names[0] if names else "", servers[0] if servers else "", keys[0] if keys else "")


async def ask_person(ask: Ask, did: str, server: str) -> Person:
    """What a server says of one of its people. A server that does not say it leaves handle and key unknown."""
    try:
        answer = await ask(f"{server}/xrpc/com.atproto.repo.describeRepo?repo={quote(did)}", keep=False)
        return _described(did, server, read_object(answer))
    except StoppedError:
        raise
    except SourceError:
        return Person(did, "", server, "")


def _described(did: str, server: str, told: dict[str, Any]) -> Person:
    person = read_document(did, told.get("didDoc"))
    handle = (line(told.get("handle"), 260) or "").lower()
    correct = told.get("handleIsCorrect") is not False and is_handle(handle)
    return Person(did, handle if correct else person.handle, server, person.key)


async def locate(ask: Ask, did: str, plc: str) -> Person:
    """The person as the DID's own document has them."""
    answer: Answer = await ask(document_url(did, plc), keep=False)
    return read_document(did, read_object(answer))


def handle_question(author: str, domain: str) -> tuple[str, Callable[[Answer], bool]] | None:
    """What to ask a handle's domain, and whether the answer names this DID. Domains that say it in the DNS alone say no."""
    did = author.removeprefix("at://")
    return f"https://{domain}/.well-known/atproto-did", lambda answer: answer.body[:300].decode("ascii", "replace").strip() == did
