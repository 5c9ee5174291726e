const { pipelines, limits, words, lang } = JSON.parse(document.getElementById("data").textContent);
const { element, entities, bar, decimal } = drawing;
const at = (id) => document.getElementById(id);
const [choice, area, status, drawn] = ["pipeline", "text", "status", "drawn"].map(at);
const number = new Intl.NumberFormat(lang);
// Milliseconds without a key until a text is annotated; characters that a link can hold.
const PAUSE = 250, IN_LINK = 4000;
let timer, request, latest = 0;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const pipeline = () => pipelines.find((one) => one.name === choice.value);

/** Return an entity as `drawing.entities` takes it, with its confidence if there is one. */
function span(entity) {
  const sure = entity.confidence === undefined ? "" : ` ${decimal.format(entity.confidence)}`;
  return [entity.start_utf16, entity.end_utf16, entity.label, entity.label + sure];
}

/** Return a bar for each class, the likeliest first. */
function bars(labels, cats, given, threshold) {
  const list = element("div");
  const sorted = labels.toSorted((a, b) => cats[b] - cats[a]);
  list.append(...sorted.map((label) => bar(label, cats[label], given.includes(label), threshold)));
  return list;
}

function draw(text, answer) {
  const said = [];
  drawn.replaceChildren();
  for (const [task, { labels, threshold }] of Object.entries(pipeline().tasks)) {
    if (task === "ner") {
      drawn.append(entities(text, answer.entities.map(span), pipeline().colours, "auto"));
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
    const button = element("button"), item = element("li");
    button.type = "button";
    button.dir = "auto";
    button.append(element("span", "", text));
    button.addEventListener("click", () => {
      area.value = text;
      annotate();
      area.focus();
    });
    item.append(button);
    return item;
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

/** Ask the server for JSON. Throws what the server says is wrong. */
async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

/** Send a file, show how far it is, and offer what comes back. */
async function annotateFile(file) {
  const item = element("li"), bar = element("progress"), said = element("span");
  const stop = element("button", "", words.stop);
  stop.type = "button";
  bar.setAttribute("aria-label", file.name);
  item.append(element("strong", "", file.name), bar, said, stop);
  at("files").prepend(item);
  const ended = (text, wrong) => {
    bar.remove();
    stop.remove();
    said.textContent = text;
    said.classList.toggle("wrong", wrong);
  };
  if (file.size > limits.file_bytes) {
    return ended(fill(words.too_large, { limit: number.format(limits.file_bytes / 1e6) }), true);
  }
  const query = new URLSearchParams({ name: file.name, pipeline: choice.value });
  if (at("column").value) query.set("text_column", at("column").value);
  try {
    said.textContent = words.sending;
    let job = await ask(`/files?${query}`, { method: "POST", body: file });
    const path = `/files/${job.id}`;
    let stopped = false;
    stop.onclick = async () => {
      stopped = true;
      ended(words.stopped, false);
      await fetch(path, { method: "DELETE" });
    };
    while (job.state !== "done" && job.state !== "failed") {
      if (job.total) {
        bar.max = job.total;
        bar.value = job.done;
      }
      said.textContent = fill(words[job.state], { n: number.format(job.done), total: number.format(job.total) });
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (stopped) return;
      job = await ask(path);
    }
    if (stopped) return;
    if (job.state === "failed") return ended(job.problem, true);
    ended(fill(words.rows, { n: number.format(job.done) }), false);
    const link = element("a", "", job.result);
    link.href = `${path}/content`;
    link.download = job.result;
    item.append(link);
    if (job.bad) item.append(element("p", "wrong", fill(words.bad, { n: number.format(job.bad), first: job.told[0] })));
  } catch (error) {
    ended(error instanceof TypeError ? words.gone : error.message, true);
  }
}

function annotateFiles(files) {
  for (const file of files) annotateFile(file);
}

const drop = at("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") annotateFiles(event.dataTransfer.files);
  });
}
at("file").addEventListener("change", (event) => {
  annotateFiles(event.target.files);
  event.target.value = "";
});
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
