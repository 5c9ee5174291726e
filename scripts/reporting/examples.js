// Search, filters and pages of the examples.
(() => {
  const { element, bar } = drawing;
  const by = id => document.getElementById(id);
  const data = JSON.parse(by("data").textContent), words = by("words").dataset;
  const kinds = words.kinds.split("|"), format = new Intl.NumberFormat(document.documentElement.lang);
  const list = by("list"), status = by("status");
  // A cell of the table of what is taken for what, once one is chosen.
  let found = data.items, first = 0, cell = null;

  function entities(text, spans) {
    const box = drawing.entities(text, spans, data.colours, data.direction);
    box.lang = words.lang;
    return box;
  }

  function row(name, content) {
    const line = element("div", "row");
    line.append(element("span", "", name), content);
    return line;
  }

  function article(item) {
    const box = element("article", item.w ? "error" : ""), top = element("header");
    top.append(element("span", "", words.number.replace("#", format.format(item.n + 1))));
    if (item.a) top.append(element("span", "", item.a));
    for (const kind of item.k) if (data.kinds[kind] !== "error") top.append(element("span", "tag", kinds[kind]));
    box.append(top);
    if (data.entities) {
      box.append(row(words.gold, entities(item.t, item.g)), row(words.predicted, entities(item.t, item.f)));
    } else {
      const text = element("div", "text", item.t);
      text.dir = data.direction;
      text.lang = words.lang;
      box.append(text, ...data.labels.map((label, i) => bar(label, item.c[i], item.g.includes(i))));
    }
    return box;
  }

  function draw() {
    const page = found.slice(first, first + data.shown), count = n => format.format(n);
    list.replaceChildren(...page.map(article));
    status.textContent = !found.length ? words.none : words.range.replace("#1", count(first + 1))
      .replace("#2", count(first + page.length)).replace("#3", count(found.length));
    by("back").disabled = first === 0;
    by("next").disabled = first + data.shown >= found.length;
  }

  const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map();
  const text = item => {
    if (!texts.has(item)) texts.set(item, plain(item.t));
    return texts.get(item);
  };
  const has = (side, label) => side.some(one => (data.entities ? one[2] : one) === label);

  function filter() {
    const query = plain(by("query").value), [kind, gold, predicted] =
      ["kind", "gold", "found"].map(id => by(id).value === "" ? null : +by(id).value);
    found = data.items.filter(item => (cell === null || item.m.includes(cell)) && (kind === null || item.k.includes(kind))
      && (gold === null || has(item.g, gold)) && (predicted === null || has(item.f, predicted))
      && (!query || text(item).includes(query)));
    first = 0;
    draw();
  }

  function turn(by) {
    first += by * data.shown;
    draw();
    document.getElementById("examples").scrollIntoView();
  }

  by("query").oninput = filter;
  for (const id of ["kind", "gold", "found"]) {
    by(id).onchange = () => {
      cell = null;
      filter();
    };
  }
  by("back").onclick = () => turn(-1);
  by("next").onclick = () => turn(1);
  for (const link of document.querySelectorAll("a[data-gold]")) {
    link.onclick = () => {
      const [gold, predicted] = [link.dataset.gold, link.dataset.found].map(label => data.labels.indexOf(label));
      const place = label => label < 0 ? data.labels.length : label;
      by("query").value = by("kind").value = "";
      by("gold").value = gold < 0 ? "" : gold;
      by("found").value = predicted < 0 ? "" : predicted;
      cell = place(gold) * (data.labels.length + 1) + place(predicted);
      filter();
    };
  }
  by("static").remove();
  for (const hidden of document.querySelectorAll(".controls[hidden]")) hidden.hidden = false;
  draw();
})();
