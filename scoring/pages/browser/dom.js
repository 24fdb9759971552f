"use strict";
/** Elements. Text only ever becomes text: nothing of a record is read as markup. */

/**
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties
 * @typedef {Node | string | number | null | undefined} Piece
 * @typedef {Piece | Piece[] | (Piece | Piece[])[]} Content
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
    .flat(2)
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
  return element("p.absent", {}, sentence(reason));
}
