/** The calls to the model: a table, and the call that is open. */

/**
 * @typedef {{ label: string, by: (call: ModelCall) => string | number | null, show: (call: ModelCall, page: PageDocument) => Content, number?: boolean }} CallColumn
 * @typedef {{ sort: number, falling: boolean, text: string, only: string, open: string | null, top: number, redraw: () => void, mark: () => void, reach: (place: number) => void }} CallsState
 */

/** @type {CallColumn[]} */
const CALL_COLUMNS = [
  { label: "Timestamp", by: (call) => call.start_ms, show: (call, page) => timeOfDay(page.origin_ms + call.start_ms) },
  { label: "Request hash", by: (call) => call.request_hash, show: (call) => element("code", {}, call.request_hash?.slice(0, 12) ?? UNKNOWN) },
  { label: "Prompt", by: (call) => call.prompt, show: (call) => count(call.prompt), number: true },
  { label: "Completion", by: (call) => call.completion, show: (call) => count(call.completion), number: true },
  { label: "Cached", by: (call) => call.cached, show: (call) => count(call.cached), number: true },
  { label: "Latency", by: (call) => call.latency_ms, show: (call) => duration(call.latency_ms), number: true },
  { label: "TTFT", by: (call) => call.ttft_ms, show: (call) => duration(call.ttft_ms), number: true },
  { label: "Finish", by: (call) => call.finish.join(", ") || null, show: (call) => recorded(call.finish.join(", ") || UNKNOWN) },
  { label: "Notes", by: (call) => (hasFailed(call) ? failureWord(call) : null), show: callMarks },
];

/** What is not as usual. @param {ModelCall} call */
function callMarks(call) {
  const attempt = call.attempt !== null && call.attempt > 1 ? element("span.mark", {}, `attempt ${call.attempt}`) : null;
  const failed = hasFailed(call) ? element("span.mark.bad", {}, `✗ ${failureWord(call)}`) : null;
  const running = call.outcome === "in_flight" ? element("span.mark.warn", {}, "in flight") : null;
  return [failed, attempt, running, call.led_to.length ? element("span.mark", {}, counted(call.led_to.length, "change")) : null];
}

/** @param {View} view @returns {CallsState} */
function callsState(view) {
  const none = () => {};
  if (!view.state.has("calls")) {
    view.state.set("calls", { sort: 0, falling: false, text: "", only: "all", open: null, top: 0, redraw: none, mark: none, reach: none });
  }
  return view.state.get("calls");
}

/** @param {View} view @returns {HTMLElement | null} */
function callsSection(view) {
  const { page } = view;
  if (!page.calls.length) {
    return section("calls", "Model calls (0)", absent(page.reasons.calls ?? (page.live ? "None yet." : "Per-call records not captured for this run.")));
  }
  const panel = element("div", { id: "call-panel" });
  const made = section("calls", `Model calls (${count(page.calls.length)})`, callControls(view), callTable(view), panel);
  const state = callsState(view);
  state.mark = () => {
    const place = page.calls.findIndex((call) => call.id === state.open);
    panel.replaceChildren(...(place < 0 ? [] : [callPanel(view, place)]));
    state.redraw();
  };
  state.mark();
  return made;
}

/** @param {View} view */
function callControls(view) {
  const { calls } = view.page;
  const state = callsState(view);
  const field = /** @type {HTMLInputElement} */ (
    element("input", { type: "search", placeholder: "model, finish, hash, error, text", id: "calls-filter", oninput: () => {
      state.text = field.value;
      state.redraw();
    } })
  );
  field.value = state.text;
  /** @type {[string, string, number][]} */
  const kinds = [
    ["all", "All", calls.length],
    ["failed", "Failed", calls.filter(hasFailed).length],
    ["retried", "Retried", retriedCalls(calls).size],
  ];
  const buttons = kinds.map(([name, label, many]) =>
    element("button", { type: "button", "data-only": name, "aria-pressed": String(state.only === name), onclick: () => {
      state.only = name;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.only === name));
      state.redraw();
    } }, `${label} ${count(many)}`),
  );
  return element(
    "div.controls",
    {},
    element("label", { for: "calls-filter" }, "Filter"),
    field,
    element("span.buttons", { role: "group", "aria-label": "Which calls" }, buttons),
    element("span.quiet", { id: "calls-shown", role: "status" }),
  );
}

/** @param {View} view */
function callTable(view) {
  const { page } = view;
  const state = callsState(view);
  const heads = CALL_COLUMNS.map((column, place) =>
    element(`th${column.number ? ".number" : ""}`, { scope: "col" }, element("button.sort", { type: "button", onclick: () => {
      state.falling = state.sort === place && !state.falling;
      state.sort = place;
      state.redraw();
    } }, column.label)),
  );
  const head = element("thead", {}, element("tr", {}, element("td.number", {}, "#"), heads));
  const table = element("table", {}, head);
  const box = element("div.rows", { tabindex: 0, role: "group", "aria-label": "Table of model calls" }, table);
  const retried = retriedCalls(page.calls);
  /** @type {number[]} */
  let shown = [];
  const rows = new WindowedRows(box, table, (row) => callRow(view, shown[row], row, rows));
  state.redraw = () => {
    const fits = callsWith(page, state.text);
    const kinds = { all: () => true, failed: (/** @type {number} */ place) => hasFailed(page.calls[place]), retried: (/** @type {number} */ place) => retried.has(place) };
    const among = kinds[/** @type {keyof typeof kinds} */ (state.only)];
    const places = page.calls.map((_, place) => place).filter((place) => among(place) && fits(place));
    shown = sortedCalls(page.calls, places, CALL_COLUMNS[state.sort].by, state.falling);
    heads.forEach((cell, place) =>
      cell.setAttribute("aria-sort", place !== state.sort ? "none" : state.falling ? "descending" : "ascending"),
    );
    table.setAttribute("aria-rowcount", String(shown.length + 1));
    const told = box.parentElement?.querySelector("#calls-shown");
    if (told) told.textContent = shown.length === page.calls.length ? "" : `${count(shown.length)} of ${count(page.calls.length)} shown`;
    rows.reset(shown.length);
  };
  state.reach = (place) => rows.go(shown.indexOf(place), false);
  box.addEventListener("scroll", () => (state.top = box.scrollTop), { passive: true });
  const { top } = state;
  queueMicrotask(() => (box.scrollTop = top));
  return box;
}

/** @param {View} view @param {number} place @param {number} row @param {WindowedRows} rows */
function callRow(view, place, row, rows) {
  const call = view.page.calls[place];
  const open = callsState(view).open === call.id;
  return element(
    "tr",
    { "aria-rowindex": row + 2, "aria-current": open ? "true" : null, onclick: () => {
      rows.active = row;
      openCall(view, place);
    } },
    element("td.number", {}, element("button.open", { type: "button", "aria-label": `Open call ${place + 1}` }, count(place + 1))),
    CALL_COLUMNS.map((column) => element(`td${column.number ? ".number" : ""}`, {}, column.show(call, view.page))),
  );
}

/** Open a call, and bring it into view. @param {View} view @param {number} place in the calls of the page */
function openCall(view, place) {
  const state = callsState(view);
  const call = view.page.calls[place];
  if (!call) return;
  state.open = call.id;
  state.mark();
  state.reach(place);
  const panel = document.getElementById("call-panel");
  panel?.scrollIntoView({ block: "start" });
  /** @type {HTMLElement | null} */ (panel?.firstElementChild)?.focus({ preventScroll: true });
}

/** Close the open call, and go back to its row. @param {View} view */
function closeCall(view) {
  const state = callsState(view);
  state.open = null;
  state.mark();
  const box = /** @type {HTMLElement | null} */ (document.querySelector(".rows"));
  (/** @type {HTMLElement | null} */ (box?.querySelector("button.open[tabindex='0']")) ?? box)?.focus();
  document.getElementById("calls")?.scrollIntoView({ block: "start" });
}
