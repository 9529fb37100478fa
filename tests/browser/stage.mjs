// A browser, its pages, and what is asked of every page: no error on the console, nothing that axe-core finds serious,
// nothing that lies over something else.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const url = process.env.NFBUS_PAGE_URL;
const pictures = process.env.NFBUS_SCREENSHOTS;
const flags = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };

// As the page itself, or another one, asks it. Returns what it answers.
export const askServer = (page, method, path, rule) => page.evaluate(
  async ([method, path, body]) => (await fetch(path, { method, headers: { "Content-Type": "application/json" }, body })).json(),
  [method, path, rule && JSON.stringify(rule)],
);

// Calls `probe` until it gives something true, and returns that.
export async function eventually(probe, what, seconds = 10) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new assert.AssertionError({ message: `waited ${seconds} s in vain for ${what}` });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class Stage {
  constructor(ask) {
    this.ask = ask;
    this.said = []; // on the consoles: errors and warnings
    this.expected = []; // patterns of what may be said
    this.pages = [];
  }

  async begin(name) {
    for (const old of fs.existsSync(pictures) ? fs.readdirSync(pictures) : []) {
      if (old.startsWith(`failed-${name}-`)) fs.rmSync(path.join(pictures, old));
    }
    this.profile = fs.mkdtempSync(path.join(os.tmpdir(), "nfbustest-browser-"));
    this.browser = await chromium.launch({ executablePath: process.env.NFBUS_CHROMIUM ?? "/usr/bin/chromium", args: flags,
      env: { ...process.env, HOME: this.profile } });
    this.context = await this.browser.newContext({ timezoneId: "Europe/Berlin", permissions: ["clipboard-read", "clipboard-write"] });
  }

  async end() {
    await this.browser?.close();
    if (this.profile) fs.rmSync(this.profile, { recursive: true, force: true });
  }

  // A page at that address, of that look.
  async open(hash = "#live", { size = desktop, scheme = "light", context = this.context } = {}) {
    const page = await context.newPage();
    this.pages.push(page);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.said.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => this.said.push(`exception: ${error.stack}`));
    page.on("dialog", (dialog) => {
      if (dialog.type() !== "confirm") this.said.push(`dialog: ${dialog.message()}`);
      dialog.accept();
    });
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${url}/${hash}`);
    return page;
  }

  async openLive(hash, options) {
    const page = await this.open(hash, options);
    await page.locator(".link-state.is-open").waitFor();
    await page.locator(".sums .number").first().waitFor();
    return page;
  }

  assertNoErrors() {
    assert.deepEqual(this.said.filter((line) => !this.expected.some((pattern) => pattern.test(line))), []);
  }

  async picture(page, name) {
    fs.mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }

  // What the pages of a failed scenario looked like at its end.
  async keepPictures(name) {
    for (const [at, page] of this.pages.entries()) if (!page.isClosed()) await this.picture(page, `failed-${name}-${at}`);
  }

  // axe-core comes through the debugger, since the page's policy takes no script of others.
  async assertAccessible(page) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`), []);
  }

  // Nothing reaches out of the window sideways, and no control or title lies over another one.
  async assertNoOverlap(page) {
    const found = await page.evaluate(() => {
      const wrong = [];
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth > width) wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
      const layer = document.querySelector(".details") && innerWidth <= 900 ? document.querySelector(".details") : document.body;
      const seen = [...layer.querySelectorAll("a, button, input, select, textarea, h1, h2, h3, dt, dd, .sums > span, .cell, label")]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen, .skip, dialog, #suggestions"))
        .map((element) => {
          // As far as it is seen: what scrolls cuts it.
          const box = element.getBoundingClientRect();
          let { left, top, right, bottom } = box;
          for (let above = element.parentElement; above; above = above.parentElement) {
            if (getComputedStyle(above).overflow === "visible") continue;
            const cut = above.getBoundingClientRect();
            [left, top, right, bottom] = [Math.max(left, cut.left), Math.max(top, cut.top), Math.min(right, cut.right), Math.min(bottom, cut.bottom)];
          }
          const sticky = document.querySelector(".heads")?.getBoundingClientRect();
          if (sticky && element.closest(".body")) top = Math.max(top, sticky.bottom);
          return { element, left, top, right, bottom };
        })
        .filter(({ left, top, right, bottom }) => right - left > 1 && bottom - top > 1);
      const name = ({ element }) => `${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 30)}"`;
      // The way to each view is in sight, not scrolled away.
      const nav = document.querySelector("nav");
      if (nav && nav.scrollWidth > nav.clientWidth + 1 && width >= 390) wrong.push(`the views need ${nav.scrollWidth} pixels and have ${nav.clientWidth}`);
      for (const one of seen) {
        if (one.right > width + 1) wrong.push(`${name(one)} ends at ${one.right}`);
        for (const other of seen) {
          if (one === other || one.element.contains(other.element) || other.element.contains(one.element)) continue;
          const x = Math.min(one.right, other.right) - Math.max(one.left, other.left);
          const y = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
          if (x > 2 && y > 2) wrong.push(`${name(one)} and ${name(other)} share ${Math.round(x)} x ${Math.round(y)} pixels`);
        }
      }
      return wrong.slice(0, 10);
    });
    assert.deepEqual(found, []);
  }
}

// ---- What tests send

export const packets = (stage, ...list) => stage.ask("packets", { packets: list });
export const tcp = (changes = {}) => ({ src: "192.0.2.10", dst: "198.51.100.1", sp: 40000, dp: 23, ...changes });

// ---- What tests read of the page

// The packets that the table shows, newest first: {action, proto, src, dst, info, ...} as text.
export const shownRows = (page) => page.evaluate(() => [...document.querySelectorAll(".body .row:not([hidden])")]
  .sort((one, other) => one.getAttribute("aria-rowindex") - other.getAttribute("aria-rowindex"))
  .map((row) => {
    const wide = row.querySelector(".wide");
    if (wide) return { wide: wide.textContent, kind: [...row.classList].find((name) => name.startsWith("k-")) };
    return Object.fromEntries([...row.querySelectorAll(".cell")].map((cell) => [[...cell.classList].find((name) => name.startsWith("c-")).slice(2), cell.textContent]));
  }));

export const packetRows = async (page) => (await shownRows(page)).filter((row) => !row.wide);

export const rowsWith = (page, column, text) => eventually(async () => {
  const rows = (await packetRows(page)).filter((row) => row[column].includes(text));
  return rows.length > 0 && rows;
}, `a row with ${text} as its ${column}`);

export const number = async (page, selector) => Number((await page.locator(selector).first().textContent()).replace(/[^0-9]/g, ""));

export const stateOf = (page) => {
  const [view, query = ""] = new URL(page.url()).hash.slice(1).split("?");
  return { view, ...Object.fromEntries(new URLSearchParams(query)) };
};
