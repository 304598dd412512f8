"""What holds for every test: the machine is noisy, so no made-up example fails because it took long."""

from hypothesis import settings

settings.register_profile("noisy", deadline=None)
settings.load_profile("noisy")
