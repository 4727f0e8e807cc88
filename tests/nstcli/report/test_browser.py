"""The gallery in a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from playwright.sync_api import Page

from nstcli.plan.pair import Pair
from nstcli.report.choosing import Choosing
from nstcli.report.gallery import write_gallery
from nstcli.report.varying import write_order
from nstcli.results.folder import Store
from nstcli.results.records import Measured
from tests.nstcli.report.conftest import Visit
from tests.nstcli.report.output_folders import batch, make, write

pytestmark = pytest.mark.browser

CONTENTS, STYLES = ["cat.png", "dog.png", "emu.png"], ["ink.png", "wave.png"]

HOSTILE = [
    'a"><img>#1 100%?.png',
    "<script>alert(1)<!--'&amp;.png",
    "emoji 😀 é.png",
    "שלום עולם.png",
    "back\\slash.png",
    "a:smile:[b].png",
    "%41%2e.png",
    "__proto__.png",
    "two\nlines.png",
    "evil\u202egnp.png",
]


@pytest.fixture
def made(tmp_path: Path) -> Store:
    return batch(tmp_path, CONTENTS, STYLES)


def links(page) -> list[str]:
    return page.locator(".work:visible > a").evaluate_all("all => all.map(a => a.href)")


def names(page) -> list[str]:
    """Name the results in the order of the screen."""
    return [unquote_to_bytes(link.rsplit("/", 1)[1]).decode() for link in links(page)]


def open_box(page, number: int = 0) -> None:
    page.locator(".work > a").nth(number).click()
    page.locator("dialog[open]").wait_for()


def title(page) -> str:
    return page.locator("#box-title").inner_text()


def after_is_loaded(page) -> None:
    page.wait_for_function("() => document.querySelector('.after').naturalWidth > 0")


def test_the_grid_is_complete(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    assert page.locator("thead th .name").all_inner_texts() == STYLES
    assert page.locator("tbody th .name").all_inner_texts() == CONTENTS
    assert names(page) == [f"{c[:-4]}__{s[:-4]}.png" for c in CONTENTS for s in STYLES]
    assert page.get_by_role("img", name="cat.png in the manner of ink.png").count() == 1
    page.wait_for_function("() => [...document.images].every(i => !i.src || i.naturalWidth > 0)")
    summary = page.locator(".summary").inner_text()
    assert summary.startswith("6 pictures · 3 contents × 2 styles · vgg19 · 64 px")


def test_failed_and_missing_pairs_have_their_place(tmp_path: Path, visit: Visit) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    lost, art = tmp_path / "photos/lost.png", tmp_path / "art/ink.png"
    store.fail(Pair.of(lost, art, "lost__ink.png"), "<b>bad</b> file; copy it again", 1.0)
    other = write(tmp_path / "art/wave.png", 9, 9, 5)
    make(store, tmp_path / "photos/cat.png", other)
    page = visit(write_gallery(store.folder))
    rows = page.locator("tbody tr")
    assert "not found" in rows.nth(1).locator("th").inner_text()
    assert rows.nth(1).locator(".failed p").inner_text() == "<b>bad</b> file; copy it again"
    assert rows.nth(1).locator(".none").inner_text() == "not made"
    page.get_by_role("link", name="1 failed").click()
    assert page.url.endswith("#pair-3")
    assert page.locator("#pair-3.failed").is_visible()
    page.get_by_role("radio", name="Wall").check()
    failed = page.locator(".wall .failed")
    assert failed.locator(".title").inner_text() == "lost.png × ink.png"


def test_filters(tmp_path: Path, visit: Visit) -> None:
    store = batch(tmp_path, CONTENTS, STYLES)
    for content in CONTENTS:
        photo, art = tmp_path / "photos" / content, tmp_path / "art/ink.png"
        make(store, photo, art, f"sq/{content}", recipe={"model": "squeezenet"})
    page = visit(write_gallery(store.folder))
    assert len(links(page)) == 9
    page.get_by_role("combobox", name="Content").select_option("dog.png")
    assert names(page) == ["dog.png", "dog__ink.png", "dog__wave.png"]
    assert page.locator("tbody th:visible").count() == 1
    page.get_by_role("combobox", name="Backbone").select_option("squeezenet")
    assert names(page) == ["dog.png"]
    assert page.locator("thead th:visible").count() == 1
    page.get_by_role("combobox", name="Style").select_option("wave.png")
    assert links(page) == []
    assert page.get_by_role("status").inner_text().startswith("No picture matches")
    page.get_by_role("button", name="Show all").click()
    assert len(links(page)) == 9


def test_sorting_orders_the_wall_by_pictures_and_the_grid_by_means(
    made: Store, visit: Visit
) -> None:
    for number, (output, record) in enumerate(made.records()):
        values = {"lpips": (5 - number) / 10}
        made.save_measured(
            output,
            Measured(output_sha256=record.output_sha256, judge="v", values=values),
        )
    page = visit(write_gallery(made.folder))
    by_name = names(page)
    page.get_by_role("combobox", name="Sort by").select_option("Measured LPIPS")
    assert page.locator("tbody th .name").all_inner_texts() == CONTENTS[::-1]
    assert page.locator("thead th .name").all_inner_texts() == STYLES[::-1]
    assert names(page) == by_name[::-1]
    assert page.locator(".work .value").first.inner_text() == "Measured LPIPS 0"
    page.get_by_role("radio", name="Wall").check()
    assert names(page) == by_name[::-1]
    page.get_by_role("button", name="Largest first").click()
    assert names(page) == by_name
    page.get_by_role("combobox", name="Sort by").select_option("Time")
    page.get_by_role("button", name="Largest first").click()
    # 10 + row + 7 × column seconds
    assert names(page) == [f"{c[:-4]}__{s[:-4]}.png" for s in STYLES for c in CONTENTS]
    page.get_by_role("radio", name="Grid").check()
    page.get_by_role("combobox", name="Sort by").select_option("Name")
    assert names(page) == by_name


def test_the_lightbox_by_keyboard(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    page.locator(".work > a").first.focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    assert title(page) == "cat.png × ink.png"
    for key, expected in [
        ("ArrowRight", "cat.png × wave.png"),
        ("ArrowDown", "dog.png × wave.png"),
        ("ArrowLeft", "dog.png × ink.png"),
        ("ArrowUp", "cat.png × ink.png"),
        ("ArrowLeft", "cat.png × ink.png"),
        ("End", "emu.png × wave.png"),
        ("ArrowRight", "emu.png × wave.png"),
        ("Home", "cat.png × ink.png"),
        ("End", "emu.png × wave.png"),
    ]:
        page.keyboard.press(key)
        assert title(page) == expected, key
    assert page.get_by_role("button", name="Next picture").is_disabled()
    after_is_loaded(page)
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    # The event that a dialog was closed comes a moment later.
    page.wait_for_function("() => document.activeElement.href?.endsWith('/emu__wave.png')")


def test_the_lightbox_by_mouse_tells_how_a_picture_was_made(made: Store, visit: Visit) -> None:
    output, record = next(made.records())
    made.save_measured(
        output,
        Measured(
            output_sha256=record.output_sha256,
            judge="vgg16",
            witness="mobilenet",
            values={"lpips": 0.4321, "structure": 0.134},
            baselines={
                "content": {"lpips": 0.0, "structure": 0.0},
                "style": {"structure": 0.191},
            },
        ),
    )
    page = visit(write_gallery(made.folder))
    open_box(page)
    told = page.locator(".facts").inner_text()
    for fact in (
        "48 × 36", "10.0 s", "0.0125", "relu1_1, relu5_1=0.5", "0.432",
        "Measured by vgg16 and mobilenet",
        "0.134 (photo 0, artwork 0.191)",
        "step 1: 10", "step 20: 0.5", "vgg19", "nst 0.1.0",
    ):  # fmt: skip
        assert fact in told
    cannot = page.get_by_text("measured structure", exact=True).get_attribute("title")
    assert "cannot say whether a thing is still recognised" in cannot
    curve = page.get_by_role("img", name="Loss from 10 at step 1 to 0.5 at step 20")
    assert curve.locator("path").nth(1).get_attribute("d").count("L") == 19
    picture = page.get_by_role("link", name="Open the picture")
    assert picture.get_attribute("href") == "cat__ink.png"
    page.get_by_role("button", name="Next picture").click()
    assert title(page) == "cat.png × wave.png"
    assert "LPIPS" not in page.locator(".facts").inner_text()
    page.get_by_role("button", name="Previous picture").click()
    page.get_by_role("button", name="Close").click()
    assert page.locator("dialog[open]").count() == 0


def shares(page) -> tuple[float, float]:
    """Return how much the slider says that the left picture takes, and how much it does take."""
    clip = page.locator(".before").evaluate("image => getComputedStyle(image).clipPath")
    cut = re.findall(r"([\d.]+)(?:%|px)", clip)
    right = cut[1 % len(cut)]  # one number is all four
    return float(page.locator(".slider").input_value()), 100 - float(right)


def test_the_photo_is_seen_beside_the_picture(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    open_box(page)
    after_is_loaded(page)
    page.get_by_role("button", name="Side by side").click()
    before, after = (page.locator(f".{which}").bounding_box() for which in ("before", "after"))
    assert (before["width"], before["height"]) == (after["width"], after["height"])
    assert before["x"] + before["width"] < after["x"]


def test_both_pictures_are_enlarged_alike(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    open_box(page)
    after_is_loaded(page)
    sizes = "all => all.map(e => e.getBoundingClientRect().width)"
    plain = page.locator(".frame img").evaluate_all(sizes)
    page.get_by_role("button", name="Zoom").click()
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".frame img").evaluate_all(sizes) == [3 * width for width in plain]
    origins = "all => all.map(e => getComputedStyle(e).transformOrigin)"
    assert len(set(page.locator(".frame img").evaluate_all(origins))) == 1
    slider = page.get_by_role("slider", name="Before and after")
    slider.fill("70")
    # What is at 70 % of the screen is there of the picture that is enlarged about 40 %.
    assert shares(page)[1] == pytest.approx(40 + (70 - 40) / 3, abs=0.01)
    page.keyboard.press("z")
    assert page.locator(".frame img").evaluate_all(sizes) == plain


def test_the_slider_by_keyboard(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    open_box(page)
    assert shares(page)[0] == 0
    slider = page.get_by_role("slider", name="Before and after")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert shares(page) == (3, pytest.approx(3))
    assert title(page) == "cat.png × ink.png"
    assert slider.get_attribute("aria-valuetext") == "3 % content"
    page.keyboard.press("c")
    assert shares(page)[0] == 100
    page.keyboard.press("c")
    assert shares(page)[0] == 0


def test_the_slider_by_mouse(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    open_box(page)
    after_is_loaded(page)
    frame = page.locator(".frame").bounding_box()
    middle = frame["y"] + frame["height"] / 2
    page.mouse.move(frame["x"] + frame["width"] * 0.25, middle)
    page.mouse.down()
    assert shares(page)[0] == pytest.approx(25, abs=3)
    page.mouse.move(frame["x"] + frame["width"] * 0.75, middle, steps=5)
    page.mouse.up()
    share, taken = shares(page)
    assert share == pytest.approx(75, abs=3)
    assert taken == pytest.approx(share)
    line = page.locator(".line").bounding_box()
    assert line["x"] + 1 == pytest.approx(frame["x"] + frame["width"] * share / 100, abs=1)


def test_hostile_names_are_shown_verbatim_and_linked_rightly(tmp_path: Path, visit: Visit) -> None:
    notes = ("</script><img src=x onerror=alert(1)>",)
    store = batch(tmp_path, HOSTILE, HOSTILE[:2], notes=notes)
    page = visit(write_gallery(store.folder))
    rows = page.locator("tbody th .name").evaluate_all("all => all.map(e => e.textContent)")
    assert sorted(rows) == sorted(HOSTILE)
    content = page.get_by_role("combobox", name="Content")
    options = content.locator("option").evaluate_all("all => all.map(o => o.text)")
    assert len(options) == len(HOSTILE) + 1
    assert page.locator("script").count() == 2
    found = {bytes(unquote_to_bytes(link.removeprefix("file://"))) for link in links(page)}
    expected = {os.fsencode(store.folder.resolve() / output) for output, _ in store.records()}
    assert found == expected
    open_box(page)
    assert page.locator(".note").inner_text() == notes[0]
    for _ in range(len(expected)):
        after_is_loaded(page)
        shown = page.locator("#box-title bdi").evaluate_all("all => all.map(e => e.textContent)")
        assert shown[0] in HOSTILE
        assert shown[1] in HOSTILE[:2]
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Wall").check()
    assert page.locator(".wall .work").count() == 2 * len(HOSTILE)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8_are_escaped_and_linked_by_their_bytes(
    tmp_path: Path, visit: Visit
) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        write(tmp_path / "photos" / name, 36, 48, 1)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    store = Store(tmp_path / "out")
    store.prepare()
    make(store, tmp_path / "photos" / name, write(tmp_path / "art/ink.png", 9, 9, 2))
    page = visit(write_gallery(store.folder))
    assert page.locator("tbody th .name").inner_text() == r"caf\xe9.png"
    assert page.locator("tbody th img").count() == 1
    assert links(page)[0].endswith("/caf%E9__ink.png")
    open_box(page)
    after_is_loaded(page)


def stopwatch(page: Page) -> Callable[[], float]:
    """Return what tells the seconds that the page's main thread has computed from now on.

    However busy the machine is; what the page rasters in other threads does not count.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(found["value"] for found in metrics if found["name"] == "TaskDuration"))

    return seconds


def test_hundreds_of_pairs_stay_light(tmp_path: Path, visit: Visit) -> None:
    numbers = range(20)
    store = batch(tmp_path, [f"c{n:02}.png" for n in numbers], [f"s{n:02}.png" for n in numbers])
    path = write_gallery(store.folder)
    assert path.stat().st_size < 900_000
    page = visit(path)
    page.wait_for_load_state("load")
    assert page.locator(".work").count() == 400
    images = page.locator(".work img")
    assert 0 < images.count() < 350, "pictures come with the sight of them"
    computed = stopwatch(page)
    page.evaluate("""async () => {
        const main = document.querySelector("main");
        const frame = () => new Promise(requestAnimationFrame);
        await frame();
        for (let step = 1; step <= 60; step++) {
            main.scrollTo(main.scrollWidth * step / 60, main.scrollHeight * step / 60);
            await frame();
        }
    }""")
    assert 0 < computed() / 60 < 0.03, "the mean frame while scrolling"
    assert page.locator("tbody th .name").last.is_visible()
    last = page.locator(".work").last
    assert last.get_by_role("img").get_attribute("alt") == "c19.png in the manner of s19.png"
    assert last.get_by_label("Mark c19.png").count() == 1
    heading = page.locator("thead th").last.bounding_box()
    assert heading["y"] == page.locator("main").bounding_box()["y"]  # it stays in sight
    before = computed()
    page.get_by_role("combobox", name="Sort by").select_option("Time")
    page.get_by_role("combobox", name="Rows").select_option("Style")
    assert 0 < computed() - before < 1


def test_without_javascript_it_is_a_table_of_links(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder), java_script_enabled=False)
    assert page.locator(".tools").is_hidden()
    assert page.locator(".work img").first.is_visible()
    assert page.locator(".work img").count() == page.locator(".work > a").count()
    page.locator(".work > a").first.click()
    page.wait_for_url("**/cat__ink.png")


def test_one_file_holds_everything(made: Store, tmp_path: Path, visit: Visit) -> None:
    path = write_gallery(made.folder, self_contained=True)
    alone = tmp_path / "elsewhere" / "page.html"
    alone.parent.mkdir()
    path.rename(alone)
    page = visit(alone)
    assert page.locator(".work img").first.evaluate("image => image.naturalWidth") == 48
    open_box(page)
    after_is_loaded(page)
    assert page.locator(".before").evaluate("image => image.naturalWidth") == 48
    assert page.get_by_role("link", name="Open the picture").count() == 0


LUMINANCE = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const of = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    const { backgroundColor, color } = style("body");
    return [backgroundColor, color, style(".summary").color].map(of);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(made: Store, visit: Visit, scheme: str) -> None:
    page = visit(write_gallery(made.folder), color_scheme=scheme)
    ground, text, quiet = page.evaluate(LUMINANCE)
    assert (ground > 0.5) == (scheme == "light")
    for ink in (text, quiet):
        light, dark = max(ink, ground), min(ink, ground)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, AA


def test_a_phone_scrolls_the_grid_and_not_the_page(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder), width=390, height=844)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    open_box(page)
    frame = page.locator(".frame").bounding_box()
    assert frame["x"] >= 0
    assert frame["x"] + frame["width"] <= 390
    assert page.get_by_role("button", name="Next picture").is_visible()


def test_every_control_has_a_name_and_nothing_moves_unasked(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder), reduced_motion="reduce")
    nameless = page.locator("button, select, input").evaluate_all(
        "all => all.filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.locator("img:not([alt])").count() == 0
    image = page.locator(".work img").first
    assert image.evaluate("image => getComputedStyle(image).transitionDuration") == "0s"


def test_the_focus_stays_in_the_lightbox_at_the_last_picture(made: Store, visit: Visit) -> None:
    page = visit(write_gallery(made.folder))
    page.locator(".work > a").nth(4).focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    assert page.evaluate("() => document.activeElement.id") == "box-title"  # which is read out
    following = page.get_by_role("button", name="Next picture")
    following.focus()
    page.keyboard.press("Enter")
    assert title(page) == "emu.png × wave.png"
    assert following.is_disabled()
    page.keyboard.press("ArrowLeft")
    assert title(page) == "emu.png × ink.png"
    assert page.locator("dialog[tabindex]").count() == 0  # HTML forbids it


def test_marked_pictures_become_a_command(made: Store, visit: Visit) -> None:
    names = sorted(name for name, _ in made.records())
    cells = {name: f"{number + 1}" for number, name in enumerate(names)}
    Choosing("nst run 'my \"file\" <b>.toml' -o out", cells).write(made.layout)
    page = visit(write_gallery(made.folder))
    bar, command = page.locator("form.chosen"), page.get_by_label("Command", exact=True)
    assert bar.is_hidden()
    page.get_by_label("2", exact=True).check()
    page.get_by_label("5", exact=True).check()
    wanted = "nst run 'my \"file\" <b>.toml' -o out --cells 2,5"
    assert command.input_value() == wanted
    assert bar.locator("output").inner_text() == "2 marked"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    bar.get_by_role("button", name="Copy").click()
    bar.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == wanted
    page.get_by_label("2", exact=True).uncheck()
    assert command.input_value().endswith("--cells 5")
    bar.get_by_role("button", name="Clear").click()
    assert bar.is_hidden()
    assert page.locator("input[name=cell]:checked").count() == 0


def test_a_page_to_be_sent_has_no_command(made: Store, visit: Visit) -> None:
    Choosing("nst batch /home/me/a b", {"cat__ink.png": "1"}).write(made.layout)
    sent = write_gallery(made.folder, self_contained=True)
    page = visit(sent)
    page.get_by_label("Mark cat.png in the manner of ink.png").check()
    bar = page.locator("form.chosen")
    assert bar.locator("output").inner_text() == "1 marked"
    assert bar.locator("[name=command], [name=copy]").count() == 0
    assert b"/home/me" not in sent.read_bytes()


WEIGHTS, MODELS = ("3", "10", "30"), ("vgg19", "squeezenet")


@pytest.fixture
def swept(tmp_path: Path) -> Store:
    """Make what `nst run` would of a sweep over weights and models; one of them is missing."""
    store = batch(tmp_path, [], [])
    content, style = write(tmp_path / "a.png", 36, 48, 1), write(tmp_path / "b.png", 40, 30, 2)
    for weight in WEIGHTS:
        for model in MODELS:
            folder = f"style-weight={weight},model={model}"
            recipe = {"style_weight": float(weight), "model": model}
            pair = Pair.of(content, style, f"{folder}/a__b.png")
            if folder == "style-weight=10,model=squeezenet":
                store.fail(pair, "ran out of memory", 1.0)
            elif folder != "style-weight=3,model=squeezenet":
                make(store, content, style, pair.output, recipe=recipe)
    write_order(store.layout, {"style-weight": [*WEIGHTS], "model": [*MODELS]})
    return store


def headings(page) -> tuple[list[str], list[str]]:
    """Return what stands at the rows and at the columns."""
    rows, columns = (page.locator(f"{place} th .name") for place in ("tbody", "thead"))
    return rows.all_inner_texts(), columns.all_inner_texts()


def test_what_varies_is_in_rows_and_columns_by_the_order_of_the_file(
    swept: Store, visit: Visit
) -> None:
    page = visit(write_gallery(swept.folder))
    assert headings(page) == ([*MODELS], [*WEIGHTS])
    assert page.locator(".corner").inner_text().split("\n") == ["Backbone ↓", "Style weight →"]
    cells = page.locator("tbody tr").nth(1).locator("td")
    assert cells.nth(0).inner_text() == "not made"
    assert "ran out of memory" in cells.nth(1).inner_text()
    assert cells.nth(2).get_by_role("img").count() == 1
    without = visit(write_gallery(swept.folder), java_script_enabled=False)
    assert headings(without) == ([*MODELS], [*WEIGHTS])


def test_any_two_axes_are_the_table_and_the_address_keeps_them(swept: Store, visit: Visit) -> None:
    path = write_gallery(swept.folder)
    page = visit(path)
    rows, columns = (
        page.get_by_role("combobox", name="Rows"),
        page.get_by_role("combobox", name="Columns"),
    )
    rows.focus()
    page.keyboard.press("S")  # style, and then style weight, which the columns have
    page.keyboard.press("S")
    assert headings(page) == ([*WEIGHTS], ["b.png"])
    columns.select_option("Content")
    assert headings(page) == ([*WEIGHTS], ["a.png"])
    assert page.locator("thead img").count() == 1
    first = page.locator("tbody tr").nth(2).locator("figcaption")
    assert first.all_inner_texts() == [*MODELS]  # what rows and columns leave untold
    page.get_by_role("combobox", name="Backbone").select_option("squeezenet")
    assert headings(page) == (["10", "30"], ["a.png"])
    assert page.url.endswith("#rows=style-weight&columns=content&model=squeezenet")
    page.get_by_role("combobox", name="Sort by").select_option("Time")
    again = visit(Path(path))
    again.goto(page.url)
    assert headings(again) == (["30", "10"], ["a.png"])
    assert (
        again.get_by_role("combobox", name="Backbone").locator("option:checked").inner_text()
        == "squeezenet"
    )
    again.goto(path.as_uri() + "#rows=nonsense&model=%FF&sort=x&columns=model")
    assert headings(again) == ([*MODELS], [*WEIGHTS])


def test_two_marked_pictures_are_compared(swept: Store, visit: Visit) -> None:
    page = visit(write_gallery(swept.folder))
    page.get_by_label("Mark").first.check()
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    page.locator("[name=cell]").nth(2).focus()
    page.keyboard.press("Space")
    compare.press("Enter")
    after_is_loaded(page)
    assert title(page) == "a.png × b.png · vgg19"
    assert page.locator(".left, .right").all_inner_texts() == ["style weight 3", "style weight 30"]
    assert page.locator(".told tr").all_inner_texts()[1:] == ["style weight\t3\t30"]
    assert shares(page)[0] == 50
    page.get_by_role("slider", name="Before and after").press("ArrowRight")
    assert shares(page) == (51, pytest.approx(51))
    page.keyboard.press("s")
    before, after = (page.locator(f".{which}").bounding_box() for which in ("before", "after"))
    assert (before["width"], before["height"]) == (after["width"], after["height"])
    assert before["x"] + before["width"] < after["x"]
    assert page.locator(".slider").is_hidden()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.wait_for_function("() => document.activeElement.name === 'compare'")
