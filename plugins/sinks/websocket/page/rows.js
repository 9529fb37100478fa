// The rows that are in memory, oldest first: a piece of the server's history without holes, but for "gap" rows that say how
// many are missing there and can be asked for.
//
// Beside the server's kinds of rows ("p", "m", "l") there is {k: "g", n, below, why}: n rows are not here that came after the
// one with the id `below`. why: "busy", more came than are sent; "still", the table did not move; "away", this page was not connected.

export const capacity = 10000;

export class Rows {
  constructor() {
    this.clear();
  }

  clear() {
    this.list = [];
    this.isComplete = false; // nothing older is kept by the server
    this.isCut = false; // the newest were dropped while somebody read old ones: to follow is to ask anew
    this.version = 0;
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

  get newestId() {
    return this.edge(this.list.length - 1, -1);
  }

  get oldestId() {
    return this.edge(0, 1);
  }

  edge(at, step) {
    while (this.list[at]?.k === "g") at += step;
    return this.list[at]?.id ?? 0;
  }

  // What a frame brought, oldest first, and how many of it were left out. Returns how many rows were added.
  append(rows, skipped) {
    const newest = this.newestId;
    const fresh = rows.filter((row) => row.id > newest);
    this.list.push(...fresh);
    // The server sends the first ones of a tenth of a second, so that what it leaves out is newer.
    if (skipped > 0 && (fresh.length > 0 || rows.length === 0)) this.list.push(gap(skipped, this.newestId, "busy"));
    // Cut in one go now and then: moving ten thousand rows for each frame costs more than keeping some longer.
    if (this.list.length > capacity * 1.2) {
      this.list.splice(0, this.list.length - capacity);
      this.isComplete = false;
    }
    this.version += 1;
    return fresh.length;
  }

  // The newest rows of the history, newest first, after some time without new ones. missed: how many rows came meanwhile, as
  // far as that is known; why: the kind of gap. Returns the gap, where one is left.
  join(rows, isEnd, missed, why) {
    const newest = this.newestId;
    if (this.isCut || rows.length === 0 || newest === 0 || rows[0].id < newest) {
      this.clear();
      this.list = [...rows].reverse();
      this.isComplete = isEnd;
      return null;
    }
    const fresh = rows.filter((row) => row.id > newest).reverse();
    let hole = null;
    if (fresh.length === rows.length && !isEnd) {
      const unknown = Math.max(missed - fresh.length, 0);
      if (unknown > 0 || !missed) {
        hole = gap(unknown, newest, why);
        this.list.push(hole);
      }
    }
    this.append(fresh, 0);
    return hole;
  }

  // How many rows are here that are newer than that one, those in gaps included.
  countAfter(id) {
    let count = 0;
    for (let at = this.list.length - 1; at >= 0; at -= 1) {
      const row = this.list[at];
      if (row.k === "g" ? row.below < id : row.id <= id) break;
      count += row.k === "g" ? row.n : 1;
    }
    return count;
  }

  // The id of the row that follows a gap; undefined: none is here yet.
  idAbove(gapRow) {
    const at = this.list.indexOf(gapRow);
    return at < 0 ? undefined : this.list.slice(at).find((row) => row.k !== "g")?.id;
  }

  // Older ones, newest first.
  prepend(rows, isEnd) {
    this.list.unshift(...rows.filter((row) => row.id < this.oldestId || this.oldestId === 0).reverse());
    if (this.list.length > capacity) {
      this.list.length = capacity;
      this.isCut = true;
    }
    this.isComplete = isEnd;
    this.version += 1;
  }

  // What the history has where a gap is: the rows that are older than idAbove(gapRow), newest first.
  fill(gapRow, rows, isEnd) {
    const at = this.list.indexOf(gapRow);
    if (at < 0) return;
    const inside = rows.filter((row) => row.id > gapRow.below).reverse();
    const reached = isEnd || rows.some((row) => row.id <= gapRow.below);
    const rest = reached || inside.length === 0 ? [] : [gap(Math.max(gapRow.n - inside.length, 0), gapRow.below, gapRow.why)];
    this.list.splice(at, 1, ...rest, ...inside);
    this.version += 1;
  }
}

let gaps = 0;
function gap(n, below, why) {
  gaps += 1;
  return { k: "g", id: `g${gaps}`, n, below, why };
}
