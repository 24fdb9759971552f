/** Numbers for people. What is not known is a dash, never 0. */

const UNKNOWN = "–";

/** @param {number | null} value */
function count(value) {
  return value === null ? UNKNOWN : value.toLocaleString("en");
}

/** A span of time. @param {number | null} ms milliseconds */
function duration(ms) {
  if (ms === null) return UNKNOWN;
  if (ms < 1000) return `${ms < 10 ? Number(ms.toPrecision(2)) : Math.round(ms)} ms`;
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

/** The same without its day. @param {number} unixMs */
function timeOfDay(unixMs) {
  return new Date(unixMs).toISOString().slice(11, 23);
}

/** A share of a whole. @param {number | null} fraction */
function percent(fraction) {
  if (fraction === null) return UNKNOWN;
  const value = 100 * fraction;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return `${value.toFixed(1)} %`;
}

/** An amount of money. @param {number | null} amount */
function dollars(amount) {
  if (amount === null) return UNKNOWN;
  return `$${amount > 0 && amount < 0.1 ? Number(amount.toPrecision(2)) : amount.toFixed(2)}`;
}

/** Many and one. @param {number} many @param {string} one @param {string} [several] */
function counted(many, one, several = `${one}s`) {
  return `${count(many)} ${many === 1 ? one : several}`;
}

/** By unit, how a value of an axis is written. @type {Record<string, (value: number) => string>} */
const UNITS = {
  1: (value) => value.toFixed(3),
  "{token}": (value) => `${count(value)} tokens`,
  USD: dollars,
  ms: duration,
};

/** A value with its unit. @param {number | null} value @param {string} unit as UCUM writes it */
function quantity(value, unit) {
  if (value === null) return UNKNOWN;
  const write = UNITS[unit];
  return write ? write(value) : `${value.toLocaleString("en")} ${marked(unit)}`;
}

/** A name of the record as words. @param {string} name */
function words(name) {
  return marked(name).replaceAll("_", " ");
}
