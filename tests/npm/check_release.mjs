// Reads a release with the libraries that others use: every CID, the tree, the lines, and the signatures of its log.
//   node check_release.mjs FOLDER   → JSON on standard output
import { readFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { webcrypto } from "node:crypto";
import { CarBlockIterator } from "@ipld/car/iterator";
import * as dagCbor from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { base58btc } from "multiformats/bases/base58";
import { sha256 } from "multiformats/hashes/sha2";
import * as ed25519 from "@noble/ed25519";

globalThis.crypto ??= webcrypto;
const folder = process.argv[2];
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;

const blocks = new Map();
const wrong = [];
let count = 0;
const car = await CarBlockIterator.fromIterable(createReadStream(join(folder, "release.car")));
for await (const { cid, bytes } of car) {
  count += 1;
  const made = CID.createV1(dagCbor.code, await sha256.digest(bytes));
  const value = dagCbor.decode(bytes);
  if (!made.equals(cid) || !same(dagCbor.encode(value), bytes)) wrong.push(cid.toString());
  blocks.set(cid.toString(), value);
}
const [root] = await car.getRoots();
const get = (cid) => blocks.get(cid.toString());
const leaves = (node) => (node.depth === 0 ? node.links : node.links.flatMap((link) => leaves(get(link))));

const records = {};
const differing = [];
for (const [name, link] of Object.entries(get(root).files)) {
  const rows = leaves(get(link)).flatMap((leaf) => get(leaf));
  const lines = (await readFile(join(folder, name), "utf8")).split("\n").filter(Boolean);
  records[name] = rows.length;
  if (lines.length !== rows.length) differing.push(name);
  lines.forEach((line, i) => {
    if (!same(dagCbor.encode(JSON.parse(line)), dagCbor.encode(rows[i]))) differing.push(`${name}:${i + 1}`);
  });
}

const canonical = (value) =>
  Array.isArray(value)
    ? `[${value.map(canonical).join(",")}]`
    : value && typeof value === "object"
      ? `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`
      : JSON.stringify(value);
const signatures = [];
for (const line of (await readFile(join(folder, "log.jsonl"), "utf8")).split("\n").filter(Boolean)) {
  const { entry, signatures: made } = JSON.parse(line);
  const { key, value } = made.find((signature) => signature.type === "ed25519");
  const bytes = base58btc.decode(key.slice("did:key:".length));
  if (bytes[0] !== 0xed || bytes[1] !== 0x01) throw new Error(`${key} is not an Ed25519 key`);
  signatures.push(await ed25519.verifyAsync(Buffer.from(value, "hex"), new TextEncoder().encode(canonical(entry)), bytes.slice(2)));
}

console.log(JSON.stringify({ root: root.toString(), blocks: count, wrong, records, differing, signatures }));
