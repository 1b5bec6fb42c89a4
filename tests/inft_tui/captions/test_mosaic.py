"""Pictures in cells: by what the terminal can show, of the right size, and recognisable."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import pytest
from PIL import Image
from rich.cells import cell_len
from rich.color import ColorType

from inft_tui.captions import kitty
from inft_tui.captions.mosaic import LETTERS, SHADES, UPPER_HALF, Canvas, Mosaic
from inft_tui.display.capabilities import Colours

CHECKERED = ((255, 0, 0), (0, 0, 255))
"""Red above blue."""


def two_halves(size: tuple[int, int] = (6, 4)) -> Image.Image:
    image = Image.new("RGB", size, CHECKERED[0])
    image.paste(CHECKERED[1], (0, size[1] // 2, *size))
    return image


def text(mosaic: Mosaic) -> list[str]:
    return ["".join(segment.text for segment in row) for row in mosaic]


def canvas(colours: Colours, *, unicode: bool = True, braille: bool = True, dark: bool = True) -> Canvas:
    return Canvas(colours, unicode, braille, dark)


@pytest.mark.parametrize("colours", ["truecolor", "256", "16", "none"])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("braille", [True, False])
@pytest.mark.parametrize("place", [(10, 5), (3, 7), (1, 1)])
def test_all_rows_are_equally_wide_and_fit(
    colours: Colours, unicode: bool, braille: bool, place: tuple[int, int]
) -> None:
    of = canvas(colours, unicode=unicode, braille=braille)
    rows = text(of.draw(two_halves(of.pixels(*place))))
    assert len(rows) == place[1]
    assert {cell_len(row) for row in rows} == {place[0]}
    assert unicode or "".join(rows).isascii()


def test_two_pixels_to_a_cell_in_full_colour() -> None:
    image = two_halves((3, 2))
    ((segment,),) = canvas("truecolor").draw(image)
    assert segment.text == UPPER_HALF * 3
    assert segment.style is not None
    assert segment.style.color is not None
    assert segment.style.bgcolor is not None
    shown = [tuple(colour.get_truecolor()) for colour in (segment.style.color, segment.style.bgcolor)]
    assert shown == list(CHECKERED)


def test_cells_of_one_colour_are_blanks_and_an_odd_row_is_half_empty() -> None:
    first, last = canvas("truecolor").draw(Image.new("RGB", (4, 3), (10, 20, 30)))
    assert [segment.text for segment in first] == [" " * 4]
    assert [segment.text for segment in last] == [UPPER_HALF * 4]
    assert last[0].style is not None
    assert last[0].style.bgcolor is None


@pytest.mark.parametrize(("colours", "kind"), [("256", ColorType.EIGHT_BIT), ("16", ColorType.STANDARD)])
def test_no_colour_that_the_terminal_does_not_have(colours: Colours, kind: ColorType) -> None:
    image = Image.radial_gradient("L").resize((16, 16)).convert("RGB")
    for segment in (segment for row in canvas(colours).draw(image) for segment in row):
        assert segment.style is not None
        for colour in filter(None, (segment.style.color, segment.style.bgcolor)):
            assert colour.type is kind
            assert colour.number is not None
            assert colour.number in (0, 7, 8, 15) if colours == "16" else colour.number >= 16


def test_in_256_colours_a_pure_colour_is_itself() -> None:
    ((segment,),) = canvas("256").draw(two_halves((3, 2)))
    assert segment.style is not None
    assert segment.style.color is not None
    assert segment.style.bgcolor is not None
    assert (segment.style.color.number, segment.style.bgcolor.number) == (196, 21)


@pytest.mark.parametrize(("unicode", "ramp"), [(True, SHADES), (False, LETTERS)])
def test_without_colours_bright_is_dense_on_a_dark_ground_and_thin_on_a_light_one(unicode: bool, ramp: str) -> None:
    image = Image.new("RGB", (2, 2), "white")
    on_dark = canvas("none", unicode=unicode, braille=False)
    on_light = canvas("none", unicode=unicode, braille=False, dark=False)
    assert text(on_dark.draw(image)) == [ramp[-1] * 2]
    assert text(on_light.draw(image)) == [ramp[0] * 2]


def test_dots_stand_where_it_is_bright() -> None:
    image = Image.new("RGB", (4, 4), "black")
    image.paste((255, 255, 255), (2, 0, 4, 4))
    assert text(canvas("none").draw(image)) == ["\u2800\u28ff"]
    assert text(canvas("none", dark=False).draw(image)) == ["\u28ff\u2800"]


def test_kitty_is_sent_the_picture_once_and_shown_it_in_cells() -> None:
    image = Image.effect_noise((300, 200), 80).convert("RGB")
    sent = kitty.transmission(image, 77, 30, 10)
    sequences = sent.split("\x1b\\")[:-1]
    assert len(sequences) > 2
    assert sequences[0].startswith("\x1b_Ga=T,U=1,i=77,c=30,r=10,f=100,q=2,m=1;")
    assert sequences[-1].startswith("\x1b_Gm=0;")
    parts = [sequence.partition(";")[2] for sequence in sequences]
    assert max(map(len, parts)) <= kitty.CHUNK
    with Image.open(BytesIO(b64decode("".join(parts)))) as received:
        assert received.tobytes() == image.tobytes()
    cells = kitty.placeholders(0x123456, 3, 2)
    assert [cell_len(row) for row in text(cells)] == [3, 3]
    assert text(cells)[1] == "".join(f"{kitty.PLACEHOLDER}{kitty.MARKS[1]}{kitty.MARKS[at]}" for at in range(3))
    assert cells[0][0].style is not None
    assert cells[0][0].style.color is not None
    assert tuple(cells[0][0].style.color.get_truecolor()) == (0x12, 0x34, 0x56)


def test_the_marks_take_no_columns_and_are_all_different() -> None:
    assert {cell_len(mark) for mark in kitty.MARKS} == {0}
    assert len(set(kitty.MARKS)) == len(kitty.MARKS) > 80
