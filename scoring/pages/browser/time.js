/** Where the time went, the tokens, and the cost. */

/** @param {View} view @returns {HTMLElement | null} */
function timeSection(view) {
  const { time, tokens, reasons } = view.page;
  return section(
    "time",
    "Time, tokens, cost",
    element("h3", {}, "Where the time went"),
    time.length ? [timeBar(view.page), timeTable(view.page)] : absent(reasons.time ?? "The record does not tell."),
    element(
      "div.pair",
      {},
      element(
        "div",
        {},
        element("h3", {}, "Tokens"),
        tokens.length ? tokenTable(tokens) : absent(reasons.tokens ?? "No call told its tokens."),
        axisNote(view.page, "tokens"),
      ),
      element("div", {}, element("h3", {}, "Cost"), costFigure(view.page)),
    ),
  );
}

/** All of the wall, to scale; the table below says the same. @param {PageDocument} page */
function timeBar(page) {
  const shares = page.time.map((share, place) => {
    if (!share.ms) return null;
    const part = element(`span.series-${1 + (place % 8)}`, { title: `${marked(share.label)}: ${duration(share.ms)}` });
    part.style.flexGrow = String(share.ms);
    const fraction = page.wall_ms ? share.ms / page.wall_ms : 0;
    if (fraction > 0.08) part.append(element("span", {}, `${marked(share.label)} ${percent(fraction)}`));
    return part;
  });
  return element("div.time-bar", { "aria-hidden": "true" }, shares);
}

/** @param {PageDocument} page */
function timeTable(page) {
  const rows = page.time.map((share, place) =>
    element(
      "tr",
      {},
      element(
        "th",
        { scope: "row" },
        element(`span.swatch.series-${1 + (place % 8)}`, { "aria-hidden": "true" }),
        recorded(share.label),
      ),
      element("td.number", {}, share.ms === null ? UNKNOWN : milliseconds(share.ms)),
      element("td.number", {}, percent(share.ms === null || !page.wall_ms ? null : share.ms / page.wall_ms)),
      element("td.wrap.quiet", {}, share.note ? recorded(share.note) : null),
    ),
  );
  const total = element(
    "tr.total",
    {},
    element("th", { scope: "row" }, "Wall"),
    element("td.number", {}, milliseconds(page.wall_ms)),
    element("td.number", {}, percent(1)),
    element("td.wrap.quiet", {}, page.live ? "so far" : null),
  );
  const heads = [element("th", { scope: "col" }, "Share"), element("th.number", { scope: "col" }, "ms"), element("th.number", { scope: "col" }, "of the wall"), element("td")];
  return element(
    "div.table-box",
    { tabindex: 0, role: "group", "aria-label": "Shares of the wall" },
    element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows), element("tfoot", {}, total)),
  );
}

/** @param {number} ms */
function milliseconds(ms) {
  return ms.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** @param {TokenClass[]} tokens */
function tokenTable(tokens) {
  const most = Math.max(1, ...tokens.map((kind) => kind.count ?? 0));
  const rows = tokens.map((kind) => {
    const bar = element("span.bar", { "aria-hidden": "true" });
    bar.style.width = `${(100 * (kind.count ?? 0)) / most}%`;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, recorded(kind.label)),
      element("td.number", {}, count(kind.count)),
      element("td.bars", {}, bar),
    );
  });
  const heads = [element("th", { scope: "col" }, "Class"), element("th.number", { scope: "col" }, "Tokens"), element("td")];
  return element("table.tokens", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows));
}

/** Where an axis's value comes from, or why there is none. @param {PageDocument} page @param {string} name */
function axisNote(page, name) {
  const axis = page.scorecard.axes.find((found) => found.axis === name);
  if (!axis) return null;
  const source = axis.source ? `Source: ${words(axis.source)}.` : null;
  return element("p.quiet", {}, source, axis.reason ? [" ", sentence(axis.reason)] : null);
}

/** @param {PageDocument} page */
function costFigure(page) {
  const axis = page.scorecard.axes.find((found) => found.axis === "cost");
  if (!axis) return absent("No axis of cost was scored.");
  return element(
    "div",
    {},
    element("p", {}, element(`span.value${axis.value === null ? ".none" : ""}`, {}, axisQuantity(axis)), " ", element("span.quiet", {}, STATUSES[axis.status] ?? axis.status)),
    axisNote(page, "cost"),
  );
}
