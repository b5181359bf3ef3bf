"""How long the log of claims takes as it grows: an append, and a whole check with every signature.

    python -m bench.claims [--sizes 100 1000 10000]

A log of N claims by N accounts is made in memory with coincurve's own signer, then checked as the commands do.
"""

from __future__ import annotations

import argparse
import time

from rewards.claimlog import ClaimEvent, check_chain, check_log, next_row
from rewards.claimtext import Account, ClaimText, digest_of
from rewards.money import checksum_address, keccak256
from rewards.signatures import personal_hash


def signed_event(number: int) -> ClaimEvent:
    from coincurve import PrivateKey

    key = PrivateKey.from_int(number + 1)
    address = checksum_address("0x" + keccak256(key.public_key.format(compressed=False)[1:])[-20:].hex())
    account = Account(f"discourse:forum.example.org/u/{number}", f"https://forum.example.org/u/m{number}")
    claim = ClaimText(
        *("forum.example.org", address, 1, "r1", "sha256:" + "ab" * 32, "2026-11-02T10:00:00Z", "2026-12-02T10:00:00Z", (account,)),
        nonce=f"{number:032x}",
    )
    text = claim.render()
    raw = key.sign_recoverable(personal_hash(text), hasher=None)
    signature = "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()
    return ClaimEvent("claimed", "2026-11-03T10:00:00Z", digest_of(text), (account.id,), address, 1, "r1", text, signature)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    print(f"{'CLAIMS':>8}  {'CHAIN s':>8}  {'ALL s':>8}  {'ms/CLAIM':>8}")
    for size in parser.parse_args().sizes:
        rows = []
        for number in range(size):
            rows.append(next_row(rows, signed_event(number)))
        began = time.process_time()
        assert check_chain(rows) == []
        middle = time.process_time()
        assert check_log(rows) == []
        ended = time.process_time()
        print(f"{size:>8}  {middle - began:>8.3f}  {ended - middle:>8.3f}  {(ended - middle) * 1000 / size:>8.3f}")


if __name__ == "__main__":
    main()
