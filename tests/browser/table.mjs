// The live table: what it shows, how it is filtered, stopped and driven by keys.
import assert from "node:assert/strict";
import { desktop, eventually, number, packetRows, packets, phone, rowsWith, shownRows, stateOf, tcp } from "./stage.mjs";

export async function eventsAppear(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ dst: "203.0.113.5", dp: 443 }), tcp({ proto: "udp", dp: 53, dst: "203.0.113.53" }));
  const rows = await eventually(async () => {
    const found = await packetRows(page);
    return found.length === 3 && found;
  }, "three rows");
  const blocked = rows.find((row) => row.dst.includes("198.51.100.1"));
  assert.match(blocked.action, /blocked/);
  assert.match(blocked.src, /^laptop:40000 192\.0\.2\.10$/);
  assert.match(blocked.dst, /198\.51\.100\.1:23$/);
  assert.equal(blocked.proto, "tcp");
  assert.equal(blocked.in, "lan0");
  assert.equal(blocked.topic, "drop:input");
  assert.match(blocked.info, /SYN/i);
  assert.match(rows.find((row) => row.dst.includes("203.0.113.5:443")).action, /allowed/);
  await eventually(async () => (await number(page, "#total-blocked")) === 1 && (await number(page, "#total-allowed")) === 2, "the totals");
  assert.match(await page.title(), /Live · nfbus page/);
}

export async function clicksFilterAndExclude(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ src: "192.0.2.20" }), tcp({ src: "192.0.2.20", dp: 22 }));
  await rowsWith(page, "dst", ":22");
  await page.locator(".row .c-src .address", { hasText: "192.0.2.20" }).first().click();
  await page.locator(".chip", { hasText: "192.0.2.20" }).waitFor();
  assert.equal(stateOf(page).match, "src=192.0.2.20");
  await eventually(async () => {
    const rows = await packetRows(page);
    return rows.length === 2 && rows.every((row) => row.src.includes("192.0.2.20"));
  }, "the two events of 192.0.2.20, out of the history");

  await page.locator(".row .c-dst .port", { hasText: ":22" }).first().click({ modifiers: ["Shift"] });
  await page.locator(".chip.not", { hasText: "22" }).waitFor();
  assert.equal(stateOf(page).match, "src=192.0.2.20 !dport=22");
  await packets(stage, tcp(), tcp({ src: "192.0.2.20", dp: 22 }), tcp({ src: "192.0.2.20", dp: 25 }));
  await rowsWith(page, "dst", ":25");
  assert.deepEqual((await packetRows(page)).map((row) => row.dst.split(":").at(-1)), ["25", "23"]);
  assert.equal(await number(page, "#matched"), 1);

  await page.locator(".chip.not .remove").click();
  await eventually(async () => (await packetRows(page)).length === 4, "all events of 192.0.2.20");
  await page.goBack();
  await page.locator(".chip.not").waitFor();
  await page.getByRole("button", { name: "Clear all" }).click();
  await page.locator(".totals").getByRole("button", { name: "Allowed" }).click();
  await page.getByText("No kept event matches").waitFor();
  await page.getByRole("link", { name: "Tell me of these" }).click();
  assert.equal(await page.getByLabel("Match").inputValue(), "action=allowed");
}

// All that a row shows is a value, the name of a device and the topic of a message as well.
export async function everyValueIsAClick(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ src: "192.0.2.67" }), tcp({ src: "192.0.2.20" }), tcp({ proto: "udp", dp: 53 }));
  await stage.ask("topics", { count: 1 });
  const shows = (count) => eventually(async () => (await shownRows(page)).length === count, `${count} rows`);
  await shows(5);
  const check = async (place, click, match, count) => {
    await place.first().click(click);
    await eventually(() => stateOf(page).match === match, `${match}, not ${stateOf(page).match}`);
    assert.equal(stateOf(page).event, undefined, "no details");
    await shows(count);
    await page.goBack();
    await shows(5);
  };
  const name = (text) => page.locator(".row .c-src .name", { hasText: text });
  await check(name("left"), {}, "src=192.0.2.67", 1); // a name so long that its address is not seen
  await check(name("laptop"), { modifiers: ["Shift"] }, "!src=192.0.2.10", 3);
  const bytes = page.locator(".row .c-length .value", { hasText: "29" });
  await check(bytes, {}, "length=29", 1);
  await check(bytes, { modifiers: ["Shift"] }, "!length=29", 4);
  const topic = page.locator(".row.k-m .topic");
  await check(topic, {}, `topic=app:00000:${"long".repeat(50)}`, 1);
  await check(topic, { modifiers: ["Shift"] }, `!topic=app:00000:${"long".repeat(50)}`, 4);
}

const tablet = { width: 820, height: 1100 };
const windows = { desktop, tablet, phone };

// Who it was can be told in every window: names, ports and IPv4 addresses are whole, and IPv6 addresses have their ends.
export async function addressesCanBeToldApart(stage) {
  const addresses = Array.from({ length: 4 }, (_, at) => `2001:db8:1234:5678:9abc:def0:1234:567${at}`);
  const far = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
  const info = "asks for shop.example.com";
  for (const [name, size] of Object.entries(windows)) {
    const page = await stage.openLive("#live", { size });
    for (const address of addresses) await stage.ask("six", { src: address, dst: far, sp: 44300, dp: 44301 });
    await stage.ask("question", { name: "shop.example.com" });
    await packets(stage, tcp({ dst: "203.0.113.253", dp: 44300 }), tcp({ src: "192.0.2.253", dst: "198.51.100.253" }));
    await rowsWith(page, "src", "192.0.2.253");
    await page.locator(".table").scrollIntoViewIfNeeded();
    await stage.picture(page, `addresses-${name}-light`);
    const seen = await page.evaluate(() => [...document.querySelectorAll(".body .row:not([hidden])")].flatMap((row) => [...row.querySelectorAll(".c-src, .c-dst, .c-info")].map((cell) => {
      // As far as it is seen: what is cut has its first characters.
      const box = cell.getBoundingClientRect();
      const isWhole = (part) => {
        const at = part.getBoundingClientRect();
        return part.scrollWidth <= part.clientWidth && at.right <= box.right + 0.5 && at.top < box.bottom && at.bottom <= box.bottom + 2;
      };
      const text = (part) => ({ text: part.textContent, isWhole: isWhole(part), width: part.getBoundingClientRect().width });
      return { column: cell.className, whole: isWhole(cell), all: cell.textContent, parts: Object.fromEntries([...cell.querySelectorAll(".name, .begin, .end, .port")].map((part) => [part.classList[part.classList.length - 1], text(part)])) };
    })));
    const sides = seen.filter(({ column, all }) => !/c-info/.test(column) && all);
    assert.equal(sides.length, 14);
    for (const { all, parts } of sides) {
      assert.ok(parts.port.isWhole && parts.name.isWhole && parts.end.isWhole, `${name}: ${all} ${JSON.stringify(parts)}`);
      if (!parts.begin.text.includes(":")) assert.ok(parts.begin.isWhole, `${name}: ${all}`);
      else assert.ok(parts.begin.width > (size.width < 500 ? 40 : 100), `${name}: ${parts.begin.width} px for the beginning of ${all}`);
    }
    assert.equal(new Set(sides.filter(({ all }) => all.includes(":1234:567")).map(({ parts }) => parts.end.text)).size, 4);
    const asked = seen.find(({ column, all }) => /c-info/.test(column) && all === info);
    assert.ok(asked && (size.width < 500 || asked.whole), `${name}: ${info} is cut`);
    await stage.assertNoOverlap(page);
    await page.close();
    await stage.ask("restart");
  }
}

export async function messagesStandInLine(stage) {
  const page = await stage.openLive("#live", { size: tablet });
  await stage.ask("topics", { count: 2 });
  await stage.ask("message", { topic: "app:short", text: "short" });
  await eventually(async () => (await shownRows(page)).length === 3, "three messages");
  for (const size of Object.values(windows)) {
    await page.setViewportSize(size);
    const lefts = await page.evaluate(() => [...document.querySelectorAll(".row.k-m:not([hidden]) .text")].map((text) => text.getBoundingClientRect().left));
    assert.deepEqual(lefts, [lefts[0], lefts[0], lefts[0]]);
    const tops = await page.evaluate(() => [".brand", ".theme"].map((part) => document.querySelector(part).getBoundingClientRect()).map(({ top, height }) => top + height / 2));
    assert.ok(Math.abs(tops[0] - tops[1]) < 8, `the theme has a line of its own: ${tops}`);
  }
}

export async function searchesWithTheMatchersWords(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ proto: "udp", dp: 5000 }), tcp({ dst: "203.0.113.5", dp: 443 }));
  await eventually(async () => (await packetRows(page)).length === 3, "three rows");
  await page.keyboard.press("/");
  await page.keyboard.type("act");
  await page.locator("#suggestions [role=option]", { hasText: "action=" }).waitFor();
  await page.keyboard.press("Tab");
  await page.locator("#suggestions [role=option]", { hasText: "action=blocked" }).click();
  assert.equal((await page.inputValue("#search")).trim(), "action=blocked");
  await page.keyboard.type("dport=1-1000");
  await page.keyboard.press("Enter");
  await eventually(async () => (await packetRows(page)).length === 1, "what matches both");
  assert.equal(stateOf(page).match, "action=blocked dport=1-1000");

  await page.fill("#search", "src=lap");
  await page.locator("#suggestions [role=option]", { hasText: "laptop" }).click();
  assert.equal((await page.inputValue("#search")).trim(), "src=192.0.2.10");
  await page.keyboard.press("Enter");
  await page.locator(".chip", { hasText: "laptop" }).waitFor();
  await page.goBack();

  await page.fill("#search", "198.51.100.1 !53");
  await page.keyboard.press("Enter");
  await page.locator(".chip", { hasText: "port ≠ 53" }).waitFor();
  assert.equal(stateOf(page).match, "host=198.51.100.1 !port=53");
  await page.goBack();

  stage.expected.push(/status of 400/);
  await page.fill("#search", "action=blocked port=http!");
  await page.keyboard.press("Enter");
  await eventually(async () => /port/.test(await page.locator("#search-error").textContent()), "what is wrong, in words");
  assert.equal(stateOf(page).match, "action=blocked dport=1-1000");
  await packets(stage, tcp({ sp: 40001 }));
  await rowsWith(page, "src", ":40001");
}

export async function pauseCountsWhatIsNew(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp());
  await rowsWith(page, "dst", ":23");
  await page.click("#pause");
  const before = await shownRows(page);
  assert.equal(stateOf(page).paused, "1");
  await stage.ask("packets", { packets: [tcp({ dp: 80 })], repeat: 1234 });
  await page.locator("#unseen", { hasText: "1,234 new" }).waitFor();
  assert.deepEqual(await shownRows(page), before);
  await eventually(async () => (await number(page, "#total-blocked")) === 1235, "totals that go on");
  await page.click("#unseen");
  await rowsWith(page, "dst", ":80");
  assert.equal(stateOf(page).paused, undefined);
  assert.equal(await number(page, "#matched"), 1235);
  // The newest 200 are here at once; what lies between them and the old ones says so.
  const hasGap = async () => {
    await page.locator(".grid").focus();
    await page.keyboard.press("End");
    return (await shownRows(page)).find(({ kind }) => kind === "k-g");
  };
  assert.match((await eventually(hasGap, "the row of those between")).wide, /1,034 more came here while the table stood still/);
  await page.locator(".k-g button").click();
  await eventually(async () => /34 more came/.test((await hasGap())?.wide), "the thousand that were asked for");
}

export async function scrollingBackReadsTheHistory(stage) {
  await stage.ask("packets", { packets: Array.from({ length: 700 }, (_, at) => tcp({ sp: 1000 + at })) });
  const page = await stage.openLive();
  await rowsWith(page, "src", ":1699");
  const end = async () => {
    await page.locator(".grid").focus();
    await page.keyboard.press("End");
    return (await packetRows(page)).at(-1)?.src.includes(":1000 ");
  };
  await eventually(end, "the oldest of 700");
  const { index } = await page.evaluate(() => ({ index: document.querySelector(".row[aria-selected=true]").getAttribute("aria-rowindex") }));
  assert.equal(index, "701"); // the head is the first
  assert.equal(await page.getAttribute(".grid", "aria-rowcount"), "701");
  await packets(stage, tcp({ sp: 2000 }));
  await page.locator("#unseen", { hasText: "1 new" }).waitFor(); // and nothing moves
  assert.ok((await packetRows(page)).at(-1).src.includes(":1000 "));
  await page.keyboard.press("Escape");
  await rowsWith(page, "src", ":2000");
}

export async function reloadKeepsAll(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp(), tcp({ dp: 22 }));
  await rowsWith(page, "dst", ":22");
  await page.fill("#search", "dport=22");
  await page.keyboard.press("Enter");
  await eventually(async () => (await packetRows(page)).length === 1, "the filtered row");
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByLabel("Bytes").uncheck();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "1 h" }).click();
  await page.locator(".theme select").selectOption("dark");
  await page.locator(".c-time").nth(1).click();
  await page.locator(".details .lead").waitFor();
  await page.click("#pause");
  await eventually(() => stateOf(page).at, "where the table stands");
  const before = stateOf(page);
  assert.equal(before.columns.includes("length"), false);
  await page.reload();
  await page.locator(".details .lead").waitFor();
  assert.deepEqual(stateOf(page), before);
  await page.locator(".chip", { hasText: "22" }).waitFor();
  await eventually(async () => (await page.locator("#pause").textContent()).includes("Go on"), "the pause");
  assert.equal(await page.getAttribute("html", "data-theme"), "dark");
  assert.equal(await page.locator(".head .c-length").count(), 0);
  assert.equal(await page.getByRole("button", { name: "1 h" }).getAttribute("aria-pressed"), "true");
}

export async function chipsThatMeetBecomeOne(stage) {
  const page = await stage.openLive("#live?match=dport%3D23%2C80%20!dport%3D53");
  await packets(stage, tcp({ dp: 53 }), tcp({ dp: 80 }));
  await rowsWith(page, "dst", ":80");
  await page.locator(".chip.not button").first().click();
  await eventually(() => stateOf(page).match === "dport=53", "one condition");
  await rowsWith(page, "dst", ":53");
  assert.equal(await page.locator("#search-error").textContent(), "");
}

export async function messagesAreFilteredByTheirTopic(stage) {
  const page = await stage.openLive();
  await stage.ask("message", { topic: "app:one", text: '{"Topic":"x","n":1}' });
  await stage.ask("message", { topic: "app:two", text: "text" });
  await eventually(async () => (await shownRows(page)).filter(({ kind }) => kind === "k-m").length === 2, "two messages");
  await page.locator(".k-m .number").first().click();
  await page.locator(".details .lead").waitFor();
  await page.getByRole("button", { name: "Show only Topic app:two" }).click();
  await eventually(() => stateOf(page).match === "topic=app:two", "the match");
  await eventually(async () => (await shownRows(page)).length === 1, "the one message");
  assert.equal(await page.locator("#search-error").textContent(), "");
}

export async function anotherProcessBeginsAnew(stage) {
  stage.expected.push(/WebSocket connection to .* failed/, /net::ERR_/);
  const page = await stage.openLive();
  await packets(stage, tcp({ dp: 1 }), tcp({ dp: 2 }), tcp({ dp: 3 }));
  await eventually(async () => (await packetRows(page)).length === 3, "three rows");
  await stage.ask("restart");
  await page.locator(".banner.bad").waitFor({ state: "detached", timeout: 20000 });
  await packets(stage, tcp({ dp: 4 }));
  await rowsWith(page, "dst", ":4");
  await eventually(async () => (await packetRows(page)).length === 1 && (await number(page, "#total-blocked")) === 1, "the new one's event alone", 20);
}

export async function keysDoWhatTheySay(stage) {
  const page = await stage.openLive();
  await packets(stage, tcp({ dp: 1 }), tcp({ dp: 2 }), tcp({ dp: 3 }));
  await eventually(async () => (await packetRows(page)).length === 3, "three rows");
  const chosen = () => page.locator(".row[aria-selected=true] .c-dst").textContent();
  await page.keyboard.press("j");
  await eventually(async () => (await chosen()).endsWith(":3"), "the newest chosen");
  await page.keyboard.press("j");
  await eventually(async () => (await chosen()).endsWith(":2"), "the next chosen");
  await page.keyboard.press("k");
  await eventually(async () => (await chosen()).endsWith(":3"), "the one before chosen");
  await page.keyboard.press("Enter");
  await page.locator(".details .lead").waitFor();
  const fields = await page.locator(".details").textContent();
  for (const text of ["192.0.2.10", "198.51.100.1", "40000", "02:00:00:00:00:02", "lan0", "drop:input", "Window"]) {
    assert.ok(fields.includes(text), `${text} in the details: ${fields}`);
  }
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText("Copied.").waitFor();
  await page.locator(".rule", { hasText: "nftcontext" }).waitFor(); // no such filter under this group
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(copied.IP.SrcIP, "192.0.2.10");
  await packets(stage, tcp({ dst: "203.0.113.5", dp: 443 }));
  await page.locator("#unseen", { hasText: "1 new" }).click();
  await rowsWith(page, "dst", ":443");
  await page.locator(".c-time:not([role=columnheader])").first().click();
  await page.locator(".rule", { hasText: /inet t c handle \d+.*what the LAN may do/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".details").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await packets(stage, tcp({ dp: 4 }));
  await rowsWith(page, "dst", ":4"); // it follows again
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("5");
  await page.getByRole("heading", { name: "Health" }).waitFor();
}

export async function lossesAreRows(stage) {
  const page = await stage.openLive();
  const lost = await stage.ask("lose");
  const row = await eventually(async () => (await shownRows(page)).find(({ kind }) => kind === "k-l"), "a row that tells of the loss", 20);
  assert.match(row.wide, /packets lost in group 1/);
  await eventually(async () => (await number(page, "#lost")) === lost, `${lost} lost in the header`, 20);
  await stage.picture(page, "loss-light");
}

export async function hiddenPagesGetCountersOnly(stage) {
  const page = await stage.open("#live");
  const frames = [];
  const wishes = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => frames.push(JSON.parse(payload)));
    socket.on("framesent", ({ payload }) => wishes.push(JSON.parse(payload)));
  });
  let snapshots = 0;
  page.on("request", (request) => (snapshots += request.url().includes("/api/rows") ? 1 : 0));
  await page.reload();
  await page.locator("#total-blocked").waitFor();
  await packets(stage, tcp());
  await rowsWith(page, "dst", ":23");
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await eventually(() => wishes.at(-1)?.mode === "counters", "the server to hear of it");
  const before = frames.length;
  const asked = snapshots;
  await stage.ask("packets", { packets: [tcp({ dp: 80 })], repeat: 300 });
  await eventually(() => frames.slice(before).some((frame) => frame.stats?.blocked === 301), "the counters");
  assert.equal(frames.slice(before).reduce((sum, frame) => sum + (frame.rows?.length ?? 0), 0), 0);
  assert.equal(snapshots, asked);
  await hide(false);
  await rowsWith(page, "dst", ":80");
  assert.equal(snapshots, asked + 1);
  assert.equal(await number(page, "#total-blocked"), 301);
}
