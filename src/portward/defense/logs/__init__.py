"""This machine's own logs, read as they grow, and told as facts. docs/logs.md says what holds."""
