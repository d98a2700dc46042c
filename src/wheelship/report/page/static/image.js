// SPDX-License-Identifier: Apache-2.0
// The image as the page holds it: columns of leaves, and what they point to (see data.py).

async function readImage(text) {
  const packed = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return makeImage(await new Response(stream).json());
}

const BLOCK = 512;

function makeImage(read) {
  const columns = read.leaves;
  const length = columns.name.length;
  const directory = new Int32Array(length);
  let at = 0;
  columns.directory.forEach((step, leaf) => { directory[leaf] = at += step; });
  const effective = Float64Array.from(columns.effective);
  const unpacked = Float64Array.from(columns.excess, (excess, leaf) =>
    excess + BLOCK + Math.ceil(effective[leaf] / BLOCK) * BLOCK);
  const parent = Int32Array.from(read.directories.parent);
  const depth = new Int32Array(parent.length);
  const paths = [""];
  for (let one = 1; one < parent.length; one++) {
    depth[one] = depth[parent[one]] + 1;
    paths.push(`${paths[parent[one]]}/${read.directories.name[one]}`);
  }
  const image = {
    length, directory, parent, depth, paths,
    directoryName: read.directories.name,
    transferKnown: read.transferKnown,
    sizes: read.sizes,
    owners: read.owners.map(([type, name, version]) =>
      ({ type, label: version ? `${name} ${version}` : name })),
    kinds: read.kinds,
    layers: read.layers.map(([number, createdBy, digest]) => ({
      number, digest,
      label: digest ? `${number}: ${createdBy || "(not said)"}`
        : number === "documents" ? "manifest, configuration" : number,
    })),
    marks: read.marks,
    findings: read.findings,
    name: columns.name,
    entries: columns.entries,
    files: columns.files,
    owner: columns.owner,
    kind: columns.kind,
    layer: columns.layer,
    state: columns.state,
    mark: columns.mark,
    bytes: [Float64Array.from(columns.transfer), unpacked, effective],
  };
  image.all = Int32Array.from({ length }, (_, leaf) => leaf);
  return image;
}

function leafLabel(image, leaf) {
  if (image.name[leaf]) return image.name[leaf];
  if (image.files[leaf]) return plural(image.files[leaf], "smaller file");
  return image.entries[leaf] === 1 ? "1 directory or link" : `${counted(image.entries[leaf])} directories and links`;
}

function leafPath(image, leaf) {
  return `${image.paths[image.directory[leaf]]}/${leafLabel(image, leaf)}`;
}

const STATES = ["", "overwritten by a later layer", "deleted by a later layer"];
