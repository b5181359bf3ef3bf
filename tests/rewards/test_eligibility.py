"""Who may have a share: stamps, stakes, earlier rounds; lists from files, and a round that is frozen with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import tables_evidence, tables_policies, tables_rounds
from index.errors import UnknownName, UsageError
from index.store import Store
from index.tables_evidence import IdentityScore
from index.workspace import Workspace
from publish.comparison import render_comparison
from rewards.ballots import import_contributions
from rewards.compare import compare_round
from rewards.eligibility import import_list, why_not
from rewards.identities import ImportReport
from rewards.published import read_round
from rewards.rounds import freeze, new_round
from rewards.rules import Rules
from rewards.why import why
from tests.rewards.builders import ADDRESSES, TOKEN, author_id
from tests.rewards.test_life import DAYS, amounts, filled, make, well  # noqa: F401

E18 = 10**18


def import_text(store: Store, folder: Path, text: str | bytes, kind: str = "stake") -> ImportReport:
    path = folder / f"{kind}.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_list(store, "r1", kind, path)


def test_why_not_says_what_is_missing() -> None:
    lists, rules = {"stamps": {"ann": 15 * E18, "0x1": 22 * E18}, "stake": {}}, Rules(stamps=20 * E18)
    assert why_not(["ann", "0x1"], "ann", rules, lists, {}) is None  # the most that one of theirs has
    assert why_not(["ann"], "ann", rules, lists, {}) == "a stamp score of 15, the round asks for 20"
    assert why_not(["bob"], "bob", rules, lists, {}) == "no stamp score is known, the round asks for 20"
    assert why_not(["bob"], "bob", Rules(stake=1), lists, {}) == "no stake is known, the round asks for 0.000000000000000001"
    assert why_not(["bob"], "bob", Rules(paid_in=("r0",)), {}, {"r0": ["ann"]}) == "no share in r0, which the round asks for"
    assert why_not(["ann"], "ann", Rules(not_paid_in=("r0",)), {}, {"r0": ["ann"]}) == "a share in r0; the round is for who had none"
    assert why_not(["ann"], "ann", Rules(), {}, {}) is None


def test_a_stake_list_decides_by_account_and_address(filled: Store, workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    new_round(filled, "r1", "1000", TOKEN, 2, options={"stake": "100"}, at=DAYS[0])
    text = f"\ufeffaccount,amount,note\r\n{ADDRESSES[0].lower()},100,ann's wallet\r\nbob,99.99,\r\ncleo@forum.example.org,1000,\r\n"
    assert import_text(filled, tmp_path, text) == ImportReport(3, 0, 0, ())
    assert import_text(filled, tmp_path, text) == ImportReport(0, 0, 3, ())
    from rewards.rounds import allocate

    allocate(filled, workspace, "r1", at=DAYS[1])
    assert set(amounts(workspace)) == {"ann", "cleo"} and sum(amounts(workspace).values()) == 100_000
    assert {e["handle"] for e in read_round(workspace, "r1")["excluded"]} == {"bob", "dora"}
    assert "a stake of 99.99, the round asks for 100" in str(why(read_round(workspace, "r1"), "bob"))
    well(filled, workspace)


def test_only_newcomers_or_only_who_was_paid_before(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace, "r1", cap="45%")
    make(filled, workspace, "r2", paid_in=["r1"])
    assert set(amounts(workspace, "r2")) == {"ann", "bob", "cleo", "dora"}
    make(filled, workspace, "r3", not_paid_in=["r1"])
    assert amounts(workspace, "r3") == {} and read_round(workspace, "r3")["totals"]["residual"] == "100000"
    for name in ("r2", "r3"):
        well(filled, workspace, name)
    with pytest.raises(UnknownName, match="no round named 'r9'"):
        new_round(filled, "r4", "10", TOKEN, options={"paid_in": ["r9"]})


def test_an_imported_passport_counts_where_the_round_has_no_list(filled: Store, workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    tables_evidence.put_scores(
        filled, [IdentityScore(author_id(n), "passport", bp, ADDRESSES[0], "test") for n, bp in (("ann", 10_500), ("bob", 9_000))]
    )
    new_round(filled, "r1", "1000", TOKEN, 2, options={"stamps": "20"}, at=DAYS[0])
    import_text(filled, tmp_path, "account,score\ncleo,25\n", "stamps")
    out = freeze(filled, workspace, "r1", at=DAYS[1]).excluded
    assert out == {
        author_id("bob"): "a stamp score of 18, the round asks for 20",
        author_id("dora"): "no stamp score is known, the round asks for 20",
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ann,NaN", "not a number"),
        ("ann,inf", "not a number"),
        ("ann,1e5", "exponent"),
        ("ann,-5", "formula"),
        ("=ann,5", "formula"),
        ("ann,", "amount is empty"),
        ("ann", "1 cells"),
        ("nobody,5", "no author named"),
        ("0x12,5", "an address has 40"),
        ("0x" + "0" * 40 + ",5", "zero address"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD,5", "wrong checksum"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(filled: Store, tmp_path: Path, row: str, reason: str) -> None:  # noqa: F811
    report = import_text(filled, tmp_path, f"account,amount\n{row}\nbob,5\n")
    assert report.added == 1 and [e.account for e in tables_rounds.listed(filled, "r1")] == [author_id("bob")]
    assert report.left_out[0].where == "stake.csv:2" and reason in report.left_out[0].reason and report.left_out[0].way_out


def test_repeated_rows_and_bad_files(filled: Store, tmp_path: Path) -> None:  # noqa: F811
    report = import_text(filled, tmp_path, "account,amount\nann,5\nAnn,5.0\nbob,1\nbob,2\n")
    assert [e.account for e in tables_rounds.listed(filled, "r1")] == [author_id("ann")] and len(report.left_out) == 3
    for text in ("", "account\n", "account,amount,amount\n"):
        with pytest.raises(UsageError, match="header has not one column each"):
            import_text(filled, tmp_path, text)
    with pytest.raises(UsageError, match="cannot read"):
        import_list(filled, "r1", "stake", tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"stake\.csv:2"):
        import_text(filled, tmp_path, 'account,amount\n"ann,5\n')
    with pytest.raises(UnknownName, match="kind of list"):
        import_list(filled, "r1", "likes", tmp_path / "none.csv")


def test_a_round_is_compared_by_who_is_eligible(filled: Store, tmp_path: Path) -> None:  # noqa: F811
    new_round(filled, "r1", "1000", TOKEN, 2, options={"stake": "1"}, at=DAYS[0])
    import_text(filled, tmp_path, "account,amount\nann,1\nbob,2\n")
    told = compare_round(filled, "r1")
    rows = {row["policy"]: row for row in told["policies"]}
    assert (told["excluded"], told["authors"], rows["proportional"]["payees"]) == (2, 2, 2)
    for row in rows.values():
        paid = row["payees"] > 0
        assert (row["lorenz_bp"] is not None) == (row["gini_bp"] is not None) == (row["top_share_bp"] is not None) == paid
        assert (row["splitting_gain_bp"] is not None) == paid and "newcomer_share_bp" in row and "ring" in row
    assert "2 not eligible" in render_comparison(told)


def test_vouches_from_a_list_count_as_the_round_says(filled: Store, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "vouches.csv").write_text(f"voter,contributor\n{ADDRESSES[2]},ann\nfan,ann\nfan,ann\nann,ann\nfan\n", encoding="utf-8")
    report = import_contributions(filled, "r1", 2, tmp_path / "vouches.csv", vouch=250)
    assert (report.added, len(report.left_out)) == (2, 3)
    assert {c.voter: c.amount for c in tables_policies.contributions(filled, "r1")} == {ADDRESSES[2]: 250, author_id("fan"): 250}
