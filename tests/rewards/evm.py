"""A chain in memory (py-evm, Cancun): deploy a contract, send it transactions, see what it answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm.forks import CancunVM
from eth.vm.spoof import SpoofTransaction
from eth_abi import encode
from eth_utils import function_signature_to_4byte_selector as selector

NPM = Path(__file__).parent.parent / "npm"
OPERATOR = b"\x01" * 20
GAS = 5_000_000


class Chain:
    """Transactions run whole, with gas and nonce, by the operator; the signature alone is spared."""

    def __init__(self) -> None:
        genesis = {"difficulty": 0, "gas_limit": 10**12, "timestamp": 1, "coinbase": bytes(20)}
        account = {"balance": 10**30, "nonce": 0, "code": b"", "storage": {}}
        made: Any = MiningChain.configure(__name__="TestChain", vm_configuration=((0, CancunVM),), chain_id=1337)
        self.vm = made.from_genesis(AtomicDB(), genesis, {OPERATOR: account}).get_vm()

    def deploy(self, code: str, types: Sequence[str], values: Sequence[Any]) -> bytes:
        """Address of a new contract, from its bytecode and the constructor's arguments."""
        done = self._run(b"", bytes.fromhex(code.removeprefix("0x")) + encode(types, values))
        assert not done.is_error, done.error
        address: bytes = done.msg.storage_address
        return address

    def send(self, to: bytes, signature: str, *values: Any) -> bytes | None:
        """What the contract answers; None where it reverts."""
        done = self._run(to, selector(signature) + encode(_types(signature), values))
        return None if done.is_error else bytes(done.output)

    def _run(self, to: bytes, data: bytes) -> Any:
        state = self.vm.state
        unsigned = self.vm.create_unsigned_transaction(nonce=state.get_nonce(OPERATOR), gas_price=10**9, gas=GAS, to=to, value=0, data=data)
        return state.apply_transaction(SpoofTransaction(unsigned, from_=OPERATOR))

    def balance(self, token: bytes, address: bytes | str) -> int:
        return int.from_bytes(self.send(token, "balanceOf(address)", address) or b"", "big")


def _types(signature: str) -> list[str]:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.split(",") if inside else []


def compiled() -> dict[str, str]:
    """Bytecode of the contracts in tests/npm/contracts, by solc against @openzeppelin/contracts."""
    done = subprocess.run(["node", "compile.mjs"], cwd=NPM, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def published(name: str) -> str:
    """Bytecode as @uniswap/merkle-distributor publishes it."""
    build = NPM / "node_modules/@uniswap/merkle-distributor/build" / f"{name}.json"
    code: str = json.loads(build.read_text(encoding="utf-8"))["bytecode"]
    return code
