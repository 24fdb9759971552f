/** Other runs like this one. */

/** @param {View} view @returns {HTMLElement | null} */
function siblingsSection(view) {
  return null;
}
