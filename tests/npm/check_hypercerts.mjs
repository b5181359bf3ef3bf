// node check_hypercerts.mjs DUMP.json ALLOWLIST.csv UNITS: the SDK's own check of both, and the root that it makes of the CSV.
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { parseAllowListEntriesToMerkleTree, validateAllowlist } from "@hypercerts-org/sdk";

const [dumpPath, csvPath, units] = process.argv.slice(2);
const dump = JSON.parse(readFileSync(dumpPath, "utf8"));
const [header, ...lines] = readFileSync(csvPath, "utf8").trimEnd().split("\r\n");
if (header !== "address,units") throw new Error(`header ${header}`);
const fromCsv = lines.map((line) => line.split(",")).map(([address, part]) => ({ address, units: BigInt(part) }));
const fromDump = dump.values.map(({ value: [address, part] }) => ({ address, units: BigInt(part) }));
const results = [fromCsv, fromDump].map((entries) => validateAllowlist(entries, BigInt(units)));
const roots = [parseAllowListEntriesToMerkleTree(fromCsv).root, StandardMerkleTree.load(dump).root];
console.log(JSON.stringify({ valid: results.map((result) => result.valid), errors: results.map((result) => result.errors), roots }));
