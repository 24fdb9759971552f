/** The page: its sections from top to bottom. Each is a function from the document to an element, in a file of its name. */

/**
 * What a section may look at.
 * `state` outlives a section that is made again when a running run has gone on; each keeps its own under a name of its own.
 * @typedef {{ page: PageDocument, clock: TraceClock, bodies: () => Promise<PageBodies | null>, state: Map<string, any> }} View
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

/** @param {string} id */
function embedded(id) {
  return JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "null");
}

/**
 * Show a document, in place of what is shown.
 * @param {PageDocument} page
 * @param {Map<string, any>} state of the page before, if there was one
 */
function show(page, state) {
  const clock = state.get("clock") ?? new TraceClock(page.wall_ms);
  state.set("clock", clock.restarted(page.wall_ms));
  /** @type {View} */
  const view = { page, clock, bodies: once(unpackBodies), state };
  const made = SECTIONS.map((make) => make(view)).filter((part) => part !== null);
  showHead(view);
  /** @type {HTMLElement} */ (document.getElementById("page")).replaceChildren(...made);
  showMenu(made);
  window.onhashchange = () => followAddress(view);
  return view;
}

const shown = show(embedded("document"), new Map());
followAddress(shown);
followRun(shown);
