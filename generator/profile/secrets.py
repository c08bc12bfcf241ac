"""What looks like a secret: a variable's name, a value of known form, a word of a command.

A variable's name alone is enough (`holds_secret`): a profile can allow the variable. In a command, a text and a setting
of the server there is stronger evidence or none (`is_secret`, `secret_word`, `secrets_in`).

Patterns are compiled when they are first called, and kept by `re`: all of them would take a twentieth of each run.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

#: The last word of a name says what it holds: TOKENIZERS_PARALLELISM, API_KEY_HEADER, JWT_TOKEN_EXPIRES and
#: DB_PASSWORD_FILE hold no secret. A word may be glued to the one before it, as in PGPASSWORD and MYSQLPWD.
_PASSWORD = (
    r"PASSWORDS?|PASSWD|PASSWRD|PSWD|PASSPHRASE|PWD"  # noqa: S105
    r"|(^|_|PG|DB|SQL|SMTP|MAIL|USER|ADMIN|ROOT|FTP|LDAP|REQUIRE)(PASS|PW)|(REDIS(CLI)?|NEO4J)_AUTH"
)
#: Keys of nothing else: in a list of values `account_key=name` is a secret, and `sort_key=name` is none.
_SECRET_KEY = r"(API|APP|ACCESS|PRIVATE|SIGNING|SECRET|ENCRYPTION|ACCOUNT|AUTH|MASTER|SHARED|STORAGE|SSH|FERNET)_?KEYS?"  # noqa: S105
_SECRET = rf"SECRETS?|TOKENS?|CREDENTIALS?|CREDS|(^|_)SALTS?|(^|_)SAS(_?(UR[IL]|TOKEN))?|{_SECRET_KEY}"
#: Words that say which one of several it is, or how it is written, not what it is.
_WHICH = (
    r"(_?[0-9]+|_(FALLBACKS?|BASE|VALUE|OLD|NEW|PREVIOUS|CURRENT|PRIMARY|SECONDARY|PROD|PRODUCTION|STAGING|DEV|TEST"
    r"|B64|BASE64|HEX|PEM|JSON|PLAIN))*"
)
_PASSWORD_NAME = partial(re.compile, rf"({_PASSWORD}){_WHICH}$", re.I)
_SECRET_NAME = partial(re.compile, rf"({_SECRET}){_WHICH}$", re.I)
_KEY_NAME = partial(re.compile, rf"(^|_)KEYS?{_WHICH}$", re.I)
_PUBLIC_NAME = partial(re.compile, rf"(^|_)(PUBLIC|PUBLISHABLE)_?KEYS?{_WHICH}$", re.I)
#: `BASIC_AUTH: admin:hunter2`; of others, `AUTH: oauth2` and `AUTH: auth:check`, most name a method.
_USER_NAME = partial(re.compile, r"(BASIC|HTTP)_?AUTH(_USERS?)?$", re.I)
#: `--secret=db`, `"secret": "app/db"`: mostly which secret it is.
_BARE_NAME = partial(re.compile, r"SECRETS?", re.I)
#: What a shell calls the working directory; as a key in a connection string the word is a password.
_FOLDERS = ("PWD", "OLDPWD")
#: MAX_TOKENS, say, or ACCESS_TOKEN: "false"; a number of ten digits may be a password.
_NO_SECRET_VALUE = partial(re.compile, r"|true|false|yes|no|on|off|null|none|[0-9]", re.I)
_NUMBER = partial(re.compile, r"[-+]?[0-9]{1,9}(\.[0-9]{1,9})?k?")
_ABSOLUTE_PATH = partial(re.compile, r"/|(/[A-Za-z0-9._-]{1,64}){1,32}/?")
_RELATIVE_PATH = partial(
    re.compile, r"(~|\.\.?)/\S*|([\w.-]{1,64}/){0,32}([\w-]{1,64}\.(json|ya?ml|pem|key|crt|p12|env)|id_\w{1,16})"
)
#: A part of a path that reads like one of the random texts that begin with a slash as well.
_RANDOM = partial(re.compile, r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*[0-9])[^/]{16,}")
#: What stands for a value, and is none.
_STAND_IN = partial(
    re.compile,
    r"""
    \\?\$+(?:[A-Za-z_{(].*|[0-9@*\#]?) | [^$`]*(?:\$+[({]|`).*     # $X, $$X, \$(cat x), build-$(date), and $1
    | %\(.* | %[sr] | %\w+% | \{.* | <.*>                           # %(x)s, %X%, {{ x }}, <your token>
    | \[(?:\^.*|[A-Za-z_-]+\].*) | \\[A-Za-z].* | \.[*+?].*         # [FILTERED], and the patterns [^&]+, \S+, .*
    | (?:env|file|fd):.* | stdin                                    # openssl's -pass
    | \*+ | \.+ | .
    """,
    re.DOTALL | re.VERBOSE,
)
#: Words that everybody may know: of an example, for a build that needs some value, and what is done with a secret.
_WORDS = partial(
    re.compile,
    r"((dummy|fake|example|placeholder|build|time|only|not|un|used|change|me|insecure|for)[-_]?){1,6}|x-oauth-basic"
    r"|auto|default|always|never|enabled?|disabled?|required|optional|string|include|omit|same-origin"
    r"|changed|reset|expired|revoked|redacted|filtered|masked|hidden",
    re.I,
)
#: `password=userPassword`, `token: X-Auth-Token`: the name of a field, a header or a secret.
_NAME = partial(re.compile, r"[A-Za-z][A-Za-z_./-]{0,63}")
#: A program's own words behind an equals sign: `token=get_token()`, `password=os.environ[...]`.
_CODE = partial(re.compile, r"[A-Za-z_]\w{0,40}((\.\w{1,40}){1,8}[(\[].*|[(\[]|\([A-Za-z_(].*)", re.DOTALL)
#: A variable in an address.
_VARIABLE = partial(re.compile, r"\$\{[^{}]*\}?|\$\([^()]*\)?|\$\w+|`[^`]*`?|\{\w*\}|%\(\w+\)s")
#: Starts at the colon: a search that starts at each letter of a scheme takes a second for 10 kB of letters.
_USER_INFO = partial(re.compile, r"(?:(https?)|[a-z0-9+.-])://([^/?#\s]*)@", re.I)
#: A user without a password is one of a database or of ssh, but in the web a token, as Sentry and GitHub have them.
_TOKEN = partial(re.compile, r"(?=[A-Za-z_-]*[0-9])[\w-]{16,}")
_WEB_TOKEN = partial(re.compile, r"(?!git:?$)[\w.~%+-]+:?")
_VALUES = partial(
    re.compile,
    r"""
    -----BEGIN\ (?:[A-Z0-9]{1,12}\ ){0,3}PRIVATE\ KEY | AGE-SECRET-KEY-1
    | (?<![A-Za-z0-9]) (?:
        eyJ[\w-]{8,300}+\.eyJ[\w-]{8}                                       # a JSON Web Token
        | (?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])                          # Amazon
        | gh[pousr]_[0-9A-Za-z]{6} | github_pat_\w{10} | glpat-[\w-]{10}    # GitHub, GitLab
        | xox[a-z]-[\w-]{8} | xapp-[0-9]-[\w-]{8}                           # Slack
        | [sr]k_(?:live|test)_[0-9A-Za-z]{8} | whsec_[0-9A-Za-z]{8}         # Stripe
        | sk-(?=[A-Za-z]{0,100}[0-9])[A-Za-z0-9]{20}                        # OpenAI and others
        | sk-(?:proj|svcacct|admin|ant|or)-(?=[\w-]{0,100}[0-9])[\w-]{20}
        | hf_[0-9A-Za-z]{20} | AIza[\w-]{30}
        | SG\.[\w-]{16,64}\.[\w-]{16} | npm_[0-9A-Za-z]{30} | pypi-AgE[\w-]{8} | dckr_pat_[\w-]{16} | hvs\.[\w-]{20}
      )
    # Addresses that are secrets themselves: whoever has one may send.
    | hooks\.slack\.com/(?:services|workflows|triggers)/\w | discord(?:app)?\.com/api/webhooks/[0-9]
    | \.office\.com/webhook | api\.telegram\.org/bot[0-9] | ://[^\s?\#]{1,255}/hooks/[0-9a-z]{26}(?![0-9a-z])
    # What signs or opens an address.
    | [?&](?i:sig|[\w-]{0,40}signature)=[\w%+/-]{6} | [?&]key=(?=[A-Za-z]{0,40}[0-9])[\w-]{8}
    | (?<![A-Za-z])[Bb]earer(?:\s|%20|\+)(?=[A-Za-z_.~+/-]{0,200}[0-9])[\w.~+/-]{12}
    | \$(?:apr1\$\S|2[abxy]\$[0-9]|argon2(?:id|i|d)\$\S|[156]\$[\w./=]{1,32}\$[\w./])   # a password's hash
    # A user and a password before an address without a scheme, which has a port or is a Go driver's.
    | (?<![\w/.:@+$-])(?!(?:sips?|tel|mailto|xmpp|acct):)[\w.+-]{1,64}:(?![$%<{])[^\s@/:]{3,128}
      @(?:(?:tcp|unix)\(|[\w.-]{1,255}:[0-9]{3,5}(?!\w))
    """,
    re.VERBOSE,
)
#: A word behind it is a user and a password in base64, and not any word.
_BASIC = partial(re.compile, r"(?<![A-Za-z])basic(?:\s|%20|\+)([A-Za-z0-9+/]{4,500}={0,2})", re.I)
#: `name=value`, as connection strings, queries and options have it; and `"name": "value"`, and a header.
_PAIR = partial(
    re.compile, r"""(?<![\w.])([A-Za-z_][\w.-]{0,63})(?:\s{1,2}=\s{1,2}|=)("[^"]{1,500}|'[^']{1,500}|[^\s;,&"')]+)"""
)
_MEMBER = partial(re.compile, r"""["']([A-Za-z_][\w.-]{0,63})["']\s{0,3}:\s{0,3}(["'][^"']{1,500}|[0-9]{5,40})""")
_HEADER = partial(
    re.compile,
    r"(?<![\w.])([A-Za-z][\w-]{0,63}):\s{0,2}(?:Token\s)?((?=[A-Za-z_-]{0,100}[0-9])[\w+=-]{12,500}+)(?![^\s\"'])",
)
#: What a shell takes where a variable is not set.
_DEFAULT = partial(re.compile, r"\$\{([A-Za-z_]\w{0,63}):?[-=]([^{}]{1,500}+)\}")
_HUMP = partial(re.compile, r"(?<=[a-z])(?=[A-Z])|[-.]")


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable looks like a secret by its name, or its value is one in whatever variable."""
    if is_secret(value):
        return True
    if name in _FOLDERS or _NO_SECRET_VALUE().fullmatch(value) or is_path(value):
        return False
    name = _HUMP().sub("_", name)
    if _PASSWORD_NAME().search(name) or (_USER_NAME().search(name) and _has_password(value)):
        return True
    is_named = _SECRET_NAME().search(name) or _KEY_NAME().search(name)
    return bool(is_named) and not _PUBLIC_NAME().search(name) and not _NUMBER().fullmatch(value)


def is_secret(value: str) -> bool:
    """Whether a text has a secret in it by its own form: a URL's password, a key, a token, a connection string's."""
    if _VALUES().search(value) or any(_is_basic(match[1]) for match in _BASIC().finditer(value)):
        return True
    for match in _USER_INFO().finditer(value):
        if _has_password(match[2]) or (_WEB_TOKEN if match[1] else _TOKEN)().fullmatch(match[2]):
            return True
    pairs = (match for form in (_PAIR, _MEMBER, _HEADER, _DEFAULT) for match in form().finditer(value))
    return any(not _CODE().fullmatch(match[2]) and _is_secret_pair(match[1], match[2].strip("\"' ")) for match in pairs)


def _is_secret_pair(name: str, value: str) -> bool:
    """Whether a keyword or an option looks like a secret: not for keys that are none in most lists of values."""
    name = _HUMP().sub("_", name)
    if _stands_in(value) or is_path(value):
        return False
    if _PASSWORD_NAME().search(name) or (_USER_NAME().search(name) and _has_password(value)):
        return True
    if _PUBLIC_NAME().search(name) or _NUMBER().fullmatch(value) or not _SECRET_NAME().search(name):
        return False
    return not _BARE_NAME().fullmatch(name) or re.search(r"[0-9]", value) is not None


def secrets_in(name: str, value: Any) -> Iterator[str]:
    """The paths of texts that look like secrets below one name: in a mapping by their keys, in a list by the list's."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (f"{key}.{below}".rstrip(".") for below in secrets_in(str(key), item))
    elif isinstance(value, list | tuple):
        yield from (below for item in value for below in secrets_in(name, item))
    elif isinstance(value, str | int | float) and (is_secret(text := str(value)) or _is_secret_pair(name, text)):
        yield ""


def is_path(value: str) -> bool:
    """Whether a text is a path, and not one of the random texts that begin with a slash."""
    if _RELATIVE_PATH().fullmatch(value):
        return True
    return bool(_ABSOLUTE_PATH().fullmatch(value)) and not any(map(_RANDOM().fullmatch, value.split("/")))


def _stands_in(value: str) -> bool:
    """Whether a text is no value itself: it names one, or says where it is, or is a word that everybody knows."""
    if any(form().fullmatch(value) for form in (_STAND_IN, _NO_SECRET_VALUE, _WORDS)):
        return True
    name = _HUMP().sub("_", value)
    return bool(_NAME().fullmatch(value) and (_PASSWORD_NAME().search(name) or _SECRET_NAME().search(name)))


def _has_password(user_info: str) -> bool:
    """Whether `user:password` has a password, and not a variable that has it."""
    _, _, password = _VARIABLE().sub("$", user_info.replace('"', "")).partition(":")
    return bool(password.strip(":")) and not re.fullmatch(r"\$+", password) and not _WORDS().fullmatch(password)


def _is_basic(text: str) -> bool:
    """Whether a word behind `Basic` is a user and a password; `basic plan2024` is none."""
    try:
        return ":" in base64.b64decode(text, validate=True).decode()
    except ValueError:  # no base64, or no text
        return False


#: Options with a secret that no name says, by program; the same word may have it, as the pattern's group.
_OPTIONS = {
    # -p3306 is a port, of another program that has `mysql` for a word.
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"), r"-p(?![0-9]{1,5}$)(.+)"),
    "redis-cli": r"-a(.+)?",
    "redis-server": r"--masterauth",
    "openssl": r"-pass(?:in|out)",
    "sshpass": r"-p(.+)?",
    **dict.fromkeys(("ssh", "scp", "sftp", "rsync"), r"(?!)"),  # sshpass's own options end here
    "curl": r"-[fgikLnsSvGIN]*[uU](.+)?|--(?:proxy-)?user(?:=(.+))?",
}
_ENDS = partial(re.compile, r"[;&|]+")
_INNER = partial(re.compile, r"\$\(|`")
_OPTION = partial(re.compile, r"--?([A-Za-z][\w.-]*)")
#: What an option does, of which a secret's name only says to what: `--no-password x`, `--recv-keys x`.
_VERB = partial(
    re.compile,
    r"(no|ask|prompt|skip|disabled?|hide|use|with|without|allow|reset|change|revoke|list|export|max|min|pad|stop)-",
)


def secret_word(command: Sequence[str]) -> int | None:
    """The number of the first word of a command that looks like a secret, or has one in the script that it is."""
    program = ""
    for number, word in enumerate(command):
        before = command[number - 1] if number else ""
        if _ENDS().fullmatch(word):
            program = ""
        elif is_secret(word) or _follows(before, word, program):
            return number
        inner = word if re.fullmatch(r"-[a-z]*c", before) else "".join(_INNER().split(word, 1)[1:])
        if " " in inner and secret_word(shell_words(inner)) is not None:
            return number
        # Wherever it stands: behind `while !`, `timeout 10`, `sudo -u app` and whatever else starts a program.
        called = re.split(r"[/=(`]", word)[-1]
        if called in _OPTIONS and before not in ("-h", "--host"):
            program = called
        elif match := re.fullmatch(_OPTIONS.get(program, r"(?!)"), word):
            glued = next(filter(None, match.groups()), "")
            if glued and _is_given(glued, program):
                return number
    return None


def _follows(option: str, value: str, program: str) -> bool:
    """Whether a word is the secret that the option before it announces."""
    if not option.startswith("-") or value.startswith("-"):
        return False
    if match := re.fullmatch(_OPTIONS.get(program, r"(?!)"), option):
        return not any(match.groups()) and _is_given(value, program)
    named = _OPTION().fullmatch(option)
    return named is not None and not _VERB().match(named[1]) and _is_secret_pair(named[1], value)


def _is_given(value: str, program: str) -> bool:
    return _has_password(value) if program == "curl" else not _stands_in(value)


def without_assignments(text: str, names: Sequence[str]) -> str:
    """A command, or a word of one, without the values that it gives to variables of these names."""
    chosen = "|".join(map(re.escape, names)) or "(?!)"
    return re.sub(rf"""(?<![\w.$-])({chosen})=("[^"]*"|'[^']*'|[^\s;&|"']*)+""", r"\1=", text)


def shell_words(text: str) -> list[str]:
    """A shell's words, and between them `;`, `&&`, `|` and their like."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:  # a quote that nothing closes: what a shell refuses as well
        return re.sub(r"[\"']", "", text).split()
