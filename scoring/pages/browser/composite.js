/** The composite as an interval, drawn to scale, with what it is made of. */

/** @param {Composite} made */
function compositeFigure(made) {
  const { lower, upper } = made;
  const ranked = lower !== null && upper !== null;
  return element(
    "div.composite",
    {},
    element(
      "h3",
      {},
      "Composite ",
      element("span.quiet", {}, `${marked(made.profile)}, version ${made.version}`),
    ),
    element(
      "p.sum",
      {},
      element(`span.value${ranked ? "" : ".none"}`, {}, ranked ? interval(lower, upper) : UNKNOWN),
      element("span", {}, ` ${coverageSentence(made)} `, made.reason ? sentence(made.reason) : null),
    ),
    ranked ? scale(lower, upper, true) : null,
    partsTable(made),
    gatesLine(made),
  );
}

/** @param {number} lower @param {number} upper */
function interval(lower, upper) {
  return lower === upper ? lower.toFixed(3) : `${lower.toFixed(3)} to ${upper.toFixed(3)}`;
}

/** @param {Composite} made */
function coverageSentence(made) {
  const missing = made.parts.filter((part) => part.lower !== part.upper);
  const measured = `${percent(made.coverage)} of the weight was measured`;
  if (!missing.length) return `${measured}.`;
  return `${measured}; not known: ${missing.map((part) => `${words(part.name)} (weight ${part.weight})`).join(", ")}.`;
}

/**
 * An interval on a scale from 0 to 1; the text beside it says the same.
 * @param {number} lower @param {number} upper @param {boolean} ticks
 */
function scale(lower, upper, ticks) {
  const bar = element("span.range");
  bar.style.left = `${100 * lower}%`;
  bar.style.width = `${100 * (upper - lower)}%`;
  const marks = ticks ? [0, 0.25, 0.5, 0.75, 1].map(tick) : [];
  return element(`div.scale${ticks ? ".ticks" : ""}`, { "aria-hidden": "true" }, marks, bar);
}

/** @param {number} at */
function tick(at) {
  const made = element("span.tick", {}, element("span", {}, at));
  made.style.left = `${100 * at}%`;
  return made;
}

/** @param {Composite} made */
function partsTable(made) {
  const heads = ["Part", "Weight", "Value", "Efficiency, worst to best", ""].map((head, place) =>
    head ? element(`th${place === 1 || place === 2 ? ".number" : ""}`, { scope: "col" }, head) : element("td"),
  );
  return element(
    "div.table-box",
    { tabindex: 0, role: "group", "aria-label": `Parts of the composite ${marked(made.profile)}` },
    element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, made.parts.map(partRow))),
  );
}

/** @param {Composite["parts"][number]} part */
function partRow(part) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, words(part.name)),
    element("td.number", {}, part.weight),
    element("td.number", {}, part.raw === null ? UNKNOWN : Number(part.raw.toPrecision(6)).toLocaleString("en")),
    element("td.efficiency", {}, scale(part.lower, part.upper, false), interval(part.lower, part.upper)),
    element("td.wrap", {}, part.reason ? recorded(part.reason) : null),
  );
}

/** @param {Composite} made */
function gatesLine(made) {
  const said = (/** @type {boolean | null} */ passed) =>
    passed === null ? ["?", "warn", "not known"] : passed ? ["✓", "good", "passed"] : ["✗", "bad", "not passed"];
  const gates = Object.entries(made.gates).map(([name, passed]) => {
    const [sign, tone, word] = said(passed);
    return element("li", {}, element(`span.sign.${tone}`, { "aria-hidden": "true" }, sign), ` ${words(name)}: ${word}`);
  });
  if (made.refusal_factor !== null) gates.push(element("li", {}, `refusal factor: ${made.refusal_factor}`));
  return gates.length ? element("ul.gates", { "aria-label": "Gates" }, gates) : null;
}
