/** Other runs like this one. */

/** @param {View} view @returns {HTMLElement | null} */
function siblingsSection({ page }) {
  if (page.siblings === null) return null;
  const groups = page.siblings.groups.filter((group) => group.runs.length);
  return section("siblings", "Other runs", groups.map((group) => table(group.title, ["Run", "Outcome", "Time", "Tokens", "Cost"], group.runs.map(siblingRow))));
}

/** @param {Sibling} run @returns {Content[]} */
function siblingRow(run) {
  return [element("a", { href: run.href }, recorded(run.title)), words(run.outcome), duration(run.wall_ms), count(run.tokens), run.cost_usd === null ? UNKNOWN : UNITS.USD(run.cost_usd)];
}
