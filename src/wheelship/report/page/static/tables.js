// SPDX-License-Identifier: Apache-2.0
// The tables: sums over the leaves that a search found, sorted by any column, some rows at a time.

const ROWS = 30;

const TABLE_ROWS = {
  package: (image, leaves) => sums(image, leaves, image.owners, image.owner, (one) =>
    [one.label, TYPE_WORDS[one.type] ?? one.type]),
  layer: (image, leaves) => sums(image, leaves, image.layers, image.layer, (one) =>
    [one.label, one.digest.slice("sha256:".length, "sha256:".length + 12)]),
  kind: (image, leaves) => sums(image, leaves, image.kinds, image.kind, (one) => [one, kindWords(one)]),
  directory: directoryRows,
  file: (image, leaves) => Array.from(leaves).filter((leaf) => image.name[leaf] && image.files[leaf])
    .map((leaf) => ({
      key: leaf, name: leafPath(image, leaf), way: image.paths[image.directory[leaf]].length + 1, note: image.owners[image.owner[leaf]].label,
      files: image.files[leaf], bytes: image.bytes.map((column) => column[leaf]),
    })),
};

function sums(image, leaves, list, column, words) {
  const rows = list.map((one, key) => {
    const [name, note] = words(one);
    return { key, name, note, files: 0, entries: 0, bytes: [0, 0, 0] };
  });
  for (const leaf of leaves) add(image, rows[column[leaf]], leaf);
  return rows.filter((row) => row.entries || leaves === image.all);
}

function add(image, row, leaf) {
  row.entries += 1;
  row.files += image.files[leaf];
  for (let size = 0; size < 3; size++) row.bytes[size] += image.bytes[size][leaf];
}

function directoryRows(image, leaves) {
  const rows = image.paths.map((path, key) =>
    ({ key, name: path || "/", note: "", files: 0, entries: 0, bytes: [0, 0, 0] }));
  for (const leaf of leaves) {
    for (let at = image.directory[leaf]; ; at = image.parent[at]) {
      add(image, rows[at], leaf);
      if (at === 0) break;
    }
  }
  const useful = (image.usefulDirectories ??= usefulOf(image));
  return rows.filter((row) => useful[row.key] && row.entries);
}

// Directories that hold nothing but one other are left out.
function usefulOf(image) {
  const children = new Int32Array(image.paths.length);
  const own = new Uint8Array(image.paths.length);
  for (let at = 1; at < image.parent.length; at++) children[image.parent[at]]++;
  for (const leaf of image.all) if (image.files[leaf]) own[image.directory[leaf]] = 1;
  return children.map((count, at) => (own[at] || count !== 1 ? 1 : 0));
}

let wordsOfKinds = null;
function kindWords(kind) {
  wordsOfKinds ??= new Map(Array.from(document.querySelectorAll('[data-table="kind"] tbody tr'), (row) =>
    [row.querySelector(".name").textContent, row.querySelector(".note").textContent]));
  return wordsOfKinds.get(kind) ?? "";
}

function makeTables(image, page) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const states = new Map();
  let current = "package";
  kindWords("");

  for (const table of document.querySelectorAll("[data-table]")) {
    const name = table.dataset.table;
    states.set(name, { table, sort: "size", up: false, limit: ROWS });
    for (const head of table.querySelectorAll("th[data-sort]")) {
      head.replaceChildren(element("button", { type: "button" }, head.textContent));
    }
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[data-sort]");
      if (head) sortBy(name, head.dataset.sort);
    });
    table.tBodies[0].addEventListener("click", (event) => {
      const button = event.target.closest("button[data-key]");
      if (button) page.showRow(name, Number(button.dataset.key));
    });
    table.parentElement.querySelector(".more").addEventListener("click", () => {
      states.get(name).limit += 4 * ROWS;
      fill(name);
    });
  }

  function sortBy(name, column) {
    const state = states.get(name);
    const size = SIZES.indexOf(column);
    if (size >= 0 && size !== page.size() && (size || image.transferKnown)) {
      Object.assign(state, { sort: "size", up: false });
      page.chooseSize(size);
      return;
    }
    const sort = size >= 0 || column === "share" ? "size" : column;
    const same = state.sort === sort;
    Object.assign(state, { sort, up: same ? !state.up : sort === "name" || sort === "note", limit: ROWS });
    fill(name);
  }

  function fill(name) {
    const { table, sort, up, limit } = states.get(name);
    const size = page.size();
    const leaves = page.leaves();
    const rows = TABLE_ROWS[name](image, leaves);
    const by = {
      size: (one, other) => one.bytes[size] - other.bytes[size],
      files: (one, other) => one.files - other.files,
      name: (one, other) => compare(one.name, other.name),
      note: (one, other) => compare(one.note, other.note),
    }[sort];
    rows.sort(up ? by : (one, other) => by(other, one));
    const total = { name: page.filtered() ? "Total found" : "Total", note: "", files: 0, entries: 0, bytes: [0, 0, 0] };
    for (const leaf of leaves) add(image, total, leaf);
    table.tBodies[0].replaceChildren(...rows.slice(0, limit).map((row) => line(row, total, true)));
    table.tFoot.replaceChildren(...feet(name, rows, limit, total).map((row) => line(row, total, false)));
    const more = table.parentElement.querySelector(".more");
    more.hidden = rows.length <= limit;
    more.textContent = `Show more of ${plural(rows.length, "row")}`;
    const column = sort === "size" ? SIZES[size] : sort;
    for (const head of table.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort === column) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  function feet(name, rows, limit, total) {
    const rest = rows.slice(limit);
    const found = [];
    const sumOf = (words, list) => list.reduce((sum, row) => ({
      ...sum, files: sum.files + row.files, bytes: sum.bytes.map((one, size) => one + row.bytes[size]),
    }), { name: words, note: "", files: 0, bytes: [0, 0, 0] });
    if (rest.length && name !== "directory") found.push(sumOf(`${counted(rest.length)} more rows`, rest));
    if (name === "file") {
      const named = sumOf("", rows);
      found.push({
        name: "smaller files, directories, links", note: "", files: total.files - named.files,
        bytes: total.bytes.map((one, size) => one - named.bytes[size]),
      });
    }
    return [...found, total];
  }

  function line(row, total, live) {
    const size = page.size();
    const name = live
      ? element("button", { type: "button", className: "name", "data-key": row.key, title: "Show on the map" }, ...named(row))
      : element("span", { className: "name" }, row.name);
    const share = (100 * row.bytes[size]) / Math.max(1, total.bytes[size]);
    const numbers = SIZES.map((word, at) =>
      element("td", { className: `num ${word}` }, at || image.transferKnown
        ? element("data", { value: String(row.bytes[at]), title: `${counted(row.bytes[at])} bytes` }, bytes(row.bytes[at]))
        : "unknown"));
    return element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", { className: "note" }, row.note),
      element("td", { className: "share" }, bar(share), element("span", {}, percent(row.bytes[size], total.bytes[size]))),
      ...numbers,
      element("td", { className: "num files" }, counted(row.files)));
  }

  // Of a file, the way to it is set apart.
  function named({ name, way }) {
    return way ? [element("span", { className: "way" }, name.slice(0, way)), name.slice(way)] : [name];
  }

  function bar(share) {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("class", "bar");
    drawing.setAttribute("viewBox", "0 0 100 8");
    drawing.setAttribute("preserveAspectRatio", "none");
    drawing.setAttribute("aria-hidden", "true");
    const part = document.createElementNS(space, "rect");
    part.setAttribute("width", share.toFixed(2));
    part.setAttribute("height", "8");
    drawing.append(part);
    return drawing;
  }

  function open(name, { focus = false } = {}) {
    if (!states.has(name)) return;
    current = name;
    for (const tab of tabs) {
      const mine = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !mine;
      if (mine && focus) tab.focus();
    }
    fill(name);
  }

  for (const tab of tabs) {
    tab.addEventListener("click", () => { open(tab.id.slice("tab-".length)); page.remember(); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs.at((tabs.indexOf(tab) + step) % tabs.length);
      open(next.id.slice("tab-".length), { focus: true });
      page.remember();
    });
  }
  return {
    open,
    current: () => current,
    refresh() {
      for (const state of states.values()) state.limit = ROWS;
      fill(current);
    },
    // Print shows every table.
    fillAll() { for (const name of states.keys()) fill(name); },
  };
}

function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}
