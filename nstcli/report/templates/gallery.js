"use strict";
// Everything here is comfort: without it, the page is a table of plain links.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // -- Words ---------------------------------------------------------------------------------

  /** Make an element; children that are strings become text, never markup. */
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const bdi = (text) => make("bdi", {}, text);
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, wanted) => button.setAttribute("aria-pressed", String(wanted));
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  const duration = (seconds) => {
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const minutes = Math.floor(seconds / 60);
    return minutes < 60
      ? `${minutes} m ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`
      : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
  };
  const number = (value) => String(Number(value.toPrecision(3)));
  const written = (measure, value) =>
    data.measures[measure] === "time" ? duration(value) : number(value);

  // -- Axes ----------------------------------------------------------------------------------

  // Contents, styles and the settings that vary; a work is at one value of each.
  const axes = data.axes;
  const [CONTENT, STYLE] = [0, 1];
  const works = data.works.map((work, index) => ({
    ...work,
    index,
    figure: document.getElementById(`pair-${index + 1}`),
  }));
  const heads = axes.map(() => []);
  $$(".head").forEach((head) => (heads[head.dataset.axis][head.dataset.value] = head));

  const HINT = "Mark two pictures to compare them";
  const mark = (work) => $("input[name=cell]", work.figure);
  /** Put picture and mark into a figure. They come with the sight of it: thousands take seconds. */
  const complete = (work) => {
    const rest = $("noscript", work.figure);
    if (rest) rest.outerHTML = rest.textContent;
    if (work.failed || mark(work)) return;
    const name = $("img", work.figure)?.alt ?? $("a", work.figure).textContent;
    const box = make("input", { type: "checkbox", name: "cell", value: "", ariaLabel: `Mark ${name}` });
    $("figcaption", work.figure).append(make("label", { className: "mark quiet", title: HINT }, box));
  };
  const image = (work) => {
    complete(work);
    return $("img", work.figure);
  };

  const said = (axis, work) => axes[axis].prefix + axes[axis].values[work.at[axis]];
  /** Name a work by its values of some axes, in the order of these. */
  const named = (work, chosen) =>
    chosen.flatMap((axis, place) => {
      const between = axis === STYLE && chosen[place - 1] === CONTENT ? " × " : " · ";
      return place ? [make("span", { className: "by" }, between), bdi(said(axis, work))] : [bdi(said(axis, work))];
    });
  const everyAxis = [...axes.keys()];
  const alike = (work, other, but) => everyAxis.every((axis) => axis === but || work.at[axis] === other.at[axis]);

  // -- Grid and wall -------------------------------------------------------------------------

  const table = $("table");
  const body = table.tBodies[0];
  const headings = table.tHead.rows[0];
  const corner = $(".corner");
  const wall = $(".wall");
  const main = $("main");
  const tools = $(".tools");
  const nothing = $(".nothing");
  const { rows, columns, sort, direction, view, zoom } = tools.elements;
  const filters = axes.map((axis) => $$("[name=only]").find((each) => each.dataset.axis === axis.key));
  let placed = data.placed; // which axes are in rows and columns
  let shown = works; // in the order of the screen
  let untouched = true; // nothing was arranged yet

  const chosenOnly = (axis) => filters[axis] !== undefined && filters[axis].value !== "";
  const matches = (work) =>
    everyAxis.every((axis) => !chosenOnly(axis) || work.at[axis] === Number(filters[axis].value));

  const mean = (list, measure) => {
    const values = list.map((work) => work.values?.[measure]).filter((value) => value != null);
    return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  };

  /** Order by a number; without one, keep the order by name, and put what has none last. */
  const ordered = (list, numberOf, place, down) =>
    [...list].sort((a, b) => {
      const [x, y] = [numberOf(a), numberOf(b)];
      if (x == null || y == null) return (x == null) - (y == null) || place(a) - place(b);
      return (down ? y - x : x - y) || place(a) - place(b);
    });

  const caption = (work, untold, measure) => {
    const box = $("figcaption", work.figure);
    $$(".title, .value", box).forEach((old) => old.remove());
    if (untold.length) box.prepend(make("span", { className: "title" }, ...named(work, untold)));
    if (measure !== null && work.values?.[measure] != null) {
      const text = `${data.measures[measure]} ${written(measure, work.values[measure])}`;
      box.append(make("span", { className: "value" }, text));
    }
  };

  const group = (list, placeOf) => {
    const found = new Map();
    for (const item of list) {
      const place = placeOf(item);
      if (found.has(place)) found.get(place).push(item);
      else found.set(place, [item]);
    }
    return found;
  };

  const fill = (visible, key, down) => {
    const [byRow, byColumn] = placed.map((axis) => group(visible, (work) => work.at[axis]));
    const [rowOrder, columnOrder] = [byRow, byColumn].map((by) =>
      ordered(by.keys(), (place) => key(by.get(place), place), Number, down),
    );
    const width = axes[placed[1]].values.length;
    const cells = group(visible, (work) => work.at[placed[0]] * width + work.at[placed[1]]);
    const at = (row, column) => cells.get(row * width + column) ?? [];
    const cell = (list) => {
      const inside = list.length ? list.map((work) => work.figure) : [make("span", { className: "none" }, "not made")];
      return make("td", {}, make("div", { className: "cell" }, ...inside));
    };
    const heading = (scope, axis, place) => make("th", { scope }, heads[axis][place]);
    corner.replaceChildren(
      ...[`${capital(axes[placed[0]].title)} ↓`, `${capital(axes[placed[1]].title)} →`].map((text) => make("span", {}, text)),
    );
    headings.replaceChildren(corner, ...columnOrder.map((column) => heading("col", placed[1], column)));
    body.replaceChildren(
      ...rowOrder.map((row) =>
        make("tr", {}, heading("row", placed[0], row), ...columnOrder.map((column) => cell(at(row, column)))),
      ),
    );
    const most = Math.min(2, Math.max(1, ...[...cells.values()].map((list) => list.length)));
    document.documentElement.style.setProperty("--columns", Math.max(1, columnOrder.length) * most);
    return rowOrder.flatMap((row) => columnOrder.flatMap((column) => at(row, column)));
  };

  /** The page as it came: each work is in its place, and nothing needs to be moved. */
  const keep = () => {
    const [row, column] = placed;
    shown = works.filter((work) => !work.failed);
    shown.sort((a, b) => a.at[row] - b.at[row] || a.at[column] - b.at[column] || a.index - b.index);
    showZoom();
  };

  const arrange = () => {
    const measure = sort.value === "" ? null : Number(sort.value);
    const down = pressed(direction);
    const inWall = view.value === "wall";
    const visible = works.filter(matches);
    if (inWall) {
      const value = (work) => (measure === null ? work.index : work.values?.[measure]);
      shown = ordered(visible, value, (work) => work.index, down);
      wall.replaceChildren(...shown.map((work) => work.figure));
    } else {
      // Sorted by name, the numbers are the places themselves, so that "largest first" turns them.
      const key = (list, place) => (measure === null ? place : mean(list, measure));
      shown = fill(visible, key, down);
      wall.replaceChildren();
    }
    const untold = everyAxis.filter((axis) => {
      if (inWall && axis <= STYLE) return true;
      return axes[axis].values.length > 1 && !chosenOnly(axis) && (inWall || !placed.includes(axis));
    });
    visible.forEach((work) => caption(work, untold, measure));
    table.hidden = inWall || !visible.length;
    wall.hidden = !inWall || !visible.length;
    nothing.hidden = visible.length > 0;
    shown = shown.filter((work) => !work.failed);
    showZoom();
  };

  const zoomed = () => zoom.dataset.moved === "true";
  // Where nobody moved the slider, the style sheet decides: it knows the width of the screen.
  const showZoom = () => {
    const cell = $(".cell");
    if (!zoomed() && cell) zoom.value = parseFloat(getComputedStyle(cell).minWidth);
  };
  zoom.addEventListener("input", () => {
    zoom.dataset.moved = "true";
    document.documentElement.style.setProperty("--cell", `${zoom.value}px`);
  });

  // -- What was chosen, in the address -------------------------------------------------------

  /** Write what differs from what the page began with. */
  const address = () => {
    const told = new URLSearchParams();
    if (placed.some((axis, place) => axis !== data.placed[place])) {
      told.set("rows", axes[placed[0]].key);
      told.set("columns", axes[placed[1]].key);
    }
    axes.forEach((axis, at) => chosenOnly(at) && told.set(axis.key, axis.values[filters[at].value]));
    if (sort.value !== "") told.set("sort", data.measures[sort.value]);
    if (pressed(direction)) told.set("largest", "first");
    if (view.value !== "grid") told.set("view", view.value);
    return told.toString();
  };

  const remember = () => {
    const text = address();
    history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
  };

  /** Choose what the address says; without a word of ours, what the page began with. */
  const recall = () => {
    const told = new URLSearchParams(location.hash.slice(1));
    const places = ["rows", "columns"].map((name) => axes.findIndex((axis) => axis.key === told.get(name)));
    const usable = places.every((axis) => axis >= 0) && places[0] !== places[1];
    place(usable ? places : data.placed);
    filters.forEach((filter, axis) => {
      const at = axes[axis].values.indexOf(told.get(axes[axis].key));
      if (filter) filter.value = at < 0 ? "" : String(at);
    });
    const measure = data.measures.indexOf(told.get("sort"));
    sort.value = measure < 0 ? "" : String(measure);
    press(direction, told.get("largest") === "first");
    view.value = told.get("view") === "wall" ? "wall" : "grid";
    if (untouched && address() === "") keep();
    else arrange();
    untouched = false;
  };

  const place = (axesOfTable) => {
    placed = axesOfTable;
    [rows.value, columns.value] = placed.map(String);
  };
  const ofPair = () => /^#pair-\d+$/.test(location.hash);

  const changed = () => {
    arrange();
    remember();
  };
  tools.addEventListener("change", (event) => {
    if (event.target === zoom) return;
    // Who puts one axis where the other is has them change places.
    const wanted = [Number(rows.value), Number(columns.value)];
    place(wanted[0] === wanted[1] ? [placed[1], placed[0]] : wanted);
    changed();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  direction.addEventListener("click", () => {
    press(direction, !pressed(direction));
    changed();
  });
  const showAll = () => {
    filters.forEach((filter) => filter && (filter.value = ""));
    changed();
  };
  $("[name=reset]").addEventListener("click", () => {
    showAll();
    rows.focus();
  });
  addEventListener("hashchange", () => {
    if (!ofPair()) return recall();
    const work = works[Number(location.hash.slice("#pair-".length)) - 1];
    if (!work || work.figure.isConnected) return;
    showAll();
    work.figure.scrollIntoView();
  });

  // -- Marks ---------------------------------------------------------------------------------

  const chosen = $("form.chosen");
  const marked = () => works.filter((work) => mark(work)?.checked);
  const { command, copy, compare: comparing } = chosen.elements;
  const tell = () => {
    const found = marked();
    chosen.hidden = !found.length;
    main.classList.toggle("marking", found.length > 0);
    chosen.elements.count.value = `${found.length} marked`;
    comparing.disabled = found.length !== 2;
    comparing.title = comparing.disabled ? HINT : "";
    if (!command) return;
    // What is left of an earlier preview has no cell.
    const cells = found.map((work) => mark(work).value).filter(Boolean);
    command.value = cells.length ? `${chosen.dataset.command} --cells ${cells.join(",")}` : "";
    copy.textContent = "Copy";
  };
  main.addEventListener("change", tell);
  command?.addEventListener("focus", () => command.select());
  copy?.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.value);
      copy.textContent = "Copied";
    } catch {
      command.select(); // to be copied by hand
    }
  });
  chosen.elements.none.addEventListener("click", () => {
    marked().forEach((work) => (mark(work).checked = false));
    tell();
  });
  chosen.addEventListener("submit", (event) => event.preventDefault());
  tell(); // browsers remember marks when a page is loaded again

  // -- Lightbox ------------------------------------------------------------------------------

  const box = $("dialog.box");
  const frame = $(".frame", box);
  const after = $(".after", box);
  const before = $(".before", box);
  const slider = $(".slider", box);
  const boxTitle = $("h2", box);
  const [previous, next] = [$(".previous", box), $(".next", box)];
  const [beside, magnify] = [$(".beside", box), $(".magnify", box)];
  let current = null;
  let held = null; // what stands on the left instead of the photo

  /** Show a content or style again, small as it is at the head of its row or column. */
  const source = (head, role) => {
    const small = $("img", head);
    const large = $("a", head)?.href;
    let image = make("span", { className: "gone" }, $(".gone", head)?.textContent ?? "");
    if (small) {
      image = make("img", { src: small.src, alt: $(".name", head).textContent });
      if (large) image = make("a", { href: large }, image);
    }
    return make("figure", {}, image, make("figcaption", {}, role));
  };

  const list = (pairs) =>
    make("dl", {}, ...pairs.flatMap(([name, value, title = ""]) => [make("dt", { title }, name), make("dd", {}, value)]));

  /** Draw the loss over the steps; its scale is logarithmic where the loss allows it. */
  const curve = (points) => {
    const losses = points.map(([, loss]) => loss);
    const level = losses.every((loss) => loss > 0) ? Math.log : (loss) => loss;
    const [low, high] = [level(Math.min(...losses)), level(Math.max(...losses))];
    const [start, end] = [points[0][0], points.at(-1)[0]];
    const path = points.map(([step, loss]) => {
      const x = (300 * (step - start)) / (end - start || 1);
      const y = 92 - (88 * (level(loss) - low)) / (high - low || 1);
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const name = `Loss from ${number(losses[0])} at step ${start} to ${number(losses.at(-1))} at step ${end}`;
    for (const [key, value] of Object.entries({ class: "curve", viewBox: "0 0 300 96", preserveAspectRatio: "none", role: "img", "aria-label": name })) {
      svg.setAttribute(key, value);
    }
    for (const [kind, d] of [["base", "M0 95.5H300"], ["loss", `M${path.join("L")}`]]) {
      const line = document.createElementNS(space, "path");
      line.setAttribute("class", kind);
      line.setAttribute("d", d);
      svg.append(line);
    }
    const ends = make("div", { className: "ends" });
    for (const [step, loss] of [points[0], points.at(-1)]) {
      ends.append(make("span", {}, `step ${step}: ${number(loss)}`));
    }
    return [make("h3", {}, "loss"), svg, ends];
  };

  /** Tell the figures of what anybody has for nothing. */
  const scale = (measure, baselines) => {
    const [photo, artwork] = (baselines ?? []).map((v) => (v == null ? null : written(measure, v)));
    return photo == null || artwork == null ? "" : ` (photo ${photo}, artwork ${artwork})`;
  };

  /** What was measured of a work: names, texts, what they can tell. */
  const figures = (work) =>
    data.measures
      .map((name, measure) => [name, work.values[measure], measure])
      .filter(([, value]) => value != null)
      .map(([name, value, measure]) => [name, written(measure, value), data.about[measure], measure]);
  const basics = (work) => [["size", `${work.size[0]} × ${work.size[1]}`], ["steps", String(work.steps || "none")]];
  const opened = (work, text) => {
    const href = $("a", work.figure).getAttribute("href");
    return href.startsWith("#") ? [] : [make("a", { className: "open", href }, text)];
  };

  const facts = (work) => {
    const told = figures(work).map(([name, text, about, measure]) => [
      name,
      text + scale(measure, work.baselines[measure]),
      about,
    ]);
    const parts = [list([...basics(work), ...told])];
    if (work.judge) parts.push(make("p", { className: "note" }, `Measured by ${work.judge}.`));
    if (work.curve.length > 1) parts.push(...curve(work.curve));
    work.notes.forEach((note) => parts.push(make("p", { className: "note" }, note)));
    parts.push(make("h3", {}, "recipe"), list(data.recipes[work.recipe]));
    parts.push(...opened(work, "Open the picture"));
    return parts;
  };

  /** What two works differ in, side by side. */
  const differences = (left, right) => {
    const known = [left, right].map((work) => [
      ...[CONTENT, STYLE].map((axis) => [axes[axis].title, axes[axis].values[work.at[axis]]]),
      ...basics(work),
      ...figures(work),
      ...data.recipes[work.recipe],
    ]);
    const [one, other] = known.map((told) => new Map(told));
    const names = new Set(known.flat().map(([name]) => name));
    const differing = [...names].filter((name) => one.get(name) !== other.get(name));
    const row = (cells, tag) => make("tr", {}, ...cells.map((text, at) => make(at ? tag : "th", {}, text)));
    const found = make("table", {}, row(["", "left", "right"], "th"));
    found.append(...differing.map((name) => row([name, one.get(name) ?? "–", other.get(name) ?? "–"], "td")));
    return [
      found,
      make("p", { className: "note" }, "In everything else they are alike."),
      make("p", {}, ...opened(left, "Open the left"), " ", ...opened(right, "Open the right")),
    ];
  };

  const compare = (percent) => {
    slider.value = percent;
    frame.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % ${held ? "left picture" : "content"}`);
  };

  const pictureOf = (work) => work.full ?? image(work)?.src ?? "";

  const show = (work) => {
    current = work;
    const photo = data.photos[work.at[CONTENT]];
    const apart = held ? everyAxis.filter((axis) => held.at[axis] !== work.at[axis]) : [];
    const told = everyAxis.filter((axis) => (axis <= STYLE || axes[axis].values.length > 1) && !apart.includes(axis));
    boxTitle.replaceChildren(...(told.length ? named(work, told) : ["Two pictures"]));
    $(".sources", box).replaceChildren(
      ...[CONTENT, STYLE]
        .filter((axis) => !apart.includes(axis))
        .map((axis) => source(heads[axis][work.at[axis]], axes[axis].title)),
    );
    $(".told", box).replaceChildren(...(held ? differences(held, work) : facts(work)));
    $(".left", box).replaceChildren(...(held ? named(held, apart) : ["The photo"]));
    $(".right", box).replaceChildren(...(held ? named(work, apart) : ["The picture"]));
    const [width, height] = work.size;
    box.style.setProperty("--ratio", width / height);
    frame.style.setProperty("--most", `${2 * Math.max(width, held?.size[0] ?? 0)}px`);
    frame.classList.toggle("alone", !held && !photo);
    frame.classList.toggle("unlike", held !== null && Math.abs((held.size[0] / held.size[1]) * (height / width) - 1) > 0.02);
    after.src = pictureOf(work);
    after.alt = image(work)?.alt ?? "";
    if (held || photo) before.src = held ? pictureOf(held) : photo;
    before.alt = held ? (image(held)?.alt ?? "") : `${axes[CONTENT].values[work.at[CONTENT]]}, as it was`;
    const place = shown.indexOf(work);
    const focused = [previous, next].includes(document.activeElement);
    previous.disabled = place <= 0;
    next.disabled = place >= shown.length - 1;
    // A button that is disabled loses the focus, and keys would go past the box.
    if (focused && document.activeElement?.disabled !== false) boxTitle.focus({ preventScroll: true });
    for (const near of [shown[place + 1], shown[place - 1]]) {
      if (near?.full) new Image().src = near.full;
    }
  };

  const open = (work, left = null) => {
    held = left;
    compare(left ? 50 : 0);
    $(".keys .rows", box).textContent = axes[placed[0]].title;
    show(work);
    // Other photos have nothing in one place that could be compared.
    if (left && left.at[CONTENT] !== work.at[CONTENT]) setBeside(true);
    box.showModal();
    setZoom(false);
    lookAt(50, 50);
    boxTitle.focus({ preventScroll: true }); // it is read out, and no key moves anything else
  };
  const go = (work) => work && show(work);
  const step = (by) => go(shown[shown.indexOf(current) + by]);
  /** The same in the rows above or below. */
  const stepRow = (by) => {
    const column = shown.filter((work) => alike(work, current, placed[0]));
    go(column[column.indexOf(current) + by]);
  };
  const setBeside = (wanted) => {
    press(beside, wanted);
    box.classList.toggle("side-by-side", wanted);
  };

  let point = [50, 50]; // of the pictures, in percent: it stays where it is when they are enlarged
  const lookAt = (x, y) => {
    point = [x, y].map((share) => Math.min(100, Math.max(0, share)));
    ["--x", "--y"].forEach((name, at) => frame.style.setProperty(name, `${point[at]}%`));
  };
  /** Enlarge both pictures alike, so that each pixel can be seen. */
  const setZoom = (wanted) => {
    press(magnify, wanted);
    frame.style.setProperty("--zoom", wanted ? Math.max(3, current.size[0] / after.offsetWidth) : 1);
  };
  frame.addEventListener("pointermove", (event) => {
    // A pressed button moves the slider.
    if (!pressed(magnify) || (event.buttons && !pressed(beside))) return;
    const { left, top } = frame.getBoundingClientRect();
    const image = event.clientX - left < after.offsetLeft ? before : after;
    lookAt(
      (100 * (event.clientX - left - image.offsetLeft)) / image.offsetWidth,
      (100 * (event.clientY - top)) / image.offsetHeight,
    );
  });

  main.addEventListener("click", (event) => {
    const link = event.target.closest(".work > a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(works[Number(link.parentElement.id.slice("pair-".length)) - 1]);
  });
  comparing.addEventListener("click", () => {
    const [left, right] = marked();
    open(right, left);
  });
  beside.addEventListener("click", () => setBeside(!pressed(beside)));
  magnify.addEventListener("click", () => setZoom(!pressed(magnify)));
  slider.addEventListener("input", () => compare(slider.value));
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  $(".close", box).addEventListener("click", () => box.close());
  box.addEventListener("close", () => {
    const link = held ? comparing : $("a", current.figure);
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const sliding = event.target === slider;
    const ways = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
    const moves = {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      ArrowUp: () => stepRow(-1),
      ArrowDown: () => stepRow(1),
      Home: () => go(shown[0]),
      End: () => go(shown.at(-1)),
    };
    if (event.key === "c" || event.key === "C") compare(slider.value > 50 ? 0 : 100);
    else if (event.key === "s" || event.key === "S") setBeside(!pressed(beside));
    else if (event.key === "z" || event.key === "Z") setZoom(!pressed(magnify));
    else if (event.shiftKey && ways[event.key]) lookAt(...point.map((share, at) => share + ways[event.key][at]));
    else if (moves[event.key] && !sliding) moves[event.key]();
    else return;
    event.preventDefault();
  });

  tools.hidden = false;
  recall();

  const completeAll = () => works.forEach(complete);
  addEventListener("beforeprint", completeAll);
  if ("oncontentvisibilityautostatechange" in document) {
    const seen = (work) => work.figure.firstElementChild.checkVisibility({ contentVisibilityAuto: true });
    works.filter(seen).forEach(complete);
    const workOf = new Map(works.map((work) => [work.figure, work]));
    const change = (event) => event.skipped || complete(workOf.get(event.target));
    main.addEventListener("contentvisibilityautostatechange", change, true);
  } else completeAll();
})();
