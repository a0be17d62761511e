// Sorting and filtering of a board. Without this script the table reads as it stands, best rows first.
"use strict";

const table = document.querySelector("table.board");
if (table) {
  const tools = document.querySelector("form.tools");
  const counted = tools.querySelector("output");
  const bodies = [...table.tBodies];
  const rows = [...table.querySelectorAll("tbody tr:not(.budget)")];
  const order = new Map(rows.map((row, i) => [row, i]));
  const heads = [...table.tHead.rows[0].cells];

  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    const text = cell.textContent.trim();
    return text === "–" ? null : text.toLowerCase();
  };

  // Rows are compared at the same bytes, so they are sorted within each budget. What has no value comes last.
  const sort = (column, direction) => {
    for (const body of bodies) {
      const own = [...body.rows].filter((row) => !row.classList.contains("budget"));
      own.sort((a, b) => {
        const before = order.get(a) - order.get(b);
        if (column === null) return before;
        const x = value(a, column), y = value(b, column);
        if (x === null || y === null) return (x === null) - (y === null) || before;
        return (x < y ? -direction : x > y ? direction : 0) || before;
      });
      body.append(...own);
    }
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  };

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.first === "down" ? -1 : 1;
      const now = head.getAttribute("aria-sort");
      sort(i, now === null ? first : now === "ascending" ? -1 : 1);
    });
  });

  const filter = () => {
    const words = tools.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...tools.querySelectorAll("select")].filter((s) => s.value !== "").map((s) => [s.name, s.value]);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((w) => text.includes(w)) && wanted.every(([name, v]) => row.dataset[name] === v);
      row.hidden = !fits;
      shown += fits;
      for (const point of document.querySelectorAll(`[data-row="${row.id.slice(1)}"]`)) {
        point.classList.toggle("off", !fits);
        point.setAttribute("tabindex", fits ? "0" : "-1");
      }
    }
    for (const body of bodies) body.hidden = ![...body.rows].some((r) => !r.hidden && !r.classList.contains("budget"));
    const all = `${rows.length} row${rows.length === 1 ? "" : "s"}`;
    counted.value = shown === rows.length ? all : `${shown} of ${all}`;
  };

  tools.hidden = false;
  tools.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("reset", () => setTimeout(() => { sort(null, 1); filter(); }));
  filter();
}
