/** How to show this result elsewhere. */

/** @param {View} view @returns {HTMLElement | null} */
function embedSection({ page }) {
  const { badge, markdown, html, iframe } = page.embed;
  if (!badge) return null;
  const forms = [["Markdown", markdown], ["HTML", html], ["Card", iframe]].filter(([, text]) => text);
  return section(
    "embed",
    "Embed this result",
    element("p", {}, element("img", { src: `data:image/svg+xml,${encodeURIComponent(badge)}`, alt: `Badge: ${page.scorecard.outcome.reason}` })),
    forms.map(([title, text]) => [element("h3", {}, title), codeBlock(text, title)]).flat(),
    disclosure("The badge’s SVG", () => codeBlock(badge, "the badge")),
  );
}
