// The search box: the matcher's words, completed as they are typed; and the chips, one for each condition.
import { get, send } from "./api.js";
import * as feed from "./feed.js";
import { visible } from "./format.js";
import { beginning, nameOf } from "./names.js";
import { component, effect, html, signal } from "./reactive.js";
import * as state from "./state.js";
import { completed, inverted, parse, split, without, word } from "./words.js";

const most = 12; // suggestions

const known = signal({ keys: [], values: {}, fields: [] });
const readKeys = () => get("/api/keys").then((answer) => (known.value = answer)).catch(() => {}); // it is only for completion

function valuesOf(key) {
  if (key === "group") return (feed.status.value?.capture ?? []).map((each) => String(each.group));
  if (key === "prefix") return (known.value.values.topic ?? []).filter((topic) => topic.startsWith("nft:")).map((topic) => topic.slice(4));
  return known.value.values[key] ?? [];
}

// What could stand in place of the word that ends at the caret: [{text, name, from, to, isOpen}]. name: of the device.
function suggest(text, caret) {
  const at = split(text).find((each) => each.start < caret && caret <= each.end);
  const raw = at ? text.slice(at.start, caret) : "";
  const { isNegated, key, values } = parse(raw);
  const from = at ? at.start : caret;
  const to = at ? at.end : caret;
  const mark = isNegated ? "!" : "";
  if (!raw.includes("=")) {
    const begun = raw.replace(/^!/, "").toLowerCase();
    return [...new Set([...known.value.keys, ...(known.value.fields ?? [])])]
      .filter((name) => name.toLowerCase().startsWith(begun))
      .map((name) => ({ text: `${mark}${name}=`, from, to, isOpen: true }));
  }
  const begun = values.at(-1).toLowerCase();
  if (["src", "dst", "host"].includes(key)) {
    return beginning(begun).map(([address, name]) => ({ text: word(key, [...values.slice(0, -1), address], isNegated), name, from, to, isOpen: false }));
  }
  // Topics stand in the table without what those of packets have in common.
  const short = (value) => (key === "topic" ? value.replace(/^nft:/, "") : value);
  return valuesOf(key)
    .filter((value) => (value.toLowerCase().startsWith(begun) || short(value).toLowerCase().startsWith(begun)) && !values.includes(value))
    .map((value) => ({ text: word(key, [...values.slice(0, -1), value], isNegated), from, to, isOpen: false }));
}

export const Search = component((_, life) => {
  const text = signal(state.match.peek());
  const error = signal("");
  const suggestions = signal([]);
  const chosen = signal(-1);
  const input = { current: null };

  life.mounted(() => {
    readKeys();
    return effect(() => {
      text.value = state.match.value;
      error.value = "";
    });
  });

  const close = () => {
    suggestions.value = [];
    chosen.value = -1;
  };

  const look = () => {
    suggestions.value = suggest(text.value, input.current.selectionStart).slice(0, most);
    chosen.value = -1;
  };

  const apply = async () => {
    close();
    const asked = text.value;
    const before = state.match.value;
    const match = completed(asked);
    if (match === before) return;
    const isStillAsked = () => text.peek() === asked && state.match.peek() === before;
    try {
      if (match) await send("POST", "/api/table", { match }); // the table goes on as it is while the words are wrong
      if (isStillAsked()) state.go({ match });
    } catch (problem) {
      if (isStillAsked()) error.value = problem.message;
    }
  };

  const complete = (suggestion) => {
    const begin = text.value.slice(0, suggestion.from) + suggestion.text;
    const rest = text.value.slice(suggestion.to);
    text.value = suggestion.isOpen || rest.startsWith(" ") ? begin + rest : `${begin} ${rest}`;
    // At once, not with the next drawing: the next key may come before that.
    const caret = begin.length + (suggestion.isOpen ? 0 : 1);
    input.current.value = text.value;
    input.current.focus();
    input.current.setSelectionRange(caret, caret);
    if (suggestion.isOpen) look();
    else close();
  };

  const keyDown = (key) => {
    const open = suggestions.value;
    if (key.key === "Enter") {
      key.preventDefault();
      if (open[chosen.value]) complete(open[chosen.value]);
      else apply();
    } else if (key.key === "Escape") {
      key.stopPropagation();
      if (open.length > 0) close();
      else {
        text.value = state.match.value;
        error.value = "";
        input.current.blur();
      }
    } else if (key.key === "Tab" && open.length > 0 && !key.shiftKey && text.value) {
      key.preventDefault();
      complete(open[Math.max(0, chosen.value)]);
    } else if (key.key === "ArrowDown" || key.key === "ArrowUp") {
      key.preventDefault();
      if (open.length === 0) look();
      else chosen.value = (chosen.value + (key.key === "ArrowDown" ? 1 : -1) + open.length) % open.length;
    }
  };

  return () => html`
    <div class="search">
      <div class="box">
        <input id="search" ref=${input} type="search" role="combobox" aria-label="Match: which events are shown"
          aria-expanded=${suggestions.value.length > 0 ? "true" : "false"} aria-controls="suggestions" aria-autocomplete="list"
          aria-activedescendant=${chosen.value >= 0 ? `suggestion-${chosen.value}` : undefined}
          aria-invalid=${error.value || feed.matchError.value ? "true" : undefined} aria-describedby="search-error"
          placeholder="src=10.0.0.0/8 dport=53,443 !proto=udp" autocomplete="off" autocapitalize="off" spellcheck="false"
          value=${text.value} onInput=${(event) => {
            text.value = event.target.value;
            error.value = "";
            look();
          }} onSearch=${() => !input.current.value && apply()} onKeyDown=${keyDown} onFocus=${readKeys} onBlur=${() => setTimeout(close, 150)} />
        <kbd aria-hidden="true">/</kbd>
        <button type="button" class="primary" onClick=${apply}>Apply</button>
        <ul id="suggestions" role="listbox" aria-label="Completions" hidden=${suggestions.value.length === 0}>
          ${suggestions.value.map((each, at) => html`
            <li key=${each.text} role="option" id=${`suggestion-${at}`} aria-selected=${at === chosen.value ? "true" : "false"}
              onMouseDown=${(event) => {
                event.preventDefault();
                complete(each);
              }}>${visible(each.text)}${each.name && html` <b><bdi>${visible(each.name)}</bdi></b>`}</li>`)}
        </ul>
      </div>
      <p id="search-error" class="error" role="alert">${error.value || feed.matchError.value}</p>
      <${Chips} />
    </div>`;
});

const Chips = component(() => () => {
  const words = split(state.match.value);
  if (words.length === 0) return null;
  return html`
    <ul class="chips" aria-label="Conditions, all of which hold">
      ${words.map(({ raw }, at) => {
        const { isNegated, key, values } = parse(raw);
        const shown = `${key} ${isNegated ? "is not" : "is"} ${values.join(" or ")}`;
        return html`
          <li key=${raw} class=${`chip${isNegated ? " not" : ""}`}>
            <button type="button" title=${isNegated ? "Turn into “is”" : "Turn into “is not”"}
              onClick=${() => state.go({ match: inverted(state.match.value, at) })}>
              ${key ? html`<b>${visible(key)}</b> <i>${isNegated ? "≠" : "="}</i> <bdi>${visible(values.join(", "))}</bdi>${values.length === 1 && nameOf(values[0]) && html` <bdi class="muted">${visible(nameOf(values[0]))}</bdi>`}` : html`<bdi>${visible(raw)}</bdi>`}<span class="unseen">, turn round</span>
            </button>
            <button type="button" class="remove" aria-label=${`Remove ${shown}`} onClick=${() => state.go({ match: without(state.match.value, at) })}>×</button>
          </li>`;
      })}
      <li><button type="button" class="link" onClick=${() => state.go({ match: "" })}>Clear all</button></li>
      <li><a href=${state.link({ view: "rules", event: "", draft: state.match.value })}>Tell me of these…</a></li>
    </ul>`;
});
