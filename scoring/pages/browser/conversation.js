/** Which messages a request holds: those it has in common with the one before, and those that are new. */

/**
 * The first messages of a call's request.
 * @param {PageDocument} page
 * @param {number} call its place
 * @param {number} many how many of them
 * @returns {number[]} places in the messages of the page
 */
function firstMessages(page, call, many) {
  /** @type {number[][]} */
  const parts = [];
  let wanted = many;
  for (let asked = page.calls[call].asked; asked && wanted > 0; ) {
    if (wanted > asked.kept) parts.push(asked.added.slice(0, wanted - asked.kept));
    wanted = Math.min(wanted, asked.kept);
    asked = asked.since === null ? null : page.calls[asked.since].asked;
  }
  return parts.reverse().flat();
}

/** Those that it kept, and those that it left out. @param {PageDocument} page @param {Asked} asked */
function earlierMessages(page, { since, kept, dropped }) {
  if (since === null) return { kept: [], dropped: [] };
  const all = firstMessages(page, since, kept + dropped);
  return { kept: all.slice(0, kept), dropped: all.slice(kept) };
}

/** Members of a request that differ from those of another, with what they were. @param {ModelCall} call @param {ModelCall | null} before */
function changedParameters(call, before) {
  const were = new Map(before?.parameters ?? []);
  return call.parameters.map(([name, value]) => ({
    name,
    value,
    was: before && were.get(name) !== value ? (were.get(name) ?? "not given") : null,
  }));
}
