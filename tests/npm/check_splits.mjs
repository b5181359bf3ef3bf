// node check_splits.mjs SPLITS.json: does the SDK take these recipients, and make the same arguments of them?
import { readFileSync } from "node:fs";
import utils from "@0xsplits/splits-sdk/utils";
import validation from "@0xsplits/splits-sdk/utils/validation";

const split = JSON.parse(readFileSync(process.argv[2], "utf8"));
const recipients = split.accounts.map((address, place) => ({ address, percentAllocation: split.percentAllocations[place] / 10_000 }));
validation.validateSplitRecipients(recipients, 4); // throws
const [accounts, parts] = utils.getRecipientSortedAddressesAndAllocations([...recipients].reverse());
console.log(JSON.stringify({ accounts, parts: parts.map(Number), hash: utils.hashSplitV1(accounts, parts.map(Number), split.distributorFee) }));
