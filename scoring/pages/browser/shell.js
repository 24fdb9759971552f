/** What stands around the sections: the run's name and outcome, the menu, and the choice of colours. */

/** @param {View} view */
function showHead(view) {
  const { page } = view;
  const { party, reason } = page.scorecard.outcome;
  const head = /** @type {HTMLElement} */ (document.getElementById("head"));
  head.replaceChildren(
    page.live ? element("strong.outcome.warn", {}, "running") : outcomeWord(party, reason),
    element("h1", {}, recorded(page.title)),
    themeControl(),
  );
}

/** Where the choice of colours is kept, if the browser lets a page keep something. */
const THEME_KEY = "tachograph.theme";

/** Light, dark, or as the system has it. */
function themeControl() {
  const chosen = keptTheme();
  document.documentElement.style.colorScheme = chosen === "auto" ? "" : chosen;
  const choice = /** @type {HTMLSelectElement} */ (
    element("select", { "aria-label": "Theme", onchange: () => {
      document.documentElement.style.colorScheme = choice.value === "auto" ? "" : choice.value;
      try {
        localStorage.setItem(THEME_KEY, choice.value);
      } catch {
        // It holds for as long as the page is open.
      }
    } }, ["auto", "light", "dark"].map((name) => element("option", { value: name, selected: name === chosen }, name)))
  );
  return element("div.theme", {}, choice);
}

/** @returns {string} */
function keptTheme() {
  try {
    const kept = localStorage.getItem(THEME_KEY);
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto";
  }
}

/** @param {HTMLElement[]} sections */
function showMenu(sections) {
  const menu = /** @type {HTMLElement} */ (document.getElementById("menu"));
  const links = sections.map((made) => element("a", { href: `#${made.id}` }, made.querySelector("h2")?.textContent ?? made.id));
  menu.replaceChildren(element("ul", {}, links.map((link) => element("li", {}, link))));
  const place = () => {
    const seen = sections.filter((made) => made.getBoundingClientRect().top < 160).length;
    const current = Math.max(seen - 1, 0);
    if (links[current].hasAttribute("aria-current")) return;
    links.forEach((link, at) => (at === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    menu.scrollLeft = links[current].offsetLeft - 40;
  };
  document.onscroll = place;
  place();
}

/** Go where the address points to: a call, a changed file, an axis; what is closed around it opens. @param {View} view */
function followAddress(view) {
  const id = decodeURIComponent(location.hash.slice(1));
  if (!id) return;
  const call = id.startsWith("call-") ? view.page.calls.findIndex((made) => `call-${made.id}` === id) : -1;
  if (call >= 0) {
    openCall(view, call);
    return;
  }
  const target = document.getElementById(id);
  if (!target) return;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView({ block: "start" });
}
