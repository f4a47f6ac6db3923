// Opens a page with no network in Debian's Chromium; prints what it fetched, said, drew, and what axe-core finds.
// Usage: node report_in_browser.cjs MODULES PAGE SCREENSHOT light|dark
const [modules, page, screenshot, scheme] = process.argv.slice(2);
const { chromium } = require(`${modules}/playwright-core`);
const { readFileSync } = require("node:fs");

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ offline: true, colorScheme: scheme, viewport: { width: 1000, height: 800 } });
  const tab = await context.newPage();
  const fetched = [], said = [];
  tab.on("request", (request) => fetched.push(request.url()));
  tab.on("console", (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()));
  tab.on("pageerror", (error) => said.push(String(error)));
  await tab.goto(`file://${page}`);
  await tab.waitForFunction(() => [...document.querySelectorAll(".drawing")].every((each) => each.dataset.drawn));
  const points = await tab.evaluate(() =>
    JSON.parse(document.getElementById("specification-tradeoff").textContent).layer
      .flatMap((layer) => (layer.mark.type === "point" && layer.encoding.tooltip ? layer.data.values : []))
  );
  const marks = await tab.locator('[data-specification="specification-tradeoff"] svg path[aria-roledescription="point"]')
    .evaluateAll((drawn) => drawn.map((each) => ({ label: each.getAttribute("aria-label"), place: each.getAttribute("transform") })));
  await tab.screenshot({ path: screenshot, fullPage: true });
  await context.setOffline(true);
  await tab.evaluate(readFileSync(`${modules}/axe-core/axe.min.js`, "utf8"));
  const { violations } = await tab.evaluate(() => axe.run());
  const found = violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((node) => node.html.slice(0, 200)) }));
  process.stdout.write(JSON.stringify({ fetched, said, points, marks, found }));
  await browser.close();
})().catch((error) => {
  process.stderr.write(String(error));
  process.exit(1);
});
