// node check_merkle.mjs DUMP.json: load a dump as a round operator would, verify every proof, print what is in it.
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const dump = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tree = StandardMerkleTree.load(dump); // throws where a node is not the hash of its children
const rebuilt = StandardMerkleTree.of(dump.values.map((entry) => entry.value), dump.leafEncoding);
const ofAmount = { 2: 1, 4: dump.leafEncoding[2] === "address" ? 3 : 2 }[dump.leafEncoding.length];

let leaves = 0;
let total = 0n;
for (const [leafIndex, value] of tree.entries()) {
  const proof = tree.getProof(leafIndex);
  if (!StandardMerkleTree.verify(tree.root, dump.leafEncoding, value, proof)) {
    throw new Error(`the proof of ${value[0]} does not lead to the root`);
  }
  const handed = dump.distributions?.[leafIndex].merkleProof ?? proof; // Allo's: what is submitted stands beside the tree
  if (JSON.stringify(handed) !== JSON.stringify(proof)) {
    throw new Error(`distribution ${leafIndex} carries another proof than the tree gives`);
  }
  leaves += 1;
  total += BigInt(value[ofAmount]);
}
const { format, leafEncoding, tree: nodes, values } = dump;
const same = JSON.stringify(rebuilt.dump()) === JSON.stringify({ format, leafEncoding, tree: nodes, values });
console.log(JSON.stringify({ root: tree.root, leaves, total: total.toString(), same }));
