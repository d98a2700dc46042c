// SPDX-License-Identifier: Apache-2.0
// The treemap. Only what can be seen becomes an element; the children of the node that is looked at
// are buttons with one place in the tab order, all deeper cells are drawing.

const CELLS = 2200;
const SMALLEST = 5; // square pixels
const HEAD = 19;

function makeMap(image, page) {
  const place = document.getElementById("map");
  const details = document.getElementById("details");
  const cells = new Map();
  // A frame of its own, above all cells: raised itself, a button would hide what is drawn in it.
  const ring = element("div", { className: "ring", hidden: true, "aria-hidden": "true" });
  let root = null;
  let over = null;
  let focused = null;

  function draw(node, { from = null, out = false } = {}) {
    root = node;
    cells.clear();
    over = null;
    const sheet = element("div", { className: "sheet" });
    const width = place.clientWidth;
    const height = place.clientHeight;
    const hits = page.hits();
    place.classList.toggle("filtered", hits !== null);
    const waiting = [];
    lay(node, [0, 0, width, height], 0);
    // Larger ones first, so that the limit leaves out what is smallest.
    while (waiting.length && cells.size < CELLS) {
      waiting.sort((one, other) => other.area - one.area);
      for (const job of waiting.splice(0, 24)) {
        if (cells.size < CELLS) lay(job.node, job.box, job.level);
      }
    }
    ring.hidden = true;
    place.replaceChildren(sheet, ring);
    place.setAttribute("aria-label", `Treemap of ${titleOf(node)}: ${plural(buttons().length, "part")}`);
    const first = buttons();
    const again = first.find((one) => cells.get(one).node === focused) ?? first[0];
    if (again) again.tabIndex = 0;
    if (from) move(sheet, from, out, width, height);
    tell(null);

    function lay(parent, [x, y, w, h], level) {
      const size = page.size();
      const children = childrenOf(image, parent).filter((one) => one.sums[size] > 0)
        .sort((one, other) => other.sums[size] - one.sums[size]);
      const total = children.reduce((sum, one) => sum + one.sums[size], 0);
      const least = (SMALLEST * total) / (w * h);
      const shown = children.filter((one) => one.sums[size] >= least);
      const small = children.slice(shown.length);
      const sizes = shown.map((one) => one.sums[size]);
      if (small.length) {
        const rest = small.reduce((sum, one) => sum + one.sums[size], 0);
        const at = sizes.findIndex((one) => one < rest);
        const where = at < 0 ? sizes.length : at;
        sizes.splice(where, 0, rest);
        shown.splice(where, 0, { rest: small.length, small, parent, sum: rest });
      }
      squarify(sizes, x, y, w, h).forEach((box, at) => {
        sheet.append(cellOf(shown[at], box, level));
      });
    }

    function cellOf(node, [x, y, w, h], level) {
      const gap = w > 6 && h > 6 ? 1 : 0;
      const rest = "rest" in node;
      const group = !rest && node.leaf < 0;
      const inside = group && w > 44 && h > 38 && level < 12;
      const top = level === 0 && !rest;
      const cell = top ? element("button", { type: "button", tabindex: "-1", "aria-label": spoken(node) })
        : element("div", { "aria-hidden": "true" });
      const state = !rest && node.leaf >= 0 && image.state[node.leaf] ? " hidden" : "";
      cell.className = `cell${level ? "" : " top"} ${paint(rest ? node.parent : node)}${inside ? " group" : ""}` +
        `${inside && level % 2 ? " even" : ""}${rest ? " rest" : ""}${state}`;
      if (hits && (rest ? node.small : [node]).some((one) => anyHit(one, hits))) cell.classList.add("hit");
      const style = cell.style;
      // In parts of the whole, so that paper gets all of it.
      style.left = `${(100 * x) / width}%`;
      style.top = `${(100 * y) / height}%`;
      style.width = `${(100 * Math.max(0.5, w - gap)) / width}%`;
      style.height = `${(100 * Math.max(0.5, h - gap)) / height}%`;
      if (w > 38 && h > 17) {
        const label = rest ? `${counted(node.rest)} smaller` : node.label;
        const size = bytes(rest ? node.sum : node.sums[page.size()]);
        if (inside) {
          const name = element("b", {}, label);
          if (w > 110) name.append(element("i", {}, size));
          cell.append(name);
        } else {
          cell.append(element("b", {}, label));
          if (h > 36 && w > 58) cell.append(element("i", {}, size));
        }
      }
      cell.dataset.bytes = rest ? node.sum : node.sums[page.size()];
      cells.set(cell, { node, x, y, w, h, level, top });
      if (inside) {
        const box = [x + 2, y + HEAD, w - gap - 4, h - gap - HEAD - 2];
        if (box[2] > 12 && box[3] > 10) waiting.push({ node, box, level: level + 1, area: w * h });
      }
      return cell;
    }
  }

  function anyHit(node, hits) {
    for (const leaf of node.leaves) if (hits[leaf]) return true;
    return false;
  }

  function paint(node) {
    const leaf = strongest(node);
    const owner = image.owners[image.owner[leaf]];
    const kind = image.kinds[image.kind[leaf]];
    if (page.paint() === "owner") return `hue-${owner.type} shade-${image.owner[leaf] % 5}`;
    return `hue-${kind === "python" ? "python-source" : kind} shade-0`;
  }

  // The colour of a group is that of most of its bytes.
  function strongest(node) {
    if (node.leaf >= 0) return node.leaf;
    const size = page.size();
    const by = page.paint() === "owner" ? image.owner : image.kind;
    const key = `strongest-${size}-${page.paint()}`;
    if (node[key] === undefined) {
      const sums = new Map();
      for (const leaf of node.leaves) sums.set(by[leaf], (sums.get(by[leaf]) ?? 0) + image.bytes[size][leaf]);
      const [best] = [...sums].reduce((one, other) => (other[1] > one[1] ? other : one));
      node[key] = node.leaves.find((leaf) => by[leaf] === best);
    }
    return node[key];
  }

  function move(sheet, from, out, width, height) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const small = `translate(${from.x}px, ${from.y}px) scale(${from.w / width}, ${from.h / height})`;
    const large = `translate(${(-from.x * width) / from.w}px, ${(-from.y * height) / from.h}px) ` +
      `scale(${width / from.w}, ${height / from.h})`;
    sheet.animate([{ transform: out ? large : small, opacity: 0.2 }, { transform: "none", opacity: 1 }],
      { duration: 240, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" });
  }

  function buttons() {
    return [...cells].filter(([, one]) => one.top).map(([cell]) => cell);
  }

  function titleOf(node) {
    return node.parent ? trailOf(node).slice(1).map((one) => one.label).join(" › ") : "the whole image";
  }

  function spoken(node) {
    const size = page.size();
    const more = node.leaf < 0 ? `, ${plural(node.files, "file")}` : "";
    return `${node.label}, ${bytes(node.sums[size])} ${SIZES[size]}, ${percent(node.sums[size], image.sizes[size])}${more}`;
  }

  function tell(node) {
    const [what, how] = details.children;
    if (node === null) {
      what.textContent = titleOf(root);
      how.textContent = sizesOf(root);
    } else if ("rest" in node) {
      what.textContent = `${counted(node.rest)} parts of ${titleOf(node.parent)}, too small to be drawn`;
      how.textContent = `${bytes(node.sum)} ${SIZES[page.size()]} · the tables have them`;
    } else if (node.leaf >= 0) {
      const leaf = node.leaf;
      what.textContent = leafPath(image, leaf);
      const owner = image.owners[image.owner[leaf]].label;
      const state = STATES[image.state[leaf]];
      how.textContent = [sizesOf(node), owner, image.kinds[image.kind[leaf]],
        `layer ${image.layers[image.layer[leaf]].label}`, state].filter(Boolean).join(" · ");
    } else {
      what.textContent = node.inner ? `${image.paths[node.inner]}/` : titleOf(node);
      how.textContent = `${sizesOf(node)} · ${plural(node.files, "file")}`;
    }
  }

  function sizesOf(node) {
    const words = SIZES.map((name, size) =>
      (size || image.transferKnown ? `${bytes(node.sums[size])} ${name}` : "transfer unknown"));
    return `${percent(node.sums[page.size()], image.sizes[page.size()])} · ${words.join(", ")}`;
  }

  function enter(cell) {
    const { node } = cells.get(cell);
    let target = "rest" in node ? node.parent : node;
    if (target.leaf >= 0) target = target.parent;
    if (target === root) { tell(node); return; }
    const around = [...cells.values()].find((one) => one.node === target);
    focused = null;
    page.zoom(target, { from: around });
  }

  function leave() {
    if (!root.parent) return;
    focused = root;
    page.zoom(root.parent, {});
  }

  // The nearest button in a direction: first by how far along, then by how far beside.
  function neighbour(cell, key) {
    const here = middle(cells.get(cell));
    const across = key === "ArrowLeft" || key === "ArrowRight";
    const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    let best = null;
    let least = Infinity;
    for (const other of buttons()) {
      const there = middle(cells.get(other));
      const along = sign * (across ? there[0] - here[0] : there[1] - here[1]);
      const beside = Math.abs(across ? there[1] - here[1] : there[0] - here[0]);
      if (other !== cell && along > 0.5 && along + 2 * beside < least) {
        least = along + 2 * beside;
        best = other;
      }
    }
    return best;
  }

  function middle(one) {
    return [one.x + one.w / 2, one.y + one.h / 2];
  }

  function focus(cell) {
    if (!cell) return;
    for (const other of buttons()) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus({ preventScroll: true });
  }

  place.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) enter(cell);
  });
  place.addEventListener("pointermove", (event) => {
    const cell = event.target.closest(".cell");
    if (cell === over) return;
    over?.classList.remove("over");
    over = cell;
    over?.classList.add("over");
    tell(cell ? cells.get(cell).node : null);
  });
  place.addEventListener("pointerleave", () => {
    over?.classList.remove("over");
    over = null;
    tell(null);
  });
  place.addEventListener("focusin", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const { node, x, y, w, h } = cells.get(cell);
    focused = node;
    Object.assign(ring.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
    ring.hidden = !cell.matches(":focus-visible");
    tell(node);
  });
  place.addEventListener("focusout", () => { ring.hidden = true; });
  place.addEventListener("keydown", (event) => {
    const cell = event.target.closest("button.cell");
    if (event.key.startsWith("Arrow") && cell) {
      event.preventDefault();
      focus(neighbour(cell, event.key));
    } else if (event.key === "Escape" || event.key === "Backspace") {
      event.preventDefault();
      event.stopPropagation(); // by then the cell is gone, and nobody could tell that it was here
      leave();
    } else if (event.key === "Home") {
      event.preventDefault();
      page.zoom(trailOf(root)[0], {});
    }
  });
  return {
    draw,
    tell,
    holdsFocus: () => place.contains(document.activeElement),
    takeFocus: () => focus(buttons().find((one) => one.tabIndex === 0)),
    leave,
  };
}
