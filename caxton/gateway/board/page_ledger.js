// The books of the durable lane: each term, in each shard and in all, and whether they balance.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { count, moment, shown } from "./format.js";
import { every } from "./live.js";
import { Table, problem, section, state, title } from "./parts.js";

const PERIOD_MS = 4_000;
// What came in, and what became of it: the sums are the same.
const IN = { accepted: "Accepted", arrived: "Arrived from other shards" };
const OUT = {
  processed: "Processed", dead: "Dead", expired: "Expired", pending: "Pending", in_flight: "In flight", passed_on: "Passed on to other shards",
};

export function ledgerPage(main, { signal }) {
  const status = h("span");
  const at = h("span", { class: "dim" });
  const wrong = h("div");
  const equation = h("p", { class: "equation number" });
  const holder = h("div");
  const problems = h("div");
  let table = null;
  let shards = "";
  fill(main,
    title("Ledger", status, at),
    wrong,
    problems,
    section("Every message of the durable lane, ever", {}, equation, holder),
  );

  every(PERIOD_MS, signal, async () => {
    const told = await get("/v1/ledger", {}, signal);
    const names = Object.keys(told.shards);
    if (!table || shards !== names.join()) {
      shards = names.join();
      table = tableOf(names);
      fill(holder, table.element);
    }
    fill(status, state(told.balanced ? "balanced" : "not balanced"));
    at.textContent = `as of ${moment(Date.now())}`;
    fill(equation, ...equationOf(told.all));
    table.update(rowsOf(told, names));
    fill(wrong);
    fill(problems, told.problems.length ? section("What does not balance", {}, h("ul", {}, ...told.problems.map((one) => h("li", {}, shown(one, 600))))) : null);
  }, (error) => fill(wrong, problem(error)));
}

function tableOf(shards) {
  return new Table("Books", [
    { name: "Messages", cell: (row) => row.name },
    ...shards.map((shard) => ({ name: `Shard ${shard}`, number: true, cell: (row) => row.of(shard) })),
    { name: "All", number: true, cell: (row) => h("b", {}, row.of("all")) },
  ], (row) => row.key);
}

function rowsOf(told, shards) {
  const figures = (which) => (which === "all" ? told.all : told.shards[which]);
  const sum = (names, which) => Object.keys(names).reduce((total, name) => total + figures(which)[name], 0);
  const row = (key, name, of) => ({ key, name, of });
  const term = ([name, text]) => row(name, text, (which) => count(figures(which)[name]));
  return [
    ...Object.entries(IN).map(term),
    row("in", h("b", {}, "Came in"), (which) => count(sum(IN, which))),
    ...Object.entries(OUT).map(term),
    row("out", h("b", {}, "Accounted for"), (which) => count(sum(OUT, which))),
    row("balanced", "Balanced", (which) => state(figures(which).balanced ? "balanced" : "not balanced")),
  ];
}

function equationOf(all) {
  const side = (names) => Object.entries(names).flatMap(([name, text], place) => [
    place ? h("span", { class: "dim" }, " + ") : "", h("span", { class: "term" }, h("b", {}, count(all[name])), h("small", {}, text.split(" ")[0].toLowerCase() + (name === "in_flight" ? " flight" : name === "passed_on" ? " on" : ""))),
  ]);
  return [...side(IN), h("span", { class: "dim" }, " = "), ...side(OUT)];
}
