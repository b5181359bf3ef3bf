from __future__ import annotations

from pathlib import Path

import pytest

from index import tables_rewards as tables
from index.errors import UnknownName, UsageError
from index.records import Author, Identity
from index.store import Store
from rewards.identities import AuthorBook, ImportReport, find_author, import_identities
from rewards.rounds import new_round
from tests.rewards.builders import ADDRESSES, TOKEN

A, B = "discourse:a.example", "discourse:b.example"
AUTHORS = (
    Author(f"{A}/u/1", A, "ann"),
    Author(f"{B}/u/1", B, "ann"),
    Author(f"{A}/u/2", A, "bob"),
    Author(f"{A}/u/3", A, "Cleo"),
    Author(f"{A}/u/4", A, "twin"),
    Author(f"{A}/u/5", A, "twin"),
)


@pytest.fixture
def filled(store: Store) -> Store:
    for author in AUTHORS:
        store.execute("INSERT INTO authors VALUES (?, ?, ?, '', false)", [author.id, author.source, author.handle])
    return store


def import_text(store: Store, folder: Path, text: str | bytes) -> ImportReport:
    path = folder / "payees.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_identities(store, path)


def addresses(store: Store) -> dict[str, str]:
    return {author: identity.address for author, identity in tables.identities(store).items()}


# --- finding authors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [("bob", 2), ("BOB", 2), ("@bob", 2), (" bob ", 2), ("ann@b.example", 1), ("ann@A.example", 0), (f"{A}/u/5", 5), ("cleo@a.example", 3)],
)
def test_authors_are_found_by_handle_host_and_id(text: str, found: int) -> None:
    assert AuthorBook(AUTHORS).find(text) == AUTHORS[found]


def test_an_ambiguous_handle_lists_the_candidates() -> None:
    with pytest.raises(UsageError, match="'ann' is 2 authors") as caught:
        AuthorBook(AUTHORS).find("ann")
    assert caught.value.way_out == "say which: ann@a.example, ann@b.example"
    with pytest.raises(UsageError) as caught:
        AuthorBook(AUTHORS).find("twin@a.example")
    assert caught.value.way_out == f"say which: twin@a.example ({A}/u/4), twin@a.example ({A}/u/5)"


def test_an_unknown_handle_names_the_nearest(filled: Store) -> None:
    with pytest.raises(UnknownName, match="no author named 'bobb'") as caught:
        find_author(filled, "bobb")
    assert "bob@a.example" in caught.value.way_out
    with pytest.raises(UnknownName) as caught:
        AuthorBook([]).find("x")
    assert caught.value.way_out


# --- importing ------------------------------------------------------------------------------------------------------


def test_good_rows_are_imported_and_a_second_import_changes_nothing(filled: Store, tmp_path: Path) -> None:
    text = f"handle,address\nann@a.example,{ADDRESSES[0]}\nbob,{ADDRESSES[1].lower()}\n"
    assert import_text(filled, tmp_path, text) == ImportReport(2, 0, 0, ())
    assert addresses(filled) == {f"{A}/u/1": ADDRESSES[0], f"{A}/u/2": ADDRESSES[1]}
    assert tables.identities(filled)[f"{A}/u/2"] == Identity(f"{A}/u/2", ADDRESSES[1], "import payees.csv:3")
    assert import_text(filled, tmp_path, text) == ImportReport(0, 0, 2, ())
    assert import_text(filled, tmp_path, f"handle,address\nbob,{ADDRESSES[2]}\n") == ImportReport(0, 1, 0, ())


def test_byte_order_mark_crlf_quotes_extra_columns_and_blank_lines(filled: Store, tmp_path: Path) -> None:
    text = b"\xef\xbb\xbfAddress, Handle ,note\r\n" + f'{ADDRESSES[0]},"ann@a.example","a, b"\r\n\r\n,,\r\n{ADDRESSES[1]},bob,\r\n'.encode()
    assert import_text(filled, tmp_path, text) == ImportReport(2, 0, 0, ())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"nobody,{ADDRESSES[0]}", "no author named 'nobody'"),
        (f"ann,{ADDRESSES[0]}", "'ann' is 2 authors"),
        ("bob,0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "wrong checksum"),
        ("bob,bob.eth", "not 0x and hex digits"),
        ("bob,0x" + "0" * 40, "zero address"),
        (f"bob,{TOKEN}", "token's own contract"),
        (f"=HYPERLINK(),{ADDRESSES[0]}", "starts like a spreadsheet formula"),
        (f"@bob,{ADDRESSES[0]}", "starts like a spreadsheet formula"),
        (f"bob,={ADDRESSES[0]}", "starts like a spreadsheet formula"),
        (f"bob\xff,{ADDRESSES[0]}", "no author named"),
        ("bob", "1 cells"),
        ("bob,", "address is empty"),
        (f",{ADDRESSES[0]}", "handle is empty"),
    ],
)
def test_a_bad_row_is_reported_with_file_and_line_and_the_rest_goes_on(filled: Store, tmp_path: Path, row: str, reason: str) -> None:
    new_round(filled, "r1", "10", TOKEN)
    text = f"handle,address\n{row}\nCleo,{ADDRESSES[3]}\n".encode("latin-1")
    report = import_text(filled, tmp_path, text)
    assert report.added == 1 and addresses(filled) == {f"{A}/u/3": ADDRESSES[3]}
    (out,) = report.left_out
    assert out.where == "payees.csv:2" and reason in out.reason and out.way_out


def test_repeated_rows_count_once_and_contradictory_ones_not_at_all(filled: Store, tmp_path: Path) -> None:
    text = f"handle,address\nbob,{ADDRESSES[0]}\nBob,{ADDRESSES[0].lower()}\nCleo,{ADDRESSES[1]}\ncleo@a.example,{ADDRESSES[2]}\n"
    report = import_text(filled, tmp_path, text)
    assert addresses(filled) == {f"{A}/u/2": ADDRESSES[0]}
    assert [(out.where, out.reason) for out in report.left_out] == [
        ("payees.csv:3", "bob@a.example is a duplicate of line 2"),
        ("payees.csv:4", "Cleo@a.example has different addresses in lines 4, 5"),
        ("payees.csv:5", "Cleo@a.example has different addresses in lines 4, 5"),
    ]


def test_an_address_that_two_authors_claim_goes_to_neither(filled: Store, tmp_path: Path) -> None:
    report = import_text(filled, tmp_path, f"handle,address\nbob,{ADDRESSES[0]}\ncleo,{ADDRESSES[0]}\n")
    assert addresses(filled) == {} and len(report.left_out) == 2
    assert report.left_out[0].reason == f"address {ADDRESSES[0]} of bob@a.example is claimed by Cleo@a.example too"
    import_text(filled, tmp_path, f"handle,address\nbob,{ADDRESSES[0]}\n")
    report = import_text(filled, tmp_path, f"handle,address\ncleo,{ADDRESSES[0]}\n")
    assert addresses(filled) == {f"{A}/u/2": ADDRESSES[0]} and len(report.left_out) == 1


def test_accounts_on_two_networks_may_share_an_address(filled: Store, tmp_path: Path) -> None:
    text = f"handle,address\nann@a.example,{ADDRESSES[0]}\nann@b.example,{ADDRESSES[0]}\n"
    assert import_text(filled, tmp_path, text) == ImportReport(2, 0, 0, ())


def test_two_authors_may_swap_their_addresses(filled: Store, tmp_path: Path) -> None:
    import_text(filled, tmp_path, f"handle,address\nbob,{ADDRESSES[0]}\ncleo,{ADDRESSES[1]}\n")
    assert import_text(filled, tmp_path, f"handle,address\nbob,{ADDRESSES[1]}\ncleo,{ADDRESSES[0]}\n") == ImportReport(0, 2, 0, ())


@pytest.mark.parametrize("text", [f"bob,{ADDRESSES[0]}\n", "", "handle,address,address\nbob,x,y\n", "name;address\n"])
def test_without_a_header_nothing_is_guessed(filled: Store, tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"payees\.csv:1: the header has no single column"):
        import_text(filled, tmp_path, text)


def test_a_missing_file_and_broken_quotes_are_told(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        import_identities(filled, tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"payees\.csv:"):
        import_text(filled, tmp_path, f'handle,address\nbob,{ADDRESSES[0]}\n"cleo,{ADDRESSES[1]}\n')
    assert addresses(filled) == {}
