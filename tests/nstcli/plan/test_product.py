import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.plan import product
from nstcli.plan.pair import Pair, Source
from nstcli.plan.product import Naming, Plan
from nstcli.plan.template import DEFAULT


def planned(
    contents: Iterable[Path | Source],
    styles: Iterable[Path | Source],
    suffix: str,
    limit: int | None = None,
    how: str = "product",
    template: str = DEFAULT,
    values: Mapping[str, str] | None = None,
) -> Plan:
    return product.planned(contents, styles, Naming(suffix, template, values or {}), how, limit)


def pairs(*arguments: Any, **options: Any) -> list[Pair]:
    return planned(*arguments, **options).pairs


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: PurePath(name).name == name and name not in {".", ".."})
paths = st.lists(names.map(Path), min_size=1, max_size=6, unique=True)


def outputs(contents: list[str], styles: list[str]) -> list[str]:
    planned = pairs([Path(c) for c in contents], [Path(s) for s in styles], ".png")
    return [pair.output for pair in planned]


def test_the_product_goes_content_by_content() -> None:
    planned = pairs([Path("a.jpg"), Path("b.jpg")], [Path("x.png"), Path("y.png")], ".webp")
    assert [(p.path("content").name, p.path("style").name, p.output) for p in planned] == [
        ("a.jpg", "x.png", "a__x.webp"),
        ("a.jpg", "y.png", "a__y.webp"),
        ("b.jpg", "x.png", "b__x.webp"),
        ("b.jpg", "y.png", "b__y.webp"),
    ]


def test_limit_takes_the_first_pairs_under_the_names_they_have_without_it() -> None:
    contents, styles = [Path("a.jpg"), Path("a.png")], [Path("x.png"), Path("y.png")]
    assert pairs(contents, styles, ".png", 3) == pairs(contents, styles, ".png")[:3]


def test_two_pictures_of_one_stem_keep_their_suffixes_and_others_stay_short() -> None:
    assert outputs(["cat.jpg", "cat.png", "dog.jpg"], ["wave.png"]) == [
        "cat.jpg__wave.png.png",
        "cat.png__wave.png.png",
        "dog__wave.png",
    ]


@pytest.mark.parametrize(
    ("contents", "styles"),
    [
        (["A.JPG", "a.jpg"], ["x.png"]),  # one file where case is ignored
        (["é.jpg", "e\u0301.jpg"], ["x.png"]),  # one file where composition is ignored
        (["a__b.jpg", "a.jpg"], ["c.png", "b__c.png"]),  # the separator within a name
        (["ß.jpg", "ss.jpg", "SS.jpg"], ["x.png"]),  # equal when case-folded
        (["a.jpg", "a.jpg__a.jpg"], ["a.jpg", "a.jpg__a.jpg"]),
        (["a.jpg", "a.png", "a.jpg.gif"], ["x.png", "x.png.gif"]),  # a second form met by a first
    ],
)
def test_names_that_a_file_system_could_confuse_are_told_apart(
    contents: list[str], styles: list[str]
) -> None:
    made = outputs(contents, styles)
    folded = {normalize("NFC", normalize("NFC", name).casefold()) for name in made}
    assert len(folded) == len(contents) * len(styles)


@given(paths, paths)
def test_no_two_pairs_share_a_name_on_any_file_system(
    contents: list[Path], styles: list[Path]
) -> None:
    made = [pair.output for pair in pairs(contents, styles, ".png")]
    assert len(made) == len(contents) * len(styles)
    assert len({normalize("NFC", normalize("NFC", n).casefold()) for n in made}) == len(made)
    assert all(name.endswith(".png") for name in made)


@given(paths, paths)
def test_names_do_not_depend_on_the_order_of_inputs(
    contents: list[Path], styles: list[Path]
) -> None:
    forward = {
        (p.path("content"), p.path("style")): p.output for p in pairs(contents, styles, ".png")
    }
    backward = {
        (p.path("content"), p.path("style")): p.output
        for p in pairs(contents[::-1], styles[::-1], ".png")
    }
    assert forward == backward


def test_names_stay_within_what_file_systems_take() -> None:
    long = ["ä" * 100 + ".jpg", "ä" * 100 + "b.jpg", "x" * 200 + ".jpg"]
    made = outputs(long, long)
    assert len(set(made)) == 9
    assert all(len(name.encode()) <= 250 for name in made)


def test_namesakes_from_several_folders_keep_their_names_when_another_comes() -> None:
    def named(*folders: str) -> dict[Path, str]:
        contents = [Path(folder, "cat.jpg") for folder in folders]
        return {p.path("content"): p.output for p in pairs(contents, [Path("x.png")], ".png")}

    two, three = named("b", "c"), named("a", "b", "c")
    assert len(set(three.values())) == 3
    assert {path: three[path] for path in two} == two


def test_the_same_file_twice_still_gets_two_names() -> None:
    assert len(set(outputs(["a.jpg", "a.jpg"], ["x.png"]))) == 2


def source(text: str) -> Source:
    """A picture in a sub-folder of `in`, named by its path below that."""
    path = PurePosixPath(text)
    return Source(Path("in") / text, path.parent)


def below(contents: list[str], styles: list[str], **options: object) -> list[str]:
    planned_ = pairs(map(source, contents), map(source, styles), ".png", **options)  # type: ignore[arg-type]
    return [pair.output for pair in planned_]


def test_folders_of_contents_are_mirrored_and_those_of_styles_are_not() -> None:
    assert below(["cat.jpg", "holiday/2024/cat.jpg"], ["old/wave.png"]) == [
        "cat__wave.png",
        "holiday/2024/cat__wave.png",
    ]


def test_styles_of_one_name_in_several_folders_are_told_apart_by_these() -> None:
    assert below(["cat.jpg"], ["1.jpg", "monet/1.jpg", "monet/late/1.jpg"]) == [
        "cat__1.png",
        "cat__monet-1.png",
        "cat__monet-late-1.png",
    ]


def test_zip_combines_the_first_with_the_first() -> None:
    assert outputs(["a.jpg", "b.jpg"], ["x.png", "y.png"]) != (
        zipped := below(["a.jpg", "b.jpg"], ["x.png", "y.png"], how="zip")
    )
    assert zipped == ["a__x.png", "b__y.png"]


def test_zip_needs_as_many_of_both() -> None:
    with pytest.raises(InputError, match="not 2 contents and 3 styles"):
        below(["a.jpg", "b.jpg"], ["x.png", "y.png", "z.png"], how="zip")


def test_an_unknown_way_to_combine_suggests_one() -> None:
    with pytest.raises(InputError, match="'prodct' \\(did you mean 'product'\\?\\)"):
        below(["a.jpg"], ["x.png"], how="prodct")


def test_a_template_names_the_results_and_may_make_folders() -> None:
    named = below(
        ["a.jpg", "sub/b.jpg"],
        ["x.png"],
        template="{style}/{index} {content} @{size}",
        values={"size": "512"},
    )
    assert named == ["x/0001 a @512.png", "sub/x/0002 b @512.png"]


def test_a_template_without_one_name_gets_it_where_results_would_share_a_name() -> None:
    assert below(["a.jpg", "b.jpg"], ["x.png"], template="{content}") == ["a.png", "b.png"]
    assert below(["a.jpg"], ["x.png", "y.png"], template="{content}") == [
        "a__x.png",
        "a__y.png",
    ]
    assert below(["a.jpg", "b.jpg"], ["x.png", "y.png"], template="all") == [
        "all__a__x.png",
        "all__a__y.png",
        "all__b__x.png",
        "all__b__y.png",
    ]


def test_a_template_need_not_leave_out_the_suffix() -> None:
    assert below(["a.jpg"], ["x.png"], template="{content}.PNG") == ["a.png"]


def test_a_name_that_some_system_refuses_is_changed_and_told() -> None:
    plan = planned([Path("why?.jpg"), Path("b.jpg")], [Path("x.png")], ".png")
    assert [pair.output for pair in plan.pairs] == ["why___x.png", "b__x.png"]
    assert plan.renamed == [
        (plan.pairs[0], "not every system takes the name 'why?__x.png'"),
    ]


def test_it_is_told_why_a_name_is_not_the_plain_one() -> None:
    long = "x" * 240
    plan = planned([Path("a.jpg"), Path("A.png"), Path(f"{long}.png")], [Path("x.png")], ".png")
    assert [(pair.path("content").name[:3], why) for pair, why in plan.renamed] == [
        ("a.j", "another result would be called 'a__x.png'"),
        ("A.p", "another result would be called 'A__x.png'"),
        ("xxx", f"the name '{long}__x.png' would be too long"),
    ]


def test_limit_leaves_out_what_is_told_of_the_others() -> None:
    twins = [Path("a.jpg"), Path("a.png"), Path("b.jpg")]
    assert len(planned(twins, [Path("x.png")], ".png", limit=1).renamed) == 1


def test_a_folder_with_the_name_of_a_result_or_its_record_gets_another() -> None:
    contents = ["a.jpg", "a__x.png/b.jpg", "A__X.PNG.json/b.jpg", "index.html/c.jpg", ".NST/c.jpg"]
    assert below(contents, ["x.jpg"]) == [
        "a__x.png",
        "a__x.png_/b__x.png",
        "A__X.PNG.json_/b__x.png",
        "index.html_/c__x.png",
        ".NST_/c__x.png",
    ]


def test_the_digest_depends_on_both_paths_alone() -> None:
    contents = [f"{'x' * 200}.jpg", "a.jpg"]
    alone, among = below(contents[:1], ["y" * 50]), below(contents, ["b", "y" * 50])
    assert alone[0] in among
    assert "~" in alone[0]


def test_a_shortened_name_tells_both_pictures_whatever_the_template() -> None:
    (named,) = below(["x" * 250], ["wave.png"], template="{content}")
    assert named.startswith("x" * 100 + "__wave~")


def test_planning_needs_no_torch() -> None:
    script = "import sys, nstcli.plan.product, nstcli.plan.inputs, nstcli.run.check; "
    check = subprocess.run([sys.executable, "-c", script + "sys.exit('torch' in sys.modules)"])
    assert check.returncode == 0


# What names can be on some disk or other, and what is hard about them.
same = ["a", "A", "a.jpg", "a__b", "b", "é", "e\u0301", "ß", "ss", "K", "-", "a-a", "{content}"]
refused = [
    "con",
    "CON .tar",
    "nul.png",
    "COM¹.x",
    "a?",
    "a*",
    "a.",
    "a..",
    " ",
    ". .",
    "...",
    "a\\b",
]
strange = ["\udce9", "\udce9x", "%E9", "\n", "\x9f", "~", "x" * 255, "x" * 254 + "y", "😀" * 63]
ours = ["a__a.png", "a__a.png.json", "index.html", "manifest.json", ".nst", "~00000000"]
hard = st.sampled_from([*same, *refused, *strange, *ours])
anything = st.text(
    st.one_of(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    ),
    min_size=1,
    max_size=8,
)
parts = (hard | anything).filter(lambda n: PurePosixPath(n).name == n and n not in {".", ".."})
suffixes = st.sampled_from(["", ".jpg", ".JPG", ".png", ". "])
sources = st.lists(
    st.builds(
        lambda folders, name, suffix: source("/".join([*folders, name + suffix])),
        st.lists(parts, max_size=2),
        parts,
        suffixes,
    ).filter(lambda s: s.path.name not in {".", ".."}),
    min_size=1,
    max_size=6,
    unique=True,
)
few = ["{content}", "{style}", "same", "con", "{{}}", "x" * 300, "{model}/{index}"]
foldered = ["{style}/{content}", "{style}.png/x", "{style}. /{content}. "]
templates = st.sampled_from(["{content}__{style}", "{content}{style}", *few, *foldered])
VALUES = {"model": "../con"}


def key(path: str) -> str:
    return normalize("NFC", normalize("NFC", path).casefold())


def valid_on_windows(name: str) -> bool:
    devices = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    devices |= {port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"}
    return (
        name != ""
        and not set(name) & set('<>:"/\\|?*')
        and min(name) >= " "
        and name[-1] not in ". "
        and name.split(".")[0].rstrip(" ").upper() not in devices
    )


@given(sources, sources, templates, st.sampled_from([".png", ".jpg", ".tiff"]))
@example([source("a"), source("a__b.png/c")], [source("b")], "{content}__{style}", ".png")
@example([source("b"), source("c")], [source("x.png"), source("x")], "{style}/{content}", ".png")
def test_any_results_can_lie_in_one_folder_of_any_system(
    contents: list[Source], styles: list[Source], template: str, suffix: str
) -> None:
    plan = planned(contents, styles, suffix, template=template, values=VALUES)
    made = [pair.output for pair in plan.pairs]
    assert len({key(path) for path in made}) == len(made) == len(contents) * len(styles)
    folders = {key(str(folder)) for path in made for folder in PurePosixPath(path).parents}
    assert not folders & {key(path) for path in made}
    assert not folders & {key(f"{path}.json") for path in made}
    assert not folders & {"index.html", "manifest.json", ".nst"}
    for path in made:
        assert path.endswith(suffix)
        for part in path.split("/"):
            assert valid_on_windows(part), path
            assert len(part.encode()) + len(".json") <= 255


@given(sources, sources, templates)
def test_plans_are_the_same_whenever_and_in_whatever_order_they_are_made(
    contents: list[Source], styles: list[Source], template: str
) -> None:
    def by_inputs(made: list[Pair]) -> dict[tuple[Path, Path], str]:
        return {(pair.path("content"), pair.path("style")): pair.output for pair in made}

    template = template.replace("{index}", "i")
    there = pairs(contents, styles, ".png", template=template, values=VALUES)
    assert there == pairs(contents, styles, ".png", template=template, values=VALUES)
    back = pairs(contents[::-1], styles[::-1], ".png", template=template, values=VALUES)
    assert by_inputs(there) == by_inputs(back)


@given(sources, sources, sources)
def test_a_plain_name_stays_whatever_else_is_left_out(
    contents: list[Source], others: list[Source], styles: list[Source]
) -> None:
    every = planned([*contents, *(o for o in others if o not in contents)], styles, ".png")
    renamed = {pair for pair, _ in every.renamed}
    plain = {pair for pair in every.pairs if pair not in renamed}
    alone = set(pairs(contents, styles, ".png"))
    assert {pair for pair in plain if pair.path("content") in {c.path for c in contents}} <= alone


@given(st.lists(st.from_regex(r"[a-z0-9 ]{1,20}[a-z0-9]", fullmatch=True), min_size=1, unique=True))
def test_names_without_trouble_are_kept_letter_by_letter(stems: list[str]) -> None:
    plan = planned([Path(f"{stem}.jpg") for stem in stems], [Path("x.png")], ".png")
    assert [pair.output for pair in plan.pairs] == [f"{stem}__x.png" for stem in stems]
    assert plan.renamed == []


def typed(top: str, *names: str) -> list[Source]:
    """Pictures below a folder that is written as `top`."""
    return [Source(Path(top, name), PurePosixPath(name).parent) for name in names]


@pytest.mark.parametrize(
    "contents", [("A.JPG", "a.jpg"), ("x" * 236 + ".jpg",), ("sub/A.JPG", "sub/a.jpg")]
)
def test_names_do_not_depend_on_how_an_input_folder_was_typed(contents: tuple[str, ...]) -> None:
    def named(top: str) -> list[str]:
        made = pairs(typed(top, *contents), typed(top, "c.png", "b__c.png"), ".png")
        return [pair.output for pair in made]

    assert named("photos") == named("/home/u/photos")
    assert any("~" in name for name in named("photos"))


def test_pictures_that_lie_the_same_below_two_folders_are_told_apart_by_these() -> None:
    """As a glob finds them; whichever else there is."""
    two, three = ([Path(top, "cat.jpg") for top in tops] for tops in ("bc", "abc"))
    named = {p.path("content"): p.output for p in pairs(three, [Path("x.png")], ".png")}
    assert len(set(named.values())) == 3
    assert [named[path] for path in two] == [p.output for p in pairs(two, [Path("x.png")], ".png")]
