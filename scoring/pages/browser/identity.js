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
    element("div.facts", {}, groups.map((group) => factGroup(view, group, identity.filter((fact) => fact.group === group)))),
  );
}

/** @param {View} view @param {string} group @param {Fact[]} facts */
function factGroup(view, group, facts) {
  return element("div", {}, element("h3", {}, FACT_GROUPS[group] ?? words(group)), element("dl", {}, facts.flatMap((fact) => factLine(view, fact))));
}

/** @param {View} view @param {Fact} fact */
function factLine(view, fact) {
  const value = scalarValue(view, `fact.${fact.group}.${fact.label}`, fact.value);
  return [
    element("dt", {}, recorded(fact.label)),
    element(
      "dd",
      {},
      fact.code && value instanceof HTMLSpanElement ? element("code", {}, value) : value,
      fact.note ? element("span.note", {}, recorded(fact.note)) : null,
    ),
  ];
}
