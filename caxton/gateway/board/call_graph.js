// Who talks to whom, drawn in SVG: a box for each party, in columns from those who begin to those who are asked last.

import { s } from "./dom.js";
import { line, rate } from "./format.js";

// How wide a box is, and how far the next column and the next row; where there is little room, and else.
const NARROW = { box: 104, gap: 92, row: 36, label: 14, isTop: true };
const WIDE = { box: 148, gap: 120, row: 40, label: 20, isTop: false };
const HIGH = 28;
const EDGE = 12;
const THIN = 1;
const THICK = 6;
// In place of an id: all clients.
export const CLIENTS = "clients";

export function ends(pair) {
  return [pair.sender_id ?? CLIENTS, pair.receiver_id ?? CLIENTS];
}

export function nameOf(pair, end) {
  const [id, name] = end === 0 ? [pair.sender_id, pair.sender] : [pair.receiver_id, pair.receiver];
  return id === null ? CLIENTS : (name ?? id);
}

// Return where each party stands, by id: {id, name, column, row}. It depends on who talks to whom alone, so that nothing
// jumps while rates change: the column is how many steps it is from the clients, or from who begins without them; in a
// column they stand in the order of their names.
export function layout(pairs) {
  const parties = new Map();
  const next = new Map();
  for (const pair of pairs) {
    const [from, to] = ends(pair);
    parties.set(from, nameOf(pair, 0));
    parties.set(to, nameOf(pair, 1));
    if (pair.messages_per_s > 0 || !next.has(from)) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const told = new Set(pairs.flatMap((pair) => (ends(pair)[0] === ends(pair)[1] ? [] : [ends(pair)[1]])));
  const ids = [...parties.keys()].sort((a, b) => compared(parties.get(a), parties.get(b)) || compared(a, b));
  // First the clients, then who is told nothing by anybody, then whoever is left: all of these only talk in circles.
  const first = [...ids.filter((id) => id === CLIENTS), ...ids.filter((id) => id !== CLIENTS && !told.has(id)), ...ids];
  const columns = new Map();
  for (const begins of first) {
    if (columns.has(begins)) continue;
    columns.set(begins, 0);
    for (let found = [begins]; found.length; ) {
      const at = found.shift();
      for (const to of next.get(at) ?? []) {
        if (columns.has(to)) continue;
        columns.set(to, columns.get(at) + 1);
        found.push(to);
      }
    }
  }
  const rows = new Map();
  return new Map(ids.map((id) => {
    const column = columns.get(id);
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return [id, { id, name: parties.get(id), column, row }];
  }));
}

function compared(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

// Return the drawing for so much room, in pixels. It is for those who see and point: whoever does not has the table.
export function drawing(pairs, room) {
  const { box, gap, row, label, isTop } = room < 560 ? NARROW : WIDE;
  const places = layout(pairs);
  const columns = Math.max(0, ...[...places.values()].map((one) => one.column)) + 1;
  const tall = Array.from({ length: columns }, (_, column) => [...places.values()].filter((one) => one.column === column).length);
  const height = Math.max(...tall, 1) * row + 2 * EDGE;
  const width = columns * box + (columns - 1) * gap + 2 * EDGE + (hasLoops(pairs, places) ? gap / 2 : 0);
  for (const one of places.values()) {
    const above = isTop ? 0 : (Math.max(...tall) - tall[one.column]) / 2;
    Object.assign(one, { left: EDGE + one.column * (box + gap), right: EDGE + one.column * (box + gap) + box, y: EDGE + (above + one.row + 0.5) * row });
  }
  for (const one of places.values()) Object.assign(one, { leftLines: 0, rightLines: 0 });
  for (const pair of pairs) {
    const [from, to] = ends(pair).map((id) => places.get(id));
    from[to.column < from.column ? "leftLines" : "rightLines"] += 1;
    to[to.column > from.column ? "leftLines" : "rightLines"] += 1;
  }
  const most = Math.max(...pairs.map((pair) => pair.messages_per_s), 1e-9);
  const lines = pairs.map((pair) => edge(pair, places, most));
  const scale = room > 1_800 ? 1.3 : 1;
  return s("svg", { class: "calls", "aria-hidden": "true", width: width * scale, height: height * scale, viewBox: `0 0 ${width} ${height}` },
    ...lines.map((one) => one.line), ...[...places.values()].map((one) => party(one, label)), ...lines.map((one) => one.label));
}

function hasLoops(pairs, places) {
  return pairs.some((pair) => {
    const [from, to] = ends(pair).map((id) => places.get(id));
    return from.column === to.column;
  });
}

function party({ id, name, left, right, y }, label) {
  const shape = [
    s("title", {}, line(name, 200)),
    s("rect", { class: id === CLIENTS ? "lane clients" : "lane", x: left, y: y - HIGH / 2, width: right - left, height: HIGH, rx: 5 }),
    s("text", { class: "who", x: (left + right) / 2, y: y + 5, "text-anchor": "middle" }, line(name, label)),
  ];
  return id === CLIENTS ? s("g", {}, ...shape) : s("a", { href: `#/agents/${encodeURIComponent(id)}`, tabindex: -1 }, ...shape);
}

// A line from one to the other, with an arrow, as wide as it carries messages; it says its rate, and what fails.
function edge(pair, places, most) {
  const [from, to] = ends(pair).map((id) => places.get(id));
  const kind = pair.failures_per_s > 0 ? "b" : "a";
  const wide = THIN + (THICK - THIN) * Math.sqrt(Math.min(1, pair.messages_per_s / most));
  const { path, at, tip } = from === to ? loop(from) : from.column === to.column ? beside(from, to) : across(from, to);
  const failed = pair.failures_per_s > 0 ? `, ${rate(pair.failures_per_s)} failed` : "";
  const text = `${rate(pair.messages_per_s)}${failed}`;
  return {
    line: s("g", {},
      s("title", {}, `${line(from.name, 100)} → ${line(to.name, 100)}: ${rate(pair.messages_per_s)} messages/s, ${rate(pair.failures_per_s)} failed/s`),
      s("path", { class: `call ${kind}`, d: path, "stroke-width": wide.toFixed(1) }),
      s("path", { class: `tip ${kind}`, d: tip })),
    label: s("text", { class: `rate ${kind}`, x: at[0], y: at[1], "text-anchor": at[2] ?? "middle" }, text),
  };
}

// Towards later columns in the upper half of the boxes, back in the lower one: so a question and its answer are two lines.
function across(from, to) {
  const way = to.column > from.column ? 1 : -1;
  const [x1, x2] = way > 0 ? [from.right, to.left] : [from.left, to.right];
  const [y1, y2] = [from.y - way * 7, to.y - way * 7];
  const bend = (x2 - x1) / 2;
  const end = x2 - way * 8;
  // A label stands at whoever has fewer lines, so that there are few at a place.
  const below = way > 0 ? -5 : 13;
  const isAtEnd = way > 0 ? to.leftLines <= from.rightLines : to.rightLines <= from.leftLines;
  const at = isAtEnd ? [x2 - way * 12, y2 + below, way > 0 ? "end" : "start"] : [x1 + way * 6, y1 + below, way > 0 ? "start" : "end"];
  return {
    path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${end} ${y2}`,
    at,
    tip: `M${x2} ${y2}l${-8 * way} -4v8z`,
  };
}

function beside(from, to) {
  const x = from.right;
  const far = x + 14 + Math.min(40, Math.abs(to.y - from.y) * 0.35);
  return {
    path: `M${x} ${from.y + 3}C${far} ${from.y + 3} ${far} ${to.y - 3} ${x + 8} ${to.y - 3}`,
    at: [far - 6, (from.y + to.y) / 2, "start"],
    tip: `M${x} ${to.y - 3}l8 -4v8z`,
  };
}

function loop({ right: x, y }) {
  return {
    path: `M${x} ${y - 8}h14a8 8 0 0 1 0 16h-8`,
    at: [x + 26, y + 4, "start"],
    tip: `M${x} ${y + 8}l8 -4v8z`,
  };
}
