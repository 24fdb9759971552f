"use strict";
/** Elements. Text only ever becomes text: nothing of a record is read as markup. */

/**
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties
 * @typedef {Node | string | number | null | undefined} Piece
 * @typedef {Piece | Piece[]} Content
 */

/**
 * Make an element.
 * @param {string} name of the element, with its classes: `div.row.wide`
 * @param {Properties} [properties] attributes, and listeners as `onclick`; null, undefined and false leave one out
 * @param {...Content} content
 * @returns {HTMLElement}
 */
function element(name, properties = {}, ...content) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag || "div");
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.replace(/^on/, ""), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...nodes(content));
  return made;
}

/**
 * @param {Content[]} content
 * @returns {(Node | string)[]}
 */
function nodes(content) {
  return content
    .flat()
    .filter((piece) => piece !== null && piece !== undefined)
    .map((piece) => (piece instanceof Node ? piece : String(piece)));
}

/**
 * A section of the page, with its heading.
 * @param {string} id by which links and tests find it
 * @param {string} title
 * @param {...Content} content
 */
function section(id, title, ...content) {
  return element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title), ...content);
}

/** What is said where nothing is: why. @param {string} reason */
function absent(reason) {
  return element("p.absent", {}, reason);
}

/** Characters that reorder, hide or control text: they are shown by their code, as reviewers' tools do. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Text of the record, with what cannot be seen made visible, and kept from turning what stands around it.
 * @param {string} text
 * @returns {HTMLElement}
 */
function recorded(text) {
  const made = element("bdi.recorded");
  let end = 0;
  for (const found of text.matchAll(UNSEEN)) {
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    made.append(text.slice(end, found.index), element("span.unseen", { title: `U+${code}` }, `‹${code}›`));
    end = found.index + 1;
  }
  made.append(text.slice(end));
  return made;
}

/** Characters of a long text that are drawn at first, and with each further click. */
const FIRST_SHOWN = 20000;
const NEXT_SHOWN = 400000;

/**
 * A text of any length, whole lines as they are; what is long is drawn as it is asked for.
 * @param {string} text
 * @param {string | null} [note] what is said below it
 */
function longText(text, note = null) {
  const block = element("pre.text", { tabindex: "0" });
  const rest = element("p.more");
  let shown = 0;
  /** @param {number} size */
  function show(size) {
    block.append(recorded(text.slice(shown, shown + size)));
    shown = Math.min(shown + size, text.length);
    const left = text.length - shown;
    rest.replaceChildren(left ? element("button", { type: "button", onclick: () => show(NEXT_SHOWN) }, `Show more (${count(left)} characters left)`) : "");
    rest.hidden = left === 0;
  }
  show(FIRST_SHOWN);
  return element("div", {}, block, rest, note ? element("p.note", {}, note) : null);
}

/**
 * What opens and closes; its content is made when it is opened first.
 * @param {Content} summary
 * @param {() => Content} make
 * @param {boolean} [open]
 */
function disclosure(summary, make, open = false) {
  const made = element("details", {}, element("summary", {}, summary));
  let filled = false;
  function fill() {
    if (!filled) made.append(...nodes([make()]));
    filled = true;
  }
  made.addEventListener("toggle", () => /** @type {HTMLDetailsElement} */ (made).open && fill());
  if (open) {
    fill();
    made.setAttribute("open", "");
  }
  return made;
}

/** A button that copies a text. @param {string} text @param {string} what it is, for who cannot see it */
function copyButton(text, what) {
  const button = element("button.copy", { type: "button", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text).then(
      () => (button.textContent = "Copied"),
      () => (button.textContent = "Not copied: the browser refuses"),
    );
  });
  return button;
}

/** A command or code to be taken along. @param {string} text @param {string} what */
function codeBlock(text, what) {
  return element("div.code", {}, element("pre", { tabindex: "0" }, recorded(text)), copyButton(text, what));
}

/**
 * A table in a box of its own, which scrolls where the page is narrow.
 * @param {string} caption
 * @param {Content[]} headings
 * @param {Content[][]} rows
 */
function table(caption, headings, rows) {
  const head = element("tr", {}, headings.map((heading) => element("th", { scope: "col" }, heading)));
  const body = rows.map((row) => element("tr", {}, row.map((cell, place) => element(place ? "td" : "th", place ? {} : { scope: "row" }, cell))));
  const made = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, body));
  return element("div.scroll", { tabindex: "0", role: "region", "aria-label": caption }, made);
}
