/** Numbers for people. What is not known is a dash, never 0. */

const UNKNOWN = "–";

/** @param {number | null} value */
function count(value) {
  return value === null ? UNKNOWN : value.toLocaleString("en");
}

/** A span of time. @param {number | null} ms milliseconds */
function duration(ms) {
  if (ms === null) return UNKNOWN;
  if (ms < 1000) return `${ms < 10 ? ms.toPrecision(2) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number | null} size */
function bytes(size) {
  if (size === null) return UNKNOWN;
  if (size < 1024) return `${size} B`;
  return size < 1024 ** 2 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** A moment of the run as a time of day, UTC. @param {number} unixMs */
function timestamp(unixMs) {
  return new Date(unixMs).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** A share as per cent. @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** By unit (UCUM): how a value of it is written. @type {Record<string, (value: number) => string>} */
const UNITS = {
  "1": (value) => String(Number(value.toPrecision(3))),
  "{token}": (value) => `${count(value)} tokens`,
  ms: (value) => duration(value),
  USD: (value) => `$${value < 0.01 ? value.toPrecision(2) : value.toFixed(2)}`,
};

/** By bound: what stands before a value. @type {Record<string, string>} */
const BOUNDS = { lower: "≥ ", upper: "≤ " };

/** A score with its unit and its bound. @param {AxisValue} score */
function scoreText(score) {
  if (score.value === null) return UNKNOWN;
  const write = UNITS[score.unit] ?? ((/** @type {number} */ value) => `${value} ${score.unit}`);
  return `${BOUNDS[score.bound ?? ""] ?? ""}${write(score.value)}`;
}

/** A name of the record as words. @param {string} name */
function words(name) {
  return name.replaceAll("_", " ");
}
