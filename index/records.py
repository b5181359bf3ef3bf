"""What the stages pass to each other: frozen records, ids as strings with their kind in front.

Times are ISO 8601 UTC strings ending in Z ("2024-05-01T10:00:00Z"): they sort as they read and hash the same
everywhere. Nothing here holds a float: scores are basis points (1/10,000), money is integer base units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

PROCEDURE_SCHEMA = "precipitate/procedure/1"

PostState = Literal["live", "edited", "author_deleted", "moderated", "pruned", "missing_unconfirmed"]
PostFormat = Literal["cooked", "raw", "text"]
StanceKind = Literal["support", "dissent", "amendment", "alternative"]


@dataclass(frozen=True, slots=True)
class Source:
    """A place that is read, named by its address."""

    id: str  # "discourse:forum.example.org"
    kind: str  # "discourse" | "archive"
    address: str  # what the user typed: "https://forum.example.org" or a folder
    base_url: str  # where permalinks point: "https://forum.example.org"
    title: str = ""
    licence: str | None = None
    payable: bool = True
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """A writer, by the network's lasting id where it gives one; the handle may change."""

    id: str  # "discourse:forum.example.org/u/7"
    source: str
    handle: str  # "ann"
    name: str = ""  # display name: shown, never used to tell people apart
    staff: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    id: str  # "discourse:forum.example.org/t/3"
    source: str
    title: str
    created: str
    permalink: str
    category: str = ""
    tags: tuple[str, ...] = ()
    accepted_post: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post as the network gave it; the plain text is derived from `body` by the loader."""

    id: str  # "discourse:forum.example.org/p/12"
    source: str
    thread: str
    number: int | None  # position in its thread, from 1, where the network has one
    author: str
    created: str
    format: PostFormat  # what `body` is: cooked HTML, raw Markdown, or plain text such as mail
    body: str
    permalink: str
    edited: str | None = None  # when last edited, if ever
    version: int = 1
    reply_to: str | None = None
    state: PostState = "live"
    likes: int = 0
    kind: str = "post"  # "post" | "action": a moderator's or the system's note


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody's like of a post; `actor` is "" and `count` the total where the network hides who it was.

    All reactions of a post are told at once, and those that are not told any more are gone; but where each of them is
    told `alone`, its kind is told whole, and nothing is said of other kinds.
    """

    post: str
    actor: str
    kind: str = "like"  # "like", "downvote", "repost", or the emoji's name or sign: "tada"
    count: int = 1
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A writer on a network where a name is told apart from the account, and may change.

    `told` is when they said `handle` and `name` themselves; "" where only the account was seen: then `handle` stands in
    until they do. Older word never takes the place of newer. A told account without handle, or with None for a name,
    says nothing of that.
    """

    id: str  # "nostr:u/3bf0c6…", "at://did:plc:…", "farcaster:557", "ap:https://…"
    source: str
    handle: str
    name: str | None = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class ReactionEvent:
    """One reaction where the network keeps each as a thing of its own, which its actor takes back by its id."""

    id: str  # "nostr:…", "at://did/app.bsky.feed.like/…"
    post: str
    actor: str
    kind: str = "like"
    created: str = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Word of `by` that `target` is to go. It binds only what `by` wrote, and also where that is read later."""

    target: str  # a post or a reaction event
    by: str
    reason: str
    state: PostState = "author_deleted"
    until: str = ""  # binds what was written up to then: "" = whenever


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that an author's own complete store holds now, of things whose ids begin with `prefix`.

    What it does not hold is gone from there: `proven` if the author signed the whole of it, which is their word on
    what is not in it, too. Else one look settles nothing: what is missing at two is pruned.
    """

    author: str
    prefix: str
    ids: tuple[str, ...]
    proven: bool
    reason: str = "no longer in its author's repository"


@dataclass(frozen=True, slots=True)
class Vanish:
    """Word that `author` is to be forgotten: all they wrote up to `until`, in versions, reactions, names and links."""

    author: str
    until: str
    reason: str
    state: PostState = "author_deleted"


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """Evidence that an account belongs with an address, a domain or another account. It pays nobody by itself.

    What an author says by one `via` is told whole each time: older links of it give way. A link without `kind` says
    that there is none. `strength`: "mutual" = both sides say so, checked here; "checked" = the other side says so, or
    signed; "claimed" = only the author says so.
    """

    author: str
    via: str  # "nip39", "farcaster/verifications"
    told: str
    kind: str = ""  # "address" | "account" | "domain" | "url" | "key"
    target: str = ""  # "eip155:1:0x…", "github:ann", "example.org", "https://…"
    strength: Literal["mutual", "checked", "claimed"] = "claimed"
    evidence: str = ""  # where it is said: an event id, a URL


@dataclass(frozen=True, slots=True)
class Edge:
    kind: Literal["reply", "quote", "mention", "link", "discusses", "bridged_from"]
    post: str  # from
    target: str  # a post, thread, author or URL


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Explicit word that a post is gone."""

    post: str
    state: PostState
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that was left out of the store, and why."""

    source: str
    where: str  # "topics.jsonl:17" or an address
    reason: str  # short and countable: "post without author"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PostVersion:
    """An earlier text of a post, where the network still shows it."""

    post: str
    version: int
    format: PostFormat
    body: str
    edited: str | None = None  # when this text took the place of the one before


@dataclass(frozen=True, slots=True)
class Raw:
    """One answer in the raw archive, byte for byte as records were read from it."""

    id: str  # "sha256:…" of address, request and answer
    source: str
    url: str
    seen: str
    file: str  # its name in the workspace's raw folder
    start: int  # byte in that file where its members begin
    length: int
    digest: str  # "sha256:…" of the answer's body


@dataclass(frozen=True, slots=True)
class Origin:
    """This post was read from that answer."""

    post: str
    raw: str


@dataclass(frozen=True, slots=True)
class Passage:
    """One sentence or list item of a post, with its span in the post's plain text."""

    post: str
    start: int
    end: int
    text: str
    kind: str  # "sentence" | "item" | "heading"
    block: int  # ordinal of its block in the post
    list_id: int  # which list of the post, -1 outside lists
    list_index: int  # place in that list from 1, 0 outside lists
    ordered: bool  # the list is numbered
    depth: int  # nesting of the list item


@dataclass(frozen=True, slots=True)
class Frame:
    """What a passage says to do: verb, object, actor, modality, polarity, condition; spans are words of the post."""

    verb: str  # lemma: "submit"
    object: str
    actor: str | None
    modality: str  # "imperative" | "obligation" | "permission" | "proposal" | "account" | "statement"
    negated: bool
    condition: str | None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    role: Literal["states", "confirms"]
    post: str
    thread: str
    number: int | None
    author: str
    handle: str
    permalink: str
    created: str
    start: int
    end: int
    exact: str


@dataclass(frozen=True, slots=True)
class Stance:
    kind: StanceKind
    step: int | None
    citation: Citation


@dataclass(frozen=True, slots=True)
class Step:
    n: int
    text: str
    citations: tuple[Citation, ...]
    previous_text: str | None = None
    actor: str | None = None
    condition: str | None = None
    after: tuple[int, ...] = ()
    optional: bool = False
    flags: tuple[str, ...] = ()
    support: int = 0
    dissent: int = 0
    first_said_by: str = ""
    first_said_in: str = ""


@dataclass(frozen=True, slots=True)
class Procedure:
    """An SOP as exported; `record()` is the line of procedures.jsonl (see docs/records.md)."""

    id: str
    version: int
    version_id: str
    supersedes: str | None
    status: str
    title: str
    goal: str
    purpose: str | None
    preconditions: tuple[str, ...]
    roles: tuple[str, ...]
    tools: tuple[str, ...]
    verification: tuple[str, ...]
    language: str
    ordered: bool
    steps: tuple[Step, ...]
    stances: tuple[Stance, ...]
    alternatives: tuple[str, ...]
    forked_from: str | None
    sources: tuple[dict[str, str | None], ...]
    threads: tuple[str, ...]
    quality: dict[str, int]
    generator: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """The exported JSON object, keys in their documented order."""
        return {"schema": PROCEDURE_SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Credit:
    """What one author earned for one role in one step, in credit points (integers)."""

    author: str
    procedure: str
    version_id: str
    step: int
    role: str
    points: int
    post: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Somebody carried an SOP or one of its steps out and signed how it went."""

    id: str  # "outcome:" and the SHA-256 of the signed text; "" before it is rendered
    procedure: str
    version_id: str  # as it was then
    step: int | None  # None: all of it
    words: str  # "sha256:…" of the step's text, "" for all of it
    result: str  # "worked" | "failed" | "partly"
    by: str  # who signed: "did:key:z6Mk…" or an EIP-55 address
    at: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """This account is paid at this address."""

    author: str
    address: str  # EIP-55 checksummed
    origin: str  # "import payees.csv:3"


@dataclass(frozen=True, slots=True)
class Round:
    name: str
    budget: int  # base units
    token: str
    decimals: int
    policy: str
    state: str  # "new" | "open" | "frozen" | "allocated" | "final"
    created: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """A share of a round, in base units; `held` where no address is known yet.

    `expired` and `forfeited` is what was held when a round became final and was not claimed in time, or not wanted.
    """

    round: str
    author: str
    points: int
    amount: int
    address: str | None
    state: Literal["paid", "held", "expired", "forfeited"]
    team: str | None = None  # paid to the addresses of a team, by their weights; then there is no one address
    batch: int | None = None  # of payouts, from 1; None as long as the round is not final


@dataclass(frozen=True, slots=True)
class Payout:
    address: str
    amount: int
    authors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    started: str
    finished: str | None
    status: str  # "running" | "ok" | "partial" | "error"
    config: str
    counts: dict[str, Any]
