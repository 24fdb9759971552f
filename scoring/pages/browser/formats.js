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
