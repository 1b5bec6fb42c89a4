"""A row's texts reach the prompt as they are, but for what the model would read as a control token."""

from __future__ import annotations

import pytest

from inft.data.prompt import INSTRUCTION, ZERO_WIDTH_SPACE, PromptParts, SpecialTokenGuard

ODD = "100 %s {language} {0} {{x}} \\n C:\\temp \\u0041 $1 <b> & \t“quoted” 'single'"


def test_the_user_text_is_instruction_headline_and_article() -> None:
    parts = PromptParts("Sinhala", "ශ්‍රී ලංකා", "ලිපිය", "අත්පොත")
    assert parts.user_text().splitlines() == [
        INSTRUCTION.replace("{language}", "Sinhala"),
        "Headline: ශ්‍රී ලංකා",
        "Article: ලිපිය",
    ]


@pytest.mark.parametrize(
    ("title", "article", "lines"),
    [("", "", 1), ("T", "", 2), ("", "A", 2), ("T", "A", 3)],
)
def test_what_is_absent_leaves_no_line(title: str, article: str, lines: int) -> None:
    text = PromptParts("English", title, article, "C").user_text()
    assert len(text.splitlines()) == lines
    assert ("Headline:" in text, "Article:" in text) == (bool(title), bool(article))


def test_texts_are_joined_and_never_formatted() -> None:
    text = PromptParts("French", ODD, ODD, ODD).user_text()
    assert text.endswith(f"\nHeadline: {ODD}\nArticle: {ODD}")
    assert text.startswith("Write a brief journalistic caption in French ")


def test_the_answer_is_the_caption_behind_the_same_prompt() -> None:
    parts = PromptParts("Urdu", "", "A", ODD)
    prompt = parts.prompt_messages()
    assert [part["type"] for part in prompt[0]["content"]] == ["image", "text"]
    assert parts.full_messages()[:-1] == prompt
    assert parts.full_messages()[-1] == {"role": "assistant", "content": [{"type": "text", "text": ODD}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("an <image> tag", "an <~image> tag", id="inside"),
        pytest.param("<image>", "<~image>", id="alone"),
        pytest.param("<image><image>", "<~image><~image>", id="twice"),
        pytest.param("<<image>>", "<<~image>>", id="nested"),
        pytest.param("<image_end>", "<~image_end>", id="two that begin alike"),
        pytest.param("<image<pad>x", "<~image<~pad>x", id="two that overlap"),
        pytest.param("<IMAGE> <imag e> < image>", "<IMAGE> <imag e> < image>", id="no token"),
        pytest.param("a.b", "a.b", id="a pattern's characters mean themselves"),
        pytest.param("", "", id="empty"),
    ],
)
def test_control_tokens_are_broken_and_nothing_else(text: str, expected: str) -> None:
    guard = SpecialTokenGuard(["<image>", "<image", "<image_end>", "<image<pad>", "<pad>x", "<", "a+b"])
    disarmed = guard.disarm(text)
    assert disarmed == expected.replace("~", ZERO_WIDTH_SPACE)
    assert disarmed.replace(ZERO_WIDTH_SPACE, "") == text
    assert guard.disarm(disarmed) == disarmed


def test_a_guard_without_tokens_changes_nothing() -> None:
    assert SpecialTokenGuard([]).disarm(ODD) == ODD
