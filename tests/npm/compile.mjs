// node compile.mjs: compile contracts/Distributor.sol against @openzeppelin/contracts; print {contract: bytecode}.
import { readFileSync } from "node:fs";
import solc from "solc";

const input = {
  language: "Solidity",
  sources: { "Distributor.sol": { content: readFileSync("contracts/Distributor.sol", "utf8") } },
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "Distributor.sol": { "*": ["evm.bytecode.object"] } },
  },
};
const find = (path) => ({ contents: readFileSync(`node_modules/${path}`, "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
for (const problem of output.errors ?? []) {
  if (problem.severity === "error") throw new Error(problem.formattedMessage);
}
const made = Object.entries(output.contracts["Distributor.sol"]);
console.log(JSON.stringify(Object.fromEntries(made.map(([name, contract]) => [name, contract.evm.bytecode.object]))));
