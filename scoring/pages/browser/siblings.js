/** Other runs like this one. */

/** @param {View} view @returns {HTMLElement | null} */
function siblingsSection(view) {
  const { siblings } = view.page;
  const groups = siblings?.groups.filter((group) => group.runs.length) ?? [];
  return groups.length ? section("siblings", "Other runs", groups.map(siblingGroup)) : null;
}

/** @param {Siblings["groups"][number]} group */
function siblingGroup(group) {
  const heads = ["Run", "Outcome", "Wall", "Tokens", "Cost"].map((head, place) => element(`th${place > 1 ? ".number" : ""}`, { scope: "col" }, head));
  const body = element("tbody");
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), body);
  const box = element("div.table-box", { tabindex: 0, role: "group", "aria-label": marked(group.title) }, table);
  showMore(box, body, group.runs, siblingRow);
  return element("div", {}, element("h3", {}, recorded(group.title)), box);
}

/** @param {Sibling} run */
function siblingRow(run) {
  const leaves = /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(run.href);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, leaves ? recorded(run.title) : element("a", { href: run.href }, recorded(run.title))),
    element("td", {}, outcomeWord(run.party, run.outcome)),
    element("td.number", {}, duration(run.wall_ms)),
    element("td.number", {}, count(run.tokens)),
    element("td.number", {}, dollars(run.cost_usd)),
  );
}
