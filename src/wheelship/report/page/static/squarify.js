// SPDX-License-Identifier: Apache-2.0
// Rectangles for sizes, as near to squares as they come (Bruls, Huizing, van Wijk: "Squarified Treemaps").

// `sizes` must be sorted, largest first, and above zero; returns [x, y, width, height] for each.
function squarify(sizes, x, y, width, height) {
  const total = sizes.reduce((sum, one) => sum + one, 0);
  const scale = (width * height) / total;
  const found = [];
  let from = 0;
  while (from < sizes.length) {
    const side = Math.min(width, height);
    let row = sizes[from] * scale;
    let worst = ratio(row, row, row, side);
    let to = from + 1;
    while (to < sizes.length) {
      const sum = row + sizes[to] * scale;
      const next = ratio(sizes[from] * scale, sizes[to] * scale, sum, side);
      if (next > worst) break;
      [row, worst] = [sum, next];
      to++;
    }
    const thick = side > 0 ? Math.min(row / side, Math.max(width, height)) : 0;
    let along = 0;
    for (let at = from; at < to; at++) {
      const long = thick > 0 ? (sizes[at] * scale) / thick : 0;
      found.push(width >= height ? [x, y + along, thick, long] : [x + along, y, long, thick]);
      along += long;
    }
    if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
    from = to;
  }
  return found;
}

function ratio(largest, smallest, sum, side) {
  const square = side * side;
  return Math.max((square * largest) / (sum * sum), (sum * sum) / (square * smallest));
}
