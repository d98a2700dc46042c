// SPDX-License-Identifier: Apache-2.0
// What is chosen, in one place and in the address, and what follows from it.

async function main() {
  const image = await readImage(document.getElementById("data").textContent);
  const roots = new Map();
  const query = document.getElementById("query");
  const state = { by: "path", size: 1, paint: "owner", hits: null, leaves: image.all, node: null };
  const page = {
    size: () => state.size,
    paint: () => state.paint,
    hits: () => state.hits,
    leaves: () => state.leaves,
    filtered: () => state.hits !== null,
    query: () => query.value.trim(),
    zoom, chooseSize, searchFor, showRow, remember,
  };
  const tables = makeTables(image, page);
  const map = makeMap(image, page);

  function rootOf(by) {
    if (!roots.has(by)) roots.set(by, makeRoot(image, by));
    return roots.get(by);
  }

  function zoom(node, { from = null, keep = false } = {}) {
    const out = state.node && trailOf(state.node).includes(node);
    const hadFocus = map.holdsFocus();
    state.node = node;
    state.by = node.by;
    map.draw(node, { from, out });
    trail(node);
    choose("by", node.by);
    if (hadFocus) map.takeFocus();
    if (!keep) remember(true);
  }

  function trail(node) {
    document.getElementById("trail").replaceChildren(...trailOf(node).map((one) => {
      const label = one.parent ? one.label : "Image";
      if (one === node) return element("li", {}, element("span", { "aria-current": "location" }, label));
      const button = element("button", { type: "button" }, label);
      button.addEventListener("click", () => zoom(one));
      return element("li", {}, button);
    }));
  }

  function choose(name, value) {
    const input = document.querySelector(`input[name="${name}"][value="${value}"]`);
    if (input) input.checked = true;
  }

  function chooseSize(size, { keep = false } = {}) {
    if (size === 0 && !image.transferKnown) return;
    state.size = size;
    document.body.dataset.size = SIZES[size];
    choose("size", SIZES[size]);
    refresh();
    if (!keep) remember();
  }

  function refresh() {
    if (state.node) map.draw(state.node);
    tables.refresh();
    legend();
    found();
  }

  function searchFor(text, { keep = false } = {}) {
    if (query.value !== text) query.value = text;
    state.hits = search(image, text);
    state.leaves = state.hits ? image.all.filter((leaf) => state.hits[leaf]) : image.all;
    markWaste(text.trim());
    refresh();
    if (!keep) remember();
  }

  function found() {
    const place = document.getElementById("found");
    if (!state.hits) { place.textContent = ""; return; }
    const sum = [...state.leaves].reduce((total, leaf) => total + image.bytes[state.size][leaf], 0);
    const files = [...state.leaves].reduce((total, leaf) => total + image.files[leaf], 0);
    place.textContent = state.leaves.length
      ? `Found: ${plural(files, "file")}, ${bytes(sum)} of ${bytes(image.sizes[state.size])} ${SIZES[state.size]} (${percent(sum, image.sizes[state.size])}).${partOf()}`
      : "Nothing found. All words of a search must fit.";
  }

  // Of some files a finding counts a part: their debug symbols, their code for other GPUs.
  function partOf() {
    const amount = document.querySelector(`.finding.shown .amount .${SIZES[state.size]} b`);
    return amount ? ` The finding counts ${amount.textContent} of it.` : "";
  }

  function legend() {
    const owner = state.paint === "owner";
    const list = owner ? image.owners : image.kinds;
    const column = owner ? image.owner : image.kind;
    const totals = new Map();
    for (const leaf of state.leaves) {
      const key = owner ? list[column[leaf]].type : list[column[leaf]];
      totals.set(key, (totals.get(key) ?? 0) + image.bytes[state.size][leaf]);
    }
    const rows = [...totals].sort((one, other) => other[1] - one[1]);
    document.getElementById("legend").replaceChildren(...rows.map(([key, sum]) => {
      const word = `${owner ? "owner" : "kind"}:${key}`;
      const hue = !owner && key === "python" ? "python-source" : key;
      const button = element("button", { type: "button", title: `Search ${word}` },
        element("span", { className: `swatch hue-${hue} shade-0` }),
        owner ? OWNER_WORDS[key] ?? key : key, element("small", {}, bytes(sum)));
      button.addEventListener("click", () => searchFor(page.query() === word ? "" : word));
      return element("li", {}, button);
    }));
  }

  // A row of a table, looked up on the map.
  function showRow(table, key) {
    if (table === "file" || table === "directory") {
      const directory = table === "file" ? image.directory[key] : key;
      zoom(nodeOfDirectory(image, rootOf("path"), directory));
    } else {
      const root = rootOf(table);
      const all = [root, ...childrenOf(image, root)].flatMap((one) => [one, ...childrenOf(image, one)]);
      const column = { package: image.owner, layer: image.layer, kind: image.kind }[table];
      const size = table === "package" ? 2 : 1;
      const node = all.find((one) => one.stage === size && one.leaf < 0 && column[one.leaves[0]] === key);
      if (node) zoom(node);
    }
    document.querySelector(".explore").scrollIntoView({ block: "start" });
    map.takeFocus();
  }

  // --- the address ---

  function remember(step = false) {
    const words = new URLSearchParams();
    words.set("by", state.by);
    words.set("size", SIZES[state.size]);
    if (state.paint !== "owner") words.set("paint", state.paint);
    const labels = trailOf(state.node).slice(1).map((one) => encodeURIComponent(one.label));
    if (labels.length) words.set("at", labels.join("/"));
    if (page.query()) words.set("q", page.query());
    if (tables.current() !== "package") words.set("table", tables.current());
    const address = `#${words}`;
    if (address === location.hash) return;
    history[step ? "pushState" : "replaceState"](null, "", address);
  }

  function recall() {
    const words = new URLSearchParams(location.hash.slice(1));
    const by = words.get("by") in QUESTIONS ? words.get("by") : "path";
    const labels = (words.get("at") ?? "").split("/").filter(Boolean).map((one) => {
      try { return decodeURIComponent(one); } catch { return one; }
    });
    state.paint = words.get("paint") === "kind" ? "kind" : "owner";
    choose("paint", state.paint);
    const size = SIZES.indexOf(words.get("size"));
    state.node = null;
    chooseSize(size < 0 || (size === 0 && !image.transferKnown) ? 1 : size, { keep: true });
    searchFor(words.get("q") ?? "", { keep: true });
    tables.open(words.get("table") ?? "package");
    zoom(nodeAlong(image, rootOf(by), labels), { keep: true });
  }

  // --- controls ---

  document.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "size") chooseSize(SIZES.indexOf(value));
    if (name === "by") zoom(rootOf(value));
    if (name === "paint") {
      state.paint = value;
      map.draw(state.node);
      legend();
      remember();
    }
  });
  let pause = 0;
  query.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => searchFor(query.value), 90);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      if (query.value) searchFor(""); else query.blur();
    }
    if (event.key === "Enter") { clearTimeout(pause); searchFor(query.value); }
  });
  const help = document.getElementById("help");
  document.getElementById("help-open").addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input[type=search], textarea")) return;
    if (event.key === "/") { event.preventDefault(); query.focus(); query.select(); }
    if (event.key === "?") help.showModal();
    if ("123".includes(event.key)) chooseSize(Number(event.key) - 1);
    const open = event.target.closest("#map");
    if (!open && event.key === "Escape") { if (state.hits) searchFor(""); else map.leave(); }
  });
  wireTheme();
  wireWaste(page);
  let width = 0;
  new ResizeObserver(() => {
    const place = document.getElementById("map");
    const now = `${place.clientWidth}x${place.clientHeight}`;
    if (now !== width && state.node) map.draw(state.node);
    width = now;
  }).observe(document.getElementById("map"));
  window.addEventListener("popstate", recall);
  window.addEventListener("beforeprint", () => tables.fillAll());
  recall();
  document.documentElement.dataset.ready = "";
}

function wireTheme() {
  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  let theme = kept();
  show();
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("wheelship-theme", theme); } catch { /* some browsers keep nothing for files */ }
    show();
  });

  function kept() {
    try {
      const there = localStorage.getItem("wheelship-theme");
      return themes.includes(there) ? there : "system";
    } catch { return "system"; }
  }

  function show() {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
    button.setAttribute("aria-label", `Theme: ${theme === "system" ? "as the system has it" : theme}`);
    button.title = button.getAttribute("aria-label");
  }
}

main();
