"""How people make a device trust the local authority, step by step; the portal and the command line show the same.

INSTRUCTIONS["ios"].steps          # ('Open the file in Safari …', …)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instructions:
    title: str
    steps: tuple[str, ...]


INSTRUCTIONS = {
    "windows": Instructions(
        "Windows",
        (
            "Open the downloaded file, and choose “Install Certificate”.",
            "Choose “Current User”, then “Place all certificates in the following store”, then “Browse”.",
            "Choose “Trusted Root Certification Authorities”, and finish.",
            "Windows shows the fingerprint: compare it, and confirm. Restart the browser.",
        ),
    ),
    "macos": Instructions(
        "macOS",
        (
            "Open the downloaded file: Keychain Access asks for a keychain; choose “login”.",
            "Find the authority in the list, open it, and unfold “Trust”.",
            "Set “When using this certificate” to “Always Trust”, close the window, and confirm with your password.",
        ),
    ),
    "ios": Instructions(
        "iPhone and iPad",
        (
            "Open the file in Safari, and allow the profile to be downloaded.",
            "Settings, “Profile Downloaded”, “Install”.",
            "Settings, General, About, Certificate Trust Settings: switch the authority on.",
        ),
    ),
    "android": Instructions(
        "Android",
        (
            "Download the file.",
            "Settings, search for “CA certificate”, and confirm the warning.",
            "Choose the downloaded file. Apps may still refuse it; browsers accept it.",
        ),
    ),
    "firefox": Instructions(
        "Firefox, on any system",
        (
            "Settings, Privacy & Security, “View Certificates”, Authorities, “Import”.",
            "Choose the downloaded file, and tick “Trust this CA to identify websites”.",
        ),
    ),
    "linux": Instructions(
        "Linux",
        (
            "With Portward installed: portward ca trust --file portward-root.crt (as root for the whole system).",
            "Otherwise: sudo cp portward-root.crt /usr/local/share/ca-certificates/; sudo update-ca-certificates; and "
            "import the file in the browser.",
        ),
    ),
}
