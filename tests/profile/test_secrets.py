"""What looks like a secret, by its name or by its own form, and what must not be taken for one."""

from __future__ import annotations

import time

import pytest

from generator.profile.secrets import holds_secret, is_secret, secret_word, secrets_in, shell_words
from tests.fast_support import HOSTILE_STRINGS

HEX = "0123456789abcdef0123456789abcdef"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"

#: Secrets by their name.
NAMED = [
    *((name, "hunter2") for name in ("DB_PWD", "MYSQL_PWD", "MYSQLPWD", "DB_PW", "SMTPPASS", "REDIS_AUTH", "PSWD")),
    *((name, "x") for name in ("dbPassword", "accountKey", "api-key", "clientSecret", "AZ_SAS", "SAS_TOKEN")),
    ("SECURITY_PASSWORD_SALT", "146585145368132386173505678016728509634"),
    ("GCP_CREDENTIALS_JSON", "{}"),
    ("TLS_PRIVATE_KEY_BASE64", "TUlJ"),
    ("BASIC_AUTH", "admin:hunter2"),
    ("FLOWER_BASIC_AUTH", "admin:hunter2"),
    ("BASIC_AUTH_USERS", "admin:hunter2"),
    ("NEO4J_AUTH", "neo4j/hunter2"),
]
#: Secrets whatever the variable is called.
FORMED = [
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc123==;EndpointSuffix=core.windows.net",
    "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=abc=",
    "host=db password=hunter2",
    "host=db user=app password = 'hunter2'",
    "Server=tcp:db,1433;User ID=sa;Password=hunter2",
    "Driver={x};UID=sa;Pwd=hunter2",
    "https://a.blob.core.windows.net/c?sv=2020&sig=abcdef%3D",
    "https://s3.example/a?X-Amz-Signature=0a1b2c3d",
    "https://maps.example/js?key=a1b2c3d4e5",
    "api-key=abc,other=1",
    '{"default": {"ENGINE": "x", "PASSWORD": "hunter2"}}',
    "{'api_key': 'abc'}",
    f"password='{HEX * 20}'",
    f"{{'password': '{HEX * 20}'}}",
    "https://hooks.slack.com/services/T000/B000/XXXX",
    "https://discord.com/api/webhooks/123/abc",
    "https://a.webhook.office.com/webhookb2/abc",
    "https://api.telegram.org/bot123:abc/sendMessage",
    f"https://chat.example/hooks/{HEX[:26]}",
    # A public key; whoever has it can send events all the same, and of its form are tokens as well.
    f"https://{HEX}@o1.ingest.sentry.io/2",
    "redis://:hunter2@r/0",
    "postgres://app:hunter2@db/x",
    "amqp://$U:$P@a,amqp://u:hunter2@b",
    "app:hunter2@tcp(db:3306)/x",
    "admin:hunter2@db.example:5432",
    JWT,
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abc123",
    "github_pat_11ABCDEFG0abcdef",
    "glpat-abcdefghij0123",
    "xoxb-123456-abcdef",
    "sk_live_abcdefgh1",
    "sk-proj-abcdefghij0123456789",
    "pypi-AgEIcHlwaS5vcmc0123",
    "Bearer abcdef0123456789",
    "authorization=Basic%20YWRtaW46aHVudGVyMg==",
    "admin:$apr1$abc$def",
    "${DB_PASSWORD:-hunter2}",
]
HARMLESS = [
    ("PWD", "hunter2"),
    ("OLDPWD", "x"),
    ("WORKING_PWD", "/srv/app"),
    ("GIT_COMMIT", "9fceb02d0ae598e95dc970b74767f19372d61af8"),
    ("COMPASS", "north"),
    ("BYPASS", "x1"),
    ("PASSWORD_HASHERS", "argon2"),
    ("DB_PWD_FILE", "/run/secrets/db"),
    ("AUTH", "oauth2"),
    ("AUTH", "shop.auth:check"),
    ("BASIC_AUTH", "true"),
    ("OAUTH", "google"),
    ("URL", "https://db.example:8443/a@b?page=2&sort=name"),
    ("URL", "redis://:$PASSWORD@r/0"),
    ("URL", "postgres://app:${PASSWORD}@db/x"),
    ("DSN", "host=db port=5432 dbname=x user=app sslmode=require"),
    ("DSN", "host=db password=$DB_PASSWORD"),
    ("FEATURES", "key=value,sort_key=created_at,partition_key=id"),
    ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,deployment.environment=prod"),
    ("LIMITS", "max_tokens=4096,reset_password=1,use_token=true"),
    ("FORMAT", "%(asctime)s token=%(token)s"),
    ("ADMINS", "Joe:joe@example.com"),
    ("CONTACT", "mailto:foo@example.com"),
    ("IMAGE", "registry.example:5000/app:1.2@sha256:" + "1234" * 16),
    ("HELP", "Enter the password: it is in the letter"),
    ("PLAN", "basic plan"),
    ("PAGE", "/sk-nursery-products-overview"),
    ("INDEX", "pypi-mirror-of-the-company"),
    ("LANGUAGES", "sk-SK,cs-CZ"),
    ("TASK", "disk-usage-report-weekly-summary"),
    ("JSON", '{"name": "shop", "token_url": "https://a/b"}'),
]


@pytest.mark.parametrize(("name", "value"), NAMED)
def test_a_name_says_so(name: str, value: str) -> None:
    assert holds_secret(name, value)
    assert not holds_secret(name, "") and not holds_secret(f"{name}_FILE", "/run/secrets/x")


@pytest.mark.parametrize("value", FORMED)
def test_a_value_says_so(value: str) -> None:
    assert is_secret(value) and holds_secret("ANY", value)
    assert is_secret(f"see {value}")


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_is_no_secret(name: str, value: str) -> None:
    assert not holds_secret(name, value)


@pytest.mark.parametrize("text", HOSTILE_STRINGS, ids=lambda text: ascii(text)[:30])
def test_a_hostile_string_is_no_secret(text: str) -> None:
    assert not holds_secret("ANY", text) and not list(secrets_in("any", {text: [text]}))


def test_where_in_a_mapping() -> None:
    mail = {"class": "logging.handlers.SMTPHandler", "credentials": ["user", "hunter2"], "secure": []}
    given = {"version": 1, "handlers": {"console": {"class": "x"}, "mail": mail}, "incremental": False}
    assert set(secrets_in("logconfig_dict", given)) == {"handlers.mail.credentials"}
    assert list(secrets_in("api_key", "abc")) == [""]
    assert list(secrets_in("tags", ["env:prod", JWT])) == [""]
    assert not list(secrets_in("logconfig_dict", {"loggers": {"app.tokens": {"level": "INFO"}}, "password": None}))


COMMANDS = [
    "API_TOKEN=ghp_abc123 celery -A tasks worker",
    "API_TOKEN=abc celery",
    "DB_PWD=hunter2 celery",
    "KEY=abc celery",
    "env API_TOKEN=abc celery",
    "env -i A=1 API_TOKEN=abc celery",
    "flask db upgrade && API_TOKEN=abc celery",
    "cd /app; export DB_PASSWORD='hun ter2'; celery",
    "a | TOKEN=abc b",
    "a\nTOKEN=abc b",
    "TOKEN=${TOKEN:-abc} celery",
    "celery --password=hunter2",
    "celery --password hunter2",
    "celery --db-password hunter2",
    "celery --api-key abc",
    "celery --broker redis://u:hunter2@r",
    "celery flower --basic-auth=admin:hunter2",
    "celery flower --basic_auth admin:hunter2",
    "curl -u admin:hunter2 https://a",
    "curl --user admin:hunter2 https://a",
    'curl -H "Authorization: Bearer abcdef0123456789" https://a',
    "TOKEN=$(curl -u admin:hunter2 https://a) celery",
    'X="$(curl -u admin:hunter2 https://a)" celery',
    "mysql -u root -phunter2 shop",
    "redis-cli -a hunter2 ping",
    "sh -c 'API_TOKEN=abc celery'",
    "celery --password='hunter2",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_with_a_secret(command: str) -> None:
    assert secret_word(shell_words(command)) is not None
    assert secret_word(["sh", "-c", command]) == 2
    assert secret_word(["sh", "-c", f"true && {command}"]) == 2


def test_the_word_is_named() -> None:
    assert secret_word(["celery", "--password", "hunter2"]) == 2
    assert secret_word(["env", "A=1", "TOKEN=abc", "celery"]) == 2


@pytest.mark.parametrize(
    "command",
    [
        "celery -A tasks worker -c 4",
        "X=1 flask db upgrade",
        "API_TOKEN=$API_TOKEN celery",
        'API_TOKEN="$(cat /run/secrets/token)" celery',
        "API_TOKEN=`cat /run/secrets/token` celery",
        "PWD=/srv celery",
        "celery --password $PASSWORD",
        "celery --password=${PASSWORD}",
        "celery --password-file /run/secrets/x --token-file=x",
        "psql --no-password shop",
        "celery --sort-key name --max-tokens 4096",
        "rq worker --url $REDIS_URL",
        "rq worker --url redis://:$PASSWORD@r",
        "curl -u $USER:$PASSWORD https://a",
        "curl --user-agent a:b https://a",
        "docker run -u 1000:1000 x",
        "mysql -p shop",
        "python -c 'import x; x.run(key=1)'",
        "flask create-admin --email a@b.c",
    ],
)
def test_a_command_without_one(command: str) -> None:
    assert secret_word(shell_words(command)) is None
    assert secret_word(["sh", "-c", command]) is None


@pytest.mark.parametrize(
    "piece",
    ["a", "eyJ-", "a=", "a://", "a.b:", "x:y@", "${A:-", '"a":', "basic ", "-----BEGIN ", "xox", "a-", "://a/hooks/",
     "a:", 'a="', "$", "/", "/a", "'a' : '", "a \n", "-c ", "$(", "A_"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    """Eight times the length takes about eight times as long, and not sixty-four times."""

    def cost(length: int, text: str) -> float:
        given, times = (text * length)[:length], []
        for _ in range(3):
            began = time.process_time()
            holds_secret("ANY", given)
            holds_secret(given, "x")
            secret_word(["sh", "-c", given])
            times.append(time.process_time() - began)
        return min(times)

    assert cost(16_000, piece) < 24 * max(cost(2_000, piece), cost(2_000, "a "))
