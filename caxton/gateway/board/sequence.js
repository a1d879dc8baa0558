// A sequence diagram in SVG: a lane for each who speaks, an arrow for each message.

import { s } from "./dom.js";
import { clock, line } from "./format.js";

const LEFT = 84;
const LANE = 190;
const ROW = 46;
const HEAD = 44;
const SNIPPET = 28;

// Return the diagram of messages, oldest first. names: of all who send or receive, by their ids.
export function sequence(messages, names) {
  const lanes = [...new Set(messages.flatMap((one) => [one.sender, one.receiver]))];
  const width = LEFT + lanes.length * LANE;
  const height = HEAD + messages.length * ROW + 20;
  const x = (id) => LEFT + lanes.indexOf(id) * LANE + LANE / 2;
  return s("svg", { class: "sequence", role: "img", width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": `${messages.length} messages between ${lanes.length} parties; the list of messages says the same` },
    ...lanes.flatMap((id) => [
      s("line", { class: "grid", x1: x(id), x2: x(id), y1: HEAD - 6, y2: height - 8 }),
      s("rect", { class: "lane", x: x(id) - LANE / 2 + 8, y: 6, width: LANE - 16, height: 28, rx: 5 }),
      s("text", { class: "who", x: x(id), y: 25, "text-anchor": "middle" }, line(names.get(id) ?? id, 22)),
    ]),
    ...messages.flatMap((one, place) => arrow(one, HEAD + (place + 0.62) * ROW, x)),
  );
}

function arrow(one, y, x) {
  const from = x(one.sender);
  const to = x(one.receiver);
  const kind = ["failure", "not-understood", "refuse", "reject-proposal"].includes(one.performative) ? "b" : "a";
  const time = s("text", { x: 8, y: y + 4 }, clock(new Date(one.sent_at)));
  const text = one.content === undefined ? `${one.bytes} bytes` : line(one.content, SNIPPET);
  const label = (at, anchor) => s("text", { x: at, y: y - 6, "text-anchor": anchor }, s("tspan", { class: "act" }, line(one.performative, 20)), s("tspan", { dx: 6 }, text));
  if (from === to) {
    const loop = `M${from} ${y - 4}h34v14h-30`;
    return [time, s("path", { class: `line ${kind}`, d: loop }), head(from + 4, y + 10, -1, kind), label(from + 6, "start")];
  }
  const way = to > from ? 1 : -1;
  return [time, s("line", { class: `line ${kind}`, x1: from, x2: to, y1: y, y2: y }), head(to, y, way, kind), label((from + to) / 2, "middle")];
}

function head(x, y, way, kind) {
  return s("path", { class: `tip ${kind}`, d: `M${x} ${y}l${-8 * way} -4v8z` });
}
