// What was done, and for whom, newest first; and whether all of it is as it was written.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { line, moment, shown, words } from "./format.js";
import { every } from "./live.js";
import { Table, address, empty, field, form, problem, section, state, title } from "./parts.js";

// All chains are read and verified for it, so it is asked for seldom.
const PERIOD_MS = 60_000;
// As many as are shown; those before them are there by agent and principal.
const MOST_ROWS = 500;

export function auditPage(main, { query, signal }) {
  const wanted = { agent: query.get("agent") ?? "", principal: query.get("principal") ?? "" };
  const status = h("span");
  const wrong = h("div");
  const broken = h("div");
  const none = h("div");
  const table = new Table("Audit", [
    { name: "At", number: true, cell: (row) => moment(row.at) },
    { name: "What", cell: (row) => words(row.action) },
    { name: "To", cell: (row) => line(row.subject, 200) },
    { name: "For", cell: (row) => line(row.principal ?? "the owner", 200) },
    { name: "Outcome", cell: (row) => line(row.outcome, 200) },
    { name: "Number", number: true, cell: (row) => h("span", { title: `of chain ${row.chain}` }, String(row.number)) },
  ], (row) => `${row.chain} ${row.number}`);
  const search = form({ class: "row filters", role: "search" }, (told) => {
    location.hash = address("audit", { agent: told.get("agent").trim(), principal: told.get("principal").trim() });
  },
    field("Agent", h("input", { name: "agent", type: "search", value: wanted.agent, maxlength: 200, placeholder: "name" })),
    field("Principal", h("input", { name: "principal", type: "search", value: wanted.principal, maxlength: 200, placeholder: "any" })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main, title("Audit", status), wrong, broken, section("What was done, newest first", {}, search, none, table.element));

  every(PERIOD_MS, signal, async () => {
    const told = await get("/v1/audit", { agent: wanted.agent, principal: wanted.principal }, signal);
    const rows = told.rows.toReversed().sort((one, two) => two.at.localeCompare(one.at)).slice(0, MOST_ROWS);
    table.update(rows);
    fill(status, state(told.whole ? "whole" : "not whole"));
    fill(none, rows.length ? null : empty("Nothing like that was done."));
    fill(broken, told.whole ? null : section("Where it is not what was written", {}, h("ul", {}, ...told.faults.map((one) => h("li", {}, shown(one, 600))))));
    fill(wrong);
  }, (error) => fill(wrong, problem(error)));
}
