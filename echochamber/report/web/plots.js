// Figures that answer: values under the pointer with their intervals, series to switch off, zoom; drawn by uPlot.
(() => {
  const figures = [...document.querySelectorAll(".plot[data-plot]")].filter((box) => document.getElementById(`plot-${box.dataset.plot}`));
  if (!figures.length) return;
  const { element, chunk, drawn } = parts;
  
  const PATHS = parts.json("data-marks");
  const LINES = new Set(["x", "X", "+"]);
  const PAINT = { soft: "#565d6a", line: "#dcdfe4", page: "#fff" };  // light in dark colours too: so formats keep theirs
  const number = (value) => {
    const size = Math.abs(value);
    for (const [unit, word] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) if (size >= unit) return `${parseFloat((value / unit).toPrecision(3))}${word}`;
    return String(parseFloat(value.toPrecision(3)));
  };
  const value = ([, estimate, low, high]) => estimate.toFixed(3) + (low === null || high === null ? "" : ` [${low.toFixed(3)}, ${high.toFixed(3)}]`);

  // One panel: what uPlot needs of it. A series' points stand at its own x; the others have nothing there.
  const columns = (panel, spec) => {
    const dodge = spec.x.scale === "names" ? 0.6 / Math.max(1, panel.series.length) : 0;
    const moved = panel.series.map((series, i) => new Map(series.points.map((point) => [point[0] + dodge * (i - (panel.series.length - 1) / 2), point])));
    const xs = [...new Set(moved.flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
    return { xs, points: moved.map((points) => xs.map((x) => points.get(x) || null)) };
  };

  const draw = (panel, spec, key, box) => {
    const { xs, points } = columns(panel, spec);
    const ticks = spec.x.ticks;
    const positive = xs.filter((x) => x > 0);
    const first = positive.length ? positive[0] : 1, last = xs[xs.length - 1];
    const lines = spec.x.scale !== "names";
    const distr = { completions: 4, log: 3, names: 1, share: 1 }[spec.x.scale];
    const range = { completions: [0, last * 1.1 || 1], log: [first / 1.25, last * 1.25], names: [-0.6, ticks.length - 0.4], share: [-0.03, 1.03] }[spec.x.scale];
    const splits = () => {
      if (ticks.length) return ticks.map(([at]) => at);
      const inner = [];
      for (let e = 1; e < 13; e++) if (first * 1.8 < 10 ** e && 10 ** e < last / 1.8) inner.push(10 ** e);
      return [0, first, ...inner.slice(-2), last];
    };
    const words = new Map(ticks.map(([at, name]) => [at, ticks.length > 3 && name.length > 9 ? name.replace(/ · | /g, "\n") : name.replace(/ · /g, "\n")]));
    const tip = element("div", { class: "tip", hidden: true, "aria-live": "polite" });
    const mark = new Map();
    const path = (marker) => { if (!mark.has(marker)) mark.set(marker, new Path2D(PATHS[marker])); return mark.get(marker); };

    const marks = (u) => {
      const { ctx } = u, ratio = devicePixelRatio;
      ctx.save();
      ctx.beginPath();
      ctx.rect(u.bbox.left - 8 * ratio, u.bbox.top - 8 * ratio, u.bbox.width + 16 * ratio, u.bbox.height + 16 * ratio);
      ctx.clip();
      panel.series.forEach((series, i) => {
        if (!u.series[i + 1].show) return;
        const look = key.get(series.series);
        const known = points[i].map((point, j) => point && [u.valToPos(xs[j], "x", true), point]).filter(Boolean);
        const y = (at) => u.valToPos(at, "y", true);
        ctx.strokeStyle = ctx.fillStyle = look.colour;
        const whole = known.filter(([, point]) => point[2] !== null && point[3] !== null);
        if (lines && whole.length > 1) {
          ctx.globalAlpha = 0.15;
          ctx.beginPath();
          whole.forEach(([x, point]) => ctx.lineTo(x, y(point[3])));
          [...whole].reverse().forEach(([x, point]) => ctx.lineTo(x, y(point[2])));
          ctx.fill();
          ctx.globalAlpha = 1;
        } else {
          ctx.lineWidth = ratio;
          for (const [x, point] of whole) {
            ctx.beginPath();
            ctx.moveTo(x, y(point[2]));
            ctx.lineTo(x, y(point[3]));
            for (const end of [point[2], point[3]]) { ctx.moveTo(x - 3 * ratio, y(end)); ctx.lineTo(x + 3 * ratio, y(end)); }
            ctx.stroke();
          }
        }
        const every = Math.ceil(known.length / 12);
        known.forEach(([x, point], j) => {
          if (j % every && j !== known.length - 1) return;
          ctx.save();
          ctx.translate(x, y(point[1]));
          ctx.scale(0.75 * ratio, 0.75 * ratio);
          ctx.lineWidth = 2;
          ctx.fillStyle = look.open ? PAINT.page : look.colour;
          if (!LINES.has(look.marker)) ctx.fill(path(look.marker));
          if (LINES.has(look.marker) || look.open) ctx.stroke(path(look.marker));
          ctx.restore();
        });
      });
      ctx.restore();
    };

    const tell = (u) => {
      const at = u.cursor.idx;
      if (at === null || at === undefined || u.cursor.left < 0) { tip.hidden = true; return; }
      const said = panel.series.map((series, i) => u.series[i + 1].show && points[i][at] && `${series.series}${series.seed ? ` (seed ${series.seed})` : ""}: ${value(points[i][at])}`).filter(Boolean);
      if (!said.length) { tip.hidden = true; return; }
      const tick = ticks.find(([place]) => Math.abs(place - xs[at]) < (lines ? 1e-9 : 0.5));
      tip.textContent = [`${spec.x.label || ""} ${tick ? tick[1] : number(xs[at])}`.trim(), ...said.slice(0, 9), ...(said.length > 9 ? [`and ${said.length - 9} more`] : [])].join("\n");
      tip.hidden = false;
      const over = u.over.getBoundingClientRect(), inside = box.getBoundingClientRect();
      const left = over.left - inside.left + u.cursor.left + 14;
      tip.style.left = `${Math.max(4, Math.min(left, inside.width - tip.offsetWidth - 6))}px`;
      tip.style.top = `${over.top - inside.top + 6}px`;
    };

    const axis = { stroke: PAINT.soft, font: "11px system-ui, sans-serif", grid: { stroke: PAINT.line, width: 1 }, ticks: { stroke: PAINT.line, width: 1 } };
    const tallest = Math.max(1, ...[...words.values()].map((name) => name.split("\n").length));
    const options = {
      width: box.clientWidth - 14,
      height: 230 + 12 * tallest,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: true, y: false }, focus: { prox: -1 } },
      scales: {
        x: { time: false, distr, asinh: first, range: (u, low, high) => zoomed(u) ? [low, high] : range },
        y: { range: (u, low, high) => panel.unit ? [-0.03, 1.03] : [Math.min(0, low) - 0.05 * (high - low || 1), high + 0.08 * (high - low || 1)] },
      },
      axes: [
        { ...axis, splits, filter: (u, all) => all, size: 22 + 12 * tallest, values: (u, all) => all.map((at) => words.get(at) ?? (ticks.length ? "" : number(at))) },
        { ...axis, size: 44, values: (u, all) => all.map((at) => String(parseFloat(at.toPrecision(4)))) },
      ],
      series: [{}, ...panel.series.map((series) => {
        const look = key.get(series.series);
        const bare = !lines || (look.dash[0] === 0);
        return { stroke: look.colour, width: 1.5, dash: look.dash, spanGaps: true, points: { show: false }, ...(bare ? { paths: () => null } : {}) };
      })],
      hooks: { draw: [marks], setCursor: [tell] },
    };
    // The interval's ends belong to the scale too.
    const ends = points.flat().filter(Boolean).flatMap((point) => point.slice(1)).filter((end) => end !== null);
    if (!panel.unit) options.scales.y.range = () => { const low = Math.min(0, ...ends), high = Math.max(0, ...ends), pad = 0.06 * (high - low || 1); return [low - pad, high + pad]; };
    const zoomed = (u) => u && u.zoomed;
    const frame = element("div", {});
    box.append(frame, tip);
    const u = new uPlot(options, [xs, ...points.map((some) => some.map((point) => point && point[1]))], frame);
    u.hooks.setSelect = [() => { u.zoomed = u.select.width > 0; }];
    const reset = () => { u.zoomed = false; u.setScale("x", { min: range[0], max: range[1] }); };
    u.over.addEventListener("dblclick", reset);
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        const at = Math.min(xs.length - 1, Math.max(0, (u.cursor.idx ?? (step > 0 ? -1 : xs.length)) + step));
        u.setCursor({ left: u.valToPos(xs[at], "x"), top: 10 });
      } else if (event.key === "+" || event.key === "-") {
        const to = (at) => u.posToVal(at * u.over.clientWidth, "x");
        u.zoomed = true;
        u.setScale("x", event.key === "+" ? { min: to(0.2), max: to(0.8) } : { min: to(-0.33), max: to(1.33) });
      } else if (event.key === "0" || event.key === "Escape") { reset(); u.setCursor({ left: -10, top: -10 }); } else return;
      event.preventDefault();
    });
    new ResizeObserver(() => { const width = box.clientWidth - 14; if (width > 50 && Math.abs(width - u.width) > 2) u.setSize({ width, height: options.height }); }).observe(box);
    return { u, reset, panel };
  };

  const build = async (box) => {
    const spec = await chunk(`plot-${box.dataset.plot}`);
    const key = new Map(spec.key.map((look) => [look.series, look]));
    const hidden = new Set(), drawnPanels = [];
    const image = box.parentElement.querySelector("img");
    const panels = element("div", { class: "panels" });
    const toggles = spec.key.map((look) => {
      const symbol = drawn("svg", { width: 26, height: 12, viewBox: "-13 -6 26 12", "aria-hidden": "true", class: "symbol" },
        ...(spec.x.scale === "names" || look.dash[0] === 0 ? [] : [drawn("path", { d: "M-13 0H13", stroke: look.colour, "stroke-width": 1.5, "stroke-dasharray": look.dash.join(" "), fill: "none" })]),
        drawn("path", { d: PATHS[look.marker], transform: "scale(.8)", fill: LINES.has(look.marker) ? "none" : look.open ? "#fff" : look.colour, stroke: look.colour, "stroke-width": LINES.has(look.marker) || look.open ? 2 : 0 }));
      const button = element("button", { type: "button", class: "series", "aria-pressed": "true", onclick: () => {
        const off = !hidden.has(look.series);
        off ? hidden.add(look.series) : hidden.delete(look.series);
        button.setAttribute("aria-pressed", String(!off));
        for (const { u, panel } of drawnPanels) panel.series.forEach((series, i) => { if (series.series === look.series) u.setSeries(i + 1, { show: !off }); });
      } }, symbol, " ", look.series);
      return button;
    });
    const all = element("button", { type: "button", onclick: () => drawnPanels.forEach((one) => one.reset()) }, "Reset zoom");
    const picture = element("button", { type: "button", "aria-pressed": "false", onclick: () => {
      const still = picture.getAttribute("aria-pressed") !== "true";
      picture.setAttribute("aria-pressed", String(still));
      image.hidden = !still;
      panels.hidden = still;
    } }, "As in print");
    box.append(element("div", { class: "toggles", role: "group", "aria-label": "Series and views" }, ...toggles, all, picture), panels);
    box.hidden = false;
    image.hidden = true;
    for (const panel of spec.panels) {
      const frame = element("div", { class: "panel", role: "group", tabindex: 0, "aria-label": `${panel.y}, ${panel.title}. Arrows read the values, + and − zoom, 0 shows all.` },
        element("h4", {}, panel.y, element("span", {}, ` · ${panel.title}`)));
      panels.append(frame);
      drawnPanels.push(draw(panel, spec, key, frame));
      frame.append(element("p", { class: "axis" }, spec.x.label));
    }
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); build(entry.target.querySelector(".plot")); }
  }, { rootMargin: "300px" });
  for (const box of figures) watcher.observe(box.parentElement);
})();
