/** Small makers of elements. Text goes in as text nodes only, never as HTML. */

/** An element with attributes (null and false are left out) and children (elements, text, null). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** The sign of a severity: shape and colour; the word stands beside it. */
export function severityIcon(severity) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon sev-${severity}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#sev-${severity}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** Set text only where it differs, so that nothing is painted or read out for no reason. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
