// Components that draw themselves anew when a signal that they have read changes: preact, htm and signals put together.
import { Component, Fragment, h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";
import { batch, computed, effect, signal, untracked } from "./vendor/signals-core.mjs";

export { Fragment, batch, computed, effect, render, signal, untracked };
export const html = htm.bind(h);

// component(setup): setup(props, life) runs once for each place on the page and returns draw(props). What draw() reads of
// signals is watched. life.mounted(f): f runs when it stands on the page, and what f returns when it leaves it.
export function component(setup) {
  return class extends Component {
    constructor(props) {
      super(props);
      this.onMount = [];
      this.onLeave = [];
      this.stopWatching = null;
      this.drawing = untracked(() => setup(props, { mounted: (action) => this.onMount.push(action) }));
    }

    shouldComponentUpdate(next) {
      const keys = Object.keys(next);
      return keys.length !== Object.keys(this.props).length || keys.some((key) => next[key] !== this.props[key]);
    }

    componentDidMount() {
      this.onLeave = this.onMount.map((action) => action()).filter((leave) => typeof leave === "function");
    }

    componentWillUnmount() {
      this.stopWatching?.();
      for (const leave of this.onLeave) leave();
    }

    render(props) {
      this.stopWatching?.();
      let drawn = null;
      let isFirst = true;
      // The first run draws and so learns what it depends on; the next one only says that this has to be done again.
      this.stopWatching = effect(() => {
        if (!isFirst) {
          this.forceUpdate();
          return;
        }
        drawn = this.drawing(props);
        isFirst = false;
      });
      return drawn;
    }
  };
}

// A component without anything of its own.
export const view = (draw) => component(() => draw);
