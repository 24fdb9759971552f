/** The spans as a table: what the bars show, to be read. */

const SPANS_A_PAGE = 50;

/** @param {Span[]} spans @param {(place: number) => void} onchoose */
function spanTable(spans, onchoose) {
  const body = element("tbody", {});
  const shown = element("span", { "aria-live": "polite" });
  let first = 0;
  const turn = (/** @type {number} */ to) => {
    first = Math.min(Math.max(to, 0), Math.floor((spans.length - 1) / SPANS_A_PAGE) * SPANS_A_PAGE);
    const rows = spans.slice(first, first + SPANS_A_PAGE);
    body.replaceChildren(...rows.map((span, offset) => spanRow(span, first + offset, onchoose)));
    shown.textContent = `${count(first + 1)} to ${count(first + rows.length)} of ${count(spans.length)}`;
    back.toggleAttribute("disabled", first === 0);
    on.toggleAttribute("disabled", first + rows.length >= spans.length);
  };
  const back = element("button", { type: "button", onclick: () => turn(first - SPANS_A_PAGE) }, "Previous");
  const on = element("button", { type: "button", onclick: () => turn(first + SPANS_A_PAGE) }, "Next");
  const titles = ["Start", "Duration", "Kind", "Name", "Error"];
  const table = element(
    "div.scrolling",
    { role: "group", "aria-label": "Table of spans", tabindex: 0 },
    element("table.spans", {}, element("thead", {}, element("tr", {}, titles.map((title, place) => element(place < 2 ? "th.number" : "th", { scope: "col" }, title)))), body),
  );
  const pages = spans.length > SPANS_A_PAGE ? element("p.pages", {}, back, " ", on, " ", shown) : null;
  // Its rows are made when it is opened.
  const opened = () => body.childElementCount || turn(0);
  return element("details", { ontoggle: opened }, element("summary", {}, `All spans as a table (${count(spans.length)})`), pages, table);
}

/** @param {Span} span @param {number} place @param {(place: number) => void} onchoose */
function spanRow(span, place, onchoose) {
  const length = span.end_ms === null ? "not ended" : duration(span.end_ms - span.start_ms);
  const name = element("button.plain", { type: "button", onclick: () => onchoose(place) }, span.name);
  return element(
    "tr",
    {},
    element("td.number", {}, moment(span.start_ms)),
    element("td.number", {}, length),
    element("td", {}, element(`span.swatch.${kindClass(span.kind)}`, {}), span.kind),
    element("td", {}, name),
    element("td", {}, span.error),
  );
}
