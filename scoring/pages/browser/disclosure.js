/** What opens: made when it is opened for the first time, and open again when the page is made again. */

/**
 * @param {View} view
 * @param {string} key by which it is remembered
 * @param {Content} summary
 * @param {() => Content} make what it holds
 * @param {boolean} [open] at first
 * @returns {HTMLDetailsElement}
 */
function disclosure(view, key, summary, make, open = false) {
  const made = /** @type {HTMLDetailsElement} */ (element("details", {}, element("summary", {}, summary)));
  made.open = view.state.get(key) ?? open;
  const fill = () => {
    if (made.open && made.childElementCount === 1) made.append(...nodes([make()]));
  };
  fill();
  made.addEventListener("toggle", () => {
    fill();
    view.state.set(key, made.open);
  });
  return made;
}

/**
 * A list of which only the beginning is shown until more is asked for.
 * @template T
 * @param {HTMLElement} into
 * @param {T[]} items
 * @param {number} most shown at first, and with each step
 * @param {string} what they are, for the button
 * @param {(item: T, place: number) => Node} make
 */
function showSome(into, items, most, what, make) {
  let shown = 0;
  const more = element("button.more", { type: "button", onclick: () => step() });
  const step = () => {
    more.remove();
    into.append(...items.slice(shown, shown + most).map((item, place) => make(item, shown + place)));
    shown = Math.min(items.length, shown + most);
    const left = items.length - shown;
    more.textContent = `Show ${left > most ? `${count(most)} more of the other ${count(left)}` : `the other ${count(left)}`} ${what}`;
    if (left) into.after(more);
  };
  queueMicrotask(step);
  return into;
}
