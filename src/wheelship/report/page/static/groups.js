// SPDX-License-Identifier: Apache-2.0
// The leaves as a tree, by one question after the other; a node finds its children when asked.

const QUESTIONS = {
  path: [],
  package: [
    (image, leaf) => image.owners[image.owner[leaf]].type,
    (image, leaf) => image.owner[leaf],
  ],
  layer: [(image, leaf) => image.layer[leaf]],
  kind: [(image, leaf) => image.kind[leaf], (image, leaf) => image.owner[leaf]],
};

function answer(image, by, stage, key) {
  if (by === "layer") return image.layers[key].label;
  if (by === "kind" && stage === 0) return image.kinds[key];
  if (by === "package" && stage === 0) return OWNER_WORDS[key] ?? key;
  return image.owners[key].label;
}

function makeRoot(image, by) {
  return makeNode(image, { by, label: "/", stage: 0, leaves: image.all, directory: 0, inner: 0, parent: null });
}

function makeNode(image, given) {
  const node = { leaf: -1, children: null, ...given, sums: [0, 0, 0], files: 0 };
  for (const leaf of node.leaves) {
    for (let size = 0; size < 3; size++) node.sums[size] += image.bytes[size][leaf];
    node.files += image.files[leaf];
  }
  return node;
}

function childrenOf(image, node) {
  if (node.leaf >= 0) return [];
  node.children ??= node.stage < QUESTIONS[node.by].length
    ? byQuestion(image, node) : byDirectory(image, node);
  return node.children;
}

function byQuestion(image, node) {
  const parts = new Map();
  for (const leaf of node.leaves) put(parts, QUESTIONS[node.by][node.stage](image, leaf), leaf);
  const stage = node.stage + 1;
  return Array.from(parts, ([key, leaves]) => {
    const last = stage === QUESTIONS[node.by].length;
    return makeNode(image, {
      by: node.by, label: answer(image, node.by, node.stage, key), stage, leaves, parent: node,
      directory: 0, inner: last ? innermost(image, 0, leaves) : 0,
    });
  });
}

function byDirectory(image, node) {
  const parts = new Map();
  const children = [];
  const { depth, parent } = image;
  for (const leaf of node.leaves) {
    let at = image.directory[leaf];
    while (depth[at] > depth[node.inner] + 1) at = parent[at];
    // Beside what lies right here: headers of the directories that were skipped on the way.
    if (at === 0 || parent[at] !== node.inner) {
      children.push(makeNode(image, {
        by: node.by, label: leafLabel(image, leaf), stage: node.stage, leaves: [leaf], leaf, parent: node,
      }));
      continue;
    }
    put(parts, at, leaf);
  }
  for (const [directory, leaves] of parts) {
    const inner = innermost(image, directory, leaves);
    const label = image.paths[inner].slice(image.paths[node.inner].length + 1);
    children.push(makeNode(image, { by: node.by, label, stage: node.stage, leaves, directory, inner, parent: node }));
  }
  return children;
}

function put(parts, key, leaf) {
  const there = parts.get(key);
  if (there) there.push(leaf);
  else parts.set(key, [leaf]);
}

// The deepest directory that holds all files of `leaves`; ways with nothing beside them are skipped.
function innermost(image, directory, leaves) {
  const { depth, parent } = image;
  let common = -1;
  for (const leaf of leaves) {
    if (!image.files[leaf] && !image.name[leaf]) continue;
    let at = image.directory[leaf];
    if (common < 0) common = at;
    while (depth[at] > depth[common]) at = parent[at];
    while (depth[common] > depth[at]) common = parent[common];
    while (at !== common) { at = parent[at]; common = parent[common]; }
  }
  return common < 0 ? directory : common;
}

// The node that shows `directory`, or the nearest around it.
function nodeOfDirectory(image, root, directory) {
  const { depth, parent } = image;
  let node = root;
  for (;;) {
    if (depth[directory] <= depth[node.inner]) return node;
    let at = directory;
    while (depth[at] > depth[node.inner] + 1) at = parent[at];
    const next = childrenOf(image, node).find((one) => one.leaf < 0 && one.directory === at);
    if (!next) return node;
    node = next;
  }
}

function trailOf(node) {
  const trail = [];
  for (let at = node; at; at = at.parent) trail.unshift(at);
  return trail;
}

function nodeAlong(image, root, labels) {
  let node = root;
  for (const label of labels) {
    const next = childrenOf(image, node).find((one) => one.label === label && one.leaf < 0);
    if (!next) return node;
    node = next;
  }
  return node;
}
