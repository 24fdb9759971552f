/** How to show this result elsewhere. */

/** @param {View} view @returns {HTMLElement | null} */
function embedSection(view) {
  return null;
}
