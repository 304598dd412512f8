"""Lines into which a program writes what a client chose, by pattern; most of them tell of no failure at all.

line_of("nginx", CARRIERS["nginx"][0], "203.0.113.7", ["x", "/path", "y"])

`@` is the client's address. `{}` is text that it chose, as the program writes it: a user name, a path, an agent, a
Referer, a greeting. `{host}` is what its reverse DNS says, `{word}` is text without spaces. Sources: those of loglines,
and nginx's ngx_http_log_escape and ngx_http_log_error_handler, Apache's ap_escape_logitem, sshd's fmt_scp and strvis.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial

SYSLOG = "Nov 20 19:05:03 gate "
NGINX = "2026/11/20 19:05:03 [error] 1193#1193: *41 "
APACHE = "[Fri Nov 20 19:05:03.123456 2026] [core:error] [pid 17512:tid 140123079128832] [client @:51390] "
_ACCESS = [
    f'@ - {{}} [20/Nov/2026:19:05:03 +0000] "GET {{}} HTTP/1.1" {status} 17 "{{}}" "{{}}"' for status in (200, 401, 404)
] + ['@ - - [20/Nov/2026:19:05:03 +0000] "{}" 400 0 "-" "-"']

CARRIERS: dict[str, list[str]] = {
    "access": _ACCESS,
    "access-4xx": _ACCESS,
    "wordpress": [*_ACCESS, '@ - {} [20/Nov/2026:19:05:03 +0000] "POST /wp-login.php HTTP/1.1" 200 17 "{}" "{}"'],
    "traefik": [f'{line} 72 "{{}}" "http://10.0.0.1" 0ms' for line in _ACCESS[:3]],
    "traefik-json": ["ClientHost RequestPath request_User-Agent RequestHost ClientUsername"],
    "nextcloud": ["remoteAddr url userAgent user message", "remoteAddr message url userAgent user"],
    "sshd": [
        SYSLOG + line
        for line in (
            "sshd[812]: Received disconnect from @ port 1:11: {} [preauth]",
            "sshd[812]: error: Received disconnect from @ port 1:3: {}",
            "sshd[812]: Bad protocol version identification '{}' from @ port 4711",
            "sshd[812]: Protocol major versions differ for @ port 4711: SSH-2.0-OpenSSH_9.2 vs. {}",
            "sshd[812]: Invalid user {} from @ port 4711",
            "sshd[812]: Failed password for invalid user {} from @ port 4711 ssh2",
            "sshd[812]: Failed publickey for invalid user {} from @ port 1 ssh2: ED25519-CERT SHA256:a ID {} (serial 0) CA RSA SHA256:b",
            "sshd[812]: Connection closed by invalid user {} @ port 4711 [preauth]",
            "sshd[812]: Disconnecting invalid user {} @ port 9: Change of username or service not allowed: "
            + "({},ssh-connection) -> ({},ssh-connection) [preauth]",
            "sshd[812]: input_userauth_request: invalid user {} [preauth]",
            "sshd[812]: Postponed keyboard-interactive for invalid user {} from @ port 22 ssh2 [preauth]",
            "sshd[812]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=@  user={}",
            "sshd[812]: reverse mapping checking getaddrinfo for {host} [@] failed.",
            "sshd[812]: User {} from {host} not allowed because not listed in AllowUsers",
            "sshd[812]: error: PAM: Authentication failure for illegal user {} from {host}",
            "sshd[812]: userauth_hostbased mismatch: client sends {}, but we resolve @ to {host}",
            "sshd[812]: Accepted publickey for ann from @ port 22 ssh2: ED25519-CERT SHA256:a ID {} (serial 0) CA RSA SHA256:b",
            "sshd[812]: cert: Certificate invalid: {}",
        )
    ],
    "nginx": [
        NGINX + line + ', client: @, server: h, request: "{}", host: "{}", referrer: "{}"'
        for line in (
            'open() "/srv/{}" failed (2: No such file or directory)',
            'user "{}": password mismatch',
            'user "{}" was not found in "/etc/nginx/htpasswd"',
            'limiting requests, excess: 5.120 by zone "login"',
            "access forbidden by rule",
            "upstream sent invalid header {}",
        )
    ],
    "apache": [
        APACHE + line
        for line in (
            "AH00128: File does not exist: /srv/{}, referer: {}",
            'AH01617: user {}: authentication failure for "{}": Password Mismatch, referer: {}',
            "AH01618: user {} not found: {}, referer: {}",
            "AH00126: Invalid URI in request {}",
            "AH02811: script not found or unable to stat: {}",
        )
    ],
    "haproxy": [
        SYSLOG
        + f'haproxy[7]: @:58430 [20/Nov/2026:19:05:03.608] main~ app/a 0/0/0/0/0 {status} 2 - - ---- 0/0/0/0/0 0/0 {{{{{{}}|{{}}}}}} "{{}}"'
        for status in (200, 401)
    ],
    "postfix": [
        SYSLOG + line
        for line in (
            "postfix/smtpd[1]: warning: {host}[@]: SASL LOGIN authentication failed: {}",
            "postfix/smtpd[1]: warning: hostname {host} does not resolve to address @",
            "postfix/smtpd[1]: improper command pipelining after DATA from {host}[@]: {}",
            "postfix/smtpd[1]: warning: non-SMTP command from {host}[@]: {}",
            "postfix/smtpd[1]: NOQUEUE: reject: RCPT from {host}[@]: 554 5.7.1 <{}>: Relay access denied; from=<{}> to=<{}> helo=<{}>",
            "postfix/smtpd[1]: NOQUEUE: reject: RCPT from {host}[@]: 450 4.1.8 <{}>: Sender address rejected; from=<{}> helo=<{}>",
        )
    ],
    "dovecot": [
        SYSLOG + line
        for line in (
            "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=@, lip=192.0.2.1, TLS, session=<a>",
            "dovecot: imap-login: Aborted login (no auth attempts in 0 secs): user=<>, rip=@, lip=192.0.2.1, session=<a>",
            "dovecot: imap-login: Login: user=<{}>, method=PLAIN, rip=@, lip=192.0.2.1, mpid=7, TLS, session=<a>",
            "dovecot: imap(ann)<7><a>: Error: Mailbox {}: stat() failed: {}",
        )
    ],
    "exim": [
        "2026-11-20 19:05:03 " + line
        for line in (
            "login authenticator failed for {host} ({word}) [@]:4711: 535 Incorrect authentication data (set_id={})",
            "rejected EHLO from [@]: syntactically invalid argument(s): {}",
            "H={host} ({word}) [@] F=<{}> rejected RCPT <{}>: relay not permitted",
            'SMTP protocol error in "{}" H={host} [@] next input="{}"',
        )
    ],
    "vaultwarden": [
        "[2026-11-20 19:05:03.660]" + line
        for line in (
            "[vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. IP: @. Username: {}.",
            "[request][INFO] GET {}",
            "[response][INFO] (identify) GET {} => 404 Not Found",
            "[vaultwarden::api::icons][ERROR] Invalid domain: {}",
        )
    ],
    "gitea": [
        "2026/11/20 19:05:03 " + line
        for line in (
            "a.go:1:S() [I] Failed authentication attempt for {} from @:4711: user does not exist [uid: 0, name: {}]",
            "HTTPRequest [I] router: completed GET {} for @:4711, 404 Not Found in 1.2ms @ web/goget.go:21(web.goGet)",
            "a.go:1:S() [E] Failed connection from @:4711 with error: {}",
        )
    ],
    "jellyfin": [
        '[2026-11-20 19:05:03.123 +00:00] [INF] [42] A.U: Authentication request for "{}" has been denied (IP: "@").',
        '[2026-11-20 19:05:03.123 +00:00] [INF] [42] A.S: Session started for "{}" of {}',
    ],
    "home-assistant": [
        "2026-11-20 19:05:03.123 WARNING (MainThread) [homeassistant.components.http.ban] Login attempt or request with "
        + "invalid authentication from {host} (@). Requested URL: '{}'. ({})",
        "2026-11-20 19:05:03.123 ERROR (MainThread) [aiohttp.server] Error handling request {}",
    ],
    "grafana": [
        'logger=context userId=0 orgId=0 uname= t=2026-11-20T19:05:03+01:00 level=info msg="Request Completed" '
        + "method=GET path={word} status=404 remote_addr=@ time_ms=7 referer={word}",
    ],
    "proxmox": [
        SYSLOG + "pvedaemon[1]: authentication failure; rhost=@ user={word} msg={}",
        SYSLOG + "pvedaemon[1]: <root@pam> starting task {}",
    ],
    "phpmyadmin": [SYSLOG + "phpMyAdmin[1]: user denied: {} (mysql-denied) from @"],
    "vsftpd": [
        'Fri Nov 20 19:05:03 2026 [pid 1] [{}] FAIL LOGIN: Client "@"',
        'Fri Nov 20 19:05:03 2026 [pid 1] [{}] FAIL DOWNLOAD: Client "@", "{}", 0.00Kbyte/sec',
        'Fri Nov 20 19:05:03 2026 [pid 1] FTP command: Client "@", "USER {}"',
    ],
    "proftpd": [
        "2026-11-20 19:05:03,123 ftp proftpd[4] ftp ({host}[@]): USER {}: no such user found from {host} [@] to 192.0.2.1:21",
        "2026-11-20 19:05:03,123 ftp proftpd[4] ftp ({host}[@]): notice: unable to use '{}': {}",
    ],
    "sudo": [
        SYSLOG + "sudo:      ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND={}",
        SYSLOG + "sudo:      ann : command not allowed ; TTY=pts/0 ; PWD={} ; USER=root ; COMMAND={}",
    ],
}
CARRIERS["sshd-scan"] = CARRIERS["sshd"]


def line_of(name: str, carrier: str, address: str, texts: Sequence[str]) -> str:
    """The line, with the texts one after the other, again and again."""
    if name in {"traefik-json", "nextcloud"}:
        return _object(carrier.split(), address, texts)
    if name == "gitea" and ":" in address:
        address = f"[{address}]"
    rest = iter([*texts] * 9)
    spell = partial(_spell, escape=_hexadecimal if carrier in _ESCAPED else str)
    line = re.sub(r"\{(host|word|)\}", lambda slot: spell(slot[1], next(rest)), carrier.replace("@", "\0"))
    return line.replace("{{", "{").replace("}}", "}").replace("\0", address)


_ESCAPED = {carrier for name in ("access", "wordpress", "traefik") for carrier in CARRIERS[name]}


def _spell(kind: str, text: str, escape: Callable[[str], str]) -> str:
    match kind:
        case "host":
            return "h" + re.sub(r"[^A-Za-z0-9.-]", "", text)[:60]
        case "word":
            return re.sub(r"\s", "", text)
    return escape(text.replace("\0", ""))


def _hexadecimal(text: str) -> str:
    """As nginx writes it in an access log."""
    return re.sub(r'["\\\x00-\x1f\x7f-\U0010ffff]', lambda found: f"\\x{ord(found[0]) & 255:02X}", text)


def _object(keys: Sequence[str], address: str, texts: Sequence[str]) -> str:
    rest = iter([*texts] * 9)
    values = {key: next(rest) for key in keys[1:]}
    failed = {"DownstreamStatus": 401} if keys[0] == "ClientHost" else {"app": "core"}
    if "message" in values:
        values["message"] = f"Login failed: {values['message']} (Remote IP: {address})"
    return json.dumps({keys[0]: address, **failed, **values})
