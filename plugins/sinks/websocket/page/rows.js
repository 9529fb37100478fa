// The rows that are in memory, oldest first: a piece of the server's history without holes, but for "gap" rows that say how
// many are missing there and can be asked for.
//
// Beside the server's kinds of rows ("p", "m", "l") there is {k: "g", n, below, above, why}: n rows (0: nobody knows how many) are
// not here that came after the event `below` and before the event `above`. why: "busy", more came than are sent; "still", the table
// did not move; "away", this page was not connected; "lost", the server keeps them no more.

export const capacity = 10000;

export class Rows {
  constructor() {
    this.clear();
  }

  clear() {
    this.list = [];
    this.end = 0; // the newest event that is here, or in a gap
    this.isComplete = false; // nothing older is kept by the server
    this.isCut = false; // the newest were dropped while somebody read old ones: to follow is to ask anew
  }

  get length() {
    return this.list.length;
  }

  // Newest first, as the table shows them.
  at(index) {
    return this.list[this.list.length - 1 - index];
  }

  indexOf(id) {
    for (let at = this.list.length - 1; at >= 0; at -= 1) if (this.list[at].id === id) return this.list.length - 1 - at;
    return -1;
  }

  get oldestId() {
    return this.list.find((row) => row.k !== "g")?.id ?? 0;
  }

  // What a frame brought, oldest first; how many of its time were left out, and the newest event of both. Returns how many rows
  // were added.
  append(rows, skipped, newest) {
    const fresh = rows.filter((row) => row.id > this.end);
    this.list.push(...fresh);
    if (fresh.length > 0) this.end = fresh.at(-1).id;
    // The server sends the first ones of a tenth of a second, so that what it leaves out is newer.
    if (skipped > 0 && newest > this.end) {
      this.list.push(gap(Math.min(skipped, newest - this.end), this.end, newest + 1, "busy"));
      this.end = newest;
    }
    // Cut in one go now and then: moving ten thousand rows for each frame costs more than keeping some longer.
    if (this.list.length > capacity * 1.2) {
      const first = this.list.findIndex((row, at) => at >= this.list.length - capacity && row.k !== "g");
      this.list.splice(0, first < 0 ? this.list.length : first);
      this.isComplete = false;
    }
    return fresh.length;
  }

  // The newest rows of the history, as the server answers, after some time without new ones. why: the kind of gap. Returns the
  // gap, where one is left; nobody has counted it.
  join({ rows, is_end, kept_from, end }, why) {
    if (this.isCut || this.end === 0 || end <= this.end) {
      this.clear();
      this.list = [...rows].reverse();
      this.end = rows[0]?.id ?? 0;
      this.isComplete = is_end;
      return null;
    }
    const fresh = rows.filter((row) => row.id > this.end).reverse();
    const isLost = is_end && kept_from > this.end + 1;
    let hole = null;
    if (isLost) hole = gap(0, this.end, kept_from, "lost");
    else if (fresh.length === rows.length && !is_end) hole = gap(0, this.end, fresh[0].id, why);
    if (hole) this.list.push(hole);
    this.append(fresh, 0, 0);
    return hole;
  }

  // How many rows came behind a gap, those in other gaps included.
  countAbove(gapRow) {
    const at = this.list.indexOf(gapRow);
    return at < 0 ? 0 : this.list.slice(at + 1).reduce((sum, row) => sum + (row.k === "g" ? row.n : 1), 0);
  }

  // What the server counts in a gap, and from where on it keeps anything.
  measure(gapRow, { count, kept_from }) {
    const { below, above, why } = gapRow;
    const isLost = kept_from > below + 1;
    this.exchange(gapRow, [
      ...(isLost ? [gap(0, below, Math.min(kept_from, above), "lost")] : []),
      ...(count > 0 ? [gap(count, isLost ? kept_from - 1 : below, above, why)] : []),
    ]);
  }

  // So many are known to have come there.
  countLost(gapRow, n) {
    this.exchange(gapRow, n > 0 ? [gap(n, gapRow.below, gapRow.above, "lost")] : []);
  }

  exchange(gapRow, rows) {
    const at = this.list.indexOf(gapRow);
    if (at >= 0) this.list.splice(at, 1, ...rows);
  }

  // Older ones than the event `before`, newest first, as the server answers.
  prepend({ rows, is_end }, before) {
    if (before !== this.oldestId) return; // of rows that are here no more
    this.list.unshift(...[...rows].reverse());
    if (this.list.length > capacity) {
      this.list.length = capacity;
      this.isCut = true;
    }
    this.isComplete = is_end;
  }

  // What the history has where a gap is: the rows that are older than its end, newest first, as the server answers.
  fill(gapRow, { rows, is_end, kept_from }) {
    const { n, below, above, why } = gapRow;
    const inside = rows.filter((row) => row.id > below && row.id < above).reverse();
    const isReached = rows.some((row) => row.id <= below) || (is_end && kept_from <= below + 1);
    const left = Math.max(n - inside.length, 0);
    const isOver = isReached || (is_end && n > 0 && left === 0);
    this.exchange(gapRow, [...(isOver ? [] : [gap(left, below, inside[0]?.id ?? above, is_end ? "lost" : why)]), ...inside]);
  }
}

let gaps = 0;
function gap(n, below, above, why) {
  gaps += 1;
  return { k: "g", id: `g${gaps}`, n, below, above, why };
}
