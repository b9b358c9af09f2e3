// The pages a person opens, in a real browser: that they are readable on a phone and on a desk, in light and dark, by keyboard
// and by a screen reader (axe-core's rules), and that they load nothing from anywhere else.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import puppeteer from "puppeteer-core";

const base = process.env.COUNTERSIGN_URL;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const phone = { width: 360, height: 740, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const desk = { width: 1280, height: 900 };
const pages = ["/", "/docs"];

let browser;
before(async () => {
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Root has no sandbox to put it in; the pages are our own, on loopback.
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
});
after(() => browser?.close());

/** Opens a page and notes what it asks for and complains of. */
async function open(path, viewport, scheme = "light") {
  const page = await browser.newPage();
  const requests = [];
  const complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(`${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.setBypassCSP(true); // for axe alone
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const answer = await page.goto(base + path, { waitUntil: "load" });
  assert.equal(answer.status(), 200);
  return { page, requests, complaints };
}

const lightness = (page) =>
  page.evaluate(() => {
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return (r + g + b) / 3;
  });

for (const path of pages) {
  describe(path, () => {
    test("asks nobody else for anything, and has nothing to complain of", async () => {
      const { page, requests, complaints } = await open(path, desk);
      await page.close();
      const elsewhere = requests.filter((url) => !url.startsWith(`${base}/`) && !url.startsWith("data:"));
      assert.deepEqual(elsewhere, []);
      assert.deepEqual(complaints.filter((text) => !text.includes("favicon")), []);
    });

    for (const [name, viewport] of Object.entries({ phone, desk })) {
      for (const scheme of ["light", "dark"]) {
        test(`on a ${name}, ${scheme}: fits, has contrast, and says what it is to a screen reader`, async () => {
          const { page } = await open(path, viewport, scheme);
          const light = await lightness(page);
          assert.ok(scheme === "dark" ? light < 80 : light > 200, `the ground has lightness ${light}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${wide} px wider than the screen`);
          // What is folded is to be seen too.
          await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
          await page.evaluate(axe);
          const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
          const violations = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
          assert.deepEqual(violations, []);
          assert.ok(found.passes.length > 10, "axe looked at the page");
          await page.close();
        });
      }
    }

    test("can be walked with the keyboard, and shows where one is", async () => {
      const { page } = await open(path, desk);
      const seen = new Set();
      for (let n = 0; n < 40; n += 1) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
          const e = document.activeElement;
          if (!e || e === document.body) return null;
          const { outlineStyle, outlineWidth } = getComputedStyle(e);
          return { what: e.outerHTML.slice(0, 90), seen: outlineStyle !== "none" && outlineWidth !== "0px" };
        });
        if (!at) break;
        assert.ok(at.seen, `no outline on ${at.what}`);
        seen.add(at.what);
      }
      assert.ok(seen.size >= 2, `only ${seen.size} places to go`);
      await page.close();
    });
  });
}

test("the reference tells the story in its order: enroll, challenge, verify", async () => {
  const { page } = await open("/docs", desk);
  const routes = await page.$$eval("section .r", (all) => all.map((e) => e.textContent));
  await page.close();
  assert.equal(routes.length, 10);
  const at = (text) => routes.findIndex((route) => route.replaceAll("\u200b", "").includes(text));
  assert.ok(at("/factors/enroll") < at("/factors/{id}/challenge"), routes.join("\n"));
  assert.ok(at("/factors/{id}/challenge") < at("/challenges/{id}/verify"), routes.join("\n"));
});
