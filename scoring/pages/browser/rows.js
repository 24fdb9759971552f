/** A table of many rows, of which only those are drawn that are seen. */

/** Pixels of a row, as in calls.css. */
const ROW_HEIGHT = 30;
/** Rows drawn beyond those that are seen. */
const ROWS_AROUND = 12;

/**
 * Draws rows into a table's body as its box is scrolled.
 * @param {HTMLElement} box that scrolls
 * @param {HTMLElement} body of the table
 * @param {number} columns
 * @param {(place: number) => HTMLElement} make a row by its place
 */
function windowedRows(box, body, columns, make) {
  let total = 0;
  let first = -1;
  let last = -1;
  /** @param {number} rows that are not drawn */
  function spacer(rows) {
    const cell = element("td", { colspan: columns });
    cell.style.height = `${rows * ROW_HEIGHT}px`;
    return element("tr.spacer", { "aria-hidden": "true" }, cell);
  }
  /** @param {boolean} [anew] */
  function draw(anew = false) {
    const from = Math.max(0, Math.floor(box.scrollTop / ROW_HEIGHT) - ROWS_AROUND);
    const to = Math.min(total, Math.ceil((box.scrollTop + box.clientHeight) / ROW_HEIGHT) + ROWS_AROUND);
    if (!anew && from === first && to === last) return;
    [first, last] = [from, to];
    const rows = Array.from({ length: to - from }, (_, place) => make(from + place));
    body.replaceChildren(...(from ? [spacer(from)] : []), ...rows, ...(to < total ? [spacer(total - to)] : []));
  }
  box.addEventListener("scroll", () => draw(), { passive: true });
  new ResizeObserver(() => draw()).observe(box);
  return {
    /** @param {number} rows how many there are now */
    set(rows) {
      total = rows;
      draw(true);
    },
    /** Have a row in sight. @param {number} place */
    reveal(place) {
      const top = place * ROW_HEIGHT;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + 2 * ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + 3 * ROW_HEIGHT - box.clientHeight;
      draw(true);
    },
  };
}
