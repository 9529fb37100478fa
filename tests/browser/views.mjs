// The views beside the table: hosts, notifications, rules, health; exports, hostile names, and how all of it looks.
import assert from "node:assert/strict";
import { askServer, desktop, eventually, number, packetRows, packets, phone, shownRows, stateOf, tcp } from "./stage.mjs";

const panel = (page, title) => page.locator("section.panel", { has: page.getByRole("heading", { name: title }) });

export async function aHostHasAPage(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ dp: 22 }), tcp({ dst: "203.0.113.5", dp: 443 }), tcp({ src: "192.0.2.99", dst: "198.51.100.1" }));
  await eventually(async () => (await packetRows(page)).length === 4, "four rows");
  await page.locator(".row .c-time", { has: page.locator("xpath=../*[contains(@class,'c-src')][contains(., 'laptop')]") }).first().click();
  await page.locator(".details a", { hasText: "192.0.2.10" }).click();
  await page.getByRole("heading", { name: "laptop" }).waitFor();
  const facts = await page.locator(".facts").textContent();
  assert.match(facts, /Sent3packets/);
  assert.match(facts, /Blocked2/);
  assert.match(facts, /Allowed1/);
  assert.match(facts, /First seen\d{4}-\d\d-\d\d/);
  const ports = await panel(page, "Ports that it asks for").textContent();
  for (const port of ["tcp/23", "tcp/22", "tcp/443"]) assert.ok(ports.includes(port), ports);
  assert.match(await panel(page, "Peers").textContent(), /198\.51\.100\.1.*2/);
  assert.match(await panel(page, "MAC addresses").textContent(), /02:00:00:00:00:02/);
  await page.getByRole("button", { name: "Show its events" }).click();
  await page.locator(".chip", { hasText: "192.0.2.10" }).waitFor();
  await eventually(async () => (await packetRows(page)).length === 3, "the host's events");

  await page.locator("nav a", { hasText: "Hosts" }).click();
  await page.getByLabel("Address").fill("2001:db8::1");
  await page.keyboard.press("Enter");
  await page.getByText("No event of this address is kept").waitFor();
  stage.expected.push(/status of 400/);
  await page.evaluate(() => (location.hash = "hosts?host=nobody"));
  await page.locator(".error", { hasText: "IPv4 or IPv6 address" }).waitFor();
}

// On a page that has seen no row of them.
export async function namesStandWithoutRows(stage) {
  await packets(stage, tcp(), tcp({ src: "192.0.2.20", dp: 22 }));
  const page = await stage.openLive("#hosts");
  for (const [address, name] of [["192.0.2.10", "laptop"], ["192.0.2.20", "by its card"]]) {
    const row = page.locator(".ranking li", { hasText: address });
    await eventually(async () => (await row.textContent()).includes(name), `${address} by the name ${name}`);
  }
  await page.getByRole("link", { name: /by its card/ }).first().click();
  await page.getByRole("heading", { name: "by its card" }).waitFor();
  await page.goBack();
  await page.getByRole("link", { name: /laptop/ }).first().click();
  const port = panel(page, "Ports that it asks for").getByRole("button", { name: "tcp/23" });
  await port.click();
  assert.equal(stateOf(page).match, "src=192.0.2.10 proto=tcp dport=23");
  await eventually(async () => (await packetRows(page)).length === 1, "its own packet alone");
}

export async function aRuleMadeHereTells(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ sp: 40001 }), tcp({ dp: 22 }));
  await eventually(async () => (await packetRows(page)).length === 3, "three rows");
  await page.locator(".c-time", { has: page.locator("xpath=../*[contains(@class,'c-dst')][contains(., ':23')]") }).first().click();
  await page.getByRole("link", { name: "Tell me of these" }).click();
  await page.getByLabel("Name").fill("Telnet <b>tried</b>");
  assert.match(await page.getByLabel("Match").inputValue(), /src=192\.0\.2\.10 dport=23/);
  await page.getByLabel("Severity").selectOption("warning");
  await page.getByLabel("Message").fill("{src} tried {dport}");
  await page.locator("nav a", { hasText: "Live" }).click(); // to look something up
  await page.locator(".row").first().waitFor();
  await page.locator("nav a", { hasText: "Rules" }).click();
  assert.equal(await page.getByLabel("Message").inputValue(), "{src} tried {dport}");
  assert.equal(await page.getByLabel("Severity").inputValue(), "warning");
  await page.getByLabel("Cooldown, seconds").fill("0");
  await page.getByRole("button", { name: "Preview" }).click();
  await eventually(async () => /^2 of 3 kept/.test((await page.locator(".preview p").textContent()).trim()), "the preview's counts");
  assert.equal(await page.locator(".preview tbody tr").count(), 2);
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".rule-list", { hasText: "Telnet <b>tried</b>" }).waitFor();

  await packets(stage, tcp({ dp: 22 }), tcp({ sp: 40002 }));
  await page.locator("nav .badge", { hasText: "1" }).waitFor();
  await page.locator("[aria-live=polite]", { hasText: "192.0.2.10 tried 23" }).waitFor({ state: "attached" });
  await page.locator("nav a", { hasText: "Notifications" }).click();
  const notes = page.locator(".note");
  assert.equal(await notes.count(), 1);
  const note = await notes.first().textContent();
  for (const text of ["192.0.2.10 tried 23", "warning", "Telnet <b>tried</b>"]) assert.ok(note.includes(text), note);

  await page.getByRole("button", { name: "1 h" }).click();
  await page.getByText("silent until").waitFor();
  await packets(stage, tcp({ sp: 40003 }));
  await eventually(async () => /snoozed 1/.test(await page.locator(".rules-summary").textContent()), "the count of what was not told", 15);
  assert.equal(await notes.count(), 1);
  await page.getByRole("button", { name: "Wake" }).click();
  await page.getByRole("button", { name: "1 day" }).waitFor();
  await packets(stage, tcp({ sp: 40004 }));
  await eventually(async () => (await notes.count()) === 2, "the next notification");

  await page.reload(); // the server keeps them
  await eventually(async () => (await notes.count()) === 2, "both after a reload");
  await page.locator("nav a", { hasText: "Rules" }).click();
  await page.getByRole("button", { name: "Delete Telnet" }).click();
  await page.getByText("None yet.").waitFor();
}

export async function othersChangeTheRulesMeanwhile(stage) {
  const page = await stage.openLive("#rules");
  const ask = (method, path, rule) => askServer(page, method, path, rule);
  for (const name of ["first", "second", "third"]) await ask("PUT", "/rules", { name, match: { dport: 23 } });
  await page.reload();
  await page.getByRole("button", { name: "Delete first" }).waitFor();
  await ask("DELETE", "/rules/0"); // somebody else
  await page.getByRole("button", { name: "Turn off third" }).click();
  await page.getByText("Turned off.").waitFor();
  assert.deepEqual((await ask("GET", "/rules")).map((rule) => [rule.name, rule.disabled ?? false]), [["second", false], ["third", true]]);

  // One of SPR's has a preview, too.
  await ask("PUT", "/alerts", { TopicPrefix: "nft:drop", Name: "dropped", Conditions: [{ JPath: "$[?(@.TCP.DstPort==23)]" }], Actions: [{ SendNotification: true }] });
  await page.reload();
  await packets(stage, tcp(), tcp({ dp: 22 }));
  await page.getByRole("button", { name: "JSON of dropped" }).click();
  await eventually(async () => {
    await page.getByRole("button", { name: "Preview" }).click();
    return /^1 of \d kept/.test((await page.locator(".preview p").textContent()).trim());
  }, "the preview's counts");
  await page.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "Edit second" }).click();
  await page.getByLabel("Message").fill("{src}");
  await ask("PUT", "/rules/0", { name: "second", match: { dport: 25 } });
  stage.expected.push(/status of 412/);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: "changed or removed elsewhere" }).waitFor();
  assert.equal(await page.getByLabel("Message").inputValue(), "{src}"); // nothing that was typed is lost
  assert.deepEqual((await ask("GET", "/rules"))[0], { name: "second", match: { dport: 25 } });
}

export async function healthIsThatOfTheHost(stage) {
  await packets(stage, tcp(), tcp({ dst: "203.0.113.5" }));
  const page = await stage.openLive("#health");
  await eventually(async () => (await number(page, "#received")) === 2, "what was received");
  const status = await stage.ask("status");
  assert.equal(await number(page, "#lost"), 0);
  const groups = panel(page, "NFLOG groups").locator("tbody tr");
  assert.equal(await groups.count(), status.capture.length);
  assert.match(await panel(page, "Sinks").textContent(), /pagewebsocket/);
  await page.getByText("No packet lost").waitFor();
}

const inFull = (number) => new Intl.NumberFormat("en-US").format(number);

// Whoever reads the verdict learns of every loss, and where it was.
export async function healthTellsOfEveryLoss(stage) {
  const page = await stage.openLive("#health");
  await page.getByText("No packet lost").waitFor();
  await stage.ask("packets", { packets: [tcp()], repeat: 400 });
  await page.locator(".verdict.is-bad", { hasText: /lost: events for the sink stuck/ }).waitFor();
  const sinkOf = async (name) => (await stage.ask("status")).sinks.find((sink) => sink.name === name);
  const { overflowed } = await eventually(async () => {
    const stuck = await sinkOf("stuck");
    return stuck.overflowed + stuck.queued === 400 && stuck;
  }, "400 at the sink that is stuck");
  assert.ok(overflowed > 300, `${overflowed}`);
  const { rejected } = await sinkOf("picky");
  await eventually(async () => {
    const verdict = await page.locator(".verdict").textContent();
    return verdict.includes(`${inFull(overflowed)} lost: events for the sink stuck found its queue full`)
      && verdict.includes(`${inFull(rejected)} lost: events for the sink picky were refused`) && verdict.includes("The kernel lost none of the 400 packets");
  }, `${overflowed} and ${rejected}`);
  assert.equal(await page.getByText("No packet lost").count(), 0);
  await stage.picture(page, "health-losses-light");
  await stage.assertNoOverlap(page);
  await stage.assertAccessible(page);

  const head = (title) => panel(page, title).locator("th[scope=col]").allTextContents();
  const written = (await head("Sinks")).indexOf("Writes to");
  const writes = await panel(page, "Sinks").locator("tbody tr").evaluateAll((rows, at) => rows.map((row) => row.cells[at].textContent), written);
  assert.deepEqual(writes.map((path) => path.split("/").at(-1)).sort(), ["state.json", "–", "–"]); // the others write nowhere
  const filter = panel(page, "Filters").locator("tbody tr");
  assert.match(await filter.textContent(), /contextnftcontextgroup 0/);
}

export async function exportsHoldWhatMatches(stage) {
  const page = await stage.openLive("#live?match=dport%3D23");
  await packets(stage, tcp(), tcp({ dp: 22 }), tcp({ sp: 40001 }));
  await eventually(async () => (await packetRows(page)).length === 2, "two rows");
  const save = async (title) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: title, exact: true }).click()]);
    await page.keyboard.press("Escape");
    return stage.ask("read", { path: await download.path() });
  };
  const lines = (await save("JSON lines")).trim().split("\n").map(JSON.parse);
  assert.deepEqual(lines.map((event) => (event.event ?? event).TCP.SrcPort), [40000, 40001]);
  const csv = (await save("CSV")).trim().split("\n");
  assert.equal(csv.length, 3);
  assert.ok(csv[1].includes("198.51.100.1"), csv[1]);
  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "pcap", exact: true }).click()]);
  assert.deepEqual(await stage.ask("tshark", { path: await download.path() }), ["192.0.2.10 40000 198.51.100.1 23", "192.0.2.10 40001 198.51.100.1 23"]);
}

export async function hostileNamesStayText(stage) {
  const page = await stage.openLive();
  await stage.ask("hostile");
  await eventually(async () => (await packetRows(page)).length === 3, "three rows");
  const rows = await packetRows(page);
  const all = JSON.stringify(rows);
  assert.ok(rows.some((row) => row.topic.includes("<script>")), all);
  assert.ok(rows.some((row) => row.in === "<script>0"), all);
  assert.ok(rows.some((row) => row.info.toLowerCase().includes("<script>alert(3)<\\script>") || row.info.includes("<script>")), all);
  assert.ok(rows.some((row) => row.src.includes("<script>alert(4)</script>")), all);
  assert.ok(rows.some((row) => row.src.includes("‹U+202E›") && row.src.includes("‹U+200B›")), all);
  await page.locator(".c-time").nth(1).click();
  await page.locator(".details .lead").waitFor();
  await stage.picture(page, "hostile-light");
  await stage.assertNoOverlap(page);
  for (const view of ["hosts?host=192.0.2.66", "health", "notifications", "rules"]) {
    await page.evaluate((hash) => (location.hash = hash), view);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await stage.assertNoOverlap(page);
  }
  assert.equal(await page.evaluate(() => document.querySelectorAll("script").length), 1); // the page's own
}

// As many topics as somebody may make on the bus, with names as long as they may be.
export async function tenThousandTopicsFit(stage) {
  const page = await stage.openLive("#live", { size: phone });
  await stage.ask("topics", { count: 10000 });
  await eventually(async () => (await number(page, "#matched")) === 10000, "all messages", 20);
  await eventually(async () => (await page.locator(".legend li").count()) === 7, "the busiest topics, and the others as one");
  await page.fill("#search", "topic=");
  assert.ok((await page.locator("#suggestions [role=option]").count()) <= 12);
  await stage.picture(page, "topics-phone-light");
  await page.keyboard.press("Escape");
  await stage.assertNoOverlap(page);
  await page.setViewportSize(desktop);
  await page.locator(".row.k-m:not([hidden])").first().click();
  await page.locator(".details .lead").waitFor();
  await stage.assertNoOverlap(page);
}

const looks = [
  { name: "light", size: desktop, scheme: "light" },
  { name: "dark", size: desktop, scheme: "dark" },
  { name: "phone-light", size: phone, scheme: "light" },
  { name: "phone-dark", size: phone, scheme: "dark" },
];

// Every view in every look: pictures to look at, and no serious finding of axe-core, nothing over something else.
export async function allViewsLookWell(stage) {
  await stage.ask("rule", { rule: { name: "Telnet", match: { dport: 23 }, severity: "danger", message: "{src} tried {dport}", cooldown_s: 60 } });
  await stage.ask("traffic");
  for (const { name, size, scheme } of looks) {
    const page = await stage.openLive("#live", { size, scheme });
    await eventually(async () => (await shownRows(page)).length > 10, "rows");
    await page.locator(".legend li").first().waitFor();
    await page.locator("#total-blocked").waitFor();
    const check = async (view) => {
      await stage.picture(page, `${view}-${name}`);
      await stage.assertNoOverlap(page);
      await stage.assertAccessible(page);
    };
    const go = async (hash, heading) => {
      await page.evaluate((value) => (location.hash = value), hash);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    };
    await check("live");
    await page.evaluate(() => (location.hash = "live?match=action%3Dblocked%20!proto%3Dudp"));
    await page.locator(".chip.not").waitFor();
    await page.locator(".table").scrollIntoViewIfNeeded();
    await eventually(async () => (await packetRows(page)).length > 3, "filtered rows");
    await check("filtered");
    await page.locator(".c-time:not([role=columnheader])").first().click();
    await page.locator(".details .lead").waitFor();
    await check("details");
    await go("hosts", "Hosts");
    await page.locator(".ranking li").first().waitFor();
    await check("hosts");
    await go("hosts?host=192.0.2.10", "laptop");
    await page.locator(".counted li").first().waitFor();
    await check("host");
    await go("notifications", "Notifications");
    await page.locator(".note").first().waitFor();
    await check("notifications");
    await go("rules?draft=src%3D192.0.2.10%20dport%3D23", "Rules");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.locator(".preview tr").first().waitFor();
    await check("rules");
    await go("health", "Health");
    await page.locator(".verdict").waitFor();
    await check("health");
    await page.close();
  }
}
