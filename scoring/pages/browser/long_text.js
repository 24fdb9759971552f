/** Text of any length: its beginning at once, all of it on demand, in pieces that the browser lays out as they come into view. */

const SHORT_TEXT = 4000;
const SHORT_LINES = 40;
/** Characters of a piece, about; it ends where a line does if one ends in it. */
const PIECE = 32768;

/**
 * @param {View} view
 * @param {string} key by which it is remembered that all of it was asked for
 * @param {string} text of the record
 * @param {string} [label] for those who cannot see where it stands
 * @returns {HTMLElement}
 */
function longText(view, key, text, label) {
  const holder = element("div.long-text");
  const shown = view.state.get(key) ? text.length : beginning(text);
  fillText(holder, text.slice(0, shown), label);
  if (shown < text.length) {
    const all = element("button.more", { type: "button" }, `Show all ${count(text.length)} characters`);
    all.addEventListener("click", () => {
      view.state.set(key, true);
      fillText(holder, text, label);
      /** @type {HTMLElement} */ (holder.firstElementChild).focus();
    });
    holder.append(all);
  }
  return holder;
}

/** Where the part ends that is shown at first. @param {string} text */
function beginning(text) {
  let end = -1;
  for (let line = 0; line < SHORT_LINES; line++) {
    end = text.indexOf("\n", end + 1);
    if (end < 0) break;
  }
  const cut = Math.min(end < 0 ? text.length : end + 1, SHORT_TEXT);
  return text.length - cut < SHORT_TEXT / 8 ? text.length : cut;
}

/** @param {HTMLElement} holder @param {string} text @param {string} [label] */
function fillText(holder, text, label) {
  const block = element("pre", { tabindex: 0, role: "group", "aria-label": label ?? "Text" });
  for (let start = 0; start < text.length; ) {
    const line = text.indexOf("\n", start + PIECE);
    const end = line < 0 || line > start + 4 * PIECE ? Math.min(start + PIECE, text.length) : line + 1;
    block.append(element("div.piece", {}, recorded(text.slice(start, end))));
    start = end;
  }
  if (!text) block.append(element("div.piece", {}));
  holder.replaceChildren(block);
}
