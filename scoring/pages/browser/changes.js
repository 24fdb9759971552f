/** What became of the workdir. */

/** @param {View} view @returns {HTMLElement | null} */
function changesSection(view) {
  const { page } = view;
  const changes = page.changes;
  if (changes === null) return section("changes", "Changes", absent(page.reasons.changes ?? "the workdir was not recorded"));
  const findings = page.scorecard.axes.flatMap((score) => score.findings);
  const elsewhere = findings.filter((finding) => !changes.files.some((file) => file.path === finding.path));
  return section(
    "changes",
    `Changes (${count(changes.files.length)})`,
    classesTable(changes),
    elsewhere.length ? element("div.findings", {}, element("h3", {}, "Findings"), element("ul", {}, elsewhere.map((finding) => element("li", {}, findingText(finding), finding.path ? [" in ", element("code", {}, recorded(finding.path))] : null, finding.excerpt ? longText(finding.excerpt) : null)))) : null,
    changes.files.length ? null : element("p", {}, "Nothing changed."),
    changes.classes.map((kind, place) => classView(view, kind, place, findings)),
    gitView(changes),
    changes.unseen.length ? disclosure(`Could not be seen (${changes.unseen.length})`, () => table("What could not be seen", ["Path", "Why"], changes.unseen.map(([path, why]) => [recorded(path), recorded(why)]))) : null,
    page.reasons.changes ? element("p.note", {}, recorded(page.reasons.changes)) : null,
  );
}

/** @param {Changes} changes */
function classesTable(changes) {
  return table("Changed files by class", ["Class", "Files", "Meaning"], changes.classes.map((kind) => [kind.label, count(kind.count), kind.meaning]));
}

/** @param {View} view @param {Changes["classes"][number]} kind @param {number} place @param {Finding[]} findings */
function classView(view, kind, place, findings) {
  const files = /** @type {Changes} */ (view.page.changes).files.map((file, index) => ({ file, index })).filter(({ file }) => file.class === place);
  if (!files.length) return null;
  const opened = kind.name === "protected" || kind.name === "expected" || kind.name === "unexpected";
  return element("div", {}, element("h3", {}, `${kind.label} (${count(files.length)})`), files.map(({ file, index }) => fileView(view, file, index, findings.filter((finding) => finding.path === file.path), opened && files.length <= 20)));
}

/** @param {View} view @param {ChangedFile} file @param {number} index @param {Finding[]} findings @param {boolean} opened */
function fileView(view, file, index, findings, opened) {
  const lines = file.lines_added === null && file.lines_removed === null ? "" : ` +${count(file.lines_added)} −${count(file.lines_removed)}`;
  const summary = [element("code", {}, recorded(file.old_path ? `${file.old_path} → ${file.path}` : file.path)), ` ${file.operation}${lines}`, findings.length ? element("span.word.bad", {}, `${findings.length} findings`) : null];
  const whole = findings.filter((finding) => finding.line === null);
  const made = disclosure(
    summary,
    () => [
      ledByView(view, file),
      file.note ? element("p.note", {}, recorded(file.note)) : null,
      whole.length ? element("ul", {}, whole.map((finding) => element("li", {}, findingText(finding)))) : null,
      file.patch ? patchView(file, findings) : absent(file.note ?? "there are no lines to show"),
    ],
    opened,
  );
  made.id = `file-${index}`;
  made.className = "file";
  return made;
}

/** @param {View} view @param {ChangedFile} file */
function ledByView(view, file) {
  if (!file.led_by.length) return null;
  const calls = file.led_by.flatMap((led, place) => [place ? ", " : "", element("a", { href: `#call-${view.page.calls[led.call].id}` }, `call ${led.call + 1}`), ` (${led.confidence}${led.tool ? `, ${led.tool}` : ""})`]);
  return element("p.note", {}, "Led to by ", calls);
}

/** @param {Changes} changes */
function gitView(changes) {
  if (!changes.git.length) return null;
  return disclosure(`State of git (${changes.git.length})`, () => table("Changes of the state of git", ["What", "Before", "After", ""], changes.git.map((item) => [recorded(`${item.repository} ${item.kind} ${item.name}`), recorded(item.before ?? UNKNOWN), recorded(item.after ?? UNKNOWN), item.runs ? element("span.word.bad", {}, "git runs it") : ""])));
}
