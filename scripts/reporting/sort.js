"use strict";
// Headers with data-sort, "text", "number" or "date" (ISO), become buttons that sort their table's rows; cells sort by
// their data-value, or else their text. Empty ones stay last.
(() => {
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
  const compare = { text: collator.compare, date: collator.compare, number: (one, other) => one - other };

  function sort(table, column, kind, descending) {
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const rows = [...table.tBodies[0].rows].sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return (descending ? -1 : 1) * compare[kind](a, b);
    });
    table.tBodies[0].append(...rows);
  }

  for (const head of document.querySelectorAll("th[data-sort]")) {
    const table = head.closest("table"), kind = head.dataset.sort, button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    if (!head.ariaSort) head.ariaSort = "none";
    button.addEventListener("click", () => {
      // The largest numbers and the latest dates come first.
      const before = head.ariaSort, descending = before === "none" ? kind !== "text" : before === "ascending";
      for (const other of head.parentNode.cells) if (other.ariaSort) other.ariaSort = "none";
      head.ariaSort = descending ? "descending" : "ascending";
      sort(table, head.cellIndex, kind, descending);
    });
  }
})();
