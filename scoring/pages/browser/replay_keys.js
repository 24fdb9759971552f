/** The keys of the replay. */

/** Milliseconds that `,` and `.` go. */
const KEY_STEP = 100;

/** What controls do with keys themselves, by what finds them. @type {[string, RegExp][]} */
const OWN_KEYS = [
  ["textarea, select, [contenteditable], input:not([type=range], [type=checkbox], [type=button])", /./],
  ["input[type=range]", /^(Arrow|Home|End|Page)/],
  ["button, summary, a, input[type=checkbox]", /^( |Enter)$/],
  ["[role=tab], [role=grid], [role=row]", /^(Arrow|Home|End| )/],
];
/** Keys that work wherever the focus is, unless it is on what uses them itself. */
const EVERYWHERE = new Set([" ", "ArrowLeft", "ArrowRight", ",", "."]);
const SCROLLS = "[tabindex]";

/**
 * Listen to keys, in the stead of a section that was there before.
 * @param {View} view @param {HTMLElement} part of the page in which all of them work
 * @param {Record<string, () => void>} deeds by key
 */
function listenToKeys(view, part, deeds) {
  view.state.get("replay.keys")?.abort();
  const abort = new AbortController();
  view.state.set("replay.keys", abort);
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const key = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
    const deed = Object.hasOwn(deeds, key) ? deeds[key] : null;
    if (!deed || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (OWN_KEYS.some(([what, keys]) => target.closest(what) && keys.test(event.key))) return;
    if (!part.contains(target) && (!EVERYWHERE.has(key) || target.closest(SCROLLS) || document.querySelector("dialog[open]"))) return;
    event.preventDefault();
    deed();
  };
  document.addEventListener("keydown", onkeydown, { signal: abort.signal });
}

/** The keys, to be read. */
function keysHelp() {
  /** @type {[string[], string][]} */
  const keys = [
    [["Space"], "play or pause"],
    [["←", "→"], "the span before, the next span"],
    [[",", "."], `${KEY_STEP} ms back, on`],
    [["Home", "End"], "to the start, to the end"],
    [["+", "−", "0"], "zoom in, out, see all"],
    [["Shift ←", "Shift →"], "see what is earlier, later"],
  ];
  return element(
    "details.keys",
    {},
    element("summary", {}, "Keys"),
    element("dl", {}, keys.map(([names, deed]) => element("div", {}, element("dt", {}, names.map((name) => element("kbd", {}, name))), element("dd", {}, deed)))),
    element("p.quiet", {}, "Space, the arrows, the comma and the full stop work on the whole page, unless the focus is on a control that uses them itself; the others work within this section. Ctrl and the wheel zoom; dragging moves what is seen."),
  );
}
