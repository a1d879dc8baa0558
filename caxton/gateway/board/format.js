// Numbers, times and texts as people read them.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const TWO = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
// What does not show, or shows elsewhere than it stands: controls but for tabs and line ends, and what reorders a line.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const LINES = /[\t\n]/g;

export const NONE = "–";

// Return a text of others so that all of it shows, in its order.
export function shown(text, most = 20_000) {
  const whole = String(text);
  const cut = whole.length > most ? `${whole.slice(0, most)}…` : whole;
  return cut.replace(UNSEEN, escaped);
}

// The same for a single line.
export function line(text, most = 300) {
  return shown(text, most).replace(LINES, " ");
}

function escaped(character) {
  return `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`;
}

export function count(number) {
  return number === null || number === undefined ? NONE : WHOLE.format(number);
}

export function rate(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return NONE;
  if (number === 0) return "0";
  return number < 10 ? TWO.format(number) : number < 1_000 ? ONE.format(number) : WHOLE.format(number);
}

export function bytes(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return NONE;
  let unit = 0;
  let left = number;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${unit && left < 100 ? ONE.format(left) : WHOLE.format(left)} ${UNITS[unit]}`;
}

// Return a time that something took, in microseconds.
export function micros(us) {
  if (us === null || us === undefined || Number.isNaN(us)) return NONE;
  if (us < 1_000) return `${WHOLE.format(us)} µs`;
  if (us < 1_000_000) return `${us < 100_000 ? ONE.format(us / 1_000) : WHOLE.format(us / 1_000)} ms`;
  return duration(us / 1_000);
}

// Return a time that something lasts, in milliseconds.
export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1_000) return `${WHOLE.format(ms)} ms`;
  const s = ms / 1_000;
  if (s < 60) return `${ONE.format(s)} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}

// Return a moment, as ISO 8601 has it or in ms since 1970, on this machine's clock: a time of today, or a day and a time.
export function moment(told) {
  if (told === null || told === undefined) return NONE;
  const at = new Date(told);
  if (Number.isNaN(at.getTime())) return line(told, 60);
  const time = clock(at);
  return at.toDateString() === new Date().toDateString() ? time : `${day(at)} ${time}`;
}

export function clock(at, withSeconds = true) {
  const parts = [at.getHours(), at.getMinutes(), ...(withSeconds ? [at.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

function day(at) {
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

// Return a name of a field as words.
export function words(name) {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// Return a moment, in ms since 1970, as a field for local times has it.
export function local(ms) {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 16);
}
