"""Lines as programs write them, by pattern: who is to blame, which user was tried, and lines that count for nothing.

Each format follows its source: OpenSSH's auth.c, auth2.c, monitor.c, packet.c and sshd.c; nginx's
ngx_http_auth_basic_module.c and ngx_http_limit_req_module.c; Apache's mod_auth_basic.c and mod_auth_digest.c; the
documentation of HAProxy (8.2.3), Traefik (observability/access-logs), Vaultwarden's and Jellyfin's pages on fail2ban,
Home Assistant's ban component, Grafana's log in logfmt, Proxmox' AccessControl, ProFTPD's mod_auth, vsftpd's logging.c.
Addresses are those of documentation (RFC 5737, RFC 3849).
"""

A, B, V6 = "203.0.113.7", "198.51.100.9", "2001:db8::7"
SYSLOG = "Nov 20 19:05:03 gate "
ISO = "2026-11-20T19:05:03.123456+01:00 gate "
NGINX = "2026/11/20 19:05:03 [error] 1193#1193: *41 "
APACHE = "[Fri Nov 20 19:05:03.123456 2026] [auth_basic:error] [pid 17512:tid 140123079128832] "
CLF = f'{A} - - [20/Nov/2026:19:05:03 +0000] "'

BLAMED: dict[str, list[tuple[str, str, str]]] = {
    "sshd": [
        (SYSLOG + f"sshd[812]: Failed password for root from {A} port 50273 ssh2", A, "root"),
        (ISO + f"sshd-session[812]: Failed password for root from {V6} port 50273 ssh2", V6, "root"),
        (SYSLOG + f"sshd[812]: Failed password for invalid user a b from {A} port 50273 ssh2", A, "a b"),
        (SYSLOG + f"sshd[812]: Failed none for invalid user  from {A} port 50273 ssh2", A, ""),
        (SYSLOG + f"sshd[812]: Failed keyboard-interactive/pam for ann from ::ffff:{A} port 1 ssh2", A, "ann"),
        (SYSLOG + f"sshd[812]: Failed publickey for ann from {A} port 1 ssh2: ED25519 SHA256:Zm9vYmFy", A, "ann"),
        (
            SYSLOG
            + f"sshd[812]: Failed publickey for ann from {A} port 1 ssh2: RSA-CERT SHA256:Zm9v ID ann's (serial 0) CA RSA SHA256:YmFy",
            A,
            "ann",
        ),
        (SYSLOG + f"sshd[812]: message repeated 2 times: [ Failed password for ann from {A} port 1 ssh2]", A, "ann"),
        (SYSLOG + f"sshd[812]: Invalid user ftp from {A} port 37220", A, "ftp"),
        (SYSLOG + f"sshd[812]: Invalid user  from {A} port 37220", A, ""),
        (SYSLOG + f"sshd[812]: Invalid user ftp from {A}", A, "ftp"),
        (
            SYSLOG
            + f"sshd[812]: error: maximum authentication attempts exceeded for root from {A} port 22 ssh2 [preauth]",
            A,
            "root",
        ),
        (
            SYSLOG
            + f"sshd[812]: error: maximum authentication attempts exceeded for invalid user x from {A} port 2 ssh2",
            A,
            "x",
        ),
        (
            SYSLOG
            + f"sshd[812]: Disconnecting authenticating user root {A} port 9: Too many authentication failures [preauth]",
            A,
            "root",
        ),
        (SYSLOG + f"sshd[812]: Connection closed by authenticating user root {A} port 37612 [preauth]", A, "root"),
        (SYSLOG + f"sshd[812]: Connection reset by invalid user x {A} port 37612 [preauth]", A, "x"),
        (SYSLOG + f"sshd[812]: Disconnected from authenticating user root {A} port 45050 [preauth]", A, "root"),
        (SYSLOG + f"sshd[812]: Disconnected from invalid user ann {V6} port 45050 [preauth]", V6, "ann"),
        (SYSLOG + f"sshd[812]: User root from {A} not allowed because not listed in AllowUsers", A, "root"),
        (
            SYSLOG
            + f"sshd[812]: User ann from {A} not allowed because none of user's groups are listed in AllowGroups",
            A,
            "ann",
        ),
        (SYSLOG + f"sshd[812]: error: PAM: Authentication failure for root from {A}", A, "root"),
        (
            SYSLOG
            + f"sshd[812]: error: PAM: User not known to the underlying authentication module for illegal user x from {A}",
            A,
            "x",
        ),
        (SYSLOG + f"sshd[812]: ROOT LOGIN REFUSED FROM {A} port 12345 [preauth]", A, ""),
        (SYSLOG + f"sshd[812]: fatal: Timeout before authentication for {A} port 4711", A, ""),
        (SYSLOG + f"sshd[812]: Timeout before authentication for connection from {A} to 192.0.2.1, pid = 4711", A, ""),
        (
            SYSLOG
            + f"sshd[812]: Disconnecting invalid user x {A} port 9: Change of username or service not allowed: "
            + "(x,ssh-connection) -> (y,ssh-connection) [preauth]",
            A,
            "x",
        ),
    ],
    "sshd-scan": [
        (SYSLOG + f"sshd[812]: Did not receive identification string from {A} port 4711", A, ""),
        (SYSLOG + f"sshd[812]: Connection closed by {A} port 4711 [preauth]", A, ""),
        (SYSLOG + f"sshd[812]: banner exchange: Connection from {A} port 4711: invalid format", A, ""),
        (
            SYSLOG
            + f"sshd[812]: Unable to negotiate with {A} port 4711: no matching key exchange method found. "
            + "Their offer: diffie-hellman-group1-sha1 [preauth]",
            A,
            "",
        ),
        (SYSLOG + f"sshd[812]: drop connection #10 from [{V6}]:4711 on [192.0.2.1]:22 past MaxStartups", V6, ""),
        (SYSLOG + f"sshd[812]: Bad protocol version identification 'GET / HTTP/1.1' from {A} port 4711", A, ""),
    ],
    "sudo": [
        (
            SYSLOG
            + "sudo: pam_unix(sudo:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 "
            + "ruser=ann rhost=  user=ann",
            "",
            "ann",
        ),
    ],
    "access": [
        (CLF + 'GET /admin HTTP/1.1" 401 179 "-" "curl/8.5"', A, "-"),
        (f'{V6} - ann [20/Nov/2026:19:05:03 +0000] "GET / HTTP/1.1" 401 179', V6, "ann"),
        (f'web.example.com:443 {A} - - [20/Nov/2026:19:05:03 +0000] "GET / HTTP/1.1" 401 179 "-" "x"', A, "-"),
    ],
    "access-4xx": [
        (CLF + 'GET /.env HTTP/1.1" 404 0 "-" "-"', A, "-"),
        (CLF + 'GET / HTTP/1.1" 444 0 "-" "-"', A, "-"),
    ],
    "nginx": [
        (
            NGINX + f'user "ann": password mismatch, client: {A}, server: _, request: "GET / HTTP/1.1", host: "h"',
            A,
            "ann",
        ),
        (
            NGINX
            + f'user "a b" was not found in "/etc/nginx/htpasswd", client: {V6}, server: , request: "GET / HTTP/2.0", host: "h"',
            V6,
            "a b",
        ),
        (
            NGINX
            + f'limiting requests, excess: 5.120 by zone "login", client: {A}, server: h, request: "GET / HTTP/1.1", host: "h"',
            A,
            "",
        ),
        (NGINX + f'limiting connections by zone "addr", client: {A}, server: h, request: "GET / HTTP/1.1"', A, ""),
    ],
    "apache": [
        (
            APACHE + f'[client {A}:51390] AH01617: user ann: authentication failure for "/x": Password Mismatch',
            A,
            "ann",
        ),
        (APACHE + f"[client [{V6}]:51390] AH01618: user x not found: /x, referer: https://h/", V6, "x"),
        (APACHE + f"[client {V6}:51390] AH01618: user x not found: /x", V6, "x"),
        (APACHE + f"[remote {A}:51390] AH01792: user ann: password mismatch: /digest/", A, ""),
    ],
    "haproxy": [
        (
            SYSLOG
            + f"haproxy[760]: {A}:58430 [20/Nov/2026:19:05:03.608] main~ app/<NOSRV> -1/-1/-1/-1/0 401 248 - - PR-- "
            + '0/0/0/0/0 0/0 "GET / HTTP/1.1"',
            A,
            "",
        ),
    ],
    "traefik": [
        (CLF + 'GET /dashboard/ HTTP/2.0" 401 17 "-" "-" 72 "api@internal" "-" 0ms', A, "-"),
    ],
    "traefik-json": [
        (
            f'{{"ClientHost":"{A}","ClientUsername":"ann","DownstreamStatus":401,"time":"2026-11-20T19:05:03Z"}}',
            A,
            "ann",
        ),
    ],
    "postfix": [
        (
            SYSLOG + f"postfix/smtpd[8738]: warning: unknown[{A}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
            A,
            "",
        ),
        (
            SYSLOG
            + f"postfix/submission/smtpd[1]: warning: h.example[{V6}]: SASL PLAIN authentication failed: , sasl_username=a b",
            V6,
            "",
        ),
        (
            SYSLOG
            + f"postfix/smtpd[8738]: NOQUEUE: reject: RCPT from unknown[{A}]: 554 5.7.1 <a@b>: Relay access denied; "
            + "from=<x@y> to=<a@b> proto=ESMTP helo=<z>",
            A,
            "",
        ),
        (SYSLOG + f"postfix/smtpd[8738]: lost connection after AUTH from unknown[{A}]", A, ""),
    ],
    "dovecot": [
        (
            SYSLOG
            + "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<ann>, "
            + f"method=PLAIN, rip={A}, lip=192.0.2.1, TLS, session=<LgDINsQCkttVIMPg>",
            A,
            "ann",
        ),
        (
            SYSLOG
            + "dovecot[241]: pop3-login: Login aborted: Logged out (auth failed, 1 attempts in 10 secs) (auth_failed): "
            + f"user=<a b@c>, method=PLAIN, rip={V6}, lip=2001:db8::1, session=<x>",
            V6,
            "a b@c",
        ),
    ],
    "exim": [
        (
            f"2026-11-20 19:05:03 login authenticator failed for h.example (USER) [{A}]: 535 Incorrect authentication data",
            A,
            "",
        ),
        (
            f"2026-11-20 19:05:03 plain authenticator failed for (x) [{V6}]:4711 I=[192.0.2.1]:587: 535 Incorrect "
            + "authentication data (set_id=ann@example.com)",
            V6,
            "",
        ),
    ],
    "vaultwarden": [
        (
            "[2026-11-20 19:05:03.660][vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. "
            + f"IP: {A}. Username: ann@example.com.",
            A,
            "ann@example.com",
        ),
        (f"[2026-11-20 19:05:03.660][vaultwarden::api::admin][ERROR] Invalid admin token. IP: {A}", A, ""),
        (
            "[2026-11-20 19:05:03.660][vaultwarden::api::core::two_factor::authenticator][ERROR] Invalid TOTP code! "
            + f"Server time: 2026-11-20 19:05:03 UTC IP: {V6}",
            V6,
            "",
        ),
        (f"[2026-11-20 19:05:03.923][vaultwarden::api::core::sends][ERROR] Invalid password. IP: {A}.", A, ""),
    ],
    "nextcloud": [
        (
            '{"reqId":"x","level":2,"time":"2026-11-20T19:05:03+00:00","remoteAddr":"192.0.2.1","user":"--","app":"core",'
            + f'"method":"POST","url":"/login","message":"Login failed: ann (Remote IP: {A})","userAgent":"x"}}',
            A,
            "ann",
        ),
    ],
    "gitea": [
        (
            "2026/11/20 19:05:03 ...ers/web/auth/auth.go:201:SignInPost() [I] Failed authentication attempt for ann from "
            + f"{A}:4711: user does not exist [uid: 0, name: ann]",
            A,
            "ann",
        ),
        (
            "2026/11/20 19:05:03 ...ers/web/auth/auth.go:201:SignInPost() [I] Failed authentication attempt for ann from "
            + f"{V6}: user's password is invalid [uid: 1, name: ann]",
            V6,
            "ann",
        ),
    ],
    "jellyfin": [
        (
            "[2026-11-20 19:05:03.123 +00:00] [INF] [42] Jellyfin.Server.Implementations.Users.UserManager: Authentication "
            + f'request for "ann" has been denied (IP: "{A}").',
            A,
            "ann",
        ),
    ],
    "home-assistant": [
        (
            "2026-11-20 19:05:03.123 WARNING (MainThread) [homeassistant.components.http.ban] Login attempt or request with "
            + f"invalid authentication from h.example ({A}). Requested URL: '/auth/login_flow/x'. (Mozilla/5.0)",
            A,
            "",
        ),
    ],
    "grafana": [
        (
            't=2026-11-20T19:05:03+0100 lvl=eror msg="Invalid username or password" logger=context userId=0 orgId=0 uname= '
            + f'error="User not found" remote_addr={A}',
            A,
            "",
        ),
        (
            "logger=context userId=0 orgId=0 uname= t=2026-11-20T19:05:03.123456789+01:00 level=info "
            + f'msg="Request Completed" method=POST path=/login status=401 remote_addr={V6} time_ms=73 duration=73ms',
            V6,
            "",
        ),
    ],
    "proxmox": [
        (
            SYSLOG
            + f"pvedaemon[12021]: authentication failure; rhost=::ffff:{A} user=root@pam msg=Authentication failure",
            A,
            "root@pam",
        ),
        (
            SYSLOG
            + f"proxmox-backup-proxy[1007]: authentication failure; rhost=[::ffff:{A}]:58070 msg=ticket with invalid signature",
            A,
            "",
        ),
    ],
    "wordpress": [
        (CLF + 'POST /blog/wp-login.php?x=1 HTTP/1.1" 200 5312 "-" "-"', A, "-"),
        (CLF + 'POST /xmlrpc.php HTTP/2.0" 200 403 "-" "-"', A, "-"),
    ],
    "phpmyadmin": [
        (SYSLOG + f"phpMyAdmin[16358]: user denied: root (mysql-denied) from {A}", A, "root"),
    ],
    "vsftpd": [
        (f'Fri Nov 20 19:05:03 2026 [pid 27202] [anonymous] FAIL LOGIN: Client "::ffff:{A}"', A, "anonymous"),
    ],
    "proftpd": [
        (
            f"2026-11-20 19:05:03,123 ftp proftpd[404789] ftp ({A}[{A}]): USER ann (Login failed): Incorrect password",
            A,
            "ann",
        ),
        (
            SYSLOG
            + f"proftpd[13287]: 192.0.2.1 (h.example[{A}]) - USER x: no such user found from h.example [{A}] to 192.0.2.1:21",
            A,
            "x",
        ),
    ],
}

UNBLAMED: dict[str, list[str]] = {
    "sshd": [
        SYSLOG + f"sshd[812]: Accepted publickey for ann from {A} port 4711 ssh2: ED25519 SHA256:Zm9v",
        SYSLOG + f"sshd[812]: Received disconnect from {A} port 4711:11: disconnected by user",
        SYSLOG + f"sshd[812]: Disconnected from user ann {A} port 4711",
        SYSLOG + f"sshd[812]: Connection closed by {A} port 4711",
        SYSLOG + f"CRON[812]: Failed password for root from {A} port 50273 ssh2",
        SYSLOG + "sshd[812]: Failed password for root from evil.example.com port 50273 ssh2",
        SYSLOG + "sshd[812]: Failed password for root from 203.0.113.700 port 50273 ssh2",
        f"Failed password for root from {A} port 50273 ssh2",
    ],
    "access": [
        CLF + 'GET / HTTP/1.1" 200 179 "-" "curl/8.5"',
        CLF + 'GET /?q=\\x22 401 179 HTTP/1.1" 200 179 "-" "-"',
        CLF + 'GET /?q=\\" 401 179 HTTP/1.1" 200 179 "-" "-"',
    ],
    "wordpress": [
        CLF + 'POST /wp-login.php HTTP/1.1" 302 0 "-" "-"',
        CLF + 'GET /wp-login.php HTTP/1.1" 200 9 "-" "-"',
    ],
    "traefik-json": [
        f'{{"ClientHost":"{A}","DownstreamStatus":200}}',
        f'{{"ClientHost":"{A}","DownstreamStatus":401,"ClientHost":"{B}"}}',
        f'["ClientHost","{A}"]',
        "no JSON",
    ],
    "vaultwarden": [
        f"[2026-11-20 19:05:03.660][vaultwarden::api::identity][INFO] User ann@example.com logged in successfully. IP: {A}"
    ],
}

FORGED: dict[str, list[str]] = {
    "sshd": [
        SYSLOG + f"sshd[812]: Invalid user x from {B} port 22 from {A} port 37220",
        SYSLOG + f"sshd[812]: Failed password for invalid user x from {B} port 1 ssh2 from {A} port 2 ssh2",
        SYSLOG + f"sshd[812]: Connection closed by invalid user x {B} port 1 [preauth] {A} port 2 [preauth]",
        SYSLOG + f"sshd[812]: error: PAM: Authentication failure for x from {B} from {A}",
        SYSLOG
        + f"sshd[812]: User x from {B} not allowed because not listed in AllowUsers from {A} not allowed because "
        + "not listed in AllowUsers",
        SYSLOG + f"sshd[812]: Received disconnect from {A} port 1:11: Invalid user x from {B} port 2 [preauth]",
        SYSLOG
        + f"sshd[812]: Failed publickey for x from {A} port 1 ssh2: RSA-CERT SHA256:a ID k from {B} port 2 ssh2: "
        + "RSA SHA256:b (serial 0) CA RSA SHA256:c",
        SYSLOG
        + f"sshd[812]: Disconnecting invalid user x {A} port 9: Change of username or service not allowed: "
        + f"(x,ssh-connection) -> (y {B} port 9: Change of username or service not allowed: z,ssh-connection) [preauth]",
    ],
    "sshd-scan": [
        SYSLOG + f"sshd[812]: Bad protocol version identification 'x' from {B} port 1' from {A} port 2",
    ],
    "nginx": [
        NGINX
        + f'user "x": password mismatch, client: {B}, server: y": password mismatch, client: {A}, server: _, request: "GET / HTTP/1.1"',
        NGINX
        + f'user "x": password mismatch, client: {A}, server: _, request: "GET / HTTP/1.1", host: "h", referrer: '
        + f'"": password mismatch, client: {B}, server: z"',
    ],
    "apache": [
        APACHE + f"[client {A}:1] AH01618: user x [client {B}:2] AH01618: user y not found: / not found: /",
    ],
    "access": [f'{A} - {B} - x [20/Nov/2026:19:05:03 +0000] "GET / HTTP/1.1" 401 1 "-" "{B} - - 401"'],
    "postfix": [
        SYSLOG
        + f"postfix/smtpd[1]: warning: unknown[{A}]: SASL LOGIN authentication failed: unknown[{B}]: SASL LOGIN "
        + "authentication failed: x",
    ],
    "dovecot": [
        SYSLOG
        + f"dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<x>, method=PLAIN, rip={B}, lip=1.1.1.1>, "
        + f"method=PLAIN, rip={A}, lip=192.0.2.1, session=<x>",
    ],
    "exim": [
        f"2026-11-20 19:05:03 login authenticator failed for (x) [{A}]: 535 Incorrect authentication data (set_id=y [{B}]: "
        + "535 Incorrect authentication data (set_id=z)",
    ],
    "vaultwarden": [
        "[2026-11-20 19:05:03.660][vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. "
        + f"IP: {A}. Username: x. IP: {B}. Username: y.",
    ],
    "nextcloud": [f'{{"message":"Login failed: x (Remote IP: {B}) (Remote IP: {A})","app":"core"}}'],
    "gitea": [
        "2026/11/20 19:05:03 a.go:1:S() [I] Failed authentication attempt for x from "
        + f"{B}: y from {A}:1: user does not exist [uid: 0, name: x from {B}: y]",
    ],
    "jellyfin": [
        '[2026-11-20 19:05:03.123 +00:00] [INF] [42] J.U: Authentication request for "x" has been denied (IP: '
        + f'"{B}")." has been denied (IP: "{A}").',
    ],
    "proftpd": [
        f"2026-11-20 19:05:03,123 ftp proftpd[1] ftp ({A}[{A}]): USER ftp proftpd[1] ftp (x[{B}]): USER y: no such user "
        + f"found from {A} [{A}] to 192.0.2.1:21",
    ],
    "vsftpd": [
        f'Fri Nov 20 19:05:03 2026 [pid 1] [x] FAIL LOGIN: Client "{B}"] FAIL LOGIN: Client "{A}"',
    ],
    "phpmyadmin": [SYSLOG + f"phpMyAdmin[1]: user denied: x (mysql-denied) from {B} (mysql-denied) from {A}"],
    "home-assistant": [
        "2026-11-20 19:05:03.123 WARNING (MainThread) [homeassistant.components.http.ban] Login attempt or request with "
        + f"invalid authentication from h ({A}). Requested URL: '/ ({B}). Requested URL: '. (x ({B}). Requested URL: )",
    ],
    "proxmox": [SYSLOG + f"pvedaemon[1]: authentication failure; rhost={A} user=x@pam msg=rhost={B} user=y msg=z"],
}
"""All of them are `A`'s doing, who wants `B` to be blamed."""
