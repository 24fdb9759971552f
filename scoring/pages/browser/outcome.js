/** How the run ended, and its scores. */

/** By reason, the word where it is not the reason itself. @type {Record<string, string>} */
const OUTCOME_WORDS = { budget: "out of budget", unreachable: "model unreachable", unauthorized: "key not accepted" };

/** Whose doing the end was: how it is coloured, and what it counts as. @type {Record<string, [string, string]>} */
const PARTIES = {
  solved: ["good", "It counts as solved."],
  agent: ["bad", "It counts as an attempt that failed."],
  provider: ["warn", "That is the provider's doing: the run is not graded."],
  check: ["warn", "That is the check's doing: the run is not graded."],
  harness: ["warn", "That is the harness's doing: the run is not graded."],
  cancelled: ["warn", "The run is not graded."],
  unknown: ["warn", "The record does not tell whether the task was solved."],
};

/** The outcome as one word, or two. @param {string} party @param {string} reason */
function outcomeWord(party, reason) {
  const tone = (PARTIES[party] ?? ["warn"])[0];
  return element(`strong.outcome.${tone}`, {}, OUTCOME_WORDS[reason] ?? words(reason));
}

/** @param {View} view @returns {HTMLElement | null} */
function outcomeSection(view) {
  const { scorecard, live } = view.page;
  const { party, reason, message } = scorecard.outcome;
  const counts = (PARTIES[party] ?? ["", ""])[1];
  return section(
    "outcome",
    "Outcome",
    element(
      "p.verdict",
      {},
      live ? element("strong.outcome.warn", {}, "running") : outcomeWord(party, reason),
      element("span", {}, live ? "The run goes on: all that stands here may still change." : [sentence(message), " ", counts]),
    ),
    sealLine(view.page.seal),
    element("h3", {}, "Scores"),
    element("ul.scores", {}, scorecard.axes.map(scoreCell)),
    scorecard.composites.map(compositeFigure),
    publishedBeside(view),
  );
}

/** By state of the seal: its sign, colour and what it means. @type {Record<string, [string, string, string]>} */
const SEALS = {
  sealed: ["✓", "good", "Sealed, and verified: nothing that was recorded is missing or altered."],
  open: ["○", "warn", "Not sealed: if something of the record were missing, it would not show."],
  damaged: ["✗", "bad", "Damaged: the record is not what was recorded."],
};

/** @param {Seal} seal */
function sealLine(seal) {
  const [sign, tone, said] = SEALS[seal.state] ?? ["?", "warn", `State of the record: ${words(seal.state)}.`];
  const calls =
    seal.calls === seal.finished_calls
      ? counted(seal.calls, "call")
      : `${counted(seal.calls, "call")}, ${count(seal.finished_calls)} of them ended`;
  const holds = `${calls}, ${counted(seal.lines, "line")}, ${counted(seal.bodies, "body", "bodies")}.`;
  const told = [...seal.problems, ...seal.notes];
  return element(
    "div.seal",
    {},
    element("p", {}, element(`span.sign.${tone}`, { "aria-hidden": "true" }, sign), ` ${said} ${holds}`),
    told.length ? element("ul.plain", {}, told.map((line) => element("li", {}, recorded(line)))) : null,
  );
}

/** By bound, the sign before the value and its words. @type {Record<string, [string, string]>} */
const BOUNDS = { lower: ["≥", "at least"], upper: ["≤", "at most"] };

/** By status, its words. @type {Record<string, string>} */
const STATUSES = {
  measured: "measured",
  partial: "measured in part",
  missing: "missing",
  not_applicable: "does not apply",
  error: "error",
};

/** A value of an axis with its bound. @param {AxisValue} axis */
function axisQuantity(axis) {
  const [sign, said] = (axis.value !== null && axis.bound && BOUNDS[axis.bound]) || [null, null];
  return [
    sign ? element("abbr", { title: /** @type {string} */ (said) }, sign) : null,
    sign ? " " : null,
    quantity(axis.value, axis.unit),
  ];
}

/** @param {AxisValue} axis */
function scoreCell(axis) {
  const tone = { error: ".bad", missing: ".warn", partial: ".warn" }[/** @type {string} */ (axis.status)] ?? "";
  const source = axis.source ? `from ${words(axis.source).replaceAll("+", " + ")}` : null;
  const size = axis.n === null ? null : `n = ${count(axis.n)}`;
  return element(
    "li",
    {},
    element("a.axis", { href: `#axis-${axis.axis}` }, words(axis.axis)),
    element(`span.value${axis.value === null ? ".none" : ""}`, {}, axisQuantity(axis)),
    element(`span.status${tone}`, {}, STATUSES[axis.status] ?? words(axis.status)),
    element("span.source", {}, [source, size].filter((part) => part !== null).join(", ")),
    axis.reason ? element("span.reason", {}, recorded(axis.reason)) : null,
    axis.findings.length ? element("span.reason", {}, counted(axis.findings.length, "finding")) : null,
  );
}
