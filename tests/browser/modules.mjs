// The modules of the page that draw nothing, without a browser: node --test modules.mjs, with their folder in NFBUS_PAGE.
import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.env.NFBUS_PAGE}/${name}`));
const { Rows, capacity } = await load("rows.js");

const packets = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => ({ k: "p", id: first + at }));
// As the server answers from a history [keptFrom, end) of events that all match.
const answer = (keptFrom, end, { before = end, limit = 200 } = {}) => {
  const first = Math.max(keptFrom, before - limit);
  return { rows: packets(first, before - 1).reverse(), is_end: first === keptFrom, kept_from: keptFrom, end };
};
// "1-5" of rows, "n why" of gaps.
function shown(rows) {
  const out = [];
  for (const row of rows.list) {
    if (row.k === "g") out.push(`${row.n} ${row.why}`);
    else if (out.length > 0 && out.at(-1).last === row.id - 1) out.at(-1).last = row.id;
    else out.push({ first: row.id, last: row.id });
  }
  return out.map((each) => (typeof each === "string" ? each : `${each.first}-${each.last}`));
}
const begun = (keptFrom, end) => {
  const rows = new Rows();
  assert.equal(rows.join(answer(keptFrom, end), "still"), null);
  return rows;
};

test("frames stand behind each other, and what was left out is between them", () => {
  const rows = begun(1, 101);
  assert.equal(rows.append(packets(101, 200), 50, 250), 100);
  rows.append(packets(251, 260), 0, 260);
  assert.deepEqual(shown(rows), ["1-200", "50 busy", "251-260"]);
  assert.equal(rows.end, 260);
});

test("a frame that the snapshot has in part counts only what is behind it", () => {
  const rows = begun(1, 1201);
  rows.append(packets(1051, 1150), 300, 1450);
  rows.append(packets(1451, 1460), 0, 1460);
  assert.deepEqual(shown(rows), ["1001-1200", "250 busy", "1451-1460"]);
  rows.append(packets(1400, 1460), 5, 1455);
  assert.deepEqual(shown(rows), ["1001-1200", "250 busy", "1451-1460"]);
});

test("a gap on top is filled with what came there, and not with what came since", () => {
  const rows = begun(1, 101);
  rows.append(packets(101, 200), 300, 500);
  const gap = rows.at(0);
  rows.fill(gap, answer(1, 2001, { before: gap.above, limit: 301 }));
  assert.deepEqual(shown(rows), ["1-500"]);
  assert.equal(rows.end, 500);
});

test("a pause behind a gap makes no second one where nothing came", () => {
  const rows = begun(1, 101);
  rows.append(packets(101, 200), 300, 500);
  assert.equal(rows.join(answer(1, 501), "still"), null);
  assert.deepEqual(shown(rows), ["1-200", "300 busy"]);
});

test("what is not in the first look is a gap, which the server counts", () => {
  const rows = begun(1, 101);
  const gap = rows.join(answer(1, 1001), "still");
  assert.deepEqual(shown(rows), ["1-100", "0 still", "801-1000"]);
  assert.deepEqual([gap.below, gap.above], [100, 801]);
  rows.measure(gap, { count: 700, kept_from: 1 });
  assert.deepEqual(shown(rows), ["1-100", "700 still", "801-1000"]);
  const measured = rows.at(200);
  rows.fill(measured, answer(1, 1001, { before: measured.above, limit: 500 }));
  assert.deepEqual(shown(rows), ["1-100", "200 still", "301-1000"]);
  const left = rows.at(700);
  rows.fill(left, answer(1, 1001, { before: left.above, limit: 201 }));
  assert.deepEqual(shown(rows), ["1-1000"]);
});

test("what is kept no more is said to be lost", () => {
  const rows = begun(1, 21);
  const gap = rows.join(answer(921, 1021), "still"); // a small history
  assert.deepEqual(shown(rows), ["1-20", "0 lost", "921-1020"]);
  rows.countLost(gap, 1000 - rows.countAbove(gap));
  assert.deepEqual(shown(rows), ["1-20", "900 lost", "921-1020"]);

  const others = begun(1, 21);
  others.countLost(others.join({ ...answer(921, 1021), rows: packets(1000, 1004).reverse() }, "still"), 0); // others were, not these
  assert.deepEqual(shown(others), ["1-20", "1000-1004"]);

  const half = begun(1, 21);
  const hole = half.join(answer(301, 1001), "away");
  half.measure(hole, { count: 500, kept_from: 301 });
  assert.deepEqual(shown(half), ["1-20", "0 lost", "500 away", "801-1000"]);
  const kept = half.at(200);
  half.fill(kept, answer(401, 1101, { before: kept.above, limit: 500 })); // and some more meanwhile
  assert.deepEqual(shown(half), ["1-20", "0 lost", "100 lost", "401-1000"]);
});

test("nothing that came, or another history", () => {
  const rows = begun(1, 101);
  assert.equal(rows.join(answer(1, 101), "away"), null);
  assert.deepEqual(shown(rows), ["1-100"]);
  assert.equal(rows.join({ rows: [], is_end: true, kept_from: 200, end: 300 }, "still")?.why, "lost");
  assert.equal(rows.join(answer(1, 51), "away"), null);
  assert.deepEqual(shown(rows), ["1-50"], "that of another process begins anew");
});

test("older rows come only below those for which they were asked", () => {
  const rows = begun(1, 1001);
  assert.equal(rows.oldestId, 801);
  rows.prepend(answer(1, 1001, { before: 801, limit: 300 }), 801);
  assert.deepEqual(shown(rows), ["501-1000"]);
  const late = answer(1, 1001, { before: 501, limit: 300 });
  rows.clear();
  rows.join(answer(1, 2001), "still");
  rows.prepend(late, 501);
  assert.deepEqual(shown(rows), ["1801-2000"]);
  assert.equal(rows.isComplete, false);
});

test("what is kept is bounded, and begins with a row", () => {
  const rows = begun(1, 101);
  let next = 101;
  while (next < 5 * capacity) {
    rows.append(packets(next, next + 99), 50, next + 149);
    next += 150;
  }
  assert.ok(rows.length <= 1.2 * capacity);
  assert.notEqual(rows.list[0].k, "g");
  assert.equal(rows.isComplete, false);
  const { oldestId } = rows;
  rows.prepend(answer(1, next, { before: oldestId, limit: 500 }), oldestId);
  assert.equal(rows.list[0].id, oldestId - 500);
});

test("a chart goes on by the second, and begins anew where the server's clock was set back", async () => {
  globalThis.fetch = async () => ({ ok: true, status: 200, json: async () => ({ end_ms: 1e12, topics: [{ topic: "a", counts: [1, 2, 3] }] }) });
  const { Series } = await load("series.js");
  const series = new Series("minutes");
  await series.read();
  const second = (t, last) => ({ t, topics: [{ topic: "a", last }] });
  assert.equal(series.add(second(1e12 + 3000, 9)), true);
  assert.deepEqual(series.topics.get("a").slice(-4), [3, null, null, 9]);
  assert.equal(series.add(second(1e12 + 2500, 9)), false);
  assert.equal(series.isOutdatedBy(second(1e12 + 2500, 9)), false);
  assert.equal(series.isOutdatedBy(second(1e12 - 3600e3, 9)), true);
});
