"""What looks like a secret: a variable's name, a value of known form, a word of a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: The last word of a name says what it holds: TOKENIZERS_PARALLELISM, API_KEY_HEADER, JWT_TOKEN_EXPIRES and
#: DB_PASSWORD_FILE hold no secret. A word may be glued to the one before it, as in PGPASSWORD and MYSQLPWD.
_PASSWORD = (
    r"PASSWORDS?|PASSWD|PASSWRD|PSWD|PASSPHRASE|PWD"  # noqa: S105
    r"|(^|_|PG|DB|SQL|SMTP|MAIL|USER|ADMIN|ROOT|FTP|LDAP)(PASS|PW)|(REDIS(CLI)?|NEO4J)_AUTH"
)
#: Keys of nothing else: `sort_key=name` in a list of values is no secret, `account_key=name` is one.
_SECRET_KEY = r"(API|APP|ACCESS|PRIVATE|SIGNING|SECRET|ENCRYPTION|ACCOUNT|AUTH|MASTER|SHARED|STORAGE|SSH|FERNET)_?KEYS?"  # noqa: S105
_SECRET = rf"SECRETS?|TOKENS?|CREDENTIALS?|CREDS|(^|_)SALTS?|(^|_)SAS(_?(UR[IL]|TOKEN))?|{_SECRET_KEY}"
#: Words that say which one of several it is, or how it is written, not what it is.
_WHICH = (
    r"(_?[0-9]+|_(FALLBACKS?|BASE|VALUE|OLD|NEW|PREVIOUS|CURRENT|PRIMARY|SECONDARY|PROD|PRODUCTION|STAGING|DEV|TEST"
    r"|B64|BASE64|HEX|PEM|JSON|PLAIN))*"
)
_PASSWORD_NAME = re.compile(rf"({_PASSWORD}){_WHICH}$", re.I)
_SECRET_NAME = re.compile(rf"({_SECRET}){_WHICH}$", re.I)
_KEY_NAME = re.compile(rf"(^|_)KEYS?{_WHICH}$", re.I)
_PUBLIC_NAME = re.compile(rf"(^|_)(PUBLIC|PUBLISHABLE)_?KEYS?{_WHICH}$", re.I)
#: `BASIC_AUTH: admin:hunter2`; `AUTH: oauth2` and `AUTH: shop.auth:check` are none.
_USER_NAME = re.compile(r"BASIC_?AUTH_USERS?$|(^|_|BASIC)AUTH$", re.I)
_USER_AND_PASSWORD = re.compile(r"[^\s:/.]+:[^\s/]\S*")
#: What a shell calls the working directory; as a key in a connection string the word is a password.
_FOLDERS = ("PWD", "OLDPWD")
#: The parameter that signs an URL: Azure's sig, Amazon's X-Amz-Signature.
_SIGNATURE = re.compile(r"(^|_)SIG(NATURE)?$", re.I)
#: MAX_TOKENS, say, or ACCESS_TOKEN: "false"; a number of ten digits may be a password.
_NO_SECRET_VALUE = re.compile(r"|true|false|yes|no|on|off|null|none", re.I)
_NUMBER = re.compile(r"[-+]?[0-9]{1,9}(\.[0-9]{1,9})?")
_ABSOLUTE_PATH = re.compile(r"/|(/[A-Za-z0-9._-]{1,64}){1,32}/?")
#: A part of a path that reads like one of the random texts that begin with a slash as well.
_RANDOM = re.compile(r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*[0-9])[^/]{16,}")
#: What stands for a value that is elsewhere, in a shell, a format or an instruction to the reader.
_STAND_IN = re.compile(r"\$[A-Za-z_{(].*|\$|`.*|%\(\w+\)[a-z]|%[sr]|\{+[^{}]*\}+|<.*>|\*+|\.+|[01]", re.DOTALL)
#: Starts at the colon: a search that starts at each letter of a scheme takes a second for 10 kB of letters.
_USER_INFO = re.compile(r"[a-z0-9+.-]://([^/?#\s]*)@", re.I)
_VALUES = re.compile(
    r"""
    -----BEGIN\ (?:[A-Z0-9]{1,12}\ ){0,3}PRIVATE\ KEY | AGE-SECRET-KEY-1
    | (?<![A-Za-z0-9]) (?:
        eyJ[\w-]{8,300}+\.eyJ[\w-]{8}                                       # a JSON Web Token
        | (?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])                          # Amazon
        | gh[pousr]_[0-9A-Za-z]{6} | github_pat_\w{10} | glpat-[\w-]{10}    # GitHub, GitLab
        | xox[a-z]-[\w-]{8} | xapp-[0-9]-[\w-]{8}                           # Slack
        | [sr]k_(?:live|test)_[0-9A-Za-z]{8} | whsec_[0-9A-Za-z]{8}         # Stripe
        | sk-(?=[\w-]{0,100}[0-9])[\w-]{20} | hf_[0-9A-Za-z]{20} | AIza[\w-]{30}
        | SG\.[\w-]{16,64}\.[\w-]{16} | npm_[0-9A-Za-z]{30} | pypi-AgE[\w-]{8} | dckr_pat_[\w-]{16} | hvs\.[\w-]{20}
      )
    # Addresses that are secrets themselves: whoever has one may send.
    | hooks\.slack\.com/(?:services|workflows|triggers)/\w | discord(?:app)?\.com/api/webhooks/[0-9]
    | \.office\.com/webhook | api\.telegram\.org/bot[0-9] | ://[^\s?\#]{1,255}/hooks/[0-9a-z]{26}(?![0-9a-z])
    | (?<![A-Za-z])(?:[Bb]earer|[Bb]asic)(?:\s|%20|\+)(?=[^\s"']{0,200}[0-9=])[\w.~+/=-]{12}
    | \$(?:apr1|2[abxy]|[56]|argon2(?:id|i|d))\$\S                          # a password's hash
    # A user and a password before an address without a scheme, which has a port or is a Go driver's.
    | (?<![\w/.:@+-])[\w.+-]{1,64}:[^\s@/:]{1,128}@(?:(?:tcp|unix)\(|[\w.-]{1,255}:[0-9]{2,5}(?![\w]))
    """,
    re.VERBOSE,
)
#: `name=value`, as connection strings, queries and options have it; and `"name": "value"`.
_PAIR = re.compile(r"""(?<![\w.])([A-Za-z_][\w.-]{0,63})\s{0,2}=\s{0,2}("[^"]{1,500}|'[^']{1,500}|[^\s;,&"']+)""")
_MEMBER = re.compile(r"""["']([A-Za-z_][\w.-]{0,63})["']\s{0,3}:\s{0,3}["']([^"']{1,500})""")
#: What a shell takes where a variable is not set.
_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w{0,63}):?[-=]([^{}]{1,500}+)\}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|[-.]")


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable, or a keyword, looks like a secret by its name, or its value is one in whatever variable."""
    if is_secret(value):
        return True
    if name in _FOLDERS or _NO_SECRET_VALUE.fullmatch(value) or is_path(value):
        return False
    name = _HUMP.sub("_", name)
    if _PASSWORD_NAME.search(name) or (_USER_NAME.search(name) and _USER_AND_PASSWORD.fullmatch(value)):
        return True
    is_named = _SECRET_NAME.search(name) or _KEY_NAME.search(name)
    return bool(is_named) and not _PUBLIC_NAME.search(name) and not _NUMBER.fullmatch(value)


def is_secret(value: str) -> bool:
    """Whether a text has a secret in it by its own form: a URL's password, a key, a token, a connection string's."""
    if _VALUES.search(value) or any(_is_given(match[1]) for match in _USER_INFO.finditer(value)):
        return True
    pairs = (match for form in (_PAIR, _MEMBER, _DEFAULT) for match in form.finditer(value))
    return any(_is_secret_pair(match[1], match[2].strip("\"'")) for match in pairs)


def secrets_in(name: str, value: Any) -> Iterator[str]:
    """The paths of texts that look like secrets below one name: in a mapping by their keys, in a list by the list's."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (f"{key}.{below}".rstrip(".") for below in secrets_in(str(key), item))
    elif isinstance(value, list | tuple):
        yield from (below for item in value for below in secrets_in(name, item))
    elif not isinstance(value, bool) and value is not None and holds_secret(name, str(value)):
        yield ""


def is_path(value: str) -> bool:
    """Whether a text is an absolute path, and not one of the random texts that begin with a slash."""
    return bool(_ABSOLUTE_PATH.fullmatch(value)) and not any(map(_RANDOM.fullmatch, value.split("/")))


def _is_given(user_info: str) -> bool:
    """Whether a URL's user part has a password, or, without one, what may be a token; not a variable that has it."""
    user, _, password = user_info.partition(":")
    part = password or user
    return bool(part) and not re.fullmatch(r"\$\w+|\$\{\w+\}|\$\(\w+\)|\{\w*\}|%\(\w+\)s", part)


def _is_secret_pair(name: str, value: str) -> bool:
    """As a variable's, but for what stands for a value, and for keys that are no secret in most lists of values."""
    name = _HUMP.sub("_", name)
    if _STAND_IN.fullmatch(value) or _NO_SECRET_VALUE.fullmatch(value) or is_path(value):
        return False
    if _PASSWORD_NAME.search(name) or (_USER_NAME.search(name) and _USER_AND_PASSWORD.fullmatch(value)):
        return True
    if _PUBLIC_NAME.search(name) or _NUMBER.fullmatch(value):
        return False
    if _SECRET_NAME.search(name) or _SIGNATURE.search(name):
        return True
    return bool(_KEY_NAME.search(name)) and len(value) >= 8 and re.search(r"[0-9]", value) is not None


#: Options with a secret that no name says, by program; `-p` may have it in the same word.
_OPTIONS = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"), r"-p(.+)"),
    "redis-cli": r"-a",
    "sshpass": r"-p(.+)?",
    **dict.fromkeys(("curl", "wget"), r"-u|--user|-U|--proxy-user"),
}
_ENDS = re.compile(r"[;&|]+")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_INNER = re.compile(r"\$\(|`")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)")
#: Behind these the command itself still follows.
_BEFORE_COMMAND = re.compile(r"env|export|exec|sudo|nohup|time|-[A-Za-z-]*")


def secret_word(command: Sequence[str]) -> int | None:
    """The number of the first word of a command that looks like a secret, or has one in the script that it is."""
    begins, program = True, ""
    for number, word in enumerate(command):
        if _ENDS.fullmatch(word):
            begins, program = True, ""
            continue
        before = command[number - 1] if number else ""
        if is_secret(word) or _follows(before, word, program):
            return number
        inner = word if re.fullmatch(r"-[a-z]*c", before) else "".join(_INNER.split(word, 1)[1:])
        if " " in inner and secret_word(shell_words(inner)) is not None:
            return number
        bare = word.lstrip("$(`")
        if begins and (match := _ASSIGNMENT.fullmatch(bare)):
            if not _STAND_IN.fullmatch(match[2]) and holds_secret(match[1], match[2]):
                return number
            program = match[2].lstrip("$(`").rpartition("/")[2]
        elif begins and not _BEFORE_COMMAND.fullmatch(bare):
            begins, program = False, bare.rpartition("/")[2]
        if (glued := re.fullmatch(_OPTIONS.get(program, r"(?!)"), word)) and any(glued.groups()):
            return number
    return None


def _follows(option: str, value: str, program: str) -> bool:
    """Whether a word is the secret that the option before it announces."""
    if not option.startswith("-") or value.startswith("-") or _STAND_IN.fullmatch(value):
        return False
    if re.fullmatch(_OPTIONS.get(program, r"(?!)"), option):
        return program not in ("curl", "wget") or ":" in value.strip(":")
    match = _OPTION.fullmatch(option)
    return match is not None and not re.match(r"no|ask|prompt", match[1]) and _is_secret_pair(match[1], value)


def shell_words(text: str) -> list[str]:
    """A shell's words, and between them `;`, `&&`, `|` and their like."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:  # a quote that nothing closes: what a shell refuses as well
        return re.sub(r"[\"']", "", text).split()
