/** What the check said. */

/** @param {View} view @returns {HTMLElement | null} */
function checkSection({ page }) {
  const check = page.check;
  if (check === null) return section("check", "Check", absent(page.reasons.check ?? "no check was recorded"));
  return section(
    "check",
    "Check",
    element("p", {}, element(`span.word.${check.passed ? "good" : check.passed === null ? "warn" : "bad"}`, {}, check.passed === null ? "says nothing" : check.passed ? "passed" : "failed"), ` ${checkEnd(check)} in ${duration(check.duration_ms)}`),
    check.command === null ? null : codeBlock(check.command, "the check’s command"),
    check.note ? element("p.note", {}, recorded(check.note)) : null,
    check.tests ? table(`Tests (${check.report_format})`, ["Test", "Outcome", "Time", "Message"], check.tests.map((test) => [recorded(test.name), element(`span.word.${test.outcome === "passed" ? "good" : test.outcome === "skipped" ? "warn" : "bad"}`, {}, test.outcome), test.seconds === null ? UNKNOWN : duration(1000 * test.seconds), test.message ? recorded(test.message) : ""])) : absent("no report of single tests was found"),
    outputView("Standard output", check.stdout),
    outputView("Standard error", check.stderr),
  );
}

/** @param {Check} check */
function checkEnd(check) {
  if (check.timed_out) return "timed out";
  return check.exit_code === null ? `ended by signal ${check.signal ?? UNKNOWN}` : `exit code ${check.exit_code}`;
}

/** @param {string} title @param {string | null} text @returns {Content} */
function outputView(title, text) {
  return [element("h3", {}, title), text === null ? absent("it was not kept") : text === "" ? absent("empty") : longText(text)];
}
