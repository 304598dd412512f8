"""The portward.toml that `portward up` writes where there is none: what runs when nothing is configured.

Settings.model_validate(tomllib.loads(STARTER)).url("hello.portward.localhost")
# 'https://hello.portward.localhost:8443'
"""

STARTER = """\
# Portward: what stands at the entrance, and who may come in.
#
# Saving this file applies it; a mistake changes nothing, and `portward status` names it.
# `portward check` looks at it beforehand. Every key: docs/configuration.md.
# For completion in an editor: `portward schema > portward.schema.json`, and uncomment the next line.
# #:schema ./portward.schema.json

# Services live under this name, and people log in at auth.DOMAIN. Browsers find *.localhost on this machine;
# on a server, point DOMAIN and *.DOMAIN at it.
domain = "portward.localhost"

[listen]
https = [":8443"]
http = [":8080"]        # only sends visitors on to HTTPS

# A small page inside Portward that shows who is looking at it. Take it away with `portward unpublish hello`.
[services.hello]
upstream = "demo"
access = "members"      # or public, owners, group:family, account:ann, or a list of these

# A service of your own: `portward publish wiki http://127.0.0.1:3000`, or by hand:
#
# [services.wiki]                       # https://wiki.DOMAIN
# upstream = "http://127.0.0.1:3000"
# access = ["group:family", "account:ann"]
# second-factor = true
"""
