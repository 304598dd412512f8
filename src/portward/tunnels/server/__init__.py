"""The program `tunnels`: an SSH server that publishes services and permits jumps, and does nothing else.

python -m portward.tunnels.server /var/lib/portward
"""
