"use strict";
// Steps through what page.py wrote: texts only ever become text nodes, arrays are typed arrays in base64.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent, (_, value) => // halves of surrogate pairs are no text
  typeof value === "string" ? value.replace(/\p{Cs}/gu, "\ufffd") : value);
const steps = data.read.length, channels = data.channels ? data.channels.length : 0, horizon = data.horizon || 0;
const isSeries = horizon > 0, isLanguage = Boolean(data.top), isTagger = data.kind === "sequence tagger";
const isText = !data.channels, hasMarks = data.kind === "text classifier";
const columns = steps + horizon, outcomes = data.outcomes.length;

const states = array(Int16Array, data.states), beliefs = array(Float32Array, data.beliefs);
const came = array(Float32Array, data.came), signal = array(Float32Array, data.signal);
const lower = array(Float32Array, data.lower), upper = array(Float32Array, data.upper);

const view = { step: steps - 1, first: 0, visible: 1, width: 8, layer: 0, order: "similarity", unit: null, target: 0 };
let timer = null;

function array(Type, text) {
  const raw = atob(text || ""), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

// ---- what there is to say

const final = data.taken ? data.taken[steps - 1] : 0;
const types = isTagger ? [...new Set(data.taken.map((tag) => typeOf(data.outcomes[tag])))].filter((type) => type !== "O") : [];
const drawn = [...Array(outcomes).keys()].sort((a, b) => greatest(b) - greatest(a)).slice(0, 7).sort((a, b) => a - b);

function typeOf(tag) { return /^[A-Z]-./.test(tag) ? tag.slice(2) : tag; }

function greatest(outcome) {
  if (isLanguage || isSeries) return 0;
  let most = outcome === final ? 2 : 0; // what it came to is always drawn
  for (let t = 0; t < steps; t++) most = Math.max(most, beliefs[t * outcomes + outcome]);
  return most;
}

function belief(t, outcome) { return beliefs[t * outcomes + outcome]; }

function state(t, reader, unit) {
  const raw = states[((t * data.layers + view.layer) * data.readers.length + reader) * data.units + unit];
  return raw === -32768 ? NaN : (raw / 32767) * data.scale;
}

/** Bits that the token read at a step took, by what was expected before it. */
function surprise(t) { return t ? -Math.log2(came[t - 1]) : 0; }

function percent(p) { return Number.isNaN(p) ? "none" : p > 0 && p < 0.0005 ? "<0.1%" : `${(100 * p).toFixed(1)}%`; }

function signed(value) { return Math.abs(value) < 0.05 ? "" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1); }

function figure(value) { return Number.isFinite(value) ? String(Number(value.toPrecision(4))).replaceAll("-", "−") : "none"; }

/** A token on its own: white space, marks and what does not print are made visible. */
function seen(token) {
  const shown = { "\n": "⏎", "\t": "⇥", " ": "␣" }[token];
  if (shown) return shown;
  if (/^\p{M}+$/u.test(token)) return `◌${token}`;
  if (/^[\p{C}\p{Z}]$/u.test(token)) return `U+${token.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return token.replace(/^<(start|end|unknown|padding)>$/, "‹$1›");
}

/** What was read up to a step, for a heading. */
function after(t) {
  if (!isLanguage) return `“${seen(data.read[t])}”`;
  const tail = [...data.read.slice(Math.max(1, t - 16), t + 1).join("")].slice(-16).join("");
  return t ? `“${[...tail].length < 16 ? "" : "…"}${tail.replace(/\n/g, "⏎")}”` : "the end of a line";
}

function told(t) {
  const token = seen(data.read[t]);
  const unknown = data.known && !data.known[t] ? ", unknown to the model" : "";
  if (isSeries) return `${token}: ${data.outcomes.map((name, k) => `${name} ${figure(signal[t * channels + k])}`).join(", ")}`;
  if (isLanguage) return t ? `${token}: ${surprise(t).toFixed(2)} bits${unknown}` : token;
  const taken = data.taken[t];
  return `${token}: ${data.outcomes[taken]} ${percent(belief(t, taken))}${unknown}`;
}

// ---- the text

/** The colour of what was read at a step: by the unit that was chosen, or by what it did to the belief. */
function background(t) {
  if (view.unit) return `rgb(${diverging(state(t, view.unit.reader, view.unit.unit) / data.scale)})`;
  if (isLanguage) return `rgb(${diverging(Math.min(1, surprise(t) / 12))})`;
  if (!isTagger) {
    const change = t ? belief(t, final) - belief(t - 1, final) : 0;
    return Math.abs(change) > 0.01 ? `rgb(${diverging(1.5 * change)})` : "";
  }
  const tag = data.outcomes[data.taken[t]];
  return tag === "O" ? "" : `color-mix(in srgb, ${outcomeColour(data.taken[t])} 30%, transparent)`;
}

function makeText() {
  const box = $("text"), words = !isLanguage && data.read.slice(hasMarks, steps - hasMarks).some((t) => [...t].length > 1);
  const dense = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u, closing = /^[.,!?;:)\]}…’”»，。！？；：）]/;
  const letter = /\p{L}/u.exec(data.read.slice(hasMarks, hasMarks ? -1 : steps).join(" "));
  if (steps < 60) box.className = "short";
  box.dir = letter && /[\p{sc=Hebrew}\p{sc=Arabic}\p{sc=Syriac}\p{sc=Thaana}\p{sc=Nko}]/u.test(letter[0]) ? "rtl" : "ltr";
  data.read.forEach((token, t) => {
    const span = document.createElement("span"), mark = (hasMarks && (!t || t === steps - 1)) || (isLanguage && !t);
    span.id = `t${t}`;
    span.setAttribute("role", "option");
    const lone = /^\p{M}+$/u.test(token) && t && /[\p{L}\p{M}\p{S}]$/u.test(data.read[t - 1]); // joins what is before it
    span.textContent = token === " " || lone || /^[\p{Cf}]$/u.test(token) ? token : token === "\n" ? "⏎\n" : isLanguage && !mark ? token : seen(token);
    if (mark || token === "\n") span.className = "mark";
    if (data.known && !data.known[t]) span.className = "unknown";
    if (isTagger && data.outcomes[data.taken[t]] !== "O") {
      const tag = span.appendChild(document.createElement("sub"));
      tag.textContent = data.outcomes[data.taken[t]];
    }
    const before = t ? data.read[t - 1] : "";
    if (t && (hasMarks && (t === 1 || t === steps - 1) || (words && !closing.test(token) && !(dense.test(token) && dense.test(before))))) box.append(" ");
    box.append(span);
  });
}

function colourText() {
  for (const span of $("text").children) {
    const t = Number(span.id.slice(1)), colour = background(t);
    span.style.background = colour;
    const rgb = colour.startsWith("rgb") ? colour.match(/\d+/g).map(Number) : null;
    span.style.color = rgb ? (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 128 ? "#111" : "#fff") : "";
  }
  const of = view.unit ? `the state of unit ${view.unit.unit} (${data.readers[view.unit.reader]}, layer ${view.layer + 1})`
    : isLanguage ? "surprise, from pale for 0 bits to red for 12 and more"
    : isTagger ? "its tag" : `what it did to the probability of “${data.outcomes[final]}”: red more, blue less`;
  $("colours").textContent = `Colour: ${of}.${data.known && data.known.includes(false) ? " Dotted: unknown to the model." : ""}`;
  $("forget").hidden = !view.unit;
  if (view.unit) $("forget").textContent = `unit ${view.unit.unit} ✕`;
}

// ---- what it believes

function row(table, cells, className) {
  const line = table.insertRow();
  if (className) line.className = className;
  for (const cell of cells) {
    const place = line.insertCell();
    if (cell instanceof Node) place.append(cell); else place.textContent = place.title = cell; // in full, where it is cut
    if (isSeries ? place.cellIndex : place.cellIndex > 1) place.className = "number";
  }
}

function bar(p, before, colour) {
  const box = document.createElement("div"), fill = box.appendChild(document.createElement("i"));
  box.className = "bar";
  fill.style.width = `${100 * (p || 0)}%`;
  fill.style.background = colour;
  if (before >= 0) box.appendChild(document.createElement("b")).style.left = `calc(${100 * before}% - 1px)`;
  return box;
}

function head(table, titles, widths) {
  const line = table.createTHead().insertRow();
  titles.forEach((title, i) => {
    const cell = line.appendChild(document.createElement("th"));
    cell.textContent = title;
    cell.scope = "col";
    cell.style.width = widths[i];
    if (isSeries ? i : i > 1) cell.className = "number";
  });
}

function drawBars() {
  const t = view.step, table = $("bars");
  table.replaceChildren();
  table.classList.toggle("times", isSeries);
  if (isSeries) return drawExpected(table, t);
  const titles = isLanguage ? ["token", "", "probability", "rank"] : [isTagger ? "tag" : "class", "", "probability", "change"];
  head(table, titles, ["34%", "", "76px", "62px"]);
  if (isLanguage) {
    const top = data.top[t], next = data.taken[t];
    top.forEach((token, i) => {
      const p = beliefs[t * top.length + i];
      row(table, [seen(data.outcomes[token]), bar(p, -1, css(token === next ? "--c1" : "--c0")), percent(p), String(i + 1)], token === next ? "taken" : "");
    });
    if (next < 0 || top.includes(next)) return row(table, [" "]); // as high with and without it
    return row(table, [seen(data.outcomes[next]), bar(came[t], -1, css("--c1")), percent(came[t]), String(data.ranks[t] + 1)], "taken");
  }
  let rows = [...Array(outcomes).keys()];
  if (outcomes > 12) rows = rows.sort((a, b) => belief(t, b) - belief(t, a)).slice(0, 10);
  for (const k of rows) {
    const before = t && !isTagger && !(hasMarks && t === steps - 1) ? belief(t - 1, k) : -1;
    const change = before < 0 ? "" : signed(100 * (belief(t, k) - before));
    row(table, [data.outcomes[k], bar(belief(t, k), before, outcomeColour(k)), percent(belief(t, k)), change], k === data.taken[t] ? "taken" : "");
  }
  if (isTagger) table.tHead.rows[0].cells[3].textContent = "";
}

function expected(t, ahead, values) { return values[(t * horizon + ahead) * outcomes + view.target]; }

function drawExpected(table, t) {
  head(table, [data.outcomes[view.target], "expected", "interval", "came"], ["29%", "", "33%", "17%"]);
  for (let ahead = 0; ahead < Math.min(horizon, 10); ahead++) {
    const then = t + 1 + ahead, bounds = `${figure(expected(t, ahead, lower))} – ${figure(expected(t, ahead, upper))}`;
    const truth = then < steps ? figure(signal[then * channels + view.target]) : "";
    row(table, [data.times[then], figure(expected(t, ahead, beliefs)), bounds, truth]);
  }
}

// ---- stepping

function draw() {
  layOut();
  if (data.signal) drawSignal();
  if (!isSeries) drawTime();
  drawHeat();
}

function go(step) {
  const t = Math.max(0, Math.min(steps - 1, step)), before = $("text").querySelector("[aria-selected=true]"), now = $(`t${t}`);
  view.step = t;
  if (before) before.removeAttribute("aria-selected");
  if (now) {
    now.setAttribute("aria-selected", "true");
    $("text").setAttribute("aria-activedescendant", now.id);
    const top = now.offsetTop, box = $("text");
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 40) box.scrollTop = top - box.clientHeight / 2;
  }
  const start = hasMarks && !t, done = hasMarks && t === steps - 1;
  $("question").textContent = isSeries ? `After ${data.read[t]}: what is expected` : isTagger ? `${after(t)} is`
    : isLanguage ? `After ${after(t)}: what comes next` : start ? "If the text were empty"
    : done ? "The whole text" : `If it ended after ${isText ? after(t) : `step ${data.read[t]}`}`;
  $("place").textContent = `${t + 1} of ${steps}`;
  $("step").value = t;
  $("step").setAttribute("aria-valuetext", `${t + 1} of ${steps}, ${told(t)}`);
  if (!timer) $("told").textContent = told(t);
  drawBars();
  draw();
  try { history.replaceState(null, "", `#${t + 1}`); } catch { /* a page within a notebook has no address */ }
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => (view.step < steps - 1 ? go(view.step + 1) : play(false)), 250) : null;
  $("play").textContent = on ? "❚❚ pause" : "▶ play";
  if (on && view.step === steps - 1) go(0);
}

function choose(select, names, change) {
  names.forEach(([value, name]) => select.append(new Option(name, value)));
  select.onchange = () => { change(select.value); colourText(); go(view.step); };
}

function tip(event, text) {
  const box = $("tip");
  box.hidden = !text;
  box.textContent = text;
  if (text) box.style.left = `${Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 6)}px`, box.style.top = `${event.clientY + 16}px`;
}

function begin() {
  const many = data.layers > 1 ? `${data.layers} layers of ` : "", several = data.readers.length > 1;
  const of = isSeries ? `${data.readers.length} networks` : several ? "read in two directions" : "read in one direction";
  const kind = document.title.endsWith(data.kind) ? "" : `${data.kind} · `; // once is enough
  $("about").textContent = `${kind}${many}${data.units} units, ${of} · ${steps.toLocaleString("en")} step${steps > 1 ? "s" : ""}`;
  $("numbers").textContent = isSeries ? "The series, what was expected one step before, and what is expected next"
    : "What is read: each channel between its least and its greatest value";
  $("heading").textContent = isLanguage ? "Surprise: the bits that each token took"
    : isTagger ? "Probability of the tag" : "Belief, if it ended after each step";
  $("reading").hidden = !isText;
  $("numbers").hidden = $("signal").hidden = isText;
  $("heading").hidden = $("time").hidden = isSeries;
  $("layers").hidden = data.layers < 2;
  $("targets").hidden = !isSeries || outcomes < 2;
  $("step").max = steps - 1;
  $("least").textContent = `−${figure(data.scale)}`;
  $("most").textContent = figure(data.scale);
  $("heat").setAttribute("aria-label", `Hidden states: ${data.units} units over ${steps} steps`);
  $("signal").setAttribute("aria-label", $("numbers").textContent);
  $("time").setAttribute("aria-label", $("heading").textContent);
  choose($("layer"), [...Array(data.layers).keys()].map((l) => [l, l + 1]), (value) => { view.layer = Number(value); });
  const orders = [["similarity", "similarity"], ["activity", "activity, most first"], ["index", "index"]];
  choose($("order"), orders, (value) => { view.order = value; });
  choose($("target"), data.outcomes.map((name, k) => [k, name]), (value) => { view.target = Number(value); });
  const legend = isSeries ? [["--ink", "series"], ["--c0", "expected one step before"], ["--c1", "expected next, with interval"]]
    : isLanguage ? [] : isTagger ? types.slice(0, 14).map((type, i) => [`--c${i % 7}`, type || "span"])
    : [...drawn.map((k, i) => [`--c${i}`, data.outcomes[k]]), ...(outcomes > drawn.length ? [["--c7", "others, not drawn"]] : [])];
  for (const [colour, name] of legend) {
    const item = $("legend").appendChild(document.createElement("span"));
    item.appendChild(document.createElement("i")).className = "swatch";
    item.firstChild.style.background = `var(${colour})`;
    item.append(name);
  }
  if (isSeries && data.unseen) $("legend").append(data.unseen < steps ? `dashed: from ${data.read[data.unseen]} on the model had not seen it` : "all of it was trained on");

  const column = (event) => view.first + Math.floor((event.clientX - event.target.getBoundingClientRect().left - GUTTER) / view.width);
  for (const id of ["heat", "time", "signal"]) {
    $(id).onclick = (event) => {
      const at = id === "heat" && heatAt(event), same = view.unit && at && view.unit.reader === at.reader && view.unit.unit === at.unit;
      if (at) view.unit = same ? null : at;
      colourText();
      go(column(event));
    };
    $(id).onmousemove = (event) => {
      const t = column(event), at = id === "heat" && heatAt(event);
      if (t < 0 || t >= steps) return tip(event, "");
      tip(event, at ? `unit ${at.unit} after ${seen(data.read[t])}: ${state(t, at.reader, at.unit).toFixed(4)}` : told(t));
    };
    $(id).onmouseleave = (event) => tip(event, "");
  }
  const cell = (event) => event.target.closest("[role=option]");
  $("text").onclick = (event) => cell(event) && go(Number(cell(event).id.slice(1)));
  $("text").onmousemove = (event) => tip(event, cell(event) ? told(Number(cell(event).id.slice(1))) : "");
  $("text").onmouseleave = (event) => tip(event, "");
  $("step").oninput = () => go(Number($("step").value));
  $("back").onclick = () => go(view.step - 1);
  $("forth").onclick = () => go(view.step + 1);
  $("play").onclick = () => play(!timer);
  $("forget").onclick = () => { view.unit = null; colourText(); draw(); };
  document.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    if (event.target.id === "step" && event.key !== " ") return; // the slider takes arrows, Home and End itself
    const to = { ArrowRight: view.step + 1, ArrowLeft: view.step - 1, Home: 0, End: steps - 1 }[event.key];
    if (to === undefined && (event.key !== " " || event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    if (to === undefined) play(!timer); else go(to);
  };
  matchMedia("(prefers-color-scheme: dark)").onchange = () => { makeRamp(); colourText(); go(view.step); };
  onresize = draw;
  const addressed = () => (location.hash.length > 1 ? Number(location.hash.slice(1)) || 1 : steps) - 1;
  onhashchange = () => go(addressed());
  if (isText) makeText();
  makeRamp();
  colourText();
  go(addressed());
}

begin();
