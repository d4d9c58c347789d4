// Sorts a table by the column whose heading is pressed, within each of its groups; shows only the arms that are typed;
// names the dot that is pointed at.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell && row.cells.length === heads.length ? cell.dataset.value ?? "" : "";
  };

  const compare = (column, text, sign) => (one, two) => {
    const a = text ? one.cells[0].dataset.value : valueOf(one, column);
    const b = text ? two.cells[0].dataset.value : valueOf(two, column);
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (text ? a.localeCompare(b) : a - b);
  };

  const sort = (head) => {
    const text = head.classList.contains("text");
    const rising = text || head.classList.contains("lower");
    const first = rising ? "ascending" : "descending";
    const other = rising ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of heads) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const by = compare(heads.indexOf(head), text, order === "ascending" ? 1 : -1);
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      body.append(...rows.sort(by));
    }
  };

  for (const head of heads) {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(head));
  }
}

const filter = document.querySelector(".filter input");
if (filter) {
  const rows = [...document.querySelectorAll("table.sortable tbody tr, table.compared tbody tr")].filter(
    (row) => !row.classList.contains("group"),
  );
  filter.parentElement.hidden = false;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}

for (const dot of document.querySelectorAll(".dot")) {
  const output = dot.closest("figure").querySelector("output");
  const tell = () => (output.textContent = dot.querySelector("title").textContent);
  dot.addEventListener("mouseenter", tell);
  dot.addEventListener("focus", tell);
  dot.addEventListener("click", tell);
}
