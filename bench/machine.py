"""The machine in general terms: enough to judge the figures by, nothing that names it.

describe()                  # {'cores': '2', 'memory': '24 GB', 'kernel': 'Linux 6.1', 'system': 'Debian ...'}
"""

import os
import platform

import psutil


def describe() -> dict[str, str]:
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "kernel": f"{platform.system()} {kernel}, {platform.machine()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "python": platform.python_version(),
    }
