"use strict";

// Tables sort by the column whose heading is pressed; what was not measured stays last.
function keyOf(row, column) {
  const cell = row.cells[column];
  const key = cell.dataset.sort ?? cell.textContent.trim();
  return key !== "" && Number.isFinite(Number(key)) ? Number(key) : key;
}

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const way = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return way;
}

function sort(table, heading) {
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [keyOf(row, heading.cellIndex), row]);
  keyed.sort(([a], [b]) => (rising || a === "" || b === "" ? compare(a, b) : compare(b, a)));
  body.append(...keyed.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.textContent === "") continue;
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading));
    heading.append(button);
  }
}

// Without this script the link gives the same JSON, compressed.
document.getElementById("download")?.addEventListener("click", async (event) => {
  if (!window.DecompressionStream) return;
  const link = event.currentTarget;
  event.preventDefault();
  const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (char) => char.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const save = document.createElement("a");
  save.href = URL.createObjectURL(new Blob([await new Response(plain).blob()], { type: "application/json" }));
  save.download = "edgeprof-runs.json";
  save.click();
});

// Paper cannot be opened.
window.addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});
