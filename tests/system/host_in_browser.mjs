// A host of MCP Apps: the official bridge on the one side, a server over stdio on the other, the view in Chromium between.
// Usage: node host_in_browser.mjs MODULES ORDER, a JSON file with command, args, run, tool, screenshot, scheme, width.
// Prints what the view fetched, said, asked for, shows, and what axe-core finds in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, path] = process.argv.slice(2);
const order = JSON.parse(readFileSync(path, "utf8"));
const require = createRequire(`${modules}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { chromium } = require("playwright-core");
const { Client } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");
const { AppBridge } = await load("@modelcontextprotocol/ext-apps/app-bridge");

// What a host must enforce where a view asks for nothing (SEP-1865, "Restrictive Default").
const POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'";
const TALL_PX = 3000; // the whole view lies in sight from the beginning, as in a chat that is scrolled
const PAGE = `<!doctype html><html lang="en"><title>Host</title><body style="margin:0">
  <iframe id="view" title="View" sandbox="allow-scripts" style="border:0;width:100%;height:300px"></iframe>
  <script>
    const view = document.getElementById("view");
    addEventListener("message", (event) => event.source === view.contentWindow && toHost(JSON.stringify(event.data)));
  </script></body></html>`;

const client = new Client({ name: "host", version: "1" }, { capabilities: {} });
await client.connect(new StdioClientTransport({ command: order.command, args: order.args, env: process.env }));
const { tools } = await client.listTools();
const uri = tools.find((tool) => tool.name === order.tool)._meta.ui.resourceUri;
const { contents } = await client.readResource({ uri });

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({
  offline: true, colorScheme: order.scheme, viewport: { width: order.width, height: TALL_PX }, deviceScaleFactor: 1.5,
});
const tab = await context.newPage();
const fetched = [], said = [], called = [];
tab.on("request", (request) => fetched.push(request.url()));
tab.on("console", (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()));
tab.on("pageerror", (error) => said.push(String(error)));

const relay = {
  start: async () => {},
  send: (message) => tab.evaluate((sent) => document.getElementById("view").contentWindow.postMessage(sent, "*"), message),
  close: async () => {},
};
await tab.exposeFunction("toHost", (text) => relay.onmessage(JSON.parse(text)));
const bridge = new AppBridge(
  client, { name: "host", version: "1" }, { serverTools: {}, openLinks: {} }, { hostContext: { theme: order.scheme } },
);
const initialized = new Promise((resolve) => { bridge.oninitialized = resolve; });
let height = 0;
bridge.onsizechange = (size) => {
  height = size.height;
  tab.evaluate((high) => { document.getElementById("view").style.height = `${high}px`; }, height);
};
await bridge.connect(relay);
const forward = bridge.oncalltool;
bridge.oncalltool = (params, extra) => {
  called.push(params.name);
  return forward(params, extra);
};
await tab.setContent(PAGE);
const guarded = contents[0].text.replace("<head>", `<head><meta http-equiv="Content-Security-Policy" content="${POLICY}">`);
await tab.evaluate((html) => { document.getElementById("view").srcdoc = html; }, guarded);
await initialized;
const given = { run: order.run };
bridge.sendToolInput({ arguments: given });
const result = await client.callTool({ name: order.tool, arguments: given });
bridge.sendToolResult(result);

const frame = await (await tab.waitForSelector("#view")).contentFrame();
await frame.waitForSelector("#chart[src]", { state: "visible" });
await frame.waitForFunction(() => document.getElementById("chart").complete);
const before = called.length;
await frame.click("#again");
await frame.waitForFunction(() => !document.getElementById("again").disabled);
const shown = await frame.evaluate(() => {
  const chart = document.getElementById("chart");
  const svg = new DOMParser().parseFromString(decodeURIComponent(chart.src.split(",").slice(1).join(",")), "image/svg+xml");
  const texts = (selector, root = document) => [...root.querySelectorAll(selector)].map((each) => each.textContent.trim());
  return {
    title: texts("#title")[0],
    here: texts("#phases [aria-current]"),
    hold: document.getElementById("hold").checkVisibility() ? texts("#reasons li") : [],
    rows: [...document.querySelectorAll("#rows tr")].map((row) => texts("td", row)),
    fields: Object.fromEntries([...document.querySelectorAll("dt")].map((name) => [name.textContent, name.nextSibling.textContent])),
    points: [...svg.querySelectorAll('[aria-roledescription="point"]')].map((each) =>
      ({ label: each.getAttribute("aria-label"), place: each.getAttribute("transform") })),
    chart: { width: chart.naturalWidth, alt: chart.alt },
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
});
await frame.evaluate(readFileSync(`${modules}/axe-core/axe.min.js`, "utf8"));
const { violations } = await frame.evaluate(() => axe.run());
const found = violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((node) => node.html.slice(0, 200)) }));
const clip = { x: 0, y: 0, width: order.width, height: Math.min(height, TALL_PX) };
let before_last, last; // another process paints the frame: what is drawn twice alike is painted
do {
  before_last = last;
  await frame.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
  last = await tab.screenshot({ path: order.screenshot, clip });
} while (!before_last?.equals(last));
process.stdout.write(JSON.stringify({ fetched, said, called, again: called.slice(before), shown, found }));
await browser.close();
await client.close();
