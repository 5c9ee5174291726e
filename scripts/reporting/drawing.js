"use strict";
// What the scripts of pages draw alike. Texts become text nodes, never markup.
const drawing = (() => {
  const decimal = new Intl.NumberFormat(document.documentElement.lang,
    { minimumFractionDigits: 3, maximumFractionDigits: 3 });

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // As displaCy draws them. spans: [start, end, label, what is shown], in UTF-16 units; colours: a class for each label.
  function entities(text, spans, colours, direction) {
    const box = element("div", "entities");
    box.dir = direction;
    let end = 0;
    for (const [start, stop, label, shown] of spans) {
      box.append(text.slice(end, start));
      const mark = element("mark", `entity ${colours[label]}`, text.slice(start, stop));
      mark.append(element("span", "", shown));
      box.append(mark);
      end = stop;
    }
    box.append(text.slice(end));
    return box;
  }

  const SVG = "http://www.w3.org/2000/svg";
  const set = (node, values) => Object.entries(values).forEach(pair => node.setAttribute(...pair));
  // A class with its probability; the chosen ones are marked. threshold: drawn if it is a number.
  function bar(label, value, chosen, threshold = null) {
    const line = element("div", chosen ? "bar gold" : "bar");
    const picture = document.createElementNS(SVG, "svg");
    const draw = (tag, values) => set(picture.appendChild(document.createElementNS(SVG, tag)), values);
    set(picture, { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    draw("rect", { height: 8, width: 100 * value });
    if (threshold !== null) draw("line", { x1: 100 * threshold, x2: 100 * threshold, y1: 0, y2: 8 });
    line.append(element("span", "", chosen ? `${label} ✓` : label), picture,
      element("span", "", decimal.format(value)));
    return line;
  }

  return { decimal, element, entities, bar };
})();
