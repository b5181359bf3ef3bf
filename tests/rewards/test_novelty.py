"""A step said before in another SOP earns nothing."""

from __future__ import annotations

from typing import Any

from index.config import RewardsConfig
from rewards.credit import earn
from rewards.novelty import alike, copied_steps, step_words
from tests.rewards.builders import cite, facts_of, procedure, step

ORIGINAL = (
    "Fill in Form G4 from the grants folder and keep the summary under 150 words",
    "Write a budget of no more than eight lines, and attach a written quote for any line over 40 TIDE",
    "Answer every question from the panel in your own topic within five days of it being asked",
)
PARAPHRASE = (
    "Complete Form G4 from the grants folder, with a summary shorter than 150 words",
    "Draw up a budget of at most eight lines, attaching a written quote for each line above 40 TIDE",
    "Reply to all the panel's questions in your topic inside five days",
)


def guide(id: str, author: str, day: int, texts: tuple[str, ...], post: int, **links: Any) -> dict[str, Any]:
    return procedure(*(step(n, cite(post, author, day), text=text) for n, text in enumerate(texts, 1)), id=id, **links)


def earners(*records: dict[str, Any]) -> set[tuple[str, int]]:
    return {(c.author.rpartition("/")[2], c.step) for c in earn(records, facts_of(*records), RewardsConfig()).credits}


def test_a_paraphrased_guide_earns_nothing_even_unlinked() -> None:
    records = guide("sop-b", "ann", 1, ORIGINAL, 1), guide("sop-a", "kev", 20, PARAPHRASE, 2)
    assert earners(*records) == {("ann", 1), ("ann", 2), ("ann", 3)}
    copied = copied_steps(records)
    assert set(copied) == {("sop-a", 1), ("sop-a", 2), ("sop-a", 3)}
    assert copied["sop-a", 1].endswith("said it before, in sop-b step 1")


def test_the_rest_of_a_copy_is_compared_less_strictly() -> None:
    clinic = (
        "Bring your draft to the Tuesday grants clinic (17:00 to 18:30, back table at the library) "
        "and have someone who has never heard of it read it aloud to you"
    )
    copied = "Take the draft along to the Tuesday grants clinic and get somebody who doesn't know the project to read it out loud"
    assert not alike(step_words(clinic), step_words(copied))
    original = guide("sop-a", "ann", 1, (*ORIGINAL, clinic), 1)
    assert ("kev", 4) not in earners(original, guide("sop-b", "kev", 20, (*PARAPHRASE, copied), 2))
    assert ("bo", 1) in earners(original, guide("sop-b", "bo", 20, (copied,), 2))


def test_what_is_new_in_a_copy_is_credited() -> None:
    texts = (*PARAPHRASE[:2], "Phone the clerk on Monday morning and reserve the hall for your presentation")
    assert earners(guide("sop-a", "ann", 1, ORIGINAL, 1), guide("sop-b", "kev", 20, texts, 2)) >= {("kev", 3)}
    assert ("kev", 1) not in earners(guide("sop-a", "ann", 1, ORIGINAL, 1), guide("sop-b", "kev", 20, texts, 2))


def test_one_like_step_counts_only_between_linked_procedures() -> None:
    other = (PARAPHRASE[0], "Phone the clerk and reserve the hall", "Bring twelve chairs and a kettle")
    original = guide("sop-a", "ann", 1, ORIGINAL, 1)
    assert ("bo", 1) in earners(original, guide("sop-b", "bo", 20, other, 2))
    assert ("bo", 1) not in earners(original, guide("sop-b", "bo", 20, other, 2, alternatives=("sop-a",)))


def test_a_fork_is_credited_for_its_new_steps_only() -> None:
    fork = procedure(
        step(1, cite(1, "ann", 1), text=ORIGINAL[0]),
        step(2, cite(2, "bo", 20), text="Phone the clerk and reserve the hall"),
        id="sop-0",  # sorts before its origin
        forked_from="sop-a",
    )
    assert earners(guide("sop-a", "ann", 1, ORIGINAL, 1), fork) == {("ann", 1), ("ann", 2), ("ann", 3), ("bo", 2)}
    assert earners(fork) == set()  # nothing to compare with: nothing can be shown to be new


def test_a_step_that_the_distiller_marks_as_a_copy_earns_nothing() -> None:
    record = procedure(step(1, cite(1, "ann", 1), flags=("copy_of:sop-9",)), step(2, cite(1, "ann", 1)))
    assert earners(record) == {("ann", 2)}


def test_padding_a_copy_does_not_hide_it() -> None:
    words = step_words(ORIGINAL[0])
    assert alike(words, words | step_words("and many other words that were put around it to make it look longer than it was"))
    assert not alike(step_words("Restart the node"), step_words("Restart the node after the update has been installed"))
