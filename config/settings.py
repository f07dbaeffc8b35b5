"""Settings, all from the environment; `config.environment` declares the variables."""

import secrets
from pathlib import Path

from django.templatetags.static import static

from config.environment import Environment

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env("KEYFERRY_DATA_DIR")).absolute()


def _secret_key() -> str:
    """The Django secret key: configured, or generated once and stored next to the database (0600)."""
    if configured := str(env("SECRET_KEY")):
        return configured
    path = DATA_DIR / "secret_key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"secret_key.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(fresh)  # atomic: of two first starts at once, one wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return str(path.read_text())


SECRET_KEY = _secret_key()
DEBUG = env("DJANGO_DEBUG")
PUBLIC_URL = env("KEYFERRY_PUBLIC_URL").rstrip("/")
ALLOWED_HOSTS = [*env("ALLOWED_HOSTS")]
if PUBLIC_URL:
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
    ALLOWED_HOSTS.append(PUBLIC_URL.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0])
if PUBLIC_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

PRODUCT_APPS = ["connections", "syncs"]  # each brings urls.py and navigation.py
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "config.access",
    "config.ui",
    *PRODUCT_APPS,
]

MIDDLEWARE = [
    "config.api.middleware.SlashMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "access.User"
LOGIN_REDIRECT_URL = "admin:index"  # after a sign-in that began at /admin/login/ itself
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # a redirected POST loses its body in Go's and Python's clients
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # widgets of our own live with the other templates

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.ui.context.all_paused",
            ],
        },
    },
]

if configured := env("DATABASE_URL"):
    DATABASES = {"default": configured}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "keyferry.sqlite3",
            "OPTIONS": {
                # Web and workers share the file: readers never block (WAL), a writer takes its lock when its
                # transaction begins, so that it waits instead of failing half way with "database is locked".
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
WHITENOISE_USE_FINDERS = True  # serves from the packages, without a collectstatic step

CACHES = {
    # Contains only the heartbeats of the task workers, which the web process reads.
    "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": DATA_DIR / "cache"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.authentication.IdentityTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "config.api.autoschema.AutoSchema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.authentication.AnyAccept",
    "DEFAULT_PARSER_CLASSES": ["config.api.authentication.JSONParser", "config.api.browsable_api.FormParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer", "config.api.browsable_api.BrowsableAPI"],
    "EXCEPTION_HANDLER": "config.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Keyferry",
    "DESCRIPTION": "Keeps secrets in projects and ferries them to the services that need them.",
    "VERSION": "0.2.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # Served from here instead of a content delivery network: installations may have no internet access.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["config.api.components.with_components"],
}

UNFOLD = {
    "SITE_TITLE": "Keyferry",
    "SITE_HEADER": "Keyferry",
    "SITE_SUBHEADER": "Secrets, ferried safely",
    "SITE_SYMBOL": "directions_boat",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("keyferry/icon.svg")}],
    "STYLES": [lambda request: static("keyferry/keyferry.css")],
    "SCRIPTS": [lambda request: static("keyferry/keyferry.js")],
    "DASHBOARD_CALLBACK": "syncs.admin.dashboard.context",
    "SHOW_HISTORY": False,
    "COLORS": {
        "primary": {  # sea blue; 600 and darker carry white text, 500 and lighter are read on dark grounds
            "50": "oklch(97.6% .013 222)",
            "100": "oklch(94.8% .028 222)",
            "200": "oklch(89.6% .055 222)",
            "300": "oklch(82.5% .09 222)",
            "400": "oklch(76.5% .112 222)",
            "500": "oklch(69% .115 222)",
            "600": "oklch(48.5% .092 222)",
            "700": "oklch(42% .08 222)",
            "800": "oklch(36% .066 222)",
            "900": "oklch(30.5% .054 222)",
            "950": "oklch(22% .044 222)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": "config.ui.sidebar.groups",
    },
}

BROKER_URL = env("KEYFERRY_BROKER_URL")
Q_CLUSTER = {
    "name": "keyferry",
    "label": "Task queue",
    "workers": env("KEYFERRY_WORKERS"),
    "poll": 0.1,
    "timeout": 600,  # seconds; a run re-enqueues itself long before (syncs.running.writer.TASK_BUDGET)
    "retry": 660,
    "max_attempts": 1,  # the database, not the queue, decides what runs again
    "ack_failures": True,
    "save_limit": -1,  # runs keep their own history
    "catch_up": False,
    **({"redis": BROKER_URL} if BROKER_URL else {"orm": "default"}),
}

# E-mail: one URL such as smtp+tls://user:password@mail.example.com:587, or Django's own names.
EMAIL_HOST = env("EMAIL_HOST")
EMAIL_PORT = env("EMAIL_PORT")
EMAIL_HOST_USER = env("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env("EMAIL_USE_TLS")
EMAIL_USE_SSL = env("EMAIL_USE_SSL")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL")
if configured := env("EMAIL_URL"):
    globals().update({name: value for name, value in configured.items() if value is not None})

KEYSET_FILE = Path(env("KEYFERRY_KEYSET_FILE") or DATA_DIR / "keyset.json")
BASE_URLS = env("KEYFERRY_BASE_URLS")
CA_FILE = env("KEYFERRY_CA_FILE")
SSL_CERT_FILE = env("SSL_CERT_FILE")
ALLOWED_PRIVATE_CIDRS = env("KEYFERRY_ALLOWED_PRIVATE_CIDRS")
TRUSTED_PROXIES = env("KEYFERRY_TRUSTED_PROXIES")
# Passed to providers that declare them (`Provider.operator_settings`), because providers do not read settings.
AWS_ROLES = env("KEYFERRY_AWS_ROLES")
AWS_WEB_IDENTITY_TOKEN_FILE = env("KEYFERRY_AWS_WEB_IDENTITY_TOKEN_FILE") or env("AWS_WEB_IDENTITY_TOKEN_FILE")
GITHUB_APP_FILE = env("KEYFERRY_GITHUB_APP_FILE")
GCP_SERVICE_ACCOUNT_FILE = env("KEYFERRY_GCP_SERVICE_ACCOUNT_FILE")
GCP_IMPERSONATED = env("KEYFERRY_GCP_IMPERSONATED")
GCP_TOKEN_FILES = env("KEYFERRY_GCP_TOKEN_FILES")
GCP_METADATA_SERVER = env("KEYFERRY_GCP_METADATA_SERVER")

RUN_RETENTION_DAYS = env("KEYFERRY_RUN_RETENTION_DAYS")
FIRST_ADMIN_USERNAME = env("DJANGO_SUPERUSER_USERNAME")
FIRST_ADMIN_PASSWORD = env("DJANGO_SUPERUSER_PASSWORD")
FIRST_ADMIN_EMAIL = env("DJANGO_SUPERUSER_EMAIL")
INFISICAL_CLIENT_SECRET = env("INFISICAL_CLIENT_SECRET")

# API requests per minute; 0 means no limit.
RATE_LIMIT = env("KEYFERRY_RATE_LIMIT")  # of one identity or person
ADDRESS_RATE_LIMIT = env("KEYFERRY_ADDRESS_RATE_LIMIT")  # from one address
LOGIN_RATE_LIMIT = env("KEYFERRY_LOGIN_RATE_LIMIT")  # logins from one address

# Seconds. A location is leased for LEASE_SECONDS; a request to a vendor ends within REQUEST_DEADLINE, so a
# run that renews whenever less than the deadline is left never has a request in flight without a lease.
LEASE_SECONDS = env("KEYFERRY_LEASE_SECONDS")
REQUEST_DEADLINE = env("KEYFERRY_REQUEST_DEADLINE")

DEFAULT_EXCEPTION_REPORTER = "config.logs.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.logs.Filter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.Formatter", "format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Without Django's own handlers: they would mail and print variables, which may contain values.
        "django": {"handlers": [], "level": "INFO"},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "django-q": {"level": "WARNING"},
        # Notification URLs contain tokens, and these loggers would log them.
        **{
            name: {"handlers": ["nowhere"], "propagate": False}
            for name in ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")
        },
    },
}
