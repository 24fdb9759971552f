/** A unified diff, as a reviewer reads it. */

/** @typedef {{ kind: "hunk" | "same" | "added" | "removed" | "note", text: string, old: number | null, new: number | null }} PatchLine */

/** Lines of a file's diff that are shown before more is asked for. */
const PATCH_LINES = 300;

/** By its first character, what a line of a hunk is. @type {Record<string, "same" | "added" | "removed" | "note">} */
const LINE_KINDS = { " ": "same", "+": "added", "-": "removed", "\\": "note" };

/** @param {string} patch as git writes it; what stands before the first hunk is left out @returns {PatchLine[]} */
function patchLines(patch) {
  /** @type {PatchLine[]} */
  const lines = [];
  let before = 0;
  let after = 0;
  let within = false;
  const texts = patch.split("\n");
  if (texts[texts.length - 1] === "") texts.pop();
  for (const text of texts) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (hunk) {
      [before, after, within] = [Number(hunk[1]), Number(hunk[2]), true];
      lines.push({ kind: "hunk", text, old: null, new: null });
    } else if (within) {
      const kind = LINE_KINDS[text[0]] ?? "same";
      const has = { old: kind === "same" || kind === "removed", new: kind === "same" || kind === "added" };
      lines.push({ kind, text: text.slice(1), old: has.old ? before++ : null, new: has.new ? after++ : null });
    }
  }
  return lines;
}

/** Of each line that was written anew, the one that it replaces, both ways. @param {PatchLine[]} lines */
function replacedLines(lines) {
  /** @type {Map<PatchLine, PatchLine>} */
  const pairs = new Map();
  for (let at = 0; at < lines.length; ) {
    let removed = at;
    while (lines[removed]?.kind === "removed") removed++;
    let added = removed;
    while (lines[added]?.kind === "added") added++;
    if (removed > at && added - removed === removed - at) {
      for (let step = 0; step < removed - at; step++) {
        pairs.set(lines[at + step], lines[removed + step]);
        pairs.set(lines[removed + step], lines[at + step]);
      }
    }
    at = Math.max(added, at + 1);
  }
  return pairs;
}

/** A line's text, what differs from its other form marked. @param {string} text @param {string | undefined} other */
function lineText(text, other) {
  if (other === undefined) return recorded(text);
  const most = Math.min(text.length, other.length);
  let prefix = 0;
  while (prefix < most && text[prefix] === other[prefix]) prefix++;
  let suffix = 0;
  while (suffix < most - prefix && text[text.length - 1 - suffix] === other[other.length - 1 - suffix]) suffix++;
  const end = text.length - suffix;
  if (prefix + suffix < most / 3 || prefix >= end) return recorded(text);
  return [recorded(text.slice(0, prefix)), element("mark", {}, recorded(text.slice(prefix, end))), recorded(text.slice(end))];
}

/** Characters of a line that are shown before more is asked for. */
const LONG_LINE = 2000;

/** A line, or its beginning if it is very long. @param {PatchLine} line @param {PatchLine | undefined} other */
function lineContent(line, other) {
  if (line.text.length <= LONG_LINE) return lineText(line.text, other?.text.slice(0, LONG_LINE));
  const all = element("button", { type: "button", onclick: () => holder.replaceChildren(...nodes([recorded(line.text)])) }, `Show all ${count(line.text.length)} characters`);
  const holder = element("span", {}, recorded(line.text.slice(0, LONG_LINE)), " … ", all);
  return holder;
}

/** By kind, the sign before a line. */
const LINE_SIGNS = { same: " ", added: "+", removed: "−", note: "", hunk: "" };

/**
 * @param {View} view
 * @param {ChangedFile} file
 * @param {Finding[]} findings at lines of it
 */
function patchTable(view, file, findings) {
  const lines = patchLines(file.patch);
  const pairs = replacedLines(lines);
  const body = element("tbody");
  const told = new Set();
  const rows = lines.map((line) => {
    const there = findings.filter((finding) => !told.has(finding) && finding.line !== null && finding.line === line.new);
    for (const finding of there) told.add(finding);
    return { line, findings: there };
  });
  const make = (/** @type {{ line: PatchLine, findings: Finding[] }} */ row) => {
    const made = document.createDocumentFragment();
    made.append(patchRow(row.line, pairs.get(row.line)), ...row.findings.map((finding) => findingRow(view, finding)));
    return made;
  };
  const table = element("table.diff", { "aria-label": `Changes of ${marked(file.path)}` }, body);
  const box = element("div.diff-box", { tabindex: 0, role: "group", "aria-label": `Diff of ${marked(file.path)}` }, table);
  showMore(box, body, rows, make);
  const elsewhere = findings.filter((finding) => !told.has(finding));
  return element("div", {}, elsewhere.map((finding) => findingBlock(view, finding)), box);
}

/**
 * The rows of a diff, the first of them at once.
 * @template T
 * @param {HTMLElement} box
 * @param {HTMLElement} body
 * @param {T[]} rows
 * @param {(row: T) => Node} make
 */
function showMore(box, body, rows, make) {
  body.append(...rows.slice(0, PATCH_LINES).map(make));
  let shown = Math.min(rows.length, PATCH_LINES);
  if (shown === rows.length) return;
  const more = element("button.more", { type: "button" });
  const label = () => (more.textContent = `Show the other ${count(rows.length - shown)} lines`);
  more.addEventListener("click", () => {
    body.append(...rows.slice(shown, shown + 10 * PATCH_LINES).map(make));
    shown = Math.min(rows.length, shown + 10 * PATCH_LINES);
    if (shown === rows.length) more.remove();
    else label();
  });
  label();
  box.append(more);
}

/** @param {PatchLine} line @param {PatchLine | undefined} other */
function patchRow(line, other) {
  if (line.kind === "hunk") return element("tr.hunk", {}, element("td", { colspan: 4 }, recorded(line.text)));
  return element(
    `tr.${line.kind}`,
    {},
    element("td.line", { "data-line": line.old }),
    element("td.line", { "data-line": line.new }),
    element("td.sign", {}, LINE_SIGNS[line.kind]),
    element("td.text", {}, lineContent(line, other)),
  );
}

/** @param {View} view @param {Finding} finding */
function findingRow(view, finding) {
  return element("tr.finding-row", {}, element("td", { colspan: 4 }, findingBlock(view, finding)));
}

/** What a scorer found that a reviewer should look at. @param {View} view @param {Finding} finding */
function findingBlock(view, finding) {
  const call = finding.call === null ? -1 : view.page.calls.findIndex((made) => made.id === finding.call);
  const tone = { severe: ".bad", high: ".bad", medium: ".warn" }[/** @type {string} */ (finding.severity)] ?? "";
  const where = finding.path === null ? null : `${finding.path}${finding.line === null ? "" : `:${finding.line}`}`;
  return element(
    "div.finding",
    {},
    element("p", {}, element(`strong${tone}`, {}, `⚑ ${finding.severity}`), " ", element("code", {}, recorded(finding.rule)), " ", sentence(finding.message)),
    element(
      "p.quiet",
      {},
      where ? [recorded(where), " "] : null,
      call >= 0 ? callLink(view.page, call) : null,
    ),
    finding.excerpt ? element("pre", { tabindex: 0, role: "group", "aria-label": "Excerpt" }, recorded(finding.excerpt)) : null,
  );
}
