// What the runtime did in the last hour, as this page has seen it: rings of numbers, which never grow.

// A look each two seconds, for an hour.
export const PERIOD_MS = 2_000;
const MOST = 1_800;
const SERIES = ["messages", "errors", "waiting50", "waiting99", "processing99", "commit99", "queued", "outbound", "memory"];

export class History {
  constructor() {
    this.at = new Float64Array(MOST);
    this.series = Object.fromEntries(SERIES.map((name) => [name, new Float64Array(MOST)]));
    this.taken = 0;
    this.before = null;
    // What was told last, and when.
    this.stats = null;
    this.lastMs = Date.now();
  }

  // Take what `/v1/stats` told.
  take(stats, nowMs) {
    const before = this.before;
    const told = stats.runtime;
    const passed = before ? (nowMs - before.nowMs) / 1_000 : 0;
    // Another runtime, or another life of it: there is nothing to compare with.
    const isSame = before && told.uptime_s >= before.told.uptime_s && passed > 0;
    const late = (name, part) => percentile(newer(told.latencies[name]?.buckets, isSame ? before.told.latencies[name]?.buckets : []), part);
    this.#note(nowMs, {
      messages: told.messages_per_second,
      errors: isSame ? Math.max(0, told.total_errors - before.told.total_errors) / passed : NaN,
      waiting50: isSame ? late("waiting", 0.5) : NaN,
      waiting99: isSame ? late("waiting", 0.99) : NaN,
      processing99: isSame ? late("processing", 0.99) : NaN,
      commit99: isSame ? late("commit", 0.99) : NaN,
      queued: told.inbound_queue_depth,
      outbound: told.outbound_queue_depth,
      memory: told.memory_usage_bytes,
    });
    this.before = { told, nowMs };
    this.stats = stats;
    this.lastMs = nowMs;
  }

  #note(nowMs, values) {
    const place = this.taken % MOST;
    this.at[place] = nowMs;
    for (const name of SERIES) this.series[name][place] = values[name];
    this.taken += 1;
  }

  // Return the points of a series since a moment, oldest first: [ms since 1970, value].
  points(name, sinceMs) {
    const found = [];
    for (let number = Math.max(0, this.taken - MOST); number < this.taken; number += 1) {
      const at = this.at[number % MOST];
      const value = this.series[name][number % MOST];
      if (at >= sinceMs && !Number.isNaN(value)) found.push([at, value]);
    }
    return found;
  }

  // Return the last value of a series, NaN where there is none.
  last(name) {
    return this.taken ? this.series[name][(this.taken - 1) % MOST] : NaN;
  }
}

function newer(now = [], before = []) {
  return now.map((count, bucket) => Math.max(0, count - (before[bucket] ?? 0)));
}

// Buckets are as workers have them: four to each doubling, from a microsecond on.
function beginsUs(bucket) {
  const shift = Math.max(0, Math.floor(bucket / 4) - 1);
  return (bucket - 4 * shift) * 2 ** shift;
}

// Return the time that this part of all took no longer than, in microseconds; NaN where there were none.
export function percentile(buckets, part) {
  let left = buckets.reduce((sum, count) => sum + count, 0) * part;
  if (!left) return NaN;
  let last = 0;
  for (const [bucket, count] of buckets.entries()) {
    if (!count) continue;
    last = bucket;
    if (left <= count) break;
    left -= count;
  }
  const least = beginsUs(last);
  return least + (beginsUs(last + 1) - least) * Math.min(1, left / buckets[last]);
}
