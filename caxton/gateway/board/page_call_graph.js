// Who talks to whom, how much, and what of it fails: a drawing for the eye, and a table that says all of it.

import { get } from "./api.js";
import { drawing, ends, nameOf } from "./call_graph.js";
import { fill, h } from "./dom.js";
import { count, duration, line, rate } from "./format.js";
import { every } from "./live.js";
import { Table, address, choice, empty, field, form, link, problem, section, title } from "./parts.js";

const PERIOD_MS = 2_000;
const MOST_PAIRS = 300;
const DRAWN = ["10", "25", "50", "100"];
const USUAL = "25";

export function callGraphPage(main, { query, signal }) {
  const wanted = { name: query.get("name") ?? "", drawn: DRAWN.includes(query.get("drawn")) ? query.get("drawn") : USUAL };
  const wrong = h("div");
  const how = h("span", { class: "dim" });
  const drawn = h("div", { class: "scroll drawing", tabindex: 0, role: "group", "aria-label": "Drawing, of which the table of pairs says all" });
  const note = h("p", { class: "dim" });
  const none = h("div");
  const rest = h("p", { class: "dim" });
  const table = pairsTable();
  const search = form({ class: "row filters", role: "search" }, (told) => go({ name: told.get("name").trim(), drawn: told.get("drawn") }),
    field("With", h("input", { name: "name", type: "search", value: wanted.name, maxlength: 200, placeholder: "a part of a name" })),
    field("Drawn", choice(DRAWN.map((one) => [one, `${one} pairs`]), wanted.drawn, { name: "drawn" })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main,
    title("Call graph", how),
    wrong,
    section("Who talks to whom", {}, search, none, drawn, note),
    section("Pairs", {}, table.element, rest),
  );

  // Counting begins with the first question, which therefore waits for something to tell.
  let overS = 1;
  every(PERIOD_MS, signal, async () => {
    const told = await get("/v1/call-graph", { limit: MOST_PAIRS, over_s: overS }, signal);
    overS = 0;
    fill(wrong);
    draw(told);
  }, (error) => fill(wrong, problem(error)));

  function draw(told) {
    const pairs = told.pairs.filter((pair) => fits(pair, wanted.name));
    const shown = pairs.slice(0, Number(wanted.drawn));
    how.textContent = told.over_ms ? `of the last ${duration(told.over_ms)}` : "counting has begun";
    drawn.hidden = !shown.length;
    fill(drawn, shown.length ? drawing(shown, main.clientWidth) : null);
    fill(none, pairs.length ? null : empty(wanted.name ? "Nobody like that has sent or been sent anything." : "Nobody has sent anything."));
    fill(note, shown.length ? `Wider lines carry more messages; red ones have failures, and say how many a second. ${shown.length < pairs.length ? `Drawn are the ${shown.length} busiest of ${count(pairs.length)} pairs. ` : ""}` : "");
    table.update(pairs);
    table.element.hidden = !pairs.length;
    const counted = told.counted >= 1 ? "Everything was counted." : `Estimates: ${rate(told.counted * 100)} % of the passes were counted; ± is the standard error.`;
    const others = told.rest_messages_per_s || told.rest_failures_per_s ? ` All other pairs: ${rate(told.rest_messages_per_s)} messages and ${rate(told.rest_failures_per_s)} failures a second.` : "";
    const missing = told.missing.length ? ` Of shards that do not serve nothing is known: ${told.missing.join(", ")}.` : "";
    rest.textContent = counted + others + missing;
  }
}

function fits(pair, name) {
  return [0, 1].some((end) => nameOf(pair, end).toLowerCase().includes(name.toLowerCase()));
}

function go(query) {
  location.hash = address("call-graph", { name: query.name, drawn: query.drawn === USUAL ? "" : query.drawn });
}

function pairsTable() {
  const who = (end) => (pair) => {
    const id = end === 0 ? pair.sender_id : pair.receiver_id;
    const name = line(nameOf(pair, end), 200);
    return id === null ? h("span", { class: "dim" }, name) : link(name, `#/agents/${id}`);
  };
  const about = (error) => (error ? `± ${rate(error)}` : "");
  return new Table("Pairs", [
    { name: "From", cell: who(0), sort: (pair) => nameOf(pair, 0) },
    { name: "To", cell: who(1), sort: (pair) => nameOf(pair, 1) },
    { name: "Messages / s", number: true, cell: (pair) => rate(pair.messages_per_s), sort: (pair) => pair.messages_per_s },
    { name: "Error", number: true, cell: (pair) => about(pair.messages_error), sort: (pair) => pair.messages_error },
    { name: "Failed / s", number: true, cell: (pair) => (pair.failures_per_s ? h("b", { class: "state bad" }, rate(pair.failures_per_s)) : "0"), sort: (pair) => pair.failures_per_s },
    { name: "Error of that", number: true, cell: (pair) => about(pair.failures_error), sort: (pair) => pair.failures_error },
  ], (pair) => ends(pair).join(" "));
}
