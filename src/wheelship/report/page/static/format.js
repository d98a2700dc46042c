// SPDX-License-Identifier: Apache-2.0
// Sizes and counts in words, letter for letter as report/size.py and words.py write them.

const SIZES = ["transfer", "unpacked", "effective"];

function bytes(count) {
  if (count < 1e3) return `${count} B`;
  if (count < 999_950) return `${rounded(count / 1e3, 1)} kB`;
  if (count < 999_950_000) return `${rounded(count / 1e6, 1)} MB`;
  return `${rounded(count / 1e9, 2)} GB`;
}

// toFixed rounds ties up and Python rounds them to even. A tie is a fraction that binary can hold:
// quarters for one digit, eighths for two.
function rounded(value, digits) {
  const text = value.toFixed(digits);
  const tie = digits === 1 ? (value * 4) % 2 === 1 : (value * 8) % 2 === 1;
  if (!tie || Number(text.at(-1)) % 2 === 0) return text;
  return (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
}

function counted(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function percent(part, whole) {
  return `${rounded((100 * part) / Math.max(1, whole), 1)} %`;
}

function plural(count, word) {
  return `${counted(count)} ${word}${count === 1 ? "" : "s"}`;
}

// The only way that elements are made here: text goes in as text.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "className") made.className = value;
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const OWNER_WORDS = {
  python: "Python packages",
  debian: "Debian packages",
  application: "Application",
  generated: "Generated",
  image: "Image structure",
  unknown: "Unknown",
};

const TYPE_WORDS = {
  python: "Python package",
  debian: "Debian package",
  application: "application",
  generated: "generated",
  image: "image structure",
  unknown: "unknown",
};
