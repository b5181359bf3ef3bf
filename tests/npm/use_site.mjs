// A reader at work: node use_site.mjs BASE QUESTION → JSON. Searches, opens the first hit, points at the map and opens an SOP there.
import { chromium } from "playwright-core";

const [base, question] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
const tab = await (await browser.newContext({ viewport: { width: 1200, height: 900 } })).newPage();
const errors = [];
tab.on("pageerror", (error) => errors.push(String(error)));
tab.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
await tab.goto(base + "index.html");
await tab.fill("#q", question);
let began = Date.now();
await tab.press("#q", "Enter");
await tab.waitForSelector("#hits a");
const searched = Date.now() - began;
const hits = await tab.$$eval("#hits a", (links) => links.map((link) => link.textContent));
await tab.click("#hits a");
await tab.waitForSelector("ol.steps");
const title = await tab.textContent("h1");
const before = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
await tab.click("#theme");
const after = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
began = Date.now();
await tab.goto(base + "map.html");
await tab.waitForFunction(() => performance.getEntriesByName("map-drawn").length);
const drawn = Date.now() - began;
const point = await tab.evaluate(() => {
  const data = precipitate.got.map, canvas = document.getElementById("map");
  return { x: data.x[0] * canvas.clientWidth / 4096, y: data.y[0] * canvas.clientHeight / 4096 };
});
const box = await (await tab.$("#map")).boundingBox();
await tab.mouse.move(box.x + point.x, box.y + point.y);
const tip = await tab.textContent("#tip");
await tab.mouse.down();
await tab.mouse.up();
await tab.waitForURL("**/sops/**");
console.log(JSON.stringify({ hits, title, before, after, tip, opened: await tab.textContent("h1"), searched, drawn, errors }));
await browser.close();
