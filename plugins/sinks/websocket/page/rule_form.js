// The form of one rule of ours, with a preview over the history.
import { send } from "./api.js";
import { component, html, signal } from "./reactive.js";
import { Severity } from "./notifications.js";
import { Preview, tryRule } from "./rule_preview.js";
import { completed, word } from "./words.js";

const severities = ["info", "success", "warning", "error", "danger"];
const fields = ["src", "dst", "sport", "dport", "proto", "in", "out", "mac", "topic", "domain"];

export const emptyRule = { name: "", match: "", severity: "info", title: "", message: "", first_seen: [], cooldown_s: 10, group_by: [], max_per_hour: 0, disabled: false };

// The words of a matcher's table, as the search box has them; null when it is more than one table.
export function wordsOf(table) {
  if (Array.isArray(table)) return table.length === 1 ? wordsOf(table[0]) : null;
  return Object.entries(table ?? {}).map(([key, values]) => word(key.replace(/^!/, ""), values, key.startsWith("!"))).join(" ");
}

const list = (text) => text.split(/[\s,]+/).filter(Boolean);

// props: rule (as the server has it, or emptyRule with a match of words), written (a signal of what was typed; null:
// nothing yet), saved(rule), cancel().
export const RuleForm = component(({ rule, written: draft }) => {
  const words = typeof rule.match === "string" ? rule.match : wordsOf(rule.match);
  draft.value ??= { ...emptyRule, ...rule, match: words ?? "", first_seen: [].concat(rule.first_seen ?? []), group_by: [].concat(rule.group_by ?? []) };
  const problem = signal("");
  const preview = signal(null);
  const isBusy = signal(false);
  const set = (key) => (event) => (draft.value = { ...draft.value, [key]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  const setNumber = (key) => (event) => (draft.value = { ...draft.value, [key]: event.target.value === "" ? "" : Number(event.target.value) });
  const setList = (key) => (event) => (draft.value = { ...draft.value, [key]: list(event.target.value) });

  // The rule as the server wants it. What the form does not show stays as it was.
  const made = async () => {
    const { match, ...rest } = draft.value;
    const table = words === null ? rule.match : match.trim() ? (await send("POST", "/api/table", { match: completed(match) })).table : {};
    const full = { ...rest, match: table };
    for (const key of ["title", "message"]) if (!full[key]) delete full[key];
    for (const key of ["cooldown_s", "max_per_hour", "learn_s"]) if (full[key] === "") delete full[key]; // the default
    if (full.first_seen.length === 0) delete full.learn_s;
    if (full.first_seen.length === 0) delete full.first_seen;
    // [] says more than none: all that match have one cooldown.
    if (full.group_by.length === 0 && !Array.isArray(rule.group_by)) delete full.group_by;
    return full;
  };

  const doing = (action) => async (event) => {
    event?.preventDefault();
    isBusy.value = true;
    problem.value = "";
    try {
      await action(await made());
    } catch (error) {
      problem.value = error.message;
    } finally {
      isBusy.value = false;
    }
  };
  const tryIt = doing(async (full) => {
    preview.value = await tryRule({ ...full, name: full.name || "preview" }); // it need not have its name yet
  });

  return (props) => {
    const now = draft.value;
    return html`
      <form class="panel rule-form" aria-label="Rule" onSubmit=${doing((full) => props.saved(full))}>
        <div class="fields">
          <label class="wide">Name <input required maxlength="100" value=${now.name} onInput=${set("name")} /></label>
          ${words === null
            ? html`<p class="wide muted">This rule has several tables; edit its match as JSON.</p>`
            : html`<label class="wide">Match <input class="number" value=${now.match} onInput=${set("match")} spellcheck="false" autocapitalize="off"
                placeholder="src=10.0.0.0/8 dport=22,23 !proto=udp" aria-describedby="match-help" /></label>
              <p class="wide muted help" id="match-help">The same words as in the search box; empty: every packet.</p>`}
          <label>Severity <select value=${now.severity} onChange=${set("severity")}>
            ${severities.map((each) => html`<option key=${each} value=${each} selected=${each === now.severity}>${each}</option>`)}</select></label>
          <label>Title <input value=${now.title} onInput=${set("title")} placeholder="the name" /></label>
          <label class="wide">Message <input value=${now.message} onInput=${set("message")} placeholder="{src} tried {dport}" aria-describedby="message-help" /></label>
          <p class="wide muted help" id="message-help">Placeholders: {src} {dst} {src_name} {dport} {proto} {domain} {topic} {count} {window_s} … and every field that filters add.</p>
          <label>Only the first time of <input class="number" value=${now.first_seen.join(" ")} onChange=${setList("first_seen")} placeholder="src" list="rule-fields" /></label>
          ${now.first_seen.length > 0 && html`<label>Only learn for the first … seconds <input type="number" min="0" value=${now.learn_s ?? 0} onInput=${setNumber("learn_s")} /></label>`}
          <label>Count apart by <input class="number" value=${now.group_by.join(" ")} onChange=${setList("group_by")} placeholder="src dport" list="rule-fields" /></label>
          <label>Cooldown, seconds <input type="number" min="0" max="86400" value=${now.cooldown_s} onInput=${setNumber("cooldown_s")} /></label>
          <label>At most in an hour (0: no limit) <input type="number" min="0" value=${now.max_per_hour} onInput=${setNumber("max_per_hour")} /></label>
          <label class="check"><input type="checkbox" checked=${now.disabled} onChange=${set("disabled")} /> Off</label>
          <p class="check">Shown as <${Severity} severity=${now.severity} /></p>
        </div>
        <datalist id="rule-fields">${fields.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
        <p class="error" role="alert">${problem.value}</p>
        <div class="actions">
          <button type="submit" class="primary" disabled=${isBusy.value}>Save</button>
          <button type="button" disabled=${isBusy.value} onClick=${tryIt}>Preview</button>
          <button type="button" onClick=${props.cancel}>Cancel</button>
        </div>
        <${Preview} answer=${preview.value} />
      </form>`;
  };
});
