"""What a person meets in Chromium. A package of its own, so that its fixtures end with it."""
