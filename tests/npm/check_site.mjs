// A site as a reader's browser sees it: node check_site.mjs BASE PAGE… → JSON on stdout.
// For each page, by day and by night, wide and on a phone: axe-core's findings, requests that leave BASE, errors, overflow.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
const found = {};
for (const scheme of ["light", "dark"]) {
  for (const [width, height] of [[1280, 900], [390, 844]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, bypassCSP: true });
    for (const page of pages) {
      const tab = await context.newPage();
      const outside = [], errors = [];
      tab.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) outside.push(request.url()); });
      tab.on("pageerror", (error) => errors.push(String(error)));
      tab.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
      await tab.goto(base + page, { waitUntil: "load" });
      await tab.evaluate(axe);
      const told = await tab.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
      const timing = await tab.evaluate(() => {
        const [own] = performance.getEntriesByType("navigation");
        const paint = performance.getEntriesByName("first-contentful-paint")[0];
        return { loaded: Math.round(own.loadEventEnd), painted: Math.round(paint ? paint.startTime : -1) };
      });
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
      found[`${page} ${scheme} ${width}`] = {
        violations: told.violations.map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`),
        outside, errors, wide, ...timing,
      };
      await tab.close();
    }
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
