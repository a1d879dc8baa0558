// What an agent logs, as it logs it: the last lines, and no more than that.

import { follow } from "./api.js";
import { fill, h } from "./dom.js";
import { clock, moment, shown } from "./format.js";
import { every } from "./live.js";
import { button, choice, empty, field, problem } from "./parts.js";

const MOST_LINES = 500;
const TAIL = 200;
const LEVELS = ["debug", "info", "warning", "error"];
const AGAIN_MS = 2_000;

// element: the lines; controls: what chooses among them.
export class LogTail {
  constructor(path, signal) {
    this.path = path;
    this.signal = signal;
    this.level = "debug";
    this.held = false;
    this.waiting = [];
    // Of the last line: numbers begin anew when the worker does, or when the log has made room for others.
    this.last = { number: 0, at: "" };
    this.lines = h("div", { class: "log", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Lines that the agent logged" });
    this.wrong = h("div");
    this.none = h("div", {}, empty("It has logged nothing."));
    this.stream = new AbortController();
    const hold = button("Hold", () => {
      this.held = !this.held;
      hold.setAttribute("aria-pressed", String(this.held));
      hold.textContent = this.held ? "Go on" : "Hold";
      this.#show();
    }, { "aria-pressed": "false" });
    const level = choice(LEVELS.map((one) => [one, one]), this.level, { onchange: () => this.#begin(level.value) });
    this.controls = h("div", { class: "row end" }, field("Level", level), hold);
    this.element = h("div", {}, this.wrong, this.lines, this.none);
    this.signal.addEventListener("abort", () => this.stream.abort());
    this.#begin(this.level);
  }

  #begin(level) {
    this.stream.abort();
    this.stream = new AbortController();
    this.level = level;
    this.last = { number: 0, at: "" };
    this.waiting = [];
    fill(this.lines);
    const { signal } = this.stream;
    // One that has ended is begun again: the gateway may have been another since. Lines that were told stay.
    every(AGAIN_MS, signal, async (watched) => {
      fill(this.wrong);
      const tail = this.last.number ? MOST_LINES : TAIL;
      await follow(this.path, { follow: true, tail, level }, watched, (name, told) => this.#take(name, told));
    }, (error) => fill(this.wrong, error.isAway ? null : problem(error)));
  }

  #take(name, told) {
    if (name === "problem") fill(this.wrong, problem(Object.assign(new Error(), { message: told.detail })));
    if (name !== "line") return;
    const isNote = told.number === 0; // the runtime's own word, such as that the worker was restarted
    if (!isNote && told.number <= this.last.number && told.at <= this.last.at) return;
    if (!isNote) this.last = told;
    this.waiting.push(told);
    if (this.waiting.length > MOST_LINES) this.waiting.shift();
    if (this.waiting.length === 1) requestAnimationFrame(() => this.#show());
  }

  #show() {
    if (this.held) return;
    const isAtEnd = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 24;
    this.lines.append(...this.waiting.map(lineOf));
    this.waiting = [];
    while (this.lines.childElementCount > MOST_LINES) this.lines.firstChild.remove();
    this.none.hidden = this.lines.childElementCount > 0;
    if (isAtEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }
}

function lineOf(told) {
  const at = new Date(told.at);
  return h("div", { class: told.level },
    h("time", { class: "dim", title: moment(told.at) }, clock(at)),
    h("span", { class: "level" }, told.level),
    told.missed ? h("span", { class: "dim" }, `${told.missed} not kept`) : null,
    h("bdi", {}, shown(told.text, 4_000)),
  );
}
