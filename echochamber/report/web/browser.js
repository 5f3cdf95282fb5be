// The completion browser. Whatever a model wrote reaches the page through text nodes alone.
(() => {
  const root = document.getElementById("browser");
  if (!root) return;
  const { element, json, chunk, unpack, tag, bar } = parts;
  const index = json("data-browser");
  const runs = new Map(index.runs.map((run) => [run.id, run]));
  const questionTexts = new Map();
  const textsOf = (set) => {
    if (!questionTexts.has(set)) questionTexts.set(set, unpack(index.questions[set]));
    return questionTexts.get(set);
  };
  if (!index.runs.length) {
    root.append(element("p", { class: "note" }, "No completions yet."));
    return;
  }

  const state = { run: index.runs[0].id, set: "", step: "", format: "", right: "", decoding: "", question: "", search: "", row: -1 };
  let side = null, base = null, texts = {}, matches = [], turn = 0;

  // --- controls ---
  const choice = (key, label, options) => {
    const select = element("select", { id: `choose-${key}`, onchange: () => change(key, select.value) });
    const set = (values) => {
      select.replaceChildren(...values.map(([value, words]) => element("option", { value }, words)));
      select.value = state[key];
      if (select.selectedIndex < 0) { select.selectedIndex = 0; state[key] = select.value; }
    };
    if (options) set(options);
    const box = element("div", { class: key === "run" || key === "question" ? "wide" : null }, element("label", { for: select.id }, label), select);
    return { box, set, select };
  };
  const controls = {
    run: choice("run", "Model or run", index.runs.map((run) => [run.id, run.id])),
    set: choice("set", "Question set"),
    step: choice("step", "Checkpoint"),
    format: choice("format", "Format", [["", "any"], ...index.formats.map((name, i) => [String(i), name])]),
    right: choice("right", "Right or wrong", [["", "either"], ["1", "right"], ["0", "wrong"]]),
    decoding: choice("decoding", "Decoding", [["", "any"], ["greedy", "greedy"], ["sample", "sampled"]]),
    question: choice("question", "Question"),
  };
  const search = element("input", { type: "search", id: "choose-words", onchange: () => change("search", search.value) });
  const position = element("span", { role: "status" });
  const move = (by) => { turn = matches.length ? (turn + by + matches.length) % matches.length : 0; state.row = matches[turn] ?? -1; show(); };
  const shown = element("div", {});
  root.append(
    element("div", { class: "controls" }, ...Object.values(controls).map((control) => control.box),
      element("div", {}, element("label", { for: search.id }, "Words in the completion"), search)),
    element("div", { class: "steps" },
      element("button", { type: "button", onclick: () => move(-1) }, "← Previous"),
      element("button", { type: "button", onclick: () => move(1) }, "Next →"), position),
    shown);

  // --- what is chosen ---
  const change = async (key, value) => {
    state[key] = value;
    if (key === "search") state.search = value.toLowerCase();
    if (key === "run" || key === "set") await load(); else match();
  };

  const load = async () => {
    const run = runs.get(state.run);
    const sets = Object.keys(run.at);
    if (!sets.includes(state.set)) state.set = sets[0];
    controls.set.set(sets.map((name) => [name, name]));
    const [page, id, leftOut] = run.at[state.set];
    if (page) { location.href = `${page}#completions?${new URLSearchParams({ run: state.run, set: state.set })}`; return; }
    const home = run.base && runs.get(run.base) && runs.get(run.base).at[state.set];
    [side, base, texts] = await Promise.all([chunk(id), home && !home[0] ? chunk(home[1]) : null, textsOf(state.set)]);
    side.leftOut = leftOut;
    const steps = [...new Set(side.step)].sort((a, b) => a - b);
    const last = String(steps[steps.length - 1]);
    if (!steps.map(String).includes(state.step)) state.step = last;
    controls.step.set(steps.map((step) => [String(step), String(step) === last ? `${step} (the last)` : String(step)]));
    if (!side.questions.includes(state.question)) state.question = "";
    controls.question.set([["", "any"], ...side.questions.map((id, i) => [id, `${i + 1}. ${(texts[id] || [id])[0].slice(0, 70)}`])]);
    match();
  };

  const textOf = (part, row) => { const text = part.texts[part.text[row]]; return Array.isArray(text) ? text[0] : text; };

  const match = () => {
    const step = Number(state.step), format = state.format === "" ? -1 : Number(state.format);
    const question = state.question === "" ? -1 : side.questions.indexOf(state.question);
    matches = [];
    for (let row = 0; row < side.step.length; row++) {
      if (side.step[row] !== step || (format >= 0 && side.format[row] !== format)) continue;
      if (question >= 0 && side.question[row] !== question) continue;
      if (state.right !== "" && (side.right[row] & 1) !== Number(state.right)) continue;
      if (state.decoding && (side.sample[row] < 0) !== (state.decoding === "greedy")) continue;
      if (state.search && !textOf(side, row).toLowerCase().includes(state.search)) continue;
      matches.push(row);
    }
    turn = Math.max(0, matches.indexOf(state.row));
    state.row = matches[turn] ?? -1;
    show();
  };

  const find = (part, question, step, sample) => {
    const q = part.questions.indexOf(question);
    for (let row = part.question.indexOf(q); row >= 0 && part.question[row] === q; row++)
      if (part.step[row] === step && part.sample[row] === sample) return row;
    return -1;
  };

  // --- what is shown ---
  const completion = (title, part, row) => {
    if (row < 0) return element("div", {}, element("h4", {}, title), element("p", { class: "note" }, "Not among what this page holds."));
    const text = part.texts[part.text[row]];
    const cut = Array.isArray(text) ? `Cut: the first ${text[0].length.toLocaleString("en")} of ${text[1].toLocaleString("en")} characters.` : "";
    const right = part.right[row] & 1;
    return element("div", {}, element("h4", {}, title),
      element("p", {}, tag(index.formats[part.format[row]]), " ", element("span", { class: right ? "right" : "wrong" }, right ? "✓ right" : "✗ wrong")),
      element("pre", { tabindex: 0, "aria-label": `Completion: ${title}` }, textOf(part, row)), cut ? element("p", { class: "note" }, cut) : null,
      verdictInWords(index, part, row, (texts[part.questions[part.question[row]]] || ["", "not at hand"])[1]));
  };

  const overSteps = (question, sample) => {
    const rows = [];
    const add = (part, step, name, go) => {
      const shares = {}, q = part.questions.indexOf(question);
      let count = 0, right = 0, greedy = -1, same = -1;
      for (let row = part.question.indexOf(q); row >= 0 && part.question[row] === q; row++) {
        if (part.step[row] !== step) continue;
        if (part.sample[row] === sample) same = row;
        if (part.sample[row] < 0) { greedy = row; continue; }
        const format = index.formats[part.format[row]];
        shares[format] = (shares[format] || 0) + 1;
        count++;
        right += part.right[row] & 1;
      }
      for (const format of Object.keys(shares)) shares[format] /= count;
      const ordered = Object.fromEntries(index.formats.filter((name) => shares[name]).map((name) => [name, shares[name]]));
      const words = Object.entries(ordered).map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ");
      const one = (row) => row < 0 ? "–" : element("span", {}, tag(index.formats[part.format[row]]), " ", part.right[row] & 1 ? "✓" : "✗");
      rows.push(element("tr", {}, element("th", { scope: "row" }, go ? element("button", { type: "button", onclick: go }, name) : name),
        element("td", {}, count ? bar(ordered, words) : "", words), element("td", { class: "n" }, `${right} of ${count}`),
        element("td", {}, one(greedy)), element("td", {}, one(same))));
    };
    if (base) add(base, baseStep(), "base model", null);
    for (const step of [...new Set(side.step)].sort((a, b) => a - b))
      add(side, step, `step ${step}`, () => { state.step = String(step); controls.step.select.value = state.step; state.row = find(side, question, step, sample); state.question = question; controls.question.select.value = question; match(); });
    return element("div", { class: "scroll", role: "group", tabindex: 0, "aria-label": "This question over the checkpoints" },
      element("table", {}, element("thead", {}, element("tr", {}, ...["Checkpoint", "Formats of its samples", "Right", "Greedy", sample < 0 ? "This one" : `Sample ${sample}`].map((words) => element("th", { scope: "col" }, words)))),
        element("tbody", {}, ...rows)));
  };

  const baseStep = () => runs.get(state.run).start ?? Math.max(...base.step);

  const show = () => {
    const left = side.leftOut ? ` The last ${side.leftOut.toLocaleString("en")} questions are left out of this page; they are in samples.parquet.` : "";
    position.textContent = matches.length ? `Completion ${turn + 1} of ${matches.length} that match.${left}` : `None matches.${left}`;
    const row = state.row;
    if (row < 0) { shown.replaceChildren(); return; }
    const question = side.questions[side.question[row]], sample = side.sample[row], step = side.step[row];
    const [words, gold] = texts[question] || [`Question ${question}`, "not at hand"];
    const which = sample < 0 ? "greedy" : `sample ${sample}`;
    const own = runs.get(state.run).base ? `After RL, step ${step}, ${which}` : `Step ${step}, ${which}`;
    shown.replaceChildren(
      element("p", { class: "asked" }, words, element("br"), element("b", {}, `Right answer: ${gold}`)),
      element("div", { class: base ? "sides" : "" },
        base ? completion(`Base model, ${which}`, base, find(base, question, baseStep(), sample)) : null, completion(own, side, row)),
      element("h3", {}, "This question over the checkpoints"), overSteps(question, sample));
    const place = new URLSearchParams({ run: state.run, set: state.set, step: state.step, question, sample });
    const link = `#completions?${place}`;
    try { if (touched) history.replaceState(null, "", link); } catch { /* a browser that forbids it on files */ }
  };
  let touched = false;
  root.addEventListener("input", () => { touched = true; });
  root.addEventListener("click", () => { touched = true; });

  // --- links into it ---
  const follow = async () => {
    const [place, query] = location.hash.split("?");
    const wanted = place === "#completions" && query ? new URLSearchParams(query) : new URLSearchParams();
    if (runs.has(wanted.get("run"))) state.run = wanted.get("run");
    state.set = wanted.get("set") || state.set;
    state.step = wanted.get("step") || "";
    controls.run.select.value = state.run;
    if (!runs.has(wanted.get("run")) && runs.get(state.run).at[Object.keys(runs.get(state.run).at)[0]][0]) {
      const here = index.runs.find((run) => Object.values(run.at).some(([page]) => !page));
      if (!here) { position.textContent = "Choose a run: its completions are in a page beside this one."; return; }
      state.run = controls.run.select.value = here.id;
      state.set = Object.keys(here.at).find((set) => !here.at[set][0]);
    }
    await load();
    if (side && wanted.has("question")) {
      state.row = find(side, wanted.get("question"), Number(state.step), Number(wanted.get("sample") ?? -1));
      match();
    }
  };
  addEventListener("hashchange", () => { if (location.hash.startsWith("#completions?")) follow(); });

  // Unpacking waits until somebody comes near.
  if (location.hash.startsWith("#completions")) follow();
  else new IntersectionObserver((entries, observer) => {
    if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); follow(); }
  }, { rootMargin: "600px" }).observe(root);
})();
