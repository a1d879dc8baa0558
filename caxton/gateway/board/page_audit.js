// What was done, for whom, and what was denied, newest first; and whether all of it is as it was written.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { line, local, moment, shown, words } from "./format.js";
import { every } from "./live.js";
import { Table, address, empty, field, form, next, problem, section, state, title } from "./parts.js";

const PAGE = 100;
const PERIOD_MS = 10_000;
// All chains are read for it, so it is asked for seldom.
const VERIFIED_MS = 300_000;

export function auditPage(main, { query, signal }) {
  const of = (name) => query.get(name) ?? "";
  const wanted = { agent: of("agent"), principal: of("principal"), action: of("action"), since: of("since") };
  const after = of("after");
  const status = h("span");
  const wrong = h("div");
  const unread = h("div");
  const broken = h("div");
  const none = h("div");
  const ends = h("nav", { class: "row spread", "aria-label": "Pages of the audit" });
  const table = new Table("Audit", [
    { name: "At", number: true, cell: (row) => moment(row.at) },
    { name: "What", cell: (row) => words(row.action) },
    { name: "To", cell: (row) => line(row.subject, 200) },
    { name: "For", cell: (row) => line(row.principal ?? "the owner", 200) },
    { name: "Outcome", cell: (row) => line(row.outcome, 200) },
    { name: "Number", number: true, cell: (row) => h("span", { title: `of chain ${row.chain}` }, String(row.number)) },
  ], (row) => `${row.chain} ${row.number}`);
  const text = (name, placeholder) => h("input", { name, type: "search", value: wanted[name], maxlength: 200, placeholder });
  const search = form({ class: "row filters", role: "search" }, (told) => {
    const since = told.get("since");
    const named = Object.fromEntries(["agent", "principal", "action"].map((name) => [name, told.get(name).trim()]));
    location.hash = address("audit", { ...named, since: since && Date.parse(since) });
  },
    field("Agent", text("agent", "name")),
    field("Principal", text("principal", "any")),
    field("Action", text("action", "any")),
    field("Since", h("input", { name: "since", type: "datetime-local", value: wanted.since && local(Number(wanted.since)) })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main, title("Audit", status), wrong, unread, broken, section("What was done, newest first", {}, search, none, table.element, ends));

  every(PERIOD_MS, signal, async () => {
    const told = await get("/v1/audit", { ...wanted, after, limit: PAGE }, signal);
    table.update(told.rows);
    fill(none, told.rows.length ? null : empty(told.next ? "Nothing like that so far: go on with the next page." : "Nothing like that was done."));
    fill(ends, ...next("audit", wanted, after, told.next, told.rows.length));
    fill(wrong);
  }, (error) => fill(wrong, problem(error)));

  every(VERIFIED_MS, signal, async () => {
    const told = await get("/v1/audit/verification", {}, signal);
    fill(status, state(told.whole ? "whole" : "not whole"));
    fill(broken, told.whole ? null : section("Where it is not what was written", {}, h("ul", {}, ...told.faults.map((one) => h("li", {}, shown(one, 600))))));
    fill(unread);
  }, (error) => fill(unread, problem(error)));
}
