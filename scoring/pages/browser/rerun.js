/** How to run it again. */

/** @param {View} view @returns {HTMLElement | null} */
function rerunSection(view) {
  const { rerun, reasons } = view.page;
  return section(
    "rerun",
    "Run it yourself",
    rerun.exact === null ? absent(reasons.rerun ?? "The record does not tell the command.") : [element("h3", {}, "The exact command"), codeBlock("The exact command", rerun.exact)],
    rerun.own === null ? null : [element("h3", {}, "With your own endpoint, key and model"), codeBlock("The command with your own endpoint", rerun.own)],
    rerun.notes.length ? element("ul", {}, rerun.notes.map((note) => element("li", {}, recorded(note)))) : null,
  );
}
