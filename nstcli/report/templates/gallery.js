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

  // -- Grid and wall -------------------------------------------------------------------------

  const table = $("table");
  const body = table.tBodies[0];
  const headings = table.tHead.rows[0];
  const wall = $(".wall");
  const main = $("main");
  const tools = $(".tools");
  const nothing = $(".nothing");
  const rows = [...body.rows];
  const columns = $$("th", headings);
  const works = data.works.map((work, index) => {
    const figure = $(`[data-work="${index}"]`);
    return { ...work, figure, home: figure.parentElement };
  });
  let shown = works; // in the order of the screen

  const field = (name) => tools.elements[name]?.value ?? "";
  const matches = (work) =>
    (field("content") === "" || work.content === Number(field("content"))) &&
    (field("style") === "" || work.style === Number(field("style"))) &&
    (field("model") === "" || work.model === field("model"));

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

  const caption = (work, inWall, measure) => {
    const box = $("figcaption", work.figure);
    $$(".title, .value", box).forEach((old) => old.remove());
    if (inWall) {
      const names = [bdi(data.contents[work.content].label), " × ", bdi(data.styles[work.style].label)];
      box.prepend(make("span", { className: "title" }, ...names));
    }
    if (measure !== null && work.values?.[measure] != null) {
      const text = `${data.measures[measure]} ${written(measure, work.values[measure])}`;
      box.append(make("span", { className: "value" }, text));
    }
  };

  const arrange = () => {
    const sort = field("sort");
    const measure = sort === "" ? null : Number(sort);
    const down = tools.elements.direction.getAttribute("aria-pressed") === "true";
    const inWall = tools.elements.view.value === "wall";
    const visible = works.filter(matches);
    const seen = new Set(visible);
    // Sorted by name, the numbers are the places themselves, so that "largest first" turns them.
    const key = (list, place) => (measure === null ? place : mean(list, measure));
    const byRow = rows.map((_, row) => visible.filter((work) => work.content === row));
    const byColumn = columns.map((_, column) => visible.filter((work) => work.style === column));
    const rowOrder = ordered(rows.keys(), (row) => key(byRow[row], row), Number, down);
    const columnOrder = ordered(columns.keys(), (c) => key(byColumn[c], c), Number, down);

    if (inWall) {
      const place = (work) => works.indexOf(work);
      const value = (work) => (measure === null ? place(work) : work.values?.[measure]);
      shown = ordered(visible, value, place, down);
      wall.replaceChildren(...shown.map((work) => work.figure));
    } else {
      const cells = rows.map((row) => $$("td", row).sort((a, b) => a.dataset.style - b.dataset.style));
      works.forEach((work) => work.home.append(work.figure));
      headings.append(...columnOrder.map((column) => columns[column]));
      columns.forEach((heading, column) => (heading.hidden = !byColumn[column].length));
      rows.forEach((row, index) => {
        row.hidden = !byRow[index].length;
        row.append(...columnOrder.map((column) => cells[index][column]));
        cells[index].forEach((cell, column) => (cell.hidden = !byColumn[column].length));
      });
      body.append(...rowOrder.map((row) => rows[row]));
      shown = rowOrder.flatMap((row) =>
        columnOrder.flatMap((column) => byRow[row].filter((work) => work.style === column)),
      );
    }
    works.forEach((work) => {
      work.figure.hidden = !seen.has(work);
      caption(work, inWall, measure);
    });
    table.hidden = inWall || !visible.length;
    wall.hidden = !inWall || !visible.length;
    nothing.hidden = visible.length > 0;
    shown = shown.filter((work) => !work.failed);
  };

  tools.addEventListener("change", (event) => {
    if (event.target.name !== "size") arrange();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.elements.direction.addEventListener("click", (event) => {
    const button = event.currentTarget;
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    arrange();
  });
  const size = tools.elements.size;
  // Where nobody moved the slider, the style sheet decides: it knows the width of the screen.
  size.defaultValue = parseFloat(getComputedStyle($(".cell")).minWidth);
  const resize = () => {
    const root = document.documentElement.style;
    if (size.value === size.defaultValue) root.removeProperty("--cell");
    else root.setProperty("--cell", `${size.value}px`);
  };
  size.addEventListener("input", resize);
  $("[name=reset]").addEventListener("click", () => {
    tools.reset();
    resize();
    arrange();
    tools.elements.content.focus();
  });

  // -- Marks ---------------------------------------------------------------------------------

  const chosen = $("form.chosen");
  if (chosen) {
    const marks = $$("input[name=cell]");
    const { command, copy } = chosen.elements;
    const tell = () => {
      const cells = marks.filter((mark) => mark.checked).map((mark) => mark.value);
      chosen.hidden = !cells.length;
      chosen.elements.count.value = `${cells.length} marked`;
      command.value = `${chosen.dataset.command} --cells ${cells.join(",")}`;
      copy.textContent = "Copy";
    };
    main.addEventListener("change", tell);
    command.addEventListener("focus", () => command.select());
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.value);
        copy.textContent = "Copied";
      } catch {
        command.select(); // to be copied by hand
      }
    });
    chosen.elements.none.addEventListener("click", () => {
      marks.forEach((mark) => (mark.checked = false));
      tell();
    });
    chosen.addEventListener("submit", (event) => event.preventDefault());
    tell(); // browsers remember marks when a page is loaded again
  }

  // -- Lightbox ------------------------------------------------------------------------------

  const box = $("dialog.box");
  const frame = $(".frame", box);
  const after = $(".after", box);
  const before = $(".before", box);
  const slider = $(".slider", box);
  const boxTitle = $("h2", box);
  const [previous, next] = [$(".previous", box), $(".next", box)];
  let current = null;

  /** Show a content or style again, small as it is at the head of its row or column. */
  const source = (heading, role) => {
    const small = $("img", heading);
    const large = $("a", heading)?.href;
    let image = make("span", { className: "gone" }, "not found");
    if (small) {
      image = make("img", { src: small.src, alt: $(".name", heading).textContent });
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

  const facts = (work) => {
    const parts = [];
    const figures = data.measures
      .map((name, measure) => [name, work.values[measure], measure])
      .filter(([, value]) => value != null)
      .map(([name, value, measure]) => [
        name,
        written(measure, value) + scale(measure, work.baselines[measure]),
        data.about[measure],
      ]);
    parts.push(list([["size", `${work.size[0]} × ${work.size[1]}`], ["steps", String(work.steps)], ...figures]));
    if (work.judge) parts.push(make("p", { className: "note" }, `Measured by ${work.judge}.`));
    if (work.curve.length > 1) parts.push(...curve(work.curve));
    work.notes.forEach((note) => parts.push(make("p", { className: "note" }, note)));
    parts.push(make("h3", {}, "recipe"), list([...data.recipes[work.recipe], ...work.made]));
    const href = $("a", work.figure).getAttribute("href");
    if (!href.startsWith("#")) {
      parts.push(make("a", { className: "open", href }, "Open the picture"));
    }
    return parts;
  };

  const compare = (percent) => {
    slider.value = percent;
    frame.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % content`);
  };

  const show = (work) => {
    current = work;
    const [content, style] = [data.contents[work.content], data.styles[work.style]];
    const image = $("img", work.figure);
    const names = [bdi(content.label), make("span", { className: "by" }, " × "), bdi(style.label)];
    if (work.variant) names.push(make("span", { className: "by" }, ` · ${work.variant}`));
    boxTitle.replaceChildren(...names);
    $(".sources", box).replaceChildren(
      source($("th", rows[work.content]), "content"),
      source(columns[work.style], "style"),
    );
    $(".told", box).replaceChildren(...facts(work));
    box.style.setProperty("--ratio", work.size[0] / work.size[1]);
    frame.style.setProperty("--most", `${2 * work.size[0]}px`);
    frame.classList.toggle("alone", !content.large);
    after.src = work.full ?? image?.src ?? "";
    after.alt = image?.alt ?? "";
    if (content.large) before.src = content.large;
    before.alt = `${content.label}, as it was`;
    const place = shown.indexOf(work);
    const held = [previous, next].includes(document.activeElement);
    previous.disabled = place <= 0;
    next.disabled = place >= shown.length - 1;
    // A button that is disabled loses the focus, and keys would go past the box.
    if (held && document.activeElement?.disabled !== false) boxTitle.focus({ preventScroll: true });
    for (const near of [shown[place + 1], shown[place - 1]]) {
      if (near?.full) new Image().src = near.full;
    }
  };

  const go = (work) => work && show(work);
  const step = (by) => go(shown[shown.indexOf(current) + by]);
  /** The same style (and backbone, if there are several) in the rows above or below. */
  const stepRow = (by) => {
    const column = shown.filter((work) => work.style === current.style && work.variant === current.variant);
    go(column[column.indexOf(current) + by]);
  };

  main.addEventListener("click", (event) => {
    const link = event.target.closest(".work > a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    compare(0);
    show(works[link.parentElement.dataset.work]);
    box.showModal();
    boxTitle.focus({ preventScroll: true }); // it is read out, and no key moves anything else
  });
  slider.addEventListener("input", () => compare(slider.value));
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  $(".close", box).addEventListener("click", () => box.close());
  box.addEventListener("close", () => {
    const link = $("a", current.figure);
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const sliding = event.target === slider;
    const moves = {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      ArrowUp: () => stepRow(-1),
      ArrowDown: () => stepRow(1),
      Home: () => go(shown[0]),
      End: () => go(shown.at(-1)),
    };
    if (event.key === "c" || event.key === "C") compare(slider.value > 50 ? 0 : 100);
    else if (moves[event.key] && !sliding) moves[event.key]();
    else return;
    event.preventDefault();
  });

  tools.hidden = false;
  arrange();
})();
