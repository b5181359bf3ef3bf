// node check_lists.mjs safe|grants-stack|disperse DECIMALS FILE...: read lists as the apps do, and print who would be paid what.
// Safe's CSV Airdrop is not a package; it parses with papaparse and checks addresses with ethers, by the rules written here.
import { readFileSync } from "node:fs";
import { isAddress, parseUnits } from "ethers";
import Papa from "papaparse";

const [form, decimals, ...files] = process.argv.slice(2);
const KNOWN = ["token_type", "token_address", "receiver", "value", "amount", "id"];
const MATCHING = ["projectId", "projectName", "applicationId", "payoutAddress", "matched", "contributionsCount"];
const paid = [];
const refused = [];

function rows(text) {
  const { data, errors, meta } = Papa.parse(text, { header: true });
  refused.push(...errors.map((error) => error.message));
  return { data, fields: meta.fields };
}

function take(address, amount, places) {
  if (!isAddress(address)) refused.push(`no address: ${address}`);
  if (!/^\d+(\.\d+)?$/.test(amount)) return refused.push(`no amount: ${amount}`);
  const units = parseUnits(amount, places); // throws on more decimals than the token has
  if (units <= 0n) refused.push(`nothing for ${address}`);
  paid.push([address, units.toString()]);
}

const readers = {
  safe(text) {
    // The app counts every piece between line ends, an empty last one among them, against its 500 and the header.
    if (text.split(/\r\n|\r|\n/).length > 501) refused.push("more than 500 lines");
    const { data, fields } = rows(text);
    refused.push(...fields.filter((field) => !KNOWN.includes(field)).map((field) => `unknown header field ${field}`));
    for (const row of data) {
      const native = row.token_type === "native" && row.token_address === "";
      if (!native && !(row.token_type === "erc20" && isAddress(row.token_address))) refused.push(`no token: ${row.token_type}`);
      take(row.receiver, row.amount, Number(decimals));
    }
  },
  "grants-stack"(text) {
    const { data, fields } = rows(text.trimEnd());
    if (JSON.stringify(fields) !== JSON.stringify(MATCHING)) refused.push(`other columns: ${fields}`);
    for (const row of data) take(row.payoutAddress, row.matched, 0);
  },
  disperse(text) {
    for (const [, address, amount] of text.matchAll(/(0x[0-9a-fA-F]{40})[,\s=:;]+(\d+(?:\.\d+)?)/g)) take(address, amount, Number(decimals));
  },
};
for (const file of files) readers[form](readFileSync(file, "utf8"));
console.log(JSON.stringify({ paid: Object.fromEntries(paid), payees: paid.length, refused }));
