// Plays a person, a second browser and a page of somebody else's against the approval page, in Debian's Chromium.
// Usage: node approval_in_browser.cjs MODULES ADDRESS SCREENSHOT; the passphrase comes on stdin. Prints what happened.
const [modules, address, screenshot] = process.argv.slice(2);
const { chromium } = require(`${modules}/playwright-core`);
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");

// Another site on this machine: a frame around the page, and a form that presses its button by itself.
const evil = createServer((request, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end(request.url === "/frame"
    ? `<iframe id="f" src="${address}" width="800" height="600"></iframe>`
    : `<form id="f" method="post" action="${address}"><input name="accept" value="yes"><input name="csrf" value="x">
       <input name="passphrase" value="x"></form><script>document.getElementById("f").submit()</script>`);
});

(async () => {
  const passphrase = readFileSync(0, "utf8");
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  const elsewhere = `http://127.0.0.1:${evil.address().port}`;
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext();
  const said = [];
  const person = await context.newPage();
  person.on("console", (message) => message.type() === "error" && said.push(message.text()));
  person.on("pageerror", (error) => said.push(String(error)));
  await person.goto(address);
  await person.evaluate(readFileSync(`${modules}/axe-core/axe.min.js`, "utf8"));
  const { violations } = await person.evaluate(() => axe.run());
  const figures = await person.locator("li").allTextContents();
  await person.screenshot({ path: screenshot, fullPage: true });
  const readable = await person.evaluate(() => document.cookie);

  const stranger = await (await browser.newContext()).newPage();
  const second = (await stranger.goto(address)).status();

  const site = await context.newPage();
  await site.goto(`${elsewhere}/frame`); // which waits for its frame, whatever becomes of that
  const framed = await site.frames().find((frame) => frame.parentFrame())?.content() ?? "";
  const pressed = site.waitForResponse((response) => response.url() === address);
  await site.goto(`${elsewhere}/press`).catch(() => {});
  const csrf = (await pressed).status();

  await person.fill('[name="name"]', "Ada");
  await person.fill('[name="reason"]', "a demo");
  await person.check('[name="accept"]');
  await person.fill('[name="passphrase"]', passphrase);
  const [sent] = await Promise.all([person.waitForResponse((response) => response.request().method() === "POST"),
    person.click("button")]);
  const accepted = { status: sent.status(), text: await person.locator("main").textContent() };
  const found = violations.map(({ id, impact }) => ({ id, impact }));
  process.stdout.write(JSON.stringify({ said, found, figures, readable, second, framed: framed.includes("passphrase"), csrf, accepted }));
  await browser.close();
  evil.close();
})().catch((error) => {
  process.stderr.write(String(error));
  process.exit(1);
});
