"use strict";
(() => {
  const SHOWN = 50;
  const PRODUCTS = 100;
  const LARGEST = 20 * 2 ** 20;
  const at = (id) => document.getElementById(id);

  // Everything from outside becomes text, never markup.
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // Rounded down, as in the sentences: what is not certain is not shown as 100 %.
  const percent = (share) => (share === null || share === undefined ? "unknown" : `${(Math.floor(1000 * share) / 10).toFixed(1)} %`);
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  function headers(more = {}) {
    const token = at("token").value;
    return token ? { ...more, Authorization: `Bearer ${token}` } : more;
  }

  async function problemOf(response) {
    let problem = {};
    try { problem = await response.json(); } catch { /* not JSON: the status has to do */ }
    return [problem.detail ?? `The server answered ${response.status}.`, problem.hint ?? ""];
  }

  function complain(headline, hint = "") {
    at("status").textContent = "";
    at("results").hidden = true;
    at("problem").replaceChildren(element("p", { class: "callout bad" }, element("strong", {}, headline), hint));
  }

  function describeModel(info) {
    const digest = info.sha256 ? info.sha256.slice(0, 12) : "none";
    const rows = [["Model", info.version ? `version ${info.version}` : "from a file"], ["SHA-256", digest]];
    if (info.status) rows.push(["Status", info.status]);
    at("model").replaceChildren(...rows.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value))));
  }

  async function askForModel() {
    try {
      const response = await fetch("model/info", { headers: headers() });
      if (response.status === 401) at("token-field").hidden = false;
      else if (response.ok) describeModel(await response.json());
    } catch { /* the next request says what is wrong */ }
  }

  function kindOf(text) {
    const start = text.trimStart();
    if (!start.startsWith("{") && !start.startsWith("[")) return "text/csv";
    try { JSON.parse(text); return "application/json"; } catch { return "application/jsonlines"; }
  }

  async function classify(text) {
    if (!text.trim()) { complain("There are no till lines.", "Paste some, choose a file, or fill in the example."); at("lines").focus(); return; }
    at("problem").replaceChildren();
    at("status").textContent = "Classifying …";
    let response;
    try {
      response = await fetch("predict?explain=true", {
        method: "POST", headers: headers({ "Content-Type": kindOf(text), Accept: "application/json" }), body: text,
      });
    } catch { complain("The server cannot be reached.", "It may have been stopped, or the body is too large."); return; }
    if (response.status === 401) { at("token-field").hidden = false; at("token").focus(); }
    if (!response.ok) { complain(...(await problemOf(response))); return; }
    show(await response.json());
  }

  function chances(row) {
    const list = element("dl", { class: "chances" });
    for (const [name, key] of [["Low", "p_low"], ["Medium", "p_medium"], ["High", "p_high"]]) {
      const bar = element("meter", { min: "0", max: "1", value: String(row[key]), "aria-hidden": "true" });
      list.append(element("dt", {}, name), element("dd", { class: "chart" }, bar), element("dd", {}, percent(row[key])));
    }
    return list;
  }

  function productTable(row) {
    const shown = row.products.slice(0, PRODUCTS);
    const head = element("tr", {}, ...["Product", "Lines", "Class", "Adds to balance"].map((name) => element("th", { scope: "col" }, name)));
    const rows = shown.map((product) => element("tr", {},
      element("th", { scope: "row", class: "text" }, product.prod_name ? `${product.prod_name} (${product.prod_code})` : product.prod_code),
      element("td", {}, String(product.lines)),
      element("td", {}, product.new ? `${product.class}, new` : product.class),
      element("td", {}, (product.product_balance > 0 ? "+" : "") + product.product_balance.toFixed(2)),
    ));
    const more = row.products.length - shown.length;
    const caption = "High products add to the balance, Low ones take from it. A new product is judged by its group."
      + (more ? ` ${counted(more, "more product")} not shown.` : "");
    return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Products of basket ${row.basket_id}` },
      element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  function card(row, open) {
    const title = element("h3", {}, `Basket ${row.basket_id}: `, element("span", { class: "class-name" }, row.predicted_sensitivity));
    if (row.certainty === "Unclassified") title.append(" ", element("span", { class: "flag" }, "no product tells anything"));
    const made = element("article", { class: "basket" }, title);
    if (row.explanation) made.append(element("p", { class: "sentence" }, row.explanation));
    made.append(chances(row));
    if (row.known_share !== null && row.known_share !== undefined) {
      made.append(element("p", { class: "more" }, `${percent(row.known_share)} of its lines have products that the model has seen in training.`));
    }
    if (row.products?.length) {
      const details = element("details", {}, element("summary", {}, `What decided: ${counted(row.products.length, "product")}`), productTable(row));
      details.open = open;
      made.append(details);
    }
    return made;
  }

  function rejectedLines(answer) {
    const total = Object.values(answer.rejected).reduce((sum, count) => sum + count, 0);
    if (!total) return [];
    const reasons = Object.entries(answer.rejected).map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`).join(", ");
    const rows = (answer.rejected_lines ?? []).map((line) => element("li", {}, `${line.basket_id ? `basket ${line.basket_id}, ` : ""}line ${line.row}: ${line.reason}`));
    const list = element("details", {}, element("summary", {}, `${counted(total, "line")} rejected: ${reasons}`), element("ul", { class: "notes" }, ...rows));
    return [list];
  }

  function show(answer) {
    const rows = answer.predictions;
    const model = answer.model ?? {};
    const classes = ["Low", "Medium", "High"].map((name) => [name, rows.filter((row) => row.predicted_sensitivity === name).length]);
    const summary = classes.filter(([, count]) => count).map(([name, count]) => `${count.toLocaleString("en")} ${name}`).join(", ");
    at("results-title").textContent = `${counted(rows.length, "basket")}: ${summary || "none classified"}`;
    at("answered-by").textContent = `Answered by ${model.version ? `version ${model.version}` : "a model from a file"}, SHA-256 ${model.sha256 ?? "unknown"}.`;
    const notes = [];
    if (answer.history) notes.push(answer.history);
    if (answer.unscored?.length) notes.push(`Baskets without a usable line: ${answer.unscored.slice(0, 20).join(", ")}`);
    if (answer.incomplete?.length) notes.push(`Baskets that lost lines: ${answer.incomplete.slice(0, 20).join(", ")}`);
    for (const failed of answer.errors ?? []) notes.push(`${failed.basket_id ?? "A line"}: ${failed.error}`);
    if (rows.length > SHOWN) notes.push(`The first ${SHOWN} baskets are shown. Send the lines to /predict for all.`);
    at("notes").replaceChildren(...notes.slice(0, 50).map((note) => element("li", {}, note)));
    at("rejected").replaceChildren(...rejectedLines(answer));
    at("baskets").replaceChildren(...rows.slice(0, SHOWN).map((row, number) => card(row, number === 0)));
    at("problem").replaceChildren();
    at("status").textContent = "Done.";
    at("results").hidden = false;
    at("results-title").focus();
    askForModel();
  }

  async function take(file) {
    if (!file) return;
    if (file.size > LARGEST) { complain(`${file.name} has more than ${LARGEST / 2 ** 20} MiB.`, "Score large files with 'basketwise predict'."); return; }
    at("lines").value = await file.text();
    at("status").textContent = `${file.name} is filled in.`;
  }

  async function giveExample() {
    const response = await fetch("model/example", { headers: headers() });
    if (response.status === 401) { at("token-field").hidden = false; at("token").focus(); }
    if (!response.ok) { complain(...(await problemOf(response))); return; }
    at("lines").value = JSON.stringify(await response.json(), null, 2);
    at("status").textContent = "An example is filled in.";
  }

  at("form").addEventListener("submit", (event) => { event.preventDefault(); classify(at("lines").value); });
  at("example").addEventListener("click", giveExample);
  at("file").addEventListener("change", (event) => take(event.target.files[0]));
  at("token").addEventListener("change", askForModel);
  for (const name of ["dragenter", "dragover"]) {
    at("lines").addEventListener(name, (event) => { event.preventDefault(); at("lines").classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) at("lines").addEventListener(name, () => at("lines").classList.remove("over"));
  at("lines").addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  askForModel();
})();
