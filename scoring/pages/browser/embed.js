/** How to show this result elsewhere. */

/** @param {View} view @returns {HTMLElement | null} */
function embedSection(view) {
  const { badge, markdown, html, iframe } = view.page.embed;
  /** @type {[string, string][]} */
  const forms = [["Markdown", markdown], ["HTML", html], ["Card in a frame", iframe], ["Badge, SVG", badge]];
  const shown = forms.filter(([, text]) => text);
  if (!shown.length) return null;
  const image = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(badge)}`;
  return section(
    "embed",
    "Embed this result",
    badge ? element("p", {}, element("img", { src: image, alt: "Badge of this result" })) : null,
    shown.map(([title, text]) => [element("h3", {}, title), codeBlock(title, text)]).flat(),
  );
}
