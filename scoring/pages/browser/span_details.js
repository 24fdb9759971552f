/** All that is known of one span. */

/** @param {View} view @param {number} place of the span */
function spanDetails(view, place) {
  const { spans } = view.page;
  const span = spans[place];
  const parent = spans.find((other) => other.id === span.parent);
  const length = span.end_ms === null ? null : span.end_ms - span.start_ms;
  return [
    element("h3", {}, element(`span.swatch.${kindClass(span.kind)}`, {}), span.name),
    span.error === null ? null : element("p.failure", {}, element("strong", {}, "Error: "), span.error),
    element(
      "dl.told",
      {},
      fact("Span", `${count(place + 1)} of ${count(spans.length)}`),
      fact("Kind", span.kind),
      fact("Id", element("code", {}, span.id)),
      fact("Parent", parent ? `${parent.name} (${parent.id})` : (span.parent ?? "none")),
      fact("Start", `t = ${moment(span.start_ms)}`),
      fact("Duration", length === null ? "it had not ended" : duration(length)),
    ),
    openerOf(view, span),
    span.attributes.length ? attributeTable(span.attributes) : element("p.quiet", {}, "No attributes."),
  ];
}

/** @param {string} label @param {Content} value */
function fact(label, value) {
  return element("div", {}, element("dt", {}, label), element("dd", {}, value));
}

/** A button that opens the call that a span is. @param {View} view @param {Span} span */
function openerOf(view, span) {
  const place = span.call;
  if (place === null || typeof openCall !== "function") return null;
  return element("p", {}, element("button", { type: "button", onclick: () => openCall(view, place) }, `Open call ${place + 1}`));
}

/** @param {[string, string][]} attributes */
function attributeTable(attributes) {
  return element(
    "div.scrolling",
    { role: "group", "aria-label": "Attributes of the span", tabindex: 0 },
    element(
      "table.attributes",
      {},
      element("caption", {}, "Attributes"),
      element("tbody", {}, attributes.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)))),
    ),
  );
}

/** A span in a sentence. @param {Span} span */
function spanSentence(span) {
  const length = span.end_ms === null ? "not ended" : duration(span.end_ms - span.start_ms);
  return `${span.kind} ${span.name}, at ${moment(span.start_ms)}, ${length}${span.error === null ? "" : `, error: ${span.error}`}`;
}
