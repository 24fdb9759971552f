/** What the check said. */

/** @param {View} view @returns {HTMLElement | null} */
function checkSection(view) {
  const { check, reasons } = view.page;
  if (!check) return section("check", "Check", absent(reasons.check ?? "No check was recorded."));
  return section(
    "check",
    "Check",
    element("p.verdict", {}, checkVerdict(check), element("span", {}, checkSentence(check))),
    check.command === null ? null : codeBlock("Command of the check", check.command),
    check.note ? element("p.quiet", {}, sentence(check.note)) : null,
    check.tests ? [element("h3", {}, `Tests (${count(check.tests.length)})`), testTable(view, check.tests)] : null,
    outputOf(view, "stdout", "Standard output", check.stdout),
    outputOf(view, "stderr", "Standard error", check.stderr),
  );
}

/** @param {Check} check */
function checkVerdict({ passed }) {
  if (passed === null) return element("strong.outcome.warn", {}, "no verdict");
  return passed ? element("strong.outcome.good", {}, "passed") : element("strong.outcome.bad", {}, "failed");
}

/** @param {Check} check */
function checkSentence(check) {
  const end = check.timed_out ? "It did not end in time" : check.signal !== null ? `Signal ${check.signal} ended it` : `Exit code ${check.exit_code ?? UNKNOWN}`;
  const time = check.duration_ms === null ? "" : ` after ${duration(check.duration_ms)}`;
  const where = check.fresh_copy === null ? "" : check.fresh_copy ? ", in a fresh copy of the workdir" : ", in the workdir itself";
  return `${end}${time}${where}.${check.report_format ? ` Report: ${marked(check.report_format)}.` : ""}`;
}

/** By outcome of a test, its sign and colour. @type {Record<string, [string, string]>} */
const TEST_SIGNS = { passed: ["✓", "good"], failed: ["✗", "bad"], error: ["✗", "bad"], skipped: ["–", "quiet"] };

/** @param {View} view @param {NonNullable<Check["tests"]>} tests */
function testTable(view, tests) {
  const body = element("tbody");
  const heads = ["Outcome", "Test", "Time"].map((head) => element(`th${head === "Time" ? ".number" : ""}`, { scope: "col" }, head));
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), body);
  const box = element("div.table-box", { tabindex: 0, role: "group", "aria-label": "Tests of the check" }, table);
  const rows = tests.map((test, place) => ({ test, place }));
  showMore(box, body, rows, ({ test, place }) => {
    const [sign, tone] = TEST_SIGNS[test.outcome] ?? ["?", "warn"];
    return element(
      "tr",
      {},
      element("td", {}, element(`span.sign.${tone}`, { "aria-hidden": "true" }, sign), ` ${words(test.outcome)}`),
      element("td.wrap", {}, recorded(test.name), test.message ? longText(view, `test.${place}`, test.message, "Message of the test") : null),
      element("td.number", {}, duration(test.seconds === null ? null : 1000 * test.seconds)),
    );
  });
  return box;
}

/** @param {View} view @param {string} name @param {string} title @param {string | null} text */
function outputOf(view, name, title, text) {
  const body =
    text === null ? absent("It was not kept.") : text === "" ? absent("Empty.") : longText(view, `check.${name}`, text, title);
  return element("div", {}, element("h3", {}, title, text ? copyButton(title, () => text) : null), body);
}
