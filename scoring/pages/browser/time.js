/** Where the time went, and the tokens. */

/** @param {View} view @returns {HTMLElement | null} */
function timeSection({ page }) {
  const cost = page.scorecard.axes.find((score) => score.axis === "cost");
  return section(
    "time",
    "Time, tokens, cost",
    element("p", {}, `Wall time ${duration(page.wall_ms)}. `, page.reasons.wall_ms ? element("span.note", {}, page.reasons.wall_ms) : null),
    page.time.length ? [timeBar(page), timeTable(page)] : absent(page.reasons.time ?? "the time was not recorded"),
    page.tokens.length ? tokensTable(page) : null,
    page.reasons.tokens ? element("p.note", {}, recorded(page.reasons.tokens)) : null,
    cost ? element("p", {}, "Cost: ", element("span.value", {}, scoreText(cost)), cost.reason ? [" ", element("span.note", {}, recorded(cost.reason))] : null) : null,
  );
}

/** One bar that adds up to the wall; the table says the same. @param {PageDocument} page */
function timeBar(page) {
  const shares = page.time.filter((share) => share.ms !== null && share.ms > 0);
  return element(
    "div.timebar",
    { "aria-hidden": "true" },
    shares.map((share) => {
      const part = element(`span.share.share-${share.name}`, { title: `${share.label}: ${duration(share.ms)}` });
      part.style.flexGrow = String(share.ms);
      return part;
    }),
  );
}

/** @param {PageDocument} page */
function timeTable(page) {
  const total = page.time.reduce((sum, share) => sum + (share.ms ?? 0), 0);
  return table(
    "Where the wall time went",
    ["Part", "Time", "Share", ""],
    [
      ...page.time.map((share) => [
        [element(`span.key.share-${share.name}`, { "aria-hidden": "true" }), share.label],
        duration(share.ms),
        share.ms === null || !total ? UNKNOWN : percent(share.ms / total),
        share.note ? element("span.note", {}, recorded(share.note)) : "",
      ]),
      ["Together", duration(total), "100 %", ""],
    ],
  );
}

/** @param {PageDocument} page */
function tokensTable(page) {
  return table("Tokens by class", ["Class", "Tokens"], page.tokens.map((kind) => [kind.label, count(kind.count)]));
}
