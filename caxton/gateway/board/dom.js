// Elements, made of values. Text becomes text nodes and nothing else: no string of others is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

// Return an element. attributes: `on…` are listeners; true stands for one without a value; null and false for none.
export function h(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

// Return an element of SVG.
export function s(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// Let an element have these children. Those that are there already stay, so that nothing loses its focus.
export function fill(element, ...children) {
  const wanted = nodes(children).map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
  wanted.forEach((child, place) => {
    const there = element.childNodes[place];
    if (!there) element.append(child);
    else if (there !== child && !there.isEqualNode(child)) there.replaceWith(child);
  });
  while (element.childNodes.length > wanted.length) element.lastChild.remove();
  return element;
}

// Say something to who hears the page, and to who sees it, for a few seconds.
export function say(text, kind = "") {
  const place = document.getElementById("said");
  const line = h("p", { class: `toast ${kind}` }, text);
  place.append(line);
  while (place.childElementCount > 4) place.firstChild.remove();
  setTimeout(() => line.remove(), 6_000);
}
