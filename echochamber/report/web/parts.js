// What the other scripts build the page from: elements, the page's own data, marks of formats.
const parts = (() => {
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const json = (id) => JSON.parse(document.getElementById(id).textContent);

  // Base64 of gzip of JSON, unpacked when it is first asked for.
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const known = new Map();
  const chunk = (id) => {
    if (!known.has(id)) known.set(id, unpack(document.getElementById(id).textContent));
    return known.get(id);
  };

  const SVG = "http://www.w3.org/2000/svg";
  const drawn = (name, attributes, ...children) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const tag = (format) => element("span", { class: "tag" },
    drawn("svg", { class: "mark", width: 12, height: 12, "aria-hidden": "true" }, drawn("use", { href: `#mark-${format}` })), format);
  const bar = (shares, words) => {
    let x = 0;
    const parts = Object.entries(shares).filter(([, share]) => share > 0).map(([format, share]) => {
      const part = drawn("rect", { x: 150 * x, y: 0, width: 150 * share, height: 10, fill: `url(#fill-${format})` });
      x += share;
      return part;
    });
    return drawn("svg", { class: "bar", width: 150, height: 10, viewBox: "0 0 150 10", role: "img", "aria-label": words }, ...parts);
  };
  return { element, json, chunk, unpack, drawn, tag, bar };
})();
