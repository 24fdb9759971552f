/** Kinds of spans, as the timeline colours them. */

/** Those that have a colour of their own, in the order of the legend; all others share one. */
const KINDS = ["run", "agent", "call", "tool", "check", "snapshot"];

/** @param {string} kind */
function kindClass(kind) {
  return `kind-${KINDS.includes(kind) ? kind : "other"}`;
}

/** What the colours and marks mean, with how many there are of each. @param {Span[]} spans */
function kindLegend(spans) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const span of spans) counts.set(span.kind, (counts.get(span.kind) ?? 0) + 1);
  const order = (/** @type {string} */ kind) => (KINDS.includes(kind) ? KINDS.indexOf(kind) : KINDS.length);
  const kinds = [...counts.keys()].sort((one, other) => order(one) - order(other)).slice(0, 12);
  const failed = spans.filter((span) => span.error !== null).length;
  return element(
    "ul.legend",
    { "aria-label": "Kinds of spans" },
    kinds.map((kind) => element("li", {}, element(`span.swatch.${kindClass(kind)}`, {}), `${kind} ${count(counts.get(kind) ?? 0)}`)),
    failed ? element("li", {}, element("span.swatch.failed", {}, "!"), `error ${count(failed)}`) : null,
  );
}
