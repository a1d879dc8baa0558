// What pages are made of: headings, states, tables, meters, problems, questions.

import { Problem } from "./api.js";
import { fill, h, say } from "./dom.js";
import { line, shown, words } from "./format.js";
import { isClient } from "./names.js";

const GOOD = new Set(["healthy", "ready", "running", "attached", "completed", "balanced", "whole"]);
const BAD = new Set(["unhealthy", "failed", "quarantined", "not balanced", "not whole", "problem", "error", "expired"]);
const GOING = new Set(["in progress", "initiated", "starting", "info"]);
const CALM = new Set(["stopped", "archived", "debug", "note"]);

// Return a state: a mark, and the word.
export function state(word) {
  const kind = GOOD.has(word) ? "good" : BAD.has(word) ? "bad" : GOING.has(word) ? "going" : CALM.has(word) ? "calm" : "warn";
  return h("span", { class: `state ${kind}` }, shown(word, 40));
}

// Return an agent's state, and that it is left alone where its circuit breaker is open.
export function agentState(agent) {
  const isBroken = agent.state === "running" && agent.healthy === false && agent.health === "auto";
  return [state(agent.state), isBroken ? h("span", { title: "It failed again and again: it is left alone for a while, and tried again by itself or when it is resumed." }, " ", state("breaker open")) : null];
}

export function title(text, ...beside) {
  document.title = `${text} · Caxton`;
  return h("div", { class: "title" }, h("h1", {}, h("bdi", {}, text)), ...beside);
}

export function section(heading, attributes, ...children) {
  return h("section", { class: "card", ...attributes, "aria-label": heading }, h("h2", {}, heading), ...children);
}

export function button(text, act, attributes = {}) {
  return h("button", { type: "button", onclick: act, ...attributes }, text);
}

// Return a button that waits for what it does, says what came of it, and shows a problem as it is.
export function doing(text, work, attributes = {}) {
  const made = button(text, () => once(made, async () => {
    try {
      const done = await work();
      if (done) say(done, "good");
    } catch (error) {
      tell(error);
    }
  }), attributes);
  return made;
}

// Do what a button is for, unless that goes on already. It is not disabled meanwhile, which would take its focus away.
export async function once(pressed, work) {
  if (pressed.ariaDisabled === "true") return;
  pressed.ariaDisabled = "true";
  try {
    await work();
  } finally {
    pressed.ariaDisabled = null;
  }
}

// Say what is wrong, for a few seconds.
export function tell(error) {
  if (error.name === "AbortError") return;
  say(error instanceof Problem ? `${error.title || "Problem"}: ${shown(error.message, 600)}` : String(error), "bad");
}

// Return what is wrong, as it was told.
export function problem(error) {
  const told = error instanceof Problem ? error : new Problem(0, { title: "Error", detail: String(error) });
  const fields = Object.entries(told.fields).filter(([, value]) => value !== null && value !== "");
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", {}, told.title || "Problem"),
    h("p", {}, shown(told.message, 2_000)),
    h("p", { class: "dim" }, told.status ? `${told.status} ${told.code}` : told.code),
    fields.length ? facts(fields.map(([name, value]) => [words(name), asText(value)])) : null,
  );
}

export function asText(value) {
  return shown(typeof value === "string" ? value : JSON.stringify(value), 4_000);
}

// Return names and what stands beside them.
export function facts(pairs) {
  return h("dl", { class: "facts" }, ...pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function tile(name, value, more = "", href = null) {
  const told = href ? h("a", { href }, value) : value;
  return h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, h("b", {}, told), more ? h("small", {}, more) : null));
}

// Return how much of a limit is used. What is full is seen by more than its colour: the numbers stand beside it.
export function meter(name, have, most, form) {
  const part = most > 0 ? Math.min(1, have / most) : 0;
  const bar = h("meter", { min: 0, max: 1, high: 0.8, low: 0.8, optimum: 0, value: part, "aria-label": name });
  return h("div", { class: "use" }, h("span", {}, name), bar, h("span", { class: "number" }, `${form(have)} of ${form(most)}`));
}

export function empty(text) {
  return h("p", { class: "empty" }, text);
}

export function field(name, control) {
  return h("label", { class: "field" }, h("span", {}, name), control);
}

export function choice(options, chosen, attributes = {}) {
  const made = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return h("select", attributes, ...made);
}

// A table whose rows are kept by their keys. columns: {name, cell, number, sort, plain}; a cell is a text or a node.
export class Table {
  constructor(caption, columns, key, { sorted = null } = {}) {
    this.columns = columns;
    this.key = key;
    this.rows = new Map();
    this.shown = [];
    this.by = sorted;
    this.down = sorted !== null;
    this.body = h("tbody");
    this.heads = columns.map((column) => this.#head(column));
    const table = h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, ...this.heads)), this.body);
    this.element = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, table);
  }

  #head(column) {
    const kind = column.number ? "number" : null;
    if (!column.sort) return h("th", { scope: "col", class: kind }, column.plain ? h("span", { class: "unseen" }, column.name) : column.name);
    const turn = button(column.name, () => this.#sortBy(column), { class: "sort" });
    return h("th", { scope: "col", class: kind, "aria-sort": "none" }, turn);
  }

  #sortBy(column) {
    this.down = this.by === column.name ? !this.down : Boolean(column.number);
    this.by = column.name;
    this.update(this.shown);
  }

  // Show these rows, in their order, or in the one that was chosen.
  update(rows) {
    this.shown = rows;
    const column = this.columns.find((one) => one.name === this.by);
    const sorted = column?.sort ? [...rows].sort((a, b) => compared(column.sort(a), column.sort(b)) * (this.down ? -1 : 1)) : rows;
    this.heads.forEach((head, place) => {
      const way = this.columns[place] === column && column.sort ? (this.down ? "descending" : "ascending") : "none";
      if (this.columns[place].sort) head.setAttribute("aria-sort", way);
    });
    const kept = new Map();
    const wanted = sorted.map((row) => {
      const key = this.key(row);
      const element = this.rows.get(key) ?? h("tr", {}, ...this.columns.map((one) => h("td", { class: one.number ? "number" : null })));
      kept.set(key, element);
      this.columns.forEach((one, place) => fill(element.children[place], one.cell(row)));
      return element;
    });
    this.rows = kept;
    wanted.forEach((element, place) => {
      if (this.body.children[place] !== element) this.body.insertBefore(element, this.body.children[place] ?? null);
    });
    while (this.body.children.length > wanted.length) this.body.lastChild.remove();
  }
}

function compared(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one ?? "").localeCompare(String(other ?? ""));
}

// Ask whether something is to be done; resolves to whether it is.
export function sure(question, detail, yes) {
  return new Promise((answer) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "question", onclose: () => { dialog.remove(); answer(dialog.returnValue === "yes"); } },
      h("h2", { id: "question" }, question),
      h("p", {}, detail),
      h("div", { class: "row end" }, button("Cancel", () => dialog.close("no")), button(yes, () => dialog.close("yes"), { class: "danger" })),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A form that answers to Enter; act is given its fields.
export function form(attributes, act, ...children) {
  const made = h("form", {
    ...attributes,
    onsubmit: (event) => {
      event.preventDefault();
      act(new FormData(made));
    },
  }, ...children);
  return made;
}

// Return who has this id: a link to an agent, a word for a client.
export function party(id, names, name = null) {
  const text = line(name ?? names.get(id) ?? id, 200);
  return isClient(id) ? h("bdi", { class: "dim" }, text) : link(text, `#/agents/${id}`);
}

// Return the address of a page with a search.
export function address(page, query) {
  const told = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return told.size ? `#/${page}?${told}` : `#/${page}`;
}

// Return what stands below a page of a list: how much it is, and the ways to others. last: what the next page follows.
export function next(page, query, after, last, number) {
  return [
    h("span", { class: "dim" }, `${number} on this page; sorting is within it`),
    h("span", { class: "row" },
      after ? h("a", { class: "button", href: address(page, query) }, "First page") : null,
      last ? h("a", { class: "button", href: address(page, { ...query, after: last }) }, "Next page") : null),
  ];
}

export function link(text, href, attributes = {}) {
  return h("a", { href, ...attributes }, h("bdi", {}, text));
}
