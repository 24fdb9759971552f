/** How the run ended, and its scores. */

/** By whose doing it was: how good that is. @type {Record<string, string>} */
const TONES = { solved: "good", agent: "bad" };

/** The outcome in a word. @param {Scorecard} scorecard */
function outcomeWord(scorecard) {
  return element(`span.word.${TONES[scorecard.outcome.party] ?? "warn"}`, {}, words(scorecard.outcome.reason));
}

/** @param {View} view @returns {HTMLElement | null} */
function outcomeSection({ page }) {
  const { scorecard, seal } = page;
  return section(
    "outcome",
    "Outcome",
    element("p.outcome", {}, outcomeWord(scorecard), " ", recorded(scorecard.outcome.message)),
    scoresTable(scorecard),
    scorecard.composites.map(compositeView),
    sealView(seal),
    page.published ? disclosure("The published profile’s own keys", () => valueView(page.published)) : null,
  );
}

/** @param {Scorecard} scorecard */
function scoresTable(scorecard) {
  return table(
    "Scores, axis by axis",
    ["Axis", "Value", "Status", "Source", "n", "Why"],
    scorecard.axes.map((score) => [
      element("a", { href: `#axis-${score.axis}` }, words(score.axis)),
      element("span.value", {}, scoreText(score)),
      words(score.status),
      score.source ?? UNKNOWN,
      count(score.n),
      score.reason ? recorded(score.reason) : "",
    ]),
  );
}

/** A composite as an interval, drawn to scale. @param {Composite} made */
function compositeView(made) {
  const said = made.lower === null || made.upper === null ? "not ranked" : made.value !== null ? made.value.toFixed(3) : `${made.lower.toFixed(3)} to ${made.upper.toFixed(3)}`;
  const missing = made.parts.filter((part) => part.reason !== null);
  return element(
    "div.composite",
    {},
    element("h3", {}, `Composite ${made.profile} `, element("span.value", {}, said)),
    made.lower === null || made.upper === null ? null : intervalBar(made.lower, made.upper, said),
    element("p", {}, `${percent(made.coverage)} of the weight was measured.`, made.reason ? [" ", recorded(made.reason)] : null),
    missing.length ? element("ul", {}, missing.map((part) => element("li", {}, `${words(part.name)} (weight ${part.weight}): `, recorded(part.reason ?? "")))) : null,
    gatesView(made.gates),
  );
}

/** @param {Record<string, boolean | null>} gates */
function gatesView(gates) {
  const names = Object.entries(gates);
  if (!names.length) return null;
  const said = names.map(([name, passed]) => `${words(name)}: ${passed === null ? "not known" : passed ? "passed" : "not passed"}`);
  return element("p", {}, `Gates: ${said.join(", ")}`);
}

/** From 0 to 1. @param {number} lower @param {number} upper @param {string} said */
function intervalBar(lower, upper, said) {
  const range = element("span.range");
  range.style.left = `${100 * lower}%`;
  range.style.width = `${Math.max(100 * (upper - lower), 0.6)}%`;
  return element("div.interval", { role: "img", "aria-label": `${said}, on a scale from 0 to 1` }, range, element("span.low", {}, "0"), element("span.high", {}, "1"));
}

/** @param {Seal} seal */
function sealView(seal) {
  const sentences = [...seal.problems, ...seal.notes];
  return element(
    "div.seal",
    {},
    element("h3", {}, "Record: ", element(`span.word.${seal.state === "sealed" ? "good" : seal.state === "damaged" ? "bad" : "warn"}`, {}, seal.state)),
    element("p", {}, `${count(seal.calls)} calls, ${count(seal.finished_calls)} of them finished, in ${count(seal.lines)} lines and ${count(seal.bodies)} bodies.`),
    seal.head ? element("p.note", {}, "Seal ", element("code", {}, seal.head)) : null,
    sentences.length ? element("ul", {}, sentences.map((sentence) => element("li", {}, recorded(sentence)))) : null,
  );
}
