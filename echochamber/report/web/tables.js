// Tables that sort by any column and filter by text; a group of rows (tbody) stays together.
(() => {
  const FILTERED_FROM = 8;
  const value = (group, column) => {
    const cell = group.rows[0].cells[column];
    const text = cell ? cell.textContent.trim() : "";
    const number = text.replace(/[\u2009\u00a0,]/g, "").match(/^[+\u2212-]?\d+(\.\d+)?(e[+-]?\d+)?/i);
    return number ? { number: parseFloat(number[0].replace("\u2212", "-")), text } : { number: NaN, text };
  };
  const compare = (a, b) => {
    const first = Number.isNaN(a.number), second = Number.isNaN(b.number);
    if (first !== second) return first ? 1 : -1;
    return first ? a.text.localeCompare(b.text) : a.number - b.number;
  };
  const groups = (table) => table.tBodies.length > 1 ? [...table.tBodies] : [...table.tBodies[0].rows].map((row) => ({ rows: [row], row }));

  const sort = (table, head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = groups(table).map((group) => [value(group, column), group]);
    sorted.sort(([a], [b]) => down ? compare(b, a) : compare(a, b));
    for (const [, group] of sorted) group.row ? table.tBodies[0].append(group.row) : table.append(group);
  };

  const filter = (table, box) => {
    const bar = document.createElement("div");
    bar.className = "filter";
    const label = document.createElement("label");
    label.append("Filter ");
    const input = document.createElement("input");
    input.type = "search";
    label.append(input);
    const count = document.createElement("span");
    count.className = "soft";
    count.setAttribute("role", "status");
    bar.append(label, count);
    box.before(bar);
    const all = groups(table).length;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const group of groups(table)) {
        const text = [...group.rows].map((row) => row.textContent).join(" ").toLowerCase();
        const hidden = !words.every((word) => text.includes(word));
        (group.row || group).hidden = hidden;
        shown += !hidden;
      }
      count.textContent = words.length ? `${shown} of ${all} rows` : "";
    });
  };

  for (const box of document.querySelectorAll("main .scroll")) {
    const table = box.querySelector(":scope > table");
    if (!table || !table.tHead || !table.tBodies.length || table.classList.contains("answer")) continue;
    if (groups(table).length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
    if (groups(table).length >= FILTERED_FROM) filter(table, box);
  }
})();
