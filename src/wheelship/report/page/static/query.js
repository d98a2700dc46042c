// SPDX-License-Identifier: Apache-2.0
// What is searched for. All words must fit; a word with a minus must not.

// Returns one byte for each leaf, 1 where it fits; null when everything does.
function search(image, text) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word && word !== "-");
  if (!words.length) return null;
  const fits = new Uint8Array(image.length).fill(1);
  for (const word of words) {
    const not = word.startsWith("-");
    const test = tester(image, not ? word.slice(1) : word);
    for (let leaf = 0; leaf < image.length; leaf++) {
      if (fits[leaf] && test(leaf) === not) fits[leaf] = 0;
    }
  }
  return fits;
}

function tester(image, word) {
  const [, field, value] = /^(owner|kind|layer|is|waste):(.*)$/.exec(word) ?? [];
  const chosen = (rows, test) => rows.map(test);
  if (field === "owner") {
    const fits = chosen(image.owners, (one) => one.type === value);
    return (leaf) => fits[image.owner[leaf]];
  }
  if (field === "kind") {
    const fits = chosen(image.kinds, (one) => one === value);
    return (leaf) => fits[image.kind[leaf]];
  }
  if (field === "layer") {
    const fits = chosen(image.layers, (one) => one.number === value);
    return (leaf) => fits[image.layer[leaf]];
  }
  if (field === "is") {
    const states = { hidden: [1, 2], overwritten: [1], deleted: [2] }[value] ?? [];
    return (leaf) => states.includes(image.state[leaf]);
  }
  if (field === "waste") {
    const number = image.findings.indexOf(value);
    const fits = chosen(image.marks, (one) => (value ? one.includes(number) : one.length > 0));
    return (leaf) => fits[image.mark[leaf]];
  }
  const owners = chosen(image.owners, (one) => one.label.toLowerCase().includes(word));
  const texts = (image.lowered ??= Array.from(image.all, (leaf) => leafPath(image, leaf).toLowerCase()));
  return (leaf) => owners[image.owner[leaf]] || texts[leaf].includes(word);
}
