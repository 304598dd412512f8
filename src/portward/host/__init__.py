"""The machine that Portward runs on: files, child processes, systemd."""
