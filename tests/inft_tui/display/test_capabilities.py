from __future__ import annotations

import pytest

from inft.errors import ConfigError
from inft_tui.display.capabilities import LOCAL_REFRESH_S, REMOTE_REFRESH_S, Overrides, detect, terminfo_colours

UTF8 = {"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}


@pytest.mark.parametrize(
    ("environment", "terminfo", "colours"),
    [
        ({"TERM": "xterm-256color"}, None, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, None, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, 8, "truecolor"),
        ({"TERM": "xterm-direct"}, None, "truecolor"),
        ({"TERM": "xterm-kitty"}, None, "truecolor"),
        ({"TERM": "alacritty"}, None, "truecolor"),
        ({"TERM": "screen"}, 8, "16"),
        ({"TERM": "screen"}, None, "16"),
        ({"TERM": "tmux-256color"}, None, "256"),
        ({"TERM": "linux"}, 8, "16"),
        ({"TERM": "rxvt-unicode"}, 88, "16"),
        ({"TERM": "mystery"}, 256, "256"),
        ({"TERM": "vt220"}, None, "none"),
        ({"TERM": "vt100"}, -1, "none"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, None, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, None, "256"),
        ({"TERM": "xterm", "INFT_COLORS": "256"}, 8, "256"),
        ({"TERM": "xterm", "NO_COLOR": "1", "INFT_COLORS": "TrueColor"}, 8, "truecolor"),
    ],
)
def test_colours(environment: dict[str, str], terminfo: int | None, colours: str) -> None:
    assert detect(environment, terminfo_colours=terminfo).colours == colours


@pytest.mark.parametrize(
    ("environment", "pictures"),
    [
        (UTF8, "cells"),
        ({**UTF8, "TERM": "xterm-kitty"}, "kitty"),
        ({**UTF8, "TERM": "xterm-ghostty"}, "kitty"),
        ({**UTF8, "TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, "cells"),
        ({**UTF8, "TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "cells"),
        ({**UTF8, "TERM": "xterm-kitty", "NO_COLOR": "1"}, "cells"),
        ({**UTF8, "TERM": "xterm-kitty", "INFT_COLORS": "256"}, "cells"),
        ({"TERM": "xterm-kitty", "LANG": "C"}, "cells"),
        ({**UTF8, "TERM": "xterm-kitty", "INFT_PICTURES": "none"}, "none"),
        ({**UTF8, "TERM": "wezterm", "INFT_PICTURES": "kitty"}, "kitty"),
    ],
)
def test_pictures(environment: dict[str, str], pictures: str) -> None:
    assert detect(environment).pictures == pictures


@pytest.mark.parametrize(
    ("environment", "unicode", "glyphs"),
    [
        (UTF8, True, "braille"),
        ({"TERM": "xterm", "LANG": "de_DE.utf8"}, True, "braille"),
        ({"TERM": "xterm", "LANG": "C.UTF-8"}, True, "braille"),
        ({"TERM": "xterm-256color", "LANG": "C"}, False, "ascii"),
        ({"TERM": "xterm-256color", "LANG": "en_US"}, False, "ascii"),
        ({**UTF8, "LC_ALL": "POSIX"}, False, "ascii"),
        ({**UTF8, "LC_ALL": ""}, True, "braille"),
        ({**UTF8, "LC_CTYPE": "C"}, False, "ascii"),
        ({"TERM": "xterm-256color"}, True, "braille"),
        ({"TERM": "xterm"}, False, "ascii"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, True, "braille"),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, True, "block"),
        ({"TERM": "linux"}, False, "ascii"),
        ({**UTF8, "INFT_GLYPHS": "ascii"}, True, "ascii"),
        ({"TERM": "xterm", "LANG": "C", "INFT_GLYPHS": "braille"}, True, "braille"),
    ],
)
def test_text_and_glyphs(environment: dict[str, str], unicode: bool, glyphs: str) -> None:
    found = detect(environment)
    assert (found.unicode, found.glyphs) == (unicode, glyphs)


@pytest.mark.parametrize(
    ("environment", "refresh_s"),
    [
        (UTF8, LOCAL_REFRESH_S),
        ({**UTF8, "TMUX": "/tmp/tmux-0/default,1,0"}, LOCAL_REFRESH_S),
        ({**UTF8, "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, REMOTE_REFRESH_S),
        ({**UTF8, "SSH_TTY": "/dev/pts/1"}, REMOTE_REFRESH_S),
        ({**UTF8, "SSH_TTY": ""}, LOCAL_REFRESH_S),
    ],
)
def test_how_often_it_is_drawn(environment: dict[str, str], refresh_s: float) -> None:
    assert detect(environment).refresh_s == refresh_s


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        (UTF8, "dark"),
        ({**UTF8, "COLORFGBG": "15;0"}, "dark"),
        ({**UTF8, "COLORFGBG": "0;15"}, "light"),
        ({**UTF8, "COLORFGBG": "0;default;15"}, "light"),
        ({**UTF8, "COLORFGBG": "0;15", "INFT_THEME": "dark"}, "dark"),
        ({**UTF8, "INFT_THEME": "colour-blind"}, "colour-blind"),
    ],
)
def test_themes(environment: dict[str, str], theme: str) -> None:
    assert detect(environment).theme == theme


@pytest.mark.parametrize(
    ("term", "can"), [("xterm", True), ("linux", True), ("dumb", False), ("unknown", False), ("", False)]
)
def test_what_cannot_be_drawn_on(term: str, can: bool) -> None:
    assert detect({"TERM": term}).can_draw is can


def test_the_command_line_goes_before_the_environment() -> None:
    environment = {**UTF8, "INFT_COLORS": "16", "INFT_GLYPHS": "ascii", "INFT_THEME": "light", "NO_COLOR": "1"}
    found = detect(environment, Overrides(colours="256", glyphs="block", theme="dark"))
    assert (found.colours, found.glyphs, found.theme) == ("256", "block", "dark")


def test_a_wrong_choice_is_refused_with_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match=r'INFT_GLYPHS is "braile"\. Did you mean braille\? There are: braille, block'
    ):
        detect({**UTF8, "INFT_GLYPHS": "braile"})


@pytest.mark.parametrize(("term", "colours"), [("xterm-256color", None), ("no-such-terminal", None)])
def test_the_database_is_asked_only_where_the_name_does_not_tell(term: str, colours: int | None) -> None:
    assert terminfo_colours(term) == colours


@pytest.mark.parametrize("environment", [{"TERM": "linux"}, {"TERM": "xterm", "TERM_PROGRAM": "Apple_Terminal"}])
def test_terminals_that_would_print_the_question_are_not_asked(environment: dict[str, str]) -> None:
    assert not detect(environment).synchronises
    assert detect({"TERM": "xterm"}).synchronises
