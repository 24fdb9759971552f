/** What became of the workdir. */

/** Classes whose files are open at first. */
const REVIEWED = new Set(["protected", "expected", "unexpected", "external"]);

/** Files whose diff is open at first, at most, and the lines that such a one may have. */
const OPEN_FILES = 20;
const OPEN_LINES = 400;

/** By operation, its letter and word. @type {Record<string, [string, string]>} */
const OPERATIONS = { add: ["A", "added"], remove: ["D", "removed"], modify: ["M", "modified"], rename: ["R", "renamed"], mode: ["P", "permissions changed"] };

/** @param {View} view @returns {HTMLElement | null} */
function changesSection(view) {
  const { changes, reasons } = view.page;
  if (!changes) return section("changes", "Changes", absent(reasons.changes ?? "No snapshots of the workdir were kept."));
  const total = changes.files.length;
  const findings = integrityFindings(view.page);
  const paths = new Set(changes.files.map((file) => file.path));
  const elsewhere = findings.filter((finding) => finding.path === null || !paths.has(finding.path));
  return section(
    "changes",
    `Changes (${count(total)})`,
    element("ul.classes", {}, changes.classes.map((kind) => element(`li${kind.count ? "" : ".none"}`, {}, element("strong", {}, count(kind.count)), ` ${marked(kind.label)}`))),
    reasons.changes ? absent(reasons.changes) : null,
    elsewhere.length ? [element("h3", {}, "Findings outside these files"), elsewhere.map((finding) => findingBlock(view, finding))] : null,
    changes.classes.map((kind, place) => changeClass(view, changes, place, findings)),
    gitTable(changes),
    unseenList(changes),
  );
}

/** @param {PageDocument} page */
function integrityFindings(page) {
  return page.scorecard.axes.flatMap((axis) => axis.findings);
}

/** @param {View} view @param {Changes} changes @param {number} place @param {Finding[]} findings */
function changeClass(view, changes, place, findings) {
  const kind = changes.classes[place];
  const files = changes.files.map((file, at) => ({ file, at })).filter(({ file }) => file.class === place);
  if (!files.length) return null;
  const list = element("div.files");
  const open = REVIEWED.has(kind.name);
  showSome(list, files, 200, "files", ({ file, at }, order) =>
    changedFile(view, file, at, findings.filter((finding) => finding.path === file.path), open && order < OPEN_FILES),
  );
  return element(
    "div.change-class",
    {},
    element("h3", {}, recorded(kind.label), " ", element("span.quiet", {}, counted(files.length, "file"))),
    element("p.quiet", {}, sentence(kind.meaning)),
    list,
  );
}

/** @param {View} view @param {ChangedFile} file @param {number} at @param {Finding[]} findings @param {boolean} first */
function changedFile(view, file, at, findings, first) {
  const [letter, word] = OPERATIONS[file.operation] ?? ["•", words(file.operation)];
  const summary = [
    element(`span.operation.${OPERATIONS[file.operation] ? file.operation : "other"}`, { title: word }, letter),
    element("span.path", {}, file.old_path ? [recorded(file.old_path), " → "] : null, recorded(file.path)),
    !file.lines_added ? null : element("span.plus", {}, `+${count(file.lines_added)}`),
    !file.lines_removed ? null : element("span.minus", {}, `−${count(file.lines_removed)}`),
    findings.length ? element("span.mark.warn", {}, `⚑ ${counted(findings.length, "finding")}`) : null,
  ];
  const short = (file.lines_added ?? 0) + (file.lines_removed ?? 0) <= OPEN_LINES;
  const made = disclosure(view, `change.${file.path}`, summary, () => changeOf(view, file, findings, word), first && short);
  made.id = `change-${at}`;
  made.className = "file";
  return made;
}

/** @param {View} view @param {ChangedFile} file @param {Finding[]} findings @param {string} word */
function changeOf(view, file, findings, word) {
  const led = file.led_by.map(({ call, confidence, tool }, place) => [
    place ? "; " : "From ",
    callLink(view.page, call),
    ` (${words(confidence)}${tool ? `, ${marked(tool)}` : ""})`,
  ]);
  return element(
    "div.change",
    {},
    element("p.quiet", {}, `${word.charAt(0).toUpperCase()}${word.slice(1)}. `, file.note ? [sentence(file.note), " "] : null, led.length ? [...led.flat(), "."] : null),
    file.patch ? patchTable(view, file, findings) : findings.map((finding) => findingBlock(view, finding)),
    file.cut ? absent(`${counted(file.cut, "more character")} of this diff are not in this page.`) : null,
  );
}

/** @param {Changes} changes */
function gitTable(changes) {
  if (!changes.git.length) return null;
  const rows = changes.git.map((item) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, recorded(item.kind.replaceAll("_", " "))),
      element("td", {}, recorded(item.name), item.runs ? element("span.mark.warn", {}, "git runs it") : null),
      element("td", {}, element("code", {}, recorded(item.before ?? UNKNOWN))),
      element("td", {}, element("code", {}, recorded(item.after ?? UNKNOWN))),
      element("td", {}, recorded(item.repository)),
    ),
  );
  const heads = ["Kind", "Name", "Before", "After", "Repository"].map((head) => element("th", { scope: "col" }, head));
  return [
    element("h3", {}, "What git keeps"),
    element(
      "div.table-box",
      { tabindex: 0, role: "group", "aria-label": "Changes of what git keeps" },
      element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows)),
    ),
  ];
}

/** @param {Changes} changes */
function unseenList(changes) {
  if (!changes.unseen.length) return null;
  const list = element("dl.wide");
  showSome(list, changes.unseen, 100, "places", ([path, why]) =>
    element("div", {}, element("dt", {}, element("code", {}, recorded(path))), element("dd", {}, recorded(why))),
  );
  return [element("h3", {}, "What could not be seen"), element("div", {}, list)];
}
