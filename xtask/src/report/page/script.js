"use strict";
(() => {
  const table = document.getElementById("cell-table");
  const body = table.tBodies[0];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const verdicts = [...document.querySelectorAll("button[data-verdict]")];

  // Numbers by their value, everything else by its text; rows without a number stay last.
  const keyOf = (row, column) => {
    const field = row.cells[column];
    const key = field.dataset.key;
    return key === undefined ? field.textContent : Number(key);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sort = (heading) => {
    const column = heading.cellIndex;
    const falls = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const isNone = (row) => row.cells[column].textContent === "–";
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row, column), none: isNone(row) }));
    rows.sort((a, b) => a.none - b.none || (falls ? compare(b.key, a.key) : compare(a.key, b.key)));
    body.append(...rows.map(({ row }) => row));
  };
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  }

  const narrow = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = verdicts.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.verdict);
    let count = 0;
    for (const row of body.rows) {
      const name = row.cells[0].textContent.toLowerCase();
      const fits = words.every((word) => name.includes(word)) && (wanted.length === 0 || wanted.includes(row.dataset.verdict));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === body.rows.length ? "" : `${count} of ${body.rows.length} cells`;
  };
  filter.addEventListener("input", narrow);
  for (const one of verdicts) {
    one.addEventListener("click", () => {
      one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
      narrow();
      document.getElementById("cells").scrollIntoView();
    });
  }

  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input, textarea, select");
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && event.target === filter) {
      filter.value = "";
      narrow();
    }
  });

  // A link to what is folded opens it.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();

  if (navigator.clipboard) {
    for (const button of document.querySelectorAll(".copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
    }
  }
})();
