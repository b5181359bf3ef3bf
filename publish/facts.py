"""The gate's facts in words. Names come from distill.gate.THREAD_FACTS and distill.features.FACTS; a test keeps them complete."""

from __future__ import annotations

_SHARE = "share of "
OF_THREAD = {
    **{f"top{n}": f"how sure the {n} surest passages of the skeleton's post are" for n in (3, 5, 8)},
    **{f"window{n}": f"how sure its surest {n} neighbouring passages are" for n in (3, 5, 8)},
    **{f"thread_top{n}": f"how sure the {n} surest passages of the thread are" for n in (5, 10, 20)},
    **{f"odds_window{n}": f"how sure its surest {n} neighbouring passages are, weighing certainty more" for n in (3, 5, 8)},
    **{f"step_window{n}": f"how much {n} neighbouring passages read like steps of one procedure" for n in (5, 8)},
    **{f"home{n}": f"how much the surroundings of its {n} best passages hold several steps" for n in (3, 8)},
    "log_steps": "the number of steps",
    "in_scaffold": "how many of the steps stand in one post",
    "log_passages": "the length of the skeleton's post",
    "log_thread_passages": "the length of the thread",
    "log_posts": "the number of posts",
    "opening_post": "the steps stand in the opening post",
    "step_mean": "how much the whole post reads like steps of one procedure",
    "mean": "how sure all passages of the post are",
    "thread_mean": "how sure all passages of the thread are",
    "chosen_mean": "how sure the chosen steps are",
    "agenda": "the title is of an agenda, minutes, a release or a numbered proposal",
    "howto_title": "the title speaks of a how, a process, a guide or a problem",
    "about_title": "the title is of a proposal, an update, a report or an opinion",
    "home_chosen": "how much the surroundings of the chosen steps hold several steps",
    "home_thread10": "how much the surroundings of the thread's 10 best passages hold several steps",
}
OF_STEP = {
    "item": "are list items", "ordered": "are numbered", "list3": "are in a list of 3 or more", "list5": "are in a list of 5 or more",
    "list10": "are in a list of 10 or more", "nested": "are in a list within a list", "first_in_list": "are first in a list",
    "opening_post": "are in the opening post", "author_opened": "are by who opened the thread", "second_post": "are in the second post",
    "late_post": "are in late posts", "short": "have 3 words or fewer", "words8": "have 4 to 8 words", "words16": "have 9 to 16 words",
    "words30": "have 17 to 30 words", "words50": "have more than 50 words", "question": "ask something", "colon_end": "end with a colon",
    "no_end_sign": "end without a full stop", "first_person": "say “I” or “my”", "we": "say “we” or “our”", "you": "say “you” or “your”",
    "past_first": "tell what the writer did", "epistemic": "say what the writer thinks rather than what to do",
    "howto_heading": "stand under a heading such as “Steps”", "howto_lead": "follow a line such as “do the following:”",
    "howto_post": "are in a post that begins like a guide", "specific_heading": "stand under a heading of milestones, budgets or releases",
    "specific_text": "speak of milestones, budgets or releases", "codey": "hold code or symbols", "url": "hold an address",
    "negated": "say what not to do", "condition": "have an “if” or “when”", "imperative": "are told as commands (“Open the form”)",
    "obligation": "say must or should", "permission": "say can or may", "proposal": "propose (“we could”, “I propose”)",
    "account": "tell what somebody did", "statement": "state how things are", "hypothetical": "are hypothetical (“would”)",
    "no_frame": "have no verb that says what to do", "opener": "begin with “first”, “then”, “finally”", "long_post": "are in a long post",
    "short_post": "are in a post of 3 passages or fewer", "upper_start": "begin with a capital", "digit": "hold a number",
    "parenthesis": "hold parentheses", "optional": "are optional", "actor_you": "are for “you” to do", "actor_we": "are for “we” to do",
    "actor_i": "are for “I” to do", "actor_named": "name who is to do it", "agenda_title": "are in a thread titled like an agenda or update",
    "title_howto": "are in a thread titled like a guide", "title_question": "are in a thread whose title asks",
    "title_update": "are in a thread titled like an announcement", "list_imperative": "are in a list of commands",
    "imperative_item": "are list items told as commands",
}  # fmt: skip
YES_OR_NO = ("opening_post", "agenda", "howto_title", "about_title")
NEAR = 25  # hundredths of a standard deviation: this close to the average is told as average


def in_words(fact: str, above: int) -> str:
    """A fact, and whether the thread has more of it than the average of those the gate learnt from."""
    if fact.startswith(_SHARE):
        said = f"how many of the steps {OF_STEP.get(fact.removeprefix(_SHARE), fact)}"
    else:
        said = OF_THREAD.get(fact, fact)
    if fact in YES_OR_NO:
        return f"{said}: {'yes' if above > 0 else 'no'}"
    return f"{said}: {'as usual' if abs(above) <= NEAR else 'more than usual' if above > 0 else 'less than usual'}"
