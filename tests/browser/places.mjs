// Where a table stands that does not follow, and what is missing in it.
import assert from "node:assert/strict";
import { eventually, packetRows, packets, rowsWith, shownRows, stateOf, tcp } from "./stage.mjs";

const topRow = (page) => page.evaluate(() => {
  const { top } = document.querySelector(".grid .body").parentElement.getBoundingClientRect();
  const head = document.querySelector(".grid .head").offsetHeight;
  return [...document.querySelectorAll(".grid .body .row:not([hidden])")]
    .map((row) => ({ y: row.getBoundingClientRect().top - top - head, text: row.querySelector(".c-src").textContent }))
    .filter(({ y }) => y > -10)
    .sort((a, b) => a.y - b.y)[0]?.text;
});

export async function aReloadStandsWhereItStood(stage) {
  await stage.ask("packets", { packets: Array.from({ length: 700 }, (_, at) => tcp({ sp: 1000 + at })) });
  const page = await stage.openLive();
  await rowsWith(page, "src", ":1699");
  await page.evaluate(() => {
    const grid = document.querySelector(".grid");
    grid.scrollTop = 100 * document.querySelector(".grid .body .row").offsetHeight;
  });
  await eventually(() => stateOf(page).at, "the place in the address");
  const place = stateOf(page).at;
  const before = await topRow(page);
  assert.match(before, /:1(599|600) /);
  await packets(stage, tcp({ sp: 2000 }));
  await page.locator("#unseen", { hasText: "1 new" }).waitFor();

  await page.reload();
  await eventually(async () => (await packetRows(page)).length > 10 && (await topRow(page)) === before, "the row that was on top");
  await page.locator("#unseen").waitFor();
  assert.equal(stateOf(page).at, place);
  const other = await stage.open(page.url().slice(page.url().indexOf("#")));
  await eventually(async () => (await packetRows(other)).length > 10 && (await topRow(other)) === before, "the same where the link is opened");
  await other.close();

  await page.click("#unseen");
  await rowsWith(page, "src", ":2000");
  assert.equal(stateOf(page).at, undefined);
  assert.ok(!(await shownRows(page)).some(({ kind }) => kind === "k-g"), "all between is here");
  await page.goto(page.url().replace(/#.*/, `#live?at=${place}`)); // typed into the same tab
  await eventually(async () => (await topRow(page)) === before, "the row that was on top");
  await page.goto(page.url().replace(/#.*/, "#live?at=17"));
  await rowsWith(page, "src", ":2000"); // is kept no more: it follows
  assert.equal(stateOf(page).at, undefined);
}

export async function placesSurviveBackAndForward(stage) {
  await stage.ask("packets", { packets: Array.from({ length: 300 }, (_, at) => tcp({ sp: 1000 + at })) });
  const page = await stage.openLive();
  await rowsWith(page, "src", ":1299");
  await page.evaluate(() => {
    const grid = document.querySelector(".grid");
    grid.scrollTop = 50 * document.querySelector(".grid .body .row").offsetHeight;
  });
  await eventually(() => stateOf(page).at, "the place in the address");
  const place = stateOf(page).at;
  const before = await topRow(page);
  await page.locator("nav a", { hasText: "Hosts" }).click();
  await page.getByRole("heading", { name: "Hosts" }).waitFor();
  await packets(stage, tcp({ sp: 2000 }));
  await page.goBack();
  await eventually(async () => (await topRow(page)) === before, "the row that was on top, after another view");
  assert.equal(stateOf(page).at, place);
  await page.locator(".row .c-dst .port").first().click();
  await page.locator(".chip", { hasText: "dport" }).waitFor();
  assert.equal(stateOf(page).at, undefined);
  await page.goBack();
  await eventually(async () => (await packetRows(page)).length > 5 && (await topRow(page)) === before, "the same after another match");
  await page.goto(page.url().replace(/#.*/, "#health"));
  await page.getByRole("heading", { name: "Health" }).waitFor();
  await page.goto(page.url().replace(/#.*/, `#live?at=${place}`));
  await eventually(async () => (await packetRows(page)).length > 5 && (await topRow(page)) === before, "the same by a link, from another view");
  await page.reload();
  await page.locator("#unseen", { hasText: "51 new" }).waitFor(); // 50 above it, and one since

  // A pause while nothing comes stands where it stood, too.
  await page.click("#unseen");
  await rowsWith(page, "src", ":2000");
  await page.keyboard.press("p");
  await eventually(() => stateOf(page).at, "where the pause stands");
  await stage.ask("packets", { packets: [tcp({ sp: 3000 })], repeat: 50 });
  await page.locator("#unseen", { hasText: "50 new" }).waitFor();
  await page.reload();
  await page.locator("#unseen", { hasText: "50 new" }).waitFor();
  await eventually(async () => /:2000\b/.test(await topRow(page)), "the row that was on top");
  const none = await stage.openLive("#live?at=99999999999999999999"); // no number of an event
  await rowsWith(none, "src", ":3000");
  await none.locator(".grid").focus();
  await none.keyboard.press("End");
  await eventually(async () => Number(await none.getAttribute(".row[aria-selected=true]", "aria-rowindex")) > 100, "one key leads to the end");
}

export async function whatThePageMissedIsARow(stage) {
  stage.expected.push(/WebSocket connection to .* failed/, /net::ERR_/);
  const page = await stage.openLive();
  await packets(stage, tcp({ dp: 1 }));
  await rowsWith(page, "dst", ":1");
  await stage.ask("cut");
  await page.locator(".banner.bad", { hasText: "Not connected" }).waitFor({ timeout: 20000 });
  await stage.picture(page, "away-light");
  await stage.ask("packets", { packets: [tcp({ dp: 2 })], repeat: 500 });
  await stage.ask("mend");
  await page.locator(".banner.bad").waitFor({ state: "detached", timeout: 20000 });
  await rowsWith(page, "dst", ":2");
  // 200 of them come with the first look; the gap lies below these.
  const hasGap = async () => {
    await page.locator(".grid").focus();
    await page.keyboard.press("End");
    return (await shownRows(page)).find(({ kind }) => kind === "k-g");
  };
  const gap = await eventually(hasGap, "a row that tells of what was missed");
  assert.match(gap.wide, /missed 300 here/);
  await page.locator(".k-g button").click();
  await eventually(async () => !(await shownRows(page)).some(({ kind }) => kind === "k-g"), "the gap to be filled");

  // A table that stands still stays where it is, and its count goes on.
  await page.keyboard.press("p");
  await eventually(() => stateOf(page).at, "where it stands");
  const stood = await topRow(page);
  await packets(stage, tcp({ dp: 3 }));
  await page.locator("#unseen", { hasText: "1 new" }).waitFor();
  await stage.ask("cut");
  await page.locator(".banner.bad", { hasText: "Not connected" }).waitFor({ timeout: 20000 });
  await stage.ask("packets", { packets: [tcp({ dp: 4 })], repeat: 40 });
  await stage.ask("mend");
  await page.locator("#unseen", { hasText: "41 new" }).waitFor({ timeout: 20000 });
  assert.equal(await topRow(page), stood);
  await page.click("#unseen");
  await rowsWith(page, "dst", ":4");
  await page.keyboard.press("5");
  await eventually(async () => /Pages connected1Notif/.test(await page.locator("main").textContent()), "one connection, and no other", 20);
}
