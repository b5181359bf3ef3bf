// node time_tree.mjs VALUES.json: how long OpenZeppelin's client takes from [address, amount] rows to the dump.
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const values = JSON.parse(readFileSync(process.argv[2], "utf8"));
const began = performance.now();
const spent = process.cpuUsage();
const dump = StandardMerkleTree.of(values, ["address", "uint256"]).dump();
const wall = performance.now() - began;
const { user, system } = process.cpuUsage(spent);
console.log(JSON.stringify({ wall_ms: wall, cpu_ms: (user + system) / 1000, root: dump.tree[0] }));
