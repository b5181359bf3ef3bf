// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// A token for tests: all of it belongs to who deploys it.
contract TestToken is ERC20 {
    constructor(uint256 supply) ERC20("Test", "TEST") {
        _mint(msg.sender, supply);
    }
}

/// Pays a leaf of OpenZeppelin's standard tree once. The leaf's hash is handed in by the three contracts below.
abstract contract Distributor {
    using SafeERC20 for IERC20;

    error WrongProof();
    error AlreadyClaimed();

    IERC20 public immutable token;
    bytes32 public immutable root;
    mapping(bytes32 leaf => bool) public claimed;

    constructor(IERC20 token_, bytes32 root_) {
        token = token_;
        root = root_;
    }

    function _pay(bytes memory encoded, address to, uint256 amount, bytes32[] calldata proof) internal {
        bytes32 leaf = keccak256(bytes.concat(keccak256(encoded)));
        if (claimed[leaf]) revert AlreadyClaimed();
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert WrongProof();
        claimed[leaf] = true;
        token.safeTransfer(to, amount);
    }
}

contract PayoutDistributor is Distributor {
    constructor(IERC20 token_, bytes32 root_) Distributor(token_, root_) {}

    function claim(address account, uint256 amount, bytes32[] calldata proof) external {
        _pay(abi.encode(account, amount), account, amount, proof);
    }
}

/// Reads leaves as Allo v2's merkle strategy does; there recipients are registered, here they are handed in.
contract AlloV2Distributor is Distributor {
    constructor(IERC20 token_, bytes32 root_) Distributor(token_, root_) {}

    function claim(uint256 index, address recipientId, address recipient, uint256 amount, bytes32[] calldata proof) external {
        _pay(abi.encode(index, recipientId, recipient, amount), recipient, amount, proof);
    }
}

/// Reads leaves as Allo v1's MerklePayoutStrategy does.
contract AlloV1Distributor is Distributor {
    constructor(IERC20 token_, bytes32 root_) Distributor(token_, root_) {}

    function claim(uint256 index, address grantee, uint256 amount, bytes32 projectId, bytes32[] calldata proof) external {
        _pay(abi.encode(index, grantee, amount, projectId), grantee, amount, proof);
    }
}
