// Lines over time, in SVG.

import { fill, h, s } from "./dom.js";
import { clock } from "./format.js";

const HEIGHT = 150;
const LEFT = 58;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;

// A plot of some series of a history. lines: {name, series, kind}; form: how a number is written. least: what the top
// is at least; base: 1024 where units grow by that. isLog: each step up is ten times as much, from 1 on.
export class Plot {
  constructor(name, lines, form, { least = 0, base = 1, isLog = false } = {}) {
    this.name = name;
    this.lines = lines;
    this.form = form;
    this.least = least;
    this.base = base;
    this.isLog = isLog;
    this.legend = h("p", { class: "legend" });
    this.svg = s("svg", { class: "plot", role: "img", height: HEIGHT, "aria-label": `${name}: nothing yet` });
    this.element = h("figure", {}, h("figcaption", {}, h("h3", {}, name), this.legend), this.svg);
    this.pointed = null;
    this.last = null;
    this.svg.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.#point(null));
  }

  // Draw what the history has of the last so many milliseconds.
  draw(history, spanMs) {
    this.last = [history, spanMs];
    const width = Math.max(240, this.svg.clientWidth || 0);
    const end = history.lastMs;
    const drawn = this.lines.map((line) => ({ ...line, points: history.points(line.series, end - spanMs) }));
    const most = Math.max(this.least, ...drawn.flatMap((line) => line.points.map((point) => point[1])));
    const scale = this.isLog ? tenfold(most) : even(niceTop(most, this.base));
    const x = (at) => LEFT + ((at - (end - spanMs)) / spanMs) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - scale.part(value)) * (HEIGHT - TOP - BOTTOM);
    const at = this.pointed === null ? null : end - spanMs + ((this.pointed - LEFT) / (width - LEFT - RIGHT)) * spanMs;
    const read = drawn.map((line) => ({ ...line, value: nearest(line.points, at ?? end, spanMs) }));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", `${this.name}: ${read.map((line) => `${line.name} ${this.form(line.value)}`).join(", ")}`);
    fill(
      this.svg,
      ...grid(scale.marks, y, width, this.form),
      ...times(end, spanMs, x, width < 420 ? [0.6, 0] : [0.75, 0.5, 0.25, 0]),
      ...drawn.map((line) => s("path", { class: `line ${line.kind}`, d: path(thinned(line.points, spanMs / (width - LEFT)), x, y, spanMs) })),
      at === null ? null : s("line", { class: "pointed", x1: this.pointed, x2: this.pointed, y1: TOP, y2: HEIGHT - BOTTOM }),
    );
    const when = at === null ? [] : [h("span", { class: "dim" }, clock(new Date(at)))];
    fill(this.legend, ...when, ...read.map((line) => h("span", { class: `key ${line.kind}` }, `${line.name} `, h("b", {}, this.form(line.value)))));
  }

  #point(offset) {
    this.pointed = offset !== null && offset >= LEFT ? offset : null;
    if (this.last) this.draw(...this.last);
  }
}

function niceTop(most, base) {
  if (most <= 0) return 1;
  const unit = base === 1 ? 1 : base ** Math.floor(Math.log(most) / Math.log(base));
  const step = 10 ** Math.floor(Math.log10(most / unit)) * unit;
  return [1, 2, 5, 10].map((factor) => factor * step).find((value) => value >= most);
}

// How high a value stands, from 0 to 1, and at which values there are lines.
function even(top) {
  return { part: (value) => value / top, marks: [0, top / 2, top] };
}

function tenfold(most) {
  const steps = Math.max(2, Math.ceil(Math.log10(Math.max(1, most))));
  const every = Math.ceil(steps / 4);
  const marks = Array.from({ length: Math.floor(steps / every) + 1 }, (_, mark) => 10 ** (mark * every));
  return { part: (value) => Math.log10(Math.max(1, value)) / steps, marks };
}

function grid(marks, y, width, form) {
  return marks.flatMap((mark) => [
    s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark) }),
    s("text", { x: LEFT - 8, y: y(mark) + 4, "text-anchor": "end" }, form(mark)),
  ]);
}

function times(end, spanMs, x, parts) {
  return parts.map((part) =>
    s("text", { x: x(end - spanMs * part), y: HEIGHT - 5, "text-anchor": part ? "middle" : "end" }, clock(new Date(end - spanMs * part), spanMs <= 600_000)),
  );
}

// Return at most two points, the least and the most, for each so many milliseconds.
function thinned(points, columnMs) {
  const found = [];
  for (let i = 0; i < points.length; ) {
    const column = Math.floor(points[i][0] / columnMs);
    let low = points[i];
    let high = points[i];
    for (; i < points.length && Math.floor(points[i][0] / columnMs) === column; i += 1) {
      if (points[i][1] < low[1]) low = points[i];
      if (points[i][1] > high[1]) high = points[i];
    }
    found.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return found;
}

// A line is broken where nothing was seen for a while.
function path(points, x, y, spanMs) {
  const gapMs = Math.max(15_000, spanMs / 60);
  return points
    .map(([at, value], i) => `${i && at - points[i - 1][0] < gapMs ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
}

function nearest(points, at, spanMs) {
  let found = null;
  for (const point of points) if (!found || Math.abs(point[0] - at) < Math.abs(found[0] - at)) found = point;
  return found && Math.abs(found[0] - at) < spanMs / 10 ? found[1] : null;
}
