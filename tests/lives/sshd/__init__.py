"""The program `tunnels` alone, without keeper and edge, and real clients of SSH."""
