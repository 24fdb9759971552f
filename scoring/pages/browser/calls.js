/** The calls to the model: a table to sort and to filter, and the one that is opened. */

/**
 * A column: its heading, what it is sorted by, and what stands in it.
 * @typedef {{ title: string, key: (call: ModelCall) => number | string | null, show: (call: ModelCall, page: PageDocument) => Content, number?: boolean }} CallColumn
 */

/** @type {CallColumn[]} */
const CALL_COLUMNS = [
  { title: "Timestamp", key: (call) => call.start_ms, show: (call, page) => new Date(page.origin_ms + call.start_ms).toISOString().slice(11, 23) },
  { title: "Request hash", key: (call) => call.request_hash, show: (call) => element("code", {}, call.request_hash?.slice(0, 12) ?? UNKNOWN) },
  { title: "Prompt", key: (call) => call.prompt, show: (call) => count(call.prompt), number: true },
  { title: "Completion", key: (call) => call.completion, show: (call) => count(call.completion), number: true },
  { title: "Cached", key: (call) => call.cached, show: (call) => count(call.cached), number: true },
  { title: "Latency", key: (call) => call.latency_ms, show: (call) => duration(call.latency_ms), number: true },
  { title: "TTFT", key: (call) => call.ttft_ms, show: (call) => duration(call.ttft_ms), number: true },
  { title: "Finish", key: (call) => finishText(call), show: (call) => recorded(finishText(call)) },
];

/** @param {ModelCall} call */
function finishText(call) {
  const broken = call.error ?? (call.outcome === "completed" ? null : words(call.outcome));
  const attempt = call.attempt !== null && call.attempt > 1 ? ` (attempt ${call.attempt})` : "";
  return `${broken ? `✗ ${broken}` : call.finish.join(", ") || UNKNOWN}${attempt}`;
}

/** By name: which calls pass. @type {Record<string, (call: ModelCall) => boolean>} */
const CALL_FILTERS = {
  all: () => true,
  failed: (call) => call.error !== null || call.outcome !== "completed",
  retried: (call) => call.attempt !== null && call.attempt > 1,
};

/**
 * How the table stands: it outlives a reload of a running run.
 * @typedef {{ column: number, descending: boolean, text: string, filter: string, open: number | null }} CallsState
 */

/** @param {View} view @returns {HTMLElement | null} */
function callsSection(view) {
  const { page } = view;
  if (!page.calls.length) return section("calls", "Model calls (0)", absent(page.reasons.calls ?? "no call was recorded for this run"));
  /** @type {CallsState} */
  const state = view.state.get("calls") ?? { column: 0, descending: false, text: "", filter: "all", open: null };
  view.state.set("calls", state);
  const made = new CallsTable(view, state);
  view.state.set("openCall", (/** @type {number} */ index) => made.open(index));
  return section("calls", `Model calls (${count(page.calls.length)})`, page.reasons.calls ? element("p.note", {}, recorded(page.reasons.calls)) : null, made.controls, made.box, made.status, made.detail);
}

/** Open a call and go there, from anywhere on the page. @param {View} view @param {number} index */
function openCall(view, index) {
  view.state.get("openCall")?.(index);
}

class CallsTable {
  /** @param {View} view @param {CallsState} state */
  constructor(view, state) {
    this.view = view;
    this.state = state;
    /** @type {number[]} */
    this.shown = [];
    this.head = element("tr");
    this.body = element("tbody", { onkeydown: (event) => this.key(event) });
    const caption = element("caption", {}, "Calls to the model; Enter opens one, the arrow keys move");
    this.table = element("table.calls", {}, caption, element("thead", {}, this.head), this.body);
    this.box = element("div.scroll.rows", { role: "region", "aria-label": "Calls to the model" }, this.table);
    this.status = element("p.note", { role: "status" });
    this.detail = element("div", { id: "call-detail" });
    this.controls = this.makeControls();
    this.rows = windowedRows(this.box, this.body, CALL_COLUMNS.length, (place) => this.row(place));
    this.refresh();
    if (state.open !== null) this.showDetail(state.open);
  }

  makeControls() {
    const search = element("input", { type: "search", placeholder: "model, hash, finish, error, message", value: this.state.text, oninput: (event) => this.filter({ text: event.target.value }) });
    const filters = element("select", { onchange: (event) => this.filter({ filter: event.target.value }) }, Object.keys(CALL_FILTERS).map((name) => element("option", { value: name, selected: name === this.state.filter }, name)));
    return element("div.controls", {}, element("label", {}, "Find ", search), element("label", {}, "Show ", filters));
  }

  /** @param {Partial<CallsState>} change */
  filter(change) {
    Object.assign(this.state, change);
    this.box.scrollTop = 0;
    this.refresh();
  }

  /** @param {number} column */
  sort(column) {
    this.filter({ descending: column === this.state.column && !this.state.descending, column });
    /** @type {HTMLElement} */ (this.head.children[column].firstChild).focus();
  }

  refresh() {
    const { page } = this.view;
    const { column, descending, text, filter } = this.state;
    const wanted = text.toLowerCase();
    const key = CALL_COLUMNS[column].key;
    this.shown = page.calls.flatMap((call, index) => (CALL_FILTERS[filter](call) && (!wanted || holds(page, call, wanted)) ? [index] : []));
    this.shown.sort((one, other) => compared(key(page.calls[one]), key(page.calls[other])) * (descending ? -1 : 1) || one - other);
    this.table.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.head.replaceChildren(...CALL_COLUMNS.map((each, place) => this.heading(each, place)));
    this.status.textContent = `${count(this.shown.length)} of ${count(page.calls.length)} calls`;
    this.rows.set(this.shown.length);
  }

  /** @param {CallColumn} column @param {number} place */
  heading(column, place) {
    const sorted = place !== this.state.column ? "none" : this.state.descending ? "descending" : "ascending";
    const arrow = { none: "", ascending: " ▲", descending: " ▼" }[sorted];
    return element(`th${column.number ? ".number" : ""}`, { scope: "col", "aria-sort": sorted }, element("button", { type: "button", onclick: () => this.sort(place) }, column.title, element("span", { "aria-hidden": "true" }, arrow)));
  }

  /** @param {number} place among those shown */
  row(place) {
    const { page } = this.view;
    const index = this.shown[place];
    const call = page.calls[index];
    const failed = CALL_FILTERS.failed(call);
    const cells = CALL_COLUMNS.map((column, at) => {
      const content = column.show(call, page);
      if (at) return element(`td${column.number ? ".number" : ""}`, {}, content);
      return element("th", { scope: "row" }, element("button.open", { type: "button", "data-place": place, onclick: () => this.open(index, false) }, content));
    });
    const opened = index === this.state.open;
    return element(`tr${failed ? ".failed" : ""}`, { "aria-rowindex": place + 2, "aria-current": opened ? "true" : null }, cells);
  }

  /** Up and down between the rows. @param {KeyboardEvent} event */
  key(event) {
    const moves = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 });
    const from = Number(/** @type {HTMLElement} */ (event.target).dataset.place);
    const move = moves[event.key];
    if (!move || Number.isNaN(from)) return;
    event.preventDefault();
    this.focus(Math.min(Math.max(from + move, 0), this.shown.length - 1));
  }

  /** @param {number} place */
  focus(place) {
    this.rows.reveal(place);
    /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-place="${place}"]`))?.focus({ preventScroll: true });
  }

  /** Show a call below the table. @param {number} index @param {boolean} [reveal] have its row in sight, too */
  open(index, reveal = true) {
    this.state.open = index;
    const place = this.shown.indexOf(index);
    if (reveal && place >= 0) this.rows.reveal(place);
    else this.rows.set(this.shown.length);
    this.showDetail(index);
    /** @type {HTMLElement} */ (this.detail.firstChild).focus();
  }

  /** @param {number} index */
  showDetail(index) {
    this.detail.replaceChildren(callDetails(this.view, index));
  }
}

/** Whether a call holds a text, in lower case, in what is said of it or in it. @param {PageDocument} page @param {ModelCall} call @param {string} text */
function holds(page, call, text) {
  const said = [call.id, call.request_hash, call.model_asked, call.model_answered, call.error, call.error_message, finishText(call), call.outcome];
  if (said.some((each) => each?.toLowerCase().includes(text))) return true;
  const messages = [...(call.asked?.added ?? []), ...(call.answers ?? [])];
  return messages.some((place) => page.messages[place].text.toLowerCase().includes(text));
}

/** What is not known comes last. @param {number | string | null} one @param {number | string | null} other */
function compared(one, other) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  return one < other ? -1 : Number(one > other);
}
