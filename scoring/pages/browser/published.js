/** A published profile's keys and values beside those of this scorecard. */

/** The published value of an axis, and whose it stands beside. @type {[string, string, string, string][]} */
const PUBLISHED = [
  ["pass_rate", "pass", "pass_rate", "1"],
  ["tokens", "tokens_per_correct_task", "tokens", "{token}"],
  ["latency", "wall_clock_ms", "latency", "ms"],
  ["blast_radius", "blast_radius", "blast_radius", "1"],
  ["refusal", "refusal", "refusal", "1"],
  ["integrity", "integrity", "integrity", "1"],
];

/** @param {View} view */
function publishedBeside(view) {
  const { published, scorecard } = view.page;
  if (!published) return null;
  const rows = PUBLISHED.flatMap(([axis, key, own, unit]) => {
    const said = member(published[axis], key);
    const value = scorecard.axes.find((found) => found.axis === own);
    return said === undefined ? [] : [publishedRow(axis, key, said, unit, value ? axisQuantity(value) : UNKNOWN)];
  });
  const total = member(published.composite, "composite");
  const composite = scorecard.composites[0];
  if (total !== undefined) {
    const own = composite && composite.lower !== null && composite.upper !== null ? interval(composite.lower, composite.upper) : UNKNOWN;
    rows.push(publishedRow("composite", "composite", total, "1", own));
  }
  return element(
    "div.published",
    {},
    element("h3", {}, "As published cells count"),
    element("p.quiet", {}, "Where nothing is known, the published form writes a number all the same; this scorecard does not."),
    rows.length ? publishedTable(rows) : null,
    disclosure(view, "published", "All keys of the published form", () => valueTree(view, "published", published)),
  );
}

/** @param {unknown} holder @param {string} key */
function member(holder, key) {
  return holder && typeof holder === "object" ? /** @type {Record<string, unknown>} */ (holder)[key] : undefined;
}

/** @param {HTMLElement[]} rows */
function publishedTable(rows) {
  const heads = ["Axis", "Published key", "Published", "Here"];
  return element(
    "div.table-box",
    { tabindex: 0, role: "group", "aria-label": "Published values beside these" },
    element(
      "table",
      {},
      element(
        "thead",
        {},
        element("tr", {}, heads.map((head, place) => element(`th${place > 1 ? ".number" : ""}`, { scope: "col" }, head))),
      ),
      element("tbody", {}, rows),
    ),
  );
}

/** @param {string} axis @param {string} key @param {unknown} said @param {string} unit @param {Content} own */
function publishedRow(axis, key, said, unit, own) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, words(axis)),
    element("td", {}, element("code", {}, key)),
    element("td.number", {}, typeof said === "number" ? quantity(said, unit) : said === null ? UNKNOWN : recorded(String(said))),
    element("td.number", {}, own),
  );
}
