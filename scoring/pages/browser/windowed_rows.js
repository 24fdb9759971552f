/** The rows of a long table: only those near what is seen are there. */

/** Rows beyond the seen ones, on each side. */
const SPARE_ROWS = 24;

class WindowedRows {
  /**
   * @param {HTMLElement} box that scrolls
   * @param {HTMLElement} table
   * @param {(place: number) => HTMLElement} make a row
   */
  constructor(box, table, make) {
    this.box = box;
    this.make = make;
    this.count = 0;
    this.height = 30;
    this.active = 0;
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    this.above = element("tbody", { "aria-hidden": "true" });
    this.body = element("tbody");
    this.below = element("tbody", { "aria-hidden": "true" });
    table.append(this.above, this.body, this.below);
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** All rows are others now. @param {number} count how many there are */
  reset(count) {
    this.count = count;
    this.active = Math.min(this.active, Math.max(count - 1, 0));
    fillSpace(this.below, count * this.height);
    this.rows.clear();
    this.body.replaceChildren();
    this.draw();
  }

  /** Make the rows that are near, and let go of those that are not. */
  draw() {
    const known = this.body.firstElementChild?.getBoundingClientRect().height;
    if (known) this.height = known;
    const top = Math.floor(this.box.scrollTop / this.height);
    const first = Math.max(0, top - SPARE_ROWS);
    const last = Math.min(this.count, top + Math.ceil(this.box.clientHeight / this.height) + SPARE_ROWS);
    for (const [place, row] of this.rows) if (place < first || place >= last) this.drop(place, row);
    const present = [];
    for (let place = first; place < last; place++) {
      const row = this.rows.get(place) ?? this.make(place);
      if (!this.rows.has(place)) this.rows.set(place, row);
      present.push(row);
      const button = row.querySelector("button");
      if (button) button.tabIndex = place === this.active ? 0 : -1;
    }
    this.place(present);
    fillSpace(this.above, first * this.height);
    fillSpace(this.below, (this.count - last) * this.height);
  }

  /** @param {number} place @param {HTMLElement} row */
  drop(place, row) {
    if (row.contains(document.activeElement)) this.box.focus({ preventScroll: true });
    row.remove();
    this.rows.delete(place);
  }

  /** Put rows in order without moving those that stand already. @param {HTMLElement[]} present */
  place(present) {
    let next = this.body.firstElementChild;
    for (const row of present) {
      if (row === next) next = next.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
  }

  /** Arrows and their like go from row to row. @param {KeyboardEvent} event */
  onKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.count, End: this.count }[event.key];
    const inHead = event.target instanceof Element && event.target.closest("thead");
    if (step === undefined || inHead || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.go(Math.min(Math.max(this.active + step, 0), this.count - 1), true);
  }

  /** Make a row the active one, and bring it into the box. @param {number} place @param {boolean} focus */
  go(place, focus) {
    if (place < 0 || place >= this.count) return;
    this.active = place;
    const head = this.box.querySelector("thead")?.clientHeight ?? 0;
    const top = place * this.height;
    const seen = this.box.clientHeight - head - this.height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + seen) this.box.scrollTop = top - seen;
    this.draw();
    if (focus) this.rows.get(place)?.querySelector("button")?.focus({ preventScroll: true });
  }
}

/** @param {HTMLElement} body @param {number} height */
function fillSpace(body, height) {
  if (height <= 0) {
    body.replaceChildren();
    return;
  }
  const cell = body.querySelector("td") ?? element("td", { colspan: 20 });
  cell.style.height = `${height}px`;
  if (!cell.isConnected || !body.contains(cell)) body.replaceChildren(element("tr.space", {}, cell));
}
