// SPDX-License-Identifier: Apache-2.0
// The list of waste: a fix can be copied, a finding shown on the map. "Shown" is nothing but a search.

function wireWaste(page) {
  const list = document.querySelector(".waste");
  list.addEventListener("click", (event) => {
    const finding = event.target.closest(".finding");
    if (!finding) return;
    if (event.target.closest(".copy")) copy(event.target.parentElement.querySelector("p"), event.target);
    if (event.target.closest(".show")) {
      const word = `waste:${finding.dataset.token}`;
      page.searchFor(page.query() === word ? "" : word);
      if (page.query()) document.querySelector(".map-side").scrollIntoView({ block: "nearest", behavior: "auto" });
    }
  });
}

function markWaste(query) {
  for (const finding of document.querySelectorAll(".finding")) {
    const shown = query === `waste:${finding.dataset.token}`;
    finding.classList.toggle("shown", shown);
    const button = finding.querySelector(".show");
    button.setAttribute("aria-pressed", String(shown));
  }
}

// What is code in a fix is what one wants to paste; all of it where nothing is.
async function copy(fix, button) {
  const code = [...fix.querySelectorAll("code")].map((one) => one.textContent).join("\n");
  const text = code || fix.textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { readonly: true });
    area.value = text;
    button.after(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = done ? "Copied" : "Select it";
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
}
