"use strict";
const { pipelines, limits, words, lang } = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const [choice, area, status, drawn] = ["pipeline", "text", "status", "drawn"].map(at);
const number = new Intl.NumberFormat(lang);
const probability = new Intl.NumberFormat(lang, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
// Milliseconds without a key until a text is annotated; characters that a link can hold.
const PAUSE = 250, IN_LINK = 4000;
let timer, request, latest = 0;

/** Return an element with attributes and content; strings become text, never markup. */
function element(name, attributes = {}, ...content) {
  const found = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.append(...content);
  return found;
}

function drawing(name, attributes) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  return found;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const pipeline = () => pipelines.find((one) => one.name === choice.value);

/** Return the text with its entities marked, as displaCy marks them. */
function entities(text, found) {
  const box = element("div", { class: "entities", dir: "auto" });
  let end = 0;
  for (const entity of found) {
    box.append(text.slice(end, entity.start_utf16));
    end = entity.end_utf16;
    const sure = entity.confidence === undefined ? "" : " " + probability.format(entity.confidence);
    const mark = element("mark", { class: "entity " + pipeline().colours[entity.label] });
    mark.append(text.slice(entity.start_utf16, end), element("span", {}, entity.label + sure));
    box.append(mark);
  }
  box.append(text.slice(end));
  return box;
}

/** Return a bar for each class, the likeliest first, those that are assigned in bold. */
function bars(labels, cats, given, threshold) {
  const list = element("div", { role: "list" });
  for (const label of labels.toSorted((a, b) => cats[b] - cats[a])) {
    const chart = drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    chart.append(drawing("rect", { class: "ground", width: 100, height: 10 }));
    chart.append(drawing("rect", { width: 100 * cats[label], height: 10 }));
    if (threshold !== null) {
      const x = 100 * threshold;
      chart.append(drawing("line", { class: "limit", x1: x, x2: x, y1: 0, y2: 10 }));
    }
    const chosen = given.includes(label);
    const row = element("div", { class: chosen ? "bar given" : "bar", role: "listitem" });
    row.append(element("span", {}, label + (chosen ? " ✓" : "")), chart);
    row.append(element("span", {}, probability.format(cats[label])));
    list.append(row);
  }
  return list;
}

function draw(text, answer) {
  const said = [];
  drawn.replaceChildren();
  for (const [task, { labels, threshold }] of Object.entries(pipeline().tasks)) {
    if (task === "ner") {
      drawn.append(entities(text, answer.entities));
      said.push(fill(words.entities, { n: number.format(answer.entities.length) }));
    } else {
      const given = task === "textcat" ? [answer.label].filter(Boolean) : answer.labels;
      drawn.append(bars(labels, answer.cats, given, threshold));
      said.push(fill(words.labels, { labels: given.join(", ") || "–" }));
    }
  }
  say(said.join(" · "));
}

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
  drawn.classList.toggle("old", wrong);
}

/** Write text and pipeline into the address, after the # that browsers send to no server. */
function remember() {
  const fragment = new URLSearchParams();
  if (pipelines.length > 1) fragment.set("pipeline", choice.value);
  if (area.value && area.value.length <= IN_LINK) fragment.set("text", area.value);
  history.replaceState(null, "", "#" + fragment);
  at("link").disabled = !fragment.has("text");
  at("clear").disabled = !area.value;
}

/** Annotate the text as it is; an answer to an earlier one that comes late is not shown. */
async function annotate() {
  clearTimeout(timer);
  request?.abort();
  const mine = ++latest;
  const text = area.value.toWellFormed();
  const length = Array.from(text).length;
  at("count").textContent = fill(words.characters, { n: number.format(length), limit: number.format(limits.chars) });
  remember();
  if (length > limits.chars) return say(fill(words.too_long, { limit: number.format(limits.chars) }), true);
  if (!text.trim()) {
    drawn.replaceChildren();
    return say("");
  }
  request = new AbortController();
  drawn.classList.add("old");
  try {
    const response = await fetch("/annotate", {
      method: "POST", signal: request.signal, headers: { "content-type": "application/json" },
      body: JSON.stringify({ text, pipeline: choice.value }),
    });
    const answer = await response.json();
    if (mine !== latest) return;
    if (!response.ok) return say(answer.detail, true);
    drawn.classList.remove("old");
    draw(text, answer.annotations[0]);
  } catch (error) {
    if (error.name !== "AbortError" && mine === latest) say(words.gone, true);
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(annotate, PAUSE);
}

function show() {
  const one = pipeline();
  const tasks = Object.keys(one.tasks).map((task) => words[task]);
  at("about").textContent = [one.lang, ...tasks, one.encoder, one.version].filter(Boolean).join(" · ");
  at("list").replaceChildren(...one.examples.map((text) => {
    const button = element("button", { type: "button", dir: "auto" }, element("span", {}, text));
    button.addEventListener("click", () => {
      area.value = text;
      annotate();
      area.focus();
    });
    return element("li", {}, button);
  }));
  at("examples").hidden = !one.examples.length;
}

function recall() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const name = fragment.get("pipeline");
  if (pipelines.some((one) => one.name === name)) choice.value = name;
  area.value = fragment.get("text") ?? "";
  show();
  annotate();
}

area.addEventListener("input", soon);
choice.addEventListener("change", () => { show(); annotate(); });
at("clear").addEventListener("click", () => { area.value = ""; annotate(); area.focus(); });
at("link").addEventListener("click", async () => {
  await navigator.clipboard.writeText(location.href);
  say(words.copied);
});
at("switch").addEventListener("click", (event) => { event.currentTarget.hash = location.hash; });
window.addEventListener("hashchange", recall);
recall();
