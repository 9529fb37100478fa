// The numbers of the rate chart: read once from the server, then carried on from what it tells each second.
import { get } from "./api.js";

export const ranges = {
  minutes: { title: "5 min", step_s: 1, points: 300 },
  hour: { title: "1 h", step_s: 10, points: 360 },
};
export const shownTopics = 6; // the others are one

export class Series {
  constructor(range) {
    this.range = ranges[range];
    this.end_s = 0; // of the newest point
    this.topics = new Map(); // name -> counts, oldest first
    this.seen_ms = 0; // of the newest statistics taken
    this.places = new Array(shownTopics).fill(""); // the topics that are shown, each where it stays
  }

  async read() {
    const answer = await get("/api/series", { step: this.range.step_s });
    this.end_s = Math.round(answer.end_ms / 1000);
    this.topics = new Map(answer.topics.map((each) => [each.topic, [...each.counts]]));
    this.seen_ms = answer.end_ms;
  }

  // The server's clock was set back, and all of this has other times.
  isOutdatedBy(stats) {
    return this.end_s > 0 && stats.t < this.seen_ms - 2000;
  }

  // One second more; true when it has changed something.
  add(stats) {
    if (this.range.step_s !== 1 || this.end_s === 0 || stats.t <= this.seen_ms) return false;
    const steps = Math.max(1, Math.min(this.range.points, Math.round((stats.t - this.seen_ms) / 1000)));
    this.seen_ms = stats.t;
    this.end_s += steps;
    for (const { topic } of stats.topics) {
      if (!this.topics.has(topic)) this.topics.set(topic, new Array(this.range.points).fill(0));
    }
    const last = new Map(stats.topics.map((each) => [each.topic, each.last]));
    for (const [topic, counts] of this.topics) {
      // A second that was not heard of stays empty.
      for (let step = 1; step < steps; step += 1) counts.push(null);
      counts.push(last.get(topic) ?? 0);
      counts.splice(0, counts.length - this.range.points);
    }
    return true;
  }

  // {times_s, names, places, rates}: rates[i] in events/s of names[i], of the busiest, the rest as "other". places[i], from 1:
  // a topic keeps its own for as long as it is among them, and with it its colour.
  lines() {
    const points = this.range.points;
    const times_s = Array.from({ length: points }, (_, at) => this.end_s - (points - 1 - at) * this.range.step_s);
    const padded = (counts) => [...new Array(Math.max(0, points - counts.length)).fill(0), ...counts.slice(-points)];
    const sum = (counts) => counts.reduce((total, each) => total + (each ?? 0), 0);
    const sorted = [...this.topics].map(([name, counts]) => ({ name, counts: padded(counts), sum: sum(counts) }))
      .filter((each) => each.sum > 0)
      .sort((a, b) => (a.name === "other") - (b.name === "other") || b.sum - a.sum);
    const busiest = new Map(sorted.slice(0, shownTopics).map((each) => [each.name, each]));
    this.places = this.places.map((name) => (busiest.has(name) ? name : ""));
    for (const name of busiest.keys()) if (!this.places.includes(name)) this.places[this.places.indexOf("")] = name;
    const shown = this.places.map((name, at) => ({ ...busiest.get(name), place: at + 1 })).filter((each) => each.name);
    const rest = sorted.slice(shownTopics);
    if (rest.length > 0) {
      shown.push({ name: "other", place: shownTopics + 1, counts: times_s.map((_, at) => rest.reduce((total, each) => total + (each.counts[at] ?? 0), 0)) });
    }
    const rate = (each) => (each === null ? null : each / this.range.step_s);
    return { times_s, names: shown.map((each) => each.name), places: shown.map((each) => each.place), rates: shown.map((each) => each.counts.map(rate)) };
  }
}
