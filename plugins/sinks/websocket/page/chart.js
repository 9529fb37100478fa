// Events per second by topic, one on top of the other, so that the upper edge is the sum.
import { onValue } from "./chips.js";
import { isHidden, stats } from "./feed.js";
import { clock, short, visible } from "./format.js";
import { component, effect, html, signal } from "./reactive.js";
import { Series, ranges } from "./series.js";
import { connection } from "./socket.js";
import * as state from "./state.js";
import uPlot from "./vendor/uPlot.esm.js";

const reread_ms = 10000;

const stacked = (rates) => {
  const sums = [];
  for (const line of rates) {
    const below = sums.at(-1);
    sums.push(line.map((value, at) => (value === null ? null : value + (below?.[at] ?? 0))));
  }
  return sums;
};

// Without seconds where they are all 00.
const timeLabels = (times) => times.map((time) => clock(time * 1000).slice(0, times.every((each) => each % 60 === 0) ? 5 : 8));

const wholeSteps = Array.from({ length: 24 }, (_, at) => [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3));

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const RateChart = component((_, life) => {
  const place = { current: null };
  const legend = signal([]); // [{name, place, rate}] at the pointer, or now
  const problem = signal("");
  const at = signal("");
  let plot = null;
  let series = null;
  let lines = null;

  const showLegend = () => {
    if (!lines) return;
    const index = plot?.cursor.idx ?? null;
    const point = index ?? lines.times_s.length - 1;
    at.value = index === null ? "" : clock(lines.times_s[index] * 1000);
    legend.value = lines.names.map((name, line) => ({ name, place: lines.places[line], rate: lines.rates[line][point] ?? 0 }));
  };

  const build = () => {
    plot?.destroy();
    plot = null;
    const axis = {
      stroke: css("--muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: css("--line"), width: 1 },
      ticks: { show: false },
    };
    plot = new uPlot(
      {
        width: place.current.clientWidth,
        height: place.current.clientHeight,
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        padding: [8, 28, 0, 0], // the last time reaches beyond the end
        scales: { x: { time: true }, y: { range: (_, __, highest) => [0, Math.max(1, highest * 1.05)] } },
        axes: [
          { ...axis, size: 24, space: 56, values: (_, times) => timeLabels(times) },
          { ...axis, size: 44, space: 26, incrs: wholeSteps, values: (_, values) => values.map(short) },
        ],
        // The sum is drawn first and its parts over it.
        series: [{}, ...[...lines.places].reverse().map((place) => ({
          stroke: css(`--series-${place}`),
          fill: css(`--series-${place}-fill`),
          width: 1,
          points: { show: false },
        }))],
        hooks: { setCursor: [showLegend] },
      },
      [lines.times_s, ...stacked(lines.rates).reverse()],
      place.current,
    );
  };

  let names = "";
  const draw = () => {
    if (!place.current || !series || series.end_s === 0 || isHidden.peek()) return;
    lines = series.lines();
    if (!plot || lines.names.join("\n") !== names) {
      names = lines.names.join("\n");
      build();
    } else {
      plot.setData([lines.times_s, ...stacked(lines.rates).reverse()]);
    }
    showLegend();
  };

  const read = async () => {
    const wanted = new Series(state.range.peek());
    try {
      await wanted.read();
      if (wanted.range !== ranges[state.range.peek()]) return; // another one was chosen meanwhile
      series = wanted;
      problem.value = "";
      draw();
    } catch (error) {
      problem.value = error.message;
    }
  };

  life.mounted(() => {
    const stops = [
      effect(() => {
        state.range.value;
        if (isHidden.value || connection.value.is !== "open") return;
        plot?.destroy();
        plot = null;
        read();
      }),
      effect(() => {
        if (!stats.value || !series) return;
        if (series.isOutdatedBy(stats.value)) read();
        else if (series.add(stats.value)) draw();
      }),
      effect(() => {
        state.shownTheme.value;
        if (plot) requestAnimationFrame(() => plot && build()); // colours are read from the style
      }),
    ];
    const timer = setInterval(() => {
      if (!isHidden.peek() && state.range.peek() === "hour") read();
    }, reread_ms);
    const resizing = new ResizeObserver(() => {
      if (plot) plot.setSize({ width: place.current.clientWidth, height: place.current.clientHeight });
    });
    resizing.observe(place.current);
    return () => {
      for (const stop of stops) stop();
      clearInterval(timer);
      resizing.disconnect();
      plot?.destroy();
      plot = null;
    };
  });

  return () => html`
    <section class="panel chart" aria-label="Rate by topic">
      <header>
        <h2>Events per second ${at.value && html`<span class="muted number">at ${at.value}</span>`}</h2>
        <div class="switch" role="group" aria-label="How far back">
          ${Object.entries(ranges).map(([name, { title }]) => html`
            <button key=${name} type="button" aria-pressed=${state.range.value === name ? "true" : "false"}
              onClick=${() => state.go({ range: name }, false)}>${title}</button>`)}
        </div>
      </header>
      <div class="plot" ref=${place} aria-hidden="true"></div>
      ${problem.value && html`<p class="error">${problem.value}</p>`}
      <ul class="legend" aria-label="Rate of each topic">
        ${legend.value.map(({ name, place, rate }) => html`
          <li key=${name}>
            <span class=${`swatch s${place}`} aria-hidden="true"></span>
            ${name === "other" ? html`<span>other topics</span>` : html`
              <button type="button" class="value" title="Show only these; with shift, all others" onClick=${onValue("topic", name)}>
                <bdi>${visible(name.replace(/^nft:/, ""))}</bdi></button>`}
            <b class="number">${rate < 10 && rate % 1 ? rate.toFixed(1) : short(rate)}</b>
          </li>`)}
      </ul>
    </section>`;
});
