/** How to run it again. */

/** @param {View} view @returns {HTMLElement | null} */
function rerunSection({ page }) {
  const { exact, own, notes } = page.rerun;
  return section(
    "rerun",
    "Run it yourself",
    exact === null ? absent(page.reasons.rerun ?? "the record does not tell how") : [element("h3", {}, "As it was"), codeBlock(exact, "the command")],
    own === null ? null : [element("h3", {}, "With your own endpoint, key and model"), codeBlock(own, "the command for your own endpoint")],
    notes.length ? element("ul", {}, notes.map((note) => element("li", {}, recorded(note)))) : null,
  );
}
