"""Addresses and settings with a secret in them, well-formed and not."""

from __future__ import annotations

from itertools import product
from urllib.parse import quote

SECRET = "HUNTER2xyz"
"""The part of every password that must be seen nowhere."""

PASSWORDS = (
    SECRET,
    f"a{SECRET}",
    f"{SECRET}%2F%40",
    f"p%40{SECRET}",
    f"p/{SECRET}",
    f"p@{SECRET}",
    f"p:{SECRET}",
    f"p#{SECRET}",
    f"p?{SECRET}",
    f"p&{SECRET}=1",
    f"p\\{SECRET}",
    f"p {SECRET}",
    f"p'{SECRET}",
    f'p"{SECRET}',
    f"{SECRET}/",
    f"{SECRET}#",
    f"99999/{SECRET}",
    f"[{SECRET}]",
    f"ü{SECRET}",
)
SCHEMES = (
    "http://",
    "HTTPS://",
    "ftp://",
    "postgresql+psycopg://",
    "s3://",
    "sqlite://",
    "http:/",
    "http:\\\\",
    "http:///",
    "xyz://",
)
HOSTS = (
    "127.0.0.1:9/x",
    "host.example",
    "h:0/x",
    "h:99999",
    "[::1",
    "[::1]:9/a",
    "h:port",
    "h/path/x@y",
    "",
)
TOKENS = (
    "token",
    "access_token",
    "api_key",
    "apikey",
    "password",
    "sig",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "client_secret",
    "AWSSecretAccessKey",
)

WITH_PASSWORD = [f"http://user:{password}@127.0.0.1:9" for password in PASSWORDS]
ADDRESSES = [
    *(
        f"{scheme}user:{password}@{host}"
        for (scheme, password), host in zip(
            [*product(SCHEMES, PASSWORDS)],
            [host for _ in range(len(PASSWORDS) * len(SCHEMES)) for host in HOSTS],
            strict=False,
        )
    ),
    *(f"http://{SECRET}@{host}" for host in HOSTS),
    *(f"user:{SECRET}@{host}" for host in ("host:9/x", "127.0.0.1:9", "h.example/x", "[::1]:9/")),
    *(f"http://127.0.0.1:9/x?{name}={SECRET}" for name in TOKENS),
    *(f"http://127.0.0.1:9/x?a=b&{name}={SECRET}&c=d" for name in TOKENS),
    *(f"https://host.example/x#{name}={SECRET}" for name in TOKENS),
    *(f"http://user:{SECRET}" for _ in range(1)),
    quote(f"http://user:{SECRET}@host/x", safe=""),
    quote(f"http://host/x?token={SECRET}", safe="/"),
]
"""More than two hundred; the secret is in each."""
