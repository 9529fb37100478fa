// Adding conditions to the match: what a click on a value does, here and in all other views.
import * as state from "./state.js";
import { withCondition } from "./words.js";

export function addCondition(key, value, isNegated = false) {
  state.go({ view: "live", match: withCondition(state.match.value, key, value, isNegated) });
}

// A click on a value: with shift it is excluded.
export const onValue = (key, value) => (click) => {
  click.preventDefault();
  addCondition(key, value, click.shiftKey);
};
