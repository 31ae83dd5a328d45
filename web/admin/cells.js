/** The cells of a row in any of the tables, by column: the first one names the row. */

export function addCells(row, columns, labels, numbers, names = new Set()) {
  row.setAttribute("role", "row");
  const cells = columns.map((column, place) => {
    const cell = row.appendChild(document.createElement(place === 0 ? "th" : "td"));
    cell.setAttribute("role", place === 0 ? "rowheader" : "cell");
    if (place === 0) cell.scope = "row";
    // Names in scripts that run the other way do not turn the row around.
    if (names.has(column)) cell.dir = "auto";
    cell.dataset.column = column;
    cell.dataset.label = labels[place];
    cell.classList.toggle("number", numbers.has(column));
    return [column, cell];
  });
  return Object.fromEntries(cells);
}
