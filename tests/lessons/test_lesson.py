"""The frame: settings, results in texts, claims that can fail."""

from dataclasses import replace

import pytest

from tellapart.errors import TellapartError
from tellapart.lessons.book import learn
from tellapart.lessons.lesson import Claim, Lesson, Settings, filled
from tellapart.lessons.words import Words, anchor, paragraphs, plain, terms


def test_settings_choose_the_size_of_the_experiment(lesson: Lesson) -> None:
    assert learn(lesson).findings.results["n"] == 10
    assert learn(lesson, Settings(small=True)).findings.results["n"] == 4


def test_claims_carry_the_numbers_of_the_run(lesson: Lesson) -> None:
    learned = learn(lesson, Settings(small=True))
    assert learned.claims == (("The sum, 6, is at least 4.", True),)
    assert learned.is_confirmed
    assert learned.text(lesson.outcome) == "It is 6."
    assert learned.seconds >= 0


def test_a_claim_that_the_results_contradict_fails(lesson: Lesson) -> None:
    wrong = replace(lesson, claims=(*lesson.claims, Claim("{sum} is odd.", lambda results: results["sum"] % 2 == 1)))
    learned = learn(wrong, Settings(small=True))
    assert not learned.is_confirmed
    assert learned.claims[1] == ("6 is odd.", False)


@pytest.mark.parametrize("text", ["{absent}", "{sum:nonsense}"])
def test_a_text_that_cannot_be_filled_is_refused(text: str) -> None:
    with pytest.raises(TellapartError, match="its results are sum"):
        filled(text, {"sum": 6})


def test_words_and_terms_of_a_text() -> None:
    text = " A [bias] is\n not a [kind of variance|variance].\n\n New, [bias]. "
    assert plain(text) == ["A bias is not a kind of variance.", "New, bias."]
    assert terms(text) == ["bias", "variance"]
    assert paragraphs(text)[0][:3] == [Words("A "), Words("bias", "bias"), Words(" is not a ")]
    assert anchor("ROC-AUC") == "roc-auc"
    assert anchor("k nearest neighbours") == "k-nearest-neighbours"
    assert paragraphs(text)[0][3].anchor == "variance"
