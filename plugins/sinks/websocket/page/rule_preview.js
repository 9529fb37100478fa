// What a rule would have matched of the kept events.
import { send } from "./api.js";
import { clock, count, dateTime, endpoint, visible } from "./format.js";
import { html, view } from "./reactive.js";

export const tryRule = (rule) => send("POST", "/api/preview", { rule });

// answer: of tryRule(); null: there is none yet.
export const Preview = view(({ answer }) => answer && html`
  <section class="preview" aria-label="Preview">
    <p role="status"><b class="number">${count(answer.matched)}</b> of <b class="number">${count(answer.scanned)}</b> kept events match${answer.oldest_ms ? `, since ${dateTime(answer.oldest_ms)}` : ""}. Cooldown and the like are left out of this count.</p>
    <div class="wide-table" tabindex="0" role="region" aria-label="Newest events that match">
      <table><thead><tr><th scope="col">Time</th><th scope="col">Action</th><th scope="col">Source</th><th scope="col">Destination</th><th scope="col">Topic</th></tr></thead>
        <tbody>${answer.rows.map((row) => html`
          <tr key=${row.id}><td class="number">${clock(row.t)}</td><td class=${row.act ?? ""}>${row.act ?? ""}</td>
            <td class="number">${row.src ? visible(endpoint(row.src, row.sp)) : ""}</td><td class="number">${row.dst ? visible(endpoint(row.dst, row.dp)) : ""}</td><td><bdi>${visible(row.topic)}</bdi></td></tr>`)}
        </tbody></table>
    </div>
  </section>`);
