"""An authority for devices that is the same each time: a golden file can't hold a random one.

TRUST.issuer        # 'Portward devices 0ddba115'
"""

from portward.edge.trust import Trust

# Self-signed, of a key that nobody has kept; it expires in 2126.
TRUST = Trust(
    authorities=b"""\
-----BEGIN CERTIFICATE-----
MIIBTzCB9aADAgECAgEBMAoGCCqGSM49BAMCMCQxIjAgBgNVBAMMGVBvcnR3YXJk
IGRldmljZXMgMGRkYmExMTUwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAw
MDBaMCQxIjAgBgNVBAMMGVBvcnR3YXJkIGRldmljZXMgMGRkYmExMTUwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAARbOo9d2KyEyZCRcYSvIGnWli3Xlfj6OcxZoklN
Eby+BnUianSVLB6DOyfDaFmfYrEEsOSJXKrZ+0Nsk78DI20RoxYwFDASBgNVHRMB
Af8ECDAGAQH/AgEAMAoGCCqGSM49BAMCA0kAMEYCIQDGwVMy5DyHKUyRIJmJJuan
sPNF/V7P6MHYgeYYKO0YQgIhANz6Qxfb9QGsh7Un95CZulN+hCWWK/KY5ZzIkSlt
itPf
-----END CERTIFICATE-----
""",
    issuer="Portward devices 0ddba115",
    others=True,
)

LIST = b"""\
-----BEGIN X509 CRL-----
MIGsMFUCAQEwCgYIKoZIzj0EAwIwJDEiMCAGA1UEAwwZUG9ydHdhcmQgZGV2aWNl
cyAwZGRiYTExNRcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMAoGCCqG
SM49BAMCA0cAMEQCIBWiGGwR+q5ZrfaHx6lYXz2QSxX9ATuCoNtPO66AoDkYAiAU
dT1aWvH/vIsbC2DtJaRW/1CCUItt+lu/SaoJP5dCKg==
-----END X509 CRL-----
"""
"""Its revocation list, empty, until 2126."""
