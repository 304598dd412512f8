"""A tunnel as a task of Windows' Task Scheduler, which runs the OpenSSH that comes with Windows.

    write(profile).text          # '<?xml version="1.0" encoding="UTF-16"?>\\r\\n<Task version="1.2" …'

Imported by `schtasks /Create /TN NAME /XML FILE`, as the user who is to have the tunnel. The schema is Microsoft's
[MS-TSCH] section 2.3.
"""

import subprocess
from xml.sax.saxutils import escape

from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.openssh import arguments
from portward.tunnels.profiles.profile import Profile

_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{description}</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>{at_login}</Enabled>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>%SystemRoot%\\System32\\OpenSSH\\ssh.exe</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def write(profile: Profile) -> Exported:
    """A whole task, in UTF-16 as schtasks wants it. It asks nobody: the key has no passphrase, or lies in an agent."""
    notes: list[str] = []
    words = ["-o", "BatchMode=yes", *arguments(profile, notes)]
    line = subprocess.list2cmdline(words)
    if "%" in line.replace("%%", "").replace("%h", "").replace("%p", "") or "$(" in line:
        notes.append("the Task Scheduler replaces %NAME% and $(…) in arguments: see whether they still say the same")
    if any(path.startswith("/") for path in (profile.key_file, profile.certificate_file)):
        notes.append("the key's path is one of this machine: write the one on Windows in its place")
    text = _TASK.format(
        description=escape(f'Tunnel "{profile.name}" over SSH'),
        at_login=str(profile.start_at_login).lower(),
        arguments=escape(line),
    )
    return Exported(text.replace("\n", "\r\n"), tuple(notes), "utf-16")
