/** Who did what with what. */

/** By group, its heading. @type {Record<string, string>} */
const FACT_GROUPS = { run: "Run", agent: "Agent", model: "Model", task: "Task", instrument: "Instrument" };

/** @param {View} view @returns {HTMLElement | null} */
function identitySection(view) {
  const { identity, reasons } = view.page;
  const groups = [...new Set(identity.map((fact) => fact.group))];
  if (!groups.length) return section("identity", "Identity", absent(reasons.identity ?? "The record does not tell."));
  return section(
    "identity",
    "Identity",
    element("div.facts", {}, groups.map((group) => factGroup(group, identity.filter((fact) => fact.group === group)))),
  );
}

/** @param {string} group @param {Fact[]} facts */
function factGroup(group, facts) {
  return element("div", {}, element("h3", {}, FACT_GROUPS[group] ?? words(group)), element("dl", {}, facts.flatMap(factLine)));
}

/** @param {Fact} fact */
function factLine(fact) {
  const value = fact.value === null ? element("span.none", {}, UNKNOWN) : recorded(fact.value);
  return [
    element("dt", {}, recorded(fact.label)),
    element(
      "dd",
      {},
      fact.code && fact.value !== null ? element("code", {}, value) : value,
      fact.note ? element("span.note", {}, recorded(fact.note)) : null,
    ),
  ];
}
