/** A run that goes on: its page asks the server that it came from for what is new. */

/** Milliseconds between two questions. */
const FOLLOW_PAUSE = 1000;

/** Show what is new until the run ends; a page by itself asks nobody. @param {View} view */
function followRun({ page, state }) {
  const { follow } = document.body.dataset;
  if (!follow || !page.live) return;
  let tag = "";
  async function look() {
    let live = true;
    try {
      if (!document.hidden) {
        const answer = await fetch(/** @type {string} */ (follow), { cache: "no-store", headers: { "If-None-Match": tag } });
        if (answer.status === 200) {
          tag = answer.headers.get("ETag") ?? "";
          live = showAnew(await answer.json(), state);
        }
      }
      followTold("");
    } catch {
      followTold("The server of this page does not answer: is `tachograph view` still running?");
    }
    if (live) setTimeout(look, FOLLOW_PAUSE);
  }
  setTimeout(look, FOLLOW_PAUSE);
}

/**
 * Put new data in place of the old; the reader stays where they are.
 * @param {{ document: PageDocument, bodies: unknown }} told
 * @param {Map<string, any>} state
 * @returns {boolean} whether the run goes on
 */
function showAnew(told, state) {
  const place = scrollY;
  const focused = focusPath();
  /** @type {HTMLElement} */ (document.getElementById("bodies")).textContent = JSON.stringify(told.bodies);
  show(told.document, state);
  scrollTo(0, place);
  refocus(focused);
  return told.document.live;
}

/** Where the focus is, by places among its siblings; null if it is nowhere on the page. @returns {number[] | null} */
function focusPath() {
  const main = document.getElementById("page");
  const path = [];
  for (let at = document.activeElement; at && at !== main; at = at.parentElement) {
    if (!at.parentElement) return null;
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
}

/** @param {number[] | null} path */
function refocus(path) {
  /** @type {Element | null | undefined} */
  let at = path?.length ? document.getElementById("page") : null;
  for (const place of path ?? []) at = at?.children[place];
  if (at instanceof HTMLElement) at.focus({ preventScroll: true });
}

/** @param {string} text what is wrong; empty if nothing is */
function followTold(text) {
  const head = document.getElementById("head");
  const told = document.getElementById("follow-told") ?? element("p.warn", { id: "follow-told", role: "status" });
  if (told.textContent !== text) told.textContent = text;
  if (text && !told.isConnected) head?.append(told);
  if (!text) told.remove();
}
