/** All that the scorers say. */

/** @param {View} view @returns {HTMLElement | null} */
function breakdownSection(view) {
  const list = element("div.axes");
  const told = element("span.quiet", { role: "status" });
  const field = /** @type {HTMLInputElement} */ (
    element("input", { type: "search", id: "breakdown-filter", placeholder: "key or value", oninput: () => {
      view.state.set("breakdown.filter", field.value);
      draw();
    } })
  );
  field.value = view.state.get("breakdown.filter") ?? "";
  const draw = () => {
    const text = field.value.trim().toLowerCase();
    const shown = view.page.scorecard.axes.map((axis) => axisBreakdown(view, axis, text)).filter((made) => made !== null);
    list.replaceChildren(...shown, ...provenanceOf(view, text));
    told.textContent = text ? (list.childElementCount ? `found in ${count(list.childElementCount)}` : "found nowhere") : "";
  };
  draw();
  return section("breakdown", "Scorer breakdown", element("div.controls", {}, element("label", { for: "breakdown-filter" }, "Filter"), field, told), list);
}

/** @param {View} view @param {AxisValue} axis @param {string} text in lower case, that must stand in it */
function axisBreakdown(view, axis, text) {
  const details = filteredValue(axis.axis, axis.details, text);
  if (text && details === undefined) return null;
  const summary = [
    element("strong", {}, words(axis.axis)),
    element("span", {}, axisQuantity(axis)),
    element("span.quiet", {}, STATUSES[axis.status] ?? words(axis.status)),
    element("code.quiet", {}, `${marked(axis.formula)} v${axis.version}`),
  ];
  const key = text ? `axis.${axis.axis}.filtered.${text}` : `axis.${axis.axis}`;
  const made = disclosure(view, key, summary, () => axisDetails(view, axis, details ?? {}), Boolean(text));
  made.id = `axis-${axis.axis}`;
  return made;
}

/** @param {View} view @param {AxisValue} axis @param {unknown} details */
function axisDetails(view, axis, details) {
  return element(
    "div.axis-details",
    {},
    factList("h3", "How it was made", [
      ["Value", axis.value === null ? UNKNOWN : element("span.scalar", {}, String(axis.value))],
      ["Unit", recorded(axis.unit)],
      ["Bound", axis.bound ?? UNKNOWN],
      ["Source", axis.source ? recorded(axis.source) : UNKNOWN],
      ["n", count(axis.n)],
      ["Reason", axis.reason ? recorded(axis.reason) : UNKNOWN],
      ["Formula", [element("code", {}, recorded(axis.formula)), `, version ${axis.version}`]],
      ["Flags", axis.flags.length ? recorded(axis.flags.join(", ")) : "none"],
    ]),
    element("div", {}, element("h3", {}, "Keys and values"), valueTree(view, `value.${axis.axis}`, details)),
    axis.findings.length ? element("div", {}, element("h3", {}, "Findings"), axis.findings.map((finding) => findingBlock(view, finding))) : null,
    axis.evidence.length ? element("div", {}, element("h3", {}, "Evidence"), evidenceList(view, axis)) : null,
  );
}

/** @param {View} view @param {AxisValue} axis */
function evidenceList(view, axis) {
  const list = element("ul.plain");
  return element("div", {}, showSome(list, axis.evidence, 60, "pieces of evidence", (piece) => {
    const call = view.page.calls.findIndex((made) => made.id === piece.reference);
    return element(
      "li",
      {},
      element("span.quiet", {}, `${words(piece.kind)} `),
      call >= 0 ? callLink(view.page, call) : element("code", {}, recorded(piece.reference), piece.line === null ? null : `:${piece.line}`),
      piece.note ? [" ", recorded(piece.note)] : null,
    );
  }));
}

/** Where the scorecard comes from. @param {View} view @param {string} text @returns {HTMLElement[]} */
function provenanceOf(view, text) {
  const kept = filteredValue("provenance", view.page.scorecard.provenance, text);
  if (kept === undefined) return [];
  const key = text ? `provenance.filtered.${text}` : "provenance";
  return [disclosure(view, key, element("strong", {}, "provenance"), () => valueTree(view, "value.provenance", kept), Boolean(text))];
}
