// The page under a flood: it stays quick, its counts stay exact, its memory stays where it is.
import assert from "node:assert/strict";
import { eventually, number, shownRows } from "./stage.mjs";

const seconds = Number(process.env.NFBUS_PAGE_SECONDS ?? 10);
const rate = 5000;
const longestTask_ms = 100;

// Collects the tasks of the page's main thread while `during` runs: [{ms of thread time}], the longest first.
async function tasksOf(stage, page, during) {
  const session = await stage.browser.newBrowserCDPSession();
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"], recordMode: "recordContinuously" } });
  await during();
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  const main = new Set(events.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain").map(({ pid, tid }) => `${pid}/${tid}`));
  const tasks = events.filter(({ ph, tdur, pid, tid }) => ph === "X" && tdur !== undefined && main.has(`${pid}/${tid}`)).map(({ name, tdur }) => ({ name, ms: tdur / 1000 }));
  assert.ok(tasks.length > 100, "the trace holds the page's tasks");
  await session.detach();
  return tasks.sort((one, other) => other.ms - one.ms);
}

// {heap_bytes, nodes}: what is left after the garbage is collected.
const memoryOf = async (cdp) => {
  await cdp.send("HeapProfiler.collectGarbage");
  const { metrics } = await cdp.send("Performance.getMetrics");
  const value = (wanted) => metrics.find(({ name }) => name === wanted).value;
  return { heap_bytes: value("JSHeapUsedSize"), nodes: value("Nodes") };
};

export async function aFloodDoesNotStopThePage(stage) {
  const page = await stage.openLive();
  const cdp = await stage.context.newCDPSession(page);
  await cdp.send("Performance.enable");
  await cdp.send("HeapProfiler.enable");

  // Until the rows in memory are as many as they may be.
  const hasGap = async () => (await shownRows(page)).some(({ kind, wide }) => kind === "k-g" && /more came here/.test(wide));
  await Promise.all([stage.ask("flood", { rate, seconds: 13 }), eventually(hasGap, "a row that tells how many are not drawn", 13)]);
  const before = await memoryOf(cdp);
  const tasks = await tasksOf(stage, page, () => stage.ask("flood", { rate, seconds }));
  const after = await memoryOf(cdp);
  console.error(`longest tasks: ${tasks.slice(0, 3).map(({ name, ms }) => `${ms.toFixed(1)} ms ${name}`).join(", ")}; heap: ${(before.heap_bytes / 1e6).toFixed(1)} MB and ${before.nodes} nodes before, ${(after.heap_bytes / 1e6).toFixed(1)} MB and ${after.nodes} after ${seconds} s`);
  assert.ok(tasks[0].ms < longestTask_ms, `a task took ${tasks[0].ms} ms`);
  assert.ok(after.heap_bytes < before.heap_bytes * 1.25 + 2e6, `${after.heap_bytes} bytes of heap after, ${before.heap_bytes} before`);
  assert.ok(after.nodes < before.nodes + 500, `${after.nodes} nodes after, ${before.nodes} before`);

  const status = await stage.ask("status");
  const received = status.capture.reduce((sum, group) => sum + group.received, 0);
  await eventually(async () => (await number(page, "#total-blocked")) + (await number(page, "#total-allowed")) === received, `${received} counted`);
  await eventually(async () => (await number(page, "#matched")) === received, `${received} matched`);
  await eventually(async () => (await number(page, "#received")) === received, `${received} received`);
}

export async function noRareEventIsMissed(stage) {
  const page = await stage.openLive("#live?match=dport%3D7777");
  await page.getByText("No kept event matches").waitFor();
  const sent = await stage.ask("flood", { rate, seconds: 11, rare_port: 7777 });
  assert.ok(sent >= 4, `${sent} of them came`);
  await eventually(async () => (await number(page, "#matched")) === sent, `${sent} counted`);
  const rows = await shownRows(page);
  assert.equal(rows.length, sent);
  assert.ok(rows.every((row) => row.dst.endsWith(":7777")));
}

export async function aSlowDeviceRecovers(stage) {
  const page = await stage.openLive();
  const cdp = await stage.context.newCDPSession(page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await stage.ask("flood", { rate, seconds: 8 });
  await page.keyboard.press("j"); // it still answers
  await page.locator(".row[aria-selected=true]").waitFor({ timeout: 5000 });
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  await page.keyboard.press("Escape");
  await stage.ask("packets", { packets: [{ src: "192.0.2.77", dst: "198.51.100.1", sp: 7777, dp: 23 }] });
  await eventually(async () => (await shownRows(page))[0]?.src?.includes("192.0.2.77:7777"), "the newest row on top");
  const status = await stage.ask("status");
  const received = status.capture.reduce((sum, group) => sum + group.received, 0);
  await eventually(async () => (await number(page, "#total-blocked")) + (await number(page, "#total-allowed")) === received, `${received} counted`);
}
