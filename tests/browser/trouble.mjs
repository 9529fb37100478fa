// What the page says and keeps when the server, its memory, its rules or the network fail it.
import assert from "node:assert/strict";
import { askServer, eventually, packetRows, packets, rowsWith, shownRows, tcp } from "./stage.mjs";

export async function aSilentServerIsNoticed(stage) {
  stage.expected.push(/WebSocket connection to .* failed/, /net::ERR_/);
  const page = await stage.openLive();
  await packets(stage, tcp({ dp: 1 }));
  await rowsWith(page, "dst", ":1");
  await stage.ask("sleep");
  await page.locator(".banner.bad", { hasText: "Not connected" }).waitFor({ timeout: 20000 });
  await stage.ask("wake");
  await page.locator(".banner.bad").waitFor({ state: "detached", timeout: 30000 });
  await packets(stage, tcp({ dp: 2 }));
  await rowsWith(page, "dst", ":2");
}

export async function anotherProcessTellsOfNewThings(stage) {
  stage.expected.push(/WebSocket connection to .* failed/, /net::ERR_/);
  await stage.ask("rule", { rule: { name: "Telnet", match: { dport: 23 }, message: "{src} tried {dport}", cooldown_s: 0 } });
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ sp: 40001 }), tcp({ sp: 40002 }));
  const badge = page.locator("nav .badge");
  await badge.filter({ hasText: "3" }).waitFor();
  await page.locator("nav a", { hasText: "Notifications" }).click();
  await page.locator("nav a", { hasText: "Live" }).click();
  await badge.waitFor({ state: "detached" });
  await stage.ask("restart");
  await packets(stage, tcp({ sp: 40003 }));
  await badge.filter({ hasText: "1" }).waitFor({ timeout: 20000 });
  await page.locator("[aria-live=polite]", { hasText: "192.0.2.10 tried 23" }).waitFor({ state: "attached" });
}

export async function aSlowAnswerSavesItsOwnRule(stage) {
  const page = await stage.openLive("#rules");
  for (const name of ["one", "two"]) await askServer(page, "PUT", "/rules", { name, match: { dport: 23 }, first_seen: "topic", group_by: [] });
  await page.reload();
  let goOn;
  await page.route("**/api/table", async (route) => {
    await new Promise((resolve) => (goOn = resolve));
    await route.continue();
  });
  await page.getByRole("button", { name: "New rule" }).click();
  await page.getByLabel("Name").fill("three");
  await page.getByLabel("Match").fill("dport=99");
  await page.getByRole("button", { name: "Save" }).click();
  await eventually(() => goOn, "the question on its way");
  await page.getByRole("button", { name: "Edit two" }).click();
  await page.getByLabel("Message").fill("{src}");
  goOn();
  await page.getByText("Saved.").waitFor();
  assert.deepEqual((await askServer(page, "GET", "/rules")).map((rule) => rule.name), ["one", "two", "three"]);
  assert.equal(await page.getByLabel("Message").inputValue(), "{src}"); // the other editor is still there

  await page.unroute("**/api/table");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".rule-form").waitFor({ state: "detached" });
  const two = (await askServer(page, "GET", "/rules"))[1];
  assert.deepEqual([two.name, two.message, two.group_by], ["two", "{src}", []]);
}

export async function whatIsKeptNoMoreIsSaid(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp({ dp: 1 }));
  await rowsWith(page, "dst", ":1");
  await page.keyboard.press("p");
  await page.locator("#unseen").waitFor();
  await stage.ask("packets", { packets: [tcp({ dp: 2 })], repeat: 1000 }); // ten times what is kept
  await page.locator("#unseen", { hasText: "1,000 new" }).waitFor();
  await page.click("#unseen");
  await rowsWith(page, "dst", ":2");
  await page.locator(".grid").focus();
  await page.keyboard.press("End");
  const gap = await eventually(async () => (await shownRows(page)).find(({ kind }) => kind === "k-g"), "a row between");
  assert.match(gap.wide, /900 came here and are kept no more/);
  assert.ok((await packetRows(page)).length > 1);
}

export async function rulesThatCannotBeReadAreNoEmptyList(stage) {
  const page = await stage.openLive("#rules");
  await page.getByText("None yet.").waitFor();
  await stage.ask("writeRules", { text: '{"name": ' });
  await page.getByRole("alert").filter({ hasText: /cannot be read.*notifications\.json/ }).waitFor();
  assert.equal(await page.getByText("None yet.").count(), 0);
  await page.locator("nav a", { hasText: "Notifications" }).click();
  await page.getByRole("alert").filter({ hasText: "cannot be read" }).waitFor();
}
