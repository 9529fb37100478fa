// The live table: as many rows of DOM as fit on the screen, filled again and again from memory. The framework puts one
// empty element on the page and never touches what is inside.
import { buildRow, columns, expand } from "./cells.js";
import { addCondition } from "./chips.js";
import * as feed from "./feed.js";
import { zone } from "./format.js";
import { component, effect, html, untracked } from "./reactive.js";
import * as state from "./state.js";

const shortestFrame_ms = 100;
const slowestFrame_ms = 1000;
const spareRows = 4; // above and below what is seen
const rest_ms = 400; // after so long without a move the address says where the table stands

const isTouch = matchMedia("(pointer: coarse)");

const gap_px = 10; // between columns, and before and after all

const spare = 0.15; // of a character: widths of texts are rounded

// In characters of the table's font.
const leastOf = (name, needs) => Math.min(columns[name].least, needs[name]) + spare;
const widthOf = (name, needs) => `minmax(${leastOf(name, needs)}ch, ${needs[name] + spare}ch)`;

class Table {
  constructor(grid) {
    this.grid = grid;
    this.head = grid.querySelector(".head");
    this.body = grid.querySelector(".body");
    this.pool = [];
    this.names = [];
    this.needs = {}; // of each column: how many characters it has needed so far
    this.selectedId = "";
    this.timer = 0;
    this.frame = 0;
    this.drawn_ms = 0;
    this.pace_ms = shortestFrame_ms;
    this.rowHeight = 0;
    this.restTimer = 0;
    this.returnTo = 0; // the row to stand at, until it is here
    this.ownTop = -1; // where moveAlone() has led, until the browser says so
    this.total = 0; // of rows, as drawn last

    grid.addEventListener("scroll", () => this.scrolled(), { passive: true });
    grid.addEventListener("keydown", (key) => this.keyDown(key));
    this.body.addEventListener("click", (click) => this.clicked(click));
    this.resizing = new ResizeObserver(() => this.measure());
    this.resizing.observe(grid);
    this.stops = [
      effect(() => this.setColumns(expand(state.columns.value))),
      effect(() => {
        feed.rowsVersion.value;
        this.wanted();
      }),
      effect(() => {
        feed.matchedSince_ms.value; // other rows, which may need less
        this.beginWidths();
      }),
      effect(() => {
        // Whoever asks for the newest rows is taken to them.
        if (feed.isHeld.value) return;
        this.returnTo = 0;
        this.goTo(0);
        this.select("");
      }),
      effect(() => {
        state.isPaused.value;
        this.noteRest();
      }),
      effect(() => {
        state.arrivals.value;
        this.returnTo = state.at.peek();
        if (this.returnTo === 0) return;
        untracked(feed.standThere);
        this.wanted(true);
      }),
      effect(() => {
        this.openId = state.event.value;
        this.wanted();
      }),
    ];
  }

  leave() {
    for (const stop of this.stops) stop();
    this.resizing.disconnect();
    clearTimeout(this.timer);
    clearTimeout(this.restTimer);
    cancelAnimationFrame(this.frame);
    feed.isHeld.value = false;
  }

  setColumns(names) {
    this.names = names;
    this.grid.setAttribute("aria-colcount", names.length);
    const head = names.map((name) => {
      const cell = document.createElement("div");
      cell.role = "columnheader";
      cell.className = `cell c-${name}${name === "length" ? " right" : ""}`;
      cell.textContent = columns[name].title;
      if (name === "time") cell.title = `${zone()}, this browser’s`;
      return cell;
    });
    this.head.replaceChildren(...head);
    this.pool = [];
    this.body.replaceChildren();
    this.beginWidths();
    this.measure();
  }

  // All columns are as wide as their titles, and grow with the rows that are drawn from now on.
  beginWidths() {
    this.needs = Object.fromEntries(this.names.map((name) => [name, columns[name].title.length]));
    for (const each of this.pool) each.shown = null;
    this.setWidths();
    this.wanted();
  }

  // They grow only: nothing that somebody reads moves to and fro.
  setWidths() {
    const least = this.names.reduce((sum, name) => sum + leastOf(name, this.needs), 0);
    this.grid.style.setProperty("--columns", this.names.map((name) => widthOf(name, this.needs)).join(" "));
    this.grid.style.setProperty("--least-width", `calc(${least}ch + ${(this.names.length + 1) * gap_px}px)`);
  }

  measure() {
    const height = parseFloat(getComputedStyle(this.grid).getPropertyValue("--row-height"));
    const visibleRows = Math.ceil(this.grid.clientHeight / height) + 2 * spareRows;
    if (height !== this.rowHeight) for (const each of this.pool) each.index = -1;
    this.rowHeight = height;
    while (this.pool.length < visibleRows) {
      const row = { ...buildRow(this.names, `row-${this.pool.length}`), shown: null, index: -1 };
      row.element.hidden = true;
      this.pool.push(row);
      this.body.append(row.element);
    }
    this.wanted();
  }

  // Draws soon: at most ten times a second, and seldomer where drawing takes long; at once for what somebody does.
  wanted(isUrgent = false) {
    if (this.frame || (this.timer && !isUrgent)) return;
    clearTimeout(this.timer);
    const wait_ms = isUrgent ? 0 : Math.max(0, this.drawn_ms + this.pace_ms - performance.now());
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.frame = requestAnimationFrame(() => this.draw());
    }, wait_ms);
  }

  draw() {
    this.frame = 0;
    const begun_ms = performance.now();
    const { rows } = feed;
    const total = rows.length;
    this.setHeight(total);
    this.grid.setAttribute("aria-rowcount", rows.isComplete ? total + 1 : -1);
    this.goBack();
    const first = Math.max(0, Math.floor(this.grid.scrollTop / this.rowHeight) - spareRows);
    const size = this.pool.length;
    let selectedElement = "";
    let hasGrown = false;
    for (let index = first; index < first + size; index += 1) {
      const slot = this.pool[index % size];
      const row = index < total ? rows.at(index) : null;
      if (!row) {
        slot.element.hidden = true;
        slot.shown = null;
        continue;
      }
      if (slot.shown !== row) {
        if (slot.fill(row, this.needs)) hasGrown = true;
        slot.shown = row;
        slot.element.dataset.id = row.id;
      }
      slot.element.hidden = false;
      if (slot.index !== index) {
        slot.index = index;
        slot.element.style.transform = `translateY(${index * this.rowHeight}px)`;
        slot.element.setAttribute("aria-rowindex", index + 2);
      }
      const isSelected = row.id === this.selectedId || String(row.id) === this.openId;
      if (slot.isSelected !== isSelected) {
        slot.isSelected = isSelected;
        slot.element.ariaSelected = String(isSelected);
      }
      if (row.id === this.selectedId) selectedElement = slot.element.id;
    }
    if (hasGrown) this.setWidths();
    this.setActive(selectedElement);
    this.noteRest();
    if (first + size > total - 50 && this.grid.scrollTop > 0) feed.loadOlder();
    const took_ms = performance.now() - begun_ms;
    // A tenth of the time is for drawing: a slow device draws less often, and a fast one again as before.
    this.pace_ms = Math.min(slowestFrame_ms, Math.max(shortestFrame_ms, 0.5 * this.pace_ms + 5 * took_ms));
    this.drawn_ms = performance.now();
  }

  // To where the address says that the table stood, once these rows are here.
  goBack() {
    if (this.returnTo === 0 || feed.rows.length === 0 || !feed.isSettled()) return;
    const index = feed.rows.indexOf(this.returnTo);
    if (index >= 0) this.goTo(index * this.rowHeight);
    this.returnTo = 0;
  }

  // Not the reader's doing: the event that tells of it says nothing of what he wants.
  moveAlone(change) {
    const before = this.grid.scrollTop;
    change();
    if (this.grid.scrollTop !== before) this.ownTop = this.grid.scrollTop;
  }
  goTo(y) {
    this.moveAlone(() => (this.grid.scrollTop = y));
  }
  setHeight(total) {
    const set = () => (this.body.style.height = `${total * this.rowHeight}px`);
    if (total < this.total) this.moveAlone(set); // the browser moves it where there are fewer rows
    else set();
    this.total = total;
  }

  // Once it stands still for a while: a browser takes few changes of its address.
  noteRest() {
    const stands = () => feed.isHeld.peek() || state.isPaused.peek();
    clearTimeout(this.restTimer);
    if (!stands()) return;
    this.restTimer = setTimeout(() => {
      if (!stands()) return;
      const { rows } = feed;
      let index = Math.round(this.grid.scrollTop / this.rowHeight);
      while (index < rows.length && rows.at(index).k === "g") index += 1;
      if (this.returnTo === 0 && index < rows.length) state.go({ at: String(rows.at(index).id) }, false);
    }, rest_ms);
  }

  setActive(id) {
    if (id) this.grid.setAttribute("aria-activedescendant", id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  scrolled() {
    const isOwn = this.grid.scrollTop === this.ownTop;
    this.ownTop = -1;
    if (isOwn) {
      this.wanted(true);
      return;
    }
    const isAway = this.grid.scrollTop > this.rowHeight / 2;
    if (isAway) feed.isHeld.value = true;
    else if (!this.selectedId) feed.isHeld.value = false;
    this.wanted(true);
  }

  select(id) {
    if (this.selectedId === id) return;
    this.selectedId = id;
    if (id !== "") feed.isHeld.value = true;
    this.wanted();
  }

  // Moves the choice by so many rows, and into sight.
  move(step) {
    const { rows } = feed;
    if (rows.length === 0) return;
    const before = this.selectedId === "" ? -1 : rows.indexOf(this.selectedId);
    const top = Math.ceil(this.grid.scrollTop / this.rowHeight);
    const from = before >= 0 ? before + step : Math.abs(step) === 1 ? top : top + step;
    const index = Math.min(rows.length - 1, Math.max(0, from));
    this.select(rows.at(index).id);
    const head = this.head.offsetHeight;
    const y = index * this.rowHeight;
    const seen = this.grid.clientHeight - head - this.rowHeight;
    if (y < this.grid.scrollTop) this.grid.scrollTop = y;
    else if (y > this.grid.scrollTop + seen) this.grid.scrollTop = y - seen;
    if (state.event.value) this.open(rows.at(index)); // the details follow the choice
    this.wanted(true);
  }

  open(row) {
    if (!row) return;
    if (row.k === "g" && row.why !== "lost") feed.fillGap(row);
    else if (row.k === "p" || row.k === "m" || row.group !== undefined) state.go({ event: String(row.id) }, !state.event.value);
  }

  keyDown(key) {
    const page = Math.max(1, Math.floor(this.grid.clientHeight / this.rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (key.ctrlKey || key.metaKey || key.altKey) return;
    if (key.key in steps) this.move(steps[key.key]);
    else if (key.key === "Enter") this.openSelected();
    else return;
    key.preventDefault();
  }

  openSelected() {
    const at = feed.rows.indexOf(this.selectedId);
    if (at >= 0) this.open(feed.rows.at(at));
  }

  clicked(click) {
    const element = click.target.closest(".row");
    const slot = this.pool.find((each) => each.element === element);
    if (!slot?.shown) return;
    const value = click.target.closest(".value");
    // A finger does not aim at a value of a row: it opens the row, where each value has its buttons.
    if (value?.dataset.value && !isTouch.matches) {
      addCondition(value.dataset.key, value.dataset.value, click.shiftKey);
      return;
    }
    this.select(slot.shown.id);
    this.open(slot.shown);
  }
}

let current = null;

// For keys that are pressed anywhere on the page.
export const moveSelection = (step) => current?.move(step);
export const openSelection = () => current?.openSelected();
export const focusTable = () => current?.grid.focus();

export const LiveTable = component((_, life) => {
  const place = { current: null };
  life.mounted(() => {
    current = new Table(place.current);
    return () => {
      current.leave();
      current = null;
    };
  });
  // Nothing that changes is read here, so that it is drawn once.
  return () => html`
    <div class="grid" role="grid" aria-label="Events, newest first" tabindex="0" ref=${place}>
      <div role="rowgroup" class="heads"><div role="row" class="head row" aria-rowindex="1"></div></div>
      <div role="rowgroup" class="body"></div>
    </div>
  `;
});
