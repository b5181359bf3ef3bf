// node claims.mjs < REQUEST.json: what a claimant's wallet and a web page do with a claim's text.
// {key, text}: parse the text by siwe and viem, sign it, verify it. {key, fields}: make the text from its fields first.
import { readFileSync } from "node:fs";
import { SiweMessage } from "siwe";
import { recoverMessageAddress, serializeErc6492Signature, verifyMessage } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createSiweMessage, parseSiweMessage } from "viem/siwe";

const request = JSON.parse(readFileSync(0, "utf8"));
const account = privateKeyToAccount(request.key);

const made = {};
if (request.fields) {
  const { issuedAt, expirationTime, ...rest } = request.fields;
  made.siwe = new SiweMessage({ ...rest, issuedAt, expirationTime }).prepareMessage();
  made.viem = createSiweMessage({ ...rest, issuedAt: new Date(issuedAt), expirationTime: new Date(expirationTime) });
}
const text = request.text ?? made.siwe;
const message = new SiweMessage(text); // throws where the text is not EIP-4361
const signature = await account.signMessage({ message: text });
const checked = await message.verify({ signature, time: request.time ?? message.issuedAt });
const seen = parseSiweMessage(text);

console.log(
  JSON.stringify({
    address: account.address,
    made,
    signature,
    wrapped: serializeErc6492Signature({ address: account.address, data: "0x1234", signature }),
    fields: {
      domain: message.domain,
      address: message.address,
      statement: message.statement,
      uri: message.uri,
      version: message.version,
      chainId: message.chainId,
      nonce: message.nonce,
      issuedAt: message.issuedAt,
      expirationTime: message.expirationTime,
      resources: message.resources,
    },
    same: message.prepareMessage() === text,
    siwe: checked.success,
    viem: await verifyMessage({ address: account.address, message: text, signature }),
    viemReads: seen.nonce === message.nonce && seen.address === message.address && seen.chainId === message.chainId,
    recovered: await recoverMessageAddress({ message: request.given?.text ?? text, signature: request.given?.signature ?? signature }),
  }),
);
