"""The life of a round: made, opened, frozen, allocated, disputed, final, settled; and the ledger that has all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index import tables_rewards as tables
from index import tables_rounds
from index.config import Config
from index.errors import MoneyError, StateError, StoreError, UnknownName, UsageError
from index.records import Identity
from index.store import Store
from index.workspace import Workspace
from rewards import ledger, verify
from rewards.audit import audit
from rewards.disputes import decide, disputes_of, raise_dispute
from rewards.exports import export
from rewards.finalising import finalise, mark_paid, read_batches, read_payouts, settle_held
from rewards.pipeline import credit
from rewards.programs import list_programs, new_program
from rewards.published import read_round
from rewards.rounds import allocate, find_round, freeze, new_round, open_round
from rewards.rules import Rules, parse_duration, parse_rules, read_rules, rules_value, shown_duration, told_rules
from rewards.teams import drop_from_team, opt_out, set_team
from rewards.tombstones import erase
from tests.rewards.builders import ADDRESSES, TOKEN, author_id, cite, post_id, procedure, put_forum, put_procedures, stance, step

RECORD = procedure(
    step(1, cite(1, "ann", 1, exact="Fill in Form G2."), cite(9, "copycat", 20, exact="Complete Form G2!"), text="Fill in Form G4"),
    step(2, cite(2, "bob", 2, exact="Then post it before noon."), text="Post it before noon"),
    step(3, cite(5, "bob", 5, exact="Wait for the clerk."), text="Wait for the clerk"),
    stances=(
        stance("amendment", 1, cite(3, "cleo", 3, exact="G2 is gone, fill in G4.")),
        stance("support", 2, cite(4, "dora", 4, exact="Did so.")),
    ),
)
DAYS = [f"2024-07-{day:02d}T10:00:00Z" for day in range(1, 32)]
LATE = "2024-12-01T10:00:00Z"
TX = "0x" + "ab" * 32


@pytest.fixture
def filled(store: Store) -> Store:
    put_forum(store, RECORD, likes={1: ["fan"], 2: ["eve"]})
    put_procedures(store, RECORD)
    credit(store, Config())
    identify(store, ann=ADDRESSES[0], bob=ADDRESSES[1])
    return store


def identify(store: Store, **addresses: str) -> None:
    tables.put_identities(store, [Identity(author_id(name), address, "test") for name, address in addresses.items()])


def amounts(workspace: Workspace, name: str = "r1") -> dict[str, int]:
    return {a["handle"] or a["author"]: int(a["amount"]) for a in read_round(workspace, name)["allocations"]}


def kinds(store: Store, subject: str = "r1") -> list[str]:
    return [event.kind for event in ledger.about(ledger.read_events(store), subject)]


def make(store: Store, workspace: Workspace, name: str = "r1", **rules: Any) -> None:
    """A round of 1,000 with two decimals, allocated on the third day."""
    new_round(store, name, "1000", TOKEN, 2, options=rules, at=DAYS[0])
    open_round(store, workspace, name, at=DAYS[1])
    freeze(store, workspace, name, at=DAYS[2])
    allocate(store, workspace, name, at=DAYS[2])


def well(store: Store, workspace: Workspace, name: str = "r1") -> None:
    """The audit and the sums hold."""
    told = audit(store, workspace, name)
    assert told["findings"] == []
    totals = read_round(workspace, name)["totals"]
    assert sum(int(totals[key]) for key in ("paid", "held", "residual")) == find_round(store, name).budget


# --- states ---------------------------------------------------------------------------------------------------------


def test_a_round_from_beginning_to_end(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    assert find_round(filled, "r1").state == "allocated"
    well(filled, workspace)
    final = finalise(filled, workspace, "r1", at=DAYS[9])
    assert (final.round.state, final.claim_until) == ("final", "2024-10-08T10:00:00Z")
    assert final.merkle_root == json.loads(str(export("payouts", "merkle", read_round(workspace, "r1"))[0][1]))["tree"][0]
    assert kinds(filled) == ["round_made", "round_opened", "round_frozen", "round_allocated", "round_finalised"]
    well(filled, workspace)


def test_stages_that_were_left_out_are_in_the_ledger_all_the_same(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2)
    assert find_round(filled, "r1").state == "new"
    allocate(filled, workspace, "r1")
    assert kinds(filled) == ["round_made", "round_opened", "round_frozen", "round_allocated"]
    well(filled, workspace)


def test_what_a_state_does_not_allow_is_refused_with_the_way_out(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, at=DAYS[0])
    for early in (
        lambda: finalise(filled, workspace, "r1"),
        lambda: raise_dispute(filled, workspace, "r1", "ann", "no"),
        lambda: settle_held(filled, workspace, "r1"),
        lambda: mark_paid(filled, workspace, "r1", TX),
        lambda: freeze(filled, workspace, "r1", again="why not"),
    ):
        with pytest.raises(StateError, match="round r1 is new") as caught:
            early()
        assert caught.value.way_out
    open_round(filled, workspace, "r1", at=DAYS[1])
    with pytest.raises(StateError, match="round r1 is open: it was opened before"):
        open_round(filled, workspace, "r1")
    freeze(filled, workspace, "r1", at=DAYS[2])
    with pytest.raises(StateError, match="round r1 is frozen: it was frozen before"):
        freeze(filled, workspace, "r1")
    allocate(filled, workspace, "r1", at=DAYS[2])
    finalise(filled, workspace, "r1", at=DAYS[10])
    for late in (
        lambda: finalise(filled, workspace, "r1"),
        lambda: allocate(filled, workspace, "r1"),
        lambda: raise_dispute(filled, workspace, "r1", "ann", "no"),
        lambda: freeze(filled, workspace, "r1", again="why not"),
    ):
        with pytest.raises(StateError, match="round r1 is final"):
            late()
    assert kinds(filled) == ["round_made", "round_opened", "round_frozen", "round_allocated", "round_finalised"]


def test_nothing_that_comes_after_the_freeze_changes_it(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, at=DAYS[0])
    freeze(filled, workspace, "r1", at=DAYS[1])
    put_procedures(filled)
    credit(filled, Config())
    identify(filled, ann=ADDRESSES[3])
    assert tables.points_by_author(filled) == {}
    allocate(filled, workspace, "r1", at=DAYS[2])
    assert set(amounts(workspace)) == {"ann", "bob", "cleo", "dora"}
    assert read_round(workspace, "r1")["payouts"][0]["address"] == ADDRESSES[0]
    before = (workspace.rounds / "r1.json").read_bytes()
    assert "nothing changed" in allocate(filled, workspace, "r1", at=DAYS[3]).notes[0]
    assert (workspace.rounds / "r1.json").read_bytes() == before


def test_freezing_again_is_possible_until_the_end_and_stays_in_the_ledger(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    raise_dispute(filled, workspace, "r1", "dora", "too little", at=DAYS[3])
    identify(filled, dora=ADDRESSES[3])
    freeze(filled, workspace, "r1", again="a list was missing", at=DAYS[4])
    with pytest.raises(StateError, match="round r1 is frozen: nothing is shared out yet"):
        read_round(workspace, "r1")
    allocate(filled, workspace, "r1", at=DAYS[4])
    assert {p["address"] for p in read_round(workspace, "r1")["payouts"]} == {ADDRESSES[0], ADDRESSES[1], ADDRESSES[3]}
    finalise(filled, workspace, "r1", at=DAYS[20])  # the dispute was about what is void
    well(filled, workspace)


def test_a_round_from_before_rounds_were_frozen_is_not_touched(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2)
    tables_rounds.set_round(filled, "r1", "allocated", 100_000)
    with pytest.raises(StoreError, match="from before rounds were frozen"):
        allocate(filled, workspace, "r1")


# --- the window and disputes ----------------------------------------------------------------------------------------


def test_it_is_final_only_after_the_window_and_with_all_disputes_decided(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace, window="2d")
    with pytest.raises(StateError, match="can be disputed until 2024-07-05T10:00:00Z, it is 2024-07-04"):
        finalise(filled, workspace, "r1", at=DAYS[3])
    dispute = raise_dispute(filled, workspace, "r1", "cleo", "I said it first", [post_id(3)], at=DAYS[3])
    assert (dispute.id, dispute.evidence) == ("r1-d1", (post_id(3),))
    with pytest.raises(StateError, match="window of round r1 closed"):
        raise_dispute(filled, workspace, "r1", "dora", "me too", at=DAYS[5])
    with pytest.raises(StateError, match="open disputes: r1-d1") as caught:
        finalise(filled, workspace, "r1", at=DAYS[6])
    assert "round decide r1 r1-d1" in caught.value.way_out
    decided, _ = decide(filled, workspace, "r1", "r1-d1", "rejected", "she said it later", at=DAYS[6])
    assert decided.outcome == "rejected"
    finalise(filled, workspace, "r1", at=DAYS[6])
    well(filled, workspace)


def test_an_upheld_dispute_corrects_amounts_by_events(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    before = amounts(workspace)
    raise_dispute(filled, workspace, "r1", "cleo", "the amendment was the substance", at=DAYS[3])
    with pytest.raises(MoneyError, match="over the budget of 1000"):
        decide(filled, workspace, "r1", "r1-d1", "upheld", "yes", ["cleo=900"], at=DAYS[4])
    with pytest.raises(UsageError, match="changes no amounts"):
        decide(filled, workspace, "r1", "r1-d1", "rejected", "no", ["cleo=1"], at=DAYS[4])
    decide(filled, workspace, "r1", "r1-d1", "upheld", "it was", ["ann=100", "cleo=200", "copycat=1.5"], at=DAYS[4])
    after = amounts(workspace)
    assert (after["ann"], after["cleo"], after["copycat"], after["bob"]) == (10_000, 20_000, 150, before["bob"])
    snapshot = read_round(workspace, "r1")
    assert [(c["author"], c["kind"], c["ref"]) for c in snapshot["corrections"]] == [
        (author_id(name), "dispute", "r1-d1") for name in ("ann", "copycat", "cleo")
    ]
    assert int(snapshot["totals"]["residual"]) == 100_000 - sum(after.values()) > 0
    well(filled, workspace)
    with pytest.raises(UnknownName, match="open dispute"):
        decide(filled, workspace, "r1", "r1-d1", "upheld", "again", at=DAYS[5])
    raise_dispute(filled, workspace, "r1", "bob", "and I?", at=DAYS[5])
    decide(filled, workspace, "r1", "r1-d2", "upheld", "a little", ["bob=400", "ann=90"], at=DAYS[6])
    finalise(filled, workspace, "r1", at=DAYS[20])
    assert (amounts(workspace)["ann"], amounts(workspace)["bob"]) == (9_000, 40_000)
    well(filled, workspace)


def test_the_cap_holds_for_corrections_too(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace, cap="40%")
    raise_dispute(filled, workspace, "r1", "cleo", "more", at=DAYS[3])
    with pytest.raises(MoneyError, match="would get 401, the cap is 400"):
        decide(filled, workspace, "r1", "r1-d1", "upheld", "yes", ["cleo=401", "bob=0"], at=DAYS[4])
    assert kinds(filled)[-1] == "dispute_raised"


@pytest.mark.parametrize(
    ("who", "reason", "evidence", "message"),
    [("nobody", "x", [], "no author named"), ("ann", " ", [], "needs a reason"), ("ann", "x", ["discourse:x/p/1"], "no post named")],
)
def test_a_dispute_needs_a_person_a_reason_and_posts_that_are_there(
    filled: Store, workspace: Workspace, who: str, reason: str, evidence: list[str], message: str
) -> None:
    make(filled, workspace)
    with pytest.raises(UsageError, match=message):
        raise_dispute(filled, workspace, "r1", who, reason, evidence, at=DAYS[3])
    assert disputes_of(ledger.about(ledger.read_events(filled), "r1")) == []


@pytest.mark.parametrize("text", ["bob", "bob=NaN", "bob=1e3", "bob=0.001", "bob=-1", "nobody=1", "bob=1,000"])
def test_amounts_of_a_decision_are_plain(filled: Store, workspace: Workspace, text: str) -> None:
    make(filled, workspace)
    raise_dispute(filled, workspace, "r1", "cleo", "more", at=DAYS[3])
    with pytest.raises(UsageError) as caught:
        decide(filled, workspace, "r1", "r1-d1", "upheld", "yes", [text], at=DAYS[4])
    assert caught.value.way_out


# --- deletions and opt-outs -----------------------------------------------------------------------------------------


def delete(store: Store, number: int) -> None:
    store.execute("UPDATE posts SET state = 'author_deleted' WHERE number = ?", [number])


def words_of(workspace: Workspace) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in workspace.rounds.rglob("*") if path.is_file())


def test_a_post_deleted_after_the_freeze_loses_its_words_and_keeps_its_amount(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    before = amounts(workspace)
    assert "Then post it before noon." in words_of(workspace)
    delete(filled, 2)
    assert any("still has words" in finding for finding in audit(filled, workspace, "r1")["findings"])
    assert erase(filled, workspace, at=DAYS[3]) == {"r1": [post_id(2)]}
    assert "before noon" not in words_of(workspace)
    assert erase(filled, workspace, at=DAYS[4]) == {}
    assert amounts(workspace) == before
    finalise(filled, workspace, "r1", at=DAYS[20])
    assert amounts(workspace) == before and "before noon" not in words_of(workspace)
    assert "words_erased" in kinds(filled)
    well(filled, workspace)


def test_words_go_one_post_after_the_other(filled: Store, workspace: Workspace) -> None:
    """A step's text went with its first post; the amendment's own words go when that post does."""
    make(filled, workspace)
    for number, words in ((1, "Fill in Form G2."), (3, "G2 is gone, fill in G4.")):
        assert words in words_of(workspace)
        delete(filled, number)
        assert erase(filled, workspace, at=DAYS[3]) == {"r1": [post_id(number)]}
        assert words not in words_of(workspace)
    well(filled, workspace)


def test_where_the_rule_says_so_the_amount_of_a_deleted_post_goes(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace, deleted="forfeit")
    before = amounts(workspace)
    delete(filled, 2)
    erase(filled, workspace, at=DAYS[3])
    finalise(filled, workspace, "r1", at=DAYS[20])
    after = amounts(workspace)
    points = {r["post"]: 0 for r in read_round(workspace, "r1")["credits"] if r["author"] == author_id("bob")}
    for record in read_round(workspace, "r1")["credits"]:
        if record["post"] in points:
            points[record["post"]] += record["points"]
    lost = before["bob"] - after["bob"]
    assert abs(lost - before["bob"] * points[post_id(2)] // sum(points.values())) <= 1 and lost > 0
    assert {name: after[name] for name in after if name != "bob"} == {name: before[name] for name in before if name != "bob"}
    snapshot = read_round(workspace, "r1")
    assert [(c["kind"], c["ref"], c["goes_to"]) for c in snapshot["corrections"]] == [("deleted", post_id(2), "residual")]
    assert int(snapshot["totals"]["residual"]) == lost
    well(filled, workspace)


def test_a_post_deleted_before_the_freeze_is_not_in_it(filled: Store, workspace: Workspace) -> None:
    delete(filled, 2)
    credit(filled, Config())
    make(filled, workspace, deleted="forfeit")
    assert read_round(workspace, "r1")["corrections"] == []
    assert post_id(2) not in {record["post"] for record in read_round(workspace, "r1")["credits"]}


@pytest.mark.parametrize("rule", ["residual", "others"])
def test_who_opted_out_before_the_freeze(filled: Store, workspace: Workspace, rule: str) -> None:
    opt_out(filled, "bob", "asked for it in post 12", at=DAYS[0])
    make(filled, workspace, forfeited=rule)
    snapshot = read_round(workspace, "r1")
    if rule == "others":
        assert [(e["author"], e["reason"]) for e in snapshot["excluded"]] == [(author_id("bob"), "opted out; the others share it")]
        assert "bob" not in amounts(workspace) and sum(amounts(workspace).values()) == 100_000
    else:
        assert amounts(workspace)["bob"] == 0 and int(snapshot["totals"]["residual"]) > 0
        assert [(c["kind"], c["after"]) for c in snapshot["corrections"]] == [("opted out", "0")]
    assert ADDRESSES[1] not in {payout["address"] for payout in snapshot["payouts"]}
    well(filled, workspace)
    finalise(filled, workspace, "r1", at=DAYS[20])
    well(filled, workspace)


def test_who_opts_out_after_the_freeze_and_who_comes_back(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace, forfeited="others")
    before = amounts(workspace)
    opt_out(filled, "bob", "no, thank you", at=DAYS[3])
    with pytest.raises(UsageError, match="opted out already"):
        opt_out(filled, "bob", "again")
    opt_out(filled, "bob", "changed my mind", back=True, at=DAYS[3])
    opt_out(filled, "cleo", "no, thank you", at=DAYS[3])
    finalise(filled, workspace, "r1", at=DAYS[20])
    after = amounts(workspace)
    assert after == {**before, "cleo": 0}  # not shared out anew: nobody gains by another's going
    well(filled, workspace)


# --- held shares ----------------------------------------------------------------------------------------------------


def test_who_claims_before_the_end_is_paid_at_the_end(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    identify(filled, dora=ADDRESSES[3])
    assert finalise(filled, workspace, "r1", at=DAYS[20]).notes == ("paid elsewhere than at the freeze: 1 account",)
    assert "payee" in kinds(filled)
    assert ADDRESSES[3] in {payout["address"] for payout in read_round(workspace, "r1")["payouts"]}
    well(filled, workspace)


def test_late_claims_are_paid_in_a_batch_of_their_own_and_the_rest_expires(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace, claim_within="30d")
    finalise(filled, workspace, "r1", at=DAYS[20])
    first = (workspace.rounds / "r1.json").read_bytes()
    assert settle_held(filled, workspace, "r1", at=DAYS[21]).batch is None
    identify(filled, dora=ADDRESSES[3])
    report = settle_held(filled, workspace, "r1", at=DAYS[22])
    assert (report.batch, [a.author for a in report.released]) == (2, [author_id("dora")])
    assert report.held == amounts(workspace)["cleo"]
    well(filled, workspace)
    batch = read_payouts(workspace, "r1", 2)
    assert export("payouts", "safe-csv", batch)[0][0] == "payouts-r1-batch-2.csv"
    assert verify.verify_dump(json.loads(str(export("payouts", "merkle", batch)[0][1]))) == []
    assert {p["address"] for p in batch["payouts"]} == {ADDRESSES[3]} and batch["totals"]["paid"] == str(amounts(workspace)["dora"])
    with pytest.raises(UnknownName, match="batch"):
        read_payouts(workspace, "r1", 3)
    last = settle_held(filled, workspace, "r1", at=LATE)
    assert ([a.author for a in last.expired], last.held, last.batch) == ([author_id("cleo")], 0, None)
    identify(filled, cleo=ADDRESSES[2])
    assert settle_held(filled, workspace, "r1", at=LATE).released == ()
    assert (workspace.rounds / "r1.json").read_bytes() == first  # final is final
    assert {a.author: a.state for a in tables.allocations(filled, "r1")}[author_id("cleo")] == "expired"
    well(filled, workspace)


def test_who_opts_out_after_the_end_forfeits_what_is_held(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    finalise(filled, workspace, "r1", at=DAYS[20])
    opt_out(filled, "dora", "no, thank you", at=DAYS[21])
    assert [a.author for a in settle_held(filled, workspace, "r1", at=DAYS[21]).forfeited] == [author_id("dora")]
    well(filled, workspace)


def test_payouts_are_marked_as_sent_once(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    finalise(filled, workspace, "r1", at=DAYS[20])
    with pytest.raises(UsageError, match="not the hash of a transaction"):
        mark_paid(filled, workspace, "r1", "0xabc")
    with pytest.raises(UnknownName, match="payee of batch 1"):
        mark_paid(filled, workspace, "r1", TX, addresses=[ADDRESSES[3]])
    one = mark_paid(filled, workspace, "r1", TX, addresses=[ADDRESSES[0].lower()], at=DAYS[21])
    assert (one.addresses, one.amount) == ((ADDRESSES[0],), amounts(workspace)["ann"])
    with pytest.raises(StateError, match="was sent in 0xabab"):
        mark_paid(filled, workspace, "r1", TX, addresses=[ADDRESSES[0]])
    assert mark_paid(filled, workspace, "r1", "0x" + "CD" * 32, at=DAYS[22]).addresses == (ADDRESSES[1],)
    (pool,) = json.loads(str(export("payouts", "daoip-5", read_payouts(workspace, "r1"))[0][1]))["grantPools"]
    told = {a["payoutAddress"]["value"]: (a["status"], a["payouts"][0]["proof"]) for a in pool["applications"]}
    assert told == {ADDRESSES[0]: ("funded", TX), ADDRESSES[1]: ("funded", "0x" + "cd" * 32)}
    with pytest.raises(StateError, match="all payouts of batch 1 were sent"):
        mark_paid(filled, workspace, "r1", TX)
    well(filled, workspace)


# --- programs -------------------------------------------------------------------------------------------------------


def test_a_program_has_defaults_and_hands_on_what_is_left(filled: Store, workspace: Workspace) -> None:
    new_program(filled, "docs", TOKEN, 2, {"unclaimed": "next", "claim_within": "1d", "window": "0", "cap": "50%"}, at=DAYS[0])
    new_round(filled, "r1", "1000", program="docs", at=DAYS[1])
    allocate(filled, workspace, "r1", at=DAYS[1])
    assert max(amounts(workspace).values()) <= 50_000
    finalise(filled, workspace, "r1", at=DAYS[1])
    settle_held(filled, workspace, "r1", at=DAYS[5])
    held = int(read_round(workspace, "r1")["totals"]["held"])
    assert held and list_programs(filled)[0]["pot"] == str(held)
    new_round(filled, "r2", "500", program="docs", options={"window": "3d"}, at=DAYS[6])
    report = freeze(filled, workspace, "r2", at=DAYS[6])
    assert (report.carried, report.round.budget) == (held, 50_000 + held)
    freeze(filled, workspace, "r2", again="once more", at=DAYS[6])  # takes it once
    allocate(filled, workspace, "r2", at=DAYS[6])
    assert list_programs(filled)[0]["pot"] == "0" and list_programs(filled)[0]["rounds"] == ["r1", "r2"]
    well(filled, workspace)
    well(filled, workspace, "r2")


def test_rounds_of_a_program_keep_its_token(filled: Store) -> None:
    new_program(filled, "docs", TOKEN, 2, {})
    with pytest.raises(UsageError, match="rounds of program docs are paid in"):
        new_round(filled, "r1", "10", "native", program="docs")
    with pytest.raises(UnknownName, match="program"):
        new_round(filled, "r1", "10", program="dosc")
    with pytest.raises(UsageError, match="needs a token"):
        new_round(filled, "r1", "10")
    with pytest.raises(UsageError, match="already"):
        new_program(filled, "Docs", TOKEN, 2, {})
    with pytest.raises(UsageError, match="of none") as caught:
        new_round(filled, "r1", "10", TOKEN, options={"unclaimed": "next"})
    assert caught.value.way_out == "add --program"
    with pytest.raises(UsageError):
        new_program(filled, "bad", TOKEN, 2, {"window": "soon"})


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)])
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text, "window") == seconds and shown_duration(seconds)


@pytest.mark.parametrize("text", ["", "7", "-1d", "1.5d", "7 d", "7x", "99999d", "NaN", "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text, "window")
    assert caught.value.way_out


def test_rules_go_out_and_come_back() -> None:
    rules = parse_rules({"window": "3d", "stamps": "20.5", "stake": "100", "paid_in": ["b", "a"], "forfeited": "next"}, "docs")
    assert read_rules(json.loads(json.dumps(rules_value(rules)))) == rules
    assert rules.paid_in == ("a", "b") and not rules.open_to_all and Rules().open_to_all
    assert any("20.5" in line for line in told_rules(rules)) and "3 days" in told_rules(rules)[0]
    with pytest.raises(UnknownName, match="no rule for --deleted named 'burn'"):
        parse_rules({"deleted": "burn"})


# --- shared payees --------------------------------------------------------------------------------------------------


def test_a_team_splits_by_fixed_weights(filled: Store, workspace: Workspace) -> None:
    set_team(filled, "docs-team", [f"{ADDRESSES[2]}=2", f"{ADDRESSES[3].lower()}=1"], ["cleo", "dora"], at=DAYS[0])
    make(filled, workspace)
    snapshot = read_round(workspace, "r1")
    due = {p["address"]: int(p["amount"]) for p in snapshot["payouts"]}
    both = amounts(workspace)["cleo"] + amounts(workspace)["dora"]
    assert due[ADDRESSES[2]] + due[ADDRESSES[3]] == both and abs(due[ADDRESSES[2]] - 2 * both // 3) <= 2
    assert {a["author"]: a.get("team") for a in snapshot["allocations"]}[author_id("cleo")] == "docs-team"
    well(filled, workspace)
    set_team(filled, "docs-team", [f"{ADDRESSES[3]}=1"], [], at=DAYS[5])
    assert {p["address"] for p in read_round(workspace, "r1")["payouts"]} >= {ADDRESSES[2]}  # frozen
    finalise(filled, workspace, "r1", at=DAYS[20])
    assert ADDRESSES[2] not in {p["address"] for p in read_round(workspace, "r1")["payouts"]}
    well(filled, workspace)


def test_under_verified_a_team_is_one_payee(filled: Store, workspace: Workspace) -> None:
    set_team(filled, "two", [f"{ADDRESSES[2]}=1", f"{ADDRESSES[3]}=1"], ["cleo", "dora"], at=DAYS[0])
    make(filled, workspace, verified=True, cap="30%")
    assert amounts(workspace)["cleo"] + amounts(workspace)["dora"] <= 30_000
    assert {"team:two"} <= {unit["name"] for unit in read_round(workspace, "r1")["policy"]["units"]}
    well(filled, workspace)


def test_a_late_team_is_paid_in_a_batch(filled: Store, workspace: Workspace) -> None:
    make(filled, workspace)
    finalise(filled, workspace, "r1", at=DAYS[20])
    set_team(filled, "late", [f"{ADDRESSES[2]}=1", f"{ADDRESSES[3]}=3"], ["cleo"], at=DAYS[21])
    settle_held(filled, workspace, "r1", at=DAYS[22])
    (batch,) = read_batches(workspace, "r1")
    assert sum(int(p["amount"]) for p in batch["payouts"]) == amounts(workspace)["cleo"] and len(batch["payouts"]) == 2
    well(filled, workspace)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["nonsense"], "not an address and a weight"),
        ([f"{ADDRESSES[2]}=0"], "not an address and a weight"),
        ([f"{ADDRESSES[2]}=1.5"], "not an address and a weight"),
        ([f"{ADDRESSES[2]}=-1"], "not an address and a weight"),
        ([f"{ADDRESSES[2]}=1", f"{ADDRESSES[2].lower()}=1"], "stands twice"),
        (["0x" + "0" * 40 + "=1"], "zero address"),
        (["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD=1"], "wrong checksum"),
        ([f"{TOKEN}=1"], "token's own contract"),
        ([], "no team named"),
    ],
)
def test_bad_members_are_refused(filled: Store, members: list[str], message: str) -> None:
    new_round(filled, "r1", "10", TOKEN)
    with pytest.raises(UsageError, match=message) as caught:
        set_team(filled, "t", members, ["cleo"])
    assert caught.value.way_out and tables_rounds.teams(filled) == {}


def test_an_account_has_one_payee(filled: Store, tmp_path: Path) -> None:
    from rewards.identities import import_identities

    with pytest.raises(UsageError, match=r"ann@forum\.example\.org is paid at"):
        set_team(filled, "t", [f"{ADDRESSES[2]}=1"], ["ann"])
    set_team(filled, "t", [f"{ADDRESSES[2]}=1"], ["cleo"])
    with pytest.raises(UsageError, match="is paid as team t"):
        set_team(filled, "u", [f"{ADDRESSES[2]}=1"], ["cleo"])
    (tmp_path / "p.csv").write_text(f"handle,address\ncleo,{ADDRESSES[3]}\n", encoding="utf-8")
    (out,) = import_identities(filled, tmp_path / "p.csv").left_out
    assert "is paid as team t" in out.reason
    assert drop_from_team(filled, "cleo") == "t"
    assert import_identities(filled, tmp_path / "p.csv").added == 1
