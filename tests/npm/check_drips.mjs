// node check_drips.mjs DRIPS.json: let the SDK prepare a drip list of these receivers, and read back what it would send.
// The one answer it wants from the chain is the account id of an address, which AddressDriver (number 0) makes of it.
import { readFileSync } from "node:fs";
import { dripsConstants, prepareDripListCreation } from "@drips-network/sdk";

const receivers = JSON.parse(readFileSync(process.argv[2], "utf8"));
const chain = {
  getChainId: async () => 1,
  getAddress: async () => "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
  call: async ({ data }) => "0x" + data.slice(-64),
};
const list = { name: "round", isVisible: true, salt: 1n, receivers: receivers.map(({ type, address, weight }) => ({ type, address, weight })) };
const { preparedTx } = await prepareDripListCreation(chain, async () => "ipfs", list); // throws where it does not take them
const words = receivers.map(({ accountId, weight }) => [accountId, weight].map((value) => BigInt(value).toString(16).padStart(64, "0")).join(""));
console.log(
  JSON.stringify({
    sent: preparedTx.data.includes(words.join("")),
    most: dripsConstants.MAX_SPLITS_RECEIVERS,
    weight: dripsConstants.TOTAL_SPLITS_WEIGHT,
  }),
);
