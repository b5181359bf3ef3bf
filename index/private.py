"""mask/1: personal data and secrets in strangers' text, hidden before anything reads or publishes it.

A masked character becomes █; white space stays, and so does the length: spans into the masked text are spans into the
original, and whoever holds the post recomputes the masked words exactly. No hash of the hidden words is ever published: a
phone number has ten digits, so a hash of it is the number (decision 0027).

Hidden: mail addresses, phone numbers, IBANs, payment cards, private keys, seed phrases, API tokens and passwords. Never
hidden: EVM addresses, transaction hashes and other public identifiers, which procedures and payouts are about. A hash and
a private key look the same (64 hex digits): such a number is a key where the words before it say so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

MASK_VERSION = "mask/1"
HIDDEN = "█"

Span = tuple[int, int]
Mask = Callable[[str], str]

_MAIL = re.compile(r"(?<![\w.%+'@/-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,6}(?!(?:eth|sol|btc)\b)[^\W\d_]{2,24}(?![\w-])")
_MAIL_SPELT = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}\s?[\[({<]\s?(?:at|@)\s?[\])}>]\s?[\w-]{1,63}(?:\s?[\[({<]\s?(?:dot|\.)\s?[\])}>]\s?[\w-]{1,63}|\.[\w-]{1,63}){1,4}",
    re.I,
)
_PUBLIC_LOCAL = ("git@",)  # addresses that repositories are cloned from, nobody's mailbox

_SEP = r"[\s().\-–/\u00a0]{0,2}"
_PHONES = (
    re.compile(rf"(?<![\w+./=-])(?:\+|(?<!\d )00(?=[1-9]\d{{0,2}}[ -]))\(?[1-9](?:{_SEP}\d){{7,14}}(?![\w])"),
    re.compile(r"(?<![\w.\-/=])(?:1[-. ])?(?:\([2-9]\d\d\)[ -]?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}(?![\w-]|\.\d)"),
    re.compile(r"(?<![\w.,/=-])(?<!\d )0[1-9](?:[ .-]\d{2}){4}(?![\w-]| \d)"),
    re.compile(r"(?<![\w.,/=:-])(?<!\d )(?:\(0[1-9]\d{1,4}\)|0[1-9]\d{1,4})[ /-]\d{3,8}(?:[ -]\d{2,6}){0,3}(?![ \w.,:-]*\d)"),
)
_PHONE_SAID = re.compile(
    r"\b(?:tel|tel\.|phone|telephone|mobile|cell|whats ?app|signal|sms|fax|call me|text me|call us|ring me|hotline)\b"
    r"(?:[\s:.#=]|no\b|number\b|is\b|at\b|on\b|my\b){0,6}(\(?\+?\d(?:[\s().\-–/]{0,2}\d){6,14})(?!\w)",
    re.I,
)
_AMOUNT_AFTER = re.compile(r"\s*(?:%|[A-Z]{2,6}\b|tokens?\b|wei\b|gwei\b|votes?\b|points?\b|blocks?\b)")
_DATE = re.compile(r"(?:19|20)\d\d[-./ ]?[01]\d[-./ ]?[0-3]\d|[0-3]?\d[-./ ][01]?\d[-./ ](?:19|20)\d\d")
_WA = re.compile(r"\bwa\.me/\+?(\d{7,15})\b")

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----.{0,20000}?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S
)
_HEX_KEY = re.compile(
    r"(?:priv(?:ate)?[\s_-]{0,2}key|secret[\s_-]{0,2}(?:key|exponent)|signing[\s_-]{0,2}key|\bprivk(?:ey)?|\bsk)\b([^\n]{0,24}?)(?<![0-9a-fA-F])((?:0x)?[0-9a-fA-F]{64})(?![0-9a-fA-F])",
    re.I,
)
_PUBLIC_HEX = re.compile(r"hash|\btx|transaction|address|public|root|block", re.I)
_CODED = re.compile(
    r"\b(?:nsec1[02-9ac-hj-np-z]{58}|ncryptsec1[02-9ac-hj-np-z]{60,300}|[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{90,120}|AGE-SECRET-KEY-1[0-9A-Z]{40,80})\b"
)
_WIF = re.compile(r"(?<![1-9A-HJ-NP-Za-km-z])[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}(?![1-9A-HJ-NP-Za-km-z])")

_TOKENS = re.compile(
    r"(?<![\w-])(?:"
    r"sk-(?:[a-z]{2,8}-)?[\w-]{20,200}|[rs]k_(?:live|test)_\w{16,200}|gh[pousr]_\w{30,255}|github_pat_\w{20,255}|glpat-[\w-]{20,64}"
    r"|xox[abeoprs]-[\w-]{10,255}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,255}|hf_[A-Za-z]{30,64}|npm_\w{36}|pypi-AgEI[\w-]{50,255}"
    r"|SG\.[\w-]{16,32}\.[\w-]{30,64}|dop_v1_[0-9a-f]{64}|\d{8,10}:AA[\w-]{32,34}|eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{10,1000}"
    r")(?![\w-])"
)
_KEYED_URL = re.compile(
    r"(?:infura\.io/(?:ws/)?v3/|alchemy\.com/v2/|alchemyapi\.io/v2/|quiknode\.pro/|hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/\d+/)([\w/-]{20,120})"
    r"|[?&](?:api[_-]?key|apikey|access_token|auth_token|token|key|secret|sig|signature)=([\w%.~-]{16,400})"
    r"|://([^\s/@:]{1,64}:[^\s/@]{1,128})@",
    re.I,
)
_SECRET_SAID = re.compile(
    r"\b(?:api[_ -]?(?:key|token|secret)|access[_ -]?(?:token|key)|auth[_ -]?token|client[_ -]?secret|secret[_ -]?(?:key|token)|bearer|pass(?:word|wd|phrase)|pwd)"
    r"[\"'`]{0,2}(?:\s{0,3}(?:[:=]|\bis\b)\s{0,3}|\s)[\"'`]{0,2}(\w[\w\-./+=!#$%^&*~]{5,299})",
    re.I,
)
_SSN = re.compile(r"\b(?:ssn|social security(?: number)?)\b\W{0,4}(?:is\b\W{0,3})?(\d{3}-?\d{2}-?\d{4})\b", re.I)

_IBAN = re.compile(r"(?<![\w])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w])")
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15), **dict.fromkeys(("BE",), 16), **dict.fromkeys(("DK", "FI", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19), **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK", "MN"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV", "CR"), 21), **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL", "SO"), 23), **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("PT", "ST", "LY"), 25), **dict.fromkeys(("IS", "TR"), 26), **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM", "DJ", "BI"), 27),
    **dict.fromkeys(("AL", "AZ", "CY", "DO", "GT", "HU", "LB", "PL", "BY", "SV", "NI"), 28), **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30), **dict.fromkeys(("MT", "SC"), 31), "LC": 32, "RU": 33,
}  # fmt: skip
_CARD = re.compile(r"(?<![\w.,/=+-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_CARD_KINDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14}|3[068]\d{12}"
)
_GROUPED = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5}")
_CARD_SAID = re.compile(r"\b(?:card|visa|master ?card|amex|credit|debit|cc)\b", re.I)

_RUN = re.compile(r"\b[a-z]{3,8}\b(?:[\s,;.:\"'\d)\-]{1,6}[a-z]{3,8}\b){11,}", re.I)
_WORD = re.compile(r"[a-z]+", re.I)
SEED_WORDS = 12  # a wallet's phrase has at least so many
SEED_DISTINCT = 8  # of twelve drawn words so many differ, but for one phrase in a hundred billion

# Cheap looks before the dear ones: most texts hold nothing, and a release reads every post.
_SPELT_AT = re.compile(r"[\[({<]\s?(?:at|@)\s?[\])}>]", re.I)
_SEVEN_DIGITS = re.compile(r"\d(?:[ ().\-–/\u00a0]{0,2}\d){6}")
_LONG_HEX = re.compile(r"[0-9a-fA-F]{64}")
_IBAN_LIKE = re.compile(r"[A-Z]{2}\d\d[ A-Z0-9]")
_CODED_MARKS = ("nsec1", "ncryptsec1", "prv", "AGE-SECRET-KEY-1")
_TOKEN_MARKS = (
    *("sk-", "k_live_", "k_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "ASIA", "AIza", "ya29."),
    *("hf_", "npm_", "pypi-", "SG.", "dop_v1_", ":AA", "eyJ"),
)
_SECRET_MARKS = ("key", "token", "secret", "bearer", "passw", "passp", "pwd")
SHORT = 400  # characters up to which a quick look comes first
LONG = 14  # characters without white space: no key, token or keyed address is as short


def mask(text: str) -> str:
    """The text with personal data and secrets hidden: as long as before, and masking it again changes nothing."""
    if len(text) < SHORT and _holds_nothing(text):
        return text
    while spans := _spans(text):
        text = _hide(text, spans)
    return text


def _holds_nothing(text: str) -> bool:
    """A quick look at a short text: none of the signs without which nothing in it can be hidden."""
    words = text.split()
    return (
        len(words) < SEED_WORDS
        and max(map(len, words), default=0) <= LONG
        and "@" not in text
        and not _SEVEN_DIGITS.search(text)
        and not _SPELT_AT.search(text)
        and not any(mark in text.lower() for mark in _SECRET_MARKS)
    )


def masking(handles: Iterable[str]) -> Mask:
    """`mask` that hides mentions of these handles, too: "@ann", for people who asked to be left out."""
    known = sorted({handle for handle in handles if handle}, key=lambda handle: (-len(handle), handle))
    if not known:
        return mask
    mention = re.compile(rf"(?<![\w@])@(?:{'|'.join(map(re.escape, known))})(?![\w-])", re.I)

    def both(text: str) -> str:
        return mask(_hide(text, [match.span() for match in mention.finditer(text)]) if "@" in text else text)

    return both


def masked_value(value: object, hide: Mask, keys: frozenset[str]) -> object:
    """A JSON value with the strings under the given keys masked, at any depth; lists of strings under them as well."""
    if isinstance(value, dict):
        return {key: _masked_all(held, hide) if key in keys else masked_value(held, hide, keys) for key, held in value.items()}
    return [masked_value(held, hide, keys) for held in value] if isinstance(value, (list, tuple)) else value


def _masked_all(value: object, hide: Mask) -> object:
    if isinstance(value, str):
        return hide(value)
    return [_masked_all(held, hide) for held in value] if isinstance(value, (list, tuple)) else value


def kinds(text: str) -> list[tuple[str, Span]]:
    """What would be hidden, by kind: for reports and benchmarks."""
    return [(name, span) for name, find in FINDERS.items() for span in find(text)]


def _hide(text: str, spans: Iterable[Span]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            start = max(start, at)
            parts += [text[at:start], "".join(c if c.isspace() else HIDDEN for c in text[start:end])]
            at = end
    return "".join([*parts, text[at:]])


def _spans(text: str) -> list[Span]:
    return [(start, end) for _, (start, end) in kinds(text) if any(c != HIDDEN and not c.isspace() for c in text[start:end])]


# --- what is looked for ---------------------------------------------------------------------------------------------


def _mails(text: str) -> Iterator[Span]:
    if "@" in text:
        yield from (match.span() for match in _MAIL.finditer(text) if not match[0].startswith(_PUBLIC_LOCAL))
    if _SPELT_AT.search(text):
        yield from (match.span() for match in _MAIL_SPELT.finditer(text))


def _phones(text: str) -> Iterator[Span]:
    if not _SEVEN_DIGITS.search(text):
        return
    for pattern in _PHONES:
        yield from (match.span() for match in pattern.finditer(text) if _is_phone(match, text))
    yield from (
        match.span(1) for pattern in (_PHONE_SAID, _WA) for match in pattern.finditer(text) if not _DATE.fullmatch(match[1].strip())
    )


def _is_phone(match: re.Match[str], text: str) -> bool:
    digits = sum(c.isdecimal() for c in match[0])
    if not 9 <= digits <= 15 or _DATE.search(match[0]):
        return False
    plain = match[0].lstrip("+").isdecimal()
    return not plain or (digits >= 10 and not match[0].startswith("00") and not _AMOUNT_AFTER.match(text, match.end()))


def _keys(text: str) -> Iterator[Span]:
    if "PRIVATE KEY" in text:
        yield from (match.span() for match in _PEM.finditer(text))
    if any(mark in text for mark in _CODED_MARKS):
        yield from (match.span() for match in _CODED.finditer(text))
    if _LONG_HEX.search(text):
        yield from (match.span(2) for match in _HEX_KEY.finditer(text) if not _PUBLIC_HEX.search(match[1]))
    if _longest(text) > LONG:
        yield from (match.span() for match in _WIF.finditer(text) if _is_wif(match[0]))


def _longest(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _is_wif(text: str) -> bool:
    """Base58Check of a Bitcoin private key: 33 or 34 bytes and four of their double hash."""
    number = 0
    for character in text:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(character)
    data = number.to_bytes(40, "big").lstrip(b"\0")
    return len(data) in (37, 38) and hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _tokens(text: str) -> Iterator[Span]:
    if any(mark in text for mark in _TOKEN_MARKS):
        yield from (match.span() for match in _TOKENS.finditer(text))
    if "://" in text:
        for match in _KEYED_URL.finditer(text):
            yield next(match.span(n) for n in (1, 2, 3) if match[n] is not None)
    small = text.lower()
    if any(mark in small for mark in _SECRET_MARKS):
        yield from (match.span(1) for match in _SECRET_SAID.finditer(text) if _is_secret(match[1], match[0]))


def _is_secret(word: str, said: str) -> bool:
    """A word of letters and digits that is no address, link, file or version: what people paste after "key:"."""
    if re.match(r"0x[0-9a-fA-F]{40}|https?:|www\.|\.{0,2}/|[\w-]+\.(?:\w{1,4}|json|toml)$", word):
        return False
    mixed = any(c.isdecimal() for c in word) and any(c.isalpha() for c in word)
    return mixed and (
        len(word) >= 16 or (said[:4].lower() in ("pass", "pwd ", "pwd:", "pwd=") and len(word) >= 6 and ("=" in said or ":" in said))
    )


def _ibans(text: str) -> Iterator[Span]:
    if not _IBAN_LIKE.search(text):
        return
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2], 0)
        end, held = match.start(), ""
        while end < match.end() and len(held) < length:
            held += text[end].strip()
            end += 1
        if length and len(held) == length and int("".join(str(int(c, 36)) for c in held[4:] + held[:4])) % 97 == 1:
            yield match.start(), end


def _cards(text: str) -> Iterator[Span]:
    if not _SEVEN_DIGITS.search(text):
        return
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        said = _GROUPED.fullmatch(match[0]) or _CARD_SAID.search(text, max(0, match.start() - 40), match.start())
        plain = match[0].isdecimal() and len(digits) in (15, 16) and len(set(digits)) >= 6
        if _CARD_KINDS.fullmatch(digits) and _luhn(digits) and (said or plain):
            yield match.span()


def _luhn(digits: str) -> bool:
    doubled = (int(c) * (1 + place % 2) for place, c in enumerate(reversed(digits)))
    return sum(n - 9 * (n > 9) for n in doubled) % 10 == 0


def _numbers_said(text: str) -> Iterator[Span]:
    yield from (match.span(1) for match in _SSN.finditer(text))


def _seeds(text: str) -> Iterator[Span]:
    """Twelve words and more in a row that are all words of BIP 39, most of them different: no sentence is, for "the", "and"
    and "of" are not among them."""
    for run in _RUN.finditer(text):
        held: list[re.Match[str]] = []
        for word in [*_WORD.finditer(text, run.start(), run.end()), None]:
            if word is not None and word[0].lower() in _bip39():
                held.append(word)
                continue
            if len(held) >= SEED_WORDS and len({match[0].lower() for match in held}) >= SEED_DISTINCT:
                yield held[0].start(), held[-1].end()
            held = []


@cache
def _bip39() -> frozenset[str]:
    from mnemonic import Mnemonic

    return frozenset(Mnemonic("english").wordlist)


FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "mail": _mails,
    "phone": _phones,
    "private key": _keys,
    "token": _tokens,
    "iban": _ibans,
    "card": _cards,
    "social security": _numbers_said,
    "seed phrase": _seeds,
}
