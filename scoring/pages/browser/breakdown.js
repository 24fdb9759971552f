/** All that the scorers say. */

/** @param {View} view @returns {HTMLElement | null} */
function breakdownSection({ page }) {
  return section("breakdown", "Scorer breakdown", page.scorecard.axes.map((score) => axisView(page, score)), page.scorecard.composites.map(partsView));
}

/** @param {PageDocument} page @param {AxisValue} score */
function axisView(page, score) {
  const made = disclosure([element("strong", {}, words(score.axis)), ` ${scoreText(score)} `, element("span.note", {}, words(score.status))], () => [
    element("p.note", {}, `Formula ${score.formula}, version ${score.version}; unit ${score.unit}.`),
    score.reason ? element("p", {}, recorded(score.reason)) : null,
    score.flags.length ? element("p", {}, `Flags: ${score.flags.join(", ")}`) : null,
    valueView(score.details),
    score.evidence.length ? table("Evidence", ["Where", "What is seen there"], score.evidence.map((seen) => [evidencePlace(page, seen), recorded(seen.note)])) : null,
    score.findings.length ? element("ul", {}, score.findings.map((finding) => element("li", {}, findingText(finding)))) : null,
  ]);
  made.id = `axis-${score.axis}`;
  return made;
}

/** @param {PageDocument} page @param {Evidence} seen @returns {Content} */
function evidencePlace(page, seen) {
  const line = seen.line === null ? "" : `:${seen.line}`;
  const call = seen.kind === "call" ? page.calls.findIndex((each) => each.id === seen.reference) : -1;
  if (call >= 0) return element("a", { href: `#call-${seen.reference}` }, `call ${call + 1}`);
  return [`${seen.kind} `, element("code", {}, recorded(`${seen.reference}${line}`))];
}

/** @param {Composite} made */
function partsView(made) {
  const rows = made.parts.map((part) => [words(part.name), words(part.axis), String(part.weight), part.raw === null ? UNKNOWN : String(part.raw), part.lower === part.upper ? part.lower.toFixed(3) : `${part.lower.toFixed(3)} to ${part.upper.toFixed(3)}`, part.reason ? recorded(part.reason) : ""]);
  return disclosure(`Composite ${made.profile}, version ${made.version}`, () => table("Parts of the composite", ["Part", "Axis", "Weight", "Value", "Efficiency", "Why"], rows));
}

/** A JSON value as nested lists. @param {unknown} value @returns {HTMLElement} */
function valueView(value) {
  if (value === null) return element("span.absent", {}, UNKNOWN);
  if (Array.isArray(value)) return value.length ? element("ol.values", { start: "0" }, value.map((item) => element("li", {}, valueView(item)))) : element("span.note", {}, "none");
  if (typeof value === "object") {
    const members = Object.entries(value);
    return members.length ? element("dl.values", {}, members.flatMap(([name, member]) => [element("dt", {}, recorded(name)), element("dd", {}, valueView(member))])) : element("span.note", {}, "none");
  }
  const text = String(value);
  return typeof value === "string" && (text.includes("\n") || text.length > 200) ? longText(text) : element("span", {}, recorded(text));
}
