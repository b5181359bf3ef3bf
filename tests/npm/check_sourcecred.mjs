// node check_sourcecred.mjs LEDGER.ndjson: parse the ledger as SourceCred's own instances do, and print who was paid what.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { ledger } = createRequire(import.meta.url)("./sourcecred/package/dist/client/api.js");
const read = ledger.ledger.Ledger.parse(readFileSync(process.argv[2], "utf8")); // throws at the first event that it refuses
const accounts = read.accounts().map(({ identity, balance, paid, active }) => ({
  name: identity.name,
  alias: identity.aliases[0].description,
  balance,
  paid,
  active,
}));
const [distribution] = [...read.distributions()];
console.log(JSON.stringify({ accounts, allocations: distribution.allocations.length }));
