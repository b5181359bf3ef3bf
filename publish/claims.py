"""Identity claims as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from publish.text import clean, wrap

DONE = {
    "claimed": "{who} {is_are} paid at {address} from now on",
    "merged": "{who} are one person's from now on, paid at {address}",
    "rotated": "{who} {is_are} paid at {address} from now on, no longer at {old}",
    "pending": "pending: {address} is a contract wallet, and only its contract can say that the signature is good",
}


def render_new(told: Mapping[str, Any], file: str) -> str:
    """What to do with a new claim's text; the text itself goes to its file or to standard output."""
    lines = [
        f"1. sign {file} with the wallet, exactly as it is (personal_sign)",
        f"2. post this line from {clean(' and from '.join(told['accounts']))}, in a post of its own:",
        f"   {told['post_back']}",
        f"3. precipitate run, then: precipitate claim verify {file} --signature 0x…",
    ]
    if told["consents"]:
        lines.insert(1, f"   it changes an address: have {' and '.join(told['consents'])} sign it, too (--old-signature)")
    return "\n".join(lines) + "\n"


def render_verified(told: Mapping[str, Any], handles: Mapping[str, str]) -> str:
    who = [clean(handles.get(account, account)) for account in told["accounts"]]
    old = " and ".join(sorted({address for _, address in told["previous"]}))
    said = DONE[told["kind"]].format(who=" and ".join(who), is_are="is" if len(who) == 1 else "are", address=told["address"], old=old)
    lines = [f"claim {told['digest'][:12]} {said}"]
    lines += [f"  posted by {clean(handles.get(post['account'], post['account']))}: {clean(post['permalink'])}" for post in told["posts"]]
    if told["kind"] == "pending":
        lines += ["next: ask it isValidSignature at a block, then the same command with --checked-at-block BLOCK"]
    return "\n".join(lines) + "\n"


def render_revoked(told: Sequence[Mapping[str, Any]], handles: Mapping[str, str]) -> str:
    lines = []
    for event in told:
        who = clean(" and ".join(handles.get(account, account) for account in event["accounts"]))
        lines.append(f"claim {event['digest'][:12]} is revoked: nothing more is paid at {event['address']} for {who}\n")
    return "".join(lines)


def render_claims(told: Mapping[str, Any]) -> str:
    lines = []
    for claim in told["claims"]:
        merged = f", one person with {len(claim['merged_with'])} more" if claim["merged_with"] else ""
        lines.append(
            f"{clean(claim['handle'])}: {claim['address']} (chain {claim['chain']}), {claim['state']}{merged}, "
            f"round {claim['round']}, since {claim['at'][:10]}, claim {claim['digest'][:12]}"
        )
    lines += [line for finding in told["findings"] for line in wrap(f"FINDING {finding}", "", "  ")]
    if not told["events"]:
        return "".join(f"{line}\n" for line in lines) or "No claim yet.\n"
    events = "1 event" if told["events"] == 1 else f"{told['events']} events"
    return "\n".join([*lines, f"{events}, head {told['head']}"]) + "\n"
