"""What looks like a secret, by its name or by its own form, and what must not be taken for one."""

from __future__ import annotations

import time

import pytest

from generator.profile.secrets import holds_secret, is_secret, secret_word, secrets_in, shell_words, without_assignments
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
    "authorization: bearer abcdef0123456789",
    "authorization=Basic%20YWRtaW46aHVudGVyMg==",
    "admin:$apr1$abc$def",
    "${DB_PASSWORD:-hunter2}",
    '{"password": 12345678901}',
    "Basic YWRtaW46aHVudGVyMg==",
    "password=[hunter2]",
    "password=hunter(2)",
    "Password=Sup3r[Secret]",
    "sk-ant-api03-abcdef-ghij0123456789",
    "$6$rounds=5000$abcdefgh$0123456789abcdef",
    "postgres://$DB_USER:hunter2@db/x",
    "X-Api-Key: abcdef0123456789",
    "PRIVATE-TOKEN: abcdef0123456789",
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
    ("AUTH", "auth:check"),
    ("DEFAULT_AUTH", "jwt:RS256"),
    ("BASIC_AUTH", "admin:$PASSWORD"),
    ("SIP", "sip:joe@sip.example:5060"),
    ("MAILTO", "mailto:joe@example.com:2525"),
    ("WWW_AUTHENTICATE", "Bearer realm=example"),
    ("HINT", "Basic plan-2024-summer"),
    ("TITLE", "Basic programming101 course"),
    ("MODEL", "sk-learn-model-2024-01-regression"),
    ("PRICE", "$5$x"),
    ("AMOUNT", "it is $6$per unit"),
    ("TEMPLATE", "Your token={{ token }} is here"),
    ("MASK_PATTERN", r"password=\S+"),
    ("MASK_PATTERN", "password=[^&]+"),
    ("SCRUB", "password=[FILTERED]"),
    ("AUDIT_EVENTS", "password=changed,token=revoked"),
    ("CORS", '{"credentials": "same-origin"}'),
    ("LDAP", '{"password": "userPassword"}'),
    ("MAPPING", '{"token": "X-Auth-Token"}'),
    ("DSN", "host=db password=%DB_PASSWORD%"),
    ("URL", "postgres://${DB_USER:-app}:${DB_PASSWORD}@db/x"),
    ("URL", "postgres://app:${DB_PASSWORD:-}@db/x"),
    ("URL", "postgres://app@db/x"),
    ("URL", "ssh://git@github.com/org/repo.git"),
    ("URL", "https://git@bitbucket.org/org/repo.git"),
    ("URL", "https://a.example/?sort_key=created2024"),
    ("PRIVATE_KEY", "keys/jwt.pem"),
    ("SSH_KEY", "~/.ssh/id_rsa"),
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
    assert not holds_secret(name, "") and not holds_secret(f"{name}_FILE", "secrets/x")


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
    keys = {
        "key": "message",
        "message_key": "msg",
        "timestamp_key": "time",
        "level_key": "severity",
        "tag_key": "level",
    }
    mask = {"()": "app.Mask", "keys": ["password", "token"], "patterns": [r"password=\S+"]}
    assert not list(secrets_in("logconfig_dict", {"formatters": {"json": keys}, "filters": {"mask": mask}}))


COMMANDS = [
    "API_TOKEN=ghp_abc123 celery -A tasks worker",
    "API_TOKEN=abc celery",
    "DB_PWD=hunter2 celery",
    "API_KEY=abc celery",
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
    *(f"app --{name} hunter2" for name in ("notify-token", "node-password", "notion-api-key", "nomad-token")),
    "app --normal-password hunter2",
    "app --notify-token abc",
    "app --admin.password hunter2",
    "until mysqladmin ping -phunter2; do sleep 1; done",
    "while ! mysqladmin ping -phunter2; do sleep 1; done",
    "if mysqladmin ping -phunter2; then flask run; fi",
    "timeout 10 mysql -phunter2",
    "nice -n 10 mysql -phunter2",
    "sudo -u x mysql -phunter2",
    "wait-for-it db:3306 -- mysql -phunter2",
    "curl -uadmin:hunter2 https://a",
    "curl --user=admin:hunter2 https://a",
    "curl -fsSu admin:hunter2 https://a",
    "curl -u $USER:hunter2 https://a",
    "curl -H 'X-Api-Key: abcdef0123456789' https://a",
    "curl -H 'PRIVATE-TOKEN: abcdef0123456789' https://a",
    "redis-cli -ahunter2 ping",
    "redis-server --requirepass hunter2",
    "redis-server --masterauth hunter2",
    "openssl rsa -passin pass:hunter2",
    "sshpass -p hunter2 ssh -p 22 a",
    "sshpass -phunter2 ssh a",
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
        # What a variable or a file has.
        'mysqladmin ping -h db -p"$MYSQL_PASSWORD"',
        "mysql -p${X}",
        "mysql -p$$VAR",
        "pg_isready -h mysql -p3306",
        "sshpass -p$PASS ssh a",
        "curl -u user:$TOKEN https://a",
        'curl -u "user:$(cat /run/secrets/t)" https://a',
        "celery --password=$$VAR",
        "redis-cli -a $$VAR ping",
        "sshpass -e ssh -p 2222 u@h",
        'sshpass -p "$PASS" ssh -p 22 host',
        'wget -U "Mozilla/5.0 (X11; Linux x86_64; rv:109.0)" https://a',
        "wget -U Mozilla:5 https://a",
        # Words that everybody knows, and keys that are none.
        *(f"SECRET_KEY={value} python manage.py collectstatic --noinput" for value in (
            "dummy", "build", "build-only", "changeme", "not-used", "x", "placeholder",
            "build-$(date +%s)", "$$RANDOM")),
        "KEY=value celery",
        "ROUTING_KEY=default celery",
        "CACHE_KEY=x celery",
        "S3_KEY=models/a.bin celery",
        # Code.
        'python -c "import secrets; token = secrets.token_hex(16)"',
        "python -c \"f(password=os.environ['DB_PASSWORD'])\"",
        "python -c \"login(token=os.environ['HF_TOKEN'])\"",
        "python -c \"f(password=settings.ADMIN_PASSWORD)\"",
        "python -c \"from_pretrained('x', token=None)\"",
        "python -c \"SECRET_KEY = os.environ['SECRET_KEY']\"",
        'python -c "max(d.items(), key=operator.itemgetter(1))"',
        'sed -i "s/SECRET_KEY=.*/SECRET_KEY=$SECRET_KEY/" .env',
        'psql -c "UPDATE users SET password = md5(random()::text)"',
        "docker build --secret id=token,src=x .",
        # Options of which a secret's name only says to what.
        "apt-key adv --recv-keys E3FF2839C048B25C084DEBE9B26995E310250568",
        "gpg --recv-keys E3FF2839C048B25C084DEBE9B26995E310250568",
        "adduser --disabled-password app",
        "mysqldump --skip-password shop",
        "mysqldump --no-password shop",
        "app --ask-password shop",
        "app --prompt-password shop",
        "gcloud secrets versions access latest --secret=db-password",
        "envconsul -secret db/creds celery",
        "aws s3api get-object --key models/v2/model.bin x",
        "ansible-playbook --private-key ~/.ssh/id_rsa x.yml",
        "app --credentials ./service_account.json",
        "app --credentials=service_account.json",
        'app --pad-token "[PAD]"',
        "app --max-tokens auto",
        "ffmpeg -i a -pass 2 b",
        "openssl enc -pass env:PASS",
        "openssl enc -passin file:/run/secrets/x",
        # Addresses.
        'DATABASE_URL="postgres://${DB_USER:-app}:${DB_PASSWORD}@db/x" celery',
        "DATABASE_URL=postgres://app:${DB_PASSWORD:-}@db/x celery",
        "git clone ssh://git@github.com/org/repo.git",
        "pip install git+ssh://git@github.com/o/r",
        'git config url."https://${GITHUB_TOKEN}:x-oauth-basic@github.com/".insteadOf https://github.com/',
    ],
)  # fmt: skip
def test_a_command_without_one(command: str) -> None:
    assert secret_word(shell_words(command)) is None
    assert secret_word(["sh", "-c", command]) is None


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "eyJ-", "a=", "a: ", "token:", "basic a", "$a", "${", "dummy-", "a/", "[",
     "mysql -p", "u ", "?key=a", "https://",
     "a://", "a.b:", "x:y@", "${A:-", '"a":', "basic ", "-----BEGIN ", "xox", "a-", "://a/hooks/",
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
            secret_word(["curl", "-u", given, "--password", given])
            without_assignments(given, ("TOKEN", "a"))
            times.append(time.process_time() - began)
        return min(times)

    assert cost(16_000, piece) < 24 * max(cost(2_000, piece), cost(2_000, "a "))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("TOKEN=abc celery", "TOKEN= celery"),
        ("TOKEN='a b'c celery && TOKEN=\"x\";y", "TOKEN= celery && TOKEN=;y"),
        ("API_TOKEN=abc x --TOKEN=abc $TOKEN", "API_TOKEN=abc x --TOKEN=abc $TOKEN"),
        ("TOKENS=abc", "TOKENS=abc"),
    ],
)
def test_an_assignment_is_left_out(text: str, rest: str) -> None:
    assert without_assignments(text, ("TOKEN",)) == rest
    assert without_assignments(text, ()) == text
