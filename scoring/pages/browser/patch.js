/** A unified diff, as a reviewer reads it. */

/** Lines of a patch that are drawn at first. */
const FIRST_LINES = 400;

/**
 * A patch as a table of lines with their numbers; findings stand at theirs.
 * @param {ChangedFile} file
 * @param {Finding[]} findings those of this file
 */
function patchView(file, findings) {
  const lines = patchLines(file.patch);
  const body = element("tbody");
  const rest = element("p.more");
  let shown = 0;
  /** @param {number} size */
  function show(size) {
    for (const line of lines.slice(shown, shown + size)) {
      body.append(patchRow(line));
      if (line.now !== null) body.append(...findings.filter((finding) => finding.line === line.now).map(findingRow));
    }
    shown = Math.min(shown + size, lines.length);
    const left = lines.length - shown;
    rest.replaceChildren(left ? element("button", { type: "button", onclick: () => show(left) }, `Show ${count(left)} more lines`) : "");
    rest.hidden = left === 0;
  }
  show(FIRST_LINES);
  const head = element("thead.hidden", {}, element("tr", {}, ["Before", "After", "Line"].map((title) => element("th", { scope: "col" }, title))));
  const made = element("table.patch", {}, element("caption.hidden", {}, `Changes of ${file.path}`), head, body);
  return element("div", {}, element("div.scroll", { tabindex: "0", role: "region", "aria-label": `Changes of ${file.path}` }, made), rest, file.cut ? element("p.note", {}, `${count(file.cut)} more characters are not on the page`) : null);
}

/**
 * @typedef {{ kind: "add" | "remove" | "same" | "head", was: number | null, now: number | null, text: string }} PatchLine
 * @param {string} patch
 * @returns {PatchLine[]}
 */
function patchLines(patch) {
  /** @type {PatchLine[]} */
  const lines = [];
  let was = 0;
  let now = 0;
  let inHunk = false;
  for (const text of patch.replace(/\n$/, "").split("\n")) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (hunk) {
      [was, now, inHunk] = [Number(hunk[1]), Number(hunk[2]), true];
      lines.push({ kind: "head", was: null, now: null, text });
    } else if (!inHunk || text.startsWith("\\")) lines.push({ kind: "head", was: null, now: null, text });
    else if (text.startsWith("+")) lines.push({ kind: "add", was: null, now: now++, text });
    else if (text.startsWith("-")) lines.push({ kind: "remove", was: was++, now: null, text });
    else if (text.startsWith(" ") || text === "") lines.push({ kind: "same", was: was++, now: now++, text });
    else {
      inHunk = false;
      lines.push({ kind: "head", was: null, now: null, text });
    }
  }
  return lines;
}

/** @param {PatchLine} line */
function patchRow(line) {
  return element(`tr.${line.kind}`, {}, element("td.line", {}, line.was ?? ""), element("td.line", {}, line.now ?? ""), element("td.source", {}, recorded(line.text)));
}

/** @param {Finding} finding */
function findingRow(finding) {
  return element("tr.finding", {}, element("td", { colspan: "3" }, findingText(finding)));
}

/** @param {Finding} finding @returns {Content} */
function findingText(finding) {
  return [element(`span.word.${finding.severity === "info" || finding.severity === "low" ? "warn" : "bad"}`, {}, finding.severity), " ", recorded(`${finding.rule}: ${finding.message}`)];
}
