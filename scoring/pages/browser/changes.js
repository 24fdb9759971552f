/** What became of the workdir. */

/** @param {View} view @returns {HTMLElement | null} */
function changesSection(view) {
  return null;
}
