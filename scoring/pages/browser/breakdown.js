/** All that the scorers say. */

/** @param {View} view @returns {HTMLElement | null} */
function breakdownSection(view) {
  return null;
}
