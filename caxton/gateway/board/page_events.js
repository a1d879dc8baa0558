// What happened in the runtime, newest first, as it happens.

import { follow } from "./api.js";
import { fill, h } from "./dom.js";
import { line, moment, words } from "./format.js";
import { every } from "./live.js";
import { Table, address, asText, choice, empty, field, form, link, problem, section, state, title } from "./parts.js";

// As many as are shown; those before them are there by the time at which a search begins.
const MOST_EVENTS = 500;
const AGAIN_MS = 2_000;
const SEVERITIES = { "": "any", warning: "warning or error", error: "error" };
const SPANS = { "": "all that is kept", 600: "10 minutes", 3600: "an hour", 86400: "a day" };

export function eventsPage(main, { query, signal }) {
  const wanted = { kind: query.get("kind") ?? "", agent: query.get("agent") ?? "", severity: query.get("severity") ?? "", last: query.get("last") ?? "" };
  const events = [];
  let cursor = "";
  let drawn = true;
  const wrong = h("div");
  const none = h("div");
  const table = new Table("Events", [
    { name: "At", number: true, cell: (one) => moment(one.at) },
    { name: "Severity", cell: (one) => state(one.severity) },
    { name: "What", cell: (one) => h("a", { href: address("events", { ...wanted, kind: one.kind }) }, words(one.kind)) },
    { name: "Agent", cell: (one) => (one.agent_id ? link(line(one.agent ?? one.agent_id, 200), `#/agents/${one.agent_id}`) : "–") },
    { name: "Shard", number: true, cell: (one) => (one.shard === null ? "–" : String(one.shard)) },
    { name: "In words", cell: (one) => h("span", { title: Object.keys(one.fields).length ? asText(one.fields) : null }, line(one.text, 1_000)) },
  ], (one) => one.key);
  const search = form({ class: "row filters", role: "search" }, (told) => {
    location.hash = address("events", { kind: told.get("kind").trim().toLowerCase().replaceAll(" ", "_"), agent: told.get("agent").trim(), severity: told.get("severity"), last: told.get("last") });
  },
    field("What", h("input", { name: "kind", type: "search", value: wanted.kind, maxlength: 40, placeholder: "any, or worker_died" })),
    field("Agent", h("input", { name: "agent", type: "search", value: wanted.agent, maxlength: 200, placeholder: "name or id" })),
    field("Severity", choice(Object.entries(SEVERITIES), wanted.severity, { name: "severity" })),
    field("Of the last", choice(Object.entries(SPANS), wanted.last, { name: "last" })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main, title("Events"), section("What happened, newest first", {}, search, wrong, none, table.element));

  // A stream that has ended goes on behind the last event that was told.
  every(AGAIN_MS, signal, async (watched) => {
    fill(wrong);
    const since = cursor || !wanted.last ? null : Date.now() - Number(wanted.last) * 1_000;
    await follow("/v1/events", { follow: true, kind: wanted.kind, agent: wanted.agent, after: cursor, since }, watched, take);
  }, (error) => fill(wrong, error.isAway ? null : problem(error)));

  function take(name, told) {
    if (name !== "event") return;
    cursor = told.cursor || cursor;
    if (!fits(told.severity)) return;
    events.unshift({ ...told, key: told.cursor || `${told.at} ${told.kind}` });
    if (events.length > MOST_EVENTS) events.pop();
    if (drawn) requestAnimationFrame(draw);
    drawn = false;
  }

  function fits(severity) {
    return !wanted.severity || severity === wanted.severity || (wanted.severity === "warning" && severity === "error");
  }

  function draw() {
    drawn = true;
    table.update(events);
    fill(none, events.length ? null : empty("Nothing like that has happened."));
  }
  draw();
}
