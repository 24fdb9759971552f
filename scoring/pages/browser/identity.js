/** Who did what with what. */

/** By group: its heading. @type {Record<string, string>} */
const GROUPS = { run: "Run", agent: "Agent", model: "Model", task: "Task", instrument: "Instrument" };

/** @param {View} view @returns {HTMLElement | null} */
function identitySection({ page }) {
  const groups = [...new Set(page.identity.map((fact) => fact.group))];
  return section("identity", "Run identity", element("div.columns", {}, groups.map((group) => factGroup(GROUPS[group] ?? group, page.identity.filter((fact) => fact.group === group)))));
}

/** @param {string} title @param {Fact[]} facts */
function factGroup(title, facts) {
  return element("div.facts", {}, element("h3", {}, title), element("dl", {}, facts.flatMap((fact) => [element("dt", {}, fact.label), element("dd", {}, factValue(fact))])));
}

/** @param {Fact} fact @returns {Content} */
function factValue(fact) {
  const note = fact.note ? element("span.note", {}, recorded(fact.note)) : null;
  if (fact.value === null) return [element("span.absent", {}, UNKNOWN), " ", note];
  return [element(fact.code ? "code" : "span", {}, recorded(fact.value)), " ", note];
}
