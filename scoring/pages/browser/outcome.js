/** How the run ended, and its scores. */

/** @param {View} view @returns {HTMLElement | null} */
function outcomeSection(view) {
  return null;
}
