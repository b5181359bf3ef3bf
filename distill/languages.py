"""Which posts are in English, the one language whose verbs the readers know. Others are said so and left out."""

from __future__ import annotations

import re

READ = 2000  # characters of a post that are looked at
FEW_WORDS = 12  # fewer tell nothing about a language
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_ENGLISH = frozenset(
    "the of to and a in is it you that for on with as are this be at or have from not by but what all were we when your can there an which their if will do about how then them would so these has more could".split()
)
# Words of other languages that English text does not hold, so that code and names are not taken for a language.
_OTHERS = (
    frozenset(
        "de la el los las del que en una por para con como más pero sus se "  # Spanish
        "der die das und ist nicht ein eine mit auf für von zu den dem im sich auch wird "  # German
        "le les des du est pas une dans pour qui sur avec au ce il vous nous sont "  # French
        "os da dos das não uma com você em ao é são seu sua "  # Portuguese
        "il di che non per sono della nel gli si è questo "  # Italian
        "het een van niet op zijn voor ook je dat wordt "  # Dutch
        "bir ve bu için ile da çok "  # Turkish
        "jest nie się na jak do oraz "  # Polish
        "yang dan di ini untuk dengan tidak dari ".split()  # Indonesian
    )
    - _ENGLISH
)


def other_language(text: str) -> bool:
    """Whether a post is plainly not in English; short ones, code and names say nothing."""
    read = text[:READ]
    letters = [char for char in read if char.isalpha()]
    if len(letters) >= FEW_WORDS and len(_LATIN.findall(read)) * 2 < len(letters):
        return True
    words = _WORD.findall(read.lower())
    if len(words) < FEW_WORDS:
        return False
    english, other = (sum(word in known for word in words) for known in (_ENGLISH, _OTHERS))
    return other > english and other * 100 >= len(words) * 12


def speaks_english(texts: list[str]) -> bool:
    """Whether a thread's posts, taken together, are in English."""
    words = [word for text in texts for word in _WORD.findall(text[:READ].lower())][:600]
    if len(words) < 20:
        return not any(other_language(text) for text in texts)
    return sum(word in _ENGLISH for word in words) * 100 >= len(words) * 12
