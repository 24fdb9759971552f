/** The page: its sections from top to bottom. Each is a function from the document to an element, in a file of its name. */

/**
 * What a section may look at.
 * `state` outlives a section that is made again when a running run has gone on; each keeps its own under a name of its own.
 * @typedef {{ page: PageDocument, clock: TraceClock, bodies: Bodies, state: Map<string, any> }} View
 */

/** @type {((view: View) => HTMLElement | null)[]} */
const SECTIONS = [
  outcomeSection,
  identitySection,
  timeSection,
  replaySection,
  terminalSection,
  callsSection,
  changesSection,
  breakdownSection,
  checkSection,
  rerunSection,
  siblingsSection,
  embedSection,
];

/** What the page holds in an element. @param {string} id */
function embedded(id) {
  return JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "null");
}

/** @param {PageDocument} page */
function show(page) {
  /** @type {View} */
  const view = { page, clock: new TraceClock(page.wall_ms), bodies: new Bodies(), state: new Map() };
  const made = SECTIONS.map((make) => make(view)).filter((part) => part !== null);
  /** @type {HTMLElement} */ (document.getElementById("page")).replaceChildren(...made);
  /** @type {HTMLElement} */ (document.getElementById("head")).append(outcomeWord(page.scorecard), menu(made), themeControl());
  addEventListener("hashchange", () => goTo(view, location.hash));
  goTo(view, location.hash);
}

/** Links to the sections. @param {HTMLElement[]} sections */
function menu(sections) {
  const links = sections.map((each) => element("a", { href: `#${each.id}` }, each.querySelector("h2")?.textContent));
  return element("nav", { "aria-label": "Sections" }, links);
}

/** Light, dark, or as the system has it. */
function themeControl() {
  const choices = ["auto", "light", "dark"];
  return element("label.theme", {}, "Theme ", element("select", { onchange: (event) => (document.documentElement.style.colorScheme = event.target.value === "auto" ? "" : event.target.value) }, choices.map((choice) => element("option", {}, choice))));
}

/** Open what a link names. @param {View} view @param {string} hash */
function goTo(view, hash) {
  const call = /^#call-([0-9a-f]+)$/.exec(hash);
  if (call) {
    const index = view.page.calls.findIndex((each) => each.id === call[1]);
    if (index >= 0) openCall(view, index);
    return;
  }
  const target = hash.length > 1 ? document.getElementById(hash.slice(1)) : null;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

show(embedded("document"));
